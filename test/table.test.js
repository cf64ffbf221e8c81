'use strict';
// A compacted topic as a Map in memory.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { after, before, describe, test } = require('node:test');
const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, Kafka, ResourcePatternTypes } = require('kafka-native');
const { cleanup } = require('./support/cleanup.js');
const { real, topicName } = require('./support/clusters.js');
const { PATIENCE, silent, within } = require('./support/flow.js');
const { oracle } = require('./support/kafkajs.js');
const { random, seed } = require('./support/random.js');
const { Calls, deferred, eventually, witness } = require('./support/watch.js');

/** Brokers that are killed, one after the other. */
const ROUNDS = Number(process.env.ROUNDS ?? 1);
const COMPACT = { config: { 'cleanup.policy': 'compact' } };
const client = (cluster, more = {}) => new Kafka({ brokers: cluster.options().broker.split(','), logger: silent, ...more });
/** Looks for topics often, so that a test takes a moment. */
const QUICK = { metadataMaxAge: 200, maxWaitTimeInMs: 50 };

/** A table that is closed when the test is over. */
async function open(t, kafka, { consumer, ...options }) {
  const table = await kafka.table({ consumer: { ...QUICK, ...consumer }, ...options });
  cleanup(t, () => table.close());
  return table;
}

async function connected(t, made) {
  cleanup(t, () => made.disconnect());
  await made.connect();
  return made;
}

/** Sends messages with a place and a time each: `[partition, key, value, timestamp]`. */
async function writer(t, kafka) {
  const producer = await connected(t, kafka.producer({ idempotent: true }));
  return (topic, ...messages) =>
    producer.send({
      topic,
      messages: messages.map(([partition, key, value, timestamp]) => ({ partition, key, value, ...(timestamp && { timestamp: String(timestamp) }) })),
    });
}

/** Everything that a table tells from now on. */
function changes(table) {
  const all = new Calls();
  table.on('change', all.take);
  return all;
}

/** As KafkaJS reads it: the last message of each key in each partition, and of those the newest. */
async function lastValues(cluster, topic) {
  const kafka = oracle(cluster);
  const admin = kafka.admin();
  await admin.connect();
  const ends = await admin.fetchTopicOffsets(topic);
  await admin.disconnect();
  const left = new Set(ends.filter(({ low, high }) => Number(high) > Number(low)).map(({ partition }) => partition));
  const last = new Map();
  if (left.size === 0) return new Map();
  const consumer = kafka.consumer({ groupId: topicName('witness'), maxWaitTimeInMs: 50 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const done = deferred();
  await consumer.run({
    eachBatch: async ({ batch }) => {
      for (const { key, value, timestamp } of batch.messages) {
        const name = String(key);
        const places = last.get(name) ?? last.set(name, new Map()).get(name);
        places.set(batch.partition, {
          value: value === null ? undefined : JSON.parse(String(value)),
          timestamp: Number(timestamp),
          partition: batch.partition,
        });
      }
      const { high } = ends.find(({ partition }) => partition === batch.partition);
      if (Number(batch.lastOffset()) + 1 >= Number(high)) left.delete(batch.partition);
      if (left.size === 0) done.resolve();
    },
  });
  await within(
    PATIENCE,
    () => `KafkaJS reads partitions ${[...left]}`,
    () => done.promise,
  );
  await consumer.disconnect();
  const newest = [...last].map(([key, places]) => [key, [...places.values()].sort((a, b) => b.timestamp - a.timestamp || b.partition - a.partition)[0].value]);
  return new Map(newest.filter(([, value]) => value !== undefined));
}

const sorted = (entries) => [...entries].sort(([a], [b]) => (a < b ? -1 : 1));

describe('a table', () => {
  let cluster;
  before(async () => (cluster = await real({ own: true })));
  after(() => cluster?.close());

  test('has everything that its topic had when it was asked for, as a Map has it', async (t) => {
    const kafka = client(cluster);
    const topic = await cluster.topic(3, COMPACT);
    const producer = await connected(t, kafka.producer({ idempotent: true }));
    await producer.send({ topic, messages: Array.from({ length: 500 }, (_, i) => ({ key: `k${i % 100}`, value: JSON.stringify({ i, text: 'ä€' }) })) });
    await producer.send({
      topic,
      messages: [
        { key: 'k7', value: null },
        { key: 'never', value: null },
      ],
    });
    const table = await open(t, kafka, { topic });
    const wanted = new Map(Array.from({ length: 100 }, (_, i) => [`k${i}`, { i: 400 + i, text: 'ä€' }]));
    wanted.delete('k7');
    assert.equal(table.size, 99);
    assert.deepEqual(sorted(table), sorted(wanted));
    assert.deepEqual(sorted(table.entries()), sorted(wanted));
    assert.deepEqual([...table.keys()].sort(), [...wanted.keys()].sort());
    assert.deepEqual([...table.values()].map(({ i }) => i).sort(), [...wanted.values()].map(({ i }) => i).sort());
    assert.deepEqual([table.get('k3'), table.has('k3'), table.get('k7'), table.has('k7')], [{ i: 403, text: 'ä€' }, true, undefined, false]);
    const each = [];
    table.forEach(function (value, key, of) {
      assert.equal(of, table);
      assert.equal(this, wanted);
      each.push([key, value]);
    }, wanted);
    assert.deepEqual(sorted(each), sorted(wanted));
  });

  test('of an empty topic is empty, and one of a topic that is not there is refused by name, and makes none', async (t) => {
    const kafka = client(cluster);
    assert.equal((await open(t, kafka, { topic: await cluster.topic(2) })).size, 0);
    const topic = topicName('missing');
    await assert.rejects(
      kafka.table({ topic }),
      (error) => error.type === 'UNKNOWN_TOPIC_OR_PARTITION' && error.message.includes(`'${topic}'`) && /make it first/.test(error.message),
    );
    const admin = await connected(t, kafka.admin());
    assert.ok(!(await admin.listTopics()).includes(topic));
  });

  test('waits for a topic that comes a moment later', async (t) => {
    const topic = topicName('later');
    const opening = open(t, client(cluster), { topic });
    await cluster.admin.createTopic(topic, { partitions: 1, replication: 1 });
    assert.equal((await opening).size, 0);
  });

  test('is kept current, and tells each change with what was there before and where it is from', async (t) => {
    const kafka = client(cluster);
    const topic = await cluster.topic(2, COMPACT);
    const write = await writer(t, kafka);
    await write(topic, [1, 'a', '1']);
    const table = await open(t, kafka, { topic });
    const told = changes(table);
    const seen = [];
    table.on('change', ({ key }) => seen.push(table.get(key)));
    await write(topic, [1, 'a', '2'], [1, 'b', 'null'], [1, 'a', null], [1, 'c', null]);
    await table.caughtUp();
    const place = { topic, partition: 1 };
    assert.deepEqual(told.all, [
      { key: 'a', value: 2, previous: 1, ...place, offset: '1' },
      { key: 'b', value: null, previous: undefined, ...place, offset: '2' },
      { key: 'a', value: undefined, previous: 2, ...place, offset: '3' },
      { key: 'c', value: undefined, previous: undefined, ...place, offset: '4' },
    ]);
    assert.deepEqual(seen, [2, null, undefined, undefined]);
    assert.deepEqual([...table], [['b', null]]);
  });

  test('has read what was written when caughtUp resolves, every time, also for a listener', async (t) => {
    const kafka = client(cluster);
    const topic = await cluster.topic(2, COMPACT);
    const write = await writer(t, kafka);
    const table = await open(t, kafka, { topic });
    for (let i = 0; i < 100; i++) {
      await write(topic, [i % 2, 'a' + (i % 2), String(i)]);
      await table.caughtUp();
      assert.equal(table.get('a' + (i % 2)), i);
    }
    const heard = deferred();
    table.once('change', () => table.caughtUp().then(heard.resolve, heard.reject));
    await write(topic, [0, 'a0', '1']);
    await heard.promise;
    const reason = new Error('not now');
    await assert.rejects(table.caughtUp({ signal: AbortSignal.abort(reason) }), reason);
  });

  test('has its own writes when they resolve, a thousand times', async (t) => {
    const kafka = client(cluster);
    const table = await open(t, kafka, { topic: await cluster.topic(3, COMPACT) });
    for (let i = 0; i < 250; i++) {
      const key = `k${i % 10}`;
      await table.set(key, { i });
      assert.deepEqual(table.get(key), { i });
      if (i % 3 > 0) continue;
      await table.delete(key);
      assert.equal(table.has(key), false);
    }
    await Promise.all(
      Array.from({ length: 750 }, async (_, i) => {
        await table.set(`own-${i}`, i);
        assert.equal(table.get(`own-${i}`), i);
      }),
    );
    // Those of one key count in the order of the calls.
    await Promise.all([1, 2, 3].map((i) => table.set('order', i)));
    assert.equal(table.get('order'), 3);
  });

  test('writes with a producer that it is given, and leaves it connected', async (t) => {
    const kafka = client(cluster);
    const topic = await cluster.topic(1, COMPACT);
    const producer = await connected(t, kafka.producer({ idempotent: true }));
    const table = await open(t, kafka, { topic, producer });
    await table.set('a', 1);
    await table.close();
    await producer.send({ topic, messages: [{ key: 'a', value: '2' }] });
    assert.equal((await open(t, kafka, { topic })).get('a'), 2);
    // One that would not ask whether a message is written does for a table.
    const careless = await open(t, kafka, { topic, producer: await connected(t, kafka.producer({ properties: { acks: 0 } })) });
    await careless.set('a', 3);
    assert.equal(careless.get('a'), 3);
  });

  test('decodes and encodes as it is told', async (t) => {
    const kafka = client(cluster);
    const topic = await cluster.topic(1, COMPACT);
    const number = { decode: (bytes) => bytes.readInt32BE(), encode: (value) => Buffer.from([value >> 24, value >> 16, value >> 8, value]) };
    const numbers = await open(t, kafka, { topic, key: number, value: number });
    await numbers.set(7, 70_000);
    assert.deepEqual([...numbers], [[7, 70_000]]);
    const hex = await open(t, kafka, {
      topic,
      key: (bytes) => bytes.toString('hex'),
      value: (bytes, { offset, headers }) => ({ hex: bytes.toString('hex'), offset, headers }),
    });
    assert.deepEqual([...hex], [['00000007', { hex: '00011170', offset: '0', headers: {} }]]);
    // With a decoder alone strings and bytes are written as they are, and nothing else.
    const text = await open(t, kafka, { topic: await cluster.topic(1), value: String });
    const bytes = Buffer.from('as it is');
    const writing = text.set('a', bytes);
    bytes.fill(0);
    await writing;
    await text.set('b', 'text');
    assert.deepEqual(
      [...text],
      [
        ['a', 'as it is'],
        ['b', 'text'],
      ],
    );
    await assert.rejects(text.set('a', { no: 'text' }), /the value must be a string or bytes, got an object.*give value: \{ decode, encode \}/);
    await assert.rejects(text.set(5, 'x'), /the key must be a string, got 5/);
    const json = await open(t, kafka, { topic: await cluster.topic(1) });
    await assert.rejects(json.set('a', undefined), /undefined is no JSON; delete\(key\)/);
    const wrong = await open(t, kafka, { topic: await cluster.topic(1), value: { decode: String, encode: () => null } });
    await assert.rejects(wrong.set('a', 'b'), /encode of value must return a string or bytes, got null/);
  });

  test('tells a message that it cannot decode, leaves the entry as it was, and goes on', async (t) => {
    const { lines, logger } = witness();
    const kafka = client(cluster, { logger });
    const topic = await cluster.topic(1); // a compacted one takes no message without a key
    const write = await writer(t, kafka);
    await write(topic, [0, 'a', '1'], [0, 'a', 'no JSON']);
    const table = await open(t, kafka, { topic });
    assert.equal(table.get('a'), 1);
    // Nobody can listen while it is loaded: the log has it.
    const [, line] = await lines.until(([level, text]) => level === 'error' && text.includes(`${topic}/0 at offset 1`));
    assert.match(line, /was not applied.*its value: .*JSON/);
    const errors = new Calls();
    table.on('error', errors.take);
    await write(topic, [0, 'a', '{'], [0, null, '2'], [0, Buffer.from([0xff]), '3'], [0, 'a', Buffer.from([0x22, 0xff, 0x22])], [0, 'b', '4']);
    await table.caughtUp();
    assert.deepEqual(
      errors.all.map(({ topic: of, partition, offset }) => [of, partition, offset]),
      ['2', '3', '4', '5'].map((offset) => [topic, 0, offset]),
    );
    for (const [i, reason] of [/its value: /, /its key: it has none/, /its key: it is no UTF-8/, /its value: it is no UTF-8/].entries()) {
      assert.match(errors.all[i].message, reason);
      assert.match(errors.all[i].message, new RegExp(`${topic}/0 at offset ${i + 2}`));
      assert.ok(errors.all[i].cause instanceof Error);
    }
    assert.deepEqual(
      [...table],
      [
        ['a', 1],
        ['b', 4],
      ],
    );
    await assert.rejects(
      table.set('', 1).then(() => table.set('a', { toJSON: () => undefined })),
      /is no JSON/,
    );
    assert.equal(table.get(''), 1);
  });

  test('refuses what a decoder must not return, and a write that is not applied rejects', async (t) => {
    const kafka = client(cluster);
    const topic = await cluster.topic(1, COMPACT);
    const made = { 0: undefined, 1: Promise.resolve(1), 2: 2 };
    const table = await open(t, kafka, { topic, value: (bytes) => made[String(bytes)] });
    table.on('error', () => {});
    await assert.rejects(table.set('a', '0'), /returned undefined/);
    await assert.rejects(table.set('a', '1'), /returned a promise: it has to decode at once/);
    await table.set('a', '2');
    const objects = await open(t, kafka, { topic, key: { decode: (bytes) => bytes, encode: (key) => key } });
    assert.equal(objects.size, 0);
    objects.on('error', () => {});
    await assert.rejects(objects.set('a', 1), /a key must be a string, a number, a bigint or a boolean, got an object/);
  });

  test('a decoder that transfers the memory of its batch loses no message', async (t) => {
    const kafka = client(cluster);
    const topic = await cluster.topic(1, COMPACT);
    const write = await writer(t, kafka);
    await write(topic, ...Array.from({ length: 2000 }, (_, i) => [0, `k${i}`, String(i)]));
    const taken = (bytes) => {
      const text = String(bytes);
      structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
      return text;
    };
    for (const sides of [{ value: taken }, { key: taken }]) {
      const table = await open(t, kafka, { topic, ...sides });
      assert.deepEqual(
        [...table].map(([key, value]) => `${key} ${value}`),
        Array.from({ length: 2000 }, (_, i) => `k${i} ${i}`),
      );
    }
  });

  test('of a key in two partitions has what is newer, deletions included, whichever it reads first, and says so once', async (t) => {
    const { lines, logger } = witness();
    const kafka = client(cluster, { logger });
    const topic = await cluster.topic(2, COMPACT);
    const write = await writer(t, kafka);
    const table = await open(t, kafka, { topic });
    const told = changes(table);
    // Live, one after another; then at once, from both partitions.
    for (const message of [
      [0, 'newer', '"new"', 2000],
      [1, 'newer', '"old"', 1000],
      [0, 'later', '"old"', 1000],
      [1, 'later', '"new"', 2000],
      [0, 'kept', '"new"', 2000],
      [1, 'kept', null, 1000],
      [0, 'gone', null, 2000],
      [1, 'gone', '"old"', 1000],
      [0, 'was', '"old"', 1000],
      [0, 'was', null, 3000],
      [1, 'was', '"old"', 2000],
      [0, 'again', null, 2000],
      [1, 'again', '"new"', 3000],
      [1, 'same', '"1"', 1000],
      [0, 'same', '"0"', 1000],
      // In one partition the last one counts, whatever its time.
      [0, 'back', '"new"', 2000],
      [0, 'back', '"last"', 1500],
      [1, 'back', '"old"', 1800],
    ]) {
      await write(topic, message);
      await table.caughtUp();
    }
    const wanted = [
      ['again', 'new'],
      ['back', 'last'],
      ['kept', 'new'],
      ['later', 'new'],
      ['newer', 'new'],
      ['same', '1'],
    ];
    assert.deepEqual(sorted(table), wanted);
    assert.ok(!told.all.some(({ value, key }) => value === 'old' && key !== 'later' && key !== 'was'));
    for (let i = 0; i < 3; i++) assert.deepEqual(sorted(await open(t, client(cluster), { topic })), wanted);
    const said = lines.all.filter(([level, text]) => level === 'warn' && text.includes('different partitioners'));
    assert.equal(said.length, 1);
    assert.match(said[0][1], /the key 'newer' is in partition 0 and in partition 1/);
  });

  test('remembers no deletions for ever', () => {
    const { Entries } = require('../js/kafka-native/dist/kafka/table/entries.js');
    const entries = new Entries();
    entries.grow(2);
    for (let i = 0; i < 300_000; i++) entries.delete(`loading ${i}`, 0, 2000);
    assert.equal(entries.set('loading 0', 1, 1, 1000, 1), false);
    entries.loaded();
    for (let i = 0; i < 250_000; i++) {
      entries.set(`k${i}`, 1, 0, 1000, 10);
      entries.delete(`k${i}`, 0, 2000);
    }
    assert.equal(entries.set('k249999', 1, 1, 1500, 1), false);
    assert.equal(entries.set('k151000', 1, 1, 1500, 1), false);
    assert.equal(entries.set('loading 0', 1, 1, 1000, 1), true);
    assert.deepEqual([entries.size, entries.bytes], [1, 1]);
  });

  test('a write whose place no broker told resolves when everything is read', async () => {
    const { Writes } = require('../js/kafka-native/dist/kafka/table/writes.js');
    const all = deferred();
    const writes = new Writes(() => all.promise);
    let done = false;
    // The answer to an idempotent producer that sends again what is written already.
    const writing = writes.readBack(async () => [{ partition: 0, baseOffset: '-1' }]).then(() => (done = true));
    writes.applied(0, 100);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(done, false);
    all.resolve();
    await writing;
  });

  for (const [what, limit, values] of [
    ['maxEntries', { maxEntries: 3 }, ['1', '1', '1', '1']],
    ['maxBytes', { maxBytes: 20 }, ['1', '"0123456789012345"', '1', '1']],
  ]) {
    test(`ends beyond ${what}, while it is loaded and later, and says what to do`, async (t) => {
      const { lines, logger } = witness();
      const kafka = client(cluster, { logger });
      const topic = await cluster.topic(1, COMPACT);
      const write = await writer(t, kafka);
      await write(topic, ...Array.from({ length: 10 }, () => [0, 'a', '1']), [0, 'b', '1'], [0, 'b', null]);
      const heard = await open(t, kafka, { topic, ...limit });
      const alone = await open(t, kafka, { topic, ...limit });
      const waiting = assert.rejects(
        heard
          .caughtUp({ signal: AbortSignal.timeout(60_000) })
          .then(() => heard.closed)
          .then((error) => Promise.reject(error)),
        new RegExp(what),
      );
      const error = once(heard, 'error');
      await write(topic, ...values.map((value, i) => [0, `k${i}`, value]));
      const told = new RegExp(`the topic '${topic}' has more than \\d+ .*\\(${what}\\), and the table has ended: raise the limit`);
      assert.match((await error)[0].message, told);
      await waiting;
      // Nobody listened: it is in the log, and ends no process.
      assert.match((await alone.closed).message, told);
      await lines.until(([level, text]) => level === 'error' && told.test(text));
      for (const call of [() => heard.set('a', 1), () => heard.delete('a'), () => heard.caughtUp()]) await assert.rejects(call(), told);
      await heard.close();
      await assert.rejects(kafka.table({ topic, ...limit }), told);
    });
  }

  test('closes once, whoever waits for a write hears it, and entries stay', async (t) => {
    const kafka = client(cluster);
    const topic = await cluster.topic(1, COMPACT);
    const table = await open(t, kafka, { topic });
    await table.set('a', 1);
    const waiting = assert.rejects(table.set('b', 2), /is closed/);
    await Promise.all([table.close(), table.close(), waiting]);
    await table.close();
    assert.equal(await table.closed, undefined);
    assert.equal(table.get('a'), 1);
    for (const call of [() => table.set('a', 1), () => table.delete('a'), () => table.caughtUp()]) await assert.rejects(call(), /is closed/);
    const disposed = await kafka.table({ topic });
    await disposed[Symbol.asyncDispose]();
    assert.equal(await disposed.closed, undefined);
  });

  test('can be closed by a listener, which hears no more then; listeners that fail end nothing', async (t) => {
    const { lines, logger } = witness();
    const kafka = client(cluster, { logger });
    const topic = await cluster.topic(1, COMPACT);
    const write = await writer(t, kafka);
    const table = await open(t, kafka, { topic });
    const told = changes(table);
    table.on('change', () => {
      throw new Error('sync');
    });
    await write(topic, [0, 'a', '1']);
    await lines.until(([level, text]) => level === 'error' && text.includes('A listener of change failed: sync'));
    table.removeAllListeners('change');
    table.on('change', told.take);
    table.on('change', async () => {
      throw new Error('async');
    });
    table.once('change', () => table.close());
    await write(topic, [0, 'a', '2'], [0, 'a', '3']);
    await table.closed;
    await lines.until(([level, text]) => level === 'error' && text.includes('A listener of change failed: async'));
    assert.deepEqual(
      told.all.map(({ value }) => value),
      [1, 2],
    );
  });

  test('ends its loading when the signal says so', async (t) => {
    const kafka = client(cluster);
    const topic = await cluster.topic(1, COMPACT);
    const reason = new Error('enough');
    await assert.rejects(kafka.table({ topic, signal: AbortSignal.abort(reason) }), reason);
    const early = new AbortController();
    const loading = assert.rejects(kafka.table({ topic, signal: early.signal }), reason);
    early.abort(reason);
    await loading;
    const nothing = new AbortController();
    const unsaid = assert.rejects(kafka.table({ topic, signal: nothing.signal }), /aborted/);
    nothing.abort(null);
    await unsaid;
    const missing = new AbortController();
    const waiting = assert.rejects(kafka.table({ topic: topicName('missing'), signal: missing.signal }), reason);
    setImmediate(() => missing.abort(reason));
    await waiting;
    const late = new AbortController();
    const table = await open(t, kafka, { topic, signal: late.signal });
    late.abort(reason);
    await table.set('a', 1);
  });

  test('is complete as far as its isolation reads: an open transaction is not waited for', async (t) => {
    const kafka = client(cluster);
    const topic = await cluster.topic(1, COMPACT);
    const producer = await connected(t, kafka.producer({ transactionalId: topicName('tx'), idempotent: true, maxInFlightRequests: 1 }));
    await (await writer(t, kafka))(topic, [0, 'a', '1']);
    const aborted = await producer.transaction();
    await aborted.send({ topic, messages: [{ key: 'a', value: '2' }] });
    await aborted.abort();
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: [{ key: 'a', value: '3' }] });
    const table = await open(t, kafka, { topic });
    assert.equal(table.get('a'), 1);
    const dirty = await open(t, kafka, { topic, consumer: { readUncommitted: true } });
    assert.equal(dirty.get('a'), 3);
    const told = changes(table);
    const caught = table.caughtUp();
    await transaction.commit();
    await caught;
    assert.deepEqual(
      told.all.map(({ value, previous }) => [value, previous]),
      [[3, 1]],
    );
  });

  test('reads partitions that are added', async (t) => {
    const kafka = client(cluster);
    const topic = await cluster.topic(1, COMPACT);
    const table = await open(t, kafka, { topic });
    await cluster.admin.createPartitions(topic, 3);
    await eventually(PATIENCE, 'the new partition takes messages', async () =>
      (await writer(t, kafka))(topic, [2, 'added', '1']).then(
        () => true,
        () => false,
      ),
    );
    await table.caughtUp();
    assert.equal(table.get('added'), 1);
  });

  test('loses its entries with its topic, and has those of one that is made anew', async (t) => {
    const kafka = client(cluster);
    const topic = await cluster.topic(2, COMPACT);
    const write = await writer(t, kafka);
    await write(topic, ...Array.from({ length: 20 }, (_, i) => [i % 2, `old${i % 4}`, String(i)]));
    const table = await open(t, kafka, { topic });
    await table.set('old0', 16);
    const told = changes(table);
    await cluster.admin.deleteTopic(topic);
    await told.count(4);
    assert.deepEqual(
      sorted(told.all.map(({ key, value, previous, partition, offset }) => [key, value, previous, key === 'old0' ? 'own' : partition, offset])),
      [
        ['old0', undefined, 16, 'own', undefined],
        ['old1', undefined, 17, 1, undefined],
        ['old2', undefined, 18, 0, undefined],
        ['old3', undefined, 19, 1, undefined],
      ],
    );
    assert.equal(table.size, 0);
    await eventually(PATIENCE, 'the topic made again', () =>
      cluster.admin.createTopic(topic, { partitions: 1, replication: 1 }).then(
        () => true,
        () => false,
      ),
    );
    await eventually(PATIENCE, 'the topic takes messages', () =>
      write(topic, [0, 'new', '1']).then(
        () => true,
        () => false,
      ),
    );
    await told.until(({ key }) => key === 'new');
    await table.caughtUp();
    assert.deepEqual([...table], [['new', 1]]);
    await eventually(PATIENCE, 'a write', () =>
      table.set('own', 2).then(
        () => true,
        () => false,
      ),
    );
    assert.equal(table.get('own'), 2);
  });

  test('refuses options that make no sense, by name', async () => {
    const kafka = client(cluster);
    for (const [options, told] of [
      [undefined, /options must be an object/],
      [{}, /the option topic must be a string/],
      [{ topic: 'a b' }, /invalid topic 'a b'/],
      [{ topic: '^a' }, /invalid topic/],
      [{ topic: 't', maxEntries: 0 }, /maxEntries must be an integer from 1/],
      [{ topic: 't', maxBytes: 'one' }, /maxBytes must be an integer/],
      [{ topic: 't', key: 'text' }, /the option key must be a function that decodes, or \{ decode, encode \}, got 'text'/],
      [{ topic: 't', value: { decode: String } }, /the option value must be/],
      [{ topic: 't', producer: {} }, /the option producer must be/],
      [{ topic: 't', signal: {} }, /the option signal must be/],
      [{ topic: 't', consumer: { groupId: 'g' } }, /groupId is the table's/],
    ]) {
      await assert.rejects(kafka.table(options), told);
    }
  });

  test(`has what the log has last, through writes, tombstones, two partitions of a key, restarts of it and of the broker (SEED=${seed})`, async (t) => {
    const kafka = client(cluster);
    const topic = await cluster.topic(2, COMPACT);
    const write = await writer(t, kafka);
    const next = random(seed);
    const below = (n) => Math.floor(next() * n);
    let table = await kafka.table({ topic, consumer: QUICK });
    cleanup(t, () => table.close());
    let clock = 1_700_000_000_000;
    for (let round = 0; round < 8; round++) {
      const writes = [];
      for (let i = 0; i < 60; i++) {
        const key = `k${below(30)}`;
        // Each time is later, or the same; what is in two partitions has come there by a partitioner of its own.
        clock += below(3);
        const value = below(4) === 0 ? null : JSON.stringify({ round, i });
        writes.push([below(10) === 0 ? below(2) : Number(key.slice(1)) % 2, key, value, clock]);
      }
      await write(topic, ...writes);
      if (round === 4) {
        const [node] = cluster.kafka.nodes;
        await node.stop();
        await node.start();
      }
      if (below(3) === 0) {
        await table.close();
        table = await kafka.table({ topic, consumer: QUICK });
      } else {
        await table.caughtUp();
      }
      assert.deepEqual(sorted(table), sorted(await lastValues(cluster, topic)), `round ${round}`);
    }
  });
});

describe('a table of three brokers', () => {
  let cluster;
  before(async () => (cluster = await real({ own: true, nodes: 3 })));
  after(() => cluster?.close());

  test(`has its own writes, and what the log has last, after brokers were killed at random (SEED=${seed})`, async (t) => {
    const kafka = client(cluster);
    const topic = await cluster.topic(4, { replication: 3, config: { 'cleanup.policy': 'compact', 'min.insync.replicas': '2' } });
    const table = await open(t, kafka, { topic });
    const other = await open(t, kafka, { topic });
    const followed = new Map();
    other.on('change', ({ key, value }) => (value === undefined ? followed.delete(key) : followed.set(key, value)));
    const next = random(seed);
    const below = (n) => Math.floor(next() * n);
    let written = 0;
    let over = false;
    // Each has keys of its own: what it wrote last is what there is.
    const writers = Array.from({ length: 5 }, async (_, writer) => {
      for (let i = 0; !over; i++) {
        const key = `${writer}-${i % 20}`;
        if (i % 7 === 6) await table.delete(key);
        else await table.set(key, { writer, i });
        assert.deepEqual(table.get(key), i % 7 === 6 ? undefined : { writer, i });
        written++;
      }
    });
    const failed = Promise.all(writers);
    for (let round = 0; round < ROUNDS; round++) {
      const node = cluster.kafka.nodes[below(3)];
      const goal = written + 200;
      await node.kill();
      await Promise.race([failed, eventually(PATIENCE, 'writes go on', () => written >= goal)]);
      await node.start();
      await Promise.race([failed, eventually(PATIENCE, 'all replicas are in sync', () => inSync(cluster, topic))]);
    }
    over = true;
    await failed;
    await Promise.all([table.caughtUp(), other.caughtUp()]);
    const wanted = sorted(await lastValues(cluster, topic));
    assert.ok(wanted.length > 50, `${wanted.length}`);
    assert.deepEqual(sorted(table), wanted);
    assert.deepEqual(sorted(other), wanted);
    assert.deepEqual(sorted(followed), wanted);
    assert.deepEqual(sorted(await open(t, kafka, { topic })), wanted);
  });
});

async function inSync(cluster, topic) {
  const admin = client(cluster).admin();
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    return topics[0].partitions.every(({ isr, leader }) => leader >= 0 && isr.length === 3);
  } finally {
    await admin.disconnect();
  }
}

describe('a table without rights', () => {
  let cluster;
  before(async () => (cluster = await real({ own: true, security: true, acls: true })));
  after(() => cluster?.close());

  test('is refused; one that loses them ends, and says why', async (t) => {
    const topic = await cluster.topic(1, COMPACT);
    const admin = await connected(t, client(cluster).admin());
    const alice = cluster.kafka.users.alice;
    const { logger, lines } = witness();
    const kafka = new Kafka({
      brokers: cluster.kafka.listeners.saslPlaintext.split(','),
      sasl: { mechanism: 'plain', username: alice.username, password: alice.password },
      logger,
    });
    await assert.rejects(kafka.table({ topic }), (error) => error.type === 'TOPIC_AUTHORIZATION_FAILED');
    const acl = {
      resourceType: AclResourceTypes.TOPIC,
      resourceName: topic,
      resourcePatternType: ResourcePatternTypes.LITERAL,
      principal: 'User:alice',
      host: '*',
      permissionType: AclPermissionTypes.ALLOW,
    };
    await admin.createAcls({
      acl: [
        { ...acl, operation: AclOperationTypes.READ },
        { ...acl, operation: AclOperationTypes.DESCRIBE },
      ],
    });
    const table = await eventually(PATIENCE, 'the rights', () => open(t, kafka, { topic, consumer: { metadataMaxAge: 200 } }).catch(() => undefined));
    // A client that may only read has a table all the same; when it may write, it does.
    await assert.rejects(table.set('a', 1), (error) => /AUTHORIZATION_FAILED/.test(error.type));
    await admin.createAcls({ acl: [{ ...acl, operation: AclOperationTypes.WRITE }] });
    await eventually(PATIENCE, 'the right to write', () => table.set('own', 1).then(() => true));
    assert.equal(table.get('own'), 1);
    await (await writer(t, client(cluster)))(topic, [0, 'a', '1']);
    await table.caughtUp();
    assert.equal(table.get('a'), 1);
    const heard = once(table, 'error');
    await admin.deleteAcls({ filters: [acl, { ...acl }].map((filter) => ({ ...filter, operation: AclOperationTypes.ANY })) });
    const [error] = await within(
      PATIENCE,
      () => `the end: ${JSON.stringify(lines.all.slice(-3))}`,
      () => heard,
    );
    assert.equal(error.type, 'TOPIC_AUTHORIZATION_FAILED');
    assert.equal(await table.closed, error);
    for (const call of [() => table.set('a', 1), () => table.caughtUp()]) await assert.rejects(call(), error);
    assert.equal(table.get('a'), 1);
  });
});
