'use strict';
// Transactions on the real Kafka: seen whole or not at all, and exactly once from one topic to another.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { setTimeout: delay } = require('node:timers/promises');
const { Kafka, KafkaJSNonRetriableError, KafkaJSProtocolError, CompressionTypes, logLevel } = require('kafka-native');
const { Child } = require('./support/child.js');
const { cleanup } = require('./support/cleanup.js');
const { real, topicName } = require('./support/clusters.js');
const { oracle, readWithKafkaJS } = require('./support/kafkajs.js');
const { random, seed } = require('./support/random.js');
const { event, member } = require('./support/groups.js');
const { deferred } = require('./support/watch.js');

let cluster;
before(async () => (cluster = await real()));
after(() => cluster?.close());

const kafka = (config) => new Kafka({ brokers: cluster.options().broker.split(','), logLevel: logLevel.NOTHING, ...config });

async function connected(t, config) {
  const producer = kafka().producer(config);
  cleanup(t, () => producer.disconnect());
  await producer.connect();
  return producer;
}
const transactional = (t, config) => connected(t, { transactionalId: topicName('tx'), ...config });

const last = (text) => (messages) => messages.at(-1)?.value.toString() === text;
const values = (messages) => messages.map(({ value }) => value.toString());
const messages = (...values) => values.map((value) => ({ value }));

describe('a transaction', () => {
  test('is seen when it is committed, and not before', async (t) => {
    const topic = await cluster.topic(1);
    const producer = await transactional(t);
    const transaction = await producer.transaction();
    assert.equal(transaction.isActive(), true);
    const [{ baseOffset, ...result }] = await transaction.send({ topic, messages: messages('a', 'b') });
    assert.deepEqual({ ...result, baseOffset }, { topicName: topic, partition: 0, errorCode: 0, baseOffset: '0', logAppendTime: '-1', logStartOffset: '-1' });
    const admin = oracle(cluster).admin();
    cleanup(t, () => admin.disconnect());
    await admin.connect();
    // KafkaJS tells the last stable offset here.
    assert.equal((await admin.fetchTopicOffsets(topic))[0].high, '0');
    const own = kafka().admin();
    cleanup(t, () => own.disconnect());
    assert.equal((await own.fetchTopicOffsets(topic))[0]?.high, '2');
    assert.equal((await own.fetchTopicOffsets(topic, { readCommitted: true }))[0]?.high, '0');
    await transaction.sendBatch({ topicMessages: [{ topic, messages: messages('c') }] });
    await transaction.commit();
    assert.equal(transaction.isActive(), false);
    assert.deepEqual(values(await readWithKafkaJS(t, cluster, topic, last('c'))), ['a', 'b', 'c']);
  });

  test('is never seen when it is aborted', async (t) => {
    const topic = await cluster.topic(1);
    const producer = await transactional(t);
    for (const value of ['one', 'two', 'three']) {
      const aborted = await producer.transaction();
      await aborted.send({ topic, messages: messages(`${value} aborted`) });
      await aborted.abort();
      assert.equal(aborted.isActive(), false);
      const committed = await producer.transaction();
      await committed.send({ topic, messages: messages(value) });
      await committed.commit();
    }
    assert.deepEqual(values(await readWithKafkaJS(t, cluster, topic, last('three'))), ['one', 'two', 'three']);
    const all = await readWithKafkaJS(t, cluster, topic, last('three'), { readUncommitted: true });
    assert.equal(all.length, 6);
  });

  test('commits what was sent and not awaited, in order', async (t) => {
    const topic = await cluster.topic(1);
    const producer = await transactional(t, { properties: { 'queue.buffering.max.messages': 50 } });
    const transaction = await producer.transaction();
    const sends = Array.from({ length: 500 }, (_, n) => transaction.send({ topic, messages: messages(`${n}`) }));
    await transaction.commit();
    const results = await Promise.all(sends);
    assert.deepEqual(
      results.map(([{ baseOffset }]) => Number(baseOffset)),
      sends.map((_, n) => n),
    );
    assert.deepEqual(
      values(await readWithKafkaJS(t, cluster, topic, last('499'))),
      sends.map((_, n) => `${n}`),
    );
  });

  test('that is aborted rejects what is not written yet', async (t) => {
    const topic = await cluster.topic(1);
    const producer = await transactional(t, { linger: 60_000, transactionTimeout: 300_000, properties: { 'queue.buffering.max.messages': 50 } });
    const transaction = await producer.transaction();
    const sends = Array.from({ length: 100 }, (_, n) => transaction.send({ topic, messages: messages(`${n}`) }));
    const settled = Promise.allSettled(sends);
    await transaction.abort();
    for (const { status, reason } of await settled) {
      assert.equal(status, 'rejected');
      assert.ok(reason instanceof KafkaJSNonRetriableError, reason);
    }
    const next = await producer.transaction();
    next.send({ topic, messages: messages('seen') });
    await producer.flush();
    await next.commit();
    assert.deepEqual(values(await readWithKafkaJS(t, cluster, topic, last('seen'))), ['seen']);
  });

  test('is one at a time, and of no use when it has ended', async (t) => {
    const topic = await cluster.topic(1);
    const producer = await transactional(t);
    const transaction = await producer.transaction();
    await assert.rejects(producer.transaction(), (error) => error instanceof KafkaJSNonRetriableError && /already an ongoing transaction/.test(error.message));
    await transaction.commit();
    for (const call of [
      () => transaction.send({ topic, messages: messages('x') }),
      () => transaction.sendBatch({ topicMessages: [] }),
      () => transaction.sendOffsets({ consumerGroupId: 'g', topics: [] }),
      () => transaction.commit(),
      () => transaction.abort(),
    ])
      await assert.rejects(call, (error) => error instanceof KafkaJSNonRetriableError && /ended/.test(error.message));
    await (await producer.transaction()).abort();
  });

  test('needs a transactionalId', async (t) => {
    const producer = await connected(t);
    await assert.rejects(producer.transaction(), (error) => error instanceof KafkaJSNonRetriableError && /transactional id/.test(error.message));
  });

  test('takes all acknowledgements only', async (t) => {
    const producer = await transactional(t);
    const transaction = await producer.transaction();
    await assert.rejects(transaction.send({ topic: 'x', acks: 1, messages: messages('x') }), KafkaJSNonRetriableError);
    await transaction.abort();
  });

  test('leaves what is sent beside it alone', async (t) => {
    const topic = await cluster.topic(1);
    const producer = await transactional(t);
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: messages('inside') });
    await producer.send({ topic, messages: messages('outside') });
    await transaction.abort();
    assert.deepEqual(values(await readWithKafkaJS(t, cluster, topic, last('outside'))), ['outside']);
  });

  test('can be compressed', async (t) => {
    const topic = await cluster.topic(1);
    const producer = await transactional(t);
    const transaction = await producer.transaction();
    await transaction.send({ topic, compression: CompressionTypes.GZIP, messages: messages('x'.repeat(100_000)) });
    await transaction.commit();
    const [message] = await readWithKafkaJS(t, cluster, topic, (all) => all.length === 1);
    assert.equal(message.value.length, 100_000);
  });

  test('that is open when its producer disconnects is aborted', async (t) => {
    const topic = await cluster.topic(1);
    const producer = await transactional(t, { transactionTimeout: 600_000 });
    await (await producer.transaction()).send({ topic, messages: messages('left open') });
    await producer.disconnect();
    await producer.connect();
    await producer.send({ topic, messages: messages('after') });
    assert.deepEqual(values(await readWithKafkaJS(t, cluster, topic, last('after'))), ['after']);
  });
});

describe('a fenced producer', () => {
  const isFenced = (error) =>
    error instanceof KafkaJSProtocolError && error.type === 'INVALID_PRODUCER_EPOCH' && error.code === 47 && error.cause.fatal === true;

  test('is told so when it commits, and nothing of it is seen', async (t) => {
    const topic = await cluster.topic(1);
    const transactionalId = topicName('tx');
    const old = await connected(t, { transactionalId });
    const lost = await old.transaction();
    await lost.send({ topic, messages: messages('lost') });
    const young = await connected(t, { transactionalId });
    const transaction = await young.transaction();
    await assert.rejects(lost.commit(), isFenced);
    assert.equal(lost.isActive(), false);
    await assert.rejects(old.transaction(), isFenced);
    await transaction.send({ topic, messages: messages('seen') });
    await transaction.commit();
    assert.deepEqual(values(await readWithKafkaJS(t, cluster, topic, last('seen'))), ['seen']);
    // It can come back, which fences the other.
    await old.disconnect();
    await old.connect();
    await (await old.transaction()).commit();
    await assert.rejects(async () => {
      const late = await young.transaction();
      await late.send({ topic, messages: messages('late') });
      await late.commit();
    }, isFenced);
  });

  test('is told so when it sends', async (t) => {
    const topic = await cluster.topic(1);
    const transactionalId = topicName('tx');
    const old = await connected(t, { transactionalId });
    const lost = await old.transaction();
    const young = await connected(t, { transactionalId });
    await young.transaction();
    await assert.rejects(lost.send({ topic, messages: messages('x') }), isFenced);
    await assert.rejects(lost.abort(), isFenced);
  });
});

describe('offsets of a group in a transaction', () => {
  const committed = async (t, groupId, topic) => {
    const admin = oracle(cluster).admin();
    cleanup(t, () => admin.disconnect());
    await admin.connect();
    return (await admin.fetchOffsets({ groupId, topics: [topic] }))[0].partitions.sort((a, b) => a.partition - b.partition).map(({ offset }) => offset);
  };

  test('are committed with it, and forgotten with it', async (t) => {
    const topic = await cluster.topic(2);
    const groupId = topicName('group');
    const producer = await transactional(t);
    const offsets = (a, b) => ({
      consumerGroupId: groupId,
      topics: [
        {
          topic,
          partitions: [
            { partition: 0, offset: a },
            { partition: 1, offset: b },
          ],
        },
      ],
    });
    const first = await producer.transaction();
    await first.sendOffsets(offsets('3', '5'));
    await first.commit();
    assert.deepEqual(await committed(t, groupId, topic), ['3', '5']);
    const second = await producer.transaction();
    await second.sendOffsets(offsets('30', '50'));
    await second.abort();
    assert.deepEqual(await committed(t, groupId, topic), ['3', '5']);
  });

  test('of a consumer are no longer uncommitted, unless the transaction is aborted', async (t) => {
    const topic = await cluster.topic(1);
    const producer = await transactional(t);
    await (await connected(t)).send({ topic, messages: messages('a', 'b') });
    const consumer = await member(t, cluster);
    await consumer.subscribe({ topic, fromBeginning: true });
    const seen = await new Promise((resolve, reject) => {
      consumer
        .run({
          autoCommit: false,
          async eachBatch({ batch, resolveOffset, uncommittedOffsets }) {
            const lists = [];
            const look = () => lists.push(uncommittedOffsets().topics.flatMap(({ partitions }) => partitions.map(({ offset }) => offset)));
            resolveOffset(batch.lastOffset());
            const offsets = uncommittedOffsets();
            for (const end of ['abort', 'commit']) {
              const transaction = await producer.transaction();
              look();
              await transaction.sendOffsets({ consumer, ...offsets });
              look();
              await transaction[end]();
              look();
            }
            resolve(lists);
          },
        })
        .catch(reject);
    });
    const next = seen[0];
    assert.deepEqual(seen, [next, [], next, next, [], []]);
    assert.equal(next.length, 1);
  });

  test('of partitions that a member lost while its handler hung are refused, and the one who has them commits once', async (t) => {
    const [input, output] = [await cluster.topic(2), await cluster.topic(1)];
    const groupId = topicName('group');
    const hung = deferred();
    const refused = [];
    const crashes = [];
    const join = async (wait) => {
      const producer = await transactional(t);
      const consumer = await member(t, cluster, { groupId, sessionTimeout: 6000, rebalanceTimeout: 6000 });
      consumer.on(consumer.events.CRASH, ({ payload }) => crashes.push(payload.error));
      await consumer.subscribe({ topic: input, fromBeginning: true });
      const joined = event(consumer, 'GROUP_JOIN', ({ memberAssignment }) => memberAssignment[input]?.length > 0);
      let last = Promise.resolve();
      const inTurn = (work) => (last = last.then(work, work)); // one transaction at a time
      await consumer.run({
        autoCommit: false,
        partitionsConsumedConcurrently: 2,
        async eachBatch({ batch }) {
          await wait;
          await inTurn(async () => {
            const transaction = await producer.transaction();
            try {
              await transaction.send({ topic: output, messages: batch.messages.map(({ value }) => ({ value })) });
              await transaction.sendOffsets({
                consumer,
                topics: [{ topic: input, partitions: [{ partition: batch.partition, offset: String(Number(batch.lastOffset()) + 1) }] }],
              });
              await transaction.commit();
            } catch (error) {
              refused.push(error);
              await transaction.abort();
              throw error;
            }
          });
        },
      });
      return { consumer, joined };
    };
    await (await connected(t)).sendBatch({
      topicMessages: [
        {
          topic: input,
          messages: [
            { partition: 0, value: '0' },
            { partition: 1, value: '1' },
          ],
        },
      ],
    });
    await (await join(hung.promise)).joined;
    const second = await join();
    await second.joined; // the first did not wait for its handlers any longer
    hung.resolve();
    await readWithKafkaJS(t, cluster, output, (all) => all.length >= 2);
    while (refused.length === 0) await delay(20);
    await (await connected(t)).send({ topic: output, messages: messages('end') });
    const all = await readWithKafkaJS(t, cluster, output, last('end'));
    assert.deepEqual(values(all).sort(), ['0', '1', 'end']);
    assert.deepEqual(
      refused.map(({ type, retriable }) => [type, retriable]),
      [['REBALANCE_IN_PROGRESS', true]],
    );
    assert.deepEqual(crashes, []);
  });

  test('that are no offsets are refused by name', async (t) => {
    const producer = await transactional(t);
    const transaction = await producer.transaction();
    await assert.rejects(
      transaction.sendOffsets({ consumerGroupId: 'g', topics: [{ topic: 'x', partitions: [{ partition: 1, offset: 'soon' }] }] }),
      /offset of x\/1 .* got soon/,
    );
    await assert.rejects(transaction.sendOffsets({ topics: [] }), /consumerGroupId/);
    await assert.rejects(transaction.sendOffsets({ consumerGroupId: 'g' }), /topics/);
    await transaction.abort();
  });
});

test('from one topic to another every message goes exactly once, however often the process between them is killed', async (t) => {
  const [input, output] = [await cluster.topic(3), await cluster.topic(3)];
  const place = { brokers: cluster.options().broker.split(','), input, output, groupId: topicName('group'), transactionalId: topicName('tx') };
  const count = 6000;
  const producer = await connected(t, { idempotent: true });
  await producer.send({ topic: input, messages: Array.from({ length: count }, (_, n) => ({ value: `${n}`, partition: n % 3 })) });
  const chance = random(seed);
  for (let life = 0; life < 4; life++) {
    const child = new Child(t, 'exactly-once.js', place);
    const most = 300 + Math.floor(chance() * 500);
    for (let done = 0; done < most; ) done += (await child.says('committed')).messages;
    await delay(chance() * 20); // anywhere in a transaction
    child.process.kill('SIGKILL');
    await child.ended;
  }
  const last = new Child(t, 'exactly-once.js', place);
  await readWithKafkaJS(t, cluster, output, (messages) => messages.length >= count);
  last.process.kill('SIGKILL');
  await last.ended;
  await (await connected(t, { transactionalId: place.transactionalId })).transaction(); // ends what it left
  await producer.send({ topic: output, messages: [0, 1, 2].map((partition) => ({ value: 'end', partition })) });
  const all = await readWithKafkaJS(t, cluster, output, (messages) => messages.filter(({ value }) => value.toString() === 'end').length === 3);
  for (const partition of [0, 1, 2]) {
    const numbers = all.filter((message) => message.partition === partition).map(({ value }) => value.toString());
    assert.deepEqual(numbers, [...Array.from({ length: count / 3 }, (_, n) => `${3 * n + partition}!`), 'end'], `SEED=${seed}`);
  }
});
