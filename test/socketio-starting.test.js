'use strict';
// The time between a server's first line and the moment in which its init resolves: what is sent in it, and who is known behind it.

const { after, before, describe, test } = require('node:test');
const assert = require('node:assert/strict');
const { createAdapter } = require('socket.io-kafka');
const { cleanup } = require('./support/cleanup.js');
const { real } = require('./support/clusters.js');
const { PATIENCE, within } = require('./support/flow.js');
const { Client, Peer, Peers, RemotePeer, SILENT, kafkaOf, newKey } = require('./support/socketio.js');
const { Visitor } = require('./support/socketio-recovery.js');
const { eventually } = require('./support/watch.js');

/** @type {any} */ let cluster;
before(async () => (cluster = await real()));
after(() => cluster?.close());

/** A server whose init has not resolved yet. */
async function early(t, options, server) {
  const peer = await Peer.start(createAdapter(kafkaOf(cluster), { logger: SILENT, ...options }), server);
  cleanup(t, () => peer.close());
  return peer;
}

const ids = (sockets) => sockets.map(({ id }) => id).sort();
const RECOVERY = { connectionStateRecovery: {} };
/** Longer than any test. */
const NEVER = 600_000;

for (const [how, server] of /** @type {[string, object][]} */ ([
  ['', {}],
  [', with recovery', RECOVERY],
])) {
  describe(`a server whose init has resolved${how}`, () => {
    test('knows the servers that are there, and is known to them', async (t) => {
      const key = newKey();
      const peers = await Peers.start(cluster, { key, server, count: 2 });
      cleanup(t, () => peers.close());
      const clients = await Promise.all(peers.all.map((peer) => peer.client()));
      for (let round = 0; round < 4; round++) {
        for (const peer of peers.all) peer.io.removeAllListeners('who').on('who', (answer) => answer(peers.all.indexOf(peer)));
        const later = await early(t, { key }, server);
        await later.adapter().init();
        // All are called in one turn: none waits for what another one learns.
        const asked = [later.adapter().serverCount(), later.io.fetchSockets(), later.io.serverSideEmitWithAck('who'), peers.all[0].adapter().serverCount()];
        const [count, sockets, answers, theirs] = await Promise.all(asked);
        assert.equal(count, round + 3);
        assert.deepEqual(ids(sockets), ids(clients));
        assert.deepEqual(answers.sort(), [...peers.all.keys()]);
        assert.equal(theirs, round + 3);
        peers.all.push(later);
      }
    });

    test('knows those that came in the same moment', async (t) => {
      const key = newKey();
      const all = await Promise.all([0, 1, 2, 3].map(() => early(t, { key }, server)));
      await Promise.all(all.map((peer) => peer.adapter().init()));
      assert.deepEqual(await Promise.all(all.map((peer) => peer.adapter().serverCount())), [4, 4, 4, 4]);
    });

    test('knows none that has closed', async (t) => {
      const key = newKey();
      const peers = await Peers.start(cluster, { key, server, heartbeatInterval: NEVER, heartbeatTimeout: NEVER + 1 });
      for (const { io } of peers.all) io.of('/more');
      await peers.close();
      const later = await early(t, { key }, server);
      await later.adapter().init();
      assert.equal(await later.adapter().serverCount(), 1);
      assert.deepEqual(await later.io.serverSideEmitWithAck('who'), []);
    });

    test('knows who has a namespace that was made late', async (t) => {
      const peers = await Peers.start(cluster, { server, partitions: 3 });
      cleanup(t, () => peers.close());
      for (let round = 0; round < 10; round++) {
        const name = `/late-${round}`;
        for (const [i, peer] of peers.all.entries()) {
          peer.io.of(name);
          await peer.adapter(name).init();
          assert.equal(await peer.adapter(name).serverCount(), i + 1);
        }
      }
    });
  });
}

test('a server that is there and does not answer is waited for, and counts no more once it says that it lacks a namespace', async (t) => {
  const key = newKey();
  const slow = { key, heartbeatInterval: 1000, heartbeatTimeout: NEVER };
  const frozen = await RemotePeer.start(t, { brokers: kafkaOf(cluster).brokers, ...slow });
  const theirs = await frozen.client();
  frozen.process.kill('SIGSTOP');
  cleanup(t, () => frozen.process.kill('SIGCONT'));
  const later = await early(t, slow);
  later.io.of('/own');
  await later.adapter().init();
  assert.equal(await later.adapter().serverCount(), 2);
  const sockets = later.io.timeout(PATIENCE).fetchSockets();
  const answers = later.io.of('/own').timeout(PATIENCE).fetchSockets();
  frozen.process.kill('SIGCONT');
  assert.deepEqual(ids(await sockets), [theirs.id]);
  assert.deepEqual(await answers, []);
  await eventually(PATIENCE, 'it has that namespace alone', async () => (await later.adapter('/own').serverCount()) === 1);
  assert.equal(await later.adapter().serverCount(), 2);
});

describe('what is sent before init has resolved', () => {
  for (const [how, server] of /** @type {[string, object][]} */ ([
    ['', {}],
    [', with recovery', RECOVERY],
  ])) {
    test(`reaches the own clients and those of the others, in its order${how}`, async (t) => {
      const key = newKey();
      const peers = await Peers.start(cluster, { key, server, count: 1 });
      cleanup(t, () => peers.close());
      const other = await Visitor.connect(peers.all[0].port);
      cleanup(t, () => other.close());
      // Local clients wait for the log, however long that takes.
      const peer = await early(t, { key, publishTimeout: NEVER }, server);
      const own = new Client(peer.port);
      cleanup(t, () => own.close());
      await own.connected();
      let sent = 0;
      let ready = false;
      const init = peer
        .adapter()
        .init()
        .then(() => (ready = true));
      while (!ready || sent < 100) {
        peer.io.emit('m', sent++);
        await new Promise((resolve) => setImmediate(resolve));
      }
      await init;
      const last = (n) => n === sent - 1;
      await Promise.all([own.hears('m', last), other.hears('m', last)]);
      const numbers = Array.from({ length: sent }, (_, n) => n);
      assert.deepEqual(
        own.events('m').map(([n]) => n),
        numbers,
      );
      assert.deepEqual(
        other.heard.all.filter(([event]) => event === 'm').map(([, n]) => n),
        numbers,
      );
    });
  }

  test('has its place in the log: clients of servers that all begin see one order, and come back anywhere with nothing missing and nothing twice', async (t) => {
    const key = newKey();
    const all = await Promise.all([0, 1, 2].map(() => early(t, { key, publishTimeout: NEVER }, RECOVERY)));
    const visitors = await Promise.all(all.map((peer) => Visitor.connect(peer.port)));
    cleanup(t, () => visitors.forEach((visitor) => visitor.close()));
    // Whatever was written before its own server came is not for a client.
    all.forEach(({ io }, i) => io.emit('first', i));
    await Promise.all(visitors.map((visitor, i) => visitor.hears('first', (from) => from === i)));
    for (const visitor of visitors) await visitor.break();
    all.forEach(({ io }, i) => io.emit('m', i));
    for (const [i, visitor] of visitors.entries()) assert.equal(await visitor.come(all[(i + 1) % 3].port), true);
    await Promise.all(all.map((peer) => peer.adapter().init()));
    all[0].io.emit('end');
    await Promise.all(visitors.map((visitor) => visitor.hears('end')));
    const [one, ...more] = visitors.map((visitor) => visitor.events('m').flat());
    assert.deepEqual(one.toSorted(), [0, 1, 2]);
    for (const other of more) assert.deepEqual(other, one);
    const places = visitors.map((visitor) => visitor.heard.all.map((event) => Number(/-(\d+)$/.exec(event.at(-1))?.[1])));
    for (const of of places)
      assert.deepEqual(
        of,
        of.toSorted((a, b) => a - b),
      );
  });

  test('gets answers, wherever they come back', async (t) => {
    const key = newKey();
    await cluster.admin.createTopic(`${key}-replies`, { partitions: 16, replication: 1 });
    const peers = await Peers.start(cluster, { key, count: 1 });
    cleanup(t, () => peers.close());
    await peers.all[0].client({ answers: (answer) => answer('yes') });
    for (let round = 0; round < 3; round++) {
      const peer = await early(t, { key });
      await within(
        PATIENCE,
        'it is answered',
        () =>
          new Promise((resolve) => {
            let answered = false;
            let counted = 0;
            const end = (/** @type {unknown} */ _) => answered && counted === 1 && resolve(undefined);
            // That one client is asked is said at once, by a server that knows nothing but the question.
            const count = (clients) => end((counted += clients));
            const opts = { rooms: new Set(), except: new Set(), flags: { timeout: PATIENCE } };
            peer.adapter().broadcastWithAck({ type: 2, data: ['ask'] }, opts, count, (answer) => end((answered = answer === 'yes')));
          }),
      );
    }
  });

  for (const [how, server] of /** @type {[string, object][]} */ ([
    ['', {}],
    [', with recovery', RECOVERY],
  ])) {
    test(`and asks all servers waits until these are known${how}`, async (t) => {
      const key = newKey();
      const peers = await Peers.start(cluster, { key, server });
      cleanup(t, () => peers.close());
      for (const peer of peers.all) {
        await peer.client({ answers: (answer) => answer('client') });
        peer.io.on('who', (answer) => answer('server'));
      }
      const peer = await early(t, { key }, server);
      const flags = peer.io.timeout(PATIENCE);
      const [answers, sockets, servers, count] = await Promise.all([
        flags.emitWithAck('ask'),
        flags.fetchSockets(),
        peer.io.serverSideEmitWithAck('who'),
        peer.adapter().serverCount(),
      ]);
      assert.deepEqual(answers, ['client', 'client', 'client']);
      assert.deepEqual(ids(sockets), ids(peers.clients));
      assert.deepEqual(servers, ['server', 'server', 'server']);
      assert.equal(count, 4);
      assert.deepEqual(await peer.io.local.fetchSockets(), []);
    });
  }

  test('is written by close', async (t) => {
    const key = newKey();
    const peers = await Peers.start(cluster, { key, count: 1 });
    cleanup(t, () => peers.close());
    const client = await peers.all[0].client();
    const short = await Peer.start(createAdapter(kafkaOf(cluster), { key, logger: SILENT }));
    for (let n = 0; n < 50; n++) short.io.emit('short', n);
    await short.close();
    await client.hears('short', (n) => n === 49);
    assert.equal(client.events('short').length, 50);
  });

  test('comes as it is where there is no Kafka, and is told as lost when the server closes', async (t) => {
    const lines = [];
    const logger = { ...SILENT, error: (line) => lines.push(line) };
    const peer = await Peer.start(createAdapter({ brokers: ['127.0.0.1:1'], logger }, { key: newKey(), publishTimeout: 50 }), RECOVERY);
    cleanup(t, () => peer.close());
    const client = await peer.client();
    peer.io.emit('m', 1, 2);
    assert.deepEqual(await client.hears('m'), [1, 2]);
    assert.deepEqual(ids(await peer.io.local.fetchSockets()), [client.id]);
    const { adapter } = peer.io.of('/');
    await peer.close();
    const { dropped, queued } = /** @type {any} */ (adapter).stats();
    assert.ok(dropped > 0 && queued.records === 0, `${dropped} dropped, ${queued.records} wait`);
    assert.ok(
      lines.some((line) => /records were not written: the server has closed/.test(line)),
      lines.join('\n'),
    );
  });
});
