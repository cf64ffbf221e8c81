'use strict';
// A client of ours at a broker that lies, for a second or two. Errors are fine; what ends or hangs the process is not.
//
// { kind, broker, topic, groupId, directory }

const path = require('node:path');
const { setTimeout: delay } = require('node:timers/promises');
const { Consumer, Kafka, Producer } = require('kafka-native');
const { options } = require('../support/child.js');

const { kind, broker, topic, groupId, directory } = options();
const silent = { error() {}, warn() {}, info() {}, debug() {} };
const LIFE = 1200;
/** Soon tried again, so that more is seen in a second. */
const hasty = { 'reconnect.backoff.ms': 5, 'reconnect.backoff.max.ms': 50, 'retry.backoff.ms': 5, 'retry.backoff.max.ms': 50, 'topic.metadata.refresh.interval.ms': 200, 'socket.timeout.ms': 2000 };
const kafka = () => new Kafka({ brokers: [broker], logger: silent, retry: { retries: 2, initialRetryTime: 20 }, connectionTimeout: 500, requestTimeout: 1000 });

/** Awaits it, but not for long, and whatever comes of it. */
const anyway = (work) => Promise.race([Promise.resolve().then(work).catch(() => {}), delay(LIFE)]);

async function groupMember(config) {
  const consumer = kafka().consumer({ groupId, sessionTimeout: 6000, heartbeatInterval: 100, rebalanceTimeout: 2000, maxWaitTimeInMs: 20, properties: hasty, ...config });
  await anyway(() => consumer.connect());
  await anyway(() => consumer.subscribe({ topics: [topic, /^garble/], fromBeginning: true }));
  await anyway(() => consumer.run({ eachMessage: async () => {} }));
  await delay(LIFE);
  await anyway(() => consumer.disconnect());
}

const kinds = {
  async consumer() {
    const consumer = new Consumer({ broker, topic, offset_directory: path.join(directory, 'offsets'), logger: silent, error_callback() {}, driver_options: hasty, receive_callback() {} });
    await anyway(() => consumer.start());
    await delay(LIFE);
    await anyway(() => consumer.stop({ timeout: 500 }));
  },
  group: () => Promise.all([groupMember({}), groupMember({})]),
  rangers: () => Promise.all([groupMember({ partitionAssigners: ['range'] }), groupMember({ partitionAssigners: ['range'] })]),
  kip848: () => Promise.all([groupMember({ groupProtocol: 'consumer', sessionTimeout: undefined, heartbeatInterval: undefined }), groupMember({ groupProtocol: 'consumer', sessionTimeout: undefined, heartbeatInterval: undefined })]),
  async producer() {
    const classic = new Producer({ broker, logger: silent, error_callback() {}, driver_options: hasty });
    for (let i = 0; i < 20; i++) {
      classic.send(topic, -1, ['a', { key: 'k', value: 'b', headers: { h: 'v' } }]);
      await anyway(() => Promise.race([classic.partition_count(topic), delay(30)]));
    }
    await anyway(() => classic.stop({ timeout: 500 }));
  },
  async transactions() {
    const producer = kafka().producer({ idempotent: true, transactionalId: groupId, transactionTimeout: 5000, properties: hasty });
    await anyway(() => producer.connect());
    const end = Date.now() + LIFE;
    while (Date.now() < end) {
      await anyway(async () => {
        const transaction = await producer.transaction();
        await transaction.send({ topic, messages: [{ value: 'x' }] });
        await transaction.sendOffsets({ consumerGroupId: groupId, topics: [{ topic, partitions: [{ partition: 0, offset: '1' }] }] });
        await transaction.commit();
      });
      await delay(5);
    }
    await anyway(() => producer.disconnect());
  },
  async admin() {
    const admin = kafka().admin();
    await anyway(() => admin.connect());
    const calls = [
      () => admin.listTopics(), () => admin.fetchTopicMetadata({ topics: [topic] }), () => admin.fetchTopicOffsets(topic), () => admin.describeCluster(), () => admin.listGroups(),
      () => admin.describeGroups([groupId]), () => admin.fetchOffsets({ groupId, topics: [topic] }), () => admin.createTopics({ topics: [{ topic: `${topic}-made` }] }),
      () => admin.describeConfigs({ resources: [{ type: 2, name: topic }] }), () => admin.describeAcls({ resourceType: 1, resourcePatternType: 1, operation: 1, permissionType: 1 }),
      () => admin.fetchTopicOffsetsByTimestamp(topic, 0), () => admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '1' }] }), () => admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] }),
      () => admin.deleteGroups([groupId]), () => admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: '1' }] }), () => admin.deleteTopics({ topics: [`${topic}-made`] }),
    ];
    const end = Date.now() + LIFE;
    while (Date.now() < end) await Promise.all(calls.map((call) => Promise.race([anyway(call), delay(150)])));
    await anyway(() => admin.disconnect());
  },
};

process.on('unhandledRejection', () => {});
kinds[kind]().then(() => process.exit(0), (error) => {
  console.error(error);
  process.exit(3);
});
