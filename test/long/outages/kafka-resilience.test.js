'use strict';
// Promises that must hold when brokers go, and partitions are many.

const { after, before, describe, test } = require('node:test');
const assert = require('node:assert/strict');
const { EventEmitter, once } = require('node:events');
const { setTimeout } = require('node:timers/promises');
const { Consumer, Kafka, Producer, logLevel } = require('kafka-native');
const { cleanup } = require('../../support/cleanup.js');
const { real, topicName } = require('../../support/clusters.js');
const { PATIENCE, folder, silent, within } = require('../../support/flow.js');

const client = (cluster, more = {}) => new Kafka({ brokers: cluster.options().broker.split(','), logLevel: logLevel.NOTHING, ...more });

/** Something that counts up; `until` resolves when the condition holds. */
class Progress extends EventEmitter {
  made = () => this.emit('more');

  until(condition, describe) {
    return within(90_000, describe, async () => {
      while (!condition()) await once(this, 'more');
    });
  }
}

/** Values of everything in a topic that is committed, by partition, in order: what a reader finds who comes later. */
async function readAll(t, kafka, topic, count) {
  const consumer = kafka.consumer({ groupId: topicName('reader') });
  cleanup(t, () => consumer.disconnect());
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const values = new Map();
  let seen = 0;
  let done;
  const all = new Promise((resolve) => (done = resolve));
  await consumer.run({
    eachBatch: async ({ batch }) => {
      const list = values.get(batch.partition) ?? [];
      values.set(batch.partition, list);
      for (const message of batch.messages) list.push(message.value.toString());
      if ((seen += batch.messages.length) >= count) done();
    },
  });
  await within(PATIENCE, () => `${seen} of ${count} messages came`, () => all);
  await consumer.disconnect();
  return values;
}

describe('three brokers', () => {
  let cluster;
  before(async () => (cluster = await real({ own: true, nodes: 3 })));
  after(() => cluster?.close());

  test('a rolling restart under load loses and duplicates nothing that was acknowledged', async (t) => {
    const topic = await cluster.topic(6, { replication: 3, config: { 'min.insync.replicas': 2 } });
    const kafka = client(cluster);
    const producer = kafka.producer({ idempotent: true });
    await producer.connect();
    cleanup(t, () => producer.disconnect());

    const groupId = topicName('rolling');
    const consumer = kafka.consumer({ groupId, sessionTimeout: 10_000 });
    cleanup(t, () => consumer.disconnect());
    const seen = new Map();
    const progress = new Progress();
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommitInterval: 200,
      eachBatch: async ({ batch }) => {
        for (const message of batch.messages) seen.set(message.value.toString(), (seen.get(message.value.toString()) ?? 0) + 1);
        progress.made();
      },
    });

    const acknowledged = [];
    let restarting = true;
    const load = (async () => {
      for (let n = 0; restarting; n += 50) {
        const values = Array.from({ length: 50 }, (_, i) => String(n + i));
        const result = await producer.send({ topic, messages: values.map((value) => ({ key: String(Number(value) % 100), value })) });
        assert.ok(result.every(({ errorCode }) => errorCode === 0));
        acknowledged.push(...values);
        progress.made();
      }
    })();
    for (const node of cluster.kafka.nodes) {
      const goal = acknowledged.length + 500;
      await node.stop();
      await progress.until(() => acknowledged.length >= goal, 'sends go on without the node');
      await node.start();
      await inSync(kafka, topic);
    }
    restarting = false;
    await load;

    await progress.until(() => seen.size >= acknowledged.length, () => `${seen.size} of ${acknowledged.length} values were consumed`);
    await consumer.disconnect();
    const log = await readAll(t, kafka, topic, acknowledged.length);
    const written = [...log.values()].flat();
    assert.equal(written.length, acknowledged.length, 'a value is in the log twice');
    assert.equal(new Set(written).size, acknowledged.length);
    for (const values of log.values()) {
      for (const list of groupBy(values, (value) => Number(value) % 100).values()) assert.deepEqual(list, list.toSorted((a, b) => a - b), 'the order of a key changed');
    }
    const commits = await committed(kafka, groupId, topic);
    const sizes = new Map([...log].map(([partition, values]) => [partition, values.length]));
    for (const [partition, size] of sizes) assert.ok(commits.get(partition) >= size, `partition ${partition} is committed at ${commits.get(partition)} of ${size}`);
  });
});

function groupBy(list, keyOf) {
  const groups = new Map();
  for (const item of list) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}

/** Resolves when every replica of the topic is in sync again. */
async function inSync(kafka, topic) {
  const admin = kafka.admin();
  await admin.connect();
  try {
    await within(PATIENCE, 'all replicas are in sync', async () => {
      for (;;) {
        const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
        if (topics[0].partitions.every(({ isr, replicas, leader }) => leader >= 0 && isr.length === replicas.length)) return;
      }
    });
  } finally {
    await admin.disconnect();
  }
}

async function committed(kafka, groupId, topic) {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const [{ partitions }] = await admin.fetchOffsets({ groupId, topics: [topic] });
    return new Map(partitions.map(({ partition, offset }) => [partition, Number(offset)]));
  } finally {
    await admin.disconnect();
  }
}

describe('an outage', () => {
  test('every client works again soon after the broker is back, however long it was away', async (t) => {
    const cluster = await real({ own: true });
    cleanup(t, () => cluster.close());
    const topic = await cluster.topic(1);
    const kafka = client(cluster);
    const working = new Map();
    const progress = new Progress();
    const works = (name) => {
      working.set(name, (working.get(name) ?? 0) + 1);
      progress.made();
    };
    const producer = kafka.producer();
    const admin = kafka.admin();
    const consumer = kafka.consumer({ groupId: topicName('outage') });
    cleanup(t, () => Promise.all([producer.disconnect(), admin.disconnect(), consumer.disconnect()]));
    await Promise.all([producer.connect(), admin.connect(), consumer.connect()]);
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({ eachMessage: async () => works('consumer') });
    const classic = new Consumer({ ...cluster.options(), topic, offset_directory: folder(t), receive_callback: () => works('classic consumer'), error_callback() {}, logger: silent });
    cleanup(t, () => classic.stop());
    await classic.start();
    const sender = new Producer({ ...cluster.options(), queue_buffering_max_ms: 1, error_callback() {}, logger: silent });
    cleanup(t, () => sender.stop({ timeout: 1000 }).catch(() => {}));
    let over = false;
    cleanup(t, () => (over = true));
    const again = async (name, call) => {
      while (!over) await call().then(() => works(name), () => {});
    };
    void again('producer', async () => {
      sender.send(topic, 0, ['classic']);
      await producer.send({ topic, messages: [{ value: 'new' }] });
      await setTimeout(10);
    });
    void again('admin', () => admin.fetchTopicMetadata({ topics: [topic] }));
    const all = ['producer', 'admin', 'consumer', 'classic consumer'];
    await progress.until(() => all.every((name) => working.has(name)), () => `before: ${[...working.keys()]}`);

    // As long as librdkafka's own pauses take to grow to several seconds.
    const [node] = cluster.kafka.nodes;
    await node.kill();
    await setTimeout(8000);
    await node.start();
    working.clear();
    const begun = performance.now();
    await progress.until(() => all.every((name) => working.has(name)), () => `after: ${[...working.keys()]}`);
    const took = performance.now() - begun;
    t.diagnostic(`${Math.round(took)} ms`);
    // A bound for busy machines; it takes half a second. librdkafka's own pauses would be up to 8 s, for each of the clients.
    assert.ok(took < 5000, `${took} ms`);
    over = true;
  });
});

describe('one broker', () => {
  let cluster;
  before(async () => (cluster = await real()));
  after(() => cluster?.close());

  test('a thousand partitions are read, committed and shared', async (t) => {
    const topic = await cluster.topic(1000);
    const kafka = client(cluster);
    const producer = kafka.producer();
    await producer.connect();
    cleanup(t, () => producer.disconnect());
    const messages = Array.from({ length: 5000 }, (_, n) => ({ value: String(n), partition: n % 1000 }));
    await producer.send({ topic, messages });

    const groupId = topicName('thousand');
    const seen = new Set();
    const progress = new Progress();
    const join = async () => {
      const consumer = kafka.consumer({ groupId, sessionTimeout: 10_000 });
      cleanup(t, () => consumer.disconnect());
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      // A member that comes to others may get nothing at first, until they have given something away.
      const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => payload.memberAssignment[topic] && resolve(payload.memberAssignment[topic])));
      await consumer.run({
        partitionsConsumedConcurrently: 4,
        eachMessage: async ({ message }) => {
          seen.add(message.value.toString());
          progress.made();
        },
      });
      return { consumer, partitions: await joined };
    };
    const first = await join();
    assert.equal(first.partitions.length, 1000);
    await progress.until(() => seen.size === 5000, () => `${seen.size} of 5000 messages came`);
    const second = await within(PATIENCE, 'the second member has partitions', join);
    assert.equal(second.partitions.length, 500);
    await first.consumer.disconnect();
    await second.consumer.disconnect();
    const commits = await committed(kafka, groupId, topic);
    assert.equal([...commits.values()].filter((offset) => offset === 5).length, 1000);
  });
});
