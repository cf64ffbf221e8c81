'use strict';
// Reading without a group on three brokers: leaders move, brokers are killed, partitions come, logs lose their begin, topics are made anew.

const assert = require('node:assert/strict');
const { EventEmitter, once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const { setTimeout } = require('node:timers/promises');
const { after, afterEach, before, describe, test } = require('node:test');
const { Kafka } = require('kafka-native');
const { Brokers } = require('../../chaos/brokers.js');
const { cleanup } = require('../../support/cleanup.js');
const { real, topicName } = require('../../support/clusters.js');
const { PATIENCE, SOON, silent, within } = require('../../support/flow.js');
const { Got, kafkaJs } = require('../../support/groups.js');
const { readWithKafkaJS } = require('../../support/kafkajs.js');
const { random, seed } = require('../../support/random.js');
const { deferred, eventually, witness } = require('../../support/watch.js');

/** A last bound, for machines that have much else to do. */
const timeout = 240_000;

describe('reading without a group, on three brokers', () => {
  /** @type {any} */ let cluster;
  /** KafkaJS's, which moves replicas, and ours, which elects. */
  /** @type {any} */ let admin;
  /** @type {any} */ let ours;
  const ends = [];
  before(async () => {
    const config = { 'log.cleaner.backoff.ms': '200', 'log.retention.check.interval.ms': '200', 'log.initial.task.delay.ms': '100' };
    cluster = await real({ own: true, nodes: 3, autoCreateTopics: false, config });
    ({ admin } = await kafkaJs({ after: (end) => ends.push(end) }, cluster));
    ours = kafka().admin();
    await ours.connect();
  });
  afterEach(() => new Brokers(cluster.kafka).heal());
  after(async () => {
    await ours?.disconnect();
    for (const end of ends) await end();
    await cluster?.close();
  });

  const kafka = (logger = silent) => new Kafka({ brokers: cluster.options().broker.split(','), logger });
  const made = (partitions, config) => cluster.topic(partitions, { replication: 3, config });
  const node = (id) => cluster.kafka.nodes[id - 1];

  async function sender(t, config = { idempotent: true }) {
    const producer = kafka().producer(config);
    cleanup(t, () => producer.disconnect());
    await producer.connect();
    return producer;
  }

  /** Values that were acknowledged, one send after another until it is stopped: value by value to the next partition. */
  class Traffic extends EventEmitter {
    acknowledged = [];
    failed = 0;
    #over = false;
    #done;

    constructor(producer, topic, partitions) {
      super();
      this.#done = this.#send(producer, topic, partitions);
      this.#done.catch(() => {}); // heard of when it is stopped
    }

    async #send(producer, topic, partitions) {
      for (let n = 0; !this.#over; n += 10) {
        const messages = Array.from({ length: 10 }, (_, i) => ({ value: `${n + i}`, partition: (n / 10 + i) % partitions }));
        try {
          await producer.send({ topic, messages });
          this.acknowledged.push(...messages.map(({ value, partition }) => `${partition}: ${value}`));
        } catch (error) {
          this.failed++;
          if (error.type === 'UNKNOWN_TOPIC_OR_PARTITION') continue;
          if (error.retriable === false) throw error;
        }
        this.emit('more');
      }
    }

    /** So many more are acknowledged. */
    async more(count) {
      const goal = this.acknowledged.length + count;
      await within(120_000, () => `${this.acknowledged.length} of ${goal} are acknowledged, ${this.failed} sends failed`, async () => {
        while (this.acknowledged.length < goal) await once(this, 'more');
      });
    }

    async stop() {
      this.#over = true;
      await this.#done;
      return this.acknowledged;
    }
  }

  async function traffic(t, topic, partitions, config) {
    const load = new Traffic(await sender(t, config), topic, partitions);
    cleanup(t, () => load.stop().catch(() => {}));
    return load;
  }

  async function reader(t, subscription, { run = {}, logger = silent, ...config } = {}) {
    const got = new Got();
    const consumer = kafka(logger).consumer({ groupId: null, maxWaitTimeInMs: 50, metadataMaxAge: 200, ...config });
    cleanup(t, () => consumer.disconnect());
    await consumer.subscribe(subscription);
    await consumer.run({ eachMessage: got.each, ...run });
    return { consumer, got };
  }

  /** The leaders of all partitions: the next broker in turn, or those that are said. */
  async function moveLeaders(topic, to = () => undefined) {
    const { topics: [{ partitions }] } = await ours.fetchTopicMetadata({ topics: [topic] });
    const partitionAssignment = partitions.map(({ partitionId: partition, replicas }) => {
      const first = to(partition);
      return { partition, replicas: first === undefined ? [...replicas.slice(1), replicas[0]] : [first, ...replicas.filter((id) => id !== first)] };
    });
    await admin.alterPartitionReassignments({ topics: [{ topic, partitionAssignment }] });
    await ours.electLeaders({ topics: [{ topic, partitions: partitions.map(({ partitionId }) => partitionId) }] });
    return partitions.length;
  }

  /** Leaders that move in the background, once with each call of `begin`, unless they still do. */
  class Moves {
    made = 0;
    #under;

    constructor(topic) {
      this.topic = topic;
    }

    begin() {
      this.#under ??= moveLeaders(this.topic).then(() => {
        this.made++;
        this.#under = undefined;
      });
    }

    /** Nothing moves any more. */
    end = () => this.#under;
  }

  async function inSync(topic) {
    await eventually(120_000, 'every replica is in sync', async () => {
      const { topics: [{ partitions }] } = await ours.fetchTopicMetadata({ topics: [topic] });
      return partitions.every(({ leader, isr, replicas }) => leader >= 0 && isr.length === replicas.length);
    });
  }

  /** A leader that has just been elected cannot say yet where its log ends. */
  const offsetsOf = (topic) => eventually(PATIENCE, 'the offsets are known', () => ours.fetchTopicOffsets(topic));

  async function leaderOf(topic, partition = 0) {
    const { topics: [{ partitions }] } = await ours.fetchTopicMetadata({ topics: [topic] });
    return partitions.find(({ partitionId }) => partitionId === partition).leader;
  }

  /** `offset: value` of each partition, in the order in which they came. */
  function byPartition(messages) {
    const lists = new Map();
    for (const { partition, offset, value } of messages) {
      if (!lists.has(partition)) lists.set(partition, []);
      lists.get(partition).push(`${offset}: ${value}`);
    }
    return lists;
  }

  /** Messages that an independent client finds in a log without holes. */
  async function logOf(t, topic) {
    const offsets = await offsetsOf(topic);
    const count = offsets.reduce((sum, { low, high }) => sum + Number(high) - Number(low), 0);
    return byPartition(await readWithKafkaJS(t, cluster, topic, (messages) => messages.length >= count));
  }

  /** The batches of a partition that have messages, as they lie on a broker's disk: how many, and the last offset. */
  function batchesOnDisk({ dir }, topic, partition) {
    const folder = path.join(dir, 'data', `${topic}-${partition}`);
    return fs.readdirSync(folder).filter((name) => name.endsWith('.log')).sort().flatMap((name) => {
      const bytes = fs.readFileSync(path.join(folder, name));
      const found = [];
      for (let at = 0; at + 61 <= bytes.length; at += 12 + bytes.readInt32BE(at + 8)) {
        const [control, count] = [bytes.readInt16BE(at + 21) & 0x20, bytes.readInt32BE(at + 57)];
        if (!control && count > 0) found.push({ count, last: Number(bytes.readBigInt64BE(at)) + bytes.readInt32BE(at + 23) });
      }
      return found;
    });
  }

  /** Fails with the first difference. */
  function same(got, wanted, what) {
    const at = Array.from({ length: Math.max(got.length, wanted.length) }).findIndex((_, i) => got[i] !== wanted[i]);
    if (at < 0) return;
    const near = (list) => JSON.stringify(list.slice(Math.max(at - 2, 0), at + 3));
    assert.fail(`${what}: ${got.length} came, ${wanted.length} were wanted, and from place ${at} they differ: ${near(got)}, wanted ${near(wanted)}`);
  }

  /** Each reader has, of each partition, all of the log from the offset on where it began, once and in order. */
  async function readAll(t, topic, acknowledged, readers) {
    const log = await logOf(t, topic);
    const values = new Set([...log].flatMap(([partition, list]) => list.map((each) => `${partition}: ${each.split(': ')[1]}`)));
    const lost = acknowledged.filter((each) => !values.has(each));
    assert.deepEqual(lost, [], 'acknowledged, and not in the log');
    for (const [name, { consumer, got, from = () => 0 }] of Object.entries(readers)) {
      await within(PATIENCE, () => `${name} is caught up: ${got.messages.length} messages came`, () => consumer.caughtUp());
      const lists = byPartition(got.messages);
      for (const [partition, list] of log) same(lists.get(partition) ?? [], list.slice(from(partition)), `${name}, partition ${partition}`);
    }
  }

  test('every message is read once and in order by every reader, while leaders move and partitions are added', { timeout }, async (t) => {
    const topic = await made(3);
    const before = await sender(t);
    await before.send({ topic, messages: [0, 1, 2].flatMap((partition) => Array.from({ length: 10 }, () => ({ value: 'before', partition }))) });
    const [whole, live] = await Promise.all(['beginning', 'end'].map((from) => reader(t, { topics: [topic], from })));
    const loads = [await traffic(t, topic, 3)];
    for (let round = 0; round < 9; round++) {
      if (round % 3 === 2) {
        const partitions = 3 + (round + 1) / 3;
        await ours.createPartitions({ topicPartitions: [{ topic, count: partitions }] });
        loads.push(await traffic(t, topic, partitions));
      }
      await moveLeaders(topic);
      await loads.at(-1).more(200);
    }
    const acknowledged = (await Promise.all(loads.map((load) => load.stop()))).flat();
    await readAll(t, topic, acknowledged, { whole, live: { ...live, from: (partition) => (partition < 3 ? 10 : 0) } });
  });

  test('every message is read once and in order by every reader, while brokers are killed and come back', { timeout }, async (t) => {
    const topic = await made(6);
    const [whole, live] = await Promise.all(['beginning', 'end'].map((from) => reader(t, { topics: [topic], from })));
    const load = await traffic(t, topic, 6);
    for (const broker of cluster.kafka.nodes) {
      await load.more(300);
      await broker.kill();
      await load.more(300);
      await broker.start();
      await inSync(topic);
    }
    await readAll(t, topic, await load.stop(), { whole, live });
  });

  test('who produced has read it after caughtUp, a thousand times while leaders move', { timeout }, async (t) => {
    const topic = await made(3);
    const producer = await sender(t);
    const { consumer, got } = await reader(t, { topics: [topic], from: 'end' });
    const moves = new Moves(topic);
    for (let i = 0; i < 1000; i++) {
      if (i % 25 === 0) moves.begin();
      await producer.send({ topic, messages: [{ value: `${i}`, partition: i % 3 }] });
      await within(PATIENCE, `caught up after ${i}`, () => consumer.caughtUp());
      assert.deepEqual([got.messages.length, got.messages.at(-1)?.value], [i + 1, `${i}`]);
    }
    await moves.end();
    assert.ok(moves.made > 10, `leaders moved ${moves.made} times`);
  });

  test('from the end everything is read that is produced when run has resolved, while leaders move', { timeout }, async (t) => {
    const topic = await made(3);
    const load = await traffic(t, topic, 3);
    const moves = new Moves(topic);
    const readers = {};
    for (let i = 0; i < 12; i++) {
      await load.more(30);
      moves.begin();
      const before = await offsetsOf(topic);
      const made = await reader(t, { topics: [topic], from: 'end' });
      const began = await offsetsOf(topic);
      await load.more(60);
      await made.consumer.caughtUp();
      const first = new Map([...byPartition(made.got.messages)].map(([partition, [message]]) => [partition, parseInt(message, 10)]));
      for (const [partition, at] of first) {
        const [low, high] = [before, began].map((offsets) => Number(offsets.find((each) => each.partition === partition).high));
        assert.ok(low <= at && at <= high, `reader ${i} began partition ${partition} at ${at}, its end was between ${low} and ${high}`);
      }
      assert.equal(first.size, 3);
      readers[`reader ${i}`] = { ...made, from: (partition) => first.get(partition) };
    }
    await moves.end();
    await readAll(t, topic, await load.stop(), readers);
  });

  test('from the end run resolves while a broker is down, and everything is read that is produced then', { timeout }, async (t) => {
    const topic = await made(3);
    const producer = await sender(t);
    await producer.send({ topic, messages: [0, 1, 2].map((partition) => ({ value: 'before', partition })) });
    await moveLeaders(topic, () => 2);
    // Killed, and nobody knows: the leader of all partitions is not there.
    await node(2).kill();
    const live = await reader(t, { topics: [topic], from: 'end' });
    await producer.send({ topic, messages: [0, 1, 2].map((partition) => ({ value: 'behind', partition })) });
    await within(PATIENCE, 'caught up', () => live.consumer.caughtUp());
    assert.deepEqual(live.got.values(), ['behind', 'behind', 'behind']);
    await node(2).start();
    await inSync(topic);
    await producer.send({ topic, messages: [0, 1, 2].map((partition) => ({ value: 'later', partition })) });
    await live.consumer.caughtUp();
    assert.deepEqual(live.got.values().slice(3), ['later', 'later', 'later']);
  });

  test('caughtUp holds what it promises when a leader is killed meanwhile', { timeout }, async (t) => {
    const topic = await made(3);
    const producer = await sender(t);
    const release = deferred();
    const got = new Got();
    const { consumer } = await reader(t, { topics: [topic], from: 'beginning' }, {
      run: { eachMessage: async (payload) => {
        await release.promise;
        await got.each(payload);
      } },
    });
    const waits = [];
    for (let round = 0; round < 3; round++) {
      await producer.send({ topic, messages: [0, 1, 2].map((partition) => ({ value: `${round}`, partition })) });
      const broker = node(await leaderOf(topic));
      // One asks when the leader is there, one when it is gone and nobody knows.
      waits.push(consumer.caughtUp().then(() => assert.ok(got.messages.length >= 3 * (round + 1), `${got.messages.length} came`)));
      broker.killNow();
      waits.push(consumer.caughtUp().then(() => assert.ok(got.messages.length >= 3 * (round + 1), `${got.messages.length} came`)));
      if (round === 1) release.resolve();
      await eventually(PATIENCE, 'another leads', async () => (await leaderOf(topic)) !== broker.id);
      await eventually(PATIENCE, 'it is gone', () => broker.pid === undefined);
      await broker.start();
      await inSync(topic);
    }
    await within(PATIENCE, () => `everybody is caught up: ${got.messages.length} came`, () => Promise.all(waits));
    assert.equal(got.messages.length, 9);
  });

  test('until the end reads all that there was, once and in order, when brokers are killed meanwhile', { timeout }, async (t) => {
    const topic = await made(3);
    const producer = await sender(t);
    const wanted = new Map([0, 1, 2].map((partition) => [partition, Array.from({ length: 1000 }, (_, n) => `${n}: ${'x'.repeat(500)}${n}`)]));
    for (const [partition, list] of wanted) await producer.send({ topic, messages: list.map((each) => ({ value: each.split(': ')[1], partition })) });
    const got = [];
    let killed;
    // Little is fetched ahead.
    const consumer = kafka().consumer({ groupId: null, maxBytesPerPartition: 10_000, maxBufferedBytes: 100_000 });
    cleanup(t, () => consumer.disconnect());
    await consumer.subscribe({ topics: [topic], from: 'beginning' });
    for await (const { partition, offset, value } of consumer.messages({ until: 'end' })) {
      got.push({ partition, offset, value });
      if (got.length !== 500 && got.length !== 1500) continue;
      await killed?.start();
      await inSync(topic);
      killed = node(await leaderOf(topic, partition));
      await killed.kill();
      await producer.send({ topic, messages: [0, 1, 2].map((each) => ({ value: 'later', partition: each })) });
    }
    for (const [partition, list] of byPartition(got)) same(list, wanted.get(partition), `partition ${partition}`);
  });

  /** The log's lines on messages deleted before they were read: the first offset, the last, and where reading goes on. */
  const deleted = (lines, topic) => lines.all.flatMap(([level, line]) => {
    const told = level === 'warn' && new RegExp(`${topic}/0: .*at offset (\\d+) and up to (\\d+) was deleted before.* read on at (\\d+)`).exec(line);
    return told ? [told.slice(1).map(Number)] : [];
  });

  for (const [name, how, empty] of Object.entries({
    'the records of a reader that is paused are deleted': async (topic) => ours.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '-1' }] }),
    'retention overtakes a reader that is paused': async (topic) => {
      const keep = (value) => ours.alterConfigs({ resources: [{ type: 2, name: topic, configEntries: [{ name: 'retention.ms', value }] }] });
      await keep('1');
      await eventually(PATIENCE, 'all is gone', async () => (await offsetsOf(topic)).every(({ low, high }) => low === high));
      await keep('-1');
    },
  }).flatMap(([name, how]) => [[name, how, false], [`${name}, nothing is left`, how, true]])) {
    test(`${name}: it is told, and goes on at the begin of the log`, { timeout }, async (t) => {
      const topic = await made(1);
      const producer = await sender(t);
      const send = (from, to) => producer.send({ topic, messages: Array.from({ length: to - from }, (_, i) => ({ value: `${from + i}`, partition: 0 })) });
      const { lines, logger } = witness();
      await send(0, 10);
      const { consumer, got } = await reader(t, { topics: [topic], from: 'beginning' }, { logger });
      await got.until(10);
      consumer.pause([{ topic }]);
      await send(10, 20);
      await how(topic);
      if (!empty) await send(20, 30);
      consumer.resume([{ topic }]);
      await within(PATIENCE, 'caught up', () => consumer.caughtUp());
      if (empty) await send(20, 30);
      await within(PATIENCE, 'caught up', () => consumer.caughtUp());
      assert.deepEqual(got.values(), [...Array(10).keys(), ...Array.from({ length: 10 }, (_, i) => 20 + i)].map(String));
      assert.deepEqual(deleted(lines, topic), [[10, 19, 20]]);
    });
  }

  test('retention overtakes a reader whose handler stalls: it is told, and goes on at the begin of the log', { timeout }, async (t) => {
    const topic = await made(1);
    const producer = await sender(t);
    // In small batches: one is fetched as a whole.
    for (let n = 0; n < 2000; n += 20) await producer.send({ topic, messages: Array.from({ length: 20 }, (_, i) => ({ value: `${n + i} `.padEnd(1000, 'x'), partition: 0 })) });
    const { lines, logger } = witness();
    const stalled = deferred();
    const begun = deferred();
    const numbers = [];
    const { consumer } = await reader(t, { topics: [topic], from: 'beginning' }, {
      logger,
      maxBytesPerPartition: 10_000,
      maxBufferedBytes: 100_000,
      run: { eachMessage: async ({ message }) => {
        numbers.push(parseInt(String(message.value), 10));
        begun.resolve();
        await stalled.promise;
      } },
    });
    await begun.promise;
    await ours.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '1900' }] });
    stalled.resolve();
    await within(PATIENCE, 'caught up', () => consumer.caughtUp());
    const fetched = numbers.indexOf(1900);
    assert.ok(fetched > 0 && fetched < 1900, `${fetched} were fetched ahead`);
    same(numbers, [...Array(fetched).keys(), ...Array.from({ length: 100 }, (_, i) => 1900 + i)], 'what came');
    assert.deepEqual(deleted(lines, topic), [[fetched, 1899, 1900]]);
  });

  test('a topic that is deleted and made anew under traffic is read from its first message, which the log says', { timeout }, async (t) => {
    const topic = await made(3);
    const { lines, logger } = witness();
    const { consumer, got } = await reader(t, { topics: [topic], from: 'end' }, { logger });
    const old = await traffic(t, topic, 3, {});
    await old.more(600);
    await consumer.caughtUp();
    const before = got.messages.length;
    await cluster.admin.deleteTopic(topic);
    await eventually(PATIENCE, 'the topic is made again', () => cluster.admin.createTopic(topic, { partitions: 4, replication: 3 }).then(() => true, () => false));
    const load = await traffic(t, topic, 4, {});
    await load.more(1200);
    const acknowledged = [...(await old.stop()), ...(await load.stop())];
    const log = await logOf(t, topic);
    assert.ok(acknowledged.length > 1800);
    await within(PATIENCE, () => `caught up: ${got.messages.length} came`, () => consumer.caughtUp());
    await got.until(() => [...byPartition(got.messages)].every(([partition, list]) => list.at(-1) === log.get(partition)?.at(-1)));
    const lists = byPartition(got.messages);
    assert.deepEqual([...lists.keys()].sort(), [0, 1, 2, 3]);
    for (const [partition, list] of lists) same(list.slice(-log.get(partition).length), log.get(partition), `the new partition ${partition}`);
    assert.ok(before >= 600);
    const told = lines.all.filter(([level, line]) => level === 'warn' && line.includes(`topic '${topic}'`));
    assert.equal(told.length, 1, JSON.stringify(lines.all));
    assert.match(told[0][1], /was deleted/);
  });

  test('a topic that is made anew when its leaders have moved takes and gives messages at once, also by clients that had the old one', { timeout }, async (t) => {
    const topic = await made(3);
    const producer = await sender(t, { allowAutoTopicCreation: false });
    const send = (prefix, count) => producer.send({ topic, messages: Array.from({ length: count }, (_, i) => ({ value: `${prefix}${i}`, partition: i % 3 })) });
    const { consumer, got } = await reader(t, { topics: [topic], from: 'beginning' });
    for (let round = 0; round < 3; round++) {
      await eventually(PATIENCE, 'the old topic takes messages', () => send('old', 3).then(() => true, () => false));
      await inSync(topic);
      await moveLeaders(topic);
    }
    await consumer.caughtUp();
    await cluster.admin.deleteTopic(topic);
    await eventually(PATIENCE, 'the topic is made again', () => cluster.admin.createTopic(topic, { partitions: 3, replication: 3 }).then(() => true, () => false));
    await eventually(SOON, 'the new topic takes messages', () => send('new', 60).then(() => true, () => false));
    await within(SOON, 'the reader has them', () => got.until((messages) => new Set(messages.map(({ value }) => value).filter((value) => value.startsWith('new'))).size === 60));
    await within(SOON, 'caught up', () => consumer.caughtUp());
    const log = await logOf(t, topic);
    for (const [partition, list] of byPartition(got.messages)) same(list.slice(-log.get(partition).length), log.get(partition), `the new partition ${partition}`);
  });

  test('caughtUp and until reach the ends behind compacted holes and aborted messages, and of empty partitions', { timeout }, async (t) => {
    const topic = await made(4, { 'cleanup.policy': 'compact', 'segment.ms': '50', 'min.cleanable.dirty.ratio': '0.001', 'delete.retention.ms': '0' });
    const [HOLES, ABORTED, EMPTY, NOTHING_ELSE] = [0, 1, 2, 3];
    const producer = await sender(t, { transactionalId: topicName('tx'), idempotent: true, maxInFlightRequests: 1 });
    const inTransaction = async (end, partition, keys, round) => {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: keys.map((key) => ({ key, value: `${key}${round}`, partition })) });
      // A segment ends by the clock alone, segment.ms after its first message: what is aborted has to lie in one before its marker's.
      if (end === 'abort') await setTimeout(100);
      await transaction[end]();
    };
    const { consumer: live, got: seen } = await reader(t, { topics: [topic], from: 'beginning' });
    for (let round = 0; round < 10; round++) await inTransaction('commit', HOLES, ['a', 'b', 'c'], round);
    for (let round = 10; round < 13; round++) await inTransaction('abort', HOLES, ['a', 'b'], round);
    await inTransaction('commit', ABORTED, ['d'], 0);
    await inTransaction('abort', ABORTED, ['d', 'e'], 1);
    await inTransaction('abort', NOTHING_ELSE, ['f'], 0);
    await within(PATIENCE, 'the live reader is caught up', () => live.caughtUp());
    assert.deepEqual(seen.values().sort(), [...Array.from({ length: 10 }, (_, round) => ['a', 'b', 'c'].map((key) => `${key}${round}`)).flat(), 'd0'].sort());

    // Segments end when something follows: then all but the last can be compacted. It is what lies in them that is gone at the log's end.
    const kept = await eventually(100_000, 'the log is compacted to its end', async () => {
      const batches = batchesOnDisk(node(await leaderOf(topic, HOLES)), topic, HOLES);
      return batches.reduce((sum, { count }) => sum + count, 0) === 3 && batches;
    });
    const { high } = (await offsetsOf(topic)).find(({ partition }) => partition === HOLES);
    assert.ok(kept.at(-1).last < Number(high) - 4, `the last message is at ${kept.at(-1).last}, the end at ${high}`);

    for (const readUncommitted of [false, true]) {
      const { consumer, got } = await reader(t, { topics: [topic], from: 'beginning' }, { readUncommitted });
      await within(PATIENCE, () => `caught up, readUncommitted ${readUncommitted}`, () => consumer.caughtUp());
      // A reader of uncommitted messages gets aborted ones, unless they have been compacted away.
      const wanted = ['a9', 'b9', 'c9', 'd0'];
      const aborted = readUncommitted ? ['d1', 'e1', 'f0'] : [];
      assert.deepEqual(got.values().filter((value) => !aborted.includes(value)).sort(), wanted);
      const once = [];
      const job = kafka().consumer({ groupId: null, readUncommitted, maxWaitTimeInMs: 50 });
      cleanup(t, () => job.disconnect());
      await job.subscribe({ topics: [topic], from: 'beginning' });
      await within(PATIENCE, () => `the end is reached, readUncommitted ${readUncommitted}`, () => job.run({ until: 'end', eachMessage: async ({ message }) => once.push(String(message.value)) }));
      assert.deepEqual(once.filter((value) => !aborted.includes(value)).sort(), wanted);
    }

    // An open transaction, and a message behind it.
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: [{ key: 'g', value: 'open', partition: EMPTY }] });
    const plain = await sender(t);
    await plain.send({ topic, messages: [{ key: 'h', value: 'behind', partition: EMPTY }] });
    const reason = new Error('enough');
    const controller = new AbortController();
    const ended = assert.rejects(live.caughtUp({ signal: controller.signal }), reason);
    let caught = false;
    const waiting = live.caughtUp().then(() => (caught = true));
    const job = kafka().consumer({ groupId: null, maxWaitTimeInMs: 50 });
    cleanup(t, () => job.disconnect());
    await job.subscribe({ topics: [topic], from: 'beginning' });
    const once = [];
    await within(PATIENCE, 'the end is the last stable offset', () => job.run({ until: 'end', eachMessage: async ({ message }) => once.push(String(message.value)) }));
    assert.deepEqual(once.filter((value) => ['open', 'behind'].includes(value)), []);
    controller.abort(reason);
    await ended;
    assert.deepEqual([caught, seen.values().includes('behind')], [false, false]);
    await transaction.commit();
    await within(PATIENCE, 'the wait ends with the transaction', () => waiting);
    assert.deepEqual(seen.values().slice(-2), ['open', 'behind']);
  });

  test('every reader has what an independent client finds, after random kills, restarts, elections and new partitions', { timeout }, async (t) => {
    t.diagnostic(`SEED=${seed}`);
    const chance = random(seed);
    const topic = await made(3);
    const faults = new Brokers(cluster.kafka, chance, { did: (what) => t.diagnostic(what) });
    const readers = { first: await reader(t, { topics: [topic], from: 'beginning' }), live: await reader(t, { topics: [topic], from: 'end' }) };
    const loads = [await traffic(t, topic, 3)];
    const until = Date.now() + 25_000;
    const steps = {
      fault: () => faults.fault(),
      elect: async () => {
        for (let i = 0; i < 5; i++) await moveLeaders(topic).catch(() => {}); // a broker is away
      },
      partition: async () => {
        const count = 3 + loads.length;
        if (count > 6) return;
        await eventually(PATIENCE, 'a partition is added', () => ours.createPartitions({ topicPartitions: [{ topic, count }] }).then(() => true, ({ message }) => /increase|already/i.test(message)));
        loads.push(await traffic(t, topic, count));
      },
      reader: async () => {
        readers[`reader ${Object.keys(readers).length}`] = await reader(t, { topics: [topic], from: 'beginning' });
      },
      pause: async () => {
        const { consumer } = Object.values(readers)[Math.floor(chance() * Object.keys(readers).length)];
        consumer.pause([{ topic }]);
        await loads.at(-1).more(50);
        consumer.resume([{ topic }]);
      },
      caughtUp: () => readers.live.consumer.caughtUp(),
    };
    const names = ['fault', 'fault', 'fault', 'elect', 'elect', 'partition', 'reader', 'pause', 'caughtUp'];
    try {
      while (Date.now() < until) {
        const name = names[Math.floor(chance() * names.length)];
        t.diagnostic(name);
        await within(90_000, name, steps[name]);
      }
      await faults.heal();
      await inSync(topic);
      const acknowledged = (await Promise.all(loads.map((load) => load.stop()))).flat();
      t.diagnostic(`${acknowledged.length} messages`);
      await readAll(t, topic, acknowledged, readers);
    } catch (error) {
      error.message += ` (SEED=${seed})`;
      throw error;
    }
  });
});
