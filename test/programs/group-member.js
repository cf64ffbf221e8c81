'use strict';
// A member of a group in a process of its own: says what it gets, until it is killed or told to disconnect.

const { Kafka } = require('kafka-native');
const { options, say } = require('../support/child.js');

const { broker, topic, groupId, config, concurrency = 1, channel = true } = options();
const logger = { error: (line) => console.error(line), warn() {}, info() {}, debug() {} };
const consumer = new Kafka({ brokers: [broker], logger }).consumer({ groupId, sessionTimeout: 6000, heartbeatInterval: 200, rebalanceTimeout: 10_000, ...config });
process.on('message', async (what) => {
  if (what !== 'disconnect') return;
  process.removeAllListeners('message');
  await consumer.disconnect();
  say('disconnected');
});
// Only the consumer keeps this process alive, unless it is to hear of its parent's end.
if (!channel) process.channel.unref();

(async () => {
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  for (const name of ['GROUP_JOIN', 'REBALANCING']) consumer.on(consumer.events[name], ({ payload }) => { say(name, { payload }); });
  // Done is what the parent has heard of.
  await consumer.run({ partitionsConsumedConcurrently: concurrency, eachMessage: ({ partition, message }) => say('message', { partition, offset: Number(message.offset), value: String(message.value) }) });
  say('joined');
})();
