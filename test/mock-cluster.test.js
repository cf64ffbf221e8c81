'use strict';
// The embedded cluster lives in the process of a test: nothing that the test says to it may end that.
const assert = require('node:assert/strict');
const net = require('node:net');
const { once } = require('node:events');
const { test } = require('node:test');
const { Kafka, KafkaError, MockCluster } = require('kafka-native');
const { cleanup } = require('./support/cleanup.js');
const { Inbox, consumer, folder, producer, silent } = require('./support/flow.js');

test('what no cluster can do is refused with a clear error', (t) => {
  const cluster = new MockCluster({ brokers: 2 });
  cleanup(t, () => cluster.close());
  cluster.createTopic('t', { partitions: 2 });
  const refused = [
    ...[-1, 0, 0.5, NaN, Infinity, 10_001, '1'].map((partitions) => [() => cluster.createTopic('u', { partitions }), /partitions/]),
    ...[-1, 0, NaN, 101, '1'].map((replication) => [() => cluster.createTopic('u', { replication }), /replication/]),
    ...[-1, 0.5, NaN, Infinity, 2 ** 31, '0', undefined, null].flatMap((partition) => [
      [() => cluster.setLeader('t', partition, 1), /partition/],
      [() => cluster.setFollower('t', partition, 1), /partition/],
    ]),
    ...[0, 3, -2, 0.5, NaN, 2 ** 40, '1', undefined].flatMap((broker) => [
      [() => cluster.setLeader('t', 0, broker), /broker/],
      [() => cluster.setFollower('t', 0, broker), /broker/],
      [() => cluster.brokerDown(broker), /broker/],
      [() => cluster.brokerUp(broker), /broker/],
    ]),
    ...['', undefined, 7, null].flatMap((topic) => [
      [() => cluster.setLeader(topic, 0, 1), /topic/],
      [() => cluster.createTopic(topic), /topic/],
      [() => cluster.setTopicError(topic, 3), /topic/],
    ]),
    ...[-1, NaN, Infinity, 2 ** 32, '5'].map((ms) => [() => cluster.setLatency(ms), /time/]),
    [() => cluster.setLatency(5, 9), /broker/],
    [() => cluster.injectErrors(-1, [3]), /request/],
    [() => cluster.injectErrors(0, [70_000]), /code/],
    [() => cluster.injectErrors(0, 3), /codes/],
    [() => cluster.setTopicError('t', NaN), /code/],
  ];
  for (const [call, message] of refused) {
    assert.throws(
      call,
      (error) => (error instanceof TypeError || error instanceof RangeError || error instanceof KafkaError) && message.test(error.message),
      String(call),
    );
  }
});

test('a partition that loses its leader under a consumer goes on when it has one again', async (t) => {
  const cluster = new MockCluster({ brokers: 2 });
  cleanup(t, () => cluster.close());
  cluster.createTopic('t', { partitions: 2 });
  const inbox = new Inbox();
  const given = { options: () => cluster.options };
  const reader = consumer(t, given, { topic: 't', offset_directory: folder(t), receive_callback: inbox.receive });
  const sender = producer(t, given);
  await reader.start();
  sender.send('t', 0, ['a']);
  await inbox.until(1);
  for (let round = 0; round < 5; round++) {
    cluster.setLeader('t', 0, -1);
    sender.send('t', 0, ['while there is none']);
    sender.send('t', 1, ['of another']);
    await inbox.until(2 + round * 2);
    cluster.setLeader('t', 0, 1 + (round % 2));
    await inbox.until(3 + round * 2);
  }
});

test('a member that joins again before it was answered does not end the process', async (t) => {
  const cluster = new MockCluster();
  cleanup(t, () => cluster.close());
  cluster.createTopic('t');
  const string = (text) => Buffer.concat([Buffer.from([0, text.length]), Buffer.from(text)]);
  const int = (value, bytes = 4) => {
    const buffer = Buffer.alloc(bytes);
    buffer.writeIntBE(value, 0, bytes);
    return buffer;
  };
  const frame = (body) => Buffer.concat([int(body.length), body]);
  // JoinGroup, version 0: the first is not answered while others may come.
  const join = (member) =>
    frame(
      Buffer.concat([
        int(11, 2),
        int(0, 2),
        int(1),
        string('me'),
        string('group'),
        int(30_000),
        string(member),
        string('consumer'),
        int(1),
        string('range'),
        int(0),
      ]),
    );
  const [host, port] = cluster.options.broker.split(':');
  for (let round = 0; round < 20; round++) {
    const connections = await Promise.all(
      [0, 1, 2].map(async () => {
        const socket = net.connect(Number(port), host).on('error', () => {});
        await once(socket, 'connect');
        return socket;
      }),
    );
    for (const socket of connections) socket.write(join('same'));
    await Promise.race([once(connections[0], 'data'), new Promise((resolve) => setTimeout(resolve, 20))]);
    for (const socket of connections) socket.destroy();
  }
  const sender = producer(t, { options: () => cluster.options });
  assert.equal(await sender.partition_count('t'), 1);
});

test('where a log ends is told for every partition, or the admin rejects: without a leader, and with one that does not answer', async (t) => {
  const cluster = new MockCluster({ brokers: 2 });
  cleanup(t, () => cluster.close());
  cluster.createTopic('t', { partitions: 2 });
  cluster.setLeader('t', 0, 1);
  cluster.setLeader('t', 1, 2);
  const { broker, driver_options: properties } = cluster.options;
  const admin = new Kafka({ brokers: broker.split(','), properties, logger: silent, retry: { retries: 0 } }).admin();
  cleanup(t, () => admin.disconnect());
  await admin.connect();
  const offsets = (at) => admin.fetchTopicOffsets('t', at);
  assert.deepEqual(
    (await offsets()).map(({ low, high }) => [low, high]),
    [
      ['0', '0'],
      ['0', '0'],
    ],
  );
  cluster.setLeader('t', 1, -1);
  await assert.rejects(offsets(), ({ name, cause }) => name === 'KafkaJSNumberOfRetriesExceeded' && cause.type === 'LEADER_NOT_AVAILABLE');
  const [topic] = (await admin.fetchTopicMetadata({ topics: ['t'], leaderless: true })).topics;
  assert.deepEqual(
    topic.partitions.map(({ partitionId, leader }) => [partitionId, leader]),
    [
      [0, 1],
      [1, -1],
    ],
  );
  await assert.rejects(admin.fetchTopicMetadata({ topics: ['t'] }), ({ cause }) => cause.type === 'LEADER_NOT_AVAILABLE');
  cluster.setLeader('t', 1, 2);
  assert.equal((await offsets()).length, 2);
  cluster.setLatency(30_000, 2);
  // The question not answered in time may be where the leaders are, or where their logs end.
  for (const ask of [
    () => /** @type {any} */ (admin).listOffsets('t', [0, 1], -1, { timeout: 2000 }),
    () => offsets({ timeout: 2000 }),
    () => admin.fetchTopicOffsetsByTimestamp('t', 5, { timeout: 2000 }),
  ])
    await assert.rejects(ask, ({ name, message }) => /^KafkaJS/.test(name) && !/null|undefined/.test(message));
});
