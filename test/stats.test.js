'use strict';
// stats_callback: figures that are true, also while nothing is fetched.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { onBoth } = require('./support/clusters.js');
const { consumer, folder, producer } = require('./support/flow.js');
const { Calls, deferred } = require('./support/watch.js');

const OFTEN = { statistics_interval_ms: 50 };

const figures = ({ waiting_kafka, waiting_local, kafka_log_size }) => ({ waiting_kafka, waiting_local, kafka_log_size });

/** Waits for figures that fit, in statistics that begin after this call. */
async function expect(stats, what, fits) {
  const from = stats.all.length;
  await stats.count(from + 2);
  return stats.until((call) => stats.all.indexOf(call) > from && fits(call), 20_000, what);
}

async function send(t, cluster, topic, partition, count) {
  const sender = producer(t, cluster);
  assert.equal(
    sender.send(
      topic,
      partition,
      Array.from({ length: count }, (_, n) => `${n}`),
    ).enqueued,
    count,
  );
  await sender.stop();
}

onBoth('stats_callback', (cluster) => {
  test('of a producer tells how long its queue is, in all and by topic', async (t) => {
    const [one, two] = [await cluster().topic(1), await cluster().topic(1)];
    const stats = new Calls();
    const sender = producer(t, cluster(), { ...OFTEN, queue_buffering_max_ms: 60_000, stats_callback: stats.take });
    const empty = await stats.until();
    assert.deepEqual([empty.send_queue_length, empty.send_queue_length_by_topic], [0, {}]);
    sender.send(one, 0, ['a', 'b', 'c']);
    sender.send(two, 0, ['d', { value: 'e', headers: { h: '' } }]);
    const full = await expect(stats, 'a queue of 5', (s) => s.send_queue_length > 0);
    assert.deepEqual([full.send_queue_length, full.send_queue_length_by_topic], [5, { [one]: 3, [two]: 2 }]);
    assert.equal(full.rdkafka_stats.type, 'producer');
    assert.equal(full.rdkafka_stats.msg_cnt, 5);
    assert.equal(full.rdkafka_stats, full.rdkafka_stats, 'parsed once');
    await sender.stop();
  });

  test('of a consumer tells what waits in Kafka, what waits here and how long the log is: flowing, paused, and paused while more comes', async (t) => {
    const topic = await cluster().topic(3);
    for (const [partition, count] of [
      [0, 1000],
      [1, 500],
      [2, 70],
    ])
      await send(t, cluster(), topic, partition, count);
    const stats = new Calls();
    let received = 0;
    let first = 0;
    const one = consumer(t, cluster(), {
      ...OFTEN,
      topic,
      offset_directory: folder(t),
      num_workers: 2,
      worker_slot: 0,
      max_messages_per_callback: 10,
      stats_callback: stats.take,
      receive_callback: ({ messages }) => {
        received += messages.length;
        if (first > 0 || received < 100) return;
        first = received;
        one.pause();
      },
    });
    await one.start();
    // Of slot 0 are the partitions 0 and 2: 1070 messages.
    const paused = await expect(stats, 'figures while paused', (s) => first > 0 && s.waiting_kafka + s.waiting_local === 1070 - first);
    assert.equal(received, first);
    assert.equal(paused.kafka_log_size, 1070);
    assert.ok(paused.waiting_local > 0, JSON.stringify(figures(paused)));

    await send(t, cluster(), topic, 2, 30);
    await send(t, cluster(), topic, 1, 5); // of the other slot
    await expect(stats, 'the new messages', (s) => s.waiting_kafka + s.waiting_local === 1100 - first && s.kafka_log_size === 1100);
    assert.equal(received, first);

    one.resume();
    await expect(stats, 'nothing left', (s) => s.waiting_kafka === 0 && s.waiting_local === 0 && s.kafka_log_size === 1100);
    assert.equal(received, 1100);
    const { rdkafka_stats } = stats.all.at(-1);
    assert.equal(rdkafka_stats.type, 'consumer');
    assert.ok(rdkafka_stats.topics[topic]);
  });

  test('of a consumer is true while a slow callback holds everything back', async (t) => {
    const topic = await cluster().topic(2);
    await send(t, cluster(), topic, 0, 2000);
    await send(t, cluster(), topic, 1, 1000);
    const [stats, first, gate] = [new Calls(), deferred(), deferred()];
    const one = consumer(t, cluster(), {
      ...OFTEN,
      topic,
      offset_directory: folder(t),
      max_messages_per_callback: 10,
      max_callbacks_in_flight: 1,
      stats_callback: stats.take,
      // A budget that a part of the messages exhausts: the rest is not even fetched.
      queued_max_messages_kbytes: 400,
      receive_callback: ({ messages }) => (first.resolve(messages.length), gate.promise),
    });
    await one.start();
    const handed = await first.promise;
    await expect(stats, 'figures while held back', (s) => s.waiting_kafka + s.waiting_local === 3000 - handed && s.kafka_log_size === 3000);
    await send(t, cluster(), topic, 1, 500);
    const held = await expect(stats, 'the new messages', (s) => s.waiting_kafka + s.waiting_local === 3500 - handed && s.kafka_log_size === 3500);
    assert.ok(held.waiting_kafka > 0 && held.waiting_local > 0, JSON.stringify(figures(held)));
    gate.resolve();
    await expect(stats, 'nothing left', (s) => s.waiting_kafka + s.waiting_local === 0);
  });

  test('of a consumer counts from the recorded offset, and with latest from the end', async (t) => {
    const topic = await cluster().topic(1);
    await send(t, cluster(), topic, 0, 100);
    const [stats, latest] = [new Calls(), new Calls()];
    const one = consumer(t, cluster(), {
      ...OFTEN,
      topic,
      offset_manager: { read: async () => [79], commit: async () => {} },
      stats_callback: stats.take,
      receive_callback: () => new Promise(() => {}),
      max_messages_per_callback: 1,
      max_callbacks_in_flight: 1,
    });
    await one.start();
    await expect(stats, '20 less the one that is handed over', (s) => s.waiting_kafka + s.waiting_local === 19 && s.kafka_log_size === 100);
    const two = consumer(t, cluster(), {
      ...OFTEN,
      topic,
      offset_directory: folder(t),
      topic_options: { 'auto.offset.reset': 'latest' },
      stats_callback: latest.take,
      receive_callback() {},
    });
    await two.start();
    await expect(latest, 'nothing waits at the end', (s) => s.waiting_kafka + s.waiting_local === 0 && s.kafka_log_size === 100);
  });

  test('gets nothing when the interval is 0', async (t) => {
    const topic = await cluster().topic(1);
    const [never, stats] = [new Calls(), new Calls()];
    producer(t, cluster(), { statistics_interval_ms: 0, stats_callback: never.take });
    await consumer(t, cluster(), { topic, offset_directory: folder(t), statistics_interval_ms: 0, stats_callback: never.take, receive_callback() {} }).start();
    producer(t, cluster(), { ...OFTEN, stats_callback: stats.take });
    await stats.count(5);
    assert.deepEqual(never.all, []);
  });
});

onBoth('statistics of a deleted beginning', (cluster) => {
  test('leave out what the broker no longer has', async (t) => {
    if (!cluster().admin) return t.skip('the embedded cluster deletes no records');
    const topic = await cluster().topic(1);
    await send(t, cluster(), topic, 0, 100);
    await cluster().admin.deleteRecords(topic, 0, 40);
    const stats = new Calls();
    const one = consumer(t, cluster(), { ...OFTEN, topic, offset_directory: folder(t), stats_callback: stats.take, receive_callback() {} });
    await one.start();
    await expect(stats, 'a log of 60', (s) => s.waiting_kafka + s.waiting_local === 0 && s.kafka_log_size === 60);
    one.pause();
    await cluster().admin.deleteRecords(topic, 0, 90);
    await expect(stats, 'a log of 10', (s) => s.waiting_kafka + s.waiting_local === 0 && s.kafka_log_size === 10);
  });
});
