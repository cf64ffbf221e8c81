'use strict';
// Logs that kafka-proxy reads without a group: each socket gets everything from where it begins, in order, at its own pace.

const { describe, test, before, after } = require('node:test');
const assert = require('node:assert/strict');
const { once } = require('node:events');
const v8 = require('node:v8');
const vm = require('node:vm');
const WebSocket = require('ws');
const { WebSocketServer } = WebSocket;
const { Batch } = require('kafka-native');
const { Flow } = require('../js/kafka-proxy/dist/flow.js');
const { jsonFormat } = require('../js/kafka-proxy/dist/frames.js');
const { Cache } = require('../js/kafka-proxy/dist/log/page.js');
const { PartitionLog } = require('../js/kafka-proxy/dist/log/partition-log.js');
const { Reading } = require('../js/kafka-proxy/dist/log/reading.js');
const { ANYBODY } = require('../js/kafka-proxy/dist/doors/identity.js');
const { WsSocket } = require('../js/kafka-proxy/dist/ws-socket.js');
const { cleanup } = require('./support/cleanup.js');
const { embedded, onBoth, real, topicName } = require('./support/clusters.js');
const { PATIENCE } = require('./support/flow.js');
const { Client, Socket, producerOf, stage } = require('./support/proxy-logs.js');
const { random, seed } = require('./support/random.js');
const { eventually } = require('./support/watch.js');

/** Messages `from` to `from + count`, dealt over the partitions. */
const numbers = (count, from = 0, partitions = 1) => Array.from({ length: count }, (_, i) => ({ partition: (from + i) % partitions, value: String(from + i) }));
const values = (client, partition) =>
  client.records.filter((record) => partition === undefined || record.partition === partition).map(({ value }) => Number(value));
const range = (begin, end, step = 1) => Array.from({ length: Math.max(Math.ceil((end - begin) / step), 0) }, (_, i) => begin + i * step);
/** Sends to partitions that were made a moment ago: to each again until it is there, so that nothing is sent twice. */
async function sendOnce(producer, topic, messages) {
  for (const partition of new Set(messages.map((each) => each.partition))) {
    const its = messages.filter((each) => each.partition === partition);
    await eventually(PATIENCE, `messages in ${topic}/${partition}`, async () => (await producer.send({ topic, messages: its }), true));
  }
}

/** The function that collects garbage. */
async function collector() {
  v8.setFlagsFromString('--expose-gc');
  return vm.runInNewContext('gc');
}
/** So many bytes of live topics may wait for a socket, and one page. */
const FULL = 3 * 1024 * 1024;

onBoth('reading without a group', (cluster) => {
  test("from 'latest' a client gets what is produced from then on, and is told where that is", async (t) => {
    const topic = await cluster().topic(2);
    const { logs } = stage(t, cluster());
    const producer = await producerOf(t, cluster());
    await producer.send({ topic, messages: numbers(20, 0, 2) });
    const client = await Client.open(logs, { topics: [topic] });
    const partitions = [0, 1].map((partition) => ({ topic, partition, offset: 10 }));
    assert.deepEqual(client.all, [
      { type: 'assigned', partitions, after: 0 },
      { type: 'caughtUp', after: 0 },
    ]);
    await producer.send({ topic, messages: numbers(20, 20, 2) });
    await client.got(20);
    for (const partition of [0, 1]) assert.deepEqual(values(client, partition), range(20 + partition, 40, 2));
    assert.deepEqual(
      client.records.map(({ offset }) => offset).sort((a, b) => a - b),
      range(10, 20).flatMap((each) => [each, each]),
    );
  });

  test("from 'earliest' a client gets everything, and 'caughtUp' when it has what was there", async (t) => {
    const topic = await cluster().topic(3);
    const { logs } = stage(t, cluster());
    const producer = await producerOf(t, cluster());
    await producer.send({ topic, messages: numbers(3000, 0, 3) });
    const client = await Client.open(logs, { topics: [topic], from: 'earliest' });
    const { after: had } = await client.told('caughtUp');
    assert.equal(had, 3000);
    await producer.send({ topic, messages: numbers(30, 3000, 3) });
    await client.got(3030);
    for (const partition of [0, 1, 2]) assert.deepEqual(values(client, partition), range(partition, 3030, 3));
    assert.equal(client.types().filter((type) => type === 'caughtUp').length, 1);
  });

  test('a client begins at offsets, at a time, and only in the partitions that it names', async (t) => {
    const topic = await cluster().topic(2);
    const { logs } = stage(t, cluster());
    const producer = await producerOf(t, cluster());
    await producer.send({ topic, messages: numbers(20, 0, 2).map((message, i) => ({ ...message, timestamp: String(1_700_000_000_000 + i * 1000) })) });
    const offsets = [
      { topic, partition: 0, offset: 7 },
      { topic: 'another', partition: 1, offset: 3 },
    ];
    const placed = await Client.open(logs, { topics: [topic], from: { offsets } });
    await placed.got(13);
    assert.deepEqual([values(placed, 0), values(placed, 1)], [range(14, 20, 2), range(1, 20, 2)]);
    const one = await Client.open(logs, { topics: [topic], from: 'earliest', partitions: [1] });
    await one.told('caughtUp');
    assert.deepEqual(values(one), range(1, 20, 2));
    // The embedded cluster does not look up times.
    if (cluster().kind === 'embedded') return;
    const timed = await Client.open(logs, { topics: [topic], from: { timestamp: 1_700_000_010_500 } });
    await timed.told('caughtUp');
    assert.deepEqual([values(timed, 0), values(timed, 1)], [range(12, 20, 2), range(11, 20, 2)]);
  });

  test('what is not there is refused, and not made', async (t) => {
    const { logs, admin } = stage(t, cluster());
    const missing = topicName('missing');
    const topic = await cluster().topic(1);
    await assert.rejects(Client.open(logs, { topics: [topic, missing] }), {
      name: 'ProxyError',
      code: 'UNKNOWN_TOPIC_OR_PARTITION',
      retriable: true,
      close: 4404,
    });
    await assert.rejects(Client.open(logs, { topics: [topic], partitions: [0, 7] }), { code: 'UNKNOWN_TOPIC_OR_PARTITION' });
    assert.equal((await (await admin()).listTopics()).includes(missing), false);
    const client = await Client.open(logs, { topics: [topic] });
    assert.throws(() => client.subscription.pause([{ topic, partition: 7 }]), { name: 'ProxyError', code: 'NOT_ASSIGNED' });
  });

  test('credit in messages is exact, with a rule too, and in bytes exceeded by one frame at most', async (t) => {
    const topic = await cluster().topic(2);
    const { logs } = stage(t, cluster());
    const producer = await producerOf(t, cluster());
    await producer.send({ topic, messages: numbers(2000, 0, 2).map((message, i) => ({ ...message, key: i % 10 < 2 ? 'mine' : 'other' })) });
    const few = await Client.open(logs, { topics: [topic], from: 'earliest' }, { credit: { messages: 7 } });
    const ruled = await Client.open(logs, { topics: [topic], from: 'earliest' }, { credit: { messages: 7 }, format: { only: { key: 'mine' } } });
    const small = await Client.open(logs, { topics: [topic], from: 'earliest' }, { credit: { bytes: 1000 } });
    for (let given = 7; given <= 70; given += 7) {
      await few.got(given);
      await ruled.got(given);
      await few.subscription.lag();
      assert.equal(few.records.length, given);
      assert.equal(ruled.records.length, given);
      few.flow.give({ messages: 7 });
      ruled.flow.give({ messages: 7 });
    }
    assert.ok(ruled.records.every(({ key }) => key === 'mine'));
    await small.subscription.lag();
    const bytes = (frames) => frames.reduce((sum, frame) => sum + frame.bytes.length, 0);
    assert.ok(bytes(small.frames.slice(0, -1)) < 1000 && small.frames.length > 0);
    assert.ok(bytes(small.frames) < 3000, 'frames are cut to about what is left');
    few.flow.give({ messages: 10_000 });
    ruled.flow.give({ messages: 10_000 });
    small.flow.give({ bytes: 10_000_000 });
    await ruled.got(400);
    for (const client of [few, small]) {
      await client.got(2000);
      for (const partition of [0, 1]) assert.deepEqual(values(client, partition), range(partition, 2000, 2));
    }
    assert.equal((await ruled.told('caughtUp')).after, 400);
  });

  test('all sockets of a topic share one consumer and one frame', async (t) => {
    const topic = await cluster().topic(1);
    const stageOf = stage(t, cluster());
    const producer = await producerOf(t, cluster());
    const clients = await Promise.all(Array.from({ length: 20 }, () => Client.open(stageOf.logs, { topics: [topic] })));
    await producer.send({ topic, messages: numbers(50) });
    await Promise.all(clients.map((client) => client.got(50)));
    assert.equal(stageOf.consumers, 1);
    for (const client of clients) {
      assert.deepEqual(values(client), range(0, 50));
      assert.equal(client.frames[0].bytes, clients[0]?.frames[0].bytes);
    }
  });

  test('many clients at many places of the past get everything with two consumers and no cache', async (t) => {
    const topic = await cluster().topic(2);
    const stageOf = stage(t, cluster(), { limits: { past: 2, cache: 0 } });
    const producer = await producerOf(t, cluster());
    for (let i = 0; i < 4; i++) await producer.send({ topic, messages: numbers(1000, i * 1000, 2) });
    const clients = await Promise.all(
      range(0, 2000, 200).map((offset) =>
        Client.open(stageOf.logs, { topics: [topic], from: { offsets: [0, 1].map((partition) => ({ topic, partition, offset })) } }),
      ),
    );
    await producer.send({ topic, messages: numbers(100, 4000, 2) });
    for (const [i, client] of clients.entries()) {
      await client.got(4100 - i * 400);
      for (const partition of [0, 1]) assert.deepEqual(values(client, partition), range(i * 400 + partition, 4100, 2));
    }
    assert.ok(stageOf.consumers <= 3);
  });

  test('partitions are paused, resumed and sought, and their lag is told', async (t) => {
    const topic = await cluster().topic(2);
    const { logs } = stage(t, cluster());
    const producer = await producerOf(t, cluster());
    const client = await Client.open(logs, { topics: [topic] });
    client.subscription.pause([{ topic, partition: 1 }]);
    await producer.send({ topic, messages: numbers(20, 0, 2) });
    await client.got(10);
    await client.subscription.lag();
    assert.deepEqual((await client.told('lag')).partitions, [
      { topic, partition: 0, offset: 10, end: 10, lag: 0 },
      { topic, partition: 1, offset: 0, end: 10, lag: 10 },
    ]);
    assert.deepEqual(values(client), range(0, 20, 2));
    client.subscription.resume([]);
    await client.got(20);
    assert.deepEqual(values(client, 1), range(1, 20, 2));
    await client.subscription.seek({ topic, partition: 0 }, 8);
    await client.got(22);
    await client.subscription.seek({ topic, partition: 0 }, 'earliest');
    await client.got(32);
    await client.subscription.seek({ topic, partition: 1 }, 'latest');
    await producer.send({ topic, messages: numbers(2, 20, 2) });
    await client.got(34);
    assert.deepEqual(values(client, 0), [...range(0, 20, 2), 16, 18, ...range(0, 22, 2)]);
    assert.deepEqual(values(client, 1), range(1, 22, 2));
    const assigned = client.all.filter(({ type }) => type === 'assigned').slice(1);
    assert.deepEqual(
      assigned.map(({ partitions: [place] }) => [place.partition, place.offset]),
      [
        [0, 8],
        [0, 0],
        [1, 10],
      ],
    );
  });

  test('a pattern has the topics that fit, also those that are made later, from their first message', async (t) => {
    const prefix = topicName('like').replaceAll('.', '-');
    const make = async (name) => {
      if (cluster().mock) return cluster().mock?.createTopic(name, { partitions: 2 });
      await cluster().admin?.createTopic(name, { partitions: 2, replication: 1 });
    };
    await make(`${prefix}-a`);
    const { logs } = stage(t, cluster());
    const producer = await producerOf(t, cluster());
    const client = await Client.open(logs, { pattern: new RegExp(`^${prefix}-[ab]$`, 'g') });
    await make(`${prefix}-c`);
    await make(`${prefix}-b`);
    for (const name of ['b', 'c', 'a']) await sendOnce(producer, `${prefix}-${name}`, numbers(10, 0, 2));
    await client.got(20);
    assert.deepEqual(new Set(client.records.map(({ topic }) => topic)), new Set([`${prefix}-a`, `${prefix}-b`]));
    assert.equal(client.all.filter(({ type }) => type === 'assigned').length, 2);
  });

  test('a topic that a pattern finds while the proxy has no room is said once, and comes from its first message when there is', async (t) => {
    const prefix = topicName('room').replaceAll('.', '-');
    const other = await cluster().topic(1);
    const { logs } = stage(t, cluster(), { limits: { readers: 1 } });
    const client = await Client.open(logs, { pattern: new RegExp(`^${prefix}-`) });
    const before = await Client.open(logs, { topics: [other] });
    const topic = `${prefix}-a`;
    if (cluster().mock) cluster().mock?.createTopic(topic, { partitions: 2 });
    else await cluster().admin?.createTopic(topic, { partitions: 2, replication: 1 });
    await sendOnce(await producerOf(t, cluster()), topic, numbers(10, 0, 2));
    const { code, message } = await client.until(({ type }) => type === 'warn');
    assert.equal(code, 'LIMIT');
    assert.match(message, new RegExp(`${topic} fits.*when there is room`));
    await before.subscription.close();
    await client.got(10);
    assert.equal(client.all.filter(({ type }) => type === 'warn').length, 1);
  });

  test('a table has the last message of each key, then everything that changes, and nothing goes back', async (t) => {
    const topic = await cluster().topic(2);
    const { logs } = stage(t, cluster());
    const producer = await producerOf(t, cluster());
    const send = (...entries) => producer.send({ topic, messages: entries.map(([key, value]) => ({ partition: Number(key) % 2, key: String(key), value })) });
    for (let round = 0; round < 3; round++) await send(...range(0, 3000).map((key) => [key, String(round)]));
    await send(...range(0, 3000, 3).map((key) => [key, null]));
    const whole = await Client.open(logs, { topics: [topic], table: true });
    const { after: had } = await whole.told('caughtUp');
    assert.equal(had, 2000);
    assert.ok(whole.records.every(({ snapshot, value }) => snapshot && value === '2'));

    // A slow one, while keys change that were sent already, and such that were not.
    const slow = await Client.open(logs, { topics: [topic], table: true }, { credit: { messages: 1000 } });
    await slow.got(1000);
    await send(...range(0, 3000, 2).map((key) => [key, '3']), ...range(1, 3000, 4).map((key) => [key, null]));
    await whole.got(2000 + 1500 + 750);
    slow.flow.give({ messages: 10_000 });
    await slow.told('caughtUp');
    await send([0, 'last'], [1, 'last']);
    for (const client of [whole, slow]) {
      await client.until((call) => call.type === 'batch' && call.partition === 1 && call.records.some(({ value }) => value === 'last'));
      await client.until((call) => call.type === 'batch' && call.partition === 0 && call.records.some(({ value }) => value === 'last'));
      const table = new Map();
      const at = new Map();
      for (const { key, value, offset } of client.records) {
        assert.ok(offset > (at.get(key) ?? -1), `${key} goes back`);
        at.set(key, offset);
        if (value === null) table.delete(key);
        else table.set(key, value);
      }
      const expected = range(0, 3000).flatMap((key) =>
        key < 2 ? [[key, 'last']] : key % 2 === 0 ? [[key, '3']] : key % 4 === 1 || key % 3 === 0 ? [] : [[key, '2']],
      );
      assert.deepEqual(table, new Map(expected.map(([key, value]) => [String(key), value])));
    }
    assert.ok(slow.records.length < 2000 + 1500 + 750 + 2, 'what changed meanwhile is sent once');
  });
});

describe('a partition', () => {
  const batch = (values, first) =>
    Batch.of(
      't',
      0,
      values.map((value, i) => ({ offset: first + i, value: String(value) })),
    );
  /** A reader that gets everything of a log, from an offset on. */
  function reading(log, offset, options) {
    const socket = new Socket();
    const told = { values: [], warnings: [] };
    const flow = new Flow(/** @type {any} */ (socket));
    const outlet = {
      flow,
      format: jsonFormat({ id: 1 }),
      batch: (_topic, _partition, frame) => {
        flow.took(frame.count, frame.bytes.length);
        for (const { value } of JSON.parse(frame.bytes.toString()).records) told.values.push(Number(value));
      },
      notice() {},
      warn: (error) => told.warnings.push(error.code),
      fail: assert.fail,
    };
    const owner = { past: { ask: (...asked) => ((told.asked = asked), () => {}) }, slow: { watch() {} }, closed() {} };
    const made = new Reading(/** @type {any} */ (owner), /** @type {any} */ (outlet), false);
    made.add([{ log, offset, target: -1, ...options }]);
    made.begin();
    return Object.assign(told, { flow, reading: made });
  }

  test('whose leader has lost its end begins anew there, for those at the end and those behind', async () => {
    const cache = new Cache(1e9);
    const log = new PartitionLog(cache, 't', 0, 0);
    const live = reading(log, 0);
    const behind = reading(log, 0);
    log.append(batch(range(0, 10), 0));
    behind.flow.give({ messages: 8 });
    log.append(batch(range(10, 20), 10));
    // 15 to 19 are gone, others have their offsets.
    log.append(batch(range(115, 125), 15));
    behind.flow.give({ messages: 100 });
    assert.deepEqual(live.values, [...range(0, 20), ...range(115, 125)]);
    await eventually(PATIENCE, 'the one behind has them', () => behind.values.length >= 28);
    assert.deepEqual(behind.values, [...range(0, 18), ...range(115, 125)]);
  });

  test('keeps at most so many bytes of pages and frames, the newest', () => {
    const [one, ten] = [batch(['x'.repeat(1000)], 0), batch(Array(10).fill('x'.repeat(1000)), 0)];
    assert.ok(one.bytes > 1000 && one.bytes < 2000 && ten.bytes > 10_000 && ten.bytes < 12_000, `${one.bytes}, ${ten.bytes}`);
    const cache = new Cache(100_000);
    const logs = range(0, 3).map((partition) => new PartitionLog(cache, 't', partition, 0));
    const followers = logs.map((log) => reading(log, 0));
    const chance = random(seed);
    const next = [0, 0, 0];
    for (let step = 0; step < 2000; step++) {
      const at = Math.floor(chance() * 3);
      const count = 1 + Math.floor(chance() * 200);
      logs[at].append(batch(range(next[at], next[at] + count), next[at]));
      next[at] += count;
      assert.ok(cache.bytes <= 100_000, `${cache.bytes}`);
      const { begin } = logs[at];
      for (const offset of [begin, begin + Math.floor(chance() * (next[at] - begin)), next[at] - 1]) {
        const page = logs[at].find(offset);
        assert.ok(page ? page.begin <= offset && offset < page.next : offset >= next[at] || begin === next[at]);
      }
      assert.equal(logs[at].find(begin - 1), undefined);
    }
    for (const [i, { values: got }] of followers.entries()) assert.deepEqual(got, range(0, next[i]));
    for (const log of logs) log.end();
    assert.equal(cache.bytes, 0);
  });
});

describe('limits', () => {
  let cluster;
  before(async () => (cluster = await embedded()));
  after(() => cluster.close());

  const large = (count, from) => numbers(count, from).map((message) => ({ ...message, headers: { fill: 'x'.repeat(1000) } }));

  test('what Kafka does not let the proxy read is refused, and ends a subscription that has it', async (t) => {
    const [topic, other] = [await cluster.topic(1), await cluster.topic(1)];
    const { logs } = stage(t, cluster);
    const client = await Client.open(logs, { topics: [topic] });
    const there = await Client.open(logs, { topics: [other] });
    cluster.mock.setTopicError(topic, 29); // TOPIC_AUTHORIZATION_FAILED
    const { error } = await client.told('fail', { code: 'TOPIC_AUTHORIZATION_FAILED' });
    assert.deepEqual([error.retriable, error.close], [false, 4403]);
    await assert.rejects(Client.open(logs, { topics: [topic] }), { name: 'ProxyError', code: 'TOPIC_AUTHORIZATION_FAILED', retriable: false, close: 4403 });
    const producer = await producerOf(t, cluster);
    await producer.send({ topic: other, messages: numbers(10) });
    await there.got(10);
  });

  test('a partition without a leader keeps the past of others only for a while, though there is one consumer for it', async (t) => {
    const topic = await cluster.topic(2);
    const { logs } = stage(t, cluster, { limits: { past: 1, cache: 0 } });
    const producer = await producerOf(t, cluster);
    await producer.send({ topic, messages: numbers(100, 0, 2) });
    const open = (partition) => Client.open(logs, { topics: [topic], from: 'earliest', partitions: [partition] }, { credit: { messages: 0 } });
    const [stuck, other] = [await open(0), await open(1)];
    cluster.mock.setLeader(topic, 0, -1);
    stuck.flow.give({ messages: 100 });
    await new Promise(setImmediate);
    other.flow.give({ messages: 100 });
    await other.got(50);
    assert.equal(stuck.records.length, 0);
    cluster.mock.setLeader(topic, 0, 1);
    await stuck.got(50);
    assert.deepEqual([values(stuck), values(other)], [range(0, 100, 2), range(1, 100, 2)]);
  });

  test('who closes while it is asked where a topic ends leaves no reader behind', async (t) => {
    const topic = await cluster.topic(1);
    const made = stage(t, cluster);
    const { kafka } = made;
    const events = [];
    made.kafka = {
      consumer: (config) => {
        const consumer = kafka.consumer(config);
        for (const name of /** @type {const} */ (['consumer.connect', 'consumer.disconnect'])) consumer.on(name, () => events.push(name));
        return consumer;
      },
    };
    const client = new Client(made.logs, { topics: [topic] });
    await Promise.all([made.logs.close(), assert.rejects(client.opening, { code: 'CLOSING' })]);
    assert.deepEqual(events, ['consumer.disconnect']);
  });

  test('a leader that is new is asked again', async (t) => {
    const topic = await cluster.topic(1);
    const { logs } = stage(t, cluster);
    const producer = await producerOf(t, cluster);
    await producer.send({ topic, messages: numbers(10) });
    cluster.mock.injectErrors(2, [74, 75]); // ListOffsets: FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH
    const client = await Client.open(logs, { topics: [topic], from: 'earliest' });
    await client.got(10);
  });

  test('a table that is too large ends, with those who have it', async (t) => {
    const topic = await cluster.topic(2);
    const { logs } = stage(t, cluster, { table: { entries: 100, bytes: 1e6 } });
    const producer = await producerOf(t, cluster);
    const send = (from, count) => producer.send({ topic, messages: numbers(count, from, 2).map((message) => ({ ...message, key: message.value })) });
    await send(0, 100);
    await send(0, 100);
    const [client, plain] = [await Client.open(logs, { topics: [topic], table: true }), await Client.open(logs, { topics: [topic] })];
    assert.equal((await client.told('caughtUp')).after, 100);
    await send(100, 1);
    const { error } = await client.told('fail', { code: 'TABLE_TOO_LARGE' });
    assert.deepEqual([error.retriable, error.close], [false, 4413]);
    await assert.rejects(Client.open(logs, { topics: [topic], table: true }), { code: 'TABLE_TOO_LARGE' });
    await send(101, 9);
    await plain.got(10);
  });

  test('a socket that is full is closed with 1013 when it takes nothing, and has had no more than its limit', async (t) => {
    const topic = await cluster.topic(1);
    const { logs } = stage(t, cluster, { limits: { slow: 200 } });
    const producer = await producerOf(t, cluster);
    const [stuck, fast] = await Promise.all([Client.open(logs, { topics: [topic] }), Client.open(logs, { topics: [topic] })]);
    stuck.socket.held = true;
    for (let i = 0; i < 16; i++) await producer.send({ topic, messages: large(500, i * 500) });
    await fast.got(8000);
    await eventually(PATIENCE, 'the socket is closed', () => stuck.socket.closedWith);
    assert.equal(stuck.socket.closedWith?.code, 1013);
    assert.ok(stuck.socket.most > FULL - stuck.socket.largest && stuck.socket.most <= FULL + stuck.socket.largest);
    assert.deepEqual(values(fast), range(0, 8000));
    assert.deepEqual(values(stuck), range(0, stuck.records.length));
  });

  test('a socket that takes nothing of the past is closed with 1013, too, and stays while it takes some, whatever others send it', async (t) => {
    const topic = await cluster.topic(1);
    const { logs } = stage(t, cluster, { limits: { slow: 200 } });
    const producer = await producerOf(t, cluster);
    for (let i = 0; i < 10; i++) await producer.send({ topic, messages: large(500, i * 500) });
    const [stuck, slow] = [new Socket(), new Socket()];
    stuck.held = slow.held = true;
    const [client, other] = [
      await Client.open(logs, { topics: [topic], from: 'earliest' }, { socket: stuck }),
      await Client.open(logs, { topics: [topic], from: 'earliest' }, { socket: slow }),
    ];
    // It takes less than the others send: what waits grows all the while.
    const drains = setInterval(() => {
      slow.drain(1024);
      slow.send(Buffer.alloc(2048));
    }, 10);
    cleanup(t, () => clearInterval(drains));
    await eventually(PATIENCE, 'the socket is closed', () => stuck.closedWith);
    assert.equal(stuck.closedWith?.code, 1013);
    assert.ok(stuck.most <= 1024 * 1024 + stuck.largest, `${stuck.most} bytes`);
    assert.ok(client.records.length < 5000);
    assert.equal(slow.closedWith, undefined);
    clearInterval(drains);
    slow.held = false;
    slow.drain();
    await other.got(5000);
  });

  test('a socket that takes some of it stays, and gets the rest', async (t) => {
    const topic = await cluster.topic(1);
    const { logs } = stage(t, cluster, { limits: { slow: 200 } });
    const producer = await producerOf(t, cluster);
    const client = await Client.open(logs, { topics: [topic] });
    const { socket } = client;
    socket.held = true;
    for (let i = 0; i < 10; i++) await producer.send({ topic, messages: large(500, i * 500) });
    await eventually(PATIENCE, 'the socket is full', () => socket.buffered >= FULL);
    const had = client.records.length;
    assert.ok(had < 5000);
    while (client.records.length < 5000) {
      socket.drain();
      const before = client.records.length;
      await client.got(before + 1);
      // Behind the limit it gets a megabyte at a time.
      assert.ok(socket.buffered <= 1024 * 1024 + socket.largest);
    }
    assert.deepEqual(values(client), range(0, 5000));
    assert.equal(socket.closedWith, undefined);
  });

  test('a socket that takes a little at a time stays, however long it needs for all of it', async (t) => {
    const topic = await cluster.topic(1);
    const { logs } = stage(t, cluster, { limits: { slow: 500 } });
    const producer = await producerOf(t, cluster);
    const client = await Client.open(logs, { topics: [topic] });
    const { socket } = client;
    socket.held = true;
    for (let i = 0; i < 10; i++) await producer.send({ topic, messages: large(500, i * 500) });
    await eventually(PATIENCE, 'the socket is full', () => socket.buffered >= FULL);
    const drains = setInterval(() => socket.drain(64 * 1024), 25);
    cleanup(t, () => clearInterval(drains));
    await eventually(PATIENCE, 'it has gone on', () => client.records.length === 5000 || socket.closedWith);
    assert.equal(socket.closedWith, undefined);
  });

  test('a socket that asked for the newest misses the rest, and is told how much', async (t) => {
    const topic = await cluster.topic(1);
    const { logs } = stage(t, cluster, { limits: { slow: 50 } });
    const producer = await producerOf(t, cluster);
    const [client, fast] = await Promise.all([Client.open(logs, { topics: [topic], slow: 'newest' }), Client.open(logs, { topics: [topic] })]);
    client.socket.held = true;
    for (let i = 0; i < 10; i++) await producer.send({ topic, messages: large(500, i * 500) });
    await fast.got(5000);
    const had = client.records.length;
    client.socket.drain();
    const { message } = await client.told('warn', { code: 'SKIPPED' });
    assert.match(message, new RegExp(`^${5000 - had} messages `));
    await producer.send({ topic, messages: numbers(10, 5000) });
    await client.got(had + 10);
    assert.deepEqual(values(client), [...range(0, had), ...range(5000, 5010)]);
    assert.equal(client.socket.closedWith, undefined);
  });

  test('what a closed socket had is given back, and the reader of a topic ends when nobody wants it', async (t) => {
    const topic = await cluster.topic(1);
    const stageOf = stage(t, cluster, { linger: 50 });
    const client = await Client.open(stageOf.logs, { topics: [topic] });
    client.socket.close(1000);
    client.ended = true;
    const producer = await producerOf(t, cluster);
    await eventually(PATIENCE, 'another reader', async () => {
      const other = await Client.open(stageOf.logs, { topics: [topic] });
      await other.close();
      await new Promise((resolve) => setTimeout(resolve, 100));
      return stageOf.consumers > 1;
    });
    await producer.send({ topic, messages: numbers(10) });
  });
});

describe('a real cluster', () => {
  let cluster;
  before(async () => (cluster = await real()));
  after(() => cluster.close());

  test('while 200 MB go by a socket that stands still, memory is flat, and another gets them all; then it gets them, too', async (t) => {
    const topic = await cluster.topic(1);
    const { logs } = stage(t, cluster, { limits: { cache: 8 * 1024 * 1024, slow: 600_000 } });
    const producer = await producerOf(t, cluster, { compression: 'lz4' });
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    cleanup(t, () => server.close());
    await once(server, 'listening');
    /** A real socket with a subscription; what its client has is counted there. */
    const open = async () => {
      const counted = { next: 0, wrong: 0, ws: new WebSocket(`ws://127.0.0.1:${server.address().port}`) };
      counted.ws.on('message', (data) => {
        // The fields that count, without an object a message.
        const text = data.toString('latin1');
        const first = Number(/"offset":(\d+)/.exec(text)?.[1]);
        const last = Number(/"offset":(\d+)/.exec(text.slice(text.lastIndexOf('"offset"')))?.[1]);
        if (first !== counted.next) counted.wrong++;
        counted.next = last + 1;
      });
      const [ws, request] = await once(server, 'connection');
      const socket = new WsSocket(ws, request.socket, ANYBODY, '127.0.0.1', { rate: 1000, ended() {}, failed() {}, closed() {} });
      counted.most = counted.largest = 0;
      const send = socket.send.bind(socket);
      socket.send = (frame, options) => {
        send(frame, options);
        counted.largest = Math.max(counted.largest, frame.length);
        counted.most = Math.max(counted.most, socket.buffered);
      };
      cleanup(t, () => counted.ws.terminate());
      await Client.open(logs, { topics: [topic] }, { socket, onBatch() {} });
      return counted;
    };
    const [fast, stuck] = [await open(), await open()];
    stuck.ws.pause();
    const gc = await collector();
    const used = () => {
      gc();
      const { heapUsed, external } = process.memoryUsage();
      return (heapUsed + external) / 1024 / 1024;
    };
    const fill = 'x'.repeat(1000);
    const many = Array.from({ length: 2000 }, () => ({ value: fill }));
    const memory = [];
    for (let i = 1; i <= 100; i++) {
      await producer.send({ topic, messages: many });
      if (i % 20 !== 0) continue;
      await eventually(PATIENCE, 'the fast one has it', () => fast.next === i * 2000);
      memory.push(Math.round(used()));
    }
    assert.ok(Math.max(...memory) < 100, `MB used: ${memory}`);
    assert.equal(fast.wrong, 0);
    assert.ok(stuck.next < 50_000 && stuck.most <= FULL + stuck.largest && stuck.most > FULL - stuck.largest, `${stuck.most}`);
    stuck.ws.resume();
    await eventually(PATIENCE, 'the other has it', () => stuck.next === 200_000);
    assert.equal(stuck.wrong, 0);
    assert.ok(used() < 100, `MB used: ${used()}`);
  });

  test('what is not committed is not sent, and markers at the end do not hold back caughtUp', async (t) => {
    const topic = await cluster.topic(1);
    const { logs } = stage(t, cluster);
    const plain = await producerOf(t, cluster);
    const producer = await producerOf(t, cluster, { transactionalId: topicName('tx') });
    const write = async (count, from, end) => {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: numbers(count, from) });
      await transaction[end]();
    };
    const early = await Client.open(logs, { topics: [topic] });
    await write(10, 0, 'commit');
    await write(10, 10, 'abort');
    await early.got(10);
    // Where the reader is already, and a marker is the last thing in the log.
    for (const from of ['earliest', { offsets: [{ topic, partition: 0, offset: 5 }] }, { offsets: [{ topic, partition: 0, offset: 12 }] }]) {
      const client = await Client.open(logs, { topics: [topic], from });
      const { after: had } = await client.told('caughtUp');
      assert.equal(had, from === 'earliest' ? 10 : from.offsets[0].offset === 5 ? 5 : 0);
    }
    // An open one: who begins now gets it when it is committed.
    const open = await producer.transaction();
    await open.send({ topic, messages: numbers(5, 100) });
    await plain.send({ topic, messages: numbers(5, 200) });
    const late = await Client.open(logs, { topics: [topic] });
    const past = await Client.open(logs, { topics: [topic], from: 'earliest' });
    const { logs: others } = stage(t, cluster);
    const first = await Client.open(others, { topics: [topic], from: { offsets: [{ topic, partition: 0, offset: 24 }] } });
    await past.told('caughtUp');
    assert.deepEqual([values(late), values(past)], [[], range(0, 10)]);
    await open.commit();
    await late.got(10);
    await past.got(20);
    await first.got(8);
    assert.deepEqual(values(late), [...range(100, 105), ...range(200, 205)]);
    assert.deepEqual(values(past), [...range(0, 10), ...range(100, 105), ...range(200, 205)]);
    assert.deepEqual(values(first), [...range(102, 105), ...range(200, 205)]);
  });

  test('who was overtaken by retention is told how many messages it missed, and goes on', async (t) => {
    const topic = await cluster.topic(1);
    const { logs, admin } = stage(t, cluster, { limits: { cache: 0 } });
    const producer = await producerOf(t, cluster);
    await producer.send({ topic, messages: numbers(1000) });
    const client = await Client.open(logs, { topics: [topic], from: 'earliest' }, { credit: { messages: 100 } });
    await client.got(100);
    await (await admin()).deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '700' }] });
    client.flow.give({ messages: 10_000 });
    await client.told('caughtUp');
    assert.deepEqual(values(client), [...range(0, 100), ...range(700, 1000)]);
    const { message, after: _, ...told } = await client.told('warn', { code: 'OFFSET_OUT_OF_RANGE' });
    assert.match(message, /^600 messages /);
    assert.deepEqual(told, { type: 'warn', code: 'OFFSET_OUT_OF_RANGE', topic, partition: 0 });
    // The same for who comes later.
    const late = await Client.open(logs, { topics: [topic], from: { offsets: [{ topic, partition: 0, offset: 650 }] } });
    assert.match((await late.told('warn', { code: 'OFFSET_OUT_OF_RANGE' })).message, /^50 messages /);
    await late.told('caughtUp');
    assert.deepEqual(values(late), range(700, 1000));
  });

  test('partitions that are added are assigned, and read from their first message', async (t) => {
    const topic = await cluster.topic(1);
    const { logs, admin } = stage(t, cluster);
    const producer = await producerOf(t, cluster, { metadataMaxAge: 200 });
    const client = await Client.open(logs, { topics: [topic] });
    const one = await Client.open(logs, { topics: [topic], partitions: [0] });
    await (await admin()).createPartitions({ topicPartitions: [{ topic, count: 3 }] });
    await sendOnce(producer, topic, numbers(30, 0, 3));
    await client.got(30);
    for (const partition of [0, 1, 2]) assert.deepEqual(values(client, partition), range(partition, 30, 3));
    assert.deepEqual(
      client.all
        .filter(({ type }) => type === 'assigned')
        .flatMap(({ partitions }) => partitions)
        .map(({ partition, offset }) => [partition, offset]),
      [
        [0, 0],
        [1, 0],
        [2, 0],
      ],
    );
    await one.got(10);
    assert.deepEqual(values(one), range(0, 30, 3));
    const late = await Client.open(logs, { topics: [topic], from: 'earliest' });
    await late.told('caughtUp');
    assert.equal(late.records.length, 30);
  });

  test('a partition that is added while a client subscribes is assigned to it, too', async (t) => {
    const [topic, other] = [await cluster.topic(1), await cluster.topic(1)];
    const made = stage(t, cluster);
    const admin = await made.admin();
    const producer = await producerOf(t, cluster, { metadataMaxAge: 200 });
    const first = await Client.open(made.logs, { topics: [topic] });
    let open;
    const opened = new Promise((resolve) => (open = resolve));
    const places = new Promise((resolve) => {
      const { fetchTopicMetadata, fetchTopicOffsets } = admin;
      admin.fetchTopicMetadata = /** @type {any} */ (
        async (asked) => {
          if (asked.topics[0] === other) await opened;
          return fetchTopicMetadata.call(admin, asked);
        }
      );
      admin.fetchTopicOffsets = async (...asked) => {
        const answer = await fetchTopicOffsets.apply(admin, asked);
        setImmediate(resolve);
        return answer;
      };
    });
    const client = new Client(made.logs, { topics: [topic, other] });
    await places;
    await admin.createPartitions({ topicPartitions: [{ topic, count: 2 }] });
    await first.told('assigned', { partitions: [{ topic, partition: 1, offset: 0 }] });
    open();
    await client.opening;
    await sendOnce(producer, topic, numbers(10, 0, 2));
    await client.got(10);
    for (const partition of [0, 1]) assert.deepEqual(values(client, partition), range(partition, 10, 2));
  });

  test('a topic that is deleted ends its subscriptions, one that is made anew begins anew', async (t) => {
    const [gone, anew] = [await cluster.topic(1), await cluster.topic(2)];
    const { logs, admin } = stage(t, cluster);
    const producer = await producerOf(t, cluster, { metadataMaxAge: 200 });
    await producer.send({ topic: gone, messages: numbers(10) });
    await producer.send({ topic: anew, messages: numbers(10, 0, 2) });
    const dead = await Client.open(logs, { topics: [gone], from: 'earliest' });
    const alive = await Client.open(logs, { topics: [anew], from: 'earliest' });
    const table = await Client.open(logs, { topics: [anew], table: true });
    await dead.got(10);
    await alive.got(10);
    await (await admin()).deleteTopics({ topics: [gone, anew] });
    await eventually(PATIENCE, 'the topic is made anew', () => cluster.admin.createTopic(anew, { partitions: 2, replication: 1 }).then(() => true));
    await dead.told('revoked', { partitions: [{ topic: gone, partition: 0 }] });
    const { error } = await dead.told('fail', { code: 'UNKNOWN_TOPIC_OR_PARTITION' });
    assert.equal(error.close, 4404);
    await alive.told('revoked');
    await table.told('revoked');
    const places = [0, 1].map((partition) => ({ topic: anew, partition, offset: 0 }));
    for (const client of [alive, table]) await client.until((call) => call.type === 'assigned' && client.all.indexOf(call) > client.types().indexOf('revoked'));
    assert.deepEqual(alive.all.filter(({ type }) => type === 'assigned').at(-1).partitions, places);
    const before = table.records.length;
    const messages = numbers(10, 500, 2).map((each) => ({ ...each, key: 'k' }));
    await sendOnce(producer, anew, messages);
    await alive.got(20);
    await table.got(before + 10);
    for (const partition of [0, 1]) assert.deepEqual(values(alive, partition).slice(-5), range(500 + partition, 510, 2));
    await assert.rejects(Client.open(logs, { topics: [gone] }), { code: 'UNKNOWN_TOPIC_OR_PARTITION' });
  });
});

describe('at random', () => {
  const RULE = { any: [{ key: 'a' }, { header: 'h', is: '1' }] };
  const wanted = ({ key, h }) => key === 'a' || h === '1';

  /** Messages that one client must have got, judged one by one. */
  class Judge {
    /** By partition: the next offset that it may get. */
    next = new Map();
    paused = new Set();
    given = Number.POSITIVE_INFINITY;
    caughtUp = 0;
    /** Partitions that it left by a seek, or where it was too slow. */
    moved = new Set();
    log = [];

    constructor(world, options) {
      this.world = world;
      this.options = options;
      /** Offsets that it has to have reached when it is caught up. */
      this.ends = new Map([...world.logs].map(([name, log]) => [name, log.length]));
    }

    say(what) {
      this.log.push(what);
      if (this.log.length > 20) this.log.shift();
    }

    check(fits, what) {
      if (!fits) throw new Error(`seed ${seed}: ${JSON.stringify(this.options)}: ${what}; before: ${this.log.join(' | ')}`);
    }

    /** The next offset that is wanted. */
    wantedFrom(name, offset) {
      const log = this.world.logs.get(name);
      while (offset < log.length && this.options.only && !wanted(log[offset])) offset++;
      return offset;
    }

    heard(call) {
      const name = `${call.topic}/${call.partition}`;
      if (call.type === 'assigned') {
        for (const { topic, partition, offset } of call.partitions) this.next.set(`${topic}/${partition}`, offset);
        this.say(`assigned ${JSON.stringify(call.partitions.map(({ partition, offset }) => [partition, offset]))}`);
      } else if (call.type === 'batch') {
        this.check(!this.paused.has(name), `${name} is paused`);
        for (const { offset, value } of call.records) {
          const next = this.next.get(name);
          if (this.loose === name) this.loose = undefined;
          else this.check(offset === this.wantedFrom(name, next), `${name} has offset ${offset} behind ${next}`);
          this.check(offset >= next && value === this.world.logs.get(name)[offset]?.value, `${name} has ${value.slice(0, 8)} at ${offset}`);
          this.next.set(name, offset + 1);
        }
        this.given -= call.records.length;
        this.check(this.given >= 0, 'more messages than credit');
        this.check(call.next > call.records.at(-1).offset, 'next is behind the last');
        this.say(`${name} ${call.records[0].offset}-${call.records.at(-1).offset}`);
      } else if (call.type === 'warn') {
        this.check(call.code === 'SKIPPED' && this.options.slow === 'newest', `${call.code} ${call.message}`);
        this.say(call.message);
        this.moved.add(name);
        // With a rule it may have been further on than its last message says.
        if (this.options.only) this.next.set(name, this.wantedFrom(name, this.next.get(name)) + 0);
        this.next.set(
          name,
          Math.max(
            this.next.get(name),
            this.world.logs.get(name).length === 0 ? 0 : this.next.get(name) + (this.options.only ? 0 : Number.parseInt(call.message, 10)),
          ),
        );
        if (this.options.only) this.loose = name;
      } else if (call.type === 'caughtUp') {
        this.caughtUp++;
        this.check(this.caughtUp === 1, 'caughtUp twice');
        for (const [name, end] of this.ends)
          if (this.next.has(name) && !this.moved.has(name))
            this.check(this.wantedFrom(name, this.next.get(name)) >= end, `caughtUp at ${this.next.get(name)} of ${end} in ${name}`);
      } else this.check(call.type === 'lag', JSON.stringify(call));
    }
  }

  test('whatever clients do, each gets what it is owed, and nothing else', async (t) => {
    const chance = random(seed);
    const below = (n) => Math.floor(chance() * n);
    const pick = (list) => list[below(list.length)];
    const cluster = await embedded();
    cleanup(t, () => cluster.close());
    const stageOf = stage(t, cluster, { limits: { past: 1 + below(3), cache: pick([0, 100_000, 10_000_000]), slow: 60_000 }, linger: pick([0, 20, 1000]) });
    const producer = await producerOf(t, cluster);
    const topics = [];
    const world = { logs: new Map() };
    for (let i = 0; i < 3; i++) {
      const partitions = 1 + below(3);
      const topic = await cluster.topic(partitions);
      topics.push({ topic, partitions });
      for (let partition = 0; partition < partitions; partition++) world.logs.set(`${topic}/${partition}`, []);
    }
    let written = 0;
    const fill = 'x'.repeat(500);
    const produce = async (count) => {
      const { topic, partitions } = pick(topics);
      // The embedded cluster keeps 5 MB of a partition.
      if (Array.from({ length: partitions }, (_, partition) => world.logs.get(`${topic}/${partition}`)).some((log) => log.length + count > 8000)) return;
      const messages = Array.from({ length: count }, () => ({
        partition: below(partitions),
        key: pick(['a', 'b', 'c', 'd']),
        value: `${++written}${fill}`,
        h: pick(['0', '0', '0', '1']),
      }));
      // A message can be read before the producer has heard of it.
      for (const message of messages) world.logs.get(`${topic}/${message.partition}`).push(message);
      await producer.send({ topic, messages: messages.map(({ h, ...message }) => ({ ...message, headers: { h } })) });
    };
    const alive = [];
    const join = async () => {
      const names = topics.filter(() => chance() < 0.6).map(({ topic }) => topic);
      if (names.length === 0) return;
      const from = pick(['latest', 'earliest', 'offsets']);
      const options = { from, slow: pick(['close', 'newest']), only: chance() < 0.3, credit: chance() < 0.4 };
      const judge = new Judge(world, options);
      const offsets = names.flatMap((topic) =>
        [0, 1, 2].map((partition) => ({ topic, partition, offset: below((world.logs.get(`${topic}/${partition}`)?.length ?? 0) + 1) })),
      );
      const credit = options.credit ? { messages: below(50) } : undefined;
      if (credit) judge.given = credit.messages;
      const client = new Client(
        stageOf.logs,
        { topics: names, from: from === 'offsets' ? { offsets } : from, slow: options.slow },
        { credit, format: options.only ? { only: RULE } : {} },
      );
      // One that is held would be watched on and on, and the process stay, when something fails.
      cleanup(t, () => client.socket.close(1000));
      client.on('call', () => judge.heard(client.all.at(-1)));
      await client.opening;
      const places = client.all.find(({ type }) => type === 'assigned').partitions;
      for (const { topic, partition, offset } of places) {
        if (from === 'earliest') judge.check(offset === 0, 'earliest is 0');
        if (from === 'offsets') judge.check(offset === offsets.find((each) => each.topic === topic && each.partition === partition)?.offset, 'the offset');
        if (from === 'latest') judge.check(offset >= judge.ends.get(`${topic}/${partition}`), 'latest is the end');
      }
      alive.push({ client, judge, places });
    };
    const act = async ({ client, judge, places }) => {
      const where = (({ topic, partition }) => ({ topic, partition }))(pick(places));
      const name = `${where.topic}/${where.partition}`;
      switch (below(8)) {
        case 0:
          judge.say(`pause ${name}`);
          judge.paused.add(name);
          return client.subscription.pause([where]);
        case 1:
          judge.say(`resume ${name}`);
          judge.paused.delete(name);
          return client.subscription.resume([where]);
        case 2: {
          const to = pick(['earliest', 'latest', below(world.logs.get(name).length + 1)]);
          judge.say(`seek ${name} ${to}`);
          judge.moved.add(name);
          const sought = client.subscription.seek(where, to);
          return chance() < 0.5 ? sought : undefined;
        }
        case 3:
        case 4: {
          if (!judge.options.credit) return;
          const messages = below(300);
          judge.given += messages;
          return client.flow.give({ messages });
        }
        case 5:
          client.socket.held = true;
          return;
        case 6:
          return client.socket.drain(below(client.socket.buffered + 1));
        case 7:
          return client.subscription.lag();
      }
    };
    for (let step = 0; step < 300; step++) {
      const what = chance();
      if (what < 0.25) await produce(1 + below(chance() < 0.1 ? 3000 : 100));
      else if (what < 0.35 && alive.length < 12) await join();
      else if (what < 0.38 && alive.length > 0) {
        const [{ client }] = alive.splice(below(alive.length), 1);
        if (chance() < 0.5) client.socket.close(1000);
        else await client.close();
        client.ended = true;
      } else if (what < 0.4) cluster.mock.injectErrors(1, [6, -195].slice(below(2)));
      else if (alive.length > 0) await act(pick(alive));
      if (chance() < 0.2) await new Promise((resolve) => setTimeout(resolve, below(10)));
    }
    for (const { client, judge } of alive) {
      client.socket.held = false;
      judge.given = Number.POSITIVE_INFINITY;
      client.flow.give({ messages: 1e9 });
      judge.paused.clear();
      client.subscription.resume([]);
    }
    for (const { client, judge, places } of alive) {
      const owed = () =>
        places.filter(
          ({ topic, partition }) =>
            judge.wantedFrom(`${topic}/${partition}`, judge.next.get(`${topic}/${partition}`)) < world.logs.get(`${topic}/${partition}`).length,
        );
      await eventually(PATIENCE, `seed ${seed}: ${JSON.stringify(judge.options)} has everything`, () => {
        client.socket.drain();
        return owed().length === 0 && judge.caughtUp === 1;
      });
      judge.check(client.socket.most <= FULL + client.socket.largest, 'more than may waits');
    }
  });

  test('whatever is written and however slow they are, tables end up the same, and no key goes back', async (t) => {
    const chance = random(seed);
    const below = (n) => Math.floor(chance() * n);
    const cluster = await embedded();
    cleanup(t, () => cluster.close());
    const { logs } = stage(t, cluster, { limits: { past: 2, cache: [0, 50_000, 10_000_000][below(3)] }, linger: below(2) * 1000 });
    const producer = await producerOf(t, cluster);
    const topics = [await cluster.topic(1), await cluster.topic(2)];
    const truth = new Map(topics.map((topic) => [topic, new Map()]));
    let written = 0;
    const write = async () => {
      const topic = topics[below(2)];
      const messages = Array.from({ length: 1 + below(300) }, () => {
        const key = below(500);
        const value = chance() < 0.2 ? null : String(++written);
        if (value === null) truth.get(topic).delete(String(key));
        else truth.get(topic).set(String(key), value);
        return { partition: topic === topics[0] ? 0 : key % 2, key: String(key), value };
      });
      await producer.send({ topic, messages });
    };
    const clients = [];
    const join = async () => {
      const client = new Client(logs, { topics, table: true }, { credit: { messages: below(200) } });
      const has = new Map(topics.map((topic) => [topic, new Map()]));
      const at = new Map();
      const before = structuredClone(truth);
      let records = 0;
      client.on('call', () => {
        const call = client.all.at(-1);
        const about = `seed ${seed}, ${client.name}`;
        if (call.type === 'caughtUp') {
          // Each key is as it was, or newer.
          for (const [topic, entries] of before)
            for (const [key, value] of entries)
              assert.ok(
                at.has(`${topic} ${key}`) && (has.get(topic).get(key) === value || Number(has.get(topic).get(key) ?? written) > Number(value)),
                `${about}: ${topic} ${key} was ${value}, is ${has.get(topic).get(key)} at ${at.get(`${topic} ${key}`)}, written ${written}, had ${records}`,
              );
          for (const [topic, entries] of has)
            for (const key of entries.keys()) assert.ok(before.get(topic).has(key) || at.get(`${topic} ${key}`) > 0 || written > 0, about);
        }
        if (call.type !== 'batch') return;
        for (const { key, value, offset } of call.records) {
          records++;
          const name = `${call.topic} ${key}`;
          assert.ok(offset > (at.get(name) ?? -1), `${about}: ${name} goes from ${at.get(name)} to ${offset}`);
          assert.ok(!call.snapshot || (value !== null && !at.has(name)), `${about}: ${name} twice`);
          at.set(name, offset);
          if (value === null) has.get(call.topic).delete(key);
          else has.get(call.topic).set(key, value);
        }
      });
      await client.opening;
      clients.push({ client, has, records: () => records });
    };
    for (let step = 0; step < 150; step++) {
      const what = chance();
      if (what < 0.4) await write();
      else if (what < 0.5 && clients.length < 8) await join();
      else if (what < 0.53 && clients.length > 0) await clients.splice(below(clients.length), 1)[0].client.close();
      else if (clients.length > 0) clients[below(clients.length)].client.flow.give({ messages: below(500) });
      if (chance() < 0.2) await new Promise((resolve) => setTimeout(resolve, below(10)));
    }
    await join();
    for (const { client } of clients) client.flow.give({ messages: 1e9 });
    for (const { client, has } of clients) {
      await client.told('caughtUp');
      await eventually(PATIENCE, `seed ${seed}: ${client.name} has the table`, () =>
        topics.every((topic) => {
          const [mine, right] = [has.get(topic), truth.get(topic)];
          return mine.size === right.size && [...right].every(([key, value]) => mine.get(key) === value);
        }),
      );
    }
  });
});
