export * from './dist/index.js';
export { kafka as default } from './dist/index.js';
