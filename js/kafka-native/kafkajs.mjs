// KafkaJS's names for `import`: the same objects as for `require`.
export * from './dist/kafkajs.js';
export { default } from './dist/kafkajs.js';
