'use strict';
// Brokers and topics in trouble, on clusters of their own: each gives its error, or heals by itself and loses nothing.

const assert = require('node:assert/strict');
const { describe, test, before, after } = require('node:test');
const { Consumer, KafkaError, Producer } = require('kafka-native');
const { cleanup } = require('./support/cleanup.js');
const { real, topicName } = require('./support/clusters.js');
const { Inbox, PATIENCE, SOON, consumer, folder, offsets, producer, silent, within } = require('./support/flow.js');
const { Calls, eventually, witness } = require('./support/watch.js');

/** Sends a number every few milliseconds to each partition in turn, until `end`. */
class Traffic {
  sent = 0;
  reports = new Calls();
  errors = new Calls();

  constructor(t, cluster, topic, partitions) {
    this.sender = producer(t, cluster, { delivery_report_callback: this.reports.take, error_callback: this.errors.take });
    this.timer = setInterval(() => {
      const { enqueued } = this.sender.send(topic, this.sent % partitions, [`${this.sent}`]);
      this.sent += enqueued;
    }, 3);
    cleanup(t, () => clearInterval(this.timer));
  }

  async more(count) {
    const goal = this.sent + count;
    await eventually(PATIENCE, `${count} more messages`, () => this.sent >= goal);
  }

  /** Resolves when everything is acknowledged. */
  async end() {
    clearInterval(this.timer);
    await this.sender.stop({ timeout: 60_000 });
    assert.deepEqual(this.reports.all, [], 'everything was acknowledged');
  }
}

/** The numbers below `total` that are not among the messages. */
function missing(messages, total) {
  const seen = new Set(messages.map((m) => Number(m.payload)));
  return Array.from({ length: total }, (_, n) => n).filter((n) => !seen.has(n));
}

const whole = (messages, total) => missing(messages, total).length === 0;

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
      assert.ok(all.every((error) => error instanceof KafkaError && error.code === '_ALL_BROKERS_DOWN'), all.map(String).join());
      // Two outages. What was fetched or acknowledged before one, and comes behind its error on a busy machine, looks like its end: then it is told again.
      assert.ok(all.length <= 4, `told once an outage, not ${all.length} times`);
    }
  });

  test('that hangs gives a time-out with its cause, keeps no stop waiting, and is forgotten when it goes on', async (t) => {
    const topic = await cluster.topic(1);
    const [inbox, hanging] = [new Inbox(), new Inbox()];
    const receiver = consumer(t, cluster, { topic, offset_directory: folder(t), receive_callback: inbox.receive });
    const stopped = consumer(t, cluster, { topic, offset_directory: folder(t), receive_callback: hanging.receive, statistics_interval_ms: 20, stats_callback() {} });
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
    assert.deepEqual(refused.rdkafka_errinfo.map(({ errcode, count }) => [errcode, count]), [[10, 1]]);
    const unknown = topicName();
    assert.equal(sender.send(unknown, 0, ['a', 'b']).enqueued, 2);
    const gone = await reports.until((report) => report.rdkafka_errinfo.some((info) => info.topic === unknown));
    assert.ok(['Unknown topic', 'unknown', 'timed out'].some((text) => gone.rdkafka_errinfo[0].errstr.toLowerCase().includes(text.toLowerCase())), gone.rdkafka_errinfo[0].errstr);
    await sender.stop();
  });

  test('whose topic is deleted under a consumer: error_callback hears of it once, and when it is made again all of it comes', async (t) => {
    const topic = await cluster.topic(1);
    const directory = folder(t);
    const [inbox, errors] = [new Inbox(), new Calls()];
    const one = consumer(t, cluster, { topic, offset_directory: directory, receive_callback: inbox.receive, error_callback: errors.take });
    await one.start();
    const sender = producer(t, cluster);
    sender.send(topic, 0, Array.from({ length: 50 }, (_, n) => `old ${n}`));
    await inbox.until(50);
    await sender.stop();
    await cluster.admin.deleteTopic(topic);
    const error = await errors.until();
    assert.ok(error instanceof KafkaError);
    assert.ok(['UNKNOWN_TOPIC_OR_PART', '_UNKNOWN_TOPIC', '_UNKNOWN_PARTITION', 'UNKNOWN_TOPIC_ID'].includes(error.code), error.code);
    assert.equal(error.topic, topic);

    await eventually(PATIENCE, 'the topic made again', () => cluster.admin.createTopic(topic, { partitions: 1 }).then(() => true));
    const again = producer(t, cluster);
    again.send(topic, 0, Array.from({ length: 10 }, (_, n) => `new ${n}`));
    await again.stop();
    const messages = await inbox.until(60);
    assert.deepEqual(messages.slice(50).map((m) => m.payload), Array.from({ length: 10 }, (_, n) => `new ${n}`));
    assert.equal(inbox.repeats, 1);
    await eventually(PATIENCE, 'the offset of the new topic', () => offsets(directory, topic)[0] === 9);
    assert.ok(errors.all.length <= 2, errors.all.map((error) => error.code).join());
  });
});

// Each takes the fifteen seconds of start().
describe('what start waits for in vain', { concurrency: true }, () => {
  for (const [what, broker, cause] of [['an unknown host', 'no-such-host.invalid:9092', '_RESOLVE'], ['a wrong port', '127.0.0.1:1', '_TRANSPORT']]) {
    test(`${what}: start, partition_count and error_callback say so`, async (t) => {
      const errors = new Calls();
      const sender = new Producer({ broker, logger: silent, error_callback: errors.take });
      const receiver = new Consumer({ broker, topic: 't', offset_directory: folder(t), logger: silent, error_callback: errors.take, receive_callback() {} });
      const [counted, started] = await within(PATIENCE, 'the calls', () => Promise.all([
        sender.partition_count('t', { max_tries: 3, interval: 100 }).catch((error) => error),
        receiver.start().catch((error) => error),
      ]));
      for (const error of [counted, started]) {
        assert.ok(error instanceof KafkaError, String(error));
        assert.equal(error.code, 'ETIMEDOUT');
        assert.ok([cause, '_ALL_BROKERS_DOWN'].includes(error.cause.code), error.cause.code);
        assert.match(`${error.cause.message}`, /resolve|refused|brokers are down/i);
      }
      // One for each client, not one for each attempt.
      const down = errors.all.filter((error) => error.code === '_ALL_BROKERS_DOWN');
      assert.equal(down.length, 2, errors.all.map((error) => error.code).join());
      await Promise.all([within(SOON, 'stop', () => sender.stop()), within(SOON, 'stop', () => receiver.stop())]);
    });
  }

  test('a topic that is not there, and not made by asking: partition_count and start say so in the end, and start works once it is there', async (t) => {
    const cluster = await real({ own: true, autoCreateTopics: false });
    cleanup(t, () => cluster.close());
    const topic = topicName();
    const sender = producer(t, cluster);
    const error = await sender.partition_count(topic, { max_tries: 2, interval: 100 }).catch((error) => error);
    assert.deepEqual([error.code, error.cause.code], ['ETIMEDOUT', 'UNKNOWN_TOPIC_OR_PART']);
    assert.ok(error.message.includes(topic));

    const failing = consumer(t, cluster, { topic, offset_directory: folder(t), receive_callback() {} });
    const failed = await within(PATIENCE, 'start', () => failing.start().catch((error) => error));
    assert.deepEqual([failed.code, failed.cause?.code], ['ETIMEDOUT', 'UNKNOWN_TOPIC_OR_PART']);
    await cluster.admin.createTopic(topic, { partitions: 2 });
    assert.deepEqual(await failing.start(), [0, 1]);
  });

  test('a broker that comes later: start succeeds', async (t) => {
    const cluster = await real({ own: true });
    cleanup(t, () => cluster.close());
    const topic = await cluster.topic(2);
    await cluster.kafka.nodes[0].stop();
    const one = consumer(t, cluster, { topic, offset_directory: folder(t), error_callback() {}, receive_callback() {} });
    const starting = one.start();
    await cluster.kafka.nodes[0].start();
    assert.deepEqual(await starting, [0, 1]);
  });
});

describe('three brokers', () => {
  test('lose a leader while both sides run: nothing acknowledged is lost, and a single lost broker is a warning', async (t) => {
    const cluster = await real({ own: true, nodes: 3 });
    cleanup(t, () => cluster.close());
    const topic = await cluster.topic(3, { replication: 3 }); // each of the brokers leads one
    const directory = folder(t);
    const [inbox, errors, { lines, logger }] = [new Inbox(), new Calls(), witness()];
    const receiver = consumer(t, cluster, { topic, offset_directory: directory, logger, receive_callback: inbox.receive, error_callback: errors.take });
    await receiver.start();
    const traffic = new Traffic(t, cluster, topic, 3);
    await inbox.until(150);
    await cluster.kafka.nodes[1].kill();
    await traffic.more(300);
    // All partitions go on without it.
    const from = inbox.messages.length;
    await eventually(PATIENCE, 'messages of each partition', () => new Set(inbox.messages.slice(from).map((m) => m.partition)).size === 3);
    await cluster.kafka.nodes[1].start();
    await traffic.more(100);
    await traffic.end();
    await eventually(PATIENCE, 'every acknowledged message', () => whole(inbox.messages, traffic.sent));
    assert.deepEqual([inbox.misses, inbox.repeats], [0, 0]);
    assert.deepEqual([...errors.all, ...traffic.errors.all].map(String), []);
    await lines.until(([level, line]) => level === 'warn' && /_TRANSPORT/.test(line));
  });
});
