'use strict';
// The admin on the real Kafka. First the same program on KafkaJS and on ours, which must see the same; then what ours does
// beyond, or better.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { setTimeout: pause } = require('node:timers/promises');
const { cleanup } = require('./support/cleanup.js');
const { kafkajs, oracle } = require('./support/kafkajs.js');
const { MockCluster } = require('kafka-native');
const ours = require('kafka-native/kafkajs');
const { KafkaCluster } = require('@kafka-native/kafka-for-tests');

const RETRY = { retries: 5, initialRetryTime: 20 };
const TOPIC = 2;
const BROKER = 4;
const ANY = 1;

/** Fields that a program can tell an error by. */
function seen(error) {
  const { name, retriable, type, code, topic, groups, partitions, errors, cause } = error;
  const only = (fields) => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  return only({
    name: error instanceof Error && name === 'KafkaJSOffsetOutOfRange' ? 'KafkaJSProtocolError' : name,
    retriable,
    type,
    code,
    ...(name === 'KafkaJSCreateTopicError' && { topic }),
    groups: groups?.map(({ groupId, errorCode, error: of }) => ({ groupId, errorCode, error: seen(of) })),
    partitions: partitions?.map(({ partition, offset, error: of }) => ({ partition, offset, error: seen(of) })),
    errors: errors?.map(seen),
    // The protocol's error behind KafkaJS's; ours have librdkafka's behind that.
    cause: cause instanceof kafkajs.KafkaJSError || cause instanceof ours.KafkaJSError ? seen(cause) : undefined,
  });
}

/** Asks until brokers have heard of what was done: nobody tells when. */
async function eventually(ask, is) {
  for (;;) {
    const found = await ask();
    if (is(found)) return found;
    await pause(20);
  }
}

const byPartition = (list) => [...list].sort((a, b) => a.partition - b.partition);

/** A program on a cluster of its own, and what it saw, step by step. */
async function program(lib) {
  const cluster = await KafkaCluster.start({ acls: true });
  const steps = {};
  const step = async (name, run) => {
    assert.ok(!(name in steps), name);
    try {
      steps[name] = await run();
    } catch (error) {
      steps[name] = { error: seen(error) };
    }
  };
  const brokers = cluster.brokers.split(',');
  const kafka = new lib.Kafka({ brokers, logLevel: lib.logLevel.NOTHING, retry: RETRY });
  const admin = kafka.admin();
  const events = [];
  admin.on(admin.events.CONNECT, ({ type, payload }) => events.push([type, payload ?? null]));
  admin.on(admin.events.DISCONNECT, ({ type, payload }) => events.push([type, payload ?? null]));
  // Messages and members are KafkaJS's in both runs.
  const others = oracle(brokers.join(','), { clientId: 'other' });
  const producer = others.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
  const consumer = others.consumer({ groupId: 'members' });
  try {
    await step('connect', () => admin.connect());
    // KafkaJS's waiting for leaders fails now and then, with UNKNOWN_TOPIC_OR_PARTITION.
    const waitForLeaders = false;
    const create = (topics, options) => admin.createTopics({ topics, waitForLeaders, ...options });
    const known = (topic, partitions) =>
      eventually(
        () =>
          admin.fetchTopicMetadata({ topics: [topic] }).then(
            ({ topics: [found] }) => found.partitions.length,
            () => 0,
          ),
        (count) => count === partitions,
      );
    await step('a topic', () => create([{ topic: 'a', numPartitions: 3 }]));
    await step('a topic with properties', () => create([{ topic: 'b', numPartitions: 1, configEntries: [{ name: 'retention.ms', value: '60000' }] }]));
    await step('topics that exist', () => create([{ topic: 'a' }, { topic: 'b' }]));
    await step('some topics fail', () => create([{ topic: 'z z' }, { topic: 'a' }, { topic: 'c' }]));
    await step('too many replicas', () => create([{ topic: 'd', replicationFactor: 5 }]));
    await step('assigned replicas', () =>
      create([
        {
          topic: 'e',
          replicaAssignment: [
            { partition: 0, replicas: [1] },
            { partition: 1, replicas: [1] },
          ],
        },
      ]),
    );
    await step('an unknown property', () => create([{ topic: 'g', configEntries: [{ name: 'nope', value: 'x' }] }]));
    await step('only validated', () => create([{ topic: 'f' }], { validateOnly: true }));
    await step('no topics', () => create([]));
    for (const [topic, partitions] of Object.entries({ a: 3, b: 1, c: 4, e: 2 })) await known(topic, partitions);
    for (const [name, topics] of Object.entries({
      none: undefined,
      'no array': 'a',
      'no names': [{ topic: 1 }],
      twice: [{ topic: 'x' }, { topic: 'x' }],
      'wrong entries': [{ topic: 'x', configEntries: [{ name: 'n' }] }],
    })) {
      await step(`createTopics of ${name}`, () => admin.createTopics({ topics }));
    }
    await step('listTopics', async () => (await admin.listTopics()).sort());
    await step('partitions', async () => void (await admin.createPartitions({ topicPartitions: [{ topic: 'b', count: 2 }] })));
    await step('assigned partitions', async () => void (await admin.createPartitions({ topicPartitions: [{ topic: 'b', count: 3, assignments: [[1]] }] })));
    await known('b', 3);
    await step('fewer partitions', () => admin.createPartitions({ topicPartitions: [{ topic: 'b', count: 1 }] }));
    await step('partitions of nothing', () => admin.createPartitions({ topicPartitions: [{ topic: 'nope', count: 3 }] }));
    await step('no partitions', () => admin.createPartitions({ topicPartitions: [] }));
    await step('metadata', async () =>
      (await admin.fetchTopicMetadata({ topics: ['a', 'b'] })).topics
        .map(({ name, partitions }) => ({ name, partitions: [...partitions].sort((x, y) => x.partitionId - y.partitionId) }))
        .sort((x, y) => x.name.localeCompare(y.name)),
    );
    await step('metadata of all', async () => (await admin.fetchTopicMetadata()).topics.map(({ name }) => name).sort());
    await step('metadata of nothing', () => admin.fetchTopicMetadata({ topics: ['a', 'nope'] }));
    await step('metadata of no name', () => admin.fetchTopicMetadata({ topics: [''] }));

    await producer.connect();
    await producer.send({ topic: 'a', messages: Array.from({ length: 10 }, (_, i) => ({ partition: 0, value: `v${i}`, timestamp: String(1000 * (i + 1)) })) });
    await step('topic offsets', async () => byPartition(await admin.fetchTopicOffsets('a')));
    await step('topic offsets of nothing', () => admin.fetchTopicOffsets('nope'));
    await step('topic offsets of no name', () => admin.fetchTopicOffsets(''));
    await step('offsets of a time', async () => byPartition(await admin.fetchTopicOffsetsByTimestamp('a', 3500)));
    await step('offsets of a late time', async () => byPartition(await admin.fetchTopicOffsetsByTimestamp('a', 99_999)));
    await step('offsets of no time', async () => byPartition(await admin.fetchTopicOffsetsByTimestamp('a')));

    // The first coordinator loads for a moment.
    await eventually(
      () =>
        admin.describeGroups(['set']).then(
          () => true,
          () => false,
        ),
      Boolean,
    );
    await step('set offsets', () =>
      admin.setOffsets({
        groupId: 'set',
        topic: 'a',
        partitions: [
          { partition: 0, offset: '3' },
          { partition: 1, offset: '0' },
        ],
      }),
    );
    await step('offsets of a group', () => admin.fetchOffsets({ groupId: 'set', topics: ['a'] }));
    await step('all offsets of a group', () => admin.fetchOffsets({ groupId: 'set' }));
    await step('offsets of no group', () => admin.fetchOffsets({ groupId: 'nope', topics: ['a'] }));
    await step('all offsets of no group', () => admin.fetchOffsets({ groupId: 'nope' }));
    await step('offsets of a group for nothing', () => admin.fetchOffsets({ groupId: 'set', topics: ['nope'] }));
    await step('offsets without a group', () => admin.fetchOffsets({ topics: ['a'] }));
    await step('reset and resolved', async () => {
      await admin.resetOffsets({ groupId: 'set', topic: 'a', earliest: false });
      return admin.fetchOffsets({ groupId: 'set', topics: ['a'], resolveOffsets: true });
    });
    await step('resolved is committed', () => admin.fetchOffsets({ groupId: 'set', topics: ['a'] }));
    await step('set offsets of nothing', () => admin.setOffsets({ groupId: 'set', topic: 'nope', partitions: [{ partition: 0, offset: '3' }] }));
    await step('set no offsets', () => admin.setOffsets({ groupId: 'set', topic: 'a', partitions: [] }));

    await step('cluster', async () => {
      const { brokers: nodes, controller, clusterId } = await admin.describeCluster();
      return [nodes.map(({ nodeId, host, port }) => [nodeId, `${host}:${port}` === brokers[0]]), controller, clusterId.length];
    });
    await step('configs', () =>
      admin.describeConfigs({ includeSynonyms: false, resources: [{ type: TOPIC, name: 'b', configNames: ['retention.ms', 'cleanup.policy'] }] }),
    );
    await step('configs with synonyms', () =>
      admin.describeConfigs({
        includeSynonyms: true,
        resources: [
          { type: TOPIC, name: 'b', configNames: ['retention.ms'] },
          { type: BROKER, name: '1', configNames: ['log.retention.ms', 'num.partitions'] },
        ],
      }),
    );
    await step('all configs', async () => (await admin.describeConfigs({ resources: [{ type: TOPIC, name: 'a' }] })).resources[0].configEntries);
    await step('configs of nothing', () => admin.describeConfigs({ resources: [{ type: TOPIC, name: 'nope' }] }));
    await step('configs of no broker', () => admin.describeConfigs({ resources: [{ type: BROKER, name: '9' }] }));
    await step('altered', () =>
      admin.alterConfigs({
        resources: [
          {
            type: TOPIC,
            name: 'b',
            configEntries: [
              { name: 'cleanup.policy', value: 'compact' },
              { name: 'retention.ms', value: '60000' },
            ],
          },
        ],
      }),
    );
    await step('as altered', () =>
      eventually(
        () => admin.describeConfigs({ resources: [{ type: TOPIC, name: 'b', configNames: ['retention.ms', 'cleanup.policy'] }] }),
        ({ resources: [{ configEntries }] }) => configEntries.some(({ configValue }) => configValue === 'compact'),
      ),
    );
    await step('nothing altered', () =>
      admin.alterConfigs({ resources: [{ type: TOPIC, name: 'nope', configEntries: [{ name: 'cleanup.policy', value: 'compact' }] }] }),
    );
    await step('altered to nonsense', () =>
      admin.alterConfigs({ resources: [{ type: TOPIC, name: 'b', configEntries: [{ name: 'cleanup.policy', value: 'what' }] }] }),
    );
    await step('an alteration validated', () =>
      admin.alterConfigs({ validateOnly: true, resources: [{ type: TOPIC, name: 'b', configEntries: [{ name: 'cleanup.policy', value: 'delete' }] }] }),
    );
    for (const [name, resources] of Object.entries({ none: undefined, empty: [], 'wrong type': [{ type: 7, name: 'a' }], 'no name': [{ type: TOPIC }] })) {
      await step(`describeConfigs of ${name}`, () => admin.describeConfigs({ resources }));
      await step(`alterConfigs of ${name}`, () => admin.alterConfigs({ resources }));
    }

    await consumer.connect();
    await consumer.subscribe({ topic: 'a', fromBeginning: true });
    const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve));
    await consumer.run({ eachMessage: async () => {} });
    await joined;
    await step('a group with a member', async () => {
      const { groups } = await admin.describeGroups(['members', 'nope']);
      return groups.map(({ members, ...group }) => ({
        ...group,
        members: members.map(({ memberId, memberMetadata, memberAssignment, ...member }) => ({
          ...member,
          memberId: memberId.startsWith('other-'),
          metadata: memberMetadata.toString('hex'),
          assignment: memberAssignment.toString('hex'),
          decoded: [lib.AssignerProtocol.MemberMetadata.decode(memberMetadata), lib.AssignerProtocol.MemberAssignment.decode(memberAssignment)],
        })),
      }));
    });
    await step('set offsets of members', () => admin.setOffsets({ groupId: 'members', topic: 'a', partitions: [{ partition: 0, offset: '3' }] }));
    await step('reset offsets of members', () => admin.resetOffsets({ groupId: 'members', topic: 'a', earliest: true }));
    await step('a group with members is not deleted', () => admin.deleteGroups(['members']));
    await consumer.disconnect();
    await step('listGroups', async () => (await admin.listGroups()).groups.map(({ groupId }) => groupId).sort());
    await step('deleteGroups', () => admin.deleteGroups(['members']));
    await step('deleteGroups again', () => admin.deleteGroups(['members']));
    await step('deleteGroups of none', () => admin.deleteGroups([]));
    await step('describeGroups of none', () => admin.describeGroups([]));

    await step('delete records', () => admin.deleteTopicRecords({ topic: 'a', partitions: [{ partition: 0, offset: '4' }] }));
    await step('the log begins later', async () => byPartition(await admin.fetchTopicOffsets('a')));
    await step('delete records below the begin', () => admin.deleteTopicRecords({ topic: 'a', partitions: [{ partition: 0, offset: '1' }] }));
    await step('delete records of no partition', () =>
      admin.deleteTopicRecords({
        topic: 'a',
        partitions: [
          { partition: 9, offset: '4' },
          { partition: 0, offset: '5' },
        ],
      }),
    );
    await step('delete records past the end', () => admin.deleteTopicRecords({ topic: 'a', partitions: [{ partition: 0, offset: '99' }] }));
    await step('delete all records', () => admin.deleteTopicRecords({ topic: 'a', partitions: [{ partition: 0, offset: '-1' }] }));
    await step('the log is empty', async () => byPartition(await admin.fetchTopicOffsets('a')));

    const acl = {
      resourceType: lib.AclResourceTypes.TOPIC,
      resourceName: 'a',
      resourcePatternType: lib.ResourcePatternTypes.LITERAL,
      principal: 'User:bob',
      host: '*',
      operation: lib.AclOperationTypes.READ,
      permissionType: lib.AclPermissionTypes.ALLOW,
    };
    const all = { resourceType: ANY, resourcePatternType: ANY, operation: ANY, permissionType: ANY };
    const sorted = (acls) => [...acls].sort((x, y) => x.principal.localeCompare(y.principal));
    await step('create ACLs', () => admin.createAcls({ acl: [acl, { ...acl, principal: 'User:al', operation: 4 }] }));
    await step('create an ACL of nobody', () => admin.createAcls({ acl: [{ ...acl, principal: 'bob' }] }));
    await step('create no ACLs', () => admin.createAcls({ acl: [] }));
    await step('create a wrong ACL', () => admin.createAcls({ acl: [{ ...acl, operation: 99 }] }));
    await eventually(
      () => admin.describeAcls(all),
      ({ resources }) => resources[0]?.acls.length === 2,
    );
    await step('describe ACLs', async () => (await admin.describeAcls(all)).resources.map(({ acls, ...resource }) => ({ ...resource, acls: sorted(acls) })));
    await step('describe other ACLs', () => admin.describeAcls({ ...all, resourceName: 'zz' }));
    await step('describe a wrong ACL', () => admin.describeAcls({ ...all, permissionType: 'x' }));
    await step('delete ACLs', async () =>
      (await admin.deleteAcls({ filters: [{ ...all, principal: 'User:al' }, { ...all, resourceType: 3 }, all] })).filterResponses.map(
        ({ matchingAcls, ...response }) => ({ ...response, matchingAcls: sorted(matchingAcls) }),
      ),
    );
    await step('delete no ACLs', () => admin.deleteAcls({ filters: [] }));

    await step('delete topics', () => admin.deleteTopics({ topics: ['b', 'c'] }));
    await step('delete nothing', () => admin.deleteTopics({ topics: ['nope'] }));
    await step('delete wrong topics', () => admin.deleteTopics({ topics: [1] }));
    await step('an event of no name', async () => admin.on('nope', () => {}));
    await step('disconnect', () => admin.disconnect());
    steps.events = events;
    steps['names of events'] = admin.events;
  } finally {
    await Promise.allSettled([admin.disconnect(), producer.disconnect(), consumer.disconnect()]);
    await cluster.stop({ wipe: true });
  }
  return steps;
}

test('a program sees the same on KafkaJS and on ours', async (t) => {
  const [expected, actual] = await Promise.all([kafkajs, ours].map(program));
  assert.deepEqual(Object.keys(actual), Object.keys(expected));
  for (const [name, value] of Object.entries(expected)) {
    await t.test(name, () => assert.deepEqual(actual[name], value));
  }
});

test('the numbers and the protocol of assigners are the same', () => {
  for (const name of ['AclResourceTypes', 'AclOperationTypes', 'AclPermissionTypes', 'ResourcePatternTypes', 'ConfigResourceTypes', 'ConfigSource']) {
    for (const [key, number] of Object.entries(kafkajs[name] ?? {})) assert.equal(ours[name][key], number, `${name}.${key}`);
  }
  const metadata = { version: 1, topics: ['a', 'ü'], userData: Buffer.from('x') };
  const assignment = { version: 1, assignment: { a: [0, 2], ü: [] }, userData: Buffer.from('y') };
  assert.deepEqual(ours.AssignerProtocol.MemberMetadata.encode(metadata), kafkajs.AssignerProtocol.MemberMetadata.encode(metadata));
  assert.deepEqual(ours.AssignerProtocol.MemberAssignment.encode(assignment), kafkajs.AssignerProtocol.MemberAssignment.encode(assignment));
  assert.deepEqual(ours.AssignerProtocol.MemberMetadata.decode(kafkajs.AssignerProtocol.MemberMetadata.encode(metadata)), metadata);
  assert.deepEqual(ours.AssignerProtocol.MemberAssignment.decode(kafkajs.AssignerProtocol.MemberAssignment.encode(assignment)), assignment);
  assert.equal(ours.AssignerProtocol.MemberAssignment.decode(Buffer.alloc(0)), null);
});

describe('what KafkaJS does not do', () => {
  /** @type {KafkaCluster} */ let cluster;
  /** @type {ours.Admin} */ let admin;
  const kafka = (options) => new ours.Kafka({ brokers: cluster.brokers.split(','), logLevel: ours.logLevel.NOTHING, ...options });
  /** For what fails in the end. */
  const impatient = (run) => using(kafka({ retry: RETRY }).admin(), run);
  before(async () => {
    cluster = await KafkaCluster.start({ nodes: 3, security: true });
    admin = kafka().admin();
  });
  after(async () => {
    await admin?.disconnect();
    await cluster?.stop({ wipe: true });
  });
  /** Runs with an admin of its own, and ends it as `await using` does. */
  const using = async (one, run) => {
    try {
      return await run(one);
    } finally {
      await one[Symbol.asyncDispose]();
    }
  };
  const made = async (topic, options) => {
    assert.equal(await admin.createTopics({ topics: [{ topic, numPartitions: 2, replicationFactor: 3, ...options }] }), true);
    return topic;
  };
  const filled = async (topic, count) => {
    const producer = oracle(cluster.brokers).producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
    await producer.connect();
    await producer.send({ topic, messages: Array.from({ length: count }, (_, i) => ({ partition: 0, value: `${i}` })) });
    await producer.disconnect();
  };

  test('resetOffsets commits where the log begins and ends', async () => {
    const topic = await made('reset');
    await filled(topic, 5);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '2' }] });
    const offsets = async (earliest) => {
      await admin.resetOffsets({ groupId: 'reset', topic, earliest });
      const [{ partitions }] = await admin.fetchOffsets({ groupId: 'reset', topics: [topic] });
      return partitions.map(({ offset }) => offset);
    };
    assert.deepEqual(await offsets(true), ['2', '0']);
    assert.deepEqual(await offsets(false), ['5', '0']);
  });

  test('setOffsets rejects for a partition that does not exist, and commits nothing', async () => {
    const topic = await made('set');
    const partitions = [
      { partition: 0, offset: '1' },
      { partition: 7, offset: '1' },
    ];
    await assert.rejects(admin.setOffsets({ groupId: 'set', topic, partitions }), { name: 'KafkaJSProtocolError', type: 'UNKNOWN_TOPIC_OR_PARTITION' });
    assert.deepEqual(await admin.fetchOffsets({ groupId: 'set' }), []);
    await assert.rejects(admin.setOffsets({ groupId: 'set', topic, partitions: [{ partition: 0, offset: 'x' }] }), {
      name: 'KafkaJSNonRetriableError',
      message: /Invalid offset x/,
    });
  });

  test('committed offsets are forgotten, partition by partition', async () => {
    const topic = await made('forget');
    await admin.setOffsets({
      groupId: 'forget',
      topic,
      partitions: [
        { partition: 0, offset: '0' },
        { partition: 1, offset: '0' },
      ],
    });
    await admin.deleteOffsets({ groupId: 'forget', topic, partitions: [0] });
    const [{ partitions }] = await admin.fetchOffsets({ groupId: 'forget' });
    assert.deepEqual(partitions, [{ partition: 1, offset: '0', metadata: null }]);
    await assert.rejects(admin.deleteOffsets({ groupId: 'nobody', topic }), { type: 'GROUP_ID_NOT_FOUND' });
  });

  test('a group whose deletion is not answered has the code of a request that timed out', async () => {
    const nowhere = new ours.Kafka({ brokers: ['127.0.0.1:1'], logLevel: ours.logLevel.NOTHING }).admin();
    const error = await using(nowhere, () => nowhere.deleteGroups(['a', 'b'], { timeout: 100 }).catch((caught) => caught));
    assert.ok(error instanceof ours.KafkaJSDeleteGroupsError);
    assert.deepEqual(
      error.groups.map(({ groupId, errorCode, error: of }) => [groupId, errorCode, of.name]),
      ['a', 'b'].map((id) => [id, 7, 'KafkaJSRequestTimeoutError']),
    );
  });

  test('deleteTopicRecords past the end names the partitions, on a fresh connection', async () => {
    const topic = await made('past');
    await filled(topic, 3);
    const partitions = [
      { partition: 0, offset: '4' },
      { partition: 1, offset: '0' },
    ];
    const error = await using(kafka().admin(), (fresh) => fresh.deleteTopicRecords({ topic, partitions }).catch((caught) => caught));
    assert.ok(error.cause instanceof ours.KafkaJSDeleteTopicRecordsError);
    assert.deepEqual(
      error.cause.partitions.map(({ partition, offset, error: of }) => [partition, offset, of.type]),
      [[0, '4', 'OFFSET_OUT_OF_RANGE']],
    );
  });

  test('alterConfigs leaves what it does not name; lists are appended to and subtracted from', async () => {
    const topic = await made('configs', { configEntries: [{ name: 'retention.ms', value: '60000' }] });
    const value = async (name) =>
      (await admin.describeConfigs({ resources: [{ type: TOPIC, name: topic, configNames: [name] }] })).resources[0].configEntries[0].configValue;
    // Another broker may answer, which hears of it a moment later.
    const becomes = (name, wanted) => eventually(() => value(name), wanted);
    const alter = (configEntries) => admin.incrementalAlterConfigs({ resources: [{ type: TOPIC, name: topic, configEntries }] });
    await admin.alterConfigs({ resources: [{ type: TOPIC, name: topic, configEntries: [{ name: 'max.message.bytes', value: '2000' }] }] });
    await becomes('max.message.bytes', (found) => found === '2000');
    assert.equal(await value('retention.ms'), '60000');
    await alter([{ name: 'cleanup.policy', operation: 'append', value: 'compact' }]);
    await becomes('cleanup.policy', (found) => found.split(',').length === 2);
    await alter([
      { name: 'cleanup.policy', operation: 'subtract', value: 'delete' },
      { name: 'retention.ms', operation: 'delete' },
    ]);
    await becomes('cleanup.policy', (found) => found === 'compact');
    await becomes('retention.ms', (found) => found !== '60000');
    await assert.rejects(alter([{ name: 'retention.ms' }]), { name: 'KafkaJSNonRetriableError' });
    const brokers = [1, 2, 3].map((id) => ({ type: BROKER, name: String(id), configNames: ['broker.id', 'node.id'] }));
    const { resources } = await admin.describeConfigs({ resources: brokers });
    assert.deepEqual(
      resources.map(({ resourceName, configEntries }) => [resourceName, configEntries.find(({ configName }) => configName === 'node.id').configValue]),
      [
        ['1', '1'],
        ['2', '2'],
        ['3', '3'],
      ],
    );
  });

  for (const groupProtocol of ['classic', 'consumer']) {
    test(`a group of the protocol ${groupProtocol} is listed and described, with what its members have`, async () => {
      const topic = await made(`members-${groupProtocol}`);
      const groupId = `group-${groupProtocol}`;
      const consumer = kafka({ clientId: 'mine' }).consumer({ groupId, groupProtocol });
      await consumer.connect();
      try {
        await consumer.subscribe({ topic });
        await consumer.run({ eachMessage: async () => {} });
        const {
          groups: [group],
        } = await eventually(
          () => admin.describeGroups([groupId]),
          ({ groups: [{ state, members }] }) => state === 'Stable' && members[0]?.memberAssignment.length > 10,
        );
        const [member] = group.members;
        assert.deepEqual([group.protocolType, group.protocol !== '', member.clientId, member.memberId !== ''], ['consumer', true, 'mine', true]);
        assert.deepEqual({ ...kafkajs.AssignerProtocol.MemberAssignment.decode(member.memberAssignment).assignment }, { [topic]: [0, 1] });
        assert.deepEqual(kafkajs.AssignerProtocol.MemberMetadata.decode(member.memberMetadata).topics, [topic]);
        assert.ok((await admin.listGroups()).groups.some((one) => one.groupId === groupId && one.protocolType === 'consumer'));
        await assert.rejects(admin.deleteGroups([groupId, 'nobody']), (error) => {
          assert.deepEqual(error.groups.map((one) => [one.groupId, one.error.type]).sort(), [
            [groupId, 'NON_EMPTY_GROUP'],
            ['nobody', 'GROUP_ID_NOT_FOUND'],
          ]);
          return true;
        });
        await assert.rejects(admin.resetOffsets({ groupId, topic, earliest: true }), {
          name: 'KafkaJSNonRetriableError',
          message: /must have no running instances/,
        });
      } finally {
        await consumer.disconnect();
      }
      await eventually(
        () => admin.describeGroups([groupId]),
        ({ groups: [{ state }] }) => state === 'Empty',
      );
      assert.deepEqual(await admin.deleteGroups([groupId]), [{ groupId, errorCode: 0 }]);
    });
  }

  test('what librdkafka cannot do names who can', async () => {
    const topics = [{ topic: 't', partitionAssignment: [{ partition: 0, replicas: [1] }] }];
    await assert.rejects(admin.alterPartitionReassignments({ topics }), { name: 'KafkaJSNotImplemented', message: /kafka-reassign-partitions/ });
    await assert.rejects(admin.listPartitionReassignments({}), { name: 'KafkaJSNotImplemented', message: /kafka-reassign-partitions/ });
    await assert.rejects(admin.describeConfigs({ resources: [{ type: ours.ConfigResourceTypes.BROKER_LOGGER, name: '1' }] }), {
      name: 'KafkaJSNotImplemented',
      message: /kafka-configs/,
    });
    const acl = {
      resourceType: ours.AclResourceTypes.DELEGATION_TOKEN,
      resourceName: 'x',
      resourcePatternType: 3,
      principal: 'User:x',
      host: '*',
      operation: 3,
      permissionType: 3,
    };
    await assert.rejects(admin.createAcls({ acl: [acl] }), { name: 'KafkaJSNotImplemented', message: /kafka-acls/ });
  });

  test('a topic that others delete is forgotten', async () => {
    const topic = await made('gone');
    assert.equal((await admin.fetchTopicOffsets(topic)).length, 2);
    await using(kafka().admin(), (other) => other.deleteTopics({ topics: [topic] }));
    await impatient((one) => assert.rejects(one.fetchTopicOffsets(topic), { name: 'KafkaJSNumberOfRetriesExceeded' }));
    await eventually(
      () => admin.listTopics(),
      (topics) => !topics.includes(topic),
    );
    await made('another');
  });

  test('deleteTopics that fails for one topic deletes the others', async () => {
    const [first, second] = [await made('one'), await made('two')];
    const error = await impatient((one) => one.deleteTopics({ topics: [first, 'nope', second] }).catch((caught) => caught));
    assert.deepEqual([error.name, error.retryCount > 0, error.cause.type], ['KafkaJSNumberOfRetriesExceeded', true, 'UNKNOWN_TOPIC_OR_PARTITION']);
    await eventually(
      () => admin.listTopics(),
      (topics) => !topics.includes(first) && !topics.includes(second),
    );
  });

  test('users get passwords, log in with them, and lose them', async () => {
    const credentials = async () => (await admin.describeUsers({ users: ['carol'] }))[0];
    await admin.alterUsers({ alterations: [{ user: 'carol', mechanism: 'SCRAM-SHA-256', password: 'first', iterations: 4096 }] });
    assert.deepEqual(await eventually(credentials, ({ error }) => !error), { user: 'carol', credentials: [{ mechanism: 'SCRAM-SHA-256', iterations: 4096 }] });
    const login = (password) =>
      kafka({ brokers: cluster.listeners.saslPlaintext.split(','), sasl: { mechanism: 'scram-sha-256', username: 'carol', password } }).admin();
    await using(login('first'), async (carol) => {
      // Each broker hears of the user by itself.
      await eventually(
        () =>
          carol.connect().then(
            () => true,
            (error) => assert.equal(error.name, 'KafkaJSSASLAuthenticationError'),
          ),
        Boolean,
      );
    });
    await assert.rejects(login('wrong').connect(), { name: 'KafkaJSSASLAuthenticationError' });
    await admin.alterUsers({ alterations: [{ user: 'carol', mechanism: 'SCRAM-SHA-256' }] });
    await assert.rejects(admin.alterUsers({ alterations: [{ user: 'dave', mechanism: 'SCRAM-SHA-512' }] }), (error) => {
      assert.equal(error.name, 'KafkaJSAggregateError');
      assert.equal(error.errors[0].user, 'dave');
      return true;
    });
    await assert.rejects(admin.alterUsers({ alterations: [{ user: 'x', mechanism: 'MD5' }] }), { name: 'KafkaJSNonRetriableError' });
    const [dave] = await admin.describeUsers({ users: ['dave'] });
    assert.equal(dave.error.name, 'KafkaJSProtocolError');
  });

  test('replicas, a broker that is down, and leaders that come back', async () => {
    const topic = await made('leaders', {
      numPartitions: undefined,
      replicationFactor: undefined,
      replicaAssignment: [
        { partition: 1, replicas: [2, 3, 1] },
        { partition: 0, replicas: [1, 2, 3] },
      ],
    });
    const state = async () => (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions;
    const until = (is) => eventually(state, is);
    // A broker that is asked later may hear of the topic later.
    const first = await eventually(
      () => state().catch(() => []),
      ({ length }) => length > 0,
    );
    assert.deepEqual(
      first.map(({ leader, replicas }) => [leader, replicas]),
      [
        [1, [1, 2, 3]],
        [2, [2, 3, 1]],
      ],
    );
    await cluster.nodes[1].stop();
    const [, down] = await until((partitions) => partitions[1].leader !== 2 && partitions[1].offlineReplicas.length === 1);
    assert.deepEqual([down.offlineReplicas, down.isr.includes(2)], [[2], false]);
    await cluster.nodes[1].start();
    await until((partitions) => partitions[1].isr.length === 3);
    const elected = await admin.electLeaders({ topics: [{ topic, partitions: [0, 1] }] });
    assert.ok(
      elected.every(({ partition, error }) => partition === 1 && !error),
      JSON.stringify(elected),
    );
    await until((partitions) => partitions[1].leader === 2);
    assert.equal((await admin.electLeaders({ topics: [{ topic: 'nope', partitions: [0] }] }))[0].error.type, 'UNKNOWN_TOPIC_OR_PARTITION');
  });

  test('calls run side by side, and connect may follow disconnect', async () => {
    const one = kafka().admin();
    const clusters = await Promise.all(Array.from({ length: 20 }, () => one.describeCluster()));
    assert.ok(clusters.every(({ brokers }) => brokers.length === 3));
    await one.disconnect();
    await assert.rejects(one.listTopics(), { name: 'KafkaJSConnectionClosedError' });
    await one.connect();
    assert.equal((await one.describeCluster()).brokers.length, 3);
    await one.disconnect();
  });

  test('a listener that fails is logged, and nothing else fails: of an admin, a producer and a consumer', async () => {
    for (const [role, make] of [
      ['admin', (client) => client.admin()],
      ['producer', (client) => client.producer()],
      ['consumer', (client) => client.consumer({ groupId: 'listens' })],
    ]) {
      const lines = [];
      const one = make(
        kafka({
          logLevel: ours.logLevel.ERROR,
          logCreator:
            () =>
            ({ log }) =>
              lines.push(log.message),
        }),
      );
      one.on(one.events.CONNECT, () => {
        throw new Error('mine');
      });
      one.on(one.events.CONNECT, async () => {
        throw new Error('later');
      });
      const off = one.on(one.events.DISCONNECT, () => assert.fail('it was taken off'));
      off();
      assert.throws(() => one.on(`${role}.nothing`, () => {}), { name: 'KafkaJSNonRetriableError', message: new RegExp(`${role}\\.events\\.CONNECT`) });
      await one.connect();
      await one.disconnect();
      for (const why of ['mine', 'later'])
        assert.ok(
          lines.some((line) => line.includes(`${role}.connect`) && line.includes(why)),
          lines.join(),
        );
    }
  });

  test('nobody who answers is a time-out of the call, a refusal its own error at once', async () => {
    const nobody = kafka({ brokers: ['127.0.0.1:1'] }).admin();
    await assert.rejects(nobody.listTopics({ timeout: 200 }), (error) => error instanceof ours.KafkaJSError);
    await assert.rejects(nobody.describeCluster({ timeout: 200 }), (error) => error instanceof ours.KafkaJSError);
    await assert.rejects(nobody.describeCluster({ timeout: 'soon' }), { name: 'KafkaJSNonRetriableError', message: /timeout/ });
    await nobody.disconnect();
    const refused = kafka({ brokers: cluster.listeners.saslPlaintext.split(','), sasl: { mechanism: 'plain', username: 'alice', password: 'no' } }).admin();
    await assert.rejects(refused.connect(), { name: 'KafkaJSSASLAuthenticationError' });
    await assert.rejects(refused.listTopics(), { name: 'KafkaJSSASLAuthenticationError' });
    await assert.rejects(refused.describeCluster(), { name: 'KafkaJSSASLAuthenticationError' });
    await refused.disconnect();
  });
});

test('deleting groups of a cluster that cannot is refused, as often as it is asked', async (t) => {
  const cluster = new MockCluster({ brokers: 1 });
  cleanup(t, () => cluster.close());
  const admin = new ours.Kafka({ brokers: [cluster.options.broker], logLevel: ours.logLevel.NOTHING }).admin();
  cleanup(t, () => admin.disconnect());
  await admin.connect();
  for (let n = 0; n < 10; n++) await assert.rejects(admin.deleteGroups(['one', 'two']), { name: 'KafkaJSDeleteGroupsError' });
});
