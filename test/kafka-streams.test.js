'use strict';
// Reading `Kafka`'s consumer as iterators and streams: back-pressure, what counts as processed, and every way to end.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { Readable, Writable } = require('node:stream');
const { pipeline } = require('node:stream/promises');
const { after, before, describe, test } = require('node:test');
const { real, topicName } = require('./support/clusters.js');
const { producer } = require('./support/flow.js');
const { committed, event, kafkaJs, member } = require('./support/groups.js');

const COUNT = 1000;

describe('streams of a consumer', () => {
  let cluster;
  let topic;
  before(async () => (cluster = await real()));
  after(() => cluster?.close());

  /** A subscribed consumer, over a topic of a thousand numbers in one partition, and KafkaJS's admin beside it. */
  async function reader(t, config) {
    if (!topic) {
      topic = await cluster.topic(1);
      const sender = producer(t, cluster);
      sender.send(
        topic,
        0,
        Array.from({ length: COUNT }, (_, i) => String(i)),
      );
      await sender.stop();
    }
    const groupId = topicName('group');
    const consumer = await member(t, cluster, { groupId, maxMessagesPerBatch: 100, ...config });
    await consumer.subscribe({ topic, fromBeginning: true });
    const { admin } = await kafkaJs(t, cluster);
    return { consumer, groupId, offset: async () => (await committed(admin, groupId, topic))[0] };
  }

  test('for await gives message after message; the one at which the loop is left comes again', async (t) => {
    const { consumer, offset } = await reader(t);
    let next = 0;
    for await (const message of consumer.messages()) {
      assert.deepEqual([message.topic, message.partition, message.offset, String(message.value)], [topic, 0, String(next), String(next)]);
      if (++next === 250) break;
    }
    assert.equal(await offset(), 249);
    for await (const { offset } of consumer.messages()) {
      assert.equal(offset, '249');
      break;
    }
  });

  test('the message at which the loop is left does not come again when the program has committed it', async (t) => {
    const { consumer, groupId, offset } = await reader(t);
    for await (const message of consumer.messages()) {
      if (message.offset < '1') continue;
      await consumer.commitOffsets([{ topic, partition: 0, offset: '2' }]);
      break;
    }
    assert.equal(await offset(), 2);
    // A seek goes back.
    const again = await member(t, cluster, { groupId });
    await again.subscribe({ topic });
    for await (const message of again.messages()) {
      if (message.offset === '2') continue;
      await again.commitOffsets([{ topic, partition: 0, offset: '100' }]);
      again.seek({ topic, partition: 0, offset: '3' });
      break;
    }
    assert.equal(await offset(), 3);
  });

  test('for await gives batch after batch', async (t) => {
    const { consumer, offset } = await reader(t);
    let next = 0;
    for await (const batch of consumer.batches()) {
      assert.equal(batch.firstOffset(), String(next));
      next += batch.messages.length;
      if (next === COUNT) break;
      assert.ok(batch.messages.length <= 100);
    }
    assert.ok((await offset()) < COUNT);
  });

  test('nothing is given, and little fetched, while nobody reads', async (t) => {
    const { consumer } = await reader(t);
    const started = [];
    consumer.on(consumer.events.START_BATCH_PROCESS, ({ payload }) => started.push(payload.firstOffset));
    const joined = event(consumer, 'GROUP_JOIN');
    const fetched = event(consumer, 'FETCH');
    const messages = consumer.messages();
    const first = messages.next();
    await joined;
    await fetched;
    assert.equal((await first).value.offset, '0');
    for (let i = 0; i < 50; i++) await new Promise(setImmediate);
    assert.deepEqual(started, ['0']);
    await messages.return();
  });

  test('a signal ends the loop, before it begins and while it waits', async (t) => {
    const { consumer } = await reader(t);
    for await (const message of consumer.messages({ signal: AbortSignal.abort() })) assert.fail(message.offset);
    const controller = new AbortController();
    let count = 0;
    for await (const _ of consumer.messages({ signal: controller.signal })) if (++count === COUNT) setImmediate(() => controller.abort());
    assert.equal(count, COUNT);
  });

  test('what was read is committed when a signal ends the loop', async (t) => {
    const { consumer, offset } = await reader(t);
    const controller = new AbortController();
    for await (const message of consumer.messages({ signal: controller.signal })) if (message.offset === '500') controller.abort();
    assert.ok([500, 501].includes(await offset()));
  });

  test('disconnect inside the loop ends it', async (t) => {
    const { consumer } = await reader(t);
    let count = 0;
    for await (const _ of consumer.messages()) if (++count === 10) await consumer.disconnect();
    assert.equal(count, 10);
  });

  test("an error in the loop body stops the consumer and is the caller's", async (t) => {
    const { consumer, offset } = await reader(t);
    const stopped = event(consumer, 'STOP');
    await assert.rejects(async () => {
      for await (const message of consumer.messages()) if (message.offset === '10') throw new Error('mine');
    }, /mine/);
    await stopped;
    assert.equal(await offset(), 10);
  });

  test('a Node stream is piped at the pace of its destination, and commits what that took', async (t) => {
    const { consumer, offset } = await reader(t);
    const taken = [];
    const controller = new AbortController();
    const slow = new Writable({
      objectMode: true,
      highWaterMark: 1,
      write(message, _, done) {
        taken.push(Number(message.offset));
        if (taken.length === 300) controller.abort();
        setImmediate(done);
      },
    });
    await pipeline(consumer.stream({ signal: controller.signal }), slow);
    assert.deepEqual(
      taken,
      Array.from({ length: taken.length }, (_, i) => i),
    );
    const at = await offset();
    assert.ok(at >= 299 && at <= taken.length, `committed ${at} of ${taken.length}`);
  });

  test('a stream that is destroyed stops its consumer', async (t) => {
    const { consumer } = await reader(t);
    const stopped = event(consumer, 'STOP');
    const stream = consumer.stream();
    stream.once('data', () => stream.destroy());
    await once(stream, 'close');
    await stopped;
  });

  test('a Web stream reads one message ahead of nobody', async (t) => {
    const { consumer, offset } = await reader(t);
    const web = Readable.toWeb(consumer.stream(), { strategy: { highWaterMark: 0 } });
    const from = web.getReader();
    for (let i = 0; i < 20; i++) assert.equal((await from.read()).value.offset, String(i));
    const stopped = event(consumer, 'STOP');
    await from.cancel();
    await stopped;
    assert.ok((await offset()) <= 20);
  });

  test("a second reader is refused, and a crash that is not restarted is the reader's error", async (t) => {
    const { consumer } = await reader(t);
    const messages = consumer.messages();
    await messages.next();
    await assert.rejects(consumer.batches().next(), { name: 'KafkaJSNonRetriableError', message: /runs already/ });
    await messages.return();
    const refused = await member(t, cluster, { sessionTimeout: 500, heartbeatInterval: 100 });
    await refused.subscribe({ topic });
    await assert.rejects(refused.messages().next(), { name: 'KafkaJSProtocolError', type: 'INVALID_SESSION_TIMEOUT' });
  });
});
