'use strict';
// The consumer of `Kafka`, on a real Kafka: what it gives, resolves, commits and survives; KafkaJS's beside it.
const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const diagnostics = require('node:diagnostics_channel');
const { setTimeout: delay } = require('node:timers/promises');
const { Kafka, logLevel } = require('kafka-native');
const { KafkaJSError } = require('kafka-native/kafkajs');
const { cleanup } = require('./support/cleanup.js');
const { kafkajs } = require('./support/kafkajs.js');
const { Child } = require('./support/child.js');
const { real, topicName } = require('./support/clusters.js');
const { PATIENCE, folder, producer, within } = require('./support/flow.js');
const { Calls, backlog, deferred, eventually } = require('./support/watch.js');
const { Got, client, committed, event, kafkaJs, member } = require('./support/groups.js');

describe('the consumer of Kafka', () => {
  let cluster;
  before(async () => (cluster = await real()));
  after(() => cluster?.close());

  /** Sends values to partition 0, or each to its own: [partition, value]. */
  async function send(t, topic, values) {
    const sender = producer(t, cluster);
    for (const value of values) sender.send(topic, Array.isArray(value) ? value[0] : 0, [Array.isArray(value) ? value[1] : value]);
    await sender.stop();
  }

  const numbers = (from, to) => Array.from({ length: to - from }, (_, i) => String(from + i));

  /** Runs the same program with KafkaJS and with ours; both must tell the same. */
  async function onBoth(t, program) {
    const theirs = await program(kafkajs);
    const ours = await program(undefined);
    assert.deepEqual(ours, theirs);
    return ours;
  }

  test('a backlog is given one batch a turn of the event loop, so that timers and sockets have theirs', async (t) => {
    const { topic, take, shown } = await backlog(t, cluster);
    const consumer = await member(t, cluster);
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({ eachBatch: async ({ batch: { messages } }) => take(messages.length) });
    await shown();
  });

  test('messages have the fields and types of KafkaJS', async (t) => {
    const topic = await cluster.topic(1);
    const { producer: sender } = await kafkaJs(t, cluster);
    await sender.send({
      topic,
      messages: [
        { key: 'k', value: 'v', headers: { text: 'x', bytes: Buffer.from([0, 255]), many: ['1', '2'] }, timestamp: '1700000000000' },
        { key: '', value: '' },
        { value: null },
        { key: Buffer.from([1, 2]), value: Buffer.from([3]) },
      ],
    });
    const shapes = await onBoth(t, async (library) => {
      const all = [];
      const done = deferred();
      const consumer = await member(t, cluster, { library });
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({
        eachMessage: async ({ topic, partition, message, heartbeat, pause, ...rest }) => {
          const { magicByte, isControlRecord, batchContext, ...fields } = message;
          if (Number(message.offset) > 0) delete fields.timestamp; // the broker's clock
          all.push({ topic, partition, fields, heartbeat: await heartbeat(), pause: typeof pause, rest });
          if (all.length === 4) done.resolve();
        },
      });
      await done.promise;
      await consumer.disconnect();
      return all;
    });
    assert.equal(shapes[0].fields.timestamp, '1700000000000');
  });

  test('batches have the fields, methods and numbers of KafkaJS', async (t) => {
    const topic = await cluster.topic(1);
    await send(t, topic, numbers(0, 5));
    await onBoth(t, async (library) => {
      const consumer = await member(t, cluster, { library });
      const got = deferred();
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      await consumer.run({
        eachBatchAutoResolve: false,
        eachBatch: async (payload) => {
          const { batch, resolveOffset, uncommittedOffsets, isRunning, isStale, commitOffsetsIfNecessary } = payload;
          const before = uncommittedOffsets();
          resolveOffset('2');
          const { topics } = uncommittedOffsets();
          const plain = JSON.parse(JSON.stringify(topics)).map((one) => ({
            ...one,
            partitions: one.partitions.map((each) => ({ ...each, partition: Number(each.partition) })),
          }));
          await commitOffsetsIfNecessary();
          got.resolve({
            keys: Object.keys(payload),
            before,
            plain,
            running: isRunning(),
            stale: isStale(),
            batch: [
              batch.topic,
              batch.partition,
              batch.highWatermark,
              batch.isEmpty(),
              batch.firstOffset(),
              batch.lastOffset(),
              batch.offsetLag(),
              batch.offsetLagLow(),
              batch.messages.map(({ offset, value }) => [offset, String(value)]),
            ],
          });
          resolveOffset(batch.lastOffset());
        },
      });
      const result = await got.promise;
      await consumer.disconnect();
      return result;
    });
  });

  test('a handler that throws is retried, crashes and is restarted in the order of KafkaJS', async (t) => {
    const topic = await cluster.topic(1);
    await send(t, topic, numbers(0, 4));
    const { admin } = await kafkaJs(t, cluster);
    await onBoth(t, async (library) => {
      const groupId = topicName('group');
      // A commit that KafkaJS waits for has its answer before the handler is called again.
      const consumer = await member(t, cluster, { library, groupId, retry: { retries: 2, initialRetryTime: 300 } });
      const order = [];
      const done = deferred();
      for (const [key, name] of Object.entries(consumer.events)) {
        if (/FETCH|REQUEST|HEARTBEAT/.test(key)) continue;
        consumer.on(name, ({ type, payload }) => {
          const { topics, error, restart, firstOffset, lastOffset, batchSize, offsetLag, highWatermark } = payload ?? {};
          order.push(
            JSON.stringify([
              type,
              topics?.map(({ partitions }) => partitions.map(({ offset }) => offset)),
              error?.name,
              error?.cause?.message,
              error?.retryCount,
              restart,
              firstOffset,
              lastOffset,
              batchSize,
              offsetLag,
              highWatermark,
            ]),
          );
          if (topics?.[0].partitions[0].offset === '4') done.resolve();
        });
      }
      let failures = 4;
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({
        eachMessage: async ({ message }) => {
          order.push(message.offset);
          if (message.offset === '2' && failures-- > 0) throw new Error('not now');
        },
      });
      await done.promise;
      await consumer.disconnect();
      return { order, committed: await committed(admin, groupId, topic) };
    });
  });

  test('a programming error is not retried: CRASH says so, as KafkaJS does', async (t) => {
    const topic = await cluster.topic(1);
    await send(t, topic, ['x']);
    await onBoth(t, async (library) => {
      const asked = [];
      const consumer = await member(t, cluster, { library, retry: { restartOnFailure: async (error) => (asked.push(error.name), true) } });
      await consumer.subscribe({ topic, fromBeginning: true });
      const crash = event(consumer, 'CRASH');
      let calls = 0;
      await consumer.run({
        eachMessage: async () => {
          calls++;
          undefined.x;
        },
      });
      const { error, restart } = await crash;
      return [calls, asked, error.name, error.message, error.retriable, error.cause.name, restart];
    });
  });

  test('restartOnFailure decides whether the consumer goes on after the last retry', async (t) => {
    const topic = await cluster.topic(1);
    await send(t, topic, ['x']);
    await onBoth(t, async (library) => {
      const asked = [];
      const consumer = await member(t, cluster, { library, retry: { retries: 0, restartOnFailure: async (error) => (asked.push(error.name), false) } });
      await consumer.subscribe({ topic, fromBeginning: true });
      const crash = event(consumer, 'CRASH');
      await consumer.run({
        eachMessage: async () => {
          throw new Error('no');
        },
      });
      return [(await crash).restart, asked];
    });
  });

  test('a join that the broker refuses is a CRASH, and run does not reject', async (t) => {
    const topic = await cluster.topic(1);
    await onBoth(t, async (library) => {
      const consumer = await member(t, cluster, { library, sessionTimeout: 500, heartbeatInterval: 100 });
      await consumer.subscribe({ topic });
      const crash = event(consumer, 'CRASH');
      await consumer.run({ eachMessage: async () => {} });
      const {
        error: { name, type, code, retriable },
        restart,
      } = await crash;
      return [name, type, code, retriable, restart];
    });
  });

  test('a group goes on where it committed; fromBeginning is for what it never committed', async (t) => {
    const topic = await cluster.topic(2);
    await send(t, topic, [...numbers(0, 10), [1, 'other']]);
    const groupId = topicName('group');
    const first = await member(t, cluster, { groupId });
    const got = new Got();
    await first.subscribe({ topic, fromBeginning: true });
    await first.run({
      eachMessage: async (payload) => {
        await got.each(payload);
        if (payload.message.offset === '3') payload.pause();
      },
    });
    await got.until((messages) => messages.some(({ offset }) => offset === 3) && messages.some(({ partition }) => partition === 1));
    await first.disconnect();
    const again = await member(t, cluster, { groupId });
    const rest = new Got();
    await again.subscribe({ topic, fromBeginning: true });
    await again.run({ eachMessage: rest.each });
    await rest.until(6);
    assert.deepEqual(rest.values(), numbers(4, 10));
    const late = await member(t, cluster);
    const news = new Got();
    await late.subscribe({ topic });
    await late.run({ eachMessage: news.each });
    // Where the log ends is known with the first answer of its leader: a message before that is not new.
    await eventually(PATIENCE, 'both partitions at their end', async () => {
      await send(t, topic, [
        [0, 'news'],
        [1, 'news'],
      ]);
      return new Set(news.messages.map(({ partition }) => partition)).size === 2;
    });
    assert.ok(news.values().every((value) => value === 'news'));
  });

  test('run resolves with the first assignment, a second run is a warning, subscribe is refused meanwhile', async (t) => {
    const topic = await cluster.topic(1);
    const lines = new Calls();
    const consumer = await member(t, cluster, { client: { logger: { error() {}, info() {}, debug() {}, warn: lines.take } } });
    await consumer.subscribe({ topic });
    const joined = event(consumer, 'GROUP_JOIN');
    await consumer.run({ eachMessage: async () => {} });
    assert.deepEqual((await joined).memberAssignment, { [topic]: [0] });
    await consumer.run({ eachMessage: async () => {} });
    await lines.until((line) => /already running/.test(line));
    await assert.rejects(consumer.subscribe({ topic: 'x' }), { name: 'KafkaJSNonRetriableError' });
  });

  test('connect works after disconnect, and run after stop', async (t) => {
    const topic = await cluster.topic(1);
    await send(t, topic, numbers(0, 3));
    const consumer = await member(t, cluster);
    const got = new Got();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({ eachMessage: got.each });
    await got.until(3);
    await consumer.stop();
    await consumer.run({ eachMessage: got.each });
    await send(t, topic, ['3']);
    await got.until(4);
    await consumer.disconnect();
    await consumer.connect();
    await consumer.run({ eachMessage: got.each });
    await send(t, topic, ['4']);
    await got.until(5);
    assert.deepEqual(got.values(), numbers(0, 5));
  });

  test('that reaches nobody is disconnected after the timeout that disconnect has, and may connect again', async () => {
    // It would try for hours.
    const consumer = new Kafka({ brokers: ['127.0.0.1:1'], retry: { retries: 1000 }, logLevel: logLevel.NOTHING }).consumer({ groupId: 'x' });
    for (const timeout of [0, 100]) {
      const connecting = assert.rejects(consumer.connect(), KafkaJSError);
      await within(PATIENCE, 'disconnect', () => consumer.disconnect({ timeout }));
      await connecting;
    }
  });

  test('is not connected when disconnect came before connect had resolved', async (t) => {
    const consumer = client(cluster).consumer({ groupId: topicName('group') });
    cleanup(t, () => consumer.disconnect());
    const connecting = consumer.connect().catch(() => {});
    await consumer.disconnect();
    await connecting;
    assert.equal(consumer.isConnected(), false);
    await consumer.connect();
    assert.equal(consumer.isConnected(), true);
  });

  test('seek goes anywhere, before and while the consumer runs', async (t) => {
    const topic = await cluster.topic(1);
    await send(t, topic, numbers(0, 10));
    const { admin } = await kafkaJs(t, cluster);
    const groupId = topicName('group');
    const consumer = await member(t, cluster, { groupId });
    const got = new Got();
    await consumer.subscribe({ topic, fromBeginning: true });
    const runs = consumer.run({ eachMessage: got.each });
    consumer.seek({ topic, partition: 0, offset: '7' });
    await runs;
    await got.until(3);
    assert.deepEqual(got.values(), ['7', '8', '9']);
    consumer.seek({ topic, partition: 0, offset: '2' });
    await got.until(11);
    assert.deepEqual(got.values().slice(3), numbers(2, 10));
    consumer.seek({ topic, partition: 0, offset: '-2' });
    await got.until(21);
    assert.deepEqual(got.values().slice(11), numbers(0, 10));
    consumer.seek({ topic, partition: 0, offset: '5' });
    consumer.pause([{ topic }]);
    await eventually(PATIENCE, "the offset is the group's", async () => (await committed(admin, groupId, topic))[0] === 5);
  });

  test('seek inside a batch makes it stale', async (t) => {
    const topic = await cluster.topic(1);
    await send(t, topic, numbers(0, 10));
    const consumer = await member(t, cluster);
    const got = new Got();
    let sought = false;
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      eachBatch: async ({ batch, isStale }) => {
        for (const message of batch.messages) {
          if (isStale()) return;
          await got.each({ topic, partition: 0, message });
          if (message.offset === '4' && !sought) {
            sought = true;
            consumer.seek({ topic, partition: 0, offset: '1' });
          }
        }
      },
    });
    await got.until(14);
    assert.deepEqual(got.values(), [...numbers(0, 5), ...numbers(1, 10)]);
  });

  test('pause and resume, by partition and topic, lose and repeat nothing', async (t) => {
    const topic = await cluster.topic(4);
    const total = 4000;
    await send(
      t,
      topic,
      Array.from({ length: total }, (_, i) => [i % 4, String(i)]),
    );
    const consumer = await member(t, cluster, { maxMessagesPerBatch: 50 });
    const got = new Got();
    let calls = 0;
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      partitionsConsumedConcurrently: 2,
      eachMessage: async (payload) => {
        await got.each(payload);
        if (++calls % 37 === 0) {
          const resume = payload.pause();
          setImmediate(resume);
        } else if (calls % 101 === 0) {
          consumer.pause([{ topic, partitions: [0, 1, 2, 3] }]);
          setImmediate(() => consumer.resume([{ topic }]));
        }
      },
    });
    await got.until(total);
    for (let partition = 0; partition < 4; partition++) {
      assert.deepEqual(
        got.messages.filter((message) => message.partition === partition).map(({ offset }) => offset),
        Array.from({ length: total / 4 }, (_, i) => i),
      );
    }
  });

  test('what a long handler has stays its own: it keeps its place in the group', async (t) => {
    const topic = await cluster.topic(1);
    await send(t, topic, numbers(0, 3));
    const consumer = await member(t, cluster, { sessionTimeout: 4000, heartbeatInterval: 200, rebalanceTimeout: 4000 });
    const got = new Got();
    const joins = [];
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      joins.push(payload.memberId);
    });
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      eachMessage: async (payload) => {
        await got.each(payload);
        if (payload.message.offset === '0') await delay(6000);
      },
    });
    await got.until(3);
    assert.deepEqual(got.values(), numbers(0, 3));
    assert.equal(joins.length, 1);
  });

  test('stop waits for the handler and commits what it processed', async (t) => {
    const topic = await cluster.topic(1);
    await send(t, topic, numbers(0, 100));
    const { admin } = await kafkaJs(t, cluster);
    const groupId = topicName('group');
    const consumer = await member(t, cluster, { groupId });
    const got = new Got();
    const going = deferred();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      eachMessage: async (payload) => {
        await got.each(payload);
        if (payload.message.offset === '41') await going.promise;
      },
    });
    await got.until(42);
    const stopped = consumer.stop();
    going.resolve();
    await stopped;
    assert.equal(got.messages.length, 42);
    assert.deepEqual(await committed(admin, groupId, topic), { 0: 42 });
  });

  test('autoCommit off: nothing is committed but by the program, with its metadata', async (t) => {
    const topic = await cluster.topic(1);
    await send(t, topic, numbers(0, 5));
    const { admin } = await kafkaJs(t, cluster);
    const groupId = topicName('group');
    const consumer = await member(t, cluster, { groupId });
    const got = new Got();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({ autoCommit: false, eachMessage: got.each });
    await got.until(5);
    await consumer.commitOffsets([{ topic, partition: 0, offset: '3', metadata: 'three' }]);
    await consumer.disconnect();
    const [{ partitions }] = await admin.fetchOffsets({ groupId, topics: [topic] });
    assert.deepEqual(partitions, [{ partition: 0, offset: '3', metadata: 'three' }]);
  });

  test('autoCommitInterval and autoCommitThreshold commit inside a batch', async (t) => {
    const topic = await cluster.topic(1);
    await send(t, topic, numbers(0, 10));
    for (const options of [{ autoCommitThreshold: 3 }, { autoCommitInterval: 1 }]) {
      const consumer = await member(t, cluster);
      const offsets = new Calls();
      consumer.on(consumer.events.COMMIT_OFFSETS, ({ payload }) => offsets.take(Number(payload.topics[0].partitions[0].offset)));
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({
        ...options,
        eachMessage: async () => {
          await delay(2);
        },
      });
      await offsets.until((offset) => offset === 10);
      assert.ok(offsets.all[0] < 10, `${JSON.stringify(options)}: ${offsets.all}`);
      await consumer.disconnect();
    }
  });

  test('aborted messages are not seen, and commits get past them and past transaction markers', async (t) => {
    const topic = await cluster.topic(1);
    const { admin, producer: sender } = await kafkaJs(t, cluster, { transactionalId: topicName('tx'), idempotent: true, maxInFlightRequests: 1 });
    const transaction = async (value, end) => {
      const running = await sender.transaction();
      await running.send({ topic, messages: [{ value: `${value}1` }, { value: `${value}2` }] });
      await running[end]();
    };
    await transaction('a', 'commit'); // 0 1, marker 2
    await transaction('b', 'abort'); // 3 4, marker 5
    const groupId = topicName('group');
    const consumer = await member(t, cluster, { groupId });
    const got = new Got();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({ eachMessage: got.each });
    await got.until(2);
    await eventually(PATIENCE, 'the commit behind what was aborted', async () => (await committed(admin, groupId, topic))[0] === 6);
    await transaction('c', 'abort');
    await eventually(PATIENCE, 'the commit behind a batch that was only aborted', async () => (await committed(admin, groupId, topic))[0] === 9);
    await transaction('d', 'commit');
    await got.until(4);
    assert.deepEqual(got.values(), ['a1', 'a2', 'd1', 'd2']);
    const everything = await member(t, cluster, { readUncommitted: true });
    const all = new Got();
    await everything.subscribe({ topic, fromBeginning: true });
    await everything.run({ eachMessage: all.each });
    await all.until(8);
    assert.deepEqual(all.values(), ['a1', 'a2', 'b1', 'b2', 'c1', 'c2', 'd1', 'd2']);
  });

  test('tombstones, and messages of every size up to the limit', async (t) => {
    const topic = await cluster.topic(1);
    const sizes = [0, 1, 100, 10_000, 500_000, 999_000];
    const sender = producer(t, cluster);
    sender.send(topic, 0, [{ key: 'gone', value: null }, ...sizes.map((size) => Buffer.alloc(size, 'x'))]);
    await sender.stop();
    const consumer = await member(t, cluster);
    const got = [];
    const done = deferred();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message }) => {
        got.push(message.value === null ? null : message.value.length);
        if (got.length === sizes.length + 1) done.resolve();
      },
    });
    await within(
      PATIENCE,
      () => `${got} came`,
      () => done.promise,
    );
    assert.deepEqual(got, [null, ...sizes]);
  });

  test('a pattern follows topics that are made later, one that only JavaScript understands, too', async (t) => {
    const prefix = topicName('pattern');
    for (const pattern of [new RegExp(`^${prefix}-\\d+$`), new RegExp(`^${prefix}-(?!x)`)]) {
      const consumer = await member(t, cluster, { metadataMaxAge: 300 });
      const got = new Got();
      await consumer.subscribe({ topics: [pattern], fromBeginning: true });
      await consumer.run({ eachMessage: got.each });
      const names = [`${prefix}-${Date.now()}`, `${prefix}-${Date.now() + 1}`];
      for (const [i, name] of names.entries()) {
        await cluster.admin.createTopic(name, { partitions: 1, replication: 1 });
        await send(t, name, [name]);
        await got.until((messages) => messages.some(({ value }) => value === names[i]));
      }
      await consumer.disconnect();
    }
  });

  test("a pattern does not find Kafka's own topics, which are read by their names", async (t) => {
    const prefix = topicName('own');
    const topic = `${prefix}-0`;
    await cluster.admin.createTopic(topic, { partitions: 1, replication: 1 });
    await send(t, topic, ['0']);
    const pattern = new RegExp(`^(__consumer_offsets|${prefix}.*)$`);
    const consumer = await member(t, cluster, { metadataMaxAge: 300 });
    const got = new Got();
    await consumer.subscribe({ topics: [pattern], fromBeginning: true });
    await consumer.run({ eachMessage: got.each });
    for (const i of [1, 2, 3]) {
      await got.until(i);
      // Of this commit came a message before.
      await consumer.commitOffsets([{ topic, partition: 0, offset: String(i) }]);
      if (i === 2) {
        // A topic that goes takes nothing with it.
        const other = `${prefix}-1`;
        const has = event(consumer, 'GROUP_JOIN', ({ memberAssignment }) => memberAssignment[other]);
        await cluster.admin.createTopic(other, { partitions: 1, replication: 1 });
        await has;
        const gone = event(consumer, 'GROUP_JOIN', ({ memberAssignment }) => !memberAssignment[other]);
        await cluster.admin.deleteTopic(other);
        await gone;
      }
      await send(t, topic, [String(i)]);
    }
    await got.until(4);
    assert.deepEqual(got.values(), ['0', '1', '2', '3']);
    const named = await member(t, cluster);
    const offsets = deferred();
    await named.subscribe({ topics: ['__consumer_offsets', pattern], fromBeginning: true });
    await named.run({
      eachMessage: async (message) => {
        if (message.topic === '__consumer_offsets') offsets.resolve();
      },
    });
    await within(
      PATIENCE,
      () => 'no offset came',
      () => offsets.promise,
    );
  });

  test('a topic that is deleted under the consumer does not stop the others, and may come again', async (t) => {
    const [stays, goes] = [await cluster.topic(1), await cluster.topic(1)];
    await send(t, stays, ['s0']);
    await send(t, goes, ['g0']);
    const consumer = await member(t, cluster, { metadataMaxAge: 300, allowAutoTopicCreation: false });
    const crashed = [];
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      crashed.push(payload.error);
    });
    const got = new Got();
    await consumer.subscribe({ topics: [stays, goes], fromBeginning: true });
    await consumer.run({ eachMessage: got.each });
    await got.until(2);
    // A topic that is made anew before the consumer knows that it was gone is read on where the old one was.
    const gone = event(consumer, 'GROUP_JOIN', ({ memberAssignment }) => !memberAssignment[goes]);
    await cluster.admin.deleteTopic(goes);
    for (let i = 1; i < 5; i++) {
      await send(t, stays, [`s${i}`]);
      await got.until((messages) => messages.some(({ value }) => value === `s${i}`));
    }
    await gone;
    await cluster.admin.createTopic(goes, { partitions: 1, replication: 1 });
    await send(t, goes, ['again']);
    await got.until((messages) => messages.some(({ value }) => value === 'again'));
    assert.deepEqual(crashed, []);
  });

  test('a log that lost what is next, at either end, is read from its begin', async (t) => {
    const topic = await cluster.topic(1);
    await send(t, topic, numbers(0, 10));
    const consumer = await member(t, cluster);
    const lost = [];
    consumer.on(consumer.events.OFFSETS_LOST, ({ payload: { topic, partition, from, to } }) => lost.push([topic, partition, from, to]));
    const got = new Got();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({ eachMessage: got.each });
    await got.until(10);
    consumer.pause([{ topic }]);
    await send(t, topic, numbers(10, 20));
    await cluster.admin.deleteRecords(topic, 0, 15);
    consumer.resume([{ topic }]);
    await got.until(15);
    assert.deepEqual(got.values().slice(10), numbers(15, 20));
    consumer.seek({ topic, partition: 0, offset: '1000' });
    await got.until(20);
    assert.deepEqual(got.values().slice(15), numbers(15, 20));
    assert.deepEqual(lost, [[topic, 0, '10', '15']]);
  });

  test('a topic that nobody made yet is waited for', async (t) => {
    const topic = topicName('later');
    const consumer = await member(t, cluster, { metadataMaxAge: 300, allowAutoTopicCreation: false });
    const got = new Got();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({ eachMessage: got.each });
    await cluster.admin.createTopic(topic, { partitions: 1, replication: 1 });
    await send(t, topic, ['first']);
    await got.until(1);
  });

  test('partitions are assigned without a group: from an offset, a time, the begin and the end', async (t) => {
    const topic = await cluster.topic(4);
    const sender = producer(t, cluster);
    for (let partition = 0; partition < 4; partition++)
      sender.send(
        topic,
        partition,
        numbers(0, 5).map((value) => ({ value, timestamp: 1_700_000_000_000 + 1000 * Number(value) })),
      );
    await sender.stop();
    const consumer = await member(t, cluster, { groupId: null });
    const got = new Got();
    await consumer.assign([
      { topic, partition: 0, offset: '3' },
      { topic, partition: 1, timestamp: new Date(1_700_000_002_000) },
      { topic, partition: 2, offset: 'beginning' },
      { topic, partition: 3, offset: 'end' },
    ]);
    await consumer.run({ eachMessage: got.each });
    await got.until(10);
    const of = (partition) => got.messages.filter((message) => message.partition === partition).map(({ value }) => value);
    let sent = 0;
    await eventually(PATIENCE, 'the partition at its end', async () => {
      await send(t, topic, [[3, 'new']]);
      sent++;
      return of(3).length > 0;
    });
    assert.deepEqual([of(0), of(1), of(2)], [['3', '4'], ['2', '3', '4'], numbers(0, 5)]);
    assert.ok(of(3).every((value) => value === 'new'));
    await consumer.stop();
    await consumer.assign([{ topic, offset: 4 }]);
    const every = new Got();
    await consumer.run({ eachMessage: every.each });
    await every.until(4 + sent);
    assert.deepEqual(new Set(every.messages.map(({ partition }) => partition)), new Set([0, 1, 2, 3]));
    assert.ok(every.messages.every(({ offset }) => Number(offset) >= 4));
  });

  test("an assignment of one's own goes on where the group committed, and commits for it", async (t) => {
    const topic = await cluster.topic(1);
    await send(t, topic, numbers(0, 5));
    const { admin } = await kafkaJs(t, cluster);
    const groupId = topicName('group');
    for (const [from, to] of [
      [0, 5],
      [5, 8],
    ]) {
      const consumer = await member(t, cluster, { groupId });
      const joins = [];
      consumer.on(consumer.events.GROUP_JOIN, () => {
        joins.push(1);
      });
      const got = new Got();
      await consumer.assign([{ topic, partition: 0 }]);
      await assert.rejects(consumer.subscribe({ topic }), { message: /assign\(\[\]\)/ });
      await consumer.run({ eachMessage: got.each });
      await got.until(to - from);
      await consumer.disconnect();
      assert.deepEqual([got.values(), joins], [numbers(from, to), []]);
      assert.deepEqual(await committed(admin, groupId, topic), { 0: to });
      await send(t, topic, numbers(5, 8));
    }
  });

  test('an assignment without a group keeps its offsets in files, if it is told where', async (t) => {
    const topic = await cluster.topic(2);
    await send(t, topic, [...numbers(0, 5), [1, 'other']]);
    const config = { groupId: null, offsetDirectory: folder(t) };
    const first = await member(t, cluster, config);
    const got = new Got();
    await first.assign([
      { topic, partition: 0 },
      { topic, partition: 1 },
    ]);
    await first.run({ eachMessage: got.each });
    await got.until(6);
    await first.disconnect();
    await send(t, topic, ['5']);
    const again = await member(t, cluster, config);
    const rest = new Got();
    await again.assign([{ topic }]);
    await again.run({ eachMessage: rest.each });
    await rest.until(1);
    await again.stop();
    assert.deepEqual(rest.values(), ['5']);
  });

  test('tracing channels are around every handler and every commit', async (t) => {
    const topic = await cluster.topic(1);
    const sender = producer(t, cluster);
    sender.send(topic, 0, [{ value: 'v', headers: { traceparent: '00-1' } }]);
    await sender.stop();
    const seen = new Calls();
    const subscribe = (name, kind, take) => {
      const channel = `tracing:kafka-native:${name}:${kind}`;
      diagnostics.subscribe(channel, take);
      cleanup(t, () => diagnostics.unsubscribe(channel, take));
    };
    subscribe('batch', 'start', ({ topic, partition, message }) => seen.take(`start ${topic} ${partition} ${message.headers.traceparent}`));
    subscribe('batch', 'asyncEnd', () => seen.take('end'));
    subscribe('batch', 'error', ({ error }) => seen.take(`error ${error.message}`));
    subscribe('commit', 'start', ({ topics }) => seen.take(`commit ${topics[0].partitions[0].offset}`));
    const consumer = await member(t, cluster, { retry: { initialRetryTime: 5 } });
    await consumer.subscribe({ topic, fromBeginning: true });
    let failed = false;
    await consumer.run({
      eachMessage: async () => {
        seen.take('handler');
        if (failed) return;
        failed = true;
        throw new Error('once');
      },
    });
    await seen.until((what) => what === 'commit 1');
    const start = `start ${topic} 0 00-1`;
    assert.deepEqual(seen.all, [start, 'handler', 'error once', 'end', start, 'handler', 'end', 'commit 1']);
  });

  test('a running consumer keeps its process alive, and a disconnected one does not', async (t) => {
    const topic = await cluster.topic(1);
    const child = new Child(t, 'group-member.js', { broker: cluster.options().broker, topic, groupId: topicName('group'), channel: false });
    await child.says('joined');
    const came = child.says('message');
    await send(t, topic, ['x']);
    await came;
    child.tell('disconnect');
    await child.exits();
  });

  test('describeGroup tells the state of the group and what its members have, as KafkaJS does', async (t) => {
    const topic = await cluster.topic(2);
    await onBoth(t, async (library) => {
      const groupId = topicName('group');
      const consumer = await member(t, cluster, { library, groupId });
      await consumer.subscribe({ topic });
      const joined = event(consumer, 'GROUP_JOIN');
      await consumer.run({ eachMessage: async () => {} });
      await joined;
      const { members, protocol, groupId: id, ...group } = await consumer.describeGroup();
      const of = members.map(({ memberId, memberAssignment, clientHost }) => [
        memberId.length > 0,
        clientHost,
        kafkajs.AssignerProtocol.MemberAssignment.decode(memberAssignment).assignment[topic],
      ]);
      await consumer.disconnect();
      return { group, same: id === groupId, of };
    });
  });

  test('await using ends the consumer', async (t) => {
    const topic = await cluster.topic(1);
    const consumer = await member(t, cluster);
    await consumer.subscribe({ topic });
    await consumer.run({ eachMessage: async () => {} });
    const ended = event(consumer, 'DISCONNECT');
    await consumer[Symbol.asyncDispose]();
    await ended;
  });

  test('HEARTBEAT and FETCH tell that the consumer lives', async (t) => {
    const topic = await cluster.topic(1);
    await send(t, topic, ['x']);
    const groupId = topicName('group');
    const consumer = await member(t, cluster, { groupId });
    await consumer.subscribe({ topic, fromBeginning: true });
    const [heartbeat, fetch] = [event(consumer, 'HEARTBEAT'), event(consumer, 'FETCH')];
    await consumer.run({ eachMessage: async () => {} });
    assert.deepEqual(Object.keys(await heartbeat), ['groupId', 'memberId', 'groupGenerationId']);
    const { numberOfBatches, nodeId, duration } = await fetch;
    assert.deepEqual([numberOfBatches, nodeId, typeof duration], [1, -1, 'number']);
  });
});
