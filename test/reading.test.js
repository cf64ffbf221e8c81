'use strict';
// Reading without a group: each consumer gets every message of its topics.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { Kafka } = require('kafka-native');
const { cleanup } = require('./support/cleanup.js');
const { embedded, real, topicName } = require('./support/clusters.js');
const { PATIENCE, folder, silent } = require('./support/flow.js');
const { Got } = require('./support/groups.js');
const { Calls, deferred, eventually, witness } = require('./support/watch.js');

describe('a consumer without a group that subscribes', () => {
  let cluster;
  before(async () => (cluster = await real({ own: true })));
  after(() => cluster?.close());

  const kafka = (logger = silent) => new Kafka({ brokers: cluster.options().broker.split(','), logger });
  const numbered = (from, to) => Array.from({ length: to - from }, (_, i) => `${from + i}`);

  /** It makes no topic: one that was deleted would be there again before the test makes it. */
  async function sender(t) {
    const producer = kafka().producer({ allowAutoTopicCreation: false });
    cleanup(t, () => producer.disconnect());
    await producer.connect();
    return (topic, values, partition) => producer.send({ topic, messages: values.map((value) => ({ value, partition })) });
  }

  async function reader(t, subscription, { run = {}, logger = silent, ...config } = {}) {
    const got = new Got();
    const consumer = kafka(logger).consumer({ groupId: null, maxWaitTimeInMs: 50, metadataMaxAge: 200, ...config });
    cleanup(t, () => consumer.disconnect());
    await consumer.subscribe(subscription);
    await consumer.run({ eachMessage: got.each, ...run });
    return { consumer, got };
  }

  for (const [from, wanted] of [
    ['beginning', numbered(0, 20)],
    ['end', numbered(10, 20)],
    [undefined, numbered(10, 20)],
  ]) {
    test(`from ${from} reads all partitions, each instance for itself, and all that is produced when run has resolved`, async (t) => {
      const send = await sender(t);
      const topic = await cluster.topic(3);
      await send(topic, numbered(0, 10));
      const readers = await Promise.all([1, 2].map(() => reader(t, { topics: [topic], from })));
      await send(topic, numbered(10, 20));
      for (const { got } of readers) {
        await got.until(wanted.length);
        assert.deepEqual(
          got.values().sort((a, b) => a - b),
          wanted,
        );
      }
    });
  }

  test('leaves no group on the broker', async (t) => {
    const send = await sender(t);
    const topic = await cluster.topic(1);
    const admin = kafka().admin();
    cleanup(t, () => admin.disconnect());
    await admin.connect();
    // A broker that has just begun cannot say yet.
    const groups = () =>
      eventually(PATIENCE, 'the groups are known', () =>
        admin.listGroups().then(
          (list) => list.groups.map(({ groupId }) => groupId).sort(),
          () => false,
        ),
      );
    const before = await groups();
    const { got, consumer } = await reader(t, { topics: [topic], from: 'beginning' });
    await send(topic, ['a']);
    await got.until(1);
    await consumer.caughtUp();
    assert.deepEqual(await groups(), before);
    await consumer.disconnect();
    assert.deepEqual(await groups(), before);
  });

  test('from a time, and from offsets, begins there', async (t) => {
    const send = await sender(t);
    const topic = await cluster.topic(2);
    await send(topic, ['a0', 'a1'], 0);
    await send(topic, ['b0', 'b1'], 1);
    const producer = kafka().producer();
    cleanup(t, () => producer.disconnect());
    await producer.connect();
    const later = Date.now() + 60_000;
    await producer.send({ topic, messages: [{ value: 'a2', partition: 0, timestamp: String(later) }] });
    const timed = await reader(t, { topics: [topic], from: new Date(later) });
    await send(topic, ['b2'], 1);
    await timed.got.until(2);
    assert.deepEqual(timed.got.values().sort(), ['a2', 'b2']);
    const placed = await reader(t, { topics: [topic], from: { [topic]: { 0: '1', 1: 'end' } } });
    await send(topic, ['b3'], 1);
    const short = await reader(t, { topics: [topic], from: { 0: 2, 1: '2' } });
    await short.got.until(3);
    assert.deepEqual(short.got.values().sort(), ['a2', 'b2', 'b3']);
    await placed.got.until(3);
    assert.deepEqual(placed.got.values().sort(), ['a1', 'a2', 'b3']);
  });

  test('finds topics that match later, and partitions that are added, from their first message', async (t) => {
    const send = await sender(t);
    const prefix = topicName('late');
    const { got } = await reader(t, { topics: [new RegExp(`^${prefix}-(?!no)`), `${prefix}.named`], from: 'end' });
    for (const name of [`${prefix}-yes`, `${prefix}-no`, `${prefix}.named`]) {
      await cluster.admin.createTopic(name, { partitions: 1, replication: 1 });
      await send(name, [name]);
    }
    await got.until(2);
    await cluster.admin.createPartitions(`${prefix}-yes`, 2);
    await eventually(PATIENCE, 'the new partition takes messages', async () =>
      (await sender(t))(`${prefix}-yes`, ['added'], 1).then(() => true),
    );
    await got.until(3);
    assert.deepEqual(got.values().sort(), [`${prefix}-yes`, `${prefix}.named`, 'added'].sort());
  });

  test('begins a topic that was deleted and made anew at its first message', async (t) => {
    const send = await sender(t);
    const topic = await cluster.topic(1);
    await send(topic, numbered(0, 5));
    const { got, consumer } = await reader(t, { topics: [topic], from: 'beginning' });
    await got.until(5);
    const id = consumer.topicId(topic);
    assert.match(String(id), /^[\w+/]{22}$/, 'Kafka has given it an id');
    await cluster.admin.deleteTopic(topic);
    await eventually(PATIENCE, 'the topic made again', () =>
      cluster.admin.createTopic(topic, { partitions: 1, replication: 1 }).then(() => true),
    );
    // More than the old one had: an offset of the old would leave some out.
    await eventually(PATIENCE, 'the topic takes messages', () =>
      send(topic, numbered(100, 120)).then(() => true),
    );
    await got.until((messages) => numbered(100, 120).every((value) => messages.some((message) => message.value === value)));
    // Messages can come before it is known whose they are.
    await eventually(PATIENCE, 'by its id it is another one', () => consumer.topicId(topic) !== id);
    assert.match(String(consumer.topicId(topic)), /^[\w+/]{22}$/);
    assert.equal(consumer.topicId('unknown'), null);
  });

  test('begins a topic that was made anew between two looks at the cluster at its first message, and says so', async (t) => {
    const send = await sender(t);
    const topic = await cluster.topic(1);
    await send(topic, numbered(0, 5));
    const { lines, logger } = witness();
    const { got, consumer } = await reader(t, { topics: [topic], from: 'beginning' }, { logger, metadataMaxAge: 300_000 });
    await got.until(5);
    await cluster.admin.deleteTopic(topic);
    await eventually(PATIENCE, 'the topic made again', () =>
      cluster.admin.createTopic(topic, { partitions: 1, replication: 1 }).then(() => true),
    );
    await eventually(PATIENCE, 'the topic takes messages', () =>
      send(topic, numbered(100, 120)).then(() => true),
    );
    await eventually(PATIENCE, 'the log says so', () => lines.all.some(([, line]) => line.includes(`topic '${topic}' was deleted and made anew`)));
    await consumer.caughtUp();
    const news = got.values().slice(5);
    // It is told when some have come already: then they come again.
    assert.deepEqual(news.slice(0, 1), ['100'], 'none is left out before');
    assert.deepEqual(news.slice(-20), numbered(100, 120));
  });

  test('goes on behind what its offset files say', async (t) => {
    const send = await sender(t);
    const topic = await cluster.topic(2);
    const offsetDirectory = folder(t);
    await send(topic, numbered(0, 10));
    const first = await reader(t, { topics: [topic], from: 'beginning' }, { offsetDirectory });
    await first.got.until(10);
    await first.consumer.disconnect();
    await send(topic, numbered(10, 20));
    const second = await reader(t, { topics: [topic], from: 'end' }, { offsetDirectory });
    await send(topic, numbered(20, 22));
    await second.got.until(12);
    assert.deepEqual(
      second.got.values().sort((a, b) => a - b),
      numbered(10, 22),
    );
  });

  test('goes on where it had begun, also where nothing was processed: a partition that was empty, one that was found, one that was made anew', async (t) => {
    const send = await sender(t);
    const offsetDirectory = folder(t);
    const prefix = topicName('begun');
    const [old, anew, found] = ['old', 'anew', 'found'].map((name) => `${prefix}.${name}`);
    const create = (name) => cluster.admin.createTopic(name, { partitions: 2, replication: 1 });
    const subscription = { topics: [new RegExp(`^${prefix}`)], from: 'end' };
    await create(old);
    await create(anew);
    await send(old, numbered(0, 10), 0);
    await send(anew, numbered(0, 10), 0);
    const idle = { offsetDirectory, run: { autoCommit: false } };
    const first = await reader(t, subscription, idle);
    await cluster.admin.deleteTopic(anew);
    await eventually(PATIENCE, 'the topic made again', () =>
      create(anew).then(() => true),
    );
    await create(found);
    await eventually(PATIENCE, 'the topics take messages', () =>
      Promise.all([anew, found].map((name) => send(name, ['a'], 1))).then(() => true),
    );
    await first.got.until(2);
    await first.consumer.disconnect();
    for (const name of [old, anew, found]) await send(name, ['b', 'c'], 0);
    const { got } = await reader(t, subscription, { offsetDirectory });
    await got.until(8);
    const of = (name) =>
      got.messages
        .filter(({ topic }) => topic === name)
        .map(({ value }) => value)
        .sort();
    assert.deepEqual([old, anew, found].map(of), [
      ['b', 'c'],
      ['a', 'b', 'c'],
      ['a', 'b', 'c'],
    ]);
  });

  test('begins each topic where its own subscription says', async (t) => {
    const send = await sender(t);
    const [whole, tail] = [await cluster.topic(1), await cluster.topic(1)];
    for (const topic of [whole, tail]) await send(topic, ['old']);
    const got = new Got();
    const consumer = kafka().consumer({ groupId: null, maxWaitTimeInMs: 50 });
    cleanup(t, () => consumer.disconnect());
    await consumer.subscribe({ topic: whole, from: 'beginning' });
    await consumer.subscribe({ topic: tail, from: 'end' });
    await consumer.run({ eachMessage: got.each });
    for (const topic of [whole, tail]) await send(topic, ['new']);
    await got.until(3);
    assert.deepEqual(got.messages.map(({ topic, value }) => `${topic === whole ? 'whole' : 'tail'} ${value}`).sort(), ['tail new', 'whole new', 'whole old']);
  });

  test('begins a topic that was made anew when the handler has let go of the old one', async (t) => {
    const send = await sender(t);
    const topic = await cluster.topic(1);
    const [held, released] = [deferred(), deferred()];
    const seen = [];
    let [running, assigned] = [0, 0];
    const { consumer } = await reader(
      t,
      { topics: [topic], from: 'beginning' },
      {
        onPartitionsAssigned: () => assigned++,
        run: {
          partitionsConsumedConcurrently: 3,
          eachMessage: async ({ message }) => {
            assert.equal(++running, 1, 'one handler for one partition');
            seen.push(String(message.value));
            if (seen.length === 1) {
              held.resolve();
              await released.promise;
            }
            running--;
          },
        },
      },
    );
    await send(topic, ['old']);
    await held.promise;
    await cluster.admin.deleteTopic(topic);
    await eventually(PATIENCE, 'the topic made again', () =>
      cluster.admin.createTopic(topic, { partitions: 1, replication: 1 }).then(() => true),
    );
    await eventually(PATIENCE, 'the topic takes messages', () =>
      send(topic, ['new']).then(() => true),
    );
    const caught = consumer.caughtUp();
    await eventually(PATIENCE, 'the new one is assigned', () => assigned === 2);
    released.resolve();
    await caught;
    assert.deepEqual([...new Set(seen)], ['old', 'new']);
  });

  test('begins a topic that was gone for long, and is made again, at its first message, whatever its file says', async (t) => {
    const send = await sender(t);
    const topic = await cluster.topic(1);
    const offsetDirectory = folder(t);
    await send(topic, numbered(0, 5));
    let lost = deferred();
    const { got, consumer } = await reader(t, { topics: [topic], from: 'beginning' }, { offsetDirectory, onPartitionsLost: () => lost.resolve() });
    await got.until(5);
    await cluster.admin.deleteTopic(topic);
    await lost.promise;
    await eventually(PATIENCE, 'the topic made again', () =>
      cluster.admin.createTopic(topic, { partitions: 1, replication: 1 }).then(() => true),
    );
    await eventually(PATIENCE, 'the topic takes messages', () =>
      send(topic, numbered(100, 120)).then(() => true),
    );
    await got.until((messages) => numbered(100, 120).every((value) => messages.some((message) => message.value === value)));
    await consumer.disconnect();
  });

  test('begins what changed while nobody read at its first message, whatever its file says: a topic made anew, a partition that was added', async (t) => {
    const send = await sender(t);
    const offsetDirectory = folder(t);
    const [anew, grown] = [await cluster.topic(2), await cluster.topic(1)];
    const read = async (from, logger) => reader(t, { topics: [anew, grown], from }, { offsetDirectory, logger });
    const of = ({ messages }, name) => messages.filter(({ topic }) => topic === name).map(({ value }) => value);
    for (const topic of [anew, grown]) await send(topic, numbered(0, 5), 0);
    const first = await read('beginning', silent);
    await first.got.until(10);
    await first.consumer.disconnect();

    await cluster.admin.deleteTopic(anew);
    await eventually(PATIENCE, 'the topic made again', () =>
      cluster.admin.createTopic(anew, { partitions: 2, replication: 1 }).then(() => true),
    );
    await cluster.admin.createPartitions(grown, 2);
    await eventually(PATIENCE, 'both take messages', async () => {
      const again = await sender(t);
      return Promise.all([again(anew, numbered(100, 120), 0), again(grown, ['added'], 1)]).then(() => true);
    });
    // As an older topic of the name leaves it, which had more partitions.
    fs.writeFileSync(path.join(offsetDirectory, `${grown}-1.offset`), '0\n');

    const { lines, logger } = witness();
    const second = await read('end', logger);
    await second.consumer.caughtUp();
    assert.deepEqual([...new Set(of(second.got, anew))], numbered(100, 120));
    assert.deepEqual([...new Set(of(second.got, grown))], ['added']);
    const said = lines.all.map(([, line]) => line).filter((line) => line.includes('made anew'));
    assert.deepEqual(
      said.map((line) => line.includes(`'${anew}'`)),
      [true],
      'of the one it is said, once',
    );
    await second.consumer.disconnect();

    for (const topic of [anew, grown]) await send(topic, ['new'], 0);
    const third = await read('beginning', silent);
    await third.consumer.caughtUp();
    assert.deepEqual([of(third.got, anew), of(third.got, grown)], [['new'], ['new']]);
  });

  test('goes on where it was to begin in partitions of which nothing had come when it crashed', async (t) => {
    const send = await sender(t);
    const topic = await cluster.topic(4);
    for (let partition = 0; partition < 4; partition++) await send(topic, numbered(0, 3), partition);
    let crashed = false;
    const got = new Got();
    const consumer = kafka().consumer({
      groupId: null,
      maxWaitTimeInMs: 50,
      retry: { retries: 0, initialRetryTime: 10, restartOnFailure: async () => true },
      onPartitionsAssigned: () => consumer.pause([{ topic, partitions: [2] }]),
    });
    cleanup(t, () => consumer.disconnect());
    await consumer.assign([
      { topic, partition: 0, offset: '2' },
      { topic, partition: 1, offset: 'end' },
      { topic, partition: 2, offset: '1' },
      { topic, partition: 3, offset: 'end' },
    ]);
    const restarted = new Promise((resolve) => consumer.on(consumer.events.CRASH, resolve));
    await consumer.run({
      eachMessage: async (payload) => {
        if (!crashed) {
          crashed = true;
          throw new Error('once');
        }
        await got.each(payload);
      },
    });
    await restarted;
    await got.until(1);
    consumer.resume([{ topic, partitions: [2] }]);
    await got.until(3);
    await consumer.caughtUp();
    assert.deepEqual(got.messages.map(({ partition, value }) => `${partition} ${value}`).sort(), ['0 2', '2 1', '2 2']);
  });

  for (const files of [false, true]) {
    test(`begins a topic that was made anew while it waited to be started again at its first message${files ? ', whatever its file says' : ''}`, async (t) => {
      const send = await sender(t);
      const topic = await cluster.topic(1);
      await send(topic, numbered(0, 5));
      const got = new Got();
      const lost = [];
      const consumer = kafka().consumer({
        groupId: null,
        maxWaitTimeInMs: 50,
        ...(files && { offsetDirectory: folder(t) }),
        onPartitionsLost: (partitions) => lost.push(...partitions),
        retry: {
          retries: 0,
          initialRetryTime: 10,
          restartOnFailure: async () => {
            await cluster.admin.deleteTopic(topic);
            await eventually(PATIENCE, 'the topic made again', () =>
              cluster.admin.createTopic(topic, { partitions: 1, replication: 1 }).then(() => true),
            );
            await eventually(PATIENCE, 'the topic takes messages', () =>
              send(topic, numbered(100, 110)).then(() => true),
            );
            return true;
          },
        },
      });
      cleanup(t, () => consumer.disconnect());
      await consumer.subscribe({ topics: [new RegExp(`^${topic}$`)], from: 'beginning' });
      await consumer.run({
        eachMessage: async (payload) => {
          if (String(payload.message.value) === '4' && lost.length === 0) throw new Error('once');
          await got.each(payload);
        },
      });
      await got.until((messages) => numbered(100, 110).every((value) => messages.some((message) => message.value === value)));
      assert.deepEqual(lost, [{ topic, partitions: [0] }]);
    });
  }

  test('goes on where it was when it is started again behind a crash, and leaves nothing out', async (t) => {
    const send = await sender(t);
    const [topic, later] = [await cluster.topic(2), topicName('later')];
    let failures = 0;
    const got = new Got();
    const consumer = kafka().consumer({
      groupId: null,
      maxWaitTimeInMs: 50,
      retry: {
        retries: 0,
        initialRetryTime: 10,
        restartOnFailure: async () => {
          await send(topic, ['b'], 0);
          await send(topic, ['b'], 1);
          await cluster.admin.createTopic(later, { partitions: 1, replication: 1 });
          await send(later, ['c']);
          return true;
        },
      },
    });
    cleanup(t, () => consumer.disconnect());
    await consumer.subscribe({ topics: [topic, later], from: 'end' });
    await consumer.run({
      eachMessage: async (payload) => {
        if (failures++ === 0) throw new Error('once');
        await got.each(payload);
      },
    });
    await send(topic, ['a'], 0);
    await got.until(4);
    assert.deepEqual(got.messages.map(({ topic: of, partition, value }) => `${of === topic ? partition : 'later'} ${value}`).sort(), [
      '0 a',
      '0 b',
      '1 b',
      'later c',
    ]);
  });

  test('is caught up when it has processed what was produced before, every time', async (t) => {
    const send = await sender(t);
    const topic = await cluster.topic(3);
    const { consumer, got } = await reader(t, { topics: [topic], from: 'end' });
    await consumer.caughtUp();
    for (let i = 0; i < 300; i++) {
      await send(topic, [`${i}`], i % 3);
      await consumer.caughtUp();
      assert.equal(got.messages.length, i + 1);
    }
  });

  test('is caught up however many ask at once, again and again', async (t) => {
    const send = await sender(t);
    const topic = await cluster.topic(2);
    const { consumer, got } = await reader(t, { topics: [new RegExp(`^${topic}$`)], from: 'end' });
    let [asked, caught] = [0, 0];
    const asking = setInterval(() => {
      asked += 20;
      for (let i = 0; i < 20; i++)
        consumer.caughtUp().then(
          () => caught++,
          () => {},
        );
    }, 1);
    cleanup(t, () => clearInterval(asking));
    for (let i = 0; i < 30; i++) {
      await send(topic, [`${i}`], i % 2);
      await consumer.caughtUp();
      assert.equal(got.messages.length, i + 1);
    }
    clearInterval(asking);
    await eventually(PATIENCE, 'all are answered', () => caught === asked);
    await consumer.disconnect();
    await assert.rejects(consumer.caughtUp(), /must be called first/);
  });

  test('waits in a group for what a rebalance takes away and gives back', async (t) => {
    const send = await sender(t);
    const topic = await cluster.topic(2);
    await send(topic, numbered(0, 4), 0);
    await send(topic, numbered(4, 8), 1);
    const groupId = topicName('divided');
    const [held, released, left] = [deferred(), deferred(), deferred()];
    const begun = new Set();
    const done = [];
    const make = (more) => {
      const consumer = kafka().consumer({ groupId, maxWaitTimeInMs: 50, sessionTimeout: 30_000, heartbeatInterval: 100, ...more });
      cleanup(t, () => consumer.disconnect());
      return consumer;
    };
    const first = make({ onPartitionsRevoked: () => left.resolve() });
    await first.subscribe({ topics: [topic], fromBeginning: true });
    await first.run({
      partitionsConsumedConcurrently: 2,
      eachMessage: async ({ message, partition }) => {
        if (done.length === 0) {
          // Both: what it has not begun the other may process.
          if (begun.add(partition).size === 2) held.resolve();
          await released.promise;
        }
        done.push(String(message.value));
      },
    });
    await held.promise;
    let caught = false;
    const waiting = first.caughtUp().then(() => (caught = true));
    // Another comes and goes: everything is taken away and comes back.
    const second = make({});
    await second.subscribe({ topics: [topic], fromBeginning: true });
    const joined = second.run({ eachMessage() {} });
    await eventually(PATIENCE, 'the rebalance', () => Promise.race([left.promise.then(() => true), new Promise((resolve) => setImmediate(resolve, true))]));
    released.resolve();
    await joined;
    await second.disconnect();
    await waiting;
    assert.equal(caught, true);
    assert.deepEqual([...new Set(done)].sort(), numbered(0, 8));
  });

  test('is caught up across markers, aborted messages and empty partitions, and waits for an open transaction', async (t) => {
    const topic = await cluster.topic(3);
    const producer = kafka().producer({ transactionalId: topicName('tx'), idempotent: true, maxInFlightRequests: 1 });
    cleanup(t, () => producer.disconnect());
    await producer.connect();
    const inTransaction = async (value, partition, end) => {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ value, partition }] });
      await transaction[end]();
    };
    const { consumer, got } = await reader(t, { topics: [topic], from: 'beginning' });
    await consumer.caughtUp();
    await inTransaction('aborted', 0, 'abort');
    await consumer.caughtUp();
    await inTransaction('committed', 1, 'commit');
    await consumer.caughtUp();
    assert.deepEqual(got.values(), ['committed']);
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: [{ value: 'late', partition: 1 }] });
    const reason = new Error('not now');
    await assert.rejects(consumer.caughtUp({ signal: AbortSignal.abort(reason) }), reason);
    let caught = false;
    const waiting = consumer.caughtUp().then(() => (caught = true));
    await (await sender(t))(topic, ['other'], 0);
    await got.until(2);
    assert.equal(caught, false);
    await transaction.commit();
    await waiting;
    assert.deepEqual(got.values(), ['committed', 'other', 'late']);
  });

  test('refuses to wait for its own handler, and ends the wait when it stops', async (t) => {
    const send = await sender(t);
    const topic = await cluster.topic(1);
    await send(topic, ['x']);
    const asked = deferred();
    const { consumer } = await reader(
      t,
      { topics: [topic], from: 'beginning' },
      {
        run: {
          eachMessage: async () => {
            await new Promise((resolve) => setImmediate(resolve));
            await consumer.caughtUp().then(asked.reject, asked.resolve);
          },
        },
      },
    );
    assert.match((await asked.promise).message, /a handler waits for itself/);
    consumer.pause([{ topic }]);
    await send(topic, ['y']);
    const waiting = assert.rejects(consumer.caughtUp(), /has stopped meanwhile/);
    await consumer.stop();
    await waiting;
  });

  for (const groupId of [null, 'group']) {
    test(`reads to the end as it was, and ends by itself: ${groupId ? 'in a group' : 'without a group'}`, async (t) => {
      const send = await sender(t);
      const topic = await cluster.topic(3);
      const make = () => {
        const consumer = kafka().consumer({
          groupId: groupId && topicName(groupId),
          maxWaitTimeInMs: 50,
          ...(groupId && { sessionTimeout: 30_000, heartbeatInterval: 200 }),
        });
        cleanup(t, () => consumer.disconnect());
        return consumer;
      };
      const subscribed = async (topics = [topic]) => {
        const consumer = make();
        await consumer.subscribe({ topics, fromBeginning: true });
        return consumer;
      };
      // Nothing at all; a topic that is not there.
      await (await subscribed()).run({ until: 'end', eachMessage: assert.fail });
      await (await subscribed([topicName('nowhere')])).run({ until: 'end', eachMessage: assert.fail });
      await send(topic, numbered(0, 100));
      const got = new Got();
      const consumer = await subscribed();
      await consumer.run({
        until: 'end',
        eachMessage: async (payload) => {
          await got.each(payload);
          if (got.messages.length === 50) await send(topic, ['later']);
        },
      });
      assert.deepEqual(
        got.values().sort((a, b) => a - b),
        numbered(0, 100),
        'and nothing that came later',
      );
      const values = [];
      for await (const { value } of (await subscribed()).messages({ until: 'end' })) values.push(String(value));
      assert.deepEqual(values.sort(), [...numbered(0, 100), 'later'].sort());
      const streamed = [];
      for await (const { value } of (await subscribed()).stream({ until: 'end' })) streamed.push(String(value));
      assert.deepEqual(streamed.sort(), values);
      await assert.rejects((await subscribed()).run({ until: 'now', eachMessage: assert.fail }), /until must be 'end'/);
    });
  }

  test('of an assigned partition the end is reached while another of the topic has no leader', async (t) => {
    const made = await embedded();
    cleanup(t, () => made.close());
    const { broker, driver_options: properties } = made.options();
    const kafka = new Kafka({ brokers: [broker], properties, logger: silent });
    const topic = await made.topic(2);
    const producer = kafka.producer();
    const consumer = kafka.consumer({ groupId: null });
    cleanup(t, () => Promise.all([producer.disconnect(), consumer.disconnect()]));
    await producer.connect();
    await producer.send({
      topic,
      messages: [
        { value: 'a', partition: 1 },
        { value: 'b', partition: 1 },
      ],
    });
    made.mock?.setLeader(topic, 0, -1);
    await consumer.assign([{ topic, partition: 1, offset: 0 }]);
    const values = [];
    for await (const { value } of consumer.messages({ until: 'end' })) values.push(String(value));
    assert.deepEqual(values, ['a', 'b']);
  });

  test('run resolves when positions are fixed, also where no broker is there at first, and behind a crash', async (t) => {
    const own = await real({ own: true });
    cleanup(t, () => own.close());
    const topic = await own.topic(2);
    const [node] = own.kafka.nodes;
    const there = new Kafka({ brokers: own.options().broker.split(','), logger: silent, connectionTimeout: 500, retry: { retries: 0, initialRetryTime: 50 } });
    const consumer = there.consumer({ groupId: null, maxWaitTimeInMs: 50 });
    cleanup(t, () => consumer.disconnect());
    await consumer.subscribe({ topics: [topic], from: 'end' });
    const crashes = new Calls();
    consumer.on(consumer.events.CRASH, ({ payload }) => crashes.take(payload.restart));
    await node.stop();
    const got = new Got();
    let runs = false;
    const running = consumer.run({ eachMessage: got.each }).then(() => (runs = true));
    await crashes.count(2);
    assert.equal(runs, false);
    await node.start();
    await running;
    const producer = there.producer();
    cleanup(t, () => producer.disconnect());
    await eventually(PATIENCE, 'the producer is connected', () =>
      producer.connect().then(() => true),
    );
    await eventually(PATIENCE, 'it is sent', () =>
      producer.send({ topic, messages: [{ value: 'a', partition: 0 }] }).then(() => true),
    );
    await got.until(1);
  });

  for (const groupId of [null, 'group']) {
    test(`is caught up over a crash of its handler, which is started again, and ends where it was to end: ${groupId ? 'in a group' : 'without a group'}`, async (t) => {
      const send = await sender(t);
      const topic = await cluster.topic(2);
      await send(topic, numbered(0, 20));
      const make = async () => {
        const consumer = kafka().consumer({ groupId: groupId && topicName(groupId), maxWaitTimeInMs: 50, retry: { retries: 0, initialRetryTime: 50 } });
        cleanup(t, () => consumer.disconnect());
        await consumer.subscribe({ topics: [topic], fromBeginning: true });
        return consumer;
      };
      const failing = (onFirst) => {
        const done = new Set();
        let failed = false;
        return {
          done,
          eachMessage: async ({ message }) => {
            if (done.size === 5 && !failed) {
              failed = true;
              await onFirst?.();
              throw new Error('once');
            }
            done.add(String(message.value));
          },
        };
      };
      const caught = failing();
      const consumer = await make();
      const running = consumer.run(caught);
      await consumer.caughtUp();
      assert.equal(caught.done.size, 20);
      await running;
      await consumer.disconnect();
      const ended = failing(() => send(topic, ['later']));
      await (await make()).run({ until: 'end', eachMessage: ended.eachMessage });
      assert.deepEqual(
        [...ended.done].sort((a, b) => a - b),
        numbered(0, 20),
      );
    });
  }

  test('goes nowhere by mistake: a group takes no from, and a wrong one is named', async () => {
    const member = kafka().consumer({ groupId: 'g' });
    await assert.rejects(member.subscribe({ topics: ['t'], from: 'end' }), /from is for a consumer without a group/);
    const alone = kafka().consumer({ groupId: null });
    await assert.rejects(alone.subscribe({ topics: [/t/], from: { 0: '1' } }), /offsets of a pattern need its topics/);
    for (const from of ['middle', -1, 1.5, { t: 1 }, { t: { x: 1 } }, { t: { 0: 'x' } }, null]) {
      await assert.rejects(alone.subscribe({ topics: ['t'], from }), /from must be/, JSON.stringify(from));
    }
  });
});
