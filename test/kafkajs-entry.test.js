'use strict';
// The API that programs of KafkaJS, and those that come from other clients, find under `kafka-native/kafkajs`, on a real Kafka.

const assert = require('node:assert/strict');
const { EventEmitter } = require('node:events');
const { after, before, describe, test } = require('node:test');
const kafkajs = require('kafkajs');
const native = require('kafka-native');
const ours = require('kafka-native/kafkajs');
const { cleanup } = require('./support/cleanup.js');
const { real, topicName } = require('./support/clusters.js');
const { PATIENCE } = require('./support/flow.js');
const { Got, event } = require('./support/groups.js');
const { deferred, eventually } = require('./support/watch.js');

test('the Kafka of the entry is one of the package', () => {
  const kafka = new ours.Kafka({ brokers: ['127.0.0.1:1'] });
  assert.ok(kafka instanceof native.Kafka);
  assert.equal(ours.Kafka.name, 'Kafka');
});

describe("the entry with KafkaJS's names", () => {
  let cluster;
  before(async () => (cluster = await real()));
  after(() => cluster?.close());

  /** @param {any} library */
  const client = (library = ours, options = {}) => new library.Kafka({ brokers: cluster.options().broker.split(','), logLevel: 0, ...options });

  /** A connected consumer of ours. */
  async function consuming(t, config = {}, options = {}) {
    const consumer = client(ours, options).consumer({ groupId: topicName('group'), maxWaitTimeInMs: 100, ...config });
    cleanup(t, () => consumer.disconnect());
    await consumer.connect();
    return consumer;
  }

  async function produce(topic, values) {
    const producer = client().producer();
    await producer.connect();
    await producer.send({ topic, messages: values.map((value) => ({ value, partition: 0 })) });
    await producer.disconnect();
  }

  test('methods can be taken off a client, spread and given to an emitter', async (t) => {
    const topic = await cluster.topic(1);
    const producer = client().producer({ idempotent: true, transactionalId: topicName('id') });
    cleanup(t, () => producer.disconnect());
    const { connect, send } = producer;
    await connect();
    await send({ topic, messages: [{ value: 'one' }] });
    await { ...producer }.sendBatch({ topicMessages: [{ topic, messages: [{ value: 'two' }] }] });
    const { send: sendInIt, commit } = await producer.transaction();
    await sendInIt({ topic, messages: [{ value: 'three' }] });
    await commit();

    const consumer = client().consumer({ groupId: topicName('group') });
    const { connect: connectConsumer, subscribe, run, on } = consumer;
    await connectConsumer();
    await subscribe({ topic, fromBeginning: true });
    const got = new Got();
    await run({ eachMessage: got.each });
    await got.until(3);
    assert.deepEqual(got.values(), ['one', 'two', 'three']);
    const gone = new Promise((resolve) => on(consumer.events.DISCONNECT, resolve));
    const signals = new EventEmitter().once('SIGTERM', consumer.disconnect);
    signals.emit('SIGTERM', 'SIGTERM', 15);
    await gone;

    const { connect: connectAdmin, listTopics, disconnect } = client().admin();
    await connectAdmin();
    assert.ok((await listTopics()).includes(topic));
    await disconnect();
    await producer.disconnect();
  });

  test('each member has its part of every topic, and its first GROUP_JOIN has topics that are made for it', async (t) => {
    const there = [];
    for (let i = 0; i < 4; i++) there.push(await cluster.topic(4));
    const made = topicName('made');
    const groupId = topicName('group');
    const first = await consuming(t, { groupId });
    await first.subscribe({ topics: [...there, made] });
    const joined = event(first, 'GROUP_JOIN');
    await first.run({ eachMessage: async () => {} });
    const partitions = Object.fromEntries(there.map((topic) => [topic, [0, 1, 2, 3]]));
    assert.deepEqual((await joined).memberAssignment, { ...partitions, [made]: [0, 1, 2, 3] });

    const second = await consuming(t, { groupId });
    await second.subscribe({ topics: there });
    const both = [first, second].map((each) =>
      event(each, 'GROUP_JOIN', ({ memberAssignment }) => there.every((topic) => memberAssignment[topic]?.length === 2)),
    );
    await second.run({ eachMessage: async () => {} });
    await Promise.all(both);
  });

  test('an assigner in JavaScript is not run: round robin stands for it, which one line says', async (t) => {
    const topic = await cluster.topic(2);
    const lines = [];
    const consumer = await consuming(
      t,
      { partitionAssigners: [() => assert.fail('it was called'), ours.PartitionAssigners.roundRobin] },
      {
        logLevel: ours.logLevel.WARN,
        logCreator:
          () =>
          (/** @type {any} */ { log }) =>
            lines.push(log.message),
      },
    );
    await consumer.subscribe({ topic });
    const joined = event(consumer, 'GROUP_JOIN');
    await consumer.run({ eachMessage: async () => {} });
    const { memberAssignment, groupProtocol } = await joined;
    assert.deepEqual([memberAssignment, groupProtocol], [{ [topic]: [0, 1] }, 'roundrobin']);
    assert.equal(lines.filter((line) => line.startsWith('partitionAssigners: ')).length, 1, lines.join('\n'));
  });

  test('lines of the log have the namespaces of KafkaJS', async (t) => {
    const said = async (library) => {
      const topic = await cluster.topic(1);
      await produce(topic, ['x']);
      const lines = new Map();
      const failed = deferred();
      const note = ({ namespace, log: { message } }) => {
        lines.set(message, namespace);
        if (message === 'Error when calling eachMessage') failed.resolve();
      };
      const consumer = client(library, { logLevel: library.logLevel.INFO, logCreator: () => note }).consumer({ groupId: topicName('group') });
      cleanup(t, () => consumer.disconnect());
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({ eachMessage: async () => assert.fail('no') });
      await failed.promise;
      await consumer.disconnect();
      return ['Starting', 'Consumer has joined the group', 'Error when calling eachMessage', 'Stopped'].map((message) => [message, lines.get(message)]);
    };
    assert.deepEqual(await said(ours), await said(kafkajs));
  });

  test('a consumer says whether it is connected, what it has, where it is, what is committed and how far it is behind', async (t) => {
    const topic = await cluster.topic(2);
    await produce(topic, ['0', '1', '2', '3']);
    const consumer = await consuming(t);
    assert.ok(consumer.isConnected());
    assert.deepEqual([consumer.assignment(), consumer.position()], [[], []]);
    await assert.rejects(consumer.lag(), { name: 'KafkaJSNonRetriableError' });
    await consumer.subscribe({ topic, fromBeginning: true });
    const [second, go] = [deferred(), deferred()];
    const caught = event(consumer, 'LAG', ({ partitions }) => partitions.length === 2 && partitions.every(({ lag }) => lag === '0'));
    await consumer.run({
      eachMessage: async ({ message }) => {
        if (message.offset !== '2') return;
        second.resolve();
        await go.promise;
      },
    });
    assert.deepEqual(sorted(consumer.assignment()), [
      { topic, partition: 0 },
      { topic, partition: 1 },
    ]);
    await second.promise;
    const [lag] = sorted(await consumer.lag());
    assert.deepEqual(lag, { topic, partition: 0, offset: '2', end: '4', lag: '2' });
    assert.equal(sorted(consumer.position())[0].offset, '2');
    go.resolve();
    await consumer.caughtUp();
    await consumer.commitOffsets([{ topic, partition: 0, offset: '3' }]);
    assert.deepEqual(sorted(await consumer.committed()), [
      { topic, partition: 0, offset: '3' },
      { topic, partition: 1, offset: '-1' },
    ]);
    assert.deepEqual(await consumer.committed([{ topic, partition: 0 }]), [{ topic, partition: 0, offset: '3' }]);
    assert.deepEqual(
      sorted(await consumer.lag()).map(({ offset, end, lag }) => [offset, end, lag]),
      [
        ['4', '4', '0'],
        ['0', '0', '0'],
      ],
    );
    await caught;

    await assert.rejects(consumer.unsubscribe(), { name: 'KafkaJSNonRetriableError' });
    await consumer.stop();
    await consumer.unsubscribe();
    const other = await cluster.topic(1);
    await consumer.subscribe({ topic: other });
    await consumer.run({ eachMessage: async () => {} });
    assert.deepEqual(consumer.assignment(), [{ topic: other, partition: 0 }]);
    await consumer.disconnect();
    assert.ok(!consumer.isConnected());
    await assert.rejects(consumer.committed([{ topic, partition: 0 }]), /not connected/);
    const alone = client().consumer({ groupId: null });
    await assert.rejects(alone.committed([{ topic, partition: 0 }]), /no group/);
  });

  test('REQUEST tells of each request that a broker has answered, as KafkaJS tells it, while somebody listens', async (t) => {
    const told = async (library) => {
      const topic = await cluster.topic(1);
      const kafka = client(library, { clientId: 'watched' });
      const clients = [kafka.producer(), kafka.admin(), kafka.consumer({ groupId: topicName('group'), maxWaitTimeInMs: 100 })];
      const requests = clients.map((each) => {
        const heard = [];
        each.on(each.events.REQUEST, ({ payload }) => heard.push(payload));
        return heard;
      });
      cleanup(t, () => Promise.all(clients.map((each) => each.disconnect())));
      await Promise.all(clients.map((each) => each.connect()));
      const [producer, admin, consumer] = clients;
      await producer.send({ topic, messages: [{ value: 'x' }] });
      await admin.describeCluster();
      await consumer.subscribe({ topic, fromBeginning: true });
      const got = new Got();
      await consumer.run({ eachMessage: got.each });
      await got.until(1);
      const wanted = [['Produce'], ['Metadata'], ['JoinGroup', 'SyncGroup', 'Fetch']];
      await eventually(PATIENCE, 'requests are told', () =>
        wanted.every((names, i) => names.every((name) => requests[i].some(({ apiName }) => apiName === name))),
      );
      const produce = requests[0].find(({ apiName }) => apiName === 'Produce');
      assert.ok(produce.size > 0 && produce.duration >= 0 && produce.sentAt <= Date.now() && produce.createdAt <= produce.sentAt);
      return {
        types: Object.entries(produce)
          .map(([name, value]) => [name, typeof value])
          .sort(),
        key: produce.apiKey,
        broker: produce.broker,
        clientId: produce.clientId,
      };
    };
    assert.deepEqual(await told(ours), await told(kafkajs));

    const admin = client().admin();
    cleanup(t, () => admin.disconnect());
    await admin.connect();
    let count = 0;
    const cease = admin.on(admin.events.REQUEST, () => count++);
    await admin.listTopics();
    await eventually(PATIENCE, 'a request is told', () => count > 0);
    cease();
    const before = count;
    await admin.listTopics();
    await admin.listTopics();
    assert.equal(count, before);
  });

  test('a producer and an admin say whether they are connected', async () => {
    for (const each of [client().producer(), client().admin()]) {
      assert.ok(!each.isConnected());
      await each.connect();
      assert.ok(each.isConnected());
      await each.disconnect();
      assert.ok(!each.isConnected());
    }
  });
});

const sorted = (places) => [...places].sort((a, b) => a.partition - b.partition);
