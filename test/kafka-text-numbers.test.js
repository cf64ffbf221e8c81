'use strict';
// Numbers may be text, as KafkaJS takes them; one that is neither ends in a sentence of ours, on a real Kafka.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { Kafka, KafkaJSError, logLevel } = require('kafka-native');
const { cleanup } = require('./support/cleanup.js');
const { real, topicName } = require('./support/clusters.js');
const { PATIENCE, within } = require('./support/flow.js');

const WRONG = ['', 'x', '1.5', 1.5, NaN, Infinity, -7, 2 ** 40, 2 ** 60, true, null, {}, [], Symbol('s'), () => {}, Object.create(null)];

describe('numbers as text', () => {
  let cluster;
  let kafka;
  before(async () => {
    cluster = await real();
    kafka = new Kafka({
      brokers: cluster.options().broker.split(','),
      logLevel: logLevel.NOTHING,
      requestTimeout: '30000',
      retry: { retries: '3', initialRetryTime: '100' },
    });
  });
  after(() => cluster?.close());

  async function admin(t) {
    const client = kafka.admin();
    cleanup(t, () => client.disconnect());
    await client.connect();
    return client;
  }

  test('go to where they are meant', async (t) => {
    const [topic, groupId] = [topicName('text'), topicName('group')];
    const control = await admin(t);
    await control.createTopics({ topics: [{ topic, numPartitions: '2', replicationFactor: '1' }], timeout: '20000' });
    await control.createPartitions({ topicPartitions: [{ topic, count: '3', assignments: [['1']] }] });
    const partitions = async () => (await control.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions.length;
    for (const end = Date.now() + PATIENCE; (await partitions()) < 3 && Date.now() < end; );
    assert.equal(await partitions(), 3);

    const producer = kafka.producer({ transactionTimeout: '60000', maxInFlightRequests: '1' });
    cleanup(t, () => producer.disconnect());
    await producer.connect();
    const messages = [0, 1, 2].map((i) => ({ value: `v${i}`, partition: '1', timestamp: String(1_700_000_000_000 + i) }));
    const [sent] = await producer.send({ topic, acks: '-1', timeout: '30000', messages });
    assert.deepEqual([sent.partition, sent.baseOffset], [1, '0']);
    await producer.send({ topic, acks: '1', messages: [{ value: 'v3', partition: '1', timestamp: 1_700_000_000_003 }] });
    await producer.flush({ timeout: '10000' });

    assert.equal((await control.fetchTopicOffsetsByTimestamp(topic, '1700000000002')).find(({ partition }) => partition === 1).offset, '2');
    await control.setOffsets({ groupId, topic, partitions: [{ partition: '1', offset: 1 }] });
    await control.deleteTopicRecords({ topic, partitions: [{ partition: '1', offset: 1 }] });

    const consumer = kafka.consumer({ groupId, sessionTimeout: '30000', heartbeatInterval: '1000', maxBytes: '1000000' });
    cleanup(t, () => consumer.disconnect({ timeout: '5000' }));
    await consumer.subscribe({ topics: [topic] });
    const got = [];
    let all;
    const four = new Promise((resolve) => (all = resolve));
    await consumer.run({
      partitionsConsumedConcurrently: '2',
      autoCommit: false,
      eachMessage: async ({ message }) => {
        got.push(`${message.offset} ${message.value} ${message.timestamp}`);
        if (got.length === 3) consumer.seek({ topic, partition: '1', offset: 2 });
        if (got.length === 5) all();
      },
    });
    await within(
      PATIENCE,
      () => `got ${got}`,
      () => four,
    );
    const line = (i) => `${i} v${i} ${1_700_000_000_000 + i}`;
    assert.deepEqual(got, [1, 2, 3, 2, 3].map(line));
    await consumer.commitOffsets([{ topic, partition: '1', offset: 3 }]);
    assert.deepEqual(await consumer.committed([{ topic, partition: '1' }], { timeout: '10000' }), [{ topic, partition: 1, offset: '3' }]);
    consumer.pause([{ topic, partitions: ['1'] }]);
    assert.deepEqual(consumer.paused(), [{ topic, partitions: [1] }]);
    consumer.resume([{ topic, partitions: ['1'] }]);
    assert.deepEqual(consumer.paused(), []);
    await consumer.stop();
    await control.deleteOffsets({ groupId, topic, partitions: ['1'] });
    assert.deepEqual(
      (await control.fetchOffsets({ groupId, topics: [topic] }))[0].partitions.map(({ offset }) => offset),
      ['-1', '-1', '-1'],
    );
  });

  test('that are none are refused with a sentence that names them, never with one of a converter', async (t) => {
    const topic = await cluster.topic(1);
    const control = await admin(t);
    const producer = kafka.producer();
    const partitioned = kafka.producer({ createPartitioner: () => () => wrong });
    const transactional = kafka.producer({ transactionalId: topicName('id'), idempotent: true });
    for (const client of [producer, partitioned, transactional]) {
      cleanup(t, () => client.disconnect());
      await client.connect();
    }
    const consumer = kafka.consumer({ groupId: topicName('group') });
    cleanup(t, () => consumer.disconnect());
    await consumer.subscribe({ topic });
    await consumer.run({ eachMessage: async () => {} });
    const groupId = topicName('other');
    let wrong;
    const validateOnly = true; // -7 partitions are for nobody, but null is a default, and 2 ** 40 replicas nobody has
    const calls = {
      numPartitions: () => control.createTopics({ validateOnly, topics: [{ topic: topicName('not'), numPartitions: wrong }] }),
      replicationFactor: () => control.createTopics({ validateOnly, topics: [{ topic: topicName('not'), replicationFactor: wrong }] }),
      replicaAssignment: () =>
        control.createTopics({ validateOnly, topics: [{ topic: topicName('not'), replicaAssignment: [{ partition: wrong, replicas: [1] }] }] }),
      replicas: () => control.createTopics({ validateOnly, topics: [{ topic: topicName('not'), replicaAssignment: [{ partition: 0, replicas: [wrong] }] }] }),
      count: () => control.createPartitions({ validateOnly, topicPartitions: [{ topic, count: wrong }] }),
      assignments: () => control.createPartitions({ validateOnly, topicPartitions: [{ topic, count: 2, assignments: [[wrong]] }] }),
      'assignments of one': () => control.createPartitions({ validateOnly, topicPartitions: [{ topic, count: 2, assignments: [wrong] }] }),
      'deleteTopicRecords partition': () => control.deleteTopicRecords({ topic, partitions: [{ partition: wrong, offset: '0' }] }),
      'deleteTopicRecords offset': () => control.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: wrong }] }),
      'setOffsets partition': () => control.setOffsets({ groupId, topic, partitions: [{ partition: wrong, offset: '0' }] }),
      'setOffsets offset': () => control.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: wrong }] }),
      deleteOffsets: () => control.deleteOffsets({ groupId, topic, partitions: [wrong] }),
      electLeaders: () => control.electLeaders({ topics: [{ topic, partitions: [wrong] }] }),
      'timestamp of fetchTopicOffsetsByTimestamp': () => control.fetchTopicOffsetsByTimestamp(topic, wrong),
      'timeout of an admin': () => control.listTopics({ timeout: wrong }),
      iterations: () => control.alterUsers({ alterations: [{ user: 'nobody', mechanism: 'SCRAM-SHA-256', password: 'p', iterations: wrong }] }),
      'config type': () => control.describeConfigs({ resources: [{ type: wrong, name: 'a' }] }),
      'acl operation': () => control.describeAcls({ resourceType: 2, resourcePatternType: 3, operation: wrong, permissionType: 3 }),
      'partition of a message': () => producer.send({ topic, messages: [{ value: 'x', partition: wrong }] }),
      'timestamp of a message': () => producer.send({ topic, messages: [{ value: 'x', timestamp: wrong }] }),
      acks: () => producer.send({ topic, acks: wrong, messages: [{ value: 'x' }] }),
      'timeout of a send': () => producer.send({ topic, timeout: wrong, messages: [{ value: 'x' }] }),
      compression: () => producer.send({ topic, compression: wrong, messages: [{ value: 'x' }] }),
      partitioner: () => partitioned.send({ topic, messages: [{ value: 'x' }] }),
      flush: () => producer.flush({ timeout: wrong }),
      'sendOffsets partition': () =>
        inTransaction((transaction) =>
          transaction.sendOffsets({ consumerGroupId: groupId, topics: [{ topic, partitions: [{ partition: wrong, offset: '1' }] }] }),
        ),
      'sendOffsets offset': () =>
        inTransaction((transaction) =>
          transaction.sendOffsets({ consumerGroupId: groupId, topics: [{ topic, partitions: [{ partition: 0, offset: wrong }] }] }),
        ),
      'seek partition': async () => consumer.seek({ topic, partition: wrong, offset: '0' }),
      'seek offset': async () => consumer.seek({ topic, partition: 0, offset: wrong }),
      'commitOffsets partition': () => consumer.commitOffsets([{ topic, partition: wrong, offset: '0' }]),
      'commitOffsets offset': () => consumer.commitOffsets([{ topic, partition: 0, offset: wrong }]),
      pause: async () => consumer.pause([{ topic, partitions: [wrong] }]),
      committed: () => consumer.committed([{ topic, partition: wrong }]),
      'committed timeout': () => consumer.committed([{ topic, partition: 0 }], { timeout: wrong }),
      'stop timeout': () => kafka.consumer({ groupId }).stop({ timeout: wrong }),
      'assign partition': () => kafka.consumer({ groupId }).assign([{ topic, partition: wrong }]),
      'assign offset': () => kafka.consumer({ groupId }).assign([{ topic, partition: 0, offset: wrong }]),
      'assign timestamp': () => kafka.consumer({ groupId }).assign([{ topic, partition: 0, timestamp: wrong }]),
      concurrency: async () => {
        const other = kafka.consumer({ groupId });
        await other.subscribe({ topic });
        await other.run({ eachMessage: () => {}, partitionsConsumedConcurrently: wrong }).finally(() => other.disconnect());
      },
    };
    async function inTransaction(work) {
      const transaction = await transactional.transaction();
      try {
        await work(transaction);
      } finally {
        await transaction.abort();
      }
    }
    const bad = [];
    for (const [name, call] of Object.entries(calls)) {
      for (wrong of WRONG) {
        try {
          await within(PATIENCE, `${name} of a ${typeof wrong}`, call);
        } catch (error) {
          const text = `${name}, ${typeof wrong === 'object' || typeof wrong === 'symbol' ? typeof wrong : String(wrong)}: ${error.name}: ${error.message}`;
          if (!(error instanceof KafkaJSError) || /convert|cannot be read|column|undefined \(reading|not a function|is not iterable/i.test(error.message))
            bad.push(text);
        }
      }
    }
    assert.deepEqual(bad, []);
  });
});
