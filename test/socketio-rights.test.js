'use strict';
// Servers with the rights that the README names, with some of them taken away, and beside a broker that stands still.

const { after, before, test } = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, Kafka, ResourcePatternTypes, logLevel } = require('kafka-native');
const { Emitter, createAdapter } = require('socket.io-kafka');
const { cleanup } = require('./support/cleanup.js');
const { real } = require('./support/clusters.js');
const { PATIENCE } = require('./support/flow.js');
const { Peer, SILENT, kafkaOf, newKey } = require('./support/socketio.js');
const { eventually, witness } = require('./support/watch.js');

const { READ, WRITE, DESCRIBE, CREATE } = AclOperationTypes;

/** @type {any} */ let cluster;
/** @type {any} */ let admin;
before(async () => {
  cluster = await real({ own: true, security: true, acls: true });
  admin = new Kafka({ ...kafkaOf(cluster), logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
});
after(async () => {
  await admin?.disconnect();
  await cluster?.close();
});

/** Kafka as a user reaches it, who may do what ACLs allow. */
function kafkaFor(username) {
  const { listeners, tls, users } = cluster.kafka;
  const { mechanism, password } = users[username];
  return new Kafka({
    brokers: [listeners.saslSsl],
    ssl: { ca: fs.readFileSync(tls.ca, 'utf8') },
    sasl: { mechanism: mechanism.toLowerCase(), username, password },
    logLevel: logLevel.NOTHING,
  });
}

const rightOf = (user, topic, operation) => ({
  resourceType: AclResourceTypes.TOPIC,
  resourceName: topic,
  resourcePatternType: ResourcePatternTypes.LITERAL,
  principal: `User:${user}`,
  host: '*',
  operation,
  permissionType: AclPermissionTypes.ALLOW,
});
const allow = (user, topics, operations) => admin.createAcls({ acl: topics.flatMap((topic) => operations.map((each) => rightOf(user, topic, each))) });

async function start(t, adapter) {
  const peer = await Peer.start(adapter);
  cleanup(t, () => peer.close());
  await peer.adapter().init();
  return peer;
}

test("the rights of the README's table are enough: of servers, those that make the topics too, and of an Emitter", async (t) => {
  const key = newKey();
  await allow('bob', [key, `${key}-replies`], [READ, WRITE, DESCRIBE, CREATE]);
  await allow('alice', [key], [WRITE, DESCRIBE]);
  const servers = [];
  for (let i = 0; i < 2; i++) servers.push(await start(t, createAdapter(kafkaFor('bob'), { key, logger: SILENT })));
  const clients = await Promise.all(servers.map((server) => server.client({ answers: (answer) => answer('yes') })));
  const emitter = new Emitter(kafkaFor('alice'), { key, logger: SILENT });
  cleanup(t, () => emitter.close());
  emitter.emit('hello', 1);
  for (const client of clients) assert.deepEqual(await client.hears('hello'), [1]);
  assert.deepEqual(await servers[0].io.timeout(PATIENCE).emitWithAck('question'), ['yes', 'yes']);
  assert.equal((await servers[1].io.fetchSockets()).length, 2);
});

test('a server that may not make its topics says which are missing and what helps, and begins once they are there', async (t) => {
  const key = newKey();
  await allow('bob', [key, `${key}-replies`], [READ, WRITE, DESCRIBE]);
  const { lines, logger } = witness();
  const peer = await Peer.start(createAdapter(kafkaFor('bob'), { key, logger }));
  cleanup(t, () => peer.close());
  const [, text] = await lines.until(([level]) => level === 'error', PATIENCE);
  assert.match(text, new RegExp(`${key} and ${key}-replies must be made \\(.*authorization failed.*\\): make them, or allow CREATE`, 'i'));
  for (const topic of [key, `${key}-replies`]) await cluster.admin.createTopic(topic, { partitions: 1, replication: 1 });
  await peer.adapter().init();
  assert.equal(peer.adapter().stats().ready, true);
});

test('a server that may not read yet says so, and begins once it may', async (t) => {
  const key = newKey();
  await allow('bob', [key, `${key}-replies`], [WRITE, DESCRIBE, CREATE]);
  const free = await start(t, createAdapter(new Kafka({ ...kafkaOf(cluster), logLevel: logLevel.NOTHING }), { key, logger: SILENT }));
  const { lines, logger } = witness();
  const peer = await Peer.start(createAdapter(kafkaFor('bob'), { key, logger }));
  cleanup(t, () => peer.close());
  const client = await peer.client();
  await lines.until(([level, text]) => level === 'error' && /authorization/i.test(text), PATIENCE);
  await allow('bob', [key, `${key}-replies`], [READ]);
  await peer.adapter().init();
  for (let n = 0; n < 10; n++) free.io.emit('n', n);
  await client.hears('n', (n) => n === 9);
  assert.deepEqual(
    client.events('n').flat(),
    Array.from({ length: 10 }, (_, n) => n),
  );
});

test('a server whose right to read is taken away says so, is not ready, and goes on where it was when it has it again: nothing missing, nothing twice', async (t) => {
  const key = newKey();
  await allow('bob', [key, `${key}-replies`], [READ, WRITE, DESCRIBE, CREATE]);
  const { lines, logger } = witness();
  const refused = await start(t, createAdapter(kafkaFor('bob'), { key, logger, heartbeatInterval: 300, heartbeatTimeout: 60_000 }));
  const free = await start(t, createAdapter(new Kafka({ ...kafkaOf(cluster), logLevel: logLevel.NOTHING }), { key, logger: SILENT }));
  const client = await refused.client({ answers: (answer) => answer('here') });
  let n = 0;
  free.io.emit('n', n++);
  await client.hears('n');
  await admin.deleteAcls({ filters: [rightOf('bob', key, READ)] });
  // Each may be the last that it may read.
  const sending = setInterval(() => free.io.emit('n', n++), 20);
  cleanup(t, () => clearInterval(sending));
  await lines.until(([level, text]) => level === 'error' && /cannot be read, and it is tried again: .*authorization/i.test(text), PATIENCE);
  assert.equal(refused.adapter().stats().ready, false);
  await allow('bob', [key], [READ]);
  await eventually(PATIENCE, 'it is ready', () => refused.adapter().stats().ready);
  clearInterval(sending);
  free.io.emit('last');
  await client.hears('last');
  assert.deepEqual(
    client.events('n').flat(),
    Array.from({ length: n }, (_, i) => i),
  );
  assert.deepEqual(await free.io.timeout(PATIENCE).emitWithAck('question'), ['here']);
});

test('a server that hears nothing from Kafka for heartbeatTimeout is not ready, until it does again', async (t) => {
  const times = { heartbeatInterval: 200, heartbeatTimeout: 1000 };
  const server = await start(t, createAdapter(new Kafka({ ...kafkaOf(cluster), logLevel: logLevel.NOTHING }), { key: newKey(), logger: SILENT, ...times }));
  const adapter = server.adapter();
  assert.equal(adapter.stats().ready, true);
  const [node] = cluster.kafka.nodes;
  node.pause();
  cleanup(t, () => node.resume());
  await eventually(PATIENCE, 'it is not ready', () => !adapter.stats().ready);
  assert.match(adapter.prometheus(), /^socket_io_kafka_ready\{.*\} 0$/m);
  node.resume();
  await eventually(PATIENCE, 'it is ready', () => adapter.stats().ready);
});
