'use strict';
// Names that JavaScript's objects have already, for topics and headers: users choose them, so each is a name like any other.
const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const kafkajs = require('kafkajs');
const { AssignerProtocol } = require('kafka-native');
const { cleanup } = require('./support/cleanup.js');
const { real, topicName } = require('./support/clusters.js');
const { Inbox, consumer: classicConsumer, folder, offsets, producer: classicProducer } = require('./support/flow.js');
const { Got, client, event, member } = require('./support/groups.js');
const { once, EventEmitter } = require('node:events');

const NAMES = ['constructor', '__proto__', 'toString', 'hasOwnProperty'];
const HEADERS = Object.fromEntries(NAMES.map((name) => [name, `of ${name}`]));
const texts = (headers) => Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));

describe('names that objects have', () => {
  let cluster;
  before(async () => {
    cluster = await real({ own: true });
    for (const name of NAMES) await cluster.admin.createTopic(name, { partitions: 2, replication: 1 });
  });
  after(() => cluster?.close());

  for (const [how, subscription] of [
    ['by name', { topics: NAMES }],
    ['by a pattern', { topics: [/^[^_]|^__proto__$/] }],
    ['by a pattern that JavaScript follows', { topics: [/^(?!__consumer)/] }],
  ]) {
    test(`topics of these names are produced to, consumed ${how}, committed, described and measured`, async (t) => {
      const kafka = client(cluster, { statisticsInterval: 100 });
      const admin = kafka.admin();
      const producer = kafka.producer();
      cleanup(t, () => Promise.all([admin.disconnect(), producer.disconnect()]));
      await Promise.all([admin.connect(), producer.connect()]);
      const run = topicName('run');
      const told = await producer.sendBatch({
        topicMessages: NAMES.map((topic) => ({ topic, messages: [0, 1].map((partition) => ({ partition, key: run, value: topic, headers: HEADERS })) })),
      });
      assert.deepEqual(told.map(({ topicName: topic }) => topic).sort(), NAMES.flatMap((name) => [name, name]).sort());

      const groupId = topicName('group');
      const consumer = await member(t, cluster, { groupId });
      await consumer.subscribe({ ...subscription, fromBeginning: true });
      const joined = event(consumer, 'GROUP_JOIN');
      const got = new Got();
      const headers = [];
      await consumer.run({
        autoCommit: false,
        eachMessage: async (payload) => {
          headers.push(texts(payload.message.headers));
          if (String(payload.message.key) === run) await got.each(payload);
        },
      });
      const { memberAssignment } = await joined;
      assert.deepEqual(memberAssignment, Object.fromEntries(NAMES.map((name) => [name, [0, 1]])));
      assert.deepEqual(Object.keys(memberAssignment).sort(), [...NAMES].sort());
      await got.until(8);
      assert.deepEqual(
        got.messages.map(({ topic, value }) => [topic, value]).sort(),
        NAMES.flatMap((name) => [
          [name, name],
          [name, name],
        ]).sort(),
      );
      assert.deepEqual(headers.at(-1), HEADERS);
      assert.ok(Object.hasOwn(headers.at(-1), '__proto__'));
      consumer.pause(NAMES.map((topic) => ({ topic })));
      assert.deepEqual(
        consumer
          .paused()
          .map(({ topic }) => topic)
          .sort(),
        [...NAMES].sort(),
      );
      await consumer.commitOffsets(NAMES.map((topic) => ({ topic, partition: 0, offset: '1' })));

      const {
        groups: [
          {
            members: [only],
          },
        ],
      } = await admin.describeGroups([groupId]);
      assert.deepEqual(Object.keys(AssignerProtocol.MemberAssignment.decode(only.memberAssignment).assignment).sort(), [...NAMES].sort());
      assert.deepEqual(AssignerProtocol.MemberMetadata.decode(only.memberMetadata).topics.sort(), [...NAMES].sort());
      assert.deepEqual(
        (await admin.fetchOffsets({ groupId, topics: NAMES })).map(({ topic, partitions }) => [topic, partitions[0].offset]),
        NAMES.map((name) => [name, '1']),
      );
      assert.deepEqual((await admin.fetchTopicMetadata({ topics: NAMES })).topics.map(({ name }) => name).sort(), [...NAMES].sort());
      for (const name of NAMES) assert.ok((await admin.fetchTopicOffsets(name)).length === 2);
      while (!NAMES.every((name) => kafka.metrics().includes(`topic="${name}"`))) await new Promise((resolve) => setTimeout(resolve, 50));
    });
  }

  test('a name that no topic can have is refused as KafkaJS refuses it, by send and by subscribe', async (t) => {
    const seen = ({ name, type, retriable, cause }) => ({ name, type, retriable, cause: cause?.name, of: cause?.type });
    const refusals = async (kafka) => {
      const [producer, consumer] = [kafka.producer(), kafka.consumer({ groupId: topicName('group') })];
      cleanup(t, () => Promise.all([producer.disconnect(), consumer.disconnect()]));
      await Promise.all([producer.connect(), consumer.connect()]);
      const calls = ['a b', '^a'].flatMap((topic) => [producer.send({ topic, messages: [{ value: 'x' }] }), consumer.subscribe({ topic })]);
      return (await Promise.allSettled(calls)).map((call) => (call.status === 'rejected' ? seen(call.reason) : 'taken'));
    };
    const expected = await refusals(new kafkajs.Kafka({ brokers: [cluster.options().broker], logLevel: kafkajs.logLevel.NOTHING }));
    assert.deepEqual(
      expected.map(({ name }) => name),
      ['KafkaJSNonRetriableError', 'KafkaJSProtocolError', 'KafkaJSNonRetriableError', 'KafkaJSProtocolError'],
    );
    assert.deepEqual(await refusals(client(cluster)), expected);
  });

  test('the classic API produces to such a topic, counts what waits for it, consumes it and keeps its offsets', async (t) => {
    const topic = '__proto__';
    const told = new EventEmitter();
    const producer = classicProducer(t, cluster, {
      statistics_interval_ms: 20,
      queue_buffering_max_ms: 1000,
      stats_callback: (stats) => told.emit('stats', stats),
    });
    assert.equal(await producer.partition_count(topic), 2);
    assert.equal(producer.send(topic, 0, [{ value: 'x', headers: HEADERS }]).enqueued, 1);
    let stats;
    do [stats] = await once(told, 'stats');
    while (stats.send_queue_length === 0);
    assert.deepEqual(Object.entries(stats.send_queue_length_by_topic), [[topic, 1]]);
    assert.deepEqual(Object.keys(stats.rdkafka_stats.topics), [topic]);
    const inbox = new Inbox();
    const directory = folder(t);
    const consumer = classicConsumer(t, cluster, { topic, offset_directory: directory, receive_callback: inbox.receive });
    await consumer.start();
    const last = (messages) => messages.find(({ payload }) => payload === 'x');
    while (!last(inbox.messages)) await once(inbox, 'batch');
    assert.deepEqual(texts(last(inbox.messages).headers), HEADERS);
    await consumer.stop({ drain: true });
    assert.equal(offsets(directory, topic)[0], last(inbox.messages).offset);
  });
});
