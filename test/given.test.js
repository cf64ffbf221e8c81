'use strict';
// Messages given to a producer are what is sent, from the call on: whatever the caller, or a getter, does to them later.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { Consumer, Kafka, KafkaJSNonRetriableError, KafkaJSTimeout, Producer, logLevel } = require('kafka-native');
const { cleanup } = require('./support/cleanup.js');
const { embedded } = require('./support/clusters.js');
const { Inbox, PATIENCE, SOON, folder, silent, within } = require('./support/flow.js');

let cluster;
before(async () => (cluster = await embedded()));
after(() => cluster.close());

async function connected(t, config) {
  const { broker, driver_options } = cluster.options();
  const producer = new Kafka({ brokers: broker.split(','), logLevel: logLevel.NOTHING }).producer({
    ...config,
    properties: { 'topic.metadata.refresh.fast.interval.ms': driver_options['topic.metadata.refresh.fast.interval.ms'], ...config?.properties },
  });
  cleanup(t, () => producer.disconnect());
  await producer.connect();
  return producer;
}

function classic(t, options) {
  const producer = new Producer({ ...cluster.options(), logger: silent, queue_buffering_max_ms: 1, ...options });
  cleanup(t, () => producer.stop({ timeout: 1000 }).catch(() => {}));
  return producer;
}

/** The first so many messages of a topic, keys, values and headers as text. */
async function read(t, topic, count) {
  const inbox = new Inbox();
  const consumer = new Consumer({
    ...cluster.options(),
    topic,
    offset_directory: folder(t),
    logger: silent,
    payload_encoding: 'buffer',
    key_encoding: 'buffer',
    receive_callback: inbox.receive,
  });
  cleanup(t, () => consumer.stop());
  await consumer.start();
  const messages = await inbox.until(count);
  const text = (value) => (Array.isArray(value) ? value.map(text) : value == null ? value : value.toString());
  return messages.map(({ key, payload, headers = {} }) => ({
    key: text(key),
    value: text(payload),
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, text(value)])),
  }));
}

const values = (messages) => messages.map(({ value }) => value);

describe('headers', () => {
  const headers = { trace: 't'.repeat(1000), second: '2', many: ['a'.repeat(300), 'b'] };

  test('arrive whole, whichever of them makes the memory grow', async (t) => {
    const producer = await connected(t);
    const more = (n) => ({ ...headers, ['n'.repeat(17 * n + 1)]: 'v'.repeat(50 * n) });
    for (let round = 0; round < 4; round++) {
      const topic = await cluster.topic(1); // of which the embedded cluster keeps 5 MiB
      for (let n = 10 * round; n < 10 * round + 10; n++) {
        void producer.send({ topic, messages: [{ value: 'x'.repeat(255 * 1024 + n) }] }); // leaves little room to what is sent in the same turn
        await producer.send({ topic, messages: [{ key: `${n}`, value: 'x', headers: more(n) }] });
      }
      const found = (await read(t, topic, 20)).filter(({ key }) => key !== undefined);
      assert.equal(found.length, 10);
      for (const { key, headers: arrived } of found) assert.deepEqual(arrived, more(Number(key)), key);
    }
  });

  test('arrive whole, whichever of them makes the memory grow, from the classic producer', async (t) => {
    const topic = await cluster.topic(1);
    const producer = classic(t);
    const lengths = Array.from({ length: 40 }, (_, n) => 262_000 + 4 * n);
    for (const length of lengths) {
      const given = { large: 'l'.repeat(length - 200), trace: 't'.repeat(1000), second: '2' };
      assert.equal(producer.send(topic, 0, [{ value: `${length}`, headers: given }]).enqueued, 1);
    }
    // 5 MiB a partition is what the embedded cluster keeps.
    const found = await read(t, topic, 10);
    for (const message of found)
      assert.deepEqual([message.headers.large.length, message.headers.trace, message.headers.second], [Number(message.value) - 200, 't'.repeat(1000), '2']);
  });

  test('have names with a NUL in them', async (t) => {
    const topic = await cluster.topic(1);
    const given = { 'a\0b': 'one', '\0': null, 'c\0': ['x', 'y'] };
    await (await connected(t)).send({ topic, messages: [{ value: 'x', headers: given }] });
    assert.deepEqual((await read(t, topic, 1))[0].headers, given);
  });
});

describe('an array', () => {
  for (const [what, change] of Object.entries({
    emptied: (messages) => (messages.length = 0),
    shortened: (messages) => (messages.length = 1),
    filled: (messages) => messages.fill({ value: 'later' }),
    'made longer': (messages) => messages.push({ value: 'later' }),
    'with other values in its messages': (messages) =>
      messages.forEach((message) => Object.assign(message, { key: 'later', value: 'later', headers: { later: 'later' } })),
  })) {
    test(`that is ${what} after the call is sent as it was`, async (t) => {
      const topic = await cluster.topic(1);
      const producer = await connected(t);
      const given = () => ['one', 'two', 'three'].map((value) => ({ key: 'k', value, headers: { h: value } }));
      const lists = Array.from({ length: 6 }, given);
      // Alone and among others of the turn, in a batch, and behind what has no room.
      const sent = [
        producer.send({ topic, messages: lists[0] }),
        producer.send({ topic, messages: lists[1] }),
        producer.sendBatch({
          topicMessages: [
            { topic, messages: lists[2] },
            { topic, messages: lists[3] },
          ],
        }),
      ];
      for (const list of lists.slice(0, 4)) change(list);
      await within(PATIENCE, 'the sends', () => Promise.all(sent));
      sent.push(producer.send({ topic, messages: lists[4] }));
      change(lists[4]);
      await Promise.all(sent);
      const narrow = await connected(t, { properties: { 'queue.buffering.max.messages': 2 } });
      const waiting = [narrow.send({ topic, messages: given() }), narrow.send({ topic, messages: lists[5] })];
      change(lists[5]);
      await within(PATIENCE, 'the sends that wait', () => Promise.all(waiting));
      const found = await read(t, topic, 21);
      assert.deepEqual(found, Array.from({ length: 7 }, given).flat());
    });
  }

  test('and Buffers that are changed before a partitioner knows the partitions are sent, and placed, as they were', async (t) => {
    const topic = await cluster.topic(4);
    const seen = [];
    const producer = await connected(t, {
      createPartitioner:
        () =>
        ({ message }) => (seen.push(`${message.key}=${message.value}+${message.headers.h}`), 3),
    });
    const [key, value, header] = ['key', 'value', 'header'].map((text) => Buffer.from(text));
    const messages = [{ key, value, headers: { h: header } }];
    const sent = producer.send({ topic, messages });
    for (const bytes of [key, value, header]) bytes.fill('x');
    messages.length = 0;
    const [{ partition }] = await sent;
    assert.deepEqual([partition, seen], [3, ['key=value+header']]);
    assert.deepEqual(await read(t, topic, 1), [{ key: 'key', value: 'value', headers: { h: 'header' } }]);
  });

  test('that a getter of its messages changes is sent as it was given', async (t) => {
    const topic = await cluster.topic(1);
    const payloads = [
      {
        get value() {
          payloads.length = 0;
          return 'one';
        },
      },
      { value: 'two' },
      'three',
    ];
    assert.deepEqual(classic(t).send(topic, 0, payloads).enqueued, 3);
    assert.deepEqual(values(await read(t, topic, 3)), ['one', 'two', 'three']);
    const messages = [
      {
        get value() {
          messages.length = 0;
          return 'four';
        },
      },
      { value: 'five' },
    ];
    await (await connected(t)).send({ topic, messages });
    assert.deepEqual(values(await read(t, topic, 5)).slice(3), ['four', 'five']);
  });
});

describe('a getter', () => {
  test('that sends with the same producer, wherever it stands, harms neither', async (t) => {
    const topic = await cluster.topic(1);
    const producer = await connected(t);
    const inner = [];
    const nested = (n) =>
      inner.push(producer.send({ topic, messages: Array.from({ length: 50 }, (_, i) => ({ value: `inner ${n}/${i}`, headers: { h: 'i'.repeat(1000) } })) }));
    let calls = 0;
    const outer = Array.from({ length: 300 }, (_, n) => ({
      get key() {
        if (n % 50 === 1) nested(calls++);
        return `k${n}`;
      },
      value: `outer ${n}`,
      headers: {
        first: 'f'.repeat(900),
        get second() {
          if (n % 50 === 2) nested(calls++);
          return 's';
        },
        list: [{ toString: () => '' }].fill('x'),
      },
      timestamp: {
        valueOf() {
          if (n % 50 === 3) nested(calls++);
          return 1000 + n;
        },
      },
    }));
    await Promise.all([producer.send({ topic, messages: outer }), producer.send({ topic, messages: [{ value: 'last' }] })]);
    await Promise.all(inner);
    assert.equal(inner.length, 18);
    const found = await read(t, topic, 300 + 18 * 50 + 1);
    const outers = found.filter(({ value }) => value.startsWith('outer'));
    outers.forEach((message, n) =>
      assert.deepEqual(message, { key: `k${n}`, value: `outer ${n}`, headers: { first: 'f'.repeat(900), second: 's', list: 'x' } }),
    );
    for (let n = 0; n < 18; n++)
      assert.deepEqual(
        values(found).filter((value) => value.startsWith(`inner ${n}/`)),
        Array.from({ length: 50 }, (_, i) => `inner ${n}/${i}`),
      );
    assert.equal(found.at(-1).value, 'last');
  });

  test('that throws behind others that were written leaves nothing of its call', async (t) => {
    const topic = await cluster.topic(1);
    const producer = await connected(t);
    const before = producer.send({ topic, messages: [{ value: 'before', headers: { h: '1' } }] });
    const thrown = new Error('no value today');
    const refused = producer.send({
      topic,
      messages: [
        ...Array(20_000).fill({ value: 'never', partition: 0, timestamp: '5' }),
        {
          get value() {
            throw thrown;
          },
        },
      ],
    });
    const behind = producer.send({ topic, messages: [{ value: 'behind' }] });
    await assert.rejects(refused, thrown);
    await Promise.all([before, behind]);
    assert.deepEqual(await read(t, topic, 2), [
      { key: undefined, value: 'before', headers: { h: '1' } },
      { key: undefined, value: 'behind', headers: {} },
    ]);
  });

  test('that ends another send, also the one that is being made, harms neither', async (t) => {
    const topic = await cluster.topic(1);
    const producer = await connected(t);
    const [first, own] = [new AbortController(), new AbortController()];
    const reason = new Error('enough');
    const given = producer.send({ topic, messages: [{ value: 'given up' }], signal: first.signal });
    const messages = [
      {
        get value() {
          first.abort(reason);
          own.abort(reason);
          return 'never';
        },
      },
    ];
    await assert.rejects(producer.send({ topic, messages, signal: own.signal }), reason);
    await assert.rejects(given, reason);
    await producer.send({ topic, messages: [{ value: 'sent' }] });
    assert.deepEqual(values(await read(t, topic, 1)), ['sent']);
  });
});

test('a Uint8Array that lies about its length is sent as long as it is', async (t) => {
  const topic = await cluster.topic(1);
  const lying = (length) => Object.defineProperty(Buffer.from('whole'), 'length', { value: length });
  const producer = await connected(t);
  await producer.send({
    topic,
    messages: [0, 3, 100, -1, NaN, 'x'].map((length) => ({ key: lying(length), value: lying(length), headers: { h: lying(length) } })),
  });
  assert.equal(classic(t).send(topic, 0, [lying(2), { key: lying(9), value: lying(1) }]).enqueued, 2);
  for (const {
    key = 'whole',
    value,
    headers: { h = 'whole' },
  } of await read(t, topic, 8))
    assert.deepEqual([key, value, h], ['whole', 'whole', 'whole']);
});

test('memory that was transferred away is refused by name', async (t) => {
  const topic = await cluster.topic(1);
  const bytes = new Uint8Array(8);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  const producer = await connected(t);
  for (const message of [{ value: bytes }, { key: bytes, value: 'x' }, { value: 'x', headers: { h: bytes } }]) {
    await assert.rejects(producer.send({ topic, messages: [message] }), (error) => error instanceof KafkaJSNonRetriableError && /detached/.test(error.message));
  }
});

test('headers count against the budget', async (t) => {
  const topic = await cluster.topic(1);
  const producer = classic(t, { driver_options: { ...cluster.options().driver_options, 'queue.buffering.max.kbytes': 1024 }, queue_buffering_max_ms: 60_000 });
  const message = { value: 'x', headers: { large: Buffer.alloc(50_000) } };
  const { enqueued, errors } = producer.send(topic, 0, Array(4000).fill(message));
  assert.deepEqual([enqueued, errors[0].code], [21, '_QUEUE_FULL']);
  await producer.stop();
  // Delivered messages give their room back, NULs in names or not.
  const second = classic(t, { driver_options: { ...cluster.options().driver_options, 'queue.buffering.max.kbytes': 100 } });
  for (let n = 0; n < 20; n++) {
    assert.equal(second.send(topic, 0, [{ value: 'x', headers: { 'large\0\0': Buffer.alloc(50_000), none: null, '': '' } }]).enqueued, 1);
    await within(SOON, 'delivery', async () => {
      while (second.send(topic, 0, []).send_queue_length > 0) await new Promise(setImmediate);
    });
  }
});

test('headers count against the budget of the Kafka API', async (t) => {
  const topic = await cluster.topic(1);
  const producer = await connected(t, { linger: 5000, maxBlock: 50, properties: { 'queue.buffering.max.kbytes': 100 } });
  const sends = Array.from({ length: 6 }, () => producer.send({ topic, messages: [{ value: 'x', headers: { large: Buffer.alloc(50_000) } }] }));
  await Promise.allSettled(sends.slice(3));
  await producer.flush();
  const outcomes = await Promise.allSettled(sends);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'rejected', 'rejected'],
  );
});

test('maxBlock ends what waits for a topic, also when nothing else is under way', async (t) => {
  const topic = await cluster.topic(1);
  cluster.mock.setTopicError(topic, 3); // no such topic
  cleanup(t, () => cluster.mock.setTopicError(topic, 0));
  const producer = await connected(t, { maxBlock: 100, createPartitioner: () => () => 0 });
  const waiting = [1, 2].map(() => producer.send({ topic, messages: [{ value: 'x' }] }));
  for (const { reason } of await within(SOON, 'the sends', () => Promise.allSettled(waiting))) {
    assert.ok(reason instanceof KafkaJSTimeout, reason);
    assert.match(reason.message, /100 ms \(maxBlock\) for the topic ".*": its partitions are not known/);
  }
});

test('a topic that no topic can be is refused at once, by name', async (t) => {
  const sender = classic(t);
  const producer = await connected(t);
  for (const topic of ['', '.', '..', 'a b', 'a/b', 'a\nb', 'topic\n', '\u00e4', 'x'.repeat(250)]) {
    assert.throws(
      () => sender.send(topic, -1, ['x']),
      (error) => error instanceof TypeError && error.message.includes('topic'),
      topic,
    );
    await assert.rejects(
      producer.send({ topic, messages: [{ value: 'x' }] }),
      (error) => error instanceof KafkaJSNonRetriableError && /Invalid topic/.test(error.message),
      topic,
    );
    await assert.rejects(producer.sendBatch({ topicMessages: [{ topic, messages: [{ value: 'x' }] }] }), /Invalid topic/);
  }
  assert.equal(sender.send('x'.repeat(249), -1, []).send_queue_length, 0);
});
