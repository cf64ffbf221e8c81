'use strict';
// Messages of every size.

const { test } = require('node:test');
const assert = require('node:assert/strict');
const { Kafka, logLevel } = require('kafka-native');
const { cleanup } = require('./support/cleanup.js');
const { real, topicName } = require('./support/clusters.js');
const { PATIENCE, within } = require('./support/flow.js');

test('messages of every size come back as they were sent', async (t) => {
  const cluster = await real();
  cleanup(t, () => cluster.close());
  const topic = await cluster.topic(1);
  const kafka = new Kafka({ brokers: cluster.options().broker.split(','), logLevel: logLevel.NOTHING });
  const producer = kafka.producer();
  await producer.connect();
  cleanup(t, () => producer.disconnect());
  const sizes = [0, 1, 2, 3, 7, 100, 1000, 4095, 4096, 65_535, 65_536, 262_144, 999_000];
  const messages = sizes.flatMap((size) => [
    { key: Buffer.alloc(size % 1000, 1), value: Buffer.alloc(size, size % 251) },
    { key: null, value: 'é'.repeat(Math.floor(size / 2)), headers: { size: String(size) } },
  ]);
  messages.push({ key: 'gone', value: null });
  for (const message of messages) await producer.send({ topic, messages: [message] });
  await assert.rejects(producer.send({ topic, messages: [{ value: Buffer.alloc(1_100_000) }] }), { type: 'MESSAGE_TOO_LARGE' });

  const consumer = kafka.consumer({ groupId: topicName('sizes') });
  cleanup(t, () => consumer.disconnect());
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const received = [];
  let done;
  const all = new Promise((resolve) => (done = resolve));
  await consumer.run({
    eachMessage: async ({ message }) => {
      received.push(message);
      if (received.length === messages.length) done();
    },
  });
  await within(
    PATIENCE,
    () => `${received.length} of ${messages.length} came`,
    () => all,
  );
  messages.forEach(({ key, value }, i) => {
    assert.deepEqual(received[i].key === null ? null : Buffer.from(received[i].key), key === null ? null : Buffer.from(key));
    assert.ok(value === null ? received[i].value === null : Buffer.from(value).equals(received[i].value), `message ${i}`);
  });
});
