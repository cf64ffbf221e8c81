'use strict';
// Where a consumer reads when the log is not where its offset is: misses, repeats, auto.offset.reset, and partitions that come later.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { describe, test, before, after } = require('node:test');
const { KafkaError } = require('kafka-native');
const { onBoth, real } = require('./support/clusters.js');
const { Inbox, PATIENCE, consumer, folder, offsets, producer } = require('./support/flow.js');
const { Calls, eventually, witness } = require('./support/watch.js');

async function send(t, cluster, topic, partition, from, count) {
  const sender = producer(t, cluster);
  assert.equal(
    sender.send(
      topic,
      partition,
      Array.from({ length: count }, (_, n) => `${from + n}`),
    ).enqueued,
    count,
  );
  await sender.stop();
}

function recorded(t, topic, offset) {
  const directory = folder(t);
  fs.writeFileSync(path.join(directory, `${topic}-0.offset`), `${offset}\n`);
  return directory;
}

const reset = (value) => ({ topic_options: { 'auto.offset.reset': value } });

onBoth('without a recorded offset', (cluster) => {
  test('a partition is read from its beginning, or from its end where auto.offset.reset says so', async (t) => {
    const topic = await cluster().topic(1);
    await send(t, cluster(), topic, 0, 0, 10);
    for (const [value, first] of [
      ['earliest', 0],
      ['smallest', 0],
      ['latest', 10],
      ['largest', 11],
    ]) {
      const inbox = new Inbox();
      const stats = new Calls();
      const one = consumer(t, cluster(), {
        topic,
        offset_directory: folder(t),
        ...reset(value),
        receive_callback: inbox.receive,
        statistics_interval_ms: 20,
        stats_callback: stats.take,
      });
      await one.start();
      if (first >= 10) {
        // It stands at the end when a fetch has told it where that is.
        await stats.until(({ rdkafka_stats }) => rdkafka_stats.topics[topic]?.partitions[0]?.next_offset >= first);
        await send(t, cluster(), topic, 0, first, 1);
      }
      assert.equal((await inbox.until(1))[0].offset, first, value);
      assert.deepEqual([inbox.misses, inbox.repeats], [0, 0]);
      await one.stop();
    }
  });
});

onBoth('a recorded offset beyond the end of the log', (cluster) => {
  test('is a repeat and a warning, and the partition is read again from its beginning', async (t) => {
    const topic = await cluster().topic(1);
    await send(t, cluster(), topic, 0, 0, 10);
    const directory = recorded(t, topic, 5000);
    const [inbox, { lines, logger }] = [new Inbox(), witness()];
    const one = consumer(t, cluster(), { topic, offset_directory: directory, logger, receive_callback: inbox.receive });
    await one.start();
    const messages = await inbox.until(10);
    assert.equal(messages[0].offset, 0);
    assert.deepEqual([inbox.misses, inbox.repeats], [0, 1]);
    assert.ok(lines.all.some(([level, line]) => level === 'warn' && line.includes('5001') && line.includes(topic)));
    await one.stop();
    assert.deepEqual(offsets(directory, topic), { 0: 9 });
  });

  test('with latest goes on at the end, with error stands still and tells error_callback', async (t) => {
    const topic = await cluster().topic(1);
    await send(t, cluster(), topic, 0, 0, 10);
    const [inbox, { lines, logger }] = [new Inbox(), witness()];
    const latest = consumer(t, cluster(), { topic, offset_directory: recorded(t, topic, 5000), ...reset('latest'), logger, receive_callback: inbox.receive });
    await latest.start();
    await lines.until(([level, line]) => level === 'warn' && line.includes('5001'));
    await send(t, cluster(), topic, 0, 10, 1);
    assert.deepEqual(
      (await inbox.until(1)).map((m) => m.offset),
      [10],
    );
    assert.equal(inbox.repeats, 1);

    const [still, errors] = [new Inbox(), new Calls()];
    const directory = recorded(t, topic, 5000);
    const error = consumer(t, cluster(), {
      topic,
      offset_directory: directory,
      ...reset('error'),
      receive_callback: still.receive,
      error_callback: errors.take,
    });
    await error.start();
    const told = await errors.until();
    assert.ok(told instanceof KafkaError);
    assert.deepEqual([told.code, told.topic, told.partition], ['_AUTO_OFFSET_RESET', topic, 0]);
    await error.stop();
    assert.deepEqual(still.messages, []);
    assert.deepEqual(offsets(directory, topic), { 0: 5000 });
  });

  test('that is the end itself is where the next message comes', async (t) => {
    const topic = await cluster().topic(1);
    await send(t, cluster(), topic, 0, 0, 10);
    const inbox = new Inbox();
    const one = consumer(t, cluster(), { topic, offset_directory: recorded(t, topic, 9), receive_callback: inbox.receive });
    await one.start();
    await send(t, cluster(), topic, 0, 10, 1);
    assert.deepEqual(
      (await inbox.until(1)).map((m) => m.offset),
      [10],
    );
    assert.deepEqual([inbox.misses, inbox.repeats], [0, 0]);
  });
});

describe('on a real cluster', () => {
  /** @type {any} */ let cluster;
  before(async () => (cluster = await real()));
  after(() => cluster.close());

  test('messages that the broker deleted before they were read are misses', async (t) => {
    const topic = await cluster.topic(1);
    await send(t, cluster, topic, 0, 0, 100);
    await cluster.admin.deleteRecords(topic, 0, 60);
    const [inbox, { lines, logger }] = [new Inbox(), witness()];
    const one = consumer(t, cluster, { topic, offset_directory: recorded(t, topic, 9), logger, receive_callback: inbox.receive });
    await one.start();
    const messages = await inbox.until(40);
    assert.equal(messages[0].offset, 60);
    assert.deepEqual([inbox.misses, inbox.repeats], [50, 0]);
    assert.ok(lines.all.some(([level, line]) => level === 'warn' && /50 missed/.test(line)));
  });

  test('the distance to the log start of a first run is no miss', async (t) => {
    const topic = await cluster.topic(1);
    await send(t, cluster, topic, 0, 0, 100);
    await cluster.admin.deleteRecords(topic, 0, 60);
    const inbox = new Inbox();
    const one = consumer(t, cluster, { topic, offset_directory: folder(t), receive_callback: inbox.receive });
    await one.start();
    assert.equal((await inbox.until(40))[0].offset, 60);
    assert.deepEqual([inbox.misses, inbox.repeats], [0, 0]);
  });

  test('messages deleted while the consumer was paused and had not fetched them are misses, too', async (t) => {
    const topic = await cluster.topic(1);
    const inbox = new Inbox();
    // Room for about a hundred of these at a time.
    const one = consumer(t, cluster, {
      topic,
      offset_directory: folder(t),
      queued_max_messages_kbytes: 4096,
      receive_callback: (batch) => (inbox.receive(batch), one.pause()),
    });
    await one.start();
    const sender = producer(t, cluster);
    for (let n = 0; n < 40; n++)
      sender.send(
        topic,
        0,
        Array.from({ length: 10 }, () => Buffer.alloc(50_000)),
      );
    await sender.stop();
    await inbox.until(1);
    await cluster.admin.deleteRecords(topic, 0, 390);
    while (inbox.messages.at(-1).offset < 399) {
      one.resume();
      await inbox.until(inbox.messages.length + 1);
    }
    assert.ok(inbox.misses > 0);
    assert.equal(inbox.messages.length + inbox.misses, 400);
    assert.equal(inbox.repeats, 0);
  });

  test('a topic that was deleted and made again while the consumer was away is repeated from its first message', async (t) => {
    const topic = await cluster.topic(1);
    const directory = folder(t);
    await send(t, cluster, topic, 0, 0, 100);
    const before = new Inbox();
    const one = consumer(t, cluster, { topic, offset_directory: directory, receive_callback: before.receive });
    await one.start();
    await before.until(100);
    await one.stop();
    await cluster.admin.deleteTopic(topic);
    await cluster.admin.createTopic(topic, { partitions: 1 });
    await send(t, cluster, topic, 0, 0, 5);
    const inbox = new Inbox();
    const two = consumer(t, cluster, { topic, offset_directory: directory, receive_callback: inbox.receive });
    await two.start();
    assert.deepEqual(
      (await inbox.until(5)).map((m) => m.offset),
      [0, 1, 2, 3, 4],
    );
    assert.equal(inbox.repeats, 1);
    await eventually(PATIENCE, 'the offset of the new topic', () => offsets(directory, topic)[0] === 4);
  });

  test('partitions added later are picked up within 30 s by their slot, from their first message, whatever auto.offset.reset says', async (t) => {
    const topic = await cluster.topic(2);
    const directory = folder(t);
    const watch = witness();
    const workers = ['earliest', 'latest'].map((value, worker_slot) => {
      const inbox = new Inbox();
      return {
        inbox,
        consumer: consumer(t, cluster, {
          topic,
          offset_directory: directory,
          num_workers: 2,
          worker_slot,
          ...reset(value),
          logger: watch.logger,
          receive_callback: inbox.receive,
        }),
      };
    });
    for (const worker of workers) await worker.consumer.start();
    await cluster.grow(topic, 5);
    for (const partition of [2, 3, 4]) await send(t, cluster, topic, partition, 0, 10);
    const [even, odd] = await Promise.all([workers[0].inbox.until(20), workers[1].inbox.until(10)]);
    const seen = (messages, partition) => messages.filter((m) => m.partition === partition).map((m) => m.offset);
    const ten = Array.from({ length: 10 }, (_, n) => n);
    assert.deepEqual([seen(even, 2), seen(even, 4), seen(odd, 3)], [ten, ten, ten]);
    assert.ok(watch.lines.all.some(([level, line]) => level === 'info' && line.includes('2, 4')));
    for (const worker of workers) await worker.consumer.stop();
    assert.deepEqual(offsets(directory, topic), { 2: 9, 3: 9, 4: 9 });
  });
});
