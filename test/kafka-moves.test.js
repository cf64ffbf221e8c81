'use strict';
// Pausing, resuming, seeking, slow handlers and handlers that take memory away: every message comes, on both kinds of cluster.
// Alone: it counts batches.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { EventEmitter, once } = require('node:events');
const { onBoth } = require('./support/clusters.js');
const { producer } = require('./support/flow.js');
const { Got, member } = require('./support/groups.js');
const { block, deferred } = require('./support/watch.js');

onBoth('moves of the consumer of Kafka', (cluster) => {
  /** Writes that many messages to each partition, their values the offsets. */
  async function write(t, topic, partitions, count) {
    const sender = producer(t, cluster());
    for (let p = 0; p < partitions; p++)
      sender.send(
        topic,
        p,
        Array.from({ length: count }, (_, i) => String(i)),
      );
    await sender.stop();
  }

  /** Without a group: on the embedded cluster, too, it begins at once. */
  async function reader(t, positions, config = {}) {
    const { driver_options: properties } = cluster().options();
    const consumer = await member(t, cluster(), { groupId: null, properties, ...config });
    await consumer.assign(positions);
    return consumer;
  }

  const offsets = (messages, partition) => messages.filter((message) => message.partition === partition).map(({ offset }) => offset);
  const numbers = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);

  test('a topic that is paused and resumed in the first handler loses nothing of any partition', async (t) => {
    const topic = await cluster().topic(4);
    await write(t, topic, 4, 100);
    const consumer = await reader(t, [{ topic }]);
    const got = new Got();
    await consumer.run({
      eachMessage: (payload) => {
        if (got.messages.length === 0) {
          consumer.pause([{ topic }]);
          consumer.resume([{ topic }]);
        }
        return got.each(payload);
      },
    });
    await got.until(400);
    for (const partition of numbers(0, 4)) assert.deepEqual(offsets(got.messages, partition), numbers(0, 100));
  });

  test('timers that pause and resume behind a handler that blocks lose nothing', async (t) => {
    const topic = await cluster().topic(2);
    await write(t, topic, 2, 500);
    const consumer = await reader(t, [{ topic }]);
    const got = new Got();
    await consumer.run({
      eachMessage: (payload) => {
        if (got.messages.length === 0) {
          setTimeout(() => consumer.pause([{ topic }]), 5);
          setTimeout(() => consumer.resume([{ topic }]), 10);
          block(50);
        }
        return got.each(payload);
      },
    });
    await got.until(1000);
    for (const partition of [0, 1]) assert.deepEqual(offsets(got.messages, partition), numbers(0, 500));
  });

  test('without a group a seek in onPartitionsAssigned counts, and a hook that takes its time loses nothing', async (t) => {
    const topic = await cluster().topic(2);
    await write(t, topic, 2, 50);
    const hook = deferred();
    const consumer = await reader(t, [{ topic }], {
      onPartitionsAssigned: () => {
        consumer.seek({ topic, partition: 1, offset: '30' });
        return hook.promise;
      },
    });
    const got = new Got();
    const fetched = once(new Fetches(consumer), 'fetch');
    const run = consumer.run({ eachMessage: got.each });
    await fetched;
    assert.deepEqual(got.messages, []);
    hook.resolve();
    await run;
    await got.until(70);
    assert.deepEqual(offsets(got.messages, 0), numbers(0, 50));
    assert.deepEqual(offsets(got.messages, 1), numbers(30, 50));
  });

  test('a handler that transfers the memory of its messages away gets every message, whole', async (t) => {
    const topic = await cluster().topic(2);
    await write(t, topic, 2, 500);
    const consumer = await reader(t, [
      { topic, partition: 0 },
      { topic, partition: 1 },
    ]);
    const got = new Got();
    await consumer.run({
      eachMessage: ({ topic, partition, message }) => {
        const value = Buffer.from(message.value);
        message.value.buffer.transfer?.() ?? structuredClone(message.value, { transfer: [message.value.buffer] });
        return got.each({ topic, partition, message: { offset: message.offset, value } });
      },
    });
    await got.until(1000);
    for (const partition of [0, 1]) {
      const mine = got.messages.filter((message) => message.partition === partition);
      assert.deepEqual(
        mine.map(({ offset }) => offset),
        numbers(0, 500),
      );
      assert.deepEqual(
        mine.map(({ value }) => value),
        numbers(0, 500).map(String),
      );
    }
  });

  test('what has come while a handler ran is its next batch', async (t) => {
    const topic = await cluster().topic(1);
    const sender = producer(t, cluster());
    const consumer = await reader(t, [{ topic, partition: 0 }]);
    const fetches = new Fetches(consumer);
    const batches = [];
    const [first, all] = [deferred(), deferred()];
    await consumer.run({
      eachBatch: async ({ batch }) => {
        batches.push(batch.messages.length);
        if (batches.length === 1) await first.promise;
        if (batches.reduce((sum, size) => sum + size) === 401) all.resolve();
      },
    });
    sender.send(topic, 0, ['first']);
    while (fetches.count < 1) await once(fetches, 'fetch');
    for (let i = 0; i < 20; i++) {
      const { count } = fetches;
      sender.send(
        topic,
        0,
        Array.from({ length: 20 }, () => 'x'),
      );
      while (fetches.count === count) await once(fetches, 'fetch');
    }
    first.resolve();
    await all.promise;
    assert.equal(batches[0], 1);
    assert.ok(batches.length <= 10, `the batches had ${batches} messages`); // the last may still be under way
  });
});

/** Counts what the engine hands over. */
class Fetches extends EventEmitter {
  count = 0;

  constructor(consumer) {
    super();
    consumer.on(consumer.events.FETCH, () => {
      this.count++;
      this.emit('fetch');
    });
  }
}
