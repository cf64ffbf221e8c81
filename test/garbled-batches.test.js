'use strict';
// Record batches that are garbled on their way: fetched again, never delivered, never skipped. And those that are too large unpacked.
const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { Kafka } = require('kafka-native');
const { CompressionTypes } = require('kafkajs');
const { cleanup } = require('./support/cleanup.js');
const { real, topicName } = require('./support/clusters.js');
const { Inbox, consumer, folder, producer, silent } = require('./support/flow.js');
const { Got, kafkaJs, member } = require('./support/groups.js');
const { witness } = require('./support/watch.js');
const { garbling } = require('./fuzz/proxy.js');

describe('garbled record batches', () => {
  let cluster;
  before(async () => (cluster = await real()));
  after(() => cluster?.close());

  /** Flips a byte of the values in every second answer that has some, and leaves checksums as they were. */
  async function flipping(t) {
    let answers = 0;
    const proxy = await garbling(cluster.options().broker, {
      change(name, body) {
        const at = name === 'Fetch' ? body.indexOf('garble me') : -1;
        if (at < 0 || answers++ % 2 === 1) return body;
        body[at] ^= 0x20;
        return body;
      },
    });
    cleanup(t, () => proxy.close());
    return { proxy, flipped: () => answers };
  }

  async function filled(t, count) {
    const topic = await cluster.topic(1);
    const sender = producer(t, cluster);
    for (let i = 0; i < count; i++) {
      sender.send(topic, 0, [`garble me ${i}`]);
      if (i % 10 === 9) await new Promise((resolve) => setTimeout(resolve, 3)); // batches of their own
    }
    await sender.stop();
    return topic;
  }

  test('are fetched again by the classic consumer', async (t) => {
    const topic = await filled(t, 100);
    const { proxy, flipped } = await flipping(t);
    const inbox = new Inbox();
    const reader = consumer(
      t,
      { options: () => ({ broker: proxy.broker }) },
      {
        topic,
        offset_directory: folder(t),
        receive_callback: inbox.receive,
        driver_options: { 'max.partition.fetch.bytes': 1000, 'fetch.error.backoff.ms': 5 },
      },
    );
    await reader.start();
    await inbox.until(100);
    assert.deepEqual(
      inbox.messages.map(({ payload }) => payload),
      Array.from({ length: 100 }, (_, i) => `garble me ${i}`),
    );
    assert.ok(flipped() > 1);
  });

  test('are fetched again by a member of a group', async (t) => {
    const topic = await filled(t, 100);
    const { proxy, flipped } = await flipping(t);
    const got = new Got();
    const reader = new Kafka({ brokers: [proxy.broker], logger: silent }).consumer({
      groupId: topicName('group'),
      maxWaitTimeInMs: 20,
      properties: { 'max.partition.fetch.bytes': 1000, 'fetch.error.backoff.ms': 5 },
    });
    cleanup(t, () => reader.disconnect());
    await reader.connect();
    await reader.subscribe({ topic, fromBeginning: true });
    await reader.run({ eachMessage: got.each });
    await got.until(100);
    assert.deepEqual(
      got.values(),
      Array.from({ length: 100 }, (_, i) => `garble me ${i}`),
    );
    assert.ok(flipped() > 1);
  });

  test('one that is small, and too large unpacked, is told and holds its partition until it is passed, or there is room', async (t) => {
    const topic = await cluster.topic(1);
    const { producer: sender } = await kafkaJs(t, cluster);
    for (const value of ['before', Buffer.alloc(110_000_000), 'behind']) {
      await sender.send({ topic, compression: CompressionTypes.GZIP, messages: [{ value }] });
    }
    const read = async (properties) => {
      const [got, log] = [new Got(), witness()];
      const reader = await member(t, cluster, { client: { logger: log.logger }, properties });
      await reader.subscribe({ topic, fromBeginning: true });
      await reader.run({ eachMessage: got.each });
      return { got, log, reader };
    };
    const { got, log, reader } = await read({});
    await log.lines.until(([, text]) => text.includes('_BAD_COMPRESSION'));
    assert.deepEqual(got.values(), ['before']);
    reader.seek({ topic, partition: 0, offset: '2' });
    await got.until(2);
    assert.deepEqual(got.values(), ['before', 'behind']);
    const roomy = await read({ 'receive.message.max.bytes': 200_000_000 });
    await roomy.got.until(3);
    assert.deepEqual(
      roomy.got.messages.map(({ value }) => value.length),
      [6, 110_000_000, 6],
    );
  });
});
