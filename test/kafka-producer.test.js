'use strict';
// The KafkaJS-shaped producer on the real Kafka, read back by KafkaJS itself.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const diagnostics = require('node:diagnostics_channel');
const { once } = require('node:events');
const net = require('node:net');
const { Readable, Writable } = require('node:stream');
const { pipeline } = require('node:stream/promises');
const { setTimeout: delay } = require('node:timers/promises');
const {
  CompressionTypes,
  Kafka,
  KafkaJSError,
  KafkaJSNonRetriableError,
  KafkaJSProtocolError,
  KafkaJSTimeout,
  Partitioners,
  logLevel,
} = require('kafka-native');
const { cleanup } = require('./support/cleanup.js');
const { real, topicName } = require('./support/clusters.js');
const { PATIENCE, SOON, within } = require('./support/flow.js');
const { kafkajs, oracle, readWithKafkaJS } = require('./support/kafkajs.js');
const { countTurns, eventually, received } = require('./support/watch.js');

/** Brokers of three that are restarted. */
const ROUNDS = Number(process.env.ROUNDS ?? 1);

let cluster;
// Its own: what is written is looked at on its disk.
before(async () => (cluster = await real({ own: true })));
after(() => cluster?.close());

const kafka = (config) => new Kafka({ brokers: cluster.options().broker.split(','), logLevel: logLevel.NOTHING, ...config });

/** A connected producer, which is disconnected when the test is over. */
async function connected(t, config, of = kafka()) {
  const producer = of.producer(config);
  cleanup(t, () => producer.disconnect());
  await producer.connect();
  return producer;
}

const numbered = (count, more) => Array.from({ length: count }, (_, n) => ({ value: `${n}`, ...more }));
const count = (n) => (messages) => messages.length >= n;

/** A broker in front of ours that answers late, but for the first question of a connection: it is there. */
async function lateBroker(t) {
  const [host, port] = cluster.options().broker.split(':');
  const door = net.createServer((socket) => {
    const inner = net.connect(Number(port), host);
    let late = 0;
    inner.on('data', (answer) => {
      setTimeout(() => socket.write(answer), late);
      late = 1500;
    });
    for (const [one, other] of [
      [socket, inner],
      [inner, socket],
    ])
      one.on('error', () => {}).on('close', () => other.destroy());
    socket.pipe(inner);
  });
  await once(door.listen(0, '127.0.0.1'), 'listening');
  cleanup(t, () => door.close());
  return `127.0.0.1:${door.address().port}`;
}

for (const [how, late] of [
  ['', false],
  [', however late a broker answers', true],
]) {
  test(`connecting asks the cluster for none of its topics${how}`, async (t) => {
    const lines = [];
    const brokers = late ? { brokers: [await lateBroker(t)], connectionTimeout: PATIENCE } : {};
    const client = kafka({
      ...brokers,
      logLevel: logLevel.DEBUG,
      logCreator:
        () =>
        ({ log }) =>
          lines.push(log.message),
    });
    const properties = { debug: 'metadata' };
    const [producer, consumer] = [client.producer({ properties }), client.consumer({ groupId: topicName(), properties })];
    await Promise.all([producer.connect(), consumer.connect()]);
    await Promise.all([producer.disconnect(), consumer.disconnect()]);
    assert.ok(
      lines.some((line) => line.includes('Request metadata for brokers only')),
      'it does ask',
    );
    assert.deepEqual(
      lines.filter((line) => line.includes('for all topics')),
      [],
    );
  });
}

test('a program written for KafkaJS sees the same', async () => {
  const program = require('./programs/producer-on-both.js');
  const brokers = cluster.options().broker.split(',');
  const admin = oracle(cluster).admin();
  await admin.connect();
  const run = async (library) => {
    // KafkaJS's createTopics fails where the broker that it asks for the leaders does not know the topic yet.
    const [topic, groupId] = [await cluster.topic(3), topicName('group')];
    await admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: '0' }] }); // finds the coordinator, which KafkaJS's transactions do not
    return program(library, { brokers, topic, groupId, transactionalId: topicName('tx') });
  };
  const theirs = await run(kafkajs);
  const ours = await run(require('kafka-native/kafkajs'));
  await admin.disconnect();
  assert.deepEqual(ours, theirs);
});

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
        { key: undefined, value: '42', partition: 1 },
        { value: new Uint8Array([1, 2]), partition: 1 },
      ],
    });
    const messages = await readWithKafkaJS(t, cluster, topic, count(7));
    assert.deepEqual(
      messages.map(({ partition }) => partition),
      Array(7).fill(1),
    );
    assert.deepEqual(
      messages.map(({ offset }) => offset),
      ['0', '1', '2', '3', '4', '5', '6'],
    );
    assert.deepEqual(
      messages.map(({ key }) => key?.toString('latin1') ?? null),
      [null, 'text', binary.toString('latin1'), 'deleted', '', null, null],
    );
    assert.deepEqual(
      messages.map(({ value }) => value?.toString() ?? null),
      ['plain', 'ünïcödé', binary.toString(), null, '', '42', '\x01\x02'],
    );
    assert.equal(messages[1].timestamp, '1700000000123');
    assert.ok(Math.abs(Number(messages[0].timestamp) - Date.now()) < 60_000);
    assert.deepEqual(messages[2].headers, { one: Buffer.from('a'), many: ['1', '2', '3'].map((text) => Buffer.from(text)), binary, empty: Buffer.from('') });
  });

  test('is answered with the offset of the first message, one element a partition', async (t) => {
    const topic = await cluster.topic(3);
    const producer = await connected(t);
    const messages = [0, 2, 2, 1, 0].map((partition) => ({ value: 'x', partition }));
    const expected = (base) =>
      [0, 1, 2].map((partition) => ({
        topicName: topic,
        partition,
        errorCode: 0,
        baseOffset: base[partition],
        logAppendTime: '-1',
        logStartOffset: '-1',
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
    const results = await producer.sendBatch({
      topicMessages: [
        { topic: b, messages: numbered(2) },
        { topic: a, messages: numbered(1) },
        { topic: b, messages: numbered(1) },
      ],
    });
    assert.deepEqual(
      results.map(({ topicName, baseOffset }) => [topicName, baseOffset]),
      [
        [b, '0'],
        [a, '0'],
      ],
    );
    assert.equal((await readWithKafkaJS(t, cluster, b, count(3))).length, 3);
    assert.deepEqual(await producer.sendBatch({ topicMessages: [] }), []);
  });

  test('keeps the order of the calls though nothing is awaited, whatever the messages are made of', async (t) => {
    const topic = await cluster.topic(1);
    const producer = await connected(t);
    const sends = Array.from({ length: 3000 }, (_, n) =>
      producer.send({
        topic,
        compression: n % 1000 < 500 ? undefined : CompressionTypes.GZIP,
        messages:
          n % 7 === 0
            ? [{ value: `${n}`, headers: { n: `${n}` } }]
            : n % 5 === 0
              ? [{ value: Buffer.from(`${n}`), partition: 0 }]
              : [{ key: 'ü', value: `${n}` }],
      }),
    );
    const results = await Promise.all(sends);
    assert.deepEqual(
      results.map(([{ baseOffset }]) => baseOffset),
      sends.map((_, n) => `${n}`),
    );
    const messages = await readWithKafkaJS(t, cluster, topic, count(3000));
    assert.deepEqual(
      messages.map(({ value }) => Number(value)),
      sends.map((_, n) => n),
    );
  });

  test('can be compressed in every way, call by call', async (t) => {
    const topic = await cluster.topic(1);
    const producer = await connected(t);
    const kinds = [CompressionTypes.None, CompressionTypes.GZIP, CompressionTypes.Snappy, CompressionTypes.LZ4, CompressionTypes.ZSTD];
    for (const compression of [...kinds, ...kinds]) {
      await producer.send({ topic, compression, messages: Array(10).fill({ value: `${compression}`.repeat(1000) }) });
    }
    const values = (await received(t, cluster, topic, 100)).map(({ payload }) => payload);
    assert.deepEqual(
      values,
      [...kinds, ...kinds].flatMap((kind) => Array(10).fill(`${kind}`.repeat(1000))),
    );
    const size = (await logDirs(topic)).size;
    assert.ok(size > 20_000 && size < 60_000, `only what was not to be compressed takes its size: ${size}`);
  });

  test('compressed with gzip is read by KafkaJS', async (t) => {
    const topic = await cluster.topic(1);
    const producer = await connected(t);
    await producer.send({ topic, compression: CompressionTypes.GZIP, messages: numbered(100, { headers: { a: 'b' } }) });
    const messages = await readWithKafkaJS(t, cluster, topic, count(100));
    assert.deepEqual(
      messages.map(({ value }) => value.toString()),
      numbered(100).map(({ value }) => value),
    );
  });
});

describe('a message', () => {
  /** Kafka's own default of max.message.bytes, without what a batch of one message takes besides its value. */
  const MOST = 1_048_588 - 72;

  test('of any size up to the limit arrives, and one beyond it is refused by name', async (t) => {
    const topic = await cluster.topic(1);
    const producer = await connected(t);
    const sizes = [0, 1, 100, 65_535, 65_536, 262_144, 1_000_000, 1_000_001, MOST];
    for (const size of sizes) await producer.send({ topic, messages: [{ value: Buffer.alloc(size, 'x') }] });
    await assert.rejects(producer.send({ topic, messages: [{ value: Buffer.alloc(MOST + 1, 'y') }] }), (error) => {
      assert.ok(error instanceof KafkaJSProtocolError);
      assert.deepEqual([error.type, error.code, error.retriable], ['MESSAGE_TOO_LARGE', 10, false]);
      assert.match(error.message, new RegExp(`${MOST + 1} bytes.*${topic}`));
      return true;
    });
    await producer.send({ topic, messages: [{ value: 'end' }] });
    const messages = await readWithKafkaJS(t, cluster, topic, count(sizes.length + 1));
    assert.deepEqual(
      messages.map(({ value }) => value.length),
      [...sizes, 3],
    );
  });

  test('beyond the limit of the property message.max.bytes is not sent at all', async (t) => {
    const topic = await cluster.topic(1);
    const producer = await connected(t, { properties: { 'message.max.bytes': 1000 } });
    await assert.rejects(producer.send({ topic, messages: [{ value: 'x'.repeat(1001) }] }), {
      type: 'MESSAGE_TOO_LARGE',
      code: 10,
      message: /1001 bytes.*1000/,
    });
    await assert.rejects(producer.send({ topic, messages: [{ value: 'x'.repeat(1000) }] }), { type: 'MESSAGE_TOO_LARGE', message: /1000 bytes.*framing/ });
    const [{ baseOffset }] = await producer.send({ topic, messages: [{ value: 'x'.repeat(900) }] });
    assert.equal(baseOffset, '0');
  });

  test('for a partition that does not exist is rejected, and stops no other', async (t) => {
    const topic = await cluster.topic(2);
    const producer = await connected(t);
    const [wrong, right] = await Promise.allSettled([
      producer.send({ topic, messages: [{ value: 'x', partition: 2 }] }),
      producer.send({ topic, messages: [{ value: 'x', partition: 1 }] }),
    ]);
    assert.ok(wrong.reason instanceof KafkaJSProtocolError);
    assert.equal(wrong.reason.type, 'UNKNOWN_TOPIC_OR_PARTITION');
    assert.equal(wrong.reason.cause.partition, 2);
    assert.equal(right.value[0].partition, 1);
  });

  test('that cannot be sent is refused with the name of the field, and nothing of its call is sent', async (t) => {
    const topic = await cluster.topic(1);
    const producer = await connected(t);
    const wrong = [
      [{ value: {} }, /the value must be/],
      [{ value: 42 }, /the value must be a string, a Buffer or null, got 42/],
      [{ value: 'x', key: [] }, /the key must be/],
      [{ value: 'x', partition: -1 }, /the partition must be/],
      [{ value: 'x', partition: 'one' }, /the partition must be/],
      [{ value: 'x', timestamp: 'now' }, /the timestamp must be/],
      [{ value: 'x', headers: 'h' }, /headers must be/],
      [{ value: 'x', headers: { h: {} } }, /header 'h' must be/],
      [{ value: 'x', headers: { h: ['1', {}] } }, /header 'h' must be/],
      ['text', /an object with a value/],
      [null, /an object with a value/],
      [{ key: 'k' }, /without value.*"key":"k"/],
    ];
    for (const [message, expected] of wrong) {
      const call = producer.send({ topic, messages: [...numbered(10_000), message] });
      await assert.rejects(call, (error) => error instanceof KafkaJSNonRetriableError && expected.test(error.message) && error.message.includes(topic));
    }
    for (const [record, expected] of [
      [{ topic: '', messages: [] }, /Invalid topic/],
      [{ messages: [] }, /Invalid topic/],
      [{ topic }, /Invalid messages array \[undefined\] for topic/],
      [{ topic, messages: 'x' }, /Invalid messages array/],
      [{ topic, messages: [], acks: 2 }, /acks/],
      [{ topic, messages: [], compression: 9 }, /compression/],
      [{ topic, messages: [], timeout: 0 }, /timeout/],
    ])
      await assert.rejects(producer.send(record), (error) => error instanceof KafkaJSNonRetriableError && expected.test(error.message));
    await assert.rejects(
      producer.sendBatch({
        topicMessages: [
          { topic, messages: numbered(5) },
          { topic: '', messages: [] },
        ],
      }),
      /Invalid topic/,
    );
    assert.equal((await producer.send({ topic, messages: numbered(1) }))[0].baseOffset, '0');
  });
});

describe('a topic', () => {
  test('that others delete stops no send to another', async (t) => {
    const [doomed, other] = [await cluster.topic(1), await cluster.topic(1)];
    const producer = await connected(t, { retry: { retries: 2 }, metadataMaxAge: 100 });
    await producer.sendBatch({
      topicMessages: [
        { topic: doomed, messages: numbered(1) },
        { topic: other, messages: numbered(1) },
      ],
    });
    await cluster.admin.deleteTopic(doomed);
    const gone = producer.send({ topic: doomed, messages: numbered(1) }).catch((error) => error);
    for (let n = 1; n <= 20; n++) assert.equal((await producer.send({ topic: other, messages: numbered(1) }))[0].baseOffset, `${n}`);
    const outcome = await gone; // an error, or the topic was made again, as brokers do
    if (outcome instanceof Error) assert.ok(outcome instanceof KafkaJSError, outcome);
    else assert.equal(outcome[0].topicName, doomed);
  });

  test('that is not there is made by sending to it, or not', async (t) => {
    const topic = topicName('made');
    const careful = await connected(t, { allowAutoTopicCreation: false, retry: { retries: 1 } });
    await assert.rejects(careful.send({ topic, messages: numbered(1) }), { name: 'KafkaJSProtocolError', type: 'UNKNOWN_TOPIC_OR_PARTITION' });
    const producer = await connected(t);
    assert.equal((await producer.send({ topic, messages: numbered(1) }))[0].baseOffset, '0');
  });

  test('with appended times tells them', async (t) => {
    const topic = await cluster.topic(1, { config: { 'message.timestamp.type': 'LogAppendTime' } });
    const producer = await connected(t);
    const [{ logAppendTime }] = await producer.send({ topic, messages: [{ value: 'x', timestamp: '1000' }] });
    const [message] = await readWithKafkaJS(t, cluster, topic, count(1));
    assert.ok(Number(logAppendTime) > 1000);
    assert.equal(message.timestamp, logAppendTime);
  });
});

describe('partitions', () => {
  const keys = ['', 'a', 'user-1', 'ünïcödé', 'x'.repeat(1000), ...Array.from({ length: 50 }, (_, n) => `${n}`)];

  /** Where the messages of each key went. */
  async function places(send, topic) {
    const found = [];
    for (const key of keys) found.push((await send({ topic, messages: [{ key, value: 'x' }] }))[0].partition);
    return found;
  }

  for (const name of ['DefaultPartitioner', 'JavaCompatiblePartitioner', 'LegacyPartitioner']) {
    test(`of keys are those that KafkaJS's ${name} chooses`, async (t) => {
      const topic = await cluster.topic(7);
      const theirs = oracle(cluster).producer({ createPartitioner: kafkajs.Partitioners[name] });
      cleanup(t, () => theirs.disconnect());
      await theirs.connect();
      const ours = await connected(t, { createPartitioner: Partitioners[name] });
      const expected = await places(theirs.send, topic);
      assert.deepEqual(await places((record) => ours.send(record), topic), expected);
      if (name === 'LegacyPartitioner') return;
      const wrapped = await connected(t, { createPartitioner: () => Partitioners[name]() });
      assert.deepEqual(await places((record) => wrapped.send(record), topic), expected);
    });
  }

  test('of messages without a key come in turn', async (t) => {
    const topic = await cluster.topic(5);
    const producer = await connected(t);
    for (let n = 0; n < 3; n++) {
      assert.deepEqual(
        (await producer.send({ topic, messages: numbered(5) })).map(({ partition }) => partition),
        [0, 1, 2, 3, 4],
      );
    }
    const legacy = await connected(t, { createPartitioner: Partitioners.LegacyPartitioner });
    assert.equal((await legacy.send({ topic, messages: numbered(5) })).length, 5);
  });

  test('of small sends that are made in one turn are not cut: each has one partition, and over time all have some', async (t) => {
    const topic = await cluster.topic(3);
    const producer = await connected(t);
    await producer.send({ topic, messages: numbered(1) }); // what is sent before the partitions are known is chosen for message by message
    const reached = new Set();
    while (reached.size < 3) {
      const sends = await Promise.all(Array.from({ length: 10 }, () => producer.send({ topic, messages: numbered(20) })));
      for (const results of sends) {
        assert.equal(results.length, 1);
        reached.add(results[0].partition);
      }
    }
  });

  test("are a function's choice, which sees the topic, its partitions and the message", async (t) => {
    const topic = await cluster.topic(3);
    const seen = [];
    const producer = await connected(t, { createPartitioner: () => (args) => (seen.push(args), Number(args.message.value) % 3) });
    const sends = Array.from({ length: 100 }, (_, n) => producer.send({ topic, messages: [{ value: `${n}`, headers: { h: 'x' } }] }));
    const results = await Promise.all(sends);
    assert.deepEqual(
      results.map(([{ partition }]) => partition),
      sends.map((_, n) => n % 3),
    );
    assert.deepEqual(
      results.map(([{ baseOffset }]) => Number(baseOffset)),
      sends.map((_, n) => Math.floor(n / 3)),
    );
    assert.deepEqual(seen[5].message, { value: '5', headers: { h: 'x' } });
    assert.equal(seen[5].topic, topic);
    assert.deepEqual(seen[5].partitionMetadata.map(({ partitionId, partitionErrorCode }) => [partitionId, partitionErrorCode]).sort(), [
      [0, 0],
      [1, 0],
      [2, 0],
    ]);
    const [{ leader, replicas, isr }] = seen[5].partitionMetadata;
    assert.deepEqual([replicas, isr], [[leader], [leader]]);
  });

  test('that a function gets wrong reject its send, with what it threw, and stop no other', async (t) => {
    const topic = await cluster.topic(3);
    const producer = await connected(t, {
      createPartitioner:
        () =>
        ({ message }) => {
          if (message.value === 'throws') throw new Error('on purpose');
          return message.value === 'wrong' ? 1.5 : 2;
        },
    });
    const sends = ['throws', 'wrong', 'right'].map((value) => producer.send({ topic, messages: [{ value }] }));
    const [threw, wrong, right] = await Promise.allSettled(sends);
    assert.equal(threw.reason.message, 'on purpose');
    assert.match(wrong.reason.message, /partitioner gave 1.5/);
    assert.equal(right.value[0].partition, 2);
    await assert.rejects(producer.send({ topic: 'not/a/topic', messages: [{ value: 'x' }] }), KafkaJSError);
  });

  test("can be librdkafka's own choice", async (t) => {
    const topic = await cluster.topic(4);
    const producer = await connected(t, { properties: { partitioner: 'consistent' } });
    const results = await producer.send({ topic, messages: numbered(20, { key: 'same' }) });
    assert.equal(results.length, 1);
    // It stays with a partition for a while unless it is told not to.
    const random = await connected(t, { properties: { partitioner: 'random', 'sticky.partitioning.linger.ms': 0 } });
    assert.ok((await random.send({ topic, messages: numbered(200) })).length > 1);
  });
});

describe('back-pressure', () => {
  const tiny = { properties: { 'queue.buffering.max.messages': 7 } };

  test('lets what there is no room for wait, in order and without an error', async (t) => {
    const topic = await cluster.topic(1);
    const producer = await connected(t, { properties: { 'queue.buffering.max.messages': 1000 } });
    const order = [];
    const sends = Array.from({ length: 50_000 }, (_, n) =>
      producer.send({ topic, messages: [{ value: `${n}` }] }).then(([{ baseOffset }]) => void order.push(Number(baseOffset))),
    );
    await Promise.all(sends);
    assert.deepEqual(
      order,
      Array.from({ length: 50_000 }, (_, n) => n),
    );
    const messages = await readWithKafkaJS(t, cluster, topic, count(50_000));
    assert.ok(messages.every(({ value }, n) => Number(value) === n));
  });

  test('settles in turns of the event loop what is acknowledged at once', async (t) => {
    const topic = await cluster.topic(1);
    const producer = await connected(t, { linger: 100 });
    await producer.send({ topic, messages: numbered(1) });
    const [turn, turns] = [countTurns(t), new Map()];
    await Promise.all(
      Array.from({ length: 100 }, async () => {
        await producer.send({ topic, messages: numbered(1000) });
        turns.set(turn.now, (turns.get(turn.now) ?? 0) + 1);
      }),
    );
    // One that begins below the 1024 messages of a turn, one behind it; a turn can have an event and an immediate of its own.
    assert.ok(Math.max(...turns.values()) <= 10, `${[...turns.values()]} sends in a turn`);
  });

  test('cuts a send that is larger than the whole buffer', async (t) => {
    const topic = await cluster.topic(2);
    const producer = await connected(t, tiny);
    const results = await producer.send({ topic, messages: Array.from({ length: 100 }, (_, n) => ({ value: `${n}`, partition: n % 2 })) });
    assert.deepEqual(
      results.map(({ partition, baseOffset }) => [partition, baseOffset]),
      [
        [0, '0'],
        [1, '0'],
      ],
    );
    const bytes = await connected(t, { properties: { 'queue.buffering.max.kbytes': 1 } });
    const large = await bytes.send({ topic, messages: Array(50).fill({ value: 'x'.repeat(10_000), partition: 0 }) });
    assert.equal(large[0].baseOffset, '50');
  });

  test('ends with an AbortSignal: what waits is not sent, others are', async (t) => {
    const topic = await cluster.topic(1);
    const producer = await connected(t, { ...tiny, linger: 200 });
    const ahead = producer.send({ topic, messages: numbered(7) });
    const controller = new AbortController();
    const waiting = producer.send({ topic, messages: numbered(1), signal: controller.signal });
    const behind = producer.send({ topic, messages: numbered(1) });
    const reason = new Error('enough');
    setImmediate(() => controller.abort(reason));
    await assert.rejects(waiting, reason);
    assert.equal((await ahead)[0].baseOffset, '0');
    assert.equal((await behind)[0].baseOffset, '7');
    await assert.rejects(producer.send({ topic, messages: numbered(1), signal: controller.signal }), reason);
    assert.equal((await producer.send({ topic, messages: numbered(1), signal: new AbortController().signal }))[0].baseOffset, '8');
  });

  test('ends with maxBlock', async (t) => {
    const topic = await cluster.topic(1);
    const producer = await connected(t, { ...tiny, linger: 1000, maxBlock: 50 });
    const ahead = producer.send({ topic, messages: numbered(7) });
    const late = [producer.send({ topic, messages: numbered(1) }), producer.send({ topic, messages: numbered(1) })];
    for (const { reason } of await Promise.allSettled(late)) {
      assert.ok(reason instanceof KafkaJSTimeout, reason);
      assert.match(reason.message, /50 ms \(maxBlock\): 7 messages/);
    }
    assert.equal((await ahead)[0].baseOffset, '0');
    assert.equal((await producer.send({ topic, messages: numbered(1) }))[0].baseOffset, '7');
  });
});

describe('flush', () => {
  test('ends every linger, and resolves when what was sent before is written', async (t) => {
    const topic = await cluster.topic(1);
    const producer = await connected(t, { linger: 30_000, properties: { 'queue.buffering.max.messages': 10 } });
    let written = 0;
    for (let n = 0; n < 25; n++) producer.send({ topic, messages: numbered(1) }).then(() => written++);
    await within(SOON, 'flush', () => producer.flush());
    assert.equal(written, 25);
    for (const options of [undefined, null, {}]) await producer.flush(options);
  });

  test('ends with its time or its signal', async (t) => {
    const own = await real({ own: true });
    cleanup(t, () => own.close());
    const producer = await connected(t, {}, new Kafka({ brokers: own.options().broker.split(','), requestTimeout: 500, logLevel: logLevel.NOTHING }));
    const topic = await own.topic(1);
    await producer.send({ topic, messages: numbered(1) });
    await own.kafka.nodes[0].pause();
    const stuck = producer.send({ topic, messages: numbered(1) });
    stuck.catch(() => {});
    await assert.rejects(producer.flush({ timeout: 100 }), KafkaJSTimeout);
    await assert.rejects(producer.flush({ signal: AbortSignal.timeout(100) }), { name: 'TimeoutError' });
    // A send that is not delivered in time rejects.
    await producer.disconnect();
    await assert.rejects(stuck, KafkaJSError);
    await own.kafka.nodes[0].resume();
  });
});

describe('a stream', () => {
  test('takes messages and values, and is ended when they are written', async (t) => {
    const topic = await cluster.topic(1);
    const producer = await connected(t);
    async function* source() {
      for (let n = 0; n < 5000; n++) yield n % 2 === 0 ? { key: 'k', value: `${n}` } : n % 3 === 0 ? Buffer.from(`${n}`) : `${n}`;
    }
    const stream = producer.stream({ topic, compression: CompressionTypes.GZIP, highWaterMark: 100 });
    let most = 0;
    stream.on('drain', () => (most = Math.max(most, stream.writableLength)));
    await pipeline(Readable.from(source()), stream);
    const messages = await readWithKafkaJS(t, cluster, topic, count(5000));
    assert.ok(messages.every(({ value }, n) => Number(value) === n));
    assert.ok(most <= 100, `${most}`);
  });

  test('tells its writer to wait', async (t) => {
    const producer = await connected(t, { linger: 100 });
    const stream = producer.stream({ topic: await cluster.topic(1), highWaterMark: 3 });
    assert.deepEqual(
      [1, 2, 3].map((n) => stream.write(`${n}`)),
      [true, true, false],
    );
    await once(stream, 'drain');
    assert.equal(stream.write('4'), true);
    stream.end();
    await once(stream, 'finish');
  });

  test('is a WritableStream, too', async (t) => {
    const topic = await cluster.topic(1);
    const producer = await connected(t);
    const writer = Writable.toWeb(producer.stream({ topic })).getWriter();
    for (const value of ['a', 'b', 'c']) await writer.write({ value });
    await writer.close();
    assert.equal((await readWithKafkaJS(t, cluster, topic, count(3))).length, 3);
  });

  test('ends with the error of what cannot be sent', async (t) => {
    const producer = await connected(t);
    const stream = producer.stream({ topic: await cluster.topic(1) });
    stream.write({ value: {} });
    await assert.rejects(once(stream, 'finish'), KafkaJSNonRetriableError);
  });
});

describe('a producer', () => {
  test('that is idempotent writes nothing twice and keeps the order when leaders change', async (t) => {
    const own = await real({ own: true, nodes: 3 });
    cleanup(t, () => own.close());
    const topic = await own.topic(3, { replication: 3 });
    const producer = await connected(t, { idempotent: true }, new Kafka({ brokers: own.options().broker.split(','), logLevel: logLevel.NOTHING }));
    assert.equal(producer.isIdempotent(), true);
    await assert.rejects(producer.send({ topic, acks: 1, messages: [] }), KafkaJSNonRetriableError);
    let stop = false;
    let n = 0;
    const sends = [];
    const load = (async () => {
      while (!stop) {
        for (const end = n + 9; n < end; n++) sends.push(producer.send({ topic, messages: [{ value: `${n}`, partition: n % 3 }] }));
        await Promise.all([sends.at(-1), delay(5)]);
      }
    })();
    for (const node of own.kafka.nodes.slice(0, ROUNDS)) {
      await node.stop();
      await node.start();
    }
    stop = true;
    await load;
    await Promise.all(sends);
    const messages = await readWithKafkaJS(t, own, topic, count(n));
    for (const partition of [0, 1, 2]) {
      const values = messages.filter((message) => message.partition === partition).map(({ value }) => Number(value));
      assert.deepEqual(
        values,
        Array.from({ length: Math.ceil((n - partition) / 3) }, (_, i) => 3 * i + partition),
      );
    }
  });

  test('finds a partition that was added behind its last look at the topic', async (t) => {
    const own = await real();
    cleanup(t, () => own.close());
    const producer = await connected(t, {}, new Kafka({ brokers: own.options().broker.split(','), logLevel: logLevel.NOTHING }));
    const topic = await own.topic(1);
    await producer.send({ topic, messages: [{ value: 'known', partition: 0 }] });
    const admin = new Kafka({ brokers: own.options().broker.split(','), logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    cleanup(t, () => admin.disconnect());
    await admin.createPartitions({ topicPartitions: [{ topic, count: 2 }] });
    // By itself librdkafka would look after five minutes.
    const [{ partition, baseOffset }] = await eventually(PATIENCE, 'the new partition', () =>
      producer.send({ topic, messages: [{ value: 'new', partition: 1 }] }),
    );
    assert.deepEqual([partition, baseOffset], [1, '0']);
  });

  test('connects again after it disconnected, and refuses to send in between', async (t) => {
    const topic = await cluster.topic(1);
    const producer = kafka().producer();
    cleanup(t, () => producer.disconnect());
    const events = [];
    producer.on(producer.events.CONNECT, ({ type, payload }) => events.push([type, payload]));
    producer.on('producer.disconnect', ({ type }) => events.push([type]));
    const off = producer.on(producer.events.CONNECT, () => events.push('removed'));
    off();
    await assert.rejects(producer.send({ topic, messages: [] }), (error) => error.constructor === KafkaJSError && /disconnected/.test(error.message));
    for (let n = 0; n < 2; n++) {
      await Promise.all([producer.connect(), producer.connect()]);
      assert.equal((await producer.send({ topic, messages: numbered(1) }))[0].baseOffset, `${n}`);
      const leaving = producer.disconnect();
      await assert.rejects(producer.send({ topic, messages: [] }), (error) => error instanceof KafkaJSNonRetriableError && /disconnecting/.test(error.message));
      await leaving;
      await producer.disconnect();
    }
    assert.deepEqual(events, [['producer.connect', null], ['producer.disconnect'], ['producer.connect', null], ['producer.disconnect']]);
    assert.throws(
      () => producer.on('producer.nothing', () => {}),
      (error) => error instanceof KafkaJSNonRetriableError && /producer\.events\.CONNECT/.test(error.message),
    );
  });

  test('delivers what was sent before it disconnects', async (t) => {
    const topic = await cluster.topic(1);
    const producer = await connected(t, { linger: 60_000, properties: { 'queue.buffering.max.messages': 10 } });
    const sends = numbered(100).map((message) => producer.send({ topic, messages: [message] }));
    await producer.disconnect();
    assert.deepEqual(
      (await Promise.all(sends)).map(([{ baseOffset }]) => Number(baseOffset)),
      sends.map((_, n) => n),
    );
  });

  test('has settled every send when it is disconnected, also those that were not delivered', async (t) => {
    const topic = await cluster.topic(1);
    const producer = await connected(t, {}, kafka({ requestTimeout: 500 }));
    await producer.send({ topic, messages: numbered(1) });
    const ends = [];
    const end = () => void ends.push(1);
    await cluster.kafka.nodes[0].pause();
    try {
      for (let n = 0; n < 60; n++) producer.send({ topic, messages: numbered(1000) }).then(end, end);
      await producer.disconnect();
      assert.equal(ends.length, 60);
    } finally {
      await cluster.kafka.nodes[0].resume();
    }
  });

  test('waits for what is not delivered no longer than the timeout that disconnect has', async (t) => {
    const topic = await cluster.topic(1);
    const producer = await connected(t, {}, kafka({ requestTimeout: 600_000 }));
    await producer.send({ topic, messages: numbered(1) });
    await assert.rejects(producer.disconnect({ timeout: -1 }), /Invalid timeout -1/);
    await cluster.kafka.nodes[0].pause();
    try {
      const sent = assert.rejects(producer.send({ topic, messages: numbered(1) }));
      await within(PATIENCE, 'disconnect({ timeout: 0 })', () => producer.disconnect({ timeout: 0 }));
      await sent;
    } finally {
      await cluster.kafka.nodes[0].resume();
    }
  });

  test('that reaches nobody is disconnected after the timeout that disconnect has, and may connect again', async () => {
    // It would try for hours.
    const producer = new Kafka({ brokers: ['127.0.0.1:1'], retry: { retries: 1000 }, logLevel: logLevel.NOTHING }).producer();
    for (const timeout of [0, 100]) {
      const connecting = assert.rejects(producer.connect(), KafkaJSError);
      if (timeout > 0) await new Promise((resolve) => setImmediate(resolve));
      await within(PATIENCE, 'disconnect', () => producer.disconnect({ timeout }));
      await connecting;
    }
  });

  test('disconnects at the end of an `await using` block', async () => {
    const producer = kafka().producer();
    await producer.connect();
    await producer[Symbol.asyncDispose]();
    await assert.rejects(producer.send({ topic: 'x', messages: [] }), /disconnected/);
  });

  test('that reaches nobody says so, within the time that its retries take', async (t) => {
    const lost = new Kafka({ brokers: ['127.0.0.1:1'], retry: { retries: 0 }, logLevel: logLevel.NOTHING });
    const producer = lost.producer();
    cleanup(t, () => producer.disconnect());
    await within(SOON, 'connect', () => assert.rejects(producer.connect(), KafkaJSError));
    await assert.rejects(producer.send({ topic: 'x', messages: [] }), /disconnected/);
  });

  test("refuses options that it cannot use, and the engine's own properties", () => {
    const make = (config) => () => kafka().producer(config);
    assert.throws(
      make({ properties: { 'enable.idempotence': true } }),
      (error) => error instanceof KafkaJSNonRetriableError && /use idempotent/.test(error.message),
    );
    assert.throws(make({ properties: { 'bootstrap.servers': 'x' } }), /use brokers/);
    assert.throws(
      make({ idempotent: true, retry: { retries: 0 } }),
      (error) => error instanceof KafkaJSNonRetriableError && /Idempotent producer must allow retries/.test(error.message),
    );
    assert.throws(make({ linger: -1 }), RangeError);
    assert.throws(make({ idempotent: 'yes' }), TypeError);
    assert.throws(make({ createPartitioner: 1 }), TypeError);
    assert.throws(make({ properties: { 'queue.buffering.max.messages': 'many' } }), RangeError);
  });

  test('can be followed through its tracing channel, which may add headers', { skip: !diagnostics.tracingChannel }, async (t) => {
    const topic = await cluster.topic(1);
    const producer = await connected(t);
    const told = [];
    const handlers = {
      start(context) {
        told.push(['start', context.topic, context.messages.length]);
        for (const message of context.messages) message.headers.traceparent = '00-1-2-3';
      },
      asyncEnd: ({ result }) => result && told.push(['asyncEnd', result[0].baseOffset]),
      error: ({ error }) => told.push(['error', error.type]),
    };
    const channel = diagnostics.tracingChannel('kafka-native:send');
    channel.subscribe(handlers);
    const message = { value: 'x', headers: { own: '1' } };
    await producer.send({ topic, messages: [message] });
    await producer.send({ topic, messages: [{ value: 'x', partition: 5 }] }).catch(() => {});
    channel.unsubscribe(handlers);
    await producer.send({ topic, messages: [message] });
    assert.deepEqual(told.slice(0, 2), [
      ['start', topic, 1],
      ['asyncEnd', '0'],
    ]);
    assert.deepEqual(told.slice(2, 4), [
      ['start', topic, 1],
      ['error', 'UNKNOWN_TOPIC_OR_PARTITION'],
    ]);
    assert.deepEqual(message.headers, { own: '1' });
    const [first, second] = await readWithKafkaJS(t, cluster, topic, count(2));
    assert.deepEqual(first.headers, { own: Buffer.from('1'), traceparent: Buffer.from('00-1-2-3') });
    assert.deepEqual(second.headers, { own: Buffer.from('1') });
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
