'use strict';
// deepstream on a Kafka that wants TLS, a login and rights, in both forms; and options for one of kafka-native's clients alone.

const { after, before, describe, test } = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const { cleanup } = require('./support/cleanup.js');
const { real, topicName } = require('./support/clusters.js');
const { connect, hear, isReady } = require('./support/deepstream-connector.js');
const { Node, newTopic, startNodes, startPeers } = require('./support/deepstream.js');
const { PATIENCE } = require('./support/flow.js');
const { kafkajs, oracle } = require('./support/kafkajs.js');
const { Calls } = require('./support/watch.js');

/** @type {any} */ let cluster;
/** @type {any} */ let servers;
before(async () => {
  cluster = await real({ own: true, security: true, acls: true });
  servers = cluster.kafka;
  // In tests that are not about rights.
  await allow('bob', '*', ['ALL']);
});
after(() => cluster?.close());

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs;

/** Rights of a user on a topic. */
async function allow(user, topic, operations) {
  const admin = oracle(cluster).admin();
  await admin.connect();
  const acl = (operation) => ({
    resourceType: AclResourceTypes.TOPIC,
    resourceName: topic,
    resourcePatternType: ResourcePatternTypes.LITERAL,
    principal: `User:${user}`,
    host: '*',
    operation: AclOperationTypes[operation],
    permissionType: AclPermissionTypes.ALLOW,
  });
  await admin.createAcls({ acl: operations.map(acl) });
  await admin.disconnect();
}

const pem = (name) => fs.readFileSync(servers.tls[name], 'utf8');
const plain = (password = servers.users.alice.password) => ({ mechanism: 'plain', username: 'alice', password });
const scram = (password = servers.users.bob.password) => ({ mechanism: 'scram-sha-512', username: 'bob', password });

/** Options, made when the cluster is there. */
const ways = {
  'with ssl and sasl': () => ({ connectionString: servers.listeners.saslSsl, ssl: { ca: pem('ca') }, sasl: scram() }),
  'with sasl': () => ({ connectionString: servers.listeners.saslPlaintext, sasl: scram() }),
  "with librdkafka's properties, as in a configuration file": () => ({
    connectionString: servers.listeners.saslSsl,
    properties: {
      'security.protocol': 'sasl_ssl',
      'ssl.ca.location': servers.tls.ca,
      'sasl.mechanisms': 'SCRAM-SHA-256',
      'sasl.username': 'bob',
      'sasl.password': servers.users.bob.password,
    },
  }),
};

/** Options with which Kafka takes nobody, and its words. @type {Record<string, [() => object, RegExp]>} */
const refused = {
  'a wrong password': [() => ({ connectionString: servers.listeners.saslPlaintext, sasl: scram('wrong-secret') }), /SASL.*authentication/i],
  'an authority that is not its own': [() => ({ connectionString: servers.listeners.ssl, ssl: { ca: pem('clientCert') } }), /certificate/],
};

describe('the cluster node', () => {
  for (const [way, options] of Object.entries(ways))
    test(way, async (t) => {
      const [one, two] = await startNodes(t, cluster, options());
      one.emit('news');
      await two.hears('news');
    });

  test('of a real server, by its configuration', async (t) => {
    const clusterNode = ({ topic }) => ({ path: 'deepstream.io-msg-kafka', options: { ...ways['with ssl and sasl'](), topic } });
    const peers = await startPeers(t, cluster, { clusterNode });
    const [a, b] = [await peers[0].client('a'), await peers[1].client('b')];
    b.rpc.provide('who', (_, response) => response.send('b'));
    const answered = new Calls();
    const ask = () => a.rpc.make('who', null).then(answered.take, () => setImmediate(ask));
    ask();
    assert.equal(await answered.until(), 'b');
  });

  for (const [what, [options, words]] of Object.entries(refused))
    test(`says why it cannot start: ${what}`, async (t) => {
      const node = new Node(cluster, { topic: newTopic(), ...options() });
      cleanup(t, () => node.node.close());
      node.node.whenReady();
      const [, event, text] = await node.lines.until(([level, , message]) => level === 'error' && words.test(message));
      assert.equal(event, 'PLUGIN_INITIALIZATION_ERROR');
      assert.doesNotMatch(text, /wrong-secret/);
    });

  test('needs READ, WRITE and DESCRIBE on its topic, and nothing else', async (t) => {
    const topic = await cluster.topic(1);
    await allow('alice', topic, ['READ', 'WRITE', 'DESCRIBE']);
    const [one, two] = await startNodes(t, cluster, { topic, connectionString: servers.listeners.saslPlaintext, sasl: plain() });
    one.emit('news');
    await two.hears('news');
  });

  test('says which right it lacks to make its topic', async (t) => {
    const node = new Node(cluster, { topic: newTopic(), connectionString: servers.listeners.saslPlaintext, sasl: plain() });
    cleanup(t, () => node.node.close());
    node.node.whenReady();
    await node.lines.until(([level, , text]) => level === 'error' && /could not be made: .*authoriz.*: make it, or allow CREATE/i.test(text));
  });
});

describe('the message connector', () => {
  for (const [way, options] of Object.entries(ways))
    test(way, async (t) => {
      const [a, b] = [connect(t, cluster, options()), connect(t, cluster, options())];
      const topic = topicName('secure');
      const heard = await hear(a, topic);
      b.publish(topic, 1);
      assert.equal(await heard.until(), 1);
      assert.deepEqual([...a.errors.all, ...b.errors.all], []);
    });

  for (const [what, [options, words]] of Object.entries(refused))
    test(`says why it is not ready: ${what}`, async (t) => {
      const connector = connect(t, cluster, options());
      const { text } = await connector.errors.until((error) => words.test(error.text));
      assert.doesNotMatch(text, /wrong-secret/);
      assert.equal(connector.isReady, false);
    });

  test('needs READ, WRITE and DESCRIBE on its topics, and nothing else', async (t) => {
    const topic = await cluster.topic(1);
    await allow('alice', topic, ['READ', 'WRITE', 'DESCRIBE']);
    const options = { connectionString: servers.listeners.saslPlaintext, sasl: plain() };
    const [a, b] = [connect(t, cluster, options), connect(t, cluster, options)];
    const heard = await hear(a, topic);
    b.publish(topic, 1);
    assert.equal(await heard.until(), 1);
    const missing = topicName('missing');
    a.subscribe(missing, heard.take);
    await a.errors.until(({ text }) => text.includes(missing) && /could not be made: .*authoriz.*: make it, or allow CREATE/i.test(text));
  });
});

describe('options of one client', () => {
  test("reach the cluster node's producer", async (t) => {
    const [one, two] = await startNodes(t, cluster, { producer: { properties: { 'message.max.bytes': '2000' } } });
    for (const [name, bytes] of Object.entries({ a: 10, b: 5000, c: 10 })) one.emit(name, { data: 'x'.repeat(bytes) });
    await two.hears('c');
    assert.deepEqual(two.names(), ['a', 'c']);
  });

  test("reach the message connector's producer", async (t) => {
    const [a, b] = [connect(t, cluster), connect(t, cluster, { producer: { properties: { 'message.max.bytes': '2000' } } })];
    const topic = topicName('small');
    const heard = await hear(a, topic);
    for (const bytes of [1, 5000, 2]) b.publish(topic, 'x'.repeat(bytes));
    await heard.count(2);
    assert.deepEqual(heard.all, ['x', 'xx']);
  });

  /** A record of a transaction that is aborted, and one behind it: a reader that does not read the uncommitted sees the second alone. */
  async function write(t, topic, values, headers) {
    const producer = oracle(cluster).producer({ transactionalId: topicName('tx'), maxInFlightRequests: 1, idempotent: true });
    cleanup(t, () => producer.disconnect());
    await producer.connect();
    for (const [i, value] of values.entries()) {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ partition: 0, headers, value: JSON.stringify(value) }] });
      await (i === 0 ? transaction.abort() : transaction.commit());
    }
  }

  test("reach the cluster node's consumer", async (t) => {
    const topic = newTopic();
    const [any] = await startNodes(t, cluster, { count: 1, topic });
    const [careful] = await startNodes(t, cluster, { count: 1, topic, consumer: { readUncommitted: false } });
    await write(
      t,
      topic,
      ['aborted', 'committed'].map((name) => ({ topic: 4, action: 0, name })),
      { f: 'x', s: 'foreign' },
    );
    await Promise.all([any.hears('committed'), careful.hears('committed')]);
    assert.deepEqual([any.names(), careful.names()], [['aborted', 'committed'], ['committed']]);
  });

  test("reach the message connector's consumer", async (t) => {
    const topic = topicName('uncommitted');
    const [any, careful] = [connect(t, cluster), connect(t, cluster, { consumer: { readUncommitted: false } })];
    await Promise.all([isReady(any), isReady(careful)]);
    const heard = await Promise.all([hear(any, topic), hear(careful, topic)]);
    await write(
      t,
      topic,
      ['aborted', 'committed'].map((data) => ({ data, _s: 'foreign' })),
    );
    for (const calls of heard) await calls.until((data) => data === 'committed', PATIENCE);
    assert.deepEqual(
      heard.map(({ all }) => all),
      [['aborted', 'committed'], ['committed']],
    );
  });
});
