'use strict';
// KafkaJS itself: the oracle, and an independent pair of eyes for what we wrote.

const net = require('node:net');
const { after } = require('node:test');
const original = require('kafkajs');
const { cleanup } = require('./cleanup.js');
const { topicName } = require('./clusters.js');
const { within } = require('./flow.js');

// KafkaJS forgets a connection that it opens while it disconnects; left alone, it would keep the tests' process alive.
const sockets = new Set();
after(() => sockets.forEach((socket) => socket.destroy(new Error('the tests are over'))));

function socketFactory({ host, port, onConnect }) {
  const socket = net.connect({ host, port }, onConnect);
  sockets.add(socket);
  return socket.once('close', () => sockets.delete(socket));
}

class Kafka extends original.Kafka {
  constructor(config) {
    super(config.ssl ? config : { socketFactory, ...config });
  }
}
const kafkajs = { ...original, Kafka };

/** A KafkaJS client that is quiet, of a cluster or of brokers. */
function oracle(cluster, config) {
  const brokers = (typeof cluster === 'string' ? cluster : cluster.options().broker).split(',');
  return new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING, ...config });
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
  cleanup(t, () => consumer.disconnect());
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
  await within(
    90_000,
    () => `${messages.length} messages came of ${topic}`,
    () => done,
  );
  await consumer.disconnect();
  return messages;
}

module.exports = { kafkajs, oracle, readWithKafkaJS };
