'use strict';
// The client of kafka-proxy with a proxy that is killed and started again, over the real Kafka: every message is counted.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { setTimeout: delay } = require('node:timers/promises');
const msgpack = require('@msgpack/msgpack');
const ws = require('ws');
const { Kafka } = require('kafka-native');
const { KafkaProxy } = require('kafka-proxy');
const { KafkaProxyClient } = require('kafka-proxy/client');
const { cleanup } = require('./support/cleanup.js');
const { real } = require('./support/clusters.js');
const { PATIENCE, silent } = require('./support/flow.js');
const { ProxyProcess } = require('./support/proxy-process.js');
const { random, seed } = require('./support/random.js');
const { Calls, eventually } = require('./support/watch.js');

const KINDS = {
  json: { WebSocket: ws },
  msgpack: { WebSocket: ws, protocol: 'msgpack', codec: msgpack },
  ...(globalThis.WebSocket && { 'json, global WebSocket': {} }),
};

let cluster;
let brokers;
let producer;
before(async () => {
  cluster = await real();
  brokers = cluster.options().broker;
  producer = new Kafka({ brokers: brokers.split(','), logger: silent }).producer();
  await producer.connect();
});
after(async () => {
  await producer?.disconnect();
  await cluster?.close();
});

async function connected(t, proxy, options) {
  const client = new KafkaProxyClient(proxy.url, { reconnect: { min: 20, max: 200 }, ...options });
  cleanup(t, () => client.close());
  client.on('error', (error) => t.diagnostic(String(error)));
  await client.connect();
  return client;
}

describe('a proxy that dies', { concurrency: true }, () => {
  for (const [kind, options] of Object.entries(KINDS)) {
    test(`${kind}: a proxy that dies again and again: readers get every message once, a group loses none and none again that was told as committed, a table is its topic, what is produced is written once`, async (t) => {
      const next = random(seed);
      const below = (n) => Math.floor(next() * n);
      const proxy = await ProxyProcess.start(t, brokers);
      const [numbers, entries, sink] = await Promise.all([cluster.topic(3), cluster.topic(2, { config: { 'cleanup.policy': 'compact' } }), cluster.topic(2)]);
      const client = await connected(t, proxy, options);
      const written = [new Map(), new Map(), new Map()];
      const latest = new Map();
      const failures = [];
      const check = (fits, what) => fits || failures.push(what());

      // Without a group, by a loop and by a listener.
      const loop = client.subscribe({ topics: [numbers], from: 'earliest', window: { messages: 50 } });
      const listened = client.subscribe({ topics: [numbers], from: 'earliest' });
      const got = { loop: [[], [], []], listener: [[], [], []] };
      (async () => {
        for await (const { partition, offset } of loop) got.loop[partition].push(offset);
      })().catch((error) => failures.push(`the loop: ${error}`));
      listened.on('message', ({ partition, offset }) => got.listener[partition].push(offset));

      // In a group, on two sockets.
      const committed = [-1, -1, -1];
      const done = [new Set(), new Set(), new Set()];
      const members = [client, await connected(t, proxy, options)].map((each) =>
        each.subscribe({ topics: [numbers], group: `group-${numbers}`, from: 'earliest', window: { messages: 20 } }),
      );
      for (const member of members) {
        member.on('committed', ({ partition, offset }) => (committed[partition] = Math.max(committed[partition], offset)));
        (async () => {
          for await (const message of member) {
            const { partition, offset } = message;
            check(offset > committed[partition], () => `${partition}/${offset} came behind the commit of ${committed[partition]}`);
            if (below(30) === 0) {
              message.nack();
              continue;
            }
            done[partition].add(offset);
            if (below(20) === 0) await delay(1);
          }
        })().catch((error) => failures.push(`a member: ${error}`));
      }

      const table = await client.table(entries, { value: 'json' });
      const followed = new Map(table);
      table.on('change', ({ key, value, previous }) => {
        assert.deepEqual(followed.get(key), previous);
        if (value === undefined) followed.delete(key);
        else followed.set(key, value);
      });

      // Messages produced by the client: known to be written, known not to be, and unknown.
      const produced = { yes: new Map(), maybe: new Set(), no: new Set() };
      let over = false;
      const write = async () => {
        for (let i = 0; !over; i++) {
          const partition = below(3);
          const [{ baseOffset }] = await producer.send({ topic: numbers, messages: [{ partition, value: String(i) }] });
          written[partition].set(Number(baseOffset), String(i));
          const key = `k${below(20)}`;
          const value = below(3) ? { n: i } : null;
          value === null ? latest.delete(key) : latest.set(key, value);
          await producer.send({ topic: entries, messages: [{ key, value: value && JSON.stringify(value), partition: Number(key.slice(1)) % 2 }] });
          const mine = `mine ${i}`;
          client.produce(sink, [{ value: mine }]).then(
            ([{ partition, offset }]) => produced.yes.set(mine, `${partition}/${offset}`),
            (error) => produced[error.maybeWritten ? 'maybe' : 'no'].add(mine),
          );
        }
      };
      const writing = write();
      for (const signal of /** @type {NodeJS.Signals[]} */ (['SIGKILL', 'SIGTERM', 'SIGKILL'])) {
        await delay(300 + below(500));
        await proxy.restart(signal);
      }
      await delay(500);
      over = true;
      await writing;

      const why = () =>
        `SEED=${seed} ${JSON.stringify({ failures, committed, written: written.map(({ size }) => size), got: Object.values(got).map((each) => each.map(({ length }) => length)) })}`;
      for (const each of Object.values(got)) {
        await eventually(
          PATIENCE,
          'the readers have all',
          () => written.every(({ size }, partition) => each[partition].length >= size) || Promise.reject(new Error(why())),
        );
        for (const [partition, offsets] of each.entries()) assert.deepEqual(offsets, [...written[partition].keys()], why());
      }
      await eventually(PATIENCE, 'the group has committed all but what its loops have in hand', () => {
        const open = written.filter(({ size }, partition) => committed[partition] < size - 1);
        if (open.length > members.length) throw new Error(why());
        return written.every(({ size }, partition) => done[partition].size === size);
      });
      await eventually(PATIENCE, 'the table is its topic', () => {
        assert.deepEqual(new Map([...table].sort()), new Map([...latest].sort()));
        return true;
      });
      assert.deepEqual(followed, new Map(table));
      await eventually(
        PATIENCE,
        'all is answered',
        async () =>
          (await client
            .produce(sink, [
              { value: 'end', partition: 0 },
              { value: 'end', partition: 1 },
            ])
            .catch(() => undefined)) !== undefined,
      );
      const places = new Map();
      const reader = client.subscribe({ topics: [sink], from: 'earliest' });
      const ends = new Set();
      for await (const { partition, offset, value } of reader) {
        if (value === 'end') ends.add(partition);
        else {
          check(!places.has(value), () => `${value} was written twice`);
          places.set(value, `${partition}/${offset}`);
        }
        if (ends.size === 2) break;
      }
      for (const [value, place] of produced.yes) check(places.get(value) === place, () => `${value} was to be at ${place}, and is at ${places.get(value)}`);
      for (const value of produced.no) check(!places.has(value), () => `${value} was to be not written`);
      assert.deepEqual(failures, [], why());
      assert.ok(produced.yes.size > 20, why());
      await Promise.all(members.map((member) => member.close()));
    });
  }
});

test('from an offset, a time, the end; some partitions, some keys; a seek; how far behind it is', async (t) => {
  const proxy = await ProxyProcess.start(t, brokers);
  const topic = await cluster.topic(2);
  const client = await connected(t, proxy, KINDS.json);
  const begin = 1_700_000_000_000;
  const messages = Array.from({ length: 10 }, (_, i) => ({
    partition: i % 2,
    key: `k${i % 5}`,
    value: String(i),
    timestamp: begin + i * 1000,
    headers: { odd: String(i % 2) },
  }));
  assert.deepEqual(
    await client.produce(topic, messages),
    messages.map((_, i) => ({ partition: i % 2, offset: Math.floor(i / 2) })),
  );
  const read = async (count, options) => {
    const values = [];
    for await (const { value } of client.subscribe({ topics: [topic], ...options })) if (values.push(value) === count) break;
    return values.sort();
  };
  assert.deepEqual(
    await read(3, {
      from: {
        offsets: [
          { topic, partition: 0, offset: 4 },
          { topic, partition: 1, offset: 3 },
        ],
      },
    }),
    ['7', '8', '9'],
  );
  assert.deepEqual(await read(4, { from: { timestamp: begin + 6000 } }), ['6', '7', '8', '9']);
  assert.deepEqual(await read(5, { from: 'earliest', partitions: [1] }), ['1', '3', '5', '7', '9']);
  assert.deepEqual(await read(2, { from: 'earliest', only: { key: 'k1' } }), ['1', '6']);
  assert.deepEqual(await read(1, { from: 'earliest', only: { all: [{ key: ['k1', 'k2'] }, { not: { header: 'odd', is: '1' } }] }, window: { messages: 1 } }), [
    '2',
  ]);
  assert.deepEqual(await read(5, { topics: undefined, pattern: `${topic.slice(0, -1)}*${topic.slice(-1)}`, from: 'earliest', partitions: [0] }), [
    '0',
    '2',
    '4',
    '6',
    '8',
  ]);

  const subscription = client.subscribe({ topics: [topic], lag: 1000 });
  const values = new Calls();
  const lags = new Calls();
  subscription.on('message', ({ value }) => values.take(value));
  subscription.on('lag', lags.take);
  await subscription.caughtUp();
  assert.deepEqual((await subscription.lag()).map(({ partition, offset, end, lag }) => [partition, offset, end, lag]).sort(), [
    [0, 5, 5, 0],
    [1, 5, 5, 0],
  ]);
  assert.equal(await subscription.seek({ topic, partition: 1 }, 4), 4);
  await values.until((value) => value === '9');
  assert.equal(await subscription.seek({ topic, partition: 0 }, { timestamp: begin + 7000 }), 4);
  await values.until((value) => value === '8');
  await lags.count(2);
  await assert.rejects(subscription.seek({ topic, partition: 7 }, 0), { code: 'NOT_ASSIGNED' });
  await assert.rejects(client.subscribe({ topics: ['nowhere-at-all'] }).next(), { code: 'UNKNOWN_TOPIC_OR_PARTITION', retriable: true });
  await assert.rejects(client.subscribe({ topics: [topic], only: { nonsense: 1 } }).next(), { code: 'BAD_REQUEST' });
  await assert.rejects(client.produce(topic, [{ value: 'x', partition: -1 }]), { code: 'BAD_REQUEST' });
  assert.deepEqual(values.all, ['9', '8']);
});

test('many subscriptions on one socket are no reason for a warning', async (t) => {
  const proxy = new KafkaProxy({ brokers, port: 0, logger: silent });
  cleanup(t, () => proxy.close());
  const { port } = await proxy.listen();
  const warnings = new Calls();
  process.on('warning', warnings.take);
  cleanup(t, () => process.off('warning', warnings.take));
  const topic = await cluster.topic(1);
  const client = await connected(t, { url: `ws://127.0.0.1:${port}/` }, KINDS.json);
  const subscriptions = Array.from({ length: 30 }, (_, i) => client.subscribe({ topics: [topic], ...(i % 2 && { group: `g${i % 4}-${topic}` }) }));
  await Promise.all(subscriptions.map((subscription) => subscription.lag()));
  await client.produce(topic, [{ value: 'x' }]);
  assert.deepEqual(warnings.all, []);
});
