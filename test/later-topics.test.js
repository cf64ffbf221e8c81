'use strict';
// Topics that are made, and partitions that are added, while a group consumes: found within seconds, and read whole.
const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { cleanup } = require('./support/cleanup.js');
const { real, topicName } = require('./support/clusters.js');
const { PATIENCE } = require('./support/flow.js');
const { Got, client, member } = require('./support/groups.js');
const { eventually } = require('./support/watch.js');

// At once: each waits for a metadata refresh.
describe('topics that are made later', { concurrency: true }, () => {
  let cluster;
  before(async () => (cluster = await real()));
  after(() => cluster?.close());

  for (const [protocol, config] of [
    ['classic', {}],
    ['KIP-848', { groupProtocol: 'consumer' }],
  ]) {
    for (const [how, subscription, more] of [
      ['a pattern that librdkafka follows', (prefix) => new RegExp(`^${prefix}-`)],
      ['a pattern that JavaScript follows', (prefix) => new RegExp(`^${prefix}-(?!not)`)],
      ['a name', (prefix) => `${prefix}-late`],
      ['a name beside one that is there', (prefix) => [`${prefix}-late`, `${prefix}-there`]],
      ['a name, while others make topics on demand', (prefix) => `${prefix}-late`, { allowAutoTopicCreation: true }],
    ]) {
      test(`${protocol}: by ${how}, are found within seconds and begin at their first message; what was there begins at its end`, async (t) => {
        const prefix = topicName('later');
        const kafka = client(cluster);
        const producer = kafka.producer({ allowAutoTopicCreation: false });
        await producer.connect();
        cleanup(t, () => producer.disconnect());
        const make = async (topic) => {
          await cluster.admin.createTopic(topic, { partitions: 2, replication: 1 });
          for (const partition of [0, 1])
            await producer.send({
              topic,
              messages: [
                { partition, value: 'first' },
                { partition, value: 'second' },
              ],
            });
        };
        await make(`${prefix}-there`);
        const consumer = await member(t, cluster, { allowAutoTopicCreation: false, ...config, ...more });
        await consumer.subscribe({ topics: [subscription(prefix)].flat() });
        const got = new Got();
        await consumer.run({ eachMessage: got.each });
        if (!more) await make(`${prefix}-late`);
        else
          for (const value of ['first', 'second'])
            for (const partition of [0, 0]) await producer.send({ topic: `${prefix}-late`, messages: [{ partition, value }] });
        await got.until(4);
        assert.deepEqual([...new Set(got.messages.map(({ topic }) => topic))], [`${prefix}-late`]);
        await consumer.disconnect();
      });
    }

    for (const [how, pattern] of [
      ['a name', (prefix) => `${prefix}-there`],
      ['a pattern that librdkafka follows', (prefix) => new RegExp(`^${prefix}-`)],
      ['a pattern that JavaScript follows', (prefix) => new RegExp(`^${prefix}-(?!not)`)],
    ]) {
      test(`${protocol}: partitions that are added to a topic of ${how} are found within seconds and begin at their first message; those that were there begin at their end`, async (t) => {
        const prefix = topicName('grown');
        const topic = `${prefix}-there`;
        const producer = client(cluster).producer({ allowAutoTopicCreation: false });
        await producer.connect();
        cleanup(t, () => producer.disconnect());
        await cluster.admin.createTopic(topic, { partitions: 1, replication: 1 });
        await producer.send({ topic, messages: [{ value: 'before' }, { value: 'before' }] });
        const consumer = await member(t, cluster, { retry: { retries: 0, initialRetryTime: 50 }, ...config });
        await consumer.subscribe({ topic: pattern(prefix) });
        const got = new Got();
        let fail = true;
        await consumer.run({
          eachMessage: async (payload) => {
            if (String(payload.message.value) === 'fails once' && fail) {
              fail = false;
              throw new Error('once');
            }
            await got.each(payload);
          },
        });
        await cluster.admin.createPartitions(topic, 3);
        const admin = client(cluster).admin();
        await admin.connect();
        cleanup(t, () => admin.disconnect());
        await eventually(
          PATIENCE,
          'the broker knows of them',
          async () => (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions.length === 3,
        );
        const added = client(cluster).producer();
        await added.connect();
        cleanup(t, () => added.disconnect());
        await added.send({ topic, messages: [1, 2].flatMap((partition) => ['first', 'second'].map((value) => ({ partition, value }))) });
        await got.until(4);
        // Offsets that the group committed win, though the consumer that comes back still knows the partitions as new.
        await added.send({ topic, messages: [1, 2].map((partition) => ({ partition, value: 'fails once' })) });
        await got.until(6);
        assert.deepEqual(
          got.messages.map(({ partition, value }) => `${partition} ${value}`).sort(),
          [1, 2].flatMap((partition) => ['fails once', 'first', 'second'].map((value) => `${partition} ${value}`)),
        );
        await consumer.disconnect();
      });
    }
  }
});
