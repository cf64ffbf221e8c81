'use strict';
// Who has stopped has left: the coordinator is asked who is in the group.
const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { real, topicName } = require('./support/clusters.js');
const { event, kafkaJs, member } = require('./support/groups.js');
const { eventually } = require('./support/watch.js');

describe('a member that has stopped', () => {
  let cluster;
  before(async () => (cluster = await real()));
  after(() => cluster?.close());

  for (const [name, config] of Object.entries({ 'cooperative-sticky': {}, 'round robin': { partitionAssigners: ['roundRobin'] } })) {
    /** Two members of a topic with one partition, the second without any. */
    async function two(t) {
      const [topic, groupId] = [await cluster.topic(1), topicName('group')];
      const { admin } = await kafkaJs(t, cluster);
      const inGroup = async () => (await admin.describeGroups([groupId])).groups[0].members.length;
      const join = async () => {
        // A minute: nobody is out because the coordinator has not heard of it.
        const consumer = await member(t, cluster, { groupId, sessionTimeout: 60_000, ...config });
        await consumer.subscribe({ topic });
        return consumer;
      };
      const first = await join();
      const joined = event(first, 'GROUP_JOIN');
      await first.run({ eachMessage: async () => {} });
      await joined;
      return { inGroup, join, first };
    }

    test(`${name}: one without partitions has left when stop returns`, async (t) => {
      const { inGroup, join, first } = await two(t);
      const second = await join();
      const joined = event(second, 'GROUP_JOIN');
      await second.run({ eachMessage: async () => {} });
      await joined;
      assert.equal(await inGroup(), 2);
      const rest = [first, second];
      while (rest.length > 0) {
        await rest.pop().disconnect();
        assert.equal(await inGroup(), rest.length);
      }
    });

    test(`${name}: one that is joining has left when stop returns, and the next one's stop is quick`, async (t) => {
      const { inGroup, join, first } = await two(t);
      for (let round = 0; round < 10; round++) {
        const second = await join();
        await second.run({ eachMessage: async () => {} });
        // From before it asks to be let in until after it was.
        await new Promise((resolve) => setTimeout(resolve, round * 20));
        await second.disconnect();
        await eventually(4000, 'the member that was joining is out', async () => (await inGroup()) === 1);
      }
      await first.disconnect();
      assert.equal(await inGroup(), 0);
    });
  }
});
