'use strict';
// Servers and namespaces that come and go, while the others go on.

const { after, before, describe, test } = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const { Kafka, logLevel } = require('kafka-native');
const { createAdapter, Emitter } = require('socket.io-kafka');
const { Child } = require('./support/child.js');
const { cleanup } = require('./support/cleanup.js');
const { real } = require('./support/clusters.js');
const { PATIENCE, SOON, within } = require('./support/flow.js');
const { Peer, Peers, RemotePeer, SILENT, kafkaOf, newKey } = require('./support/socketio.js');
const { eventually } = require('./support/watch.js');

/** @type {any} */ let cluster;
before(async () => (cluster = await real()));
after(() => cluster?.close());

async function start(t, options) {
  const peers = await Peers.start(cluster, options);
  cleanup(t, () => peers.close());
  return peers;
}

const ids = (sockets) => sockets.map(({ id }) => id).sort();

describe('a server that comes', () => {
  test('hears what another sends in the moment in which its init resolves', async (t) => {
    const key = newKey();
    const peers = await start(t, { key, count: 1 });
    const [old] = peers.all;
    for (let round = 0; round < 12; round++) {
      const peer = await Peer.start(createAdapter(kafkaOf(cluster), { key, logger: SILENT }));
      cleanup(t, () => peer.close());
      const heard = new Promise((resolve) => peer.io.on('hello', resolve));
      const client = peer.client();
      await Promise.all([peer.adapter().init(), client]);
      old.io.serverSideEmit('hello', round);
      old.io.emit('hello', round);
      assert.equal(await heard, round);
      assert.deepEqual(await (await client).hears('hello'), [round]);
      await peer.close();
    }
  });

  test('says so once: every call of init gives the same promise', async (t) => {
    const {
      all: [peer],
    } = await start(t, { count: 1 });
    assert.equal(peer.adapter().init(), peer.adapter().init());
  });

  test('hears nothing of the past: not what was sent before any server was there again, nor before it came', async (t) => {
    const key = newKey();
    const before = await Peers.start(cluster, { key });
    for (let n = 0; n < 50; n++) for (const { io } of before.all) io.emit('past', n);
    before.all[0].io.socketsJoin('past');
    before.all[0].io.disconnectSockets();
    await before.close();

    const peers = await Peers.start(cluster, { key, count: 1 });
    cleanup(t, () => peers.close());
    peers.all[0].io.emit('past');
    const later = await Peer.start(createAdapter(kafkaOf(cluster), { key, logger: SILENT }));
    const client = await later.client();
    peers.all.push(later);
    await peers.ready();
    await peers.settled();
    assert.deepEqual(client.events(), []);
    assert.deepEqual([...later.socket(client).rooms], [client.id]);
  });

  test('finds the sockets of the others as soon as it knows them', async (t) => {
    const key = newKey();
    const peers = await start(t, { key, count: 2 });
    const clients = await Promise.all(peers.all.map((peer) => peer.client()));
    const later = await Peer.start(createAdapter(kafkaOf(cluster), { key, logger: SILENT }));
    peers.all.push(later);
    await peers.ready();
    assert.deepEqual(ids(await later.io.fetchSockets()), ids(clients));
  });
});

describe('a server that goes', () => {
  /** So late that nothing here is due to it. */
  const NEVER = { heartbeatInterval: 600_000, heartbeatTimeout: 3_600_000 };

  test('is forgotten at once when it closes, and what waits for it is answered', async (t) => {
    const peers = await start(t, NEVER);
    const [first, , last] = peers.all;
    const client = await first.client();
    // It is asked, and says nothing.
    last.adapter().doPublishResponse = async () => {};
    const asked = first.io.timeout(100_000).fetchSockets();
    peers.all[1].io.on('who', (answer) => answer('the second'));
    const others = first.io.serverSideEmitWithAck('who');
    first.io.serverSideEmit('mark');
    await new Promise((resolve) => last.io.on('mark', resolve));
    await last.close();
    peers.all.pop();
    assert.deepEqual(ids(await asked), [client.id]);
    await peers.count(2);
    assert.deepEqual(ids(await first.io.fetchSockets()), [client.id]);
    assert.deepEqual(await others, ['the second']);
  });

  test('sends before it is gone what it sent last', async (t) => {
    const peers = await start(t);
    const client = await peers.all[0].client();
    const last = peers.all.pop();
    for (let n = 0; n < 200; n++) last?.io.emit('last', n);
    await last?.close();
    await client.hears('last', (n) => n === 199);
    assert.deepEqual(
      client.events('last').flat(),
      Array.from({ length: 200 }, (_, n) => n),
    );
  });

  test('is forgotten in time when it is killed, and nobody waits for it then', async (t) => {
    const key = newKey();
    const quick = { key, heartbeatInterval: 200, heartbeatTimeout: 1500 };
    const peers = await start(t, { ...quick, count: 2 });
    const client = await peers.all[0].client();
    const remote = await RemotePeer.start(t, { brokers: kafkaOf(cluster).brokers, ...quick });
    await peers.count(3);
    await eventually(PATIENCE, 'it counts the others', async () => (await remote.do('serverCount')) === 3);
    const theirs = await remote.client();
    assert.deepEqual(ids(await peers.all[1].io.fetchSockets()), ids([client, theirs]));
    await remote.kill();
    // Asked while it seems to live.
    const asked = peers.all[1].io.timeout(100_000).fetchSockets();
    assert.deepEqual(ids(await asked), [client.id]);
    await peers.count(2);
    assert.deepEqual(ids(await peers.all[1].io.timeout(100_000).fetchSockets()), [client.id]);
    assert.equal(peers.all[0].adapter().stats().servers, 1);
  });

  test('and comes again is a new one, which nobody takes for the old', async (t) => {
    const key = newKey();
    const peers = await start(t, { key, ...NEVER, count: 2 });
    peers.all[1].io.on('question', (number, answer) => answer(number));
    for (let round = 1; round < 3; round++) {
      const remote = await RemotePeer.start(t, { brokers: kafkaOf(cluster).brokers, key, ...NEVER });
      await peers.count(3);
      assert.deepEqual((await peers.all[0].io.serverSideEmitWithAck('question', round)).sort(), [round, round * 2]);
      await remote.do('close');
      await remote.exits();
      await peers.count(2);
    }
  });

  test('ends when it is closed before it was ready, Kafka there or not', async (t) => {
    for (const brokers of [kafkaOf(cluster).brokers, ['127.0.0.1:1']]) {
      const server = new Child(t, 'socketio-server.js', { brokers, key: newKey(), closes: true });
      await server.exits({ ms: 10_000 });
    }
  });

  test('ends within seconds where Kafka has gone, also with what it could not write', async (t) => {
    const own = await real({ own: true });
    cleanup(t, () => own.close());
    // A request may take longer than the close.
    const kafka = new Kafka({ ...kafkaOf(own), requestTimeout: 600_000, logLevel: logLevel.NOTHING });
    const key = newKey();
    const peer = await Peer.start(createAdapter(kafka, { key, logger: SILENT }));
    cleanup(t, () => peer.close());
    await peer.adapter().init();
    const emitter = new Emitter(kafka, { key, logger: SILENT });
    emitter.emit('written');
    await eventually(PATIENCE, 'it is written', () => emitter.stats().queued === 0);
    await Promise.all(own.kafka.nodes.map((node) => node.kill()));
    peer.io.emit('never written');
    emitter.emit('never written');
    await within(PATIENCE, 'both are closed', () => Promise.all([peer.close(), emitter.close()]));
    assert.equal(emitter.stats().lost, 1);
  });

  test('ends when it is closed, however long it would wait for answers', async (t) => {
    const key = newKey();
    const {
      all: [peer],
    } = await start(t, { key, count: 1 });
    await peer.client({ answers: (answer) => answer('yes') });
    const remote = await RemotePeer.start(t, { brokers: kafkaOf(cluster).brokers, key });
    const flags = { timeout: 600_000 };
    assert.deepEqual(await remote.do('emitWithAck', { event: ['ask'], flags }), ['yes']);
    const asked = new Promise((resolve) => {
      peer.adapter().doPublishResponse = async () => resolve(undefined);
    });
    remote.do('fetchSockets', { flags }).catch(() => {});
    await asked;
    await remote.do('close');
    await remote.exits({ ms: SOON });
  });

  test('ends when it is closed twice', async () => {
    const peer = await Peer.start(createAdapter(kafkaOf(cluster), { key: newKey(), logger: SILENT }));
    await peer.adapter().init();
    await Promise.all([peer.close(), peer.adapter().close()]);
    await peer.adapter().close();
  });
});

describe('namespaces', () => {
  test('made late, on servers at different times, are the same everywhere', async (t) => {
    const peers = await start(t);
    for (const [i, peer] of peers.all.entries()) {
      peer.io.of('/late');
      await peer.adapter('/late').init();
      peer.io.of('/late').emit('made', i);
      await peer.client({ nsp: '/late' });
      await peer.client();
    }
    await peers.ready('/late');
    for (const [i, { io }] of peers.all.entries()) io.of('/late').emit('late', i);
    await peers.settled('/late');
    await peers.settled('/');
    for (const {
      clients: [late, root],
    } of peers.all) {
      assert.deepEqual(late.events('late').flat().sort(), [0, 1, 2]);
      assert.deepEqual(root.events(), [], 'it is of another namespace');
    }
    assert.equal((await peers.all[1].io.of('/late').fetchSockets()).length, 3);
  });

  test('of names that are alike are several', async (t) => {
    const peers = await start(t, { count: 2 });
    const names = ['/a', '/a/', '/a/b', '/a_b', '/A', '/ä', '/a b', '/🚀', `/${'x'.repeat(300)}`];
    for (const name of names) for (const { io } of peers.all) io.of(name);
    for (const name of names) await peers.ready(name);
    const heard = await Promise.all(
      names
        .map(
          async (name) =>
            new Promise((resolve) => {
              const all = [];
              peers.all[1].io.of(name).on('which', (which) => {
                all.push(which);
                if (which === 'end') resolve(all);
              });
            }),
        )
        .map((promise, i) => {
          peers.all[0].io.of(names[i]).serverSideEmit('which', names[i]);
          peers.all[0].io.of(names[i]).serverSideEmit('which', 'end');
          return promise;
        }),
    );
    assert.deepEqual(
      heard,
      names.map((name) => [name, 'end']),
    );
  });

  test('that only one server has are its own', async (t) => {
    const peers = await start(t, { count: 2 });
    peers.all[0].io.of('/alone');
    await peers.all[0].adapter('/alone').init();
    const client = await peers.all[0].client({ nsp: '/alone', answers: (answer) => answer('yes') });
    assert.equal(await peers.all[0].adapter('/alone').serverCount(), 1);
    assert.deepEqual(await peers.all[0].io.of('/alone').timeout(1000).emitWithAck('ask'), ['yes']);
    assert.deepEqual(ids(await peers.all[0].io.of('/alone').fetchSockets()), [client.id]);
  });

  for (const [kind, name] of /** @type {[string, any][]} */ ([
    ['a pattern', /^\/room-\d+$/],
    ['a function', (asked, _auth, next) => next(null, asked.startsWith('/room-'))],
  ])) {
    test(`that clients make by ${kind} are the same everywhere, also made again`, async (t) => {
      const peers = await start(t, { server: { cleanupEmptyChildNamespaces: true } });
      const parents = peers.all.map(({ io }) => io.of(name));
      for (let round = 0; round < 3; round++) {
        const clients = await Promise.all(peers.all.map((peer) => peer.client({ nsp: '/room-7' })));
        const other = await peers.all[1].client({ nsp: '/room-8' });
        await peers.ready('/room-7');
        peers.all[2].io.of('/room-7').emit('room', round);
        parents[0].emit('parent', round);
        await peers.settled('/room-7');
        for (const client of clients)
          assert.deepEqual(client.events().sort(), [
            ['parent', round],
            ['room', round],
          ]);
        assert.deepEqual(other.events(), [], 'the parent knows the children of its own server');
        for (const client of [...clients, other]) client.close();
        await Promise.all(peers.all.map(({ io }) => eventually(PATIENCE, 'they are gone again', () => !io._nsps.has('/room-7') && !io._nsps.has('/room-8'))));
        for (const peer of peers.all) peer.clients.length = 0;
      }
      assert.equal(await peers.all[0].adapter().serverCount(), 3);
    });
  }

  test('cost no Kafka client and no sign of life each: a thousand of them', async (t) => {
    const key = newKey();
    const peers = await start(t, { key, heartbeatInterval: 600_000, heartbeatTimeout: 3_600_000 });
    const kafka = new Kafka({ ...kafkaOf(cluster), logLevel: logLevel.NOTHING });
    const admin = kafka.admin();
    await admin.connect();
    cleanup(t, () => admin.disconnect());
    const records = async () =>
      (await Promise.all([key, `${key}-replies`].map((topic) => admin.fetchTopicOffsets(topic)))).flat().reduce((sum, { offset }) => sum + Number(offset), 0);
    const threads = () => fs.readdirSync('/proc/self/task').length;
    const names = Array.from({ length: 1000 }, (_, n) => `/many-${n}`);
    // The first brings what may come up by itself.
    for (const { io } of peers.all) io.of('/first');
    await peers.ready('/first');
    const [recordsBefore, threadsBefore] = [await records(), threads()];
    for (const { io } of peers.all) for (const name of names) io.of(name);
    for (const name of names) await peers.ready(name);
    assert.ok(threads() <= threadsBefore, `${threads() - threadsBefore} threads more`);
    const written = (await records()) - recordsBefore;
    assert.ok(written <= 3 * names.length + 30, `${written} records were written to make them`);

    let heard = 0;
    const all = new Promise((resolve) => {
      for (const { io } of peers.all.slice(1))
        for (const name of names) io.of(name).on('note', (about) => about === name && ++heard === 2 * names.length && resolve(undefined));
    });
    for (const name of names) peers.all[0].io.of(name).serverSideEmit('note', name);
    await all;
    const client = await peers.all[2].client({ nsp: '/many-999' });
    peers.all[1].io.of('/many-999').emit('broadcast');
    await client.hears('broadcast');
  });

  test('a server without namespaces left but one goes on', async (t) => {
    const peers = await start(t, { count: 2 });
    for (const { io } of peers.all) io.of('/gone');
    await peers.ready('/gone');
    await peers.all[0].adapter('/gone').close();
    assert.equal(await eventually(PATIENCE, 'the other knows', async () => (await peers.all[1].adapter('/gone').serverCount()) === 1), true);
    const client = await peers.all[0].client();
    peers.all[1].io.emit('still');
    await client.hears('still');
    assert.equal(await peers.all[1].adapter().serverCount(), 2);
  });
});

describe('the figures of a server', () => {
  /** By name and quantile, with the type; throws for a line that Prometheus would refuse. */
  function parsed(text, key) {
    const types = new Map();
    const values = new Map();
    assert.ok(text.endsWith('\n'));
    for (const line of text.trimEnd().split('\n')) {
      const [, what, of] = /^# (HELP|TYPE) (socket_io_kafka_[a-z_]+) \S/.exec(line) ?? [];
      if (what === 'TYPE') {
        assert.ok(!types.has(of), `${of} is there twice`);
        types.set(of, line.split(' ').at(-1));
      }
      if (what !== undefined) continue;
      const [, name, label, quantile, value] = /^(socket_io_kafka_[a-z_]+)\{key="([^"]+)"(?:,quantile="([\d.]+)")?\} (\S+)$/.exec(line) ?? [];
      assert.equal(label, key, line);
      assert.ok(Number.isFinite(Number(value)), line);
      const type = types.get(name) ?? types.get(name.replace(/_count$/, ''));
      assert.equal(type, quantile !== undefined || name.endsWith('_count') ? 'summary' : name.endsWith('_total') ? 'counter' : 'gauge', line);
      values.set(name.slice('socket_io_kafka_'.length) + (quantile ?? ''), Number(value));
    }
    return values;
  }

  for (const recovers of [false, true]) {
    test(`count what it does, the same as Prometheus's text${recovers ? ', with recovery' : ''}`, async (t) => {
      const peers = await start(t, { count: 2, maxQueuedBytes: 200_000, ...(recovers && { server: { connectionStateRecovery: {} } }) });
      const [first, second] = peers.all;
      await Promise.all(peers.all.map((peer) => peer.client()));
      const before = first.adapter().stats();
      for (let n = 0; n < 50; n++) first.io.emit('m', n);
      for (let n = 0; n < 5; n++) first.io.emit('large', 'x'.repeat(90_000));
      await eventually(PATIENCE, 'nothing waits', () => first.adapter().stats().queued.records === 0);
      // When this has come, the first has passed its own.
      second.io.emit('m', 50);
      await first.clients[0].hears('m', (n) => n === 50);
      const stats = first.adapter().stats();
      const { dropped } = stats;
      assert.equal(stats.ready, true);
      assert.equal(stats.servers, 1);
      assert.equal(stats.namespaces, 1);
      assert.equal(stats.lag, 0);
      assert.ok(dropped > 0 && dropped <= 54, `${dropped} are dropped`);
      // One's own records are left out by the rule, but with recovery.
      if (recovers) assert.equal(stats.leftOut, before.leftOut);
      else assert.ok(stats.leftOut - before.leftOut >= 55 - dropped, `${stats.leftOut} left out`);
      const { count, p50, p99 } = stats.acknowledgements;
      assert.ok(count > before.acknowledgements.count && p50 > 0 && p99 >= p50, JSON.stringify(stats.acknowledgements));
      if (recovers) {
        assert.equal(stats.recovery.packets, 56 - dropped);
        assert.ok(stats.recovery.ringBytes > 90_000, `${stats.recovery.ringBytes} bytes`);
        assert.ok(stats.recovery.sessions === 2 && stats.recovery.sessionBytes > 0, JSON.stringify(stats.recovery));
      } else {
        assert.equal(stats.recovery, undefined);
      }
      const values = parsed(first.adapter().prometheus(), peers.key);
      const expected = {
        ready: 1,
        servers: 1,
        namespaces: 1,
        lag: 0,
        dropped_total: dropped,
        left_out_total: stats.leftOut,
        'acknowledgement_seconds0.99': p99 / 1000,
        acknowledgement_seconds_count: count,
        ring_bytes: stats.recovery?.ringBytes,
      };
      for (const [name, value] of Object.entries(expected)) assert.equal(values.get(name), value, name);
    });
  }
});
