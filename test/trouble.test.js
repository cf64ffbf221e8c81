'use strict';
// A broker and its topics in trouble: each gives its error, or heals by itself and loses nothing.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { KafkaError, Producer } = require('kafka-native');
const { real, topicName } = require('./support/clusters.js');
const { Inbox, PATIENCE, SOON, consumer, folder, offsets, producer, silent, within } = require('./support/flow.js');
const { Traffic, whole } = require('./support/traffic.js');
const { Calls, eventually } = require('./support/watch.js');

describe('one broker', () => {
  /** @type {any} */ let cluster;
  before(async () => (cluster = await real({ own: true, autoCreateTopics: false })));
  after(() => cluster?.close());

  test('killed and started again while both sides run: nothing acknowledged is lost, both recover by themselves', async (t) => {
    const topic = await cluster.topic(2);
    const directory = folder(t);
    const [inbox, errors] = [new Inbox(), new Calls()];
    const receiver = consumer(t, cluster, { topic, offset_directory: directory, receive_callback: inbox.receive, error_callback: errors.take });
    await receiver.start();
    const traffic = new Traffic(t, cluster, topic, 2);
    await inbox.until(200);
    for (let round = 0; round < 2; round++) {
      await cluster.kafka.nodes[0].kill();
      await traffic.more(100);
      await cluster.kafka.nodes[0].start();
      const before = inbox.messages.length;
      await inbox.until(before + 100);
    }
    await traffic.end();
    await eventually(PATIENCE, 'every acknowledged message', () => whole(inbox.messages, traffic.sent));
    assert.equal(inbox.misses, 0);
    const { high: end } = await cluster.admin.watermarks(topic, 0);
    await eventually(PATIENCE, 'the offsets on disk', () => offsets(directory, topic)[0] === end - 1);
    for (const { all } of [errors, traffic.errors]) {
      assert.ok(
        all.every((error) => error instanceof KafkaError && error.code === '_ALL_BROKERS_DOWN'),
        all.map(String).join(),
      );
      // Two outages. Messages fetched or acknowledged before one, that come behind its error on a busy machine, look like its end: then it is reported again.
      assert.ok(all.length <= 4, `told once an outage, not ${all.length} times`);
    }
  });

  test('that hangs gives a time-out with its cause, keeps no stop waiting, and is forgotten when it goes on', async (t) => {
    const topic = await cluster.topic(1);
    const [inbox, hanging] = [new Inbox(), new Inbox()];
    const receiver = consumer(t, cluster, { topic, offset_directory: folder(t), receive_callback: inbox.receive });
    const stopped = consumer(t, cluster, {
      topic,
      offset_directory: folder(t),
      receive_callback: hanging.receive,
      statistics_interval_ms: 20,
      stats_callback() {},
    });
    const sender = producer(t, cluster);
    await Promise.all([receiver.start(), stopped.start(), sender.partition_count(topic)]);
    cluster.kafka.nodes[0].pause();
    try {
      const fresh = new Producer({ ...cluster.options(), logger: silent, error_callback() {} });
      const error = await within(SOON, 'partition_count', () => fresh.partition_count(topic, { max_tries: 2, interval: 200 }).catch((error) => error));
      assert.equal(error.code, 'ETIMEDOUT');
      assert.ok(error.cause instanceof KafkaError);
      await within(SOON, 'stop of the producer', () => fresh.stop());
      await within(SOON, 'stop of the consumer', () => stopped.stop());
      sender.send(topic, 0, ['sent while it hangs']);
    } finally {
      cluster.kafka.nodes[0].resume();
    }
    assert.equal((await inbox.until(1))[0].payload, 'sent while it hangs');
    await sender.stop();
  });

  test('whose topic is made while start waits for it', async (t) => {
    const topic = topicName();
    const inbox = new Inbox();
    const one = consumer(t, cluster, { topic, offset_directory: folder(t), receive_callback: inbox.receive });
    const starting = one.start();
    await cluster.admin.createTopic(topic, { partitions: 3 });
    assert.deepEqual(await starting, [0, 1, 2]);
  });

  test('that refuses a message tells it in the delivery report: too large for it, unknown topic', async (t) => {
    const topic = await cluster.topic(1, { config: { 'max.message.bytes': 2000 } });
    const reports = new Calls();
    const sender = producer(t, cluster, { delivery_report_callback: reports.take, topic_options: { 'message.timeout.ms': 2000 } });
    assert.equal(sender.send(topic, 0, ['x'.repeat(5000)]).enqueued, 1);
    const refused = await reports.until();
    assert.deepEqual(
      refused.rdkafka_errinfo.map(({ errcode, count }) => [errcode, count]),
      [[10, 1]],
    );
    const unknown = topicName();
    assert.equal(sender.send(unknown, 0, ['a', 'b']).enqueued, 2);
    const gone = await reports.until((report) => report.rdkafka_errinfo.some((info) => info.topic === unknown));
    assert.ok(
      ['Unknown topic', 'unknown', 'timed out'].some((text) => gone.rdkafka_errinfo[0].errstr.toLowerCase().includes(text.toLowerCase())),
      gone.rdkafka_errinfo[0].errstr,
    );
    await sender.stop();
  });

  test('whose topic is deleted under a consumer: error_callback hears of it once, and when it is made again all of it comes', async (t) => {
    const topic = await cluster.topic(1);
    const directory = folder(t);
    const [inbox, errors] = [new Inbox(), new Calls()];
    const one = consumer(t, cluster, { topic, offset_directory: directory, receive_callback: inbox.receive, error_callback: errors.take });
    await one.start();
    const sender = producer(t, cluster);
    sender.send(
      topic,
      0,
      Array.from({ length: 50 }, (_, n) => `old ${n}`),
    );
    await inbox.until(50);
    await sender.stop();
    await cluster.admin.deleteTopic(topic);
    const error = await errors.until();
    assert.ok(error instanceof KafkaError);
    assert.ok(['UNKNOWN_TOPIC_OR_PART', '_UNKNOWN_TOPIC', '_UNKNOWN_PARTITION', 'UNKNOWN_TOPIC_ID'].includes(error.code), error.code);
    assert.equal(error.topic, topic);

    await eventually(PATIENCE, 'the topic made again', () => cluster.admin.createTopic(topic, { partitions: 1 }).then(() => true));
    const again = producer(t, cluster);
    again.send(
      topic,
      0,
      Array.from({ length: 10 }, (_, n) => `new ${n}`),
    );
    await again.stop();
    const messages = await inbox.until(60);
    assert.deepEqual(
      messages.slice(50).map((m) => m.payload),
      Array.from({ length: 10 }, (_, n) => `new ${n}`),
    );
    assert.equal(inbox.repeats, 1);
    await eventually(PATIENCE, 'the offset of the new topic', () => offsets(directory, topic)[0] === 9);
    assert.ok(errors.all.length <= 2, errors.all.map((error) => error.code).join());
  });
});
