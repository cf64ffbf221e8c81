'use strict';
// Messages of other members to a group, well or badly meant: no member of ours ends by them.
const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { Child } = require('./support/child.js');
const { real, topicName } = require('./support/clusters.js');
const { member } = require('./support/groups.js');
const { Calls } = require('./support/watch.js');
const { kafkajs } = require('./support/kafkajs.js');

const { MemberMetadata } = kafkajs.AssignerProtocol;

describe('other members of a group', () => {
  let cluster;
  before(async () => (cluster = await real()));
  after(() => cluster?.close());

  /** A member of ours in a process of its own, whose GROUP_JOIN events are collected. */
  async function ours(t, options) {
    const child = new Child(t, 'group-member.js', { broker: cluster.options().broker, ...options });
    const joins = new Calls();
    child.on('GROUP_JOIN', ({ payload }) => joins.take(payload));
    child.on('ended', (how) => joins.take({ how }));
    await child.says('joined');
    return { child, joins };
  }

  /** A member of KafkaJS that says it speaks `name`, with `metadata` of its own. */
  async function theirs(t, groupId, topic, name, metadata, assign = async () => []) {
    const assigner = () => ({ name, version: 0, assign, protocol: ({ topics }) => ({ name, metadata: metadata(topics) }) });
    const consumer = await member(t, cluster, { library: kafkajs, groupId, partitionAssigners: [assigner] });
    const joins = new Calls();
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => joins.take(payload));
    await consumer.subscribe({ topic });
    await consumer.run({ eachMessage: async () => {} });
    return { consumer, joins };
  }

  const alive = ({ how, memberAssignment }) => {
    assert.equal(how, undefined, 'the member of ours ended');
    return memberAssignment;
  };
  const partitionsOf = ({ memberAssignment }, topic) => memberAssignment[topic]?.length ?? 0;

  test('a member with cooperative-sticky metadata of version 0 gets its share, and the leader lives', async (t) => {
    const [topic, groupId] = [await cluster.topic(4), topicName('group')];
    const leader = await ours(t, { topic, groupId });
    await leader.joins.until((join) => alive(join)[topic]?.length === 4);
    const old = await theirs(t, groupId, topic, 'cooperative-sticky', (topics) => MemberMetadata.encode({ version: 0, topics, userData: Buffer.alloc(0) }));
    await leader.joins.until((join) => alive(join)[topic]?.length === 2);
    await old.joins.until((join) => partitionsOf(join, topic) === 2);
  });

  for (const [what, metadata] of Object.entries({ nothing: Buffer.alloc(0), 'what cannot be read': Buffer.from([0, 1, 0, 0]) })) {
    test(`a member that says ${what} of itself gets nothing, and the leader lives`, async (t) => {
      const [topic, groupId] = [await cluster.topic(4), topicName('group')];
      const leader = await ours(t, { topic, groupId });
      await leader.joins.until((join) => alive(join)[topic]?.length === 4);
      const other = await theirs(t, groupId, topic, 'cooperative-sticky', () => metadata);
      await other.joins.until((join) => partitionsOf(join, topic) === 0);
      await leader.joins.until((join) => alive(join)[topic]?.length === 4);
    });
  }
});
