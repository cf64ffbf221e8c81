'use strict';
// Messages after send(): stop() and its deadline, the delivery report, errors without a caller; and partition_count().

const assert = require('node:assert/strict');
const { describe, test, before, after } = require('node:test');
const { KafkaError, Producer } = require('kafka-native');
const { cleanup } = require('./support/cleanup.js');
const { embedded, onBoth, real, topicName } = require('./support/clusters.js');
const { PATIENCE, SOON, producer, silent, within } = require('./support/flow.js');
const { Calls, received, witness } = require('./support/watch.js');

onBoth('a producer ends', (cluster) => {
  test('with everything delivered when it is stopped, however long it would have gathered, and no success is reported', async (t) => {
    const topic = await cluster().topic(2);
    const reports = new Calls();
    const sender = producer(t, cluster(), { queue_buffering_max_ms: 60_000, delivery_report_callback: reports.take });
    for (let n = 0; n < 100; n++) sender.send(topic, n % 2, [`${n}`, { value: 'x', headers: { n: `${n}` } }]);
    await within(SOON, 'stop', () => sender.stop());
    await received(t, cluster(), topic, 200);
    assert.deepEqual(reports.all, []);
  });

  test('at once when nothing is under way, and a second stop is the same promise', async (t) => {
    const sender = producer(t, cluster());
    const stopping = sender.stop();
    assert.equal(sender.stop({ timeout: 1 }), stopping);
    await within(SOON, 'stop', () => stopping);
    assert.equal(sender.stop(), stopping);
    assert.throws(() => sender.send('topic', 0, ['x']), { name: 'KafkaError', code: '_STATE', message: /stopped/ });
    await assert.rejects(sender.partition_count('topic'), { name: 'KafkaError', code: '_STATE' });
  });

  test('without ever having reached its broker', async (t) => {
    const sender = new Producer({ broker: '127.0.0.1:1', logger: silent, error_callback() {} });
    await within(SOON, 'stop', () => sender.stop());
  });
});

describe('what cannot be delivered', () => {
  let cluster;
  before(async () => (cluster = await embedded()));
  after(() => cluster.close());

  /** A producer whose topic is known, and whose broker is gone. */
  async function stranded(t, options) {
    const topic = await cluster.topic(2);
    const sender = producer(t, cluster, { error_callback() {}, ...options });
    await sender.partition_count(topic);
    sender.send(topic, 0, ['gets through']);
    cluster.mock.brokerDown(1);
    cleanup(t, () => cluster.mock.brokerUp(1));
    return { topic, sender };
  }

  test('by the deadline of stop is purged and reported, and then stop rejects and says how many messages it was', async (t) => {
    const reports = new Calls();
    const { topic, sender } = await stranded(t, { delivery_report_callback: reports.take });
    sender.send(
      topic,
      1,
      Array.from({ length: 10 }, (_, n) => `${n}`),
    );
    const late = new Calls();
    const left = sender.send(topic, 0, ['x']).send_queue_length;
    const error = await sender.stop({ timeout: 300 }).catch((error) => (late.take(reports.all.length), error));
    assert.ok(error instanceof KafkaError && error.code === 'ETIMEDOUT', String(error));
    assert.match(error.message, new RegExp(`${left} messages.*300 ms`));
    assert.ok(late.all[0] > 0, 'the report came before the rejection');
    assert.equal(
      reports.all.reduce((sum, { errors }) => sum + errors, 0),
      left,
    );
    for (const { errors, rdkafka_errinfo } of reports.all) {
      assert.equal(
        rdkafka_errinfo.reduce((sum, { count }) => sum + count, 0),
        errors,
      );
      for (const info of rdkafka_errinfo) {
        assert.deepEqual(Object.keys(info).sort(), ['count', 'errcode', 'errstr', 'partition', 'topic']);
        assert.ok([-151, -152].includes(info.errcode), `purged: ${info.errcode}`);
        assert.equal(info.topic, topic);
      }
    }
  });

  test('max_tries and interval give stop its deadline, too', async (t) => {
    const { topic, sender } = await stranded(t);
    sender.send(topic, 1, ['x']);
    await within(SOON, 'stop', () => assert.rejects(sender.stop({ max_tries: 2, interval: 100 }), { code: 'ETIMEDOUT', message: /200 ms/ }));
  });

  test('is reported by error, topic and partition, a storm of it in a few calls', async (t) => {
    const reports = new Calls();
    const { topic, sender } = await stranded(t, { delivery_report_callback: reports.take, topic_options: { 'message.timeout.ms': 500 } });
    const storm = 50_000;
    sender.send(
      topic,
      0,
      Array.from({ length: storm / 2 }, () => 'x'),
    );
    for (let n = 0; n < 50; n++)
      sender.send(
        topic,
        1,
        Array.from({ length: storm / 100 }, () => ({ value: 'x', headers: { h: '' } })),
      );
    // This thread is busy while all of them fail: one call tells of them, or two if one was on its way.
    const end = Date.now() + PATIENCE;
    while (sender.send(topic, 0, []).send_queue_length > 0 && Date.now() < end) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    const sum = () => reports.all.reduce((sum, { errors }) => sum + errors, 0);
    await reports.until(() => sum() >= storm);
    assert.ok(sum() <= storm + 1);
    assert.ok(reports.all.length <= 5, `${reports.all.length} calls`);
    for (const { rdkafka_errinfo } of reports.all) {
      const kinds = rdkafka_errinfo.map(({ errcode, topic, partition }) => `${errcode} ${topic} ${partition}`);
      assert.equal(new Set(kinds).size, kinds.length, 'one entry for each kind');
      assert.ok(rdkafka_errinfo.every((info) => info.errcode === -192 && /timed out/i.test(info.errstr)));
    }
    assert.deepEqual(new Set(reports.all.flatMap((r) => r.rdkafka_errinfo.map((i) => i.partition))), new Set([0, 1]));
    await sender.stop();
  });

  test('is what the broker refused, too, while the others of the call are delivered', async (t) => {
    const topic = await cluster.topic(1);
    const reports = new Calls();
    const sender = producer(t, cluster, {
      delivery_report_callback: reports.take,
      queue_buffering_max_ms: 0,
      driver_options: { 'batch.num.messages': 1, 'max.in.flight': 1 },
    });
    await sender.partition_count(topic);
    cluster.mock.injectErrors(0, [0, 87]); // INVALID_RECORD for the second request
    sender.send(topic, 0, ['a', 'b', 'c']);
    await sender.stop();
    assert.deepEqual(
      (await received(t, cluster, topic, 2)).map((m) => m.payload),
      ['a', 'c'],
    );
    assert.deepEqual(
      reports.all.map(({ errors, rdkafka_errinfo: [{ errcode, topic, partition }] }) => ({ errors, errcode, topic, partition })),
      [{ errors: 1, errcode: 87, topic, partition: 0 }],
    );
  });

  test('is a line of the log for each kind when there is no callback', async (t) => {
    const { lines, logger } = witness();
    const { topic, sender } = await stranded(t, { logger, topic_options: { 'message.timeout.ms': 300 } });
    sender.send(topic, 1, ['a', 'b', 'c']);
    // A line may come while librdkafka still tells of the others.
    const told = ([level, line]) => (level === 'error' && line.includes(` messages for ${topic}[1] were not delivered`) ? parseInt(line, 10) : 0);
    await lines.until(() => lines.all.reduce((sum, line) => sum + told(line), 0) === 3);
  });
});

describe('error_callback of a producer', () => {
  test('hears that all brokers are down once, not once a retry, and again when it happens again', async (t) => {
    const cluster = await embedded();
    cleanup(t, () => cluster.close());
    const topic = await cluster.topic(1);
    const [errors, { lines, logger }] = [new Calls(), witness()];
    const sender = producer(t, cluster, { error_callback: errors.take, logger, driver_options: { debug: 'broker' } });
    await sender.partition_count(topic);
    const attempts = () => lines.all.filter(([, line]) => /Connecting to/.test(line)).length;
    for (const round of [1, 2]) {
      cluster.mock.brokerDown(1);
      sender.send(topic, 0, [`${round}`]);
      await errors.count(round);
      // Several more attempts to connect.
      const before = attempts();
      await lines.until(() => attempts() >= before + 5);
      assert.equal(errors.all.length, round, errors.all.map(String).join('; '));
      cluster.mock.brokerUp(1);
      await received(t, cluster, topic, round);
    }
    for (const error of errors.all) {
      assert.ok(error instanceof KafkaError);
      assert.deepEqual([error.code, error.errno, error.fatal], ['_ALL_BROKERS_DOWN', -187, false]);
    }
  });

  test('does not hear of a single lost connection: that is a warning', async (t) => {
    const cluster = await embedded({ brokers: 3 });
    cleanup(t, () => cluster.close());
    const topic = await cluster.topic(1);
    const [errors, { lines, logger }] = [new Calls(), witness()];
    const sender = producer(t, cluster, { error_callback: errors.take, logger });
    await sender.partition_count(topic);
    cluster.mock.setLeader(topic, 0, 1);
    sender.send(topic, 0, ['a']);
    await received(t, cluster, topic, 1);
    // So that it connects again, and is refused, before another broker tells it that this one is gone.
    for (const broker of [2, 3]) cluster.mock.setLatency(3000, broker);
    cluster.mock.brokerDown(1);
    sender.send(topic, 0, ['b']);
    await lines.until(([level, line]) => level === 'warn' && /_TRANSPORT/.test(line));
    for (const broker of [2, 3]) cluster.mock.setLatency(0, broker);
    cluster.mock.setLeader(topic, 0, 2);
    await sender.stop();
    await received(t, cluster, topic, 2);
    assert.deepEqual(errors.all, []);
  });
});

onBoth('partition_count', (cluster) => {
  test('tells how many partitions a topic has', async (t) => {
    const topic = await cluster().topic(3);
    assert.equal(await producer(t, cluster()).partition_count(topic), 3);
  });

  test('makes the topic where the broker does that', async (t) => {
    const topic = topicName();
    const sender = producer(t, cluster());
    assert.equal(await sender.partition_count(topic), 4);
    sender.send(topic, 3, ['x']);
    await sender.stop();
    assert.equal((await received(t, cluster(), topic, 1)).length, 1);
  });

  test('answers for several topics at once', async (t) => {
    const topics = [await cluster().topic(1), await cluster().topic(2), await cluster().topic(3)];
    const sender = producer(t, cluster());
    assert.deepEqual(await Promise.all(topics.map((topic) => sender.partition_count(topic))), [1, 2, 3]);
  });
});

describe('partition_count in trouble', () => {
  test('is tried again and rejects with ETIMEDOUT and the true cause in the end', async (t) => {
    const sender = new Producer({ broker: '127.0.0.1:1', logger: silent, error_callback() {} });
    cleanup(t, () => sender.stop());
    const error = await sender.partition_count('t', { max_tries: 2, interval: 200 }).catch((error) => error);
    assert.ok(error instanceof KafkaError, String(error));
    assert.equal(error.code, 'ETIMEDOUT');
    assert.match(error.message, /'t'.* 2 tries/);
    assert.ok(error.cause instanceof KafkaError);
    assert.ok(['_TRANSPORT', '_ALL_BROKERS_DOWN'].includes(error.cause.code), error.cause.code);
    assert.match(`${error.message} ${error.cause.message}`, /refused|down/i);
  });

  test('heals by itself', async (t) => {
    const cluster = await embedded();
    cleanup(t, () => cluster.close());
    const topic = await cluster.topic(5);
    cluster.mock.setTopicError(topic, 5); // LEADER_NOT_AVAILABLE
    const { lines, logger } = witness();
    const sender = producer(t, cluster, { logger, error_callback() {}, driver_options: { debug: 'metadata' } });
    const counting = sender.partition_count(topic, { max_tries: 1000, interval: 50 });
    await lines.until(([, line]) => line.includes(topic) && /leader/i.test(line));
    cluster.mock.setTopicError(topic, 0);
    assert.equal(await counting, 5);
  });

  test('ends with the producer', async (t) => {
    const sender = new Producer({ broker: '127.0.0.1:1', logger: silent, error_callback() {} });
    const counting = assert.rejects(sender.partition_count('t'), { name: 'KafkaError', code: '_DESTROY' });
    await within(SOON, 'stop', () => sender.stop());
    await within(SOON, 'partition_count', () => counting);
  });

  test('rejects at once for a name that no topic can have', async (t) => {
    const cluster = await real();
    cleanup(t, () => cluster.close());
    const sender = producer(t, cluster);
    for (const name of ['a/b', '..', 'with space', '\u00e4', 'x'.repeat(250)]) {
      await within(SOON, name, () => assert.rejects(sender.partition_count(name), { name: 'KafkaError', code: 'TOPIC_EXCEPTION', errno: 17, topic: name }));
    }
    assert.equal(await sender.partition_count(await cluster.topic(2)), 2);
  });

  test('of a topic that does not appear does not hold back the one of another topic', async (t) => {
    const cluster = await embedded();
    cleanup(t, () => cluster.close());
    const [bad, good] = [await cluster.topic(1), await cluster.topic(2)];
    cluster.mock.setTopicError(bad, 3);
    const sender = producer(t, cluster);
    const waiting = sender.partition_count(bad).catch((error) => error);
    assert.equal(await within(SOON, 'the good topic', () => sender.partition_count(good)), 2);
    await sender.stop();
    await waiting;
  });
});
