'use strict';
// Members that their group does not let in yet: they say once why, keep trying, and take over when there is a place.
const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { cleanup } = require('./support/cleanup.js');
const { real, topicName } = require('./support/clusters.js');
const { PATIENCE, within } = require('./support/flow.js');
const { Got, client, event, member } = require('./support/groups.js');

const KIP_848 = { groupProtocol: 'consumer' };

describe('a member that its group does not let in yet', () => {
  let cluster;
  before(async () => (cluster = await real({ own: true, config: { 'group.max.size': '2', 'group.consumer.max.size': '2' } })));
  after(() => cluster?.close());

  for (const [name, config, members, code, cure] of [
    ['KIP-848: as it is full', KIP_848, 2, 'GROUP_MAX_SIZE_REACHED', /group\.consumer\.max\.size/],
    ['classic: as it is full', {}, 2, 'GROUP_MAX_SIZE_REACHED', /group\.max\.size/],
    ['KIP-848: as another has its groupInstanceId', { ...KIP_848, groupInstanceId: 'one' }, 1, 'UNRELEASED_INSTANCE_ID', /groupInstanceId of its own/],
  ]) {
    test(`${name}, says once what to do, keeps trying, and takes over when another has left`, async (t) => {
      const topic = await cluster.topic(2);
      const groupId = topicName('waits');
      const sender = client(cluster).producer();
      await sender.connect();
      cleanup(t, () => sender.disconnect());
      const join = async (got = new Got()) => {
        const crashes = [];
        const consumer = await member(t, cluster, { groupId, ...config });
        consumer.on('consumer.crash', ({ payload }) => crashes.push(payload));
        await consumer.subscribe({ topic, fromBeginning: true });
        const joined = event(consumer, 'GROUP_JOIN', ({ memberAssignment }) => Object.keys(memberAssignment).length > 0, Infinity);
        const crashed = event(consumer, 'CRASH', () => true, Infinity);
        await consumer.run({ eachMessage: got.each });
        return { consumer, crashes, joined, crashed, got };
      };
      const firsts = [];
      const got = new Got();
      for (let i = 0; i < members; i++) {
        firsts.push(await join(got));
        await firsts[i].joined;
      }
      const late = await join(); // run resolves
      assert.equal((await late.crashed).restart, true);
      await sender.send({ topic, messages: [0, 1].map((partition) => ({ partition, value: 'first' })) });
      await got.until(2);
      assert.equal(late.got.messages.length, 0);
      for (const { consumer } of firsts) await consumer.disconnect();
      await late.joined;
      await sender.send({ topic, messages: [0, 1].map((partition) => ({ partition, value: 'second' })) });
      await late.got.until((messages) => messages.filter(({ value }) => value === 'second').length === 2);
      assert.deepEqual(late.got.values(), ['second', 'second']);
      assert.deepEqual(
        late.crashes.map(({ error, restart }) => [error.type, restart]),
        [[code, true]],
      );
      assert.match(late.crashes[0].error.message, cure);
      assert.deepEqual(
        firsts.flatMap(({ crashes }) => crashes),
        [],
      );
    });
  }

  test('KIP-848: as it is full, stops at once', async (t) => {
    const [topic, groupId] = [await cluster.topic(2), topicName('waits')];
    for (let i = 0; i < 3; i++) {
      const consumer = await member(t, cluster, { groupId, ...KIP_848 });
      await consumer.subscribe({ topic });
      const told = i < 2 ? event(consumer, 'GROUP_JOIN') : event(consumer, 'CRASH');
      await consumer.run({ eachMessage: async () => {} });
      await told;
      if (i === 2) await within(PATIENCE, 'disconnect', () => consumer.disconnect());
    }
  });
});
