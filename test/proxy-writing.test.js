'use strict';
// Messages that clients write through a kafka-proxy to a real Kafka: each has its own fate, whoever writes beside it.

const { after, before, test } = require('node:test');
const assert = require('node:assert/strict');
const { KafkaProxy } = require('kafka-proxy');
const { cleanup } = require('./support/cleanup.js');
const { real, topicName } = require('./support/clusters.js');
const { Peer } = require('./support/proxy-peer.js');

const SILENT = { error() {}, warn() {}, info() {}, debug() {} };
const HOUR = 3_600_000;

let cluster;
before(async () => (cluster = await real()));
after(() => cluster?.close());

async function peers(t, count) {
  const proxy = new KafkaProxy({ brokers: [cluster.options().broker], port: 0, logger: SILENT });
  const { port } = await proxy.listen();
  cleanup(t, () => proxy.close());
  const all = await Promise.all(Array.from({ length: count }, () => Peer.open(`ws://127.0.0.1:${port}/`)));
  cleanup(t, () => all.forEach(({ ws }) => ws.terminate()));
  return all;
}

/** The codes with which Kafka refuses it: of two in one batch of its producer it says no more than that they are invalid. */
const BAD = {
  'from another time': [
    { value: 'bad', key: 'bad', timestamp: Date.now() + 100 * 24 * HOUR },
    { 'message.timestamp.after.max.ms': String(HOUR) },
    ['INVALID_TIMESTAMP', 'INVALID_RECORD'],
  ],
  'without a key in a compacted topic': [{ value: 'bad' }, { 'cleanup.policy': 'compact' }, ['INVALID_RECORD']],
};
for (const [what, [bad, config, codes]] of Object.entries(BAD)) {
  test(`a message ${what} is refused, and nobody else's: not in its request, nor on other sockets`, async (t) => {
    const topic = await cluster.topic(1, { config });
    const [one, two] = await peers(t, 2);
    const asks = [];
    const good = (socket, n) => ({ key: `${socket}-${n}`, value: 'good' });
    for (let n = 0; n < 40; n++) {
      asks.push(one.ask({ type: 'produce', id: n, topic, messages: [good('one', 2 * n), { ...bad, partition: 0 }, good('one', 2 * n + 1)] }, 'produced'));
      asks.push(two.ask({ type: 'produce', id: n, topic, messages: [good('two', n)] }, 'produced'));
    }
    const answers = await Promise.all(asks);
    const written = new Map();
    answers.forEach(({ results }, i) => {
      const [socket, n] = [i % 2 ? 'two' : 'one', Math.floor(i / 2)];
      if (socket === 'one') {
        const { code, retriable } = results[1].error;
        assert.deepEqual([codes.includes(code), retriable], [true, false], code);
      }
      const mine = socket === 'one' ? [results[0], results[2]] : results;
      mine.forEach(({ offset, error }, at) => {
        assert.equal(error, undefined);
        written.set(good(socket, socket === 'one' ? 2 * n + at : n).key, offset);
      });
    });
    assert.equal(written.size, 120);
    one.say({ type: 'subscribe', id: 'all', topics: [topic], from: 'earliest' });
    const records = await one.got('all', 120);
    assert.deepEqual(new Map(records.map(({ key, offset }) => [key, offset])), new Map([...written].sort(([, a], [, b]) => a - b)));
  });
}

test('whoever writes one after another loses none to a neighbour whose messages are all refused', async (t) => {
  const topic = await cluster.topic(1, { config: { 'cleanup.policy': 'compact' } });
  const [one, two] = await peers(t, 2);
  const count = 200;
  let over = false;
  const refused = one
    .ask({ type: 'produce', id: 'bad', topic, messages: Array.from({ length: count }, () => ({ value: 'bad' })) }, 'produced')
    .finally(() => (over = true));
  let sent = 0;
  for (; !over || sent < 20; sent++) {
    const { results } = await two.ask({ type: 'produce', id: sent, topic, messages: [{ key: `${sent}`, value: 'good' }] }, 'produced');
    assert.equal(results[0].error, undefined);
  }
  assert.deepEqual(
    (await refused).results.map(({ error }) => [error.code, error.retriable]),
    Array.from({ length: count }, () => ['INVALID_RECORD', false]),
  );
});

test('messages that are small enough for a topic are written, however small its batches must be; one that is not is refused', async (t) => {
  const topic = await cluster.topic(1, { config: { 'max.message.bytes': '10000' } });
  const [peer] = await peers(t, 1);
  const messages = Array.from({ length: 100 }, (_, n) => ({ value: `${n} ${'x'.repeat(n === 50 ? 20_000 : 1000)}` }));
  const { results } = await peer.ask({ type: 'produce', id: 1, topic, messages: messages.map((message) => ({ ...message, partition: 0 })) }, 'produced');
  assert.deepEqual(
    results.flatMap(({ error }, n) => (error ? [[n, error.code, error.retriable]] : [])),
    [[50, 'MESSAGE_TOO_LARGE', false]],
  );
  peer.say({ type: 'subscribe', id: 'all', topics: [topic], from: 'earliest' });
  const numbers = (await peer.got('all', 99)).map(({ value }) => parseInt(value, 10));
  assert.deepEqual(
    numbers,
    Array.from({ length: 100 }, (_, n) => n).filter((n) => n !== 50),
  );
});

test('messages that are acknowledged just before unsubscribe have their notice of it before the subscription has ended', async (t) => {
  const topic = await cluster.topic(1);
  const group = topicName('group');
  const [peer, other] = await peers(t, 2);
  await peer.ask({ type: 'produce', id: 0, topic, messages: [{ value: 'a' }, { value: 'b' }, { value: 'c' }] }, 'produced');
  // The last of the group, which leaves it, and one that others follow.
  for (const [id, last] of [
    ['last', true],
    ['first', false],
  ]) {
    const its = { type: 'subscribe', id, topics: [topic], group: `${group}-${id}`, from: 'earliest' };
    await peer.ask(its, 'assigned');
    await peer.got(id, 3);
    if (!last) await other.ask(its, 'assigned');
    peer.say({ type: 'ack', id, topic, partition: 0, offset: 1 });
    await peer.ask({ type: 'unsubscribe', id }, 'unsubscribed');
    const told = peer.all.filter((message) => message.id === id && ['committed', 'unsubscribed'].includes(message.type));
    assert.deepEqual(
      told.map(({ type, offset }) => [type, offset]),
      [
        ['committed', 1],
        ['unsubscribed', undefined],
      ],
    );
  }
});
