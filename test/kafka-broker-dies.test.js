'use strict';
// A group's only broker dies under a handler.

const { test } = require('node:test');
const { cleanup } = require('./support/cleanup.js');
const { real } = require('./support/clusters.js');
const { PATIENCE, producer, within } = require('./support/flow.js');
const { Got, member } = require('./support/groups.js');
const { Calls, deferred } = require('./support/watch.js');

test('a broker that dies keeps no consumer from ending: what it could not commit is said, and the process goes on', async (t) => {
  const cluster = await real({ own: true });
  cleanup(t, () => cluster.close());
  const topic = await cluster.topic(1);
  const sender = producer(t, cluster);
  sender.send(topic, 0, ['x']);
  await sender.stop();
  const lines = new Calls();
  const handler = deferred();
  const got = new Got();
  const consumer = await member(t, cluster, {
    sessionTimeout: 60_000,
    rebalanceTimeout: 60_000,
    client: { logger: { error() {}, info() {}, debug() {}, warn: lines.take } },
  });
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    eachMessage: async (payload) => {
      await got.each(payload);
      await handler.promise;
    },
  });
  await got.until(1);
  await cluster.kafka.nodes[0].kill();
  handler.resolve();
  // Far less than the group waits for it.
  await within(PATIENCE, 'disconnect', () => consumer.disconnect());
  await lines.until((line) => /not committed/.test(line));
});
