'use strict';
// KafkaJS itself: the oracle, and an independent pair of eyes for what we wrote.

const kafkajs = require('kafkajs');
const { topicName } = require('./clusters.js');
const { within } = require('./flow.js');

/** A KafkaJS client that is quiet. */
function oracle(cluster, config) {
  return new kafkajs.Kafka({ brokers: cluster.options().broker.split(','), logLevel: kafkajs.logLevel.NOTHING, ...config });
}

/**
 * Reads a topic from its beginning until `enough(messages)` holds. Messages are KafkaJS's, with their partition.
 *
 * @param {import('node:test').TestContext} t
 * @param {(messages: any[]) => boolean} enough
 * @param {{ readUncommitted?: boolean }} [config]
 */
async function readWithKafkaJS(t, cluster, topic, enough, config = {}) {
  const consumer = oracle(cluster).consumer({ groupId: topicName('reader'), maxWaitTimeInMs: 100, ...config });
  t.after(() => consumer.disconnect());
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const messages = [];
  let found;
  const done = new Promise((resolve) => (found = resolve));
  await consumer.run({
    eachMessage: async ({ partition, message }) => {
      messages.push({ partition, ...message });
      if (enough(messages)) found();
    },
  });
  await within(60_000, () => `${messages.length} messages came of ${topic}`, () => done);
  await consumer.disconnect();
  return messages;
}

module.exports = { kafkajs, oracle, readWithKafkaJS };
