'use strict';
// A rolling restart of three brokers under a group.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { cleanup } = require('../../support/cleanup.js');
const { real, topicName } = require('../../support/clusters.js');
const { Got, client, member } = require('../../support/groups.js');

test('a rolling restart under load: a group gets every acknowledged message once and in order', async (t) => {
  const cluster = await real({ own: true, nodes: 3 });
  cleanup(t, () => cluster.close());
  const topic = await cluster.topic(6, { replication: 3 });
  const groupId = topicName('group');
  const got = new Got();
  const crashes = [];
  for (let i = 0; i < 2; i++) {
    const consumer = await member(t, cluster, { groupId, sessionTimeout: 20_000, rebalanceTimeout: 30_000 });
    consumer.on(consumer.events.CRASH, ({ payload }) => { crashes.push(payload.error); });
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({ partitionsConsumedConcurrently: 3, eachMessage: got.each });
  }
  const sender = client(cluster).producer({ idempotent: true });
  cleanup(t, () => sender.disconnect());
  await sender.connect();
  let stop = false;
  let sent = 0;
  const load = (async () => {
    for (; !stop; sent += 60) await Promise.all(Array.from({ length: 60 }, (_, i) => sender.send({ topic, messages: [{ value: `${sent + i}`, partition: i % 6 }] })));
  })();
  await got.until(600);
  for (const node of cluster.kafka.nodes) {
    await node.stop();
    await node.start();
  }
  stop = true;
  await load;
  await got.until(sent);
  assert.deepEqual(crashes, []);
  assert.equal(got.messages.length, sent);
  const next = new Map();
  for (const { partition, offset, value } of got.messages) {
    assert.equal(offset, next.get(partition) ?? 0, `partition ${partition}`);
    assert.equal(Number(value) % 6, partition);
    next.set(partition, offset + 1);
  }
});
