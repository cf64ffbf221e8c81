import * as kafkajs from './dist/kafkajs.js';

export * from './dist/kafkajs.js';
export default kafkajs;
