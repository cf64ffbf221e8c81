export * from './dist/index.js';
export { KafkaProxy as default } from './dist/index.js';
