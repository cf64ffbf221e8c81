'use strict';
// Idempotent producers over a broker whose answers get lost or lie: each message is written once, whatever happens to others.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { randomBytes } = require('node:crypto');
const { setTimeout: delay } = require('node:timers/promises');
const { Kafka } = require('kafka-native');
const { cleanup } = require('./support/cleanup.js');
const { embedded, real } = require('./support/clusters.js');
const { Inbox, PATIENCE, consumer, folder, producer, silent } = require('./support/flow.js');
const { readWithKafkaJS } = require('./support/kafkajs.js');
const { random, seed } = require('./support/random.js');
const { Calls, eventually } = require('./support/watch.js');
const { garbling } = require('./fuzz/proxy.js');

const [NONE, NOT_LEADER, REQUEST_TIMED_OUT, MESSAGE_TOO_LARGE, NOT_ENOUGH_REPLICAS_AFTER_APPEND] = [0, 6, 7, 10, 20];
/** A topic that takes no more makes a gap in its partition's sequence of a message that is larger. */
const SMALL = { config: { 'max.message.bytes': '1000' } };
const tooLarge = () => randomBytes(2000);

/** The error code's place in an answer to Produce: behind the topic's name, the count of partitions and the one partition. */
const codeAt = (body, topic) => body.indexOf(topic) + topic.length + 1 + 4;

describe('an idempotent producer', () => {
  let cluster;
  before(async () => (cluster = await real()));
  after(() => cluster?.close());

  const proxied = async (t, how) => {
    const proxy = await garbling(cluster.options().broker, how);
    cleanup(t, () => proxy.close());
    return proxy;
  };

  for (const [name, code] of Object.entries({ NOT_LEADER, NOT_ENOUGH_REPLICAS_AFTER_APPEND, REQUEST_TIMED_OUT, 'a cut connection': NONE })) {
    test(`writes a message once whose answer was ${name}, although the sequence of another partition breaks before it asks again`, async (t) => {
      const [topic, small] = [await cluster.topic(1), await cluster.topic(1, SMALL)];
      let lied = 0;
      const proxy = await proxied(t, {
        change(kind, body) {
          if (kind !== 'Produce' || !body.includes(topic) || lied > 0) return body;
          lied++;
          sender.send(small, 0, [tooLarge()]);
          if (code === NONE) return null;
          assert.equal(body.readInt16BE(codeAt(body, topic)), NONE);
          body.writeInt16BE(code, codeAt(body, topic));
          return body;
        },
      });
      const reports = new Calls();
      const sender = producer(
        t,
        { options: () => ({ broker: proxy.broker }) },
        {
          delivery_report_callback: reports.take,
          queue_buffering_max_ms: 0,
          // The other partition's answer is there before the message is sent again.
          driver_options: { 'enable.idempotence': true, 'reconnect.backoff.ms': 10, 'reconnect.backoff.max.ms': 50, 'retry.backoff.ms': 1000 },
        },
      );
      sender.send(topic, 0, ['first']);
      const { rdkafka_errinfo } = await reports.until();
      assert.deepEqual(
        rdkafka_errinfo.map((failure) => [failure.topic, failure.errcode]),
        [[small, MESSAGE_TOO_LARGE]],
      );
      sender.send(topic, 0, ['second']);
      sender.send(small, 0, ['fits']);
      await sender.stop();
      assert.equal(lied, 1);
      const values = async (of, count) => (await readWithKafkaJS(t, cluster, of, (messages) => messages.length >= count)).map(({ value }) => String(value));
      assert.deepEqual(await values(topic, 2), ['first', 'second']);
      assert.deepEqual(await values(small, 1), ['fits']);
    });
  }

  test('goes on where a broker has forgotten its producer', async (t) => {
    const [PRODUCE, UNKNOWN_PRODUCER_ID] = [0, 59];
    const mock = await embedded();
    cleanup(t, () => mock.close());
    const topic = await mock.topic(1);
    const sender = new Kafka({ brokers: [mock.options().broker], logger: silent }).producer({ idempotent: true });
    cleanup(t, () => sender.disconnect());
    await sender.connect();
    const send = (value) => sender.send({ topic, messages: [{ value }] });
    await send('first');
    mock.mock.injectErrors(PRODUCE, [UNKNOWN_PRODUCER_ID, UNKNOWN_PRODUCER_ID]);
    await send('second');
    await send('third');
    const inbox = new Inbox();
    const reader = consumer(t, mock, { topic, offset_directory: folder(t), receive_callback: inbox.receive });
    await reader.start();
    assert.deepEqual(
      (await inbox.until(3)).map(({ payload }) => payload),
      ['first', 'second', 'third'],
    );
  });

  test('that has sent what it may, and has more to send, rests until an answer comes', async (t) => {
    const LATENCY = 3000;
    const mock = await embedded();
    cleanup(t, () => mock.close());
    const topic = await mock.topic(1);
    const sender = new Kafka({ brokers: [mock.options().broker], logger: silent }).producer({ idempotent: true, linger: 0 });
    cleanup(t, () => sender.disconnect());
    await sender.connect();
    const send = (value) => sender.send({ topic, messages: [{ value }] });
    await send('first');
    mock.mock.setLatency(LATENCY);
    // Five messages of a partition are under way at most; those of one turn are one request.
    const sends = [];
    for (let i = 0; i < 20; i++) {
      sends.push(send(String(i)));
      await delay(10);
    }
    const before = process.cpuUsage();
    await Promise.all(sends);
    const { user, system } = process.cpuUsage(before);
    assert.ok((user + system) / 1000 < LATENCY / 10, `${(user + system) / 1000} ms of processor in ${LATENCY} ms of waiting`);
  });

  test(`writes each message at most once and in order, and every acknowledged one, whatever becomes of requests and answers (SEED=${seed})`, async (t) => {
    const [PARTITIONS, SENDS, TIMEOUT] = [4, 250, 1500];
    const chance = random(seed);
    const [topic, small] = [await cluster.topic(PARTITIONS), await cluster.topic(1, SMALL)];
    const did = {};
    const does = (what, rate) => {
      const now = !over && chance() < rate;
      if (now) did[what] = (did[what] ?? 0) + 1;
      return now;
    };
    let deaf = 0;
    let over = false;
    const proxy = await proxied(t, {
      // Now and then for so long that messages run out of time.
      passes(kind) {
        if (kind !== 'Produce') return true;
        if (Date.now() < deaf && !over) return false;
        if (does('deaf', 0.005)) deaf = Date.now() + TIMEOUT + 1000 * chance();
        return !does('lost request', 0.03);
      },
      change(kind, body) {
        if (kind !== 'Produce') return body;
        if (does('lost answer', 0.03)) return null;
        const at = codeAt(body, topic);
        if (!body.includes(topic) || body.readInt16BE(at) !== NONE) return body;
        for (const code of [NOT_LEADER, REQUEST_TIMED_OUT, NOT_ENOUGH_REPLICAS_AFTER_APPEND]) {
          if (!does(`answer ${code}`, 0.02)) continue;
          body.writeInt16BE(code, at);
          break;
        }
        return body;
      },
    });
    const sender = new Kafka({ brokers: [proxy.broker], logger: silent }).producer({
      idempotent: true,
      properties: {
        'message.timeout.ms': TIMEOUT,
        'batch.num.messages': 4,
        'retry.backoff.ms': 50,
        'retry.backoff.max.ms': 200,
        'reconnect.backoff.ms': 10,
        'reconnect.backoff.max.ms': 50,
      },
    });
    cleanup(t, () => sender.disconnect());
    await sender.connect();

    const acknowledged = [];
    const failed = new Map();
    const outcome = (sent, values) =>
      sent.then(
        () => acknowledged.push(...values),
        (error) => values.forEach((value) => failed.set(value, error)),
      );
    const writing = Array.from({ length: PARTITIONS }, async (_, partition) => {
      const underWay = new Set();
      for (let from = 0, sends = 0; sends < SENDS; sends++) {
        const values = Array.from({ length: 1 + Math.floor(chance() * 6) }, () => `${partition}/${from++}`);
        const sent = outcome(sender.send({ topic, messages: values.map((value) => ({ partition, value })) }), values).finally(() => underWay.delete(sent));
        underWay.add(sent);
        if (does('too large', 0.01)) await sender.send({ topic: small, messages: [{ value: tooLarge() }] }).catch(() => {});
        if (underWay.size >= 8) await Promise.race(underWay);
      }
      await Promise.all(underWay);
    });
    await Promise.all(writing);
    over = true;
    // It goes on: none of that was fatal. On a busy machine an end can run out of time, too.
    const end = (partition) =>
      sender.send({ topic, messages: [{ partition, value: 'end' }] }).then(
        () => true,
        () => false,
      );
    await Promise.all(Array.from({ length: PARTITIONS }, (_, partition) => eventually(PATIENCE, `the end of partition ${partition}`, () => end(partition))));
    await sender.disconnect();
    const errors = [...failed.values()];
    const told = [...new Set(errors.map(({ message }) => message.replace(/ \(.*/, '')))];
    const refused = errors.filter(({ name, type }) => name !== 'KafkaJSNumberOfRetriesExceeded' && type !== 'OUT_OF_ORDER_SEQUENCE_NUMBER');

    const log = await readWithKafkaJS(
      t,
      cluster,
      topic,
      (messages) => new Set(messages.filter(({ value }) => String(value) === 'end').map(({ partition }) => partition)).size === PARTITIONS,
    );
    const values = log.map(({ value }) => String(value)).filter((value) => value !== 'end');
    t.diagnostic(JSON.stringify({ did, acknowledged: acknowledged.length, failed: failed.size, told }));
    // They ran out of time. The cause is the leader's last refusal: mostly one that may be tried again, or, behind a request that was lost, that
    // the sequence is broken.
    assert.deepEqual(refused, []);
    assert.deepEqual(
      values.filter((value, at) => values.indexOf(value) !== at),
      [],
      'twice',
    );
    assert.deepEqual(
      acknowledged.filter((value) => !values.includes(value)),
      [],
      'acknowledged and lost',
    );
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const order = values.filter((value) => value.startsWith(`${partition}/`)).map((value) => Number(value.split('/')[1]));
      assert.deepEqual(
        order,
        order.toSorted((a, b) => a - b),
        `the order of partition ${partition}`,
      );
    }
    assert.ok(acknowledged.length > 0);
  });
});
