'use strict';
// The contenders. Each has its program in `contenders/NAME.js`, but for the C loop, which is `deps/librdkafka/examples/c_loop.rs`.

/**
 * @typedef {object} Contender
 * @property {string} title
 * @property {'baseline' | 'ours' | 'binding' | 'javascript'} kind binding: to librdkafka; javascript: all in JavaScript
 * @property {string} [package] to be installed
 * @property {NodeJS.ProcessEnv} [build] it is compiled where it is installed, with these settings
 */

/** @type {Record<string, Contender>} */
const CONTENDERS = {
  'c-loop': { title: 'C loop', kind: 'baseline' },
  'kafka-native': { title: 'kafka-native (KafkaJS API)', kind: 'ours' },
  classic: { title: 'kafka-native (classic API)', kind: 'ours' },
  kafkajs: { title: 'kafkajs', kind: 'javascript', package: 'kafkajs' },
  platformatic: { title: '@platformatic/kafka', kind: 'javascript', package: '@platformatic/kafka' },
  'kafka-ts': { title: 'kafka-ts', kind: 'javascript', package: 'kafka-ts' },
  'node-rdkafka': { title: 'node-rdkafka', kind: 'binding', package: 'node-rdkafka', build: {} },
  // Its own installation downloads a binary, and if there is none for this Node, builds without the system's libraries.
  confluent: { title: '@confluentinc/kafka-javascript', kind: 'binding', package: '@confluentinc/kafka-javascript', build: { CKJS_LINKING: 'dynamic' } },
  'kafka-crab-js': { title: 'kafka-crab-js', kind: 'binding', package: 'kafka-crab-js' },
};

const OURS = Object.keys(CONTENDERS).filter((name) => CONTENDERS[name].package === undefined);
const EVERYONE = Object.keys(CONTENDERS);

module.exports = { CONTENDERS, EVERYONE, OURS };
