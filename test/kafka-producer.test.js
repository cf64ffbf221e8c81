'use strict';
// The KafkaJS-shaped producer on the real Kafka, read back by KafkaJS itself.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const diagnostics = require('node:diagnostics_channel');
const { once } = require('node:events');
const { Readable, Writable } = require('node:stream');
const { pipeline } = require('node:stream/promises');
const {
  CompressionTypes, Kafka, KafkaJSError, KafkaJSNonRetriableError, KafkaJSProtocolError, KafkaJSTimeout, Partitioners, logLevel,
} = require('kafka-native');
const { real, topicName } = require('./support/clusters.js');
const { within } = require('./support/flow.js');
const { oracle, readWithKafkaJS } = require('./support/kafkajs.js');
const { received } = require('./support/watch.js');

let cluster;
before(async () => (cluster = await real()));
after(() => cluster?.close());

const kafka = (config) => new Kafka({ brokers: cluster.options().broker.split(','), logLevel: logLevel.NOTHING, ...config });

/** A connected producer, which is disconnected when the test is over. */
async function connected(t, config, of = kafka()) {
  const producer = of.producer(config);
  t.after(() => producer.disconnect());
  await producer.connect();
  return producer;
}

const numbered = (count, more) => Array.from({ length: count }, (_, n) => ({ value: `${n}`, ...more }));
const count = (n) => (messages) => messages.length >= n;

describe('what is sent', () => {
  test('arrives whole: keys, values, headers also repeated and binary, timestamps, partitions', async (t) => {
    const topic = await cluster.topic(3);
    const producer = await connected(t);
    const binary = Buffer.from([0, 255, 128, 10]);
    await producer.send({
      topic,
      messages: [
        { value: 'plain', partition: 1 },
        { key: 'text', value: 'ünïcödé', partition: 1, timestamp: '1700000000123' },
        { key: binary, value: binary, partition: 1, headers: { one: 'a', many: ['1', Buffer.from('2'), '3'], binary, gone: undefined, empty: '' } },
        { key: 'deleted', value: null, partition: 1 },
        { key: '', value: '', partition: 1 },
        { key: 7, value: 42n, partition: 1 },
        { value: new Uint8Array([1, 2]), partition: 1 },
      ],
    });
    const messages = await readWithKafkaJS(t, cluster, topic, count(7));
    assert.deepEqual(messages.map(({ partition }) => partition), Array(7).fill(1));
    assert.deepEqual(messages.map(({ offset }) => offset), ['0', '1', '2', '3', '4', '5', '6']);
    assert.deepEqual(messages.map(({ key }) => key?.toString('latin1') ?? null), [null, 'text', binary.toString('latin1'), 'deleted', '', '7', null]);
    assert.deepEqual(messages.map(({ value }) => value?.toString() ?? null), ['plain', 'ünïcödé', binary.toString(), null, '', '42', '\x01\x02']);
    assert.equal(messages[1].timestamp, '1700000000123');
    assert.ok(Math.abs(Number(messages[0].timestamp) - Date.now()) < 60_000);
    assert.deepEqual(messages[2].headers, { one: Buffer.from('a'), many: ['1', '2', '3'].map((text) => Buffer.from(text)), binary, empty: Buffer.from('') });
  });

  test('is answered with the offset of the first message, one element a partition', async (t) => {
    const topic = await cluster.topic(3);
    const producer = await connected(t);
    const messages = [0, 2, 2, 1, 0].map((partition) => ({ value: 'x', partition }));
    const expected = (base) => [0, 1, 2].map((partition) => ({
      topicName: topic, partition, errorCode: 0, baseOffset: base[partition], logAppendTime: '-1', logStartOffset: '-1',
    }));
    assert.deepEqual(await producer.send({ topic, messages }), expected(['0', '0', '0']));
    assert.deepEqual(await producer.send({ topic, messages }), expected(['2', '1', '2']));
    assert.deepEqual(await producer.send({ topic, messages: [] }), []);
    assert.deepEqual(await producer.send({ topic, acks: 0, messages }), []);
  });

  test('to several topics is answered for all of them, in their order', async (t) => {
    const topics = [await cluster.topic(1), await cluster.topic(1)];
    const producer = await connected(t);
    const [a, b] = topics;
    const results = await producer.sendBatch({ topicMessages: [{ topic: b, messages: numbered(2) }, { topic: a, messages: numbered(1) }, { topic: b, messages: numbered(1) }] });
    assert.deepEqual(results.map(({ topicName, baseOffset }) => [topicName, baseOffset]), [[b, '0'], [a, '0']]);
    assert.equal((await readWithKafkaJS(t, cluster, b, count(3))).length, 3);
    assert.deepEqual(await producer.sendBatch({ topicMessages: [] }), []);
  });

  test('keeps the order of the calls though nothing is awaited, whatever the messages are made of', async (t) => {
    const topic = await cluster.topic(1);
    const producer = await connected(t);
    const sends = Array.from({ length: 3000 }, (_, n) => producer.send({
      topic,
      compression: n % 1000 < 500 ? undefined : CompressionTypes.GZIP,
      messages: n % 7 === 0 ? [{ value: `${n}`, headers: { n: `${n}` } }] : n % 5 === 0 ? [{ value: Buffer.from(`${n}`), partition: 0 }] : [{ key: 'ü', value: `${n}` }],
    }));
    const results = await Promise.all(sends);
    assert.deepEqual(results.map(([{ baseOffset }]) => baseOffset), sends.map((_, n) => `${n}`));
    const messages = await readWithKafkaJS(t, cluster, topic, count(3000));
    assert.deepEqual(messages.map(({ value }) => Number(value)), sends.map((_, n) => n));
  });

  test('can be compressed in every way, call by call', async (t) => {
    const topic = await cluster.topic(1);
    const producer = await connected(t);
    const kinds = [CompressionTypes.None, CompressionTypes.GZIP, CompressionTypes.Snappy, CompressionTypes.LZ4, CompressionTypes.ZSTD];
    for (const compression of [...kinds, ...kinds]) {
      await producer.send({ topic, compression, messages: Array(10).fill({ value: `${compression}`.repeat(1000) }) });
    }
    const values = (await received(t, cluster, topic, 100)).map(({ payload }) => payload);
    assert.deepEqual(values, [...kinds, ...kinds].flatMap((kind) => Array(10).fill(`${kind}`.repeat(1000))));
    const size = (await logDirs(topic)).size;
    assert.ok(size > 20_000 && size < 60_000, `only what was not to be compressed takes its size: ${size}`);
  });

  test('compressed with gzip is read by KafkaJS', async (t) => {
    const topic = await cluster.topic(1);
    const producer = await connected(t);
    await producer.send({ topic, compression: CompressionTypes.GZIP, messages: numbered(100, { headers: { a: 'b' } }) });
    const messages = await readWithKafkaJS(t, cluster, topic, count(100));
    assert.deepEqual(messages.map(({ value }) => value.toString()), numbered(100).map(({ value }) => value));
  });
});

/** The bytes that a topic takes on the brokers' disks. */
async function logDirs(topic) {
  const fs = require('node:fs');
  const path = require('node:path');
  const { dir } = cluster.kafka;
  const found = fs.readdirSync(dir, { recursive: true }).filter((name) => name.includes(`${topic}-0`) && name.endsWith('.log'));
  return { size: found.reduce((sum, name) => sum + fs.statSync(path.join(dir, name)).size, 0) };
}
