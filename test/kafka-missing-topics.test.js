'use strict';
// A topic that does not exist is an answer, however often and long its caller would try again: with these retries, hours.

const assert = require('node:assert/strict');
const { after, before, test } = require('node:test');
const { Kafka, KafkaJSServerDoesNotSupportApiKey, MockCluster } = require('kafka-native');
const { cleanup } = require('./support/cleanup.js');
const { real, topicName } = require('./support/clusters.js');
const { Calls } = require('./support/watch.js');

/** @type {any} */ let cluster;
before(async () => (cluster = await real()));
after(() => cluster?.close());

const PATIENT = { retries: 1000, initialRetryTime: 10_000 };
const kafka = (config) => new Kafka({ brokers: cluster.options().broker.split(','), logLevel: 0, retry: PATIENT, ...config });

async function connected(t, client) {
  cleanup(t, () => client.disconnect());
  await client.connect();
  return client;
}

const CALLS = {
  deleteTopics: (admin, topic) => admin.deleteTopics({ topics: [topic] }),
  deleteTopicRecords: (admin, topic) => admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '1' }] }),
  fetchTopicOffsets: (admin, topic) => admin.fetchTopicOffsets(topic),
  fetchTopicOffsetsByTimestamp: (admin, topic) => admin.fetchTopicOffsetsByTimestamp(topic, 1),
  fetchTopicMetadata: (admin, topic) => admin.fetchTopicMetadata({ topics: [topic] }),
  fetchOffsets: (admin, topic) => admin.fetchOffsets({ groupId: 'missing', topics: [topic] }),
  setOffsets: (admin, topic) => admin.setOffsets({ groupId: 'missing', topic, partitions: [{ partition: 0, offset: '0' }] }),
  resetOffsets: (admin, topic) => admin.resetOffsets({ groupId: 'missing', topic }),
  createPartitions: (admin, topic) => admin.createPartitions({ topicPartitions: [{ topic, count: 2 }] }),
};

for (const [name, call] of Object.entries(CALLS)) {
  test(`${name} rejects`, async (t) => {
    const error = await call(await connected(t, kafka().admin()), topicName('missing')).then(
      () => assert.fail('resolved'),
      (reason) => reason,
    );
    assert.equal(error.type ?? error.cause.type, 'UNKNOWN_TOPIC_OR_PARTITION', error);
  });
}

test('a send that may not make its topic rejects', async (t) => {
  const producer = await connected(t, kafka().producer({ allowAutoTopicCreation: false }));
  await assert.rejects(producer.send({ topic: topicName('missing'), messages: [{ value: 'x' }] }), { type: 'UNKNOWN_TOPIC_OR_PARTITION' });
});

test('assign says that a partition does not exist, and reads it once it does', async (t) => {
  const [topic, lines, messages] = [topicName('missing'), new Calls(), new Calls()];
  const logger = { error: lines.take, warn: lines.take, info() {}, debug() {} };
  const consumer = await connected(t, kafka({ logger, logLevel: 4 }).consumer({ groupId: topic, allowAutoTopicCreation: false }));
  await consumer.assign([{ topic, partition: 1, offset: 'beginning' }]);
  await consumer.run({ eachMessage: async ({ message }) => messages.take(String(message.value)) });
  await lines.until((line) => String(line).includes('do not exist'));
  await cluster.admin.createTopic(topic, { partitions: 2, replication: 1 });
  const producer = await connected(t, kafka().producer());
  await producer.send({ topic, messages: [{ partition: 1, value: 'here' }] });
  assert.equal(await messages.until(), 'here');
});

test('the embedded cluster answers at once that it lacks an admin request, and has a controller', async (t) => {
  const mock = new MockCluster({ brokers: 2 });
  const admin = new Kafka({ brokers: mock.options.broker.split(','), logLevel: 0, requestTimeout: 3_600_000 }).admin();
  cleanup(t, async () => {
    await admin.disconnect();
    mock.close();
  });
  await admin.connect();
  for (const call of [
    () => admin.createTopics({ topics: [{ topic: 'a' }] }),
    () => admin.deleteTopics({ topics: ['a'] }),
    () => admin.createPartitions({ topicPartitions: [{ topic: 'a', count: 2 }] }),
    () => admin.describeConfigs({ resources: [{ type: 2, name: 'a' }] }),
    () => admin.describeAcls({ resourceType: 2, resourceName: 'a', resourcePatternType: 3, operation: 3, permissionType: 3 }),
  ]) {
    await assert.rejects(call(), (error) => error instanceof KafkaJSServerDoesNotSupportApiKey && /MockCluster/.test(error.message));
  }
  const { controller, brokers } = await admin.describeCluster();
  assert.ok(brokers.some(({ nodeId }) => nodeId === controller));
});
