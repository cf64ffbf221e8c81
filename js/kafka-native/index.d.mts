import * as kafka from './dist/index.js';

export * from './dist/index.js';
export default kafka;
