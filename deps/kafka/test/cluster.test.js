'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { once } = require('node:events');
const net = require('node:net');
const os = require('node:os');
const { test } = require('node:test');
const { KafkaCluster } = require('../index.js');
const { metadata } = require('../wire.js');
const { releasePorts, reservePorts } = require('../ports.js');
const { createTopic, lives, portOf, temporaryFolder } = require('./support.js');

/** @param {import('node:test').TestContext} t @param {import('../cluster.js').Options} [options] */
async function started(t, options) {
  const cluster = await KafkaCluster.start(options);
  t.after(() => cluster.stop({ wipe: true }));
  return cluster;
}

test('ready means ready: a topic can be made at once', async (t) => {
  const cluster = await started(t);
  assert.equal(await createTopic(cluster.brokers, 'at-once'), 0);
  assert.deepEqual((await metadata(portOf(cluster.brokers))).brokers, [1]);
});

test('a broker that exits fails the start with the end of its log, and leaves nothing', async (t) => {
  // Other programs may be making clusters in the usual one.
  const [usual, own] = [process.env.TMPDIR, temporaryFolder(t)];
  process.env.TMPDIR = own;
  t.after(() => (usual === undefined ? delete process.env.TMPDIR : (process.env.TMPDIR = usual)));
  const folders = () => fs.readdirSync(own).filter((name) => /^kafka-native-\w{6}$/.test(name));
  await assert.rejects(KafkaCluster.start({ config: { 'authorizer.class.name': 'no.such.Authorizer' } }), /exited before it was ready[^]*no\.such\.Authorizer/);
  assert.deepEqual(folders(), []);
});

test('clusters side by side are different clusters at different ports', async (t) => {
  const clusters = await Promise.all([started(t), started(t)]);
  const [one, two] = await Promise.all(clusters.map(({ brokers }) => metadata(portOf(brokers))));
  assert.notEqual(one.clusterId, two.clusterId);
  await Promise.all(clusters.map(async ({ brokers }) => assert.equal(await createTopic(brokers, 'mine'), 0)));
});

test('stop removes a throw-away cluster and its processes', async () => {
  const cluster = await KafkaCluster.start();
  const { pid } = cluster.nodes[0];
  await cluster.stop();
  assert.equal(lives(pid), false);
  assert.equal(fs.existsSync(cluster.dir), false);
});

const [address] = Object.values(os.networkInterfaces()).flatMap((all) => all ?? []).filter(({ family, internal }) => family === 'IPv4' && !internal);

test('with a host the brokers are found there by other machines, at the ports that were asked for', { skip: !address }, async (t) => {
  const port = await reservePorts(__dirname, 1);
  releasePorts(port);
  const cluster = await started(t, { host: address.address, port });
  assert.equal(cluster.brokers, `${address.address}:${port}`);
  const socket = net.connect(port[0], address.address);
  await once(socket, 'connect');
  socket.destroy();
  await assert.rejects(KafkaCluster.start({ port: [port[0], port[0]] }), /a cluster of 1 needs 1 different ports/);
});
