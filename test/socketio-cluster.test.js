'use strict';
// Three brokers and three servers, each in a process of its own: brokers are killed, stopped and all away, and every client counts what it hears.

const { after, before, test } = require('node:test');
const assert = require('node:assert/strict');
const { Kafka, logLevel } = require('kafka-native');
const { cleanup } = require('./support/cleanup.js');
const { real } = require('./support/clusters.js');
const { Peers, RemotePeer, kafkaOf, newKey } = require('./support/socketio.js');
const { within } = require('./support/flow.js');
const { eventually, witness } = require('./support/watch.js');

/** Longer than brokers take to come back on a busy machine. */
const OUTAGE = 90_000;

/** @type {any} */ let cluster;
/** @type {any} */ let admin;
before(async () => {
  cluster = await real({ own: true, nodes: 3 });
  admin = new Kafka({ ...kafkaOf(cluster), logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
});
after(async () => {
  await admin?.disconnect();
  await cluster?.close();
});

/** The partition of the log, when all three brokers have it whole. */
async function inSync(topic) {
  return eventually(OUTAGE, `${topic} is on three brokers`, async () => {
    const {
      topics: [
        {
          partitions: [log],
        },
      ],
    } = await admin.fetchTopicMetadata({ topics: [topic] });
    return log.leader > 0 && log.isr.length === 3 && log;
  });
}

/** Three servers in processes of their own that know one another, with two clients each. */
async function start(t, key) {
  const { brokers } = kafkaOf(cluster);
  const peers = await Promise.all([0, 1, 2].map(() => RemotePeer.start(t, { brokers, key, replicationFactor: 3 })));
  for (const peer of peers) await eventually(OUTAGE, 'each counts three', async () => (await peer.do('serverCount')) === 3);
  const clients = await Promise.all(peers.flatMap((peer) => [peer.client(), peer.client()]));
  cleanup(t, () => clients.forEach((client) => client.close()));
  return { peers, clients };
}

const numbers = (count) => Array.from({ length: count }, (_, n) => n);

test('while brokers are killed and leaders move every client hears every packet of every server, once and in its order', async (t) => {
  const key = newKey();
  const { peers, clients } = await start(t, key);
  await Promise.all(peers.map((peer, i) => peer.do('stream', { event: `from ${i}`, every: 20 })));
  /** Until each client has heard that many more of each server. */
  const hearsMore = (more) =>
    Promise.all(
      clients.flatMap((client) =>
        [0, 1, 2].map((i) => {
          const goal = client.events(`from ${i}`).length + more;
          return client.heard.until(([event, n]) => event === `from ${i}` && n >= goal, OUTAGE, /** @type {any} */ (`${goal} packets of server ${i}`));
        }),
      ),
    );
  await hearsMore(30);
  for (const end of ['kill', 'stop']) {
    const { leader } = await inSync(key);
    const node = cluster.kafka.nodes[leader - 1];
    await node[end]();
    await hearsMore(50);
    await node.start();
  }
  await inSync(key);
  await hearsMore(30);

  const sent = await Promise.all(peers.map((peer, i) => peer.do('stop', { event: `from ${i}` })));
  for (const [i, count] of sent.entries()) {
    for (const client of clients) {
      await client.heard.until(
        ([event, n]) => event === `from ${i}` && n === count - 1,
        OUTAGE,
        /** @type {any} */ (`the last of ${count} packets of server ${i}`),
      );
      assert.deepEqual(client.events(`from ${i}`).flat(), numbers(count));
    }
  }
  // Calls that need answers work as before.
  assert.equal((await peers[0].do('fetchSockets')).length, 6);
  assert.equal(await peers[1].do('serverCount'), 3);
});

test('while Kafka is away clients hear their own server at once, and afterwards the others: all, in order; what is too much is dropped and told, oldest first', async (t) => {
  const { peers, clients } = await start(t, newKey());
  // Of these only the first has to say much.
  const { lines, logger } = witness();
  const bounded = await Peers.start(cluster, { count: 2, logger, replicationFactor: 3, maxQueuedBytes: 3 * 1024 * 1024 });
  cleanup(t, () => bounded.close());
  const [near, far] = await Promise.all(bounded.all.map((peer) => peer.client()));
  const leaving = await RemotePeer.start(t, { brokers: kafkaOf(cluster).brokers, key: newKey(), replicationFactor: 3 });

  await Promise.all(cluster.kafka.nodes.map((node) => node.kill()));
  // A server that closes now waits 5 s for what it sent, and ends.
  await leaving.do('emit', { event: ['last'] });
  const left = leaving.do('close').then(() => leaving.exits({ ms: 20_000 }));
  for (const [i, peer] of peers.entries()) {
    await peer.do('socketsJoin', { room: `room ${i}`, flags: { local: true } });
    for (let n = 0; n < 30; n++) await peer.do('emit', { event: [`from ${i}`, n] });
    await peer.do('emit', { rooms: [`room ${i}`], event: ['to the room', i] });
  }
  // Nobody has a broker, and nothing waits for one.
  for (const [c, client] of clients.entries()) {
    const own = Math.floor(c / 2);
    await client.hears('to the room');
    assert.deepEqual(client.events(), [...numbers(30).map((n) => [`from ${own}`, n]), ['to the room', own]]);
  }
  const text = 'x'.repeat(10_000);
  for (let n = 0; n < 600; n++) {
    bounded.all[0].io.emit('much', n, text);
    if (n % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await near.hears('much', (n) => n === 599);
  assert.equal(near.events('much').length, 600);
  const { dropped, queued } = bounded.all[0].adapter().stats();
  assert.ok(dropped >= 250 && dropped < 600, `${dropped} are dropped`);
  assert.ok(queued.bytes <= 3 * 1024 * 1024, `${queued.bytes} bytes wait`);
  assert.match((await lines.until(([level, line]) => level === 'error' && /dropped/.test(line)))[1], /maxQueuedBytes\) wait for Kafka: the oldest are dropped/);

  await left;
  await Promise.all(cluster.kafka.nodes.map((node) => node.start()));
  for (const client of clients) {
    for (const i of [0, 1, 2]) {
      await client.heard.until(([event, n]) => event === `from ${i}` && n === 29, OUTAGE, /** @type {any} */ (`the last of server ${i}`));
      assert.deepEqual(client.events(`from ${i}`).flat(), numbers(30));
    }
  }
  await within(OUTAGE, 'the newest comes', () => far.hears('much', (n) => n === 599));
  const heard = far.events('much').map(([n]) => n);
  assert.equal(heard.length, 600 - bounded.all[0].adapter().stats().dropped);
  // Packets that were on their way already, and the newest: one gap between them.
  const gap = heard.findIndex((n, i) => n !== i);
  assert.ok(gap < 150, `the ${gap} oldest were kept`);
  assert.deepEqual(heard.slice(gap), numbers(600).slice(600 - (heard.length - gap)));
});
