'use strict';
// A log that loses its end (an unclean election, a broker after a power failure) and grows again with other messages: who had read
// further goes back to where the logs part.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { cleanup } = require('./support/cleanup.js');
const { real, topicName } = require('./support/clusters.js');
const { Inbox, PATIENCE, consumer, folder, offsets, producer } = require('./support/flow.js');
const { Got, client, committed, kafkaJs } = require('./support/groups.js');
const { eventually, witness } = require('./support/watch.js');

const values = (what, count) => Array.from({ length: count }, (_, n) => `${what} ${n}`);

async function send(t, cluster, topic, list) {
  const sender = producer(t, cluster);
  sender.send(topic, 0, list);
  await sender.stop();
}

/** Readers of every kind, each with what it got: { name, until, values, stop }. */
async function readers(t, cluster, topic) {
  const [inbox, directory, log] = [new Inbox(), folder(t), witness()];
  // Of what is still there behind the cut, a callback of this one has not ended.
  const slow = { inbox: new Inbox(), directory: folder(t) };
  const ended = new Promise((resolve) => (slow.end = resolve));
  await consumer(t, cluster, {
    topic,
    offset_directory: slow.directory,
    receive_callback: (batch) => {
      slow.inbox.receive(batch);
      return batch.messages[0].offset < 50 && batch.messages[0].payload.startsWith('old') ? ended : undefined;
    },
  }).start();
  const classic = consumer(t, cluster, { topic, offset_directory: directory, logger: log.logger, receive_callback: inbox.receive });
  await classic.start();
  const [grouped, assigned] = [new Got(), new Got()];
  const groupId = topicName('group');
  const member = client(cluster).consumer({ groupId, sessionTimeout: 20_000 });
  cleanup(t, () => member.disconnect());
  await member.connect();
  await member.subscribe({ topic, fromBeginning: true });
  await member.run({ autoCommitInterval: 100, eachMessage: grouped.each });
  const reader = client(cluster).consumer({ groupId: null });
  cleanup(t, () => reader.disconnect());
  await reader.connect();
  await reader.assign([{ topic, partition: 0, offset: 'beginning' }]);
  await reader.run({ eachMessage: assigned.each });
  return {
    all: [
      { name: 'slow', offsets: () => slow.inbox.messages.map(({ offset, payload }) => [offset, payload]) },
      { name: 'classic', offsets: () => inbox.messages.map(({ offset, payload }) => [offset, payload]) },
      { name: 'group', offsets: () => grouped.messages.map(({ offset, value }) => [offset, value]) },
      { name: 'assigned', offsets: () => assigned.messages.map(({ offset, value }) => [offset, value]) },
    ],
    inbox,
    log,
    directory,
    classic,
    member,
    groupId,
    slow,
  };
}

/** Waits until the last that each has seen is this, from that offset on. */
async function seen(all, first, list) {
  const wanted = JSON.stringify(list.map((value, n) => [first + n, value]));
  for (const { name, offsets: found } of all) {
    await eventually(PATIENCE, `${name} has seen what is behind ${first}`, () => {
      if (JSON.stringify(found().slice(-list.length)) === wanted) return true;
      throw new Error(`it has seen ${found().length}, the last ${JSON.stringify(found().slice(-3))}`);
    });
  }
}

/** How the test goes on where the log has lost its end, in both ways. */
async function goesOnWhereTheLogsPart(t, cluster, topic, { lose }) {
  const admin = client(cluster).admin();
  await admin.connect();
  cleanup(t, () => admin.disconnect());
  const [old, lost, more] = [values('old', 50), values('lost', 50), values('new', 200)];
  await send(t, cluster, topic, old);
  const { all, inbox, log, directory, classic, member, groupId, slow } = await readers(t, cluster, topic);
  await seen(all, 0, old);
  await lose(async () => {
    await send(t, cluster, topic, lost);
    await seen(all, 50, lost);
    await eventually(PATIENCE, 'its end is recorded', async () => offsets(directory, topic)[0] === 99 && (await committed(admin, groupId, topic))[0] === 100);
  });
  await send(t, cluster, topic, more);
  await seen(all, 50, more);
  for (const { name, offsets: found } of all) assert.equal(found().length, 300, `${name}: everything else came once`);
  assert.deepEqual([inbox.misses, inbox.repeats], [0, 1]);
  assert.equal(log.lines.all.filter(([level, line]) => level === 'warn' && line.includes('was cut off')).length, 1, JSON.stringify(log.lines.all));
  await classic.stop();
  await member.disconnect();
  assert.deepEqual(offsets(directory, topic), { 0: 249 });
  assert.deepEqual(offsets(slow.directory, topic), {}, 'nothing goes past what is not done');
  slow.end();
  await eventually(PATIENCE, 'all is done', () => offsets(slow.directory, topic)[0] === 249);
  // The coordinator that this admin knows may be the broker that was killed.
  await eventually(PATIENCE, 'the new end is committed', async () => (await committed(admin, groupId, topic))[0] === 250);
}

describe('one broker', () => {
  /** @type {any} */ let cluster;
  before(async () => (cluster = await real({ own: true })));
  after(() => cluster?.close());

  test('that lost the end of a log with its power: consumers go back to where the logs part, and skip nothing of the new one', async (t) => {
    const topic = await cluster.topic(1);
    const [node] = cluster.kafka.nodes;
    await goesOnWhereTheLogsPart(t, cluster, topic, {
      lose: async (goOn) => {
        const segment = path.join(node.dir, 'data', `${topic}-0`, '00000000000000000000.log');
        const { size } = fs.statSync(segment);
        await goOn();
        await node.kill();
        fs.truncateSync(segment, size);
        await node.start();
      },
    });
  });
});

describe('three brokers', () => {
  /** @type {any} */ let cluster;
  before(async () => (cluster = await real({ own: true, nodes: 3 })));
  after(() => cluster?.close());

  test('an unclean election: consumers go back to where the logs part, and skip nothing of the new one', async (t) => {
    const topic = topicName('unclean');
    const { admin } = await kafkaJs(t, cluster);
    const [behind, leader] = cluster.kafka.nodes;
    const configEntries = Object.entries({ 'unclean.leader.election.enable': 'true', 'min.insync.replicas': '1' }).map(([name, value]) => ({ name, value }));
    // KafkaJS gives up its waiting for leaders where a broker has not heard of the topic yet.
    await admin.createTopics({
      waitForLeaders: false,
      topics: [{ topic, replicaAssignment: [{ partition: 0, replicas: [leader.id, behind.id] }], configEntries }],
    });
    const until = (what, fits) =>
      eventually(PATIENCE, what, async () => {
        const {
          topics: [
            {
              partitions: [partition],
            },
          ],
        } = await admin.fetchTopicMetadata({ topics: [topic] });
        return fits(partition);
      });
    await until('it has its leader', (partition) => partition.leader === leader.id);
    await goesOnWhereTheLogsPart(t, cluster, topic, {
      lose: async (goOn) => {
        await until('both are in sync', ({ isr }) => isr.length === 2);
        await behind.stop();
        await until('the leader is alone', ({ isr }) => isr.length === 1);
        await goOn();
        await leader.kill();
        await behind.start();
        await until('who was behind leads', (partition) => partition.leader === behind.id);
      },
    });
  });
});
