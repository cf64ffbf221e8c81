'use strict';
// Groups of kafka-proxy: each message is processed by one client of a group, and what was told as committed never comes again.

const { after, before, describe, test } = require('node:test');
const assert = require('node:assert/strict');
const { Batch } = require('kafka-native');
const { jsonFormat } = require('../js/kafka-proxy/dist/frames.js');
const { Commits } = require('../js/kafka-proxy/dist/group/commits.js');
const { deal } = require('../js/kafka-proxy/dist/group/dealing.js');
const { GroupPartition } = require('../js/kafka-proxy/dist/group/partition.js');
const { cleanup } = require('./support/cleanup.js');
const { embedded, onBoth, real, topicName } = require('./support/clusters.js');
const { Child } = require('./support/child.js');
const { Client, stage } = require('./support/proxy-groups.js');
const { kafkaJs, committed } = require('./support/groups.js');
const { random, seed } = require('./support/random.js');
const { eventually } = require('./support/watch.js');
const { PATIENCE, silent } = require('./support/flow.js');

/** A proxy's groups that end with the test. */
/** @param {{ slow?: number }} [limits] */
function proxy(t, cluster, limits) {
  const made = stage(cluster.options().broker, silent, limits);
  cleanup(t, () => made.close());
  return made;
}

async function producer(t, cluster) {
  const { kafka } = stage(cluster.options().broker);
  const made = kafka.producer({ idempotent: true });
  cleanup(t, () => made.disconnect());
  await made.connect();
  return made;
}

const wishOf = (topic) => ({ group: topicName('group'), topics: [topic], from: 'earliest' });
const range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);
const numbers = (count, from = 0) => Array.from({ length: count }, (_, i) => ({ value: String(from + i) }));
const values = (client) => client.records.map(({ value }) => Number(value));

test('partitions are dealt evenly, and as few as possible move', () => {
  const chance = random(seed);
  const below = (n) => Math.floor(chance() * n);
  let current = new Map();
  let takers = [];
  for (let step = 0; step < 3000; step++) {
    const items = Array.from({ length: below(20) }, (_, i) => `p${i}`);
    takers = [...takers.filter(() => chance() < 0.7), ...Array.from({ length: below(4) }, (_, i) => `${step}-${i}`)];
    const dealt = deal(items, takers, (item) => current.get(item));
    const about = `seed ${seed}, step ${step}`;
    if (takers.length === 0) {
      assert.equal(dealt.size, 0, about);
    } else {
      assert.deepEqual([...dealt.keys()].sort(), [...items].sort(), about);
      const counts = takers.map((taker) => [...dealt.values()].filter((each) => each === taker).length);
      assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, about);
      // The fewest moves: of what each had it keeps as much as its share allows, and the larger shares go where they keep one more.
      const had = takers.map((taker) => items.filter((item) => current.get(item) === taker).length);
      const [least, more] = [Math.floor(items.length / takers.length), items.length % takers.length];
      const most = had.reduce((sum, count) => sum + Math.min(count, least), 0) + Math.min(more, had.filter((count) => count > least).length);
      assert.equal(items.filter((item) => current.has(item) && dealt.get(item) === current.get(item)).length, most, about);
    }
    current = dealt;
  }
});

describe('a partition whose coordinator takes its time', () => {
  /** A partition with one reader. `asked`: the commits, in their order, each with its `answer`; `told`: what the reader was told, `got`: the offsets that it was sent. */
  function slow() {
    const asked = [];
    const told = [];
    const got = [];
    const commitOffsets = ([{ offset }]) => new Promise((resolve) => asked.push({ offset: Number(offset), answer: resolve }));
    const commits = new Commits(/** @type {any} */ ({ commitOffsets }), silent);
    const partition = new GroupPartition('t', 0, { seek() {}, pause() {}, resume() {}, commit: (each) => commits.add(each) });
    const room = { messages: Infinity, bytes: Infinity };
    const reader = /** @type {any} */ ({
      outlet: {
        format: jsonFormat({ id: 1 }),
        batch: (_topic, _partition, { bytes }) => got.push(...JSON.parse(bytes.toString()).records.map(({ offset }) => offset)),
      },
      offer: (each) => each.sendable && each.send(reader, room),
      assigned: ([{ place }]) => told.push(['assigned', place.offset]),
      committed: ({ offset }) => told.push(['committed', offset]),
    });
    const take = (from, to) =>
      void partition.take(
        /** @type {any} */ ({
          batch: Batch.of(
            't',
            0,
            range(from, to).map((offset) => ({ offset, value: 'x' })),
          ),
          isStale: () => false,
          isRunning: () => true,
          resolveOffset() {},
        }),
      );
    /** The next commit, which has been asked for. */
    const next = (offset) => eventually(PATIENCE, `the commit of ${offset}`, () => asked.at(-1)?.offset === offset && asked.at(-1));
    partition.begin(0);
    partition.committed = 0;
    partition.give(reader);
    return { partition, reader, take, next, told, got };
  }

  test('what is acknowledged while the group goes back is told when it is there again, and not before', async () => {
    const { partition, reader, take, next, told } = slow();
    take(0, 120);
    partition.ack(reader, 99);
    (await next(100)).answer();
    await eventually(PATIENCE, 'told', () => told.length === 1);
    partition.seek(50);
    const back = await next(50);
    take(50, 120);
    partition.ack(reader, 109);
    // Were the proxy killed now, the message 60 would come again.
    partition.ack(reader, 60);
    assert.deepEqual(told, [['committed', 99]]);
    back.answer();
    (await next(110)).answer();
    await eventually(PATIENCE, 'told', () => told.length === 2);
    assert.deepEqual(told[1], ['committed', 109]);
  });

  test('of a topic that was made anew it is committed where it begins before a message of it is sent, so that none is left out after a crash', async () => {
    const { partition, reader, take, next, told, got } = slow();
    take(0, 5);
    partition.ack(reader, 4);
    (await next(5)).answer();
    await eventually(PATIENCE, 'told', () => told.length === 1);
    take(0, 3);
    const begin = await next(0);
    assert.deepEqual([told[1], got], [['assigned', 0], range(0, 5)]);
    begin.answer();
    await eventually(PATIENCE, 'it is sent', () => got.length === 8);
    assert.deepEqual(got.slice(5), range(0, 3));
  });
});

onBoth('groups', (cluster) => {
  test('messages are delivered in order, and what is acknowledged is committed', async (t) => {
    const topic = await cluster().topic(1);
    const { groups } = proxy(t, cluster());
    const send = await producer(t, cluster());
    await send.send({ topic, messages: numbers(100) });
    const wish = wishOf(topic);
    const client = await Client.open(groups, wish);
    assert.deepEqual(client.all[0], { type: 'assigned', partitions: [{ topic, partition: 0, offset: 0 }], at: client.all[0].at });
    await client.got(100);
    assert.deepEqual(values(client), range(0, 100));
    client.ack(client.records[59]);
    await client.told('committed', { topic, partition: 0, offset: 59 });
    const { admin } = await kafkaJs(t, cluster());
    assert.deepEqual(await committed(admin, wish.group, topic), { 0: 60 });
    // The same again: it is true still.
    const before = client.all.length;
    client.ack(client.records[10]);
    await client.until((call) => client.all.indexOf(call) >= before && call.type === 'committed' && call.offset === 10);
    assert.deepEqual(await committed(admin, wish.group, topic), { 0: 60 });
  });

  test('what a socket that dies has not acknowledged comes again to another, at once', async (t) => {
    const topic = await cluster().topic(4);
    const { groups } = proxy(t, cluster());
    const send = await producer(t, cluster());
    const wish = wishOf(topic);
    const one = await Client.open(groups, wish);
    await eventually(PATIENCE, 'four partitions', () => one.has.size === 4);
    const two = await Client.open(groups, wish);
    await eventually(PATIENCE, 'two each', () => one.has.size === 2 && two.has.size === 2);
    for (let partition = 0; partition < 4; partition++)
      await send.send({ topic, messages: numbers(10, partition * 100).map((message) => ({ ...message, partition })) });
    await Promise.all([one.got(20), two.got(20)]);
    const dead = values(two);
    two.die();
    await one.got(40);
    assert.deepEqual(values(one).slice(20).sort(), dead.sort());
    assert.equal(one.has.size, 4);
  });
});

describe('groups, where a broker refuses', () => {
  const [LIST_OFFSETS, COMMIT, JOIN] = [2, 8, 11];
  /** @type {any} */ let cluster;
  before(async () => (cluster = await embedded()));
  after(() => cluster?.close());

  async function reading(t) {
    const topic = await cluster.topic(2);
    const { groups } = proxy(t, cluster);
    const send = await producer(t, cluster);
    for (const partition of [0, 1]) await send.send({ topic, messages: numbers(10, partition * 100).map((message) => ({ ...message, partition })) });
    const client = await Client.open(groups, wishOf(topic));
    await client.got(20);
    await eventually(PATIENCE, 'where it begins is committed', () => client.all.length > 0);
    return { topic, client, groups };
  }
  const last = (client, partition) => client.records.findLast((record) => record.partition === partition);

  test('a commit that fails for a moment is tried again, and told when the coordinator has it', async (t) => {
    const { client } = await reading(t);
    cluster.mock.injectErrors(COMMIT, [14]); // COORDINATOR_LOAD_IN_PROGRESS
    client.ack(last(client, 0));
    client.ack(last(client, 1));
    await client.told('committed', { partition: 0, offset: 9 });
    await client.told('committed', { partition: 1, offset: 9 });
  });

  test('a commit that is refused is told as an error, never as committed', async (t) => {
    const { client } = await reading(t);
    // Of both, then of each alone.
    cluster.mock.injectErrors(COMMIT, [30, 30, 30]); // GROUP_AUTHORIZATION_FAILED
    client.ack(last(client, 0));
    client.ack(last(client, 1));
    const { error } = await client.told('warn');
    assert.equal(error.code, 'GROUP_AUTHORIZATION_FAILED');
    assert.deepEqual(
      client.all.filter(({ type }) => type === 'committed'),
      [],
    );
  });

  test('who may not join the group is told so with the code of Kafka', async (t) => {
    const topic = await cluster.topic(1);
    const { groups } = proxy(t, cluster);
    cluster.mock.injectErrors(JOIN, [30]);
    await assert.rejects(Client.open(groups, wishOf(topic)), { name: 'ProxyError', code: 'GROUP_AUTHORIZATION_FAILED', retriable: false, close: 4403 });
    // It was this one's fault only.
    await Client.open(groups, wishOf(topic));
  });

  test('a group that is full for now is told as a warning, and joined later', async (t) => {
    const topic = await cluster.topic(1);
    const { groups } = proxy(t, cluster);
    cluster.mock.injectErrors(JOIN, [81]); // GROUP_MAX_SIZE_REACHED
    const client = await Client.open(groups, wishOf(topic));
    const { error } = await client.told('warn');
    assert.deepEqual([error.code, error.retriable], ['GROUP_MAX_SIZE_REACHED', false]);
    await eventually(PATIENCE, 'it has the partition', () => client.has.size === 1);
  });

  test("'latest' never gets the past: where the end cannot be found out, the subscription ends with an error, and the next one begins there", async (t) => {
    const topic = await cluster.topic(1);
    const { groups } = proxy(t, cluster);
    const send = await producer(t, cluster);
    await send.send({ topic, messages: numbers(10) });
    const wish = { ...wishOf(topic), from: 'latest' };
    cluster.mock.injectErrors(LIST_OFFSETS, [-1, -1]); // UNKNOWN_SERVER_ERROR
    const client = new Client(groups, wish);
    // Its answer, or, if it was open by then, its end.
    const error = await client.opening.then(async () => (await client.told('fail')).error).catch((error) => error);
    assert.deepEqual([error.code, error.retriable], ['UNKNOWN', true]);
    assert.deepEqual(client.records, []);
    const next = await Client.open(groups, wish);
    await eventually(PATIENCE, 'it has the partition', () => next.has.size === 1);
    await send.send({ topic, messages: numbers(5, 10) });
    await next.got(5);
    assert.deepEqual(values(next), range(10, 15));
  });

  test('a subscription whose consumer ends for good ends with an error, and the next one begins anew', async (t) => {
    const { client, groups, topic } = await reading(t);
    cluster.mock.setTopicError(topic, 29);
    const { error } = await client.told('fail');
    assert.deepEqual([error.code, error.retriable], ['TOPIC_AUTHORIZATION_FAILED', false]);
    cluster.mock.setTopicError(topic, 0);
    const next = await Client.open(groups, wishOf(topic));
    await next.got(20);
  });
});

describe('groups of a real Kafka', () => {
  /** @type {any} */ let cluster;
  before(async () => (cluster = await real()));
  after(() => cluster?.close());

  /** A client that has got `count` messages of one partition. */
  async function reading(t, count, options = {}) {
    const topic = await cluster.topic(1);
    const made = proxy(t, cluster);
    const send = await producer(t, cluster);
    if (count > 0) await send.send({ topic, messages: numbers(count) });
    const wish = wishOf(topic);
    const client = await Client.open(made.groups, wish, options);
    return { ...made, topic, send, wish, client };
  }
  const at = (client, offset) => client.records.find((record) => record.offset === offset);
  const committedOf = async (t, { group, topics: [topic] }) => committed((await kafkaJs(t, cluster)).admin, group, topic);

  test('a refused message and those behind it come again to the same client, after the delay; what was acknowledged stays', async (t) => {
    const { client, topic, wish } = await reading(t, 20);
    await client.got(20);
    client.ack(at(client, 4));
    const begun = process.hrtime.bigint();
    client.subscription.nack({ topic, partition: 0 }, 10, 300);
    await client.got(30);
    assert.ok(process.hrtime.bigint() - begun >= 290_000_000n);
    assert.deepEqual(values(client).slice(20), range(10, 20));
    // 5 to 9 are with the client still: acknowledged with these.
    client.ack(at(client, 19));
    await client.told('committed', { offset: 19 });
    assert.deepEqual(await committedOf(t, wish), { 0: 20 });
    assert.throws(() => client.subscription.nack({ topic, partition: 0 }, 10, 0), { code: 'INVALID_OFFSET' });
  });

  test('only messages that a client was sent can be acknowledged by it', async (t) => {
    const { client, topic, wish, groups } = await reading(t, 10, { credit: { messages: 5 } });
    await client.got(5);
    const refused = (offset, partition = 0) =>
      assert.throws(() => client.subscription.ack({ topic, partition }, offset), { name: 'ProxyError', code: partition ? 'NOT_ASSIGNED' : 'INVALID_OFFSET' });
    for (const offset of [5, 9, 10, 1e9, -1, 2.5, Number.NaN, 2 ** 53]) refused(offset);
    refused(0, 1);
    client.ack(at(client, 2));
    await client.told('committed', { offset: 2 });
    await client.close();
    const next = await Client.open(groups, wish);
    await next.got(7);
    assert.deepEqual(values(next), range(3, 10));
    // Of one that was there before.
    assert.throws(() => next.subscription.ack({ topic, partition: 0 }, 2), { code: 'INVALID_OFFSET' });
  });

  test('a seek is answered by where it goes on, and the group goes on there, too', async (t) => {
    const { client, topic, send, wish, groups } = await reading(t, 10);
    await client.got(10);
    const { offset: middle, timestamp } = { ...at(client, 5), timestamp: Number(at(client, 9).timestamp) + 1000 };
    await send.send({ topic, messages: numbers(5, 10).map((message) => ({ ...message, timestamp: String(timestamp) })) });
    await client.got(15);
    const where = { topic, partition: 0 };
    for (const [to, offset] of [
      [middle, 5],
      ['earliest', 0],
      ['latest', 15],
      [{ timestamp }, 10],
      [3, 3],
    ]) {
      const before = client.all.length;
      await client.subscription.seek(where, to);
      const [answer] = client.all.slice(before).filter(({ type }) => type === 'assigned');
      assert.deepEqual(answer.partitions, [{ ...where, offset }], JSON.stringify(to));
      if (offset === 15) continue;
      const next = await client.until((call) => client.all.indexOf(call) >= before && call.type === 'batch');
      assert.equal(next.records[0].offset, offset);
    }
    // Of several the last one counts, though what the others mean has to be asked for.
    const before = client.all.length;
    await Promise.all([client.subscription.seek(where, { timestamp }), client.subscription.seek(where, 'earliest'), client.subscription.seek(where, 3)]);
    const answers = client.all.slice(before).filter(({ type }) => type === 'assigned');
    assert.deepEqual(
      answers.map(({ partitions }) => partitions[0].offset),
      [10, 0, 3],
    );
    await assert.rejects(client.subscription.seek(where, -1), { code: 'INVALID_OFFSET' });
    // Not to the first message, where Kafka would go.
    await assert.rejects(client.subscription.seek(where, 16), { code: 'OFFSET_OUT_OF_RANGE' });
    await client.close();
    assert.deepEqual(await committedOf(t, wish), { 0: 3 });
    const next = await Client.open(groups, wish);
    assert.equal(next.all[0].partitions[0].offset, 3);
  });

  test('credit counts messages exactly, and a pause holds only what it names', async (t) => {
    const topic = await cluster.topic(2);
    const { groups } = proxy(t, cluster);
    const send = await producer(t, cluster);
    for (const partition of [0, 1]) await send.send({ topic, messages: numbers(100, partition * 100).map((message) => ({ ...message, partition })) });
    const client = await Client.open(groups, wishOf(topic), { credit: { messages: 0 } });
    await eventually(PATIENCE, 'two partitions', () => client.has.size === 2);
    for (const [messages, sum] of [
      [7, 7],
      [1, 8],
      [30, 38],
    ]) {
      client.flow.give({ messages });
      await client.got(sum);
    }
    client.subscription.pause([{ topic, partition: 0 }]);
    const before = client.records.filter(({ partition }) => partition === 0).length;
    client.flow.give({ messages: 1000 });
    await eventually(PATIENCE, 'all of the other', () => client.records.filter(({ partition }) => partition === 1).length === 100);
    assert.equal(client.records.filter(({ partition }) => partition === 0).length, before);
    client.subscription.resume([{ topic, partition: 0 }]);
    await client.got(200);
    assert.throws(() => client.subscription.pause([{ topic, partition: 7 }]), { code: 'NOT_ASSIGNED' });
  });

  test('a socket that takes nothing holds up its own partitions alone', async (t) => {
    const topic = await cluster.topic(12);
    const { groups } = proxy(t, cluster);
    const send = await producer(t, cluster);
    const wish = wishOf(topic);
    const slow = await Client.open(groups, wish);
    const fast = await Client.open(groups, wish);
    await eventually(PATIENCE, 'six each', () => slow.has.size === 6 && fast.has.size === 6);
    slow.buffered = 2 ** 30;
    // More than the consumer may hold, were it the slow one's.
    const value = 'x'.repeat(10_000);
    for (let partition = 0; partition < 12; partition++) await send.send({ topic, messages: Array.from({ length: 600 }, () => ({ partition, value })) });
    await fast.got(6 * 600);
    assert.equal(slow.records.length, 0);
    // Messages that it has not taken go to the client that does.
    slow.die();
    await fast.got(12 * 600);
  });

  test('a socket that takes nothing is closed with 1013, and its partitions are for those who do', async (t) => {
    const topic = await cluster.topic(4);
    const { groups } = proxy(t, cluster, { slow: 200 });
    const send = await producer(t, cluster);
    const wish = wishOf(topic);
    const [slow, fast] = [await Client.open(groups, wish), await Client.open(groups, wish)];
    await eventually(PATIENCE, 'two each', () => slow.has.size === 2 && fast.has.size === 2);
    slow.buffered = 2 ** 20;
    for (let partition = 0; partition < 4; partition++) await send.send({ topic, messages: numbers(10).map((each) => ({ ...each, partition })) });
    await fast.got(40);
    assert.deepEqual([slow.closedWith, slow.records.length, fast.closedWith], [1013, 0, undefined]);
  });

  test('messages that a rule leaves out hold up no commit', async (t) => {
    const { client, wish, topic, send } = await reading(t, 0, { only: { key: 'mine' } });
    // 0 1 [2] 3 [4] 5 6 7
    await send.send({ topic, messages: Array.from({ length: 8 }, (_, i) => ({ key: i === 2 || i === 4 ? 'mine' : 'theirs', value: String(i) })) });
    await client.got(2);
    assert.deepEqual(values(client), [2, 4]);
    client.ack(at(client, 2));
    await eventually(PATIENCE, 'up to the next that is wanted, at least behind this', async () => (await committedOf(t, wish))[0] >= 3);
    client.ack(at(client, 4));
    await eventually(PATIENCE, 'all is committed', async () => (await committedOf(t, wish))[0] === 8);
    await send.send({ topic, messages: numbers(5, 8).map((message) => ({ ...message, key: 'theirs' })) });
    await eventually(PATIENCE, 'what is for nobody is committed', async () => (await committedOf(t, wish))[0] === 13);
    assert.deepEqual(
      client.all.filter(({ type }) => type === 'committed').map(({ offset }) => offset),
      [2, 4],
    );
  });

  test('a partition moves to a newcomer when its old client has acknowledged what it has', async (t) => {
    const topic = await cluster.topic(2);
    const { groups } = proxy(t, cluster);
    const send = await producer(t, cluster);
    const wish = wishOf(topic);
    const one = await Client.open(groups, wish);
    await eventually(PATIENCE, 'both', () => one.has.size === 2);
    for (const partition of [0, 1]) await send.send({ topic, messages: numbers(10, partition * 100).map((message) => ({ ...message, partition })) });
    await one.got(20);
    const two = await Client.open(groups, wish);
    assert.deepEqual(two.all[0].partitions, []); // it has none yet
    assert.equal(one.has.size, 2);
    for (const partition of [0, 1]) one.ack(one.records.findLast((record) => record.partition === partition));
    await eventually(PATIENCE, 'one each', () => one.has.size === 1 && two.has.size === 1);
    const gone = one.all.find(({ type }) => type === 'revoked');
    const come = two.all.find(({ type, partitions }) => type === 'assigned' && partitions.length > 0);
    assert.ok(gone.at < come.at);
    assert.deepEqual(come.partitions, [{ ...gone.partitions[0], offset: 10 }]);
    await send.send({ topic, messages: [{ value: '1', partition: come.partitions[0].partition }] });
    await two.got(1);
    assert.equal(two.records[0].offset, 10);
    // Messages not acknowledged in time come again to the next.
    const three = await Client.open(groups, wish);
    assert.equal(three.has.size, 0);
    one.die();
    await eventually(PATIENCE, 'the third has what the first had', () => three.has.size === 1);
    two.die();
    await three.got(1);
    assert.equal(three.records[0].offset, 10);
  });

  test('the last client leaves the group at once, and one that comes in that moment goes on behind its acks', async (t) => {
    const { client, wish, groups, send, topic } = await reading(t, 10);
    await client.got(10);
    client.ack(at(client, 6));
    const left = client.close();
    const next = await Client.open(groups, wish);
    await left;
    assert.equal(next.all[0].partitions[0].offset, 7);
    await next.got(3);
    await next.close();
    const { admin } = await kafkaJs(t, cluster);
    const {
      groups: [described],
    } = await admin.describeGroups([wish.group]);
    assert.deepEqual([described.state, described.members.length], ['Empty', 0]);
    await send.send({ topic, messages: numbers(1, 10) });
  });

  test('each client of a group gets the topics that it wishes, and no other', async (t) => {
    const [one, two] = [await cluster.topic(2), await cluster.topic(2)];
    const { groups } = proxy(t, cluster);
    const send = await producer(t, cluster);
    const group = topicName('group');
    const clients = await Promise.all([[one], [two], [one, two]].map((topics) => Client.open(groups, { ...wishOf(), group, topics })));
    await eventually(PATIENCE, 'all are dealt', () => clients.reduce((sum, client) => sum + client.has.size, 0) === 4);
    for (const topic of [one, two])
      for (const partition of [0, 1]) await send.send({ topic, messages: numbers(5).map((message) => ({ ...message, partition })) });
    await eventually(PATIENCE, 'all came', () => clients.reduce((sum, client) => sum + client.records.length, 0) === 20);
    assert.ok(clients[0].records.every(({ topic }) => topic === one));
    assert.ok(clients[1].records.every(({ topic }) => topic === two));
  });

  test('a topic that is not there is told as such, and is not made', async (t) => {
    const { groups, admin } = proxy(t, cluster);
    const topic = topicName('missing');
    await assert.rejects(Client.open(groups, wishOf(topic)), { name: 'ProxyError', code: 'UNKNOWN_TOPIC_OR_PARTITION', close: 4404 });
    assert.ok(!(await (await admin()).listTopics()).includes(topic));
  });

  test('topics of a pattern and partitions that are made later are read from their first message', async (t) => {
    const { groups, admin } = proxy(t, cluster);
    const topic = await cluster.topic(1);
    const grows = await Client.open(groups, { ...wishOf(topic), from: 'latest' });
    const send = await producer(t, cluster);
    const prefix = topicName('pattern');
    const client = await Client.open(groups, { group: topicName('group'), topics: [], pattern: new RegExp(`^${prefix}`), from: 'latest' });
    assert.deepEqual(client.all[0].partitions, []);
    await cluster.admin.createTopic(`${prefix}-1`, { partitions: 1, replication: 1 });
    await send.send({ topic: `${prefix}-1`, messages: numbers(5) });
    await (await admin()).createPartitions({ topicPartitions: [{ topic, count: 2 }] });
    // To whoever leads it: the producer has to hear of it first.
    await eventually(PATIENCE, 'the new partition takes messages', () =>
      send.send({ topic, messages: numbers(5).map((message) => ({ ...message, partition: 1 })) }),
    );
    await Promise.all([client.got(5), grows.got(5)]);
    assert.deepEqual([values(client), values(grows)], [range(0, 5), range(0, 5)]);
  });

  test("a pattern does not find Kafka's own topics: a commit does not come as a message", async (t) => {
    const { groups } = proxy(t, cluster);
    const topic = await cluster.topic(1);
    const send = await producer(t, cluster);
    await send.send({ topic, messages: numbers(1) });
    // Its group makes the topic of all groups' offsets.
    const first = await Client.open(groups, wishOf(topic));
    await first.got(1);
    await first.close();
    const client = await Client.open(groups, {
      group: topicName('group'),
      topics: [],
      pattern: new RegExp(`^(__consumer_offsets|${topic})$`),
      from: 'earliest',
    });
    for (const n of [0, 1, 2]) {
      client.ack((await client.got(n + 1))[n]);
      await client.told('committed', { topic, partition: 0, offset: n });
      await send.send({ topic, messages: numbers(1, n + 1) });
    }
    await client.got(4);
    assert.deepEqual([...client.has], [`${topic}/0`]);
    assert.deepEqual(values(client), range(0, 4));
  });

  test("'latest' is where the group began, also for who comes when nothing was acknowledged yet", async (t) => {
    const topic = await cluster.topic(1);
    const send = await producer(t, cluster);
    await send.send({ topic, messages: numbers(10) });
    const wish = { ...wishOf(topic), from: 'latest' };
    const { groups } = proxy(t, cluster);
    const client = await Client.open(groups, wish);
    await eventually(PATIENCE, 'it has the partition', () => client.has.size === 1);
    assert.equal(client.all.find(({ partitions }) => partitions?.length).partitions[0].offset, 10);
    await send.send({ topic, messages: numbers(5, 10) });
    await client.got(5);
    await client.close();
    // Nobody has acknowledged them: they are not lost, though the log has another end now.
    const next = await Client.open(groups, wish);
    await next.got(5);
    assert.deepEqual(values(next), range(10, 15));
  });

  test('sockets that would begin elsewhere share the consumer of the first, whose wish counts', async (t) => {
    const topic = await cluster.topic(2);
    const { groups } = proxy(t, cluster);
    const send = await producer(t, cluster);
    for (const partition of [0, 1]) await send.send({ topic, messages: numbers(5).map((each) => ({ ...each, partition })) });
    const group = topicName('group');
    const [first, second] = await Promise.all(['earliest', 'latest'].map((from) => Client.open(groups, { group, topics: [topic], from })));
    assert.equal(groups.readers, 1);
    await eventually(PATIENCE, 'one each', () => first.has.size === 1 && second.has.size === 1);
    for (const client of [first, second]) {
      const own = () => client.records.filter(({ partition }) => client.has.has(`${topic}/${partition}`));
      await eventually(PATIENCE, 'all of its partition', () => own().length >= 5);
      assert.equal(own()[0].offset, 0);
    }
  });

  test('lag is what is not acknowledged', async (t) => {
    const { client, topic } = await reading(t, 10);
    await client.got(10);
    client.ack(at(client, 3));
    await client.subscription.lag();
    assert.deepEqual(client.all.at(-1).partitions, [{ topic, partition: 0, offset: 4, end: 10, lag: 6 }]);
  });

  test('a group that retention has overtaken is told how many messages it missed, and goes on with those that are there', async (t) => {
    const { client: before, topic, wish, groups, admin } = await reading(t, 10);
    await before.got(10);
    before.ack(at(before, 2));
    await before.told('committed', { offset: 2 });
    await before.close();
    await (await admin()).deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '5' }] });
    const client = await Client.open(groups, wish);
    const { error, partition } = await client.told('warn');
    assert.deepEqual(
      [error.code, partition, error.message],
      ['OFFSET_OUT_OF_RANGE', 0, `2 messages of ${topic}/0 were deleted by retention before they were sent: it goes on at offset 5`],
    );
    await client.got(5);
    assert.deepEqual(values(client), range(5, 10));
  });

  test('a topic that is deleted and made anew is read from its first message', async (t) => {
    const { client, topic, send, admin } = await reading(t, 10);
    await client.got(10);
    client.ack(at(client, 9));
    await client.told('committed', { offset: 9 });
    await (await admin()).deleteTopics({ topics: [topic] });
    await eventually(PATIENCE, 'it is made anew', async () => {
      await cluster.admin.createTopic(topic, { partitions: 1, replication: 1 });
      return true;
    });
    await eventually(PATIENCE, 'it takes messages', () => send.send({ topic, messages: numbers(3, 50) }));
    await eventually(PATIENCE, 'they came', () => values(client).includes(52));
    assert.deepEqual(values(client).slice(-3), range(50, 53));
  });

  test('of two processes in a group one is killed: the other goes on behind what was told as committed, and loses nothing', async (t) => {
    const topic = await cluster.topic(4);
    const { groups } = proxy(t, cluster);
    const send = await producer(t, cluster);
    const wish = wishOf(topic);
    const floor = new Array(4).fill(0);
    const again = [];
    const came = Array.from({ length: 4 }, () => new Set());
    let over = false;
    const own = await Client.open(groups, wish, {
      on: (call, client) => {
        if (call.type !== 'batch') return;
        const { partition, records } = call;
        for (const { offset } of records) {
          if (offset < floor[partition]) again.push(`${partition}/${offset}`);
          came[partition].add(offset);
        }
        setImmediate(() => {
          if (!over && client.has.has(`${topic}/${partition}`)) client.ack({ topic, partition, offset: records.at(-1).offset });
        });
      },
    });
    const child = new Child(t, 'proxy-group-member.js', { brokers: cluster.options().broker, wish, ack: true });
    const theirs = Array.from({ length: 4 }, () => new Set());
    const acked = new Array(4).fill(0);
    child.on('acks', ({ partition, offset }) => (acked[partition] = Math.max(acked[partition], offset + 1)));
    child.on('batch', ({ partition, offsets }) => offsets.forEach((offset) => theirs[partition].add(offset)));
    child.on('committed', ({ partition, offset }) => (floor[partition] = Math.max(floor[partition], offset + 1)));
    await eventually(PATIENCE, 'two each', () => own.has.size === 2);
    const total = 400;
    for (let i = 0; i < total; i += 20) {
      for (let partition = 0; partition < 4; partition++) await send.send({ topic, messages: numbers(20, i).map((message) => ({ ...message, partition })) });
      if (i === total / 2) {
        await child.says('committed');
        await child.kill();
      }
    }
    // Messages that the killed one got and did not acknowledge come again.
    const all = (partition) => range(0, total).every((offset) => came[partition].has(offset) || (theirs[partition].has(offset) && offset < acked[partition]));
    await eventually(PATIENCE, 'everything came', () => [0, 1, 2, 3].every(all));
    over = true;
    assert.deepEqual(again, []);
    assert.ok(theirs.some(({ size }) => size > 0) && floor.some((offset) => offset > 0));
  });
});
