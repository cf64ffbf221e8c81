'use strict';
// Brokers that are killed, paused and started again, alone and among three; folders that are kept.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { test } = require('node:test');
const { KafkaCluster } = require('@kafka-native/kafka-for-tests');
const { metadata } = require('../../../deps/kafka/wire.js');
const { createTopic, portOf, temporaryFolder, until } = require('../../../deps/kafka/test/support.js');
const { cleanup } = require('../../support/cleanup.js');
const { plays } = require('../../support/pages.js');

/** @param {import('node:test').TestContext} t @param {import('../../../deps/kafka/cluster.js').Options} [options] */
async function started(t, options) {
  const cluster = await KafkaCluster.start(options);
  cleanup(t, () => cluster.stop({ wipe: true }));
  return cluster;
}

test('a killed broker starts again on its folder, at its port, with its topics', async (t) => {
  const cluster = await started(t);
  const [node] = cluster.nodes;
  await createTopic(cluster.brokers, 'kept');
  await node.kill();
  assert.equal(node.pid, undefined);
  await node.start();
  assert.equal(await createTopic(cluster.brokers, 'kept'), 36, 'it exists');
});

test('a cluster whose starter crashed starts again on its folder', async (t) => {
  const dir = temporaryFolder(t);
  const crashed = await KafkaCluster.start({ dir });
  await createTopic(crashed.brokers, 'kept');
  crashed.killNow();
  await until(() => crashed.nodes[0].pid === undefined);

  const cluster = await started(t, { dir });
  assert.equal(cluster.brokers, crashed.brokers);
  assert.equal(await createTopic(cluster.brokers, 'kept'), 36, 'it exists');
});

test('a paused broker does not answer until it is resumed', async (t) => {
  const [node] = (await started(t)).nodes;
  node.pause();
  assert.equal(await node.isReady(), false);
  node.resume();
  await node.ready();
});

test('three nodes all know each other; one that was killed comes back while the others go on', async (t) => {
  const cluster = await started(t, { nodes: 3 });
  const known = async (/** @type {number} */ i) => (await metadata(portOf(cluster.nodes[i].listeners.plaintext))).brokers.sort().join();
  assert.deepEqual(await Promise.all([0, 1, 2].map(known)), ['1,2,3', '1,2,3', '1,2,3']);
  assert.equal(cluster.brokers.split(',').length, 3);

  await cluster.nodes[1].kill();
  await until(async () => (await known(0)) === '1,3');
  assert.equal(await createTopic(cluster.nodes[0].listeners.plaintext, 'by-two'), 0);
  await cluster.nodes[1].start();
  await cluster.ready();
  assert.equal(await createTopic(cluster.nodes[1].listeners.plaintext, 'by-two'), 36, 'it exists');
});

test("stop keeps a cluster in the caller's folder unless told to wipe it", async (t) => {
  const dir = temporaryFolder(t);
  const cluster = await KafkaCluster.start({ dir, config: { 'num.partitions': '9' } });
  await cluster.stop();
  assert.equal((await cluster.status()).nodes[0].ready, false);
  assert.match(fs.readFileSync(cluster.nodes[0].properties, 'utf8'), /^num\.partitions=9$/m);
  await assert.rejects(KafkaCluster.start({ dir, nodes: 3 }), /wipe it/);
  await cluster.stop({ wipe: true });
  assert.equal(fs.existsSync(dir), false);
});

plays('deps/kafka/README.md', () => '', {
  "const { KafkaCluster } = require('@kafka-native/kafka-for-tests');": async (_, run) => {
    const { cluster } = await run({}, ['cluster']);
    assert.equal(cluster.brokers.split(',').length, 3);
  },
});
