'use strict';
// Clients that begin where something is wrong: each says what, or goes on when it is there.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const net = require('node:net');
const { pipeline } = require('node:stream');
const { describe, test } = require('node:test');
const { Consumer, KafkaError, Producer } = require('kafka-native');
const { cleanup } = require('./support/cleanup.js');
const { real, topicName } = require('./support/clusters.js');
const { PATIENCE, SOON, consumer, folder, producer, silent, within } = require('./support/flow.js');
const { Calls } = require('./support/watch.js');

// Each takes the fifteen seconds of start().
describe('what start waits for in vain', { concurrency: true }, () => {
  for (const [what, broker, cause] of [
    ['an unknown host', 'no-such-host.invalid:9092', '_RESOLVE'],
    ['a wrong port', '127.0.0.1:1', '_TRANSPORT'],
  ]) {
    test(`${what}: start, partition_count and error_callback say so`, async (t) => {
      const errors = new Calls();
      const sender = new Producer({ broker, logger: silent, error_callback: errors.take });
      const receiver = new Consumer({ broker, topic: 't', offset_directory: folder(t), logger: silent, error_callback: errors.take, receive_callback() {} });
      const [counted, started] = await within(PATIENCE, 'the calls', () =>
        Promise.all([sender.partition_count('t', { max_tries: 3, interval: 100 }).catch((error) => error), receiver.start().catch((error) => error)]),
      );
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
    const cluster = await real();
    cleanup(t, () => cluster.close());
    const topic = await cluster.topic(2);
    // A door in front of it that opens later: a broker takes as long to begin as its machine likes.
    const [host, behind] = cluster.options().broker.split(',')[0].split(':');
    const door = net.createServer((socket) => {
      const inner = net.connect(Number(behind), host);
      pipeline(socket, inner, socket, () => {});
    });
    await once(door.listen(0, '127.0.0.1'), 'listening');
    const { port } = door.address();
    await once(door.close(), 'close');
    const errors = new Calls();
    const one = consumer(t, cluster, { broker: `127.0.0.1:${port}`, topic, offset_directory: folder(t), error_callback: errors.take, receive_callback() {} });
    const starting = one.start();
    await errors.count(1);
    await once(door.listen(port, '127.0.0.1'), 'listening');
    cleanup(t, () => door.close());
    assert.deepEqual(await starting, [0, 1]);
  });
});
