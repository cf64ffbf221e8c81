'use strict';
// A member that has stopped has left: the coordinator is asked who is in the group.
const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { cleanup } = require('./support/cleanup.js');
const { embedded, real, topicName } = require('./support/clusters.js');
const { PATIENCE, producer } = require('./support/flow.js');
const { eventually } = require('./support/watch.js');
const { Got, client, event, member } = require('./support/groups.js');

describe('a member that has stopped', () => {
  let cluster;
  before(async () => (cluster = await real()));
  after(() => cluster?.close());

  // A minute: nobody is out because the coordinator has not heard of it.
  const sessionTimeout = 60_000;
  const PROTOCOLS = {
    'cooperative-sticky': { sessionTimeout },
    'round robin': { sessionTimeout, partitionAssigners: ['roundRobin'] },
    'KIP-848': { groupProtocol: 'consumer' },
  };
  for (const [name, config] of Object.entries(PROTOCOLS)) {
    /** Two members of a topic with one partition, the second without any. */
    async function two(t) {
      const [topic, groupId] = [await cluster.topic(1), topicName('group')];
      const admin = client(cluster).admin();
      await admin.connect();
      cleanup(t, () => admin.disconnect());
      const inGroup = async () => (await admin.describeGroups([groupId])).groups[0].members.length;
      const join = async (hooks = {}) => {
        const consumer = await member(t, cluster, { groupId, ...config, ...hooks });
        await consumer.subscribe({ topic, fromBeginning: true });
        return consumer;
      };
      const first = await join();
      const joined = event(first, 'GROUP_JOIN');
      await first.run({ eachMessage: async () => {} });
      await joined;
      return { topic, inGroup, join, first };
    }

    for (const call of ['stop', 'disconnect']) {
      test(`${name}: one without partitions has left when ${call} returns`, async (t) => {
        const { inGroup, join, first } = await two(t);
        const second = await join();
        const running = second.run({ eachMessage: async () => {} });
        await eventually(PATIENCE, 'the second is a member', async () => (await inGroup()) === 2);
        const rest = [first, second];
        while (rest.length > 0) {
          await rest.pop()[call]();
          assert.equal(await inGroup(), rest.length);
        }
        await running;
      });

      test(`${name}: one that is joining has left when ${call} returns, and the next one's ${call} is quick`, async (t) => {
        const { inGroup, join, first } = await two(t);
        for (let round = 0; round < 10; round++) {
          const second = await join();
          const running = second.run({ eachMessage: async () => {} });
          // From before it asks to be let in until after it was.
          await new Promise((resolve) => setTimeout(resolve, round * 20));
          await second[call]();
          assert.equal(await inGroup(), 1, `round ${round}`);
          await running;
        }
        await first[call]();
        assert.equal(await inGroup(), 0);
      });
    }

    test(`${name}: one that stops while it takes partitions on gives them back, and has left when stop returns`, async (t) => {
      const { inGroup, join, first } = await two(t);
      await first.stop();
      const told = [];
      let stopped;
      const consumer = await join({
        onPartitionsAssigned: async (partitions) => {
          told.push('assigned', ...partitions.map((each) => each.partitions));
          stopped ??= consumer.stop();
          await new Promise((resolve) => setTimeout(resolve, 100));
        },
        onPartitionsRevoked: async (partitions) => void told.push('revoked', ...partitions.map((each) => each.partitions)),
      });
      const assigned = event(consumer, 'STOP');
      await consumer.run({ eachMessage: async () => {} });
      await assigned;
      await stopped;
      assert.equal(await inGroup(), 0);
      assert.deepEqual(told, ['assigned', [0], 'revoked', [0]]);
    });

    test(`${name}: one that runs again at once is a member again, whoever else stops it meanwhile`, async (t) => {
      const { topic, inGroup, first } = await two(t);
      const sender = producer(t, cluster);
      const got = new Got();
      for (let round = 0; round < 3; round++) {
        await Promise.all([first.stop(), first.stop()]);
        assert.equal(await inGroup(), 0);
        const joined = event(first, 'GROUP_JOIN');
        await first.run({ eachMessage: got.each });
        await joined;
        assert.equal(await inGroup(), 1);
        sender.send(topic, 0, [String(round)]);
        await got.until(round + 1);
      }
      await Promise.all([first.stop(), first.disconnect(), first.stop()]);
      assert.equal(await inGroup(), 0);
    });
  }
});

for (const [name, config] of Object.entries({ 'cooperative-sticky': {}, 'round robin': { partitionAssigners: ['roundRobin'] } })) {
  test(`${name}: a stop whose coordinator is gone ends`, async (t) => {
    const cluster = await embedded();
    cleanup(t, () => cluster.close());
    const consumer = await member(t, cluster, config);
    await consumer.subscribe({ topic: await cluster.topic(1) });
    const joined = event(consumer, 'GROUP_JOIN');
    await consumer.run({ eachMessage: async () => {} });
    await joined;
    cluster.mock.brokerDown(1);
    await Promise.all([consumer.stop(), consumer.stop(), consumer.disconnect()]);
  });
}
