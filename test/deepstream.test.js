'use strict';
// Servers of deepstream, and its clients, that behave as one over Kafka.

const { after, before, describe, test } = require('node:test');
const assert = require('node:assert/strict');
const { ClusterNode } = require('deepstream.io-msg-kafka');
const { Child } = require('./support/child.js');
const { cleanup } = require('./support/cleanup.js');
const { real } = require('./support/clusters.js');
const { PATIENCE, within } = require('./support/flow.js');
const { lend } = require('./support/deepstream-cache.js');
const { Node, Peer, brokersOf, clientOf, freePort, kafkaClients, known, newTopic, startPeers } = require('./support/deepstream.js');
const { oracle, readWithKafkaJS } = require('./support/kafkajs.js');
const { Calls, eventually } = require('./support/watch.js');

/** @type {any} */ let cluster;
before(async () => (cluster = await real()));
after(() => cluster?.close());

const patiently = (what, call) => within(PATIENCE, what, call);
const ready = (record) => patiently(`${record.name} is ready`, () => record.whenReady());
/** Signs of life are missed only after a long time. */
const patientRegistry = { type: 'default', options: { nodeInactiveTimeout: 10 * PATIENCE } };
const has = (record, path, value) => eventually(PATIENCE, `${record.name} has ${path} = ${value}`, () => record.get(path) === value);

describe('is loaded', () => {
  // deepstream has two seconds for it, and a Kafka that was started a moment ago takes its time.
  before(async () => {
    const { node } = new Node(cluster, { topic: newTopic() });
    await patiently('Kafka is warm', () => node.whenReady());
    await node.close();
  });

  /** deepstream has not waited in vain. */
  const inTime = (peers) => {
    for (const { lines } of peers) {
      const told = lines.all.map(([, event, message]) => `${event}: ${message}`);
      assert.ok(told.some((line) => line.startsWith('INFO: clusterNode ready')));
      assert.deepEqual(
        told.filter((line) => line.startsWith('PLUGIN_INITIALIZATION_')),
        [],
      );
    }
  };

  for (const [how, clusterNode] of Object.entries({ 'by path': { path: 'deepstream.io-msg-kafka' }, 'by name': { name: 'kafka' } }))
    test(how, async (t) => {
      const peers = await startPeers(t, cluster, { clusterNode: (options) => ({ ...clusterNode, options }) });
      inTime(peers);
      assert.match(peers[0].server.getServices().clusterNode.description, /Kafka cluster node, version 2/);
    });

  test('by set, an object that is made of the server', async (t) => {
    const topic = newTopic();
    const set = (server) => server.set('clusterNode', new ClusterNode({ brokers: [brokersOf(cluster)], topic }, server.getServices(), server.getConfig()));
    const peers = [];
    for (const name of ['a', 'b']) peers.push(new Peer(name, await freePort(), undefined, set));
    cleanup(t, () => Promise.all(peers.map((peer) => peer.close())));
    await Promise.all(peers.map((peer) => peer.start()));
    await Promise.all(peers.map((peer) => peer.knows('a', 'b')));
    inTime(peers);
  });
});

describe('crosses servers', () => {
  /** @type {any} */ let peers;
  /** @type {any} */ let a;
  /** @type {any} */ let b;
  /** @type {any} */ let c;
  const ends = [];
  before(async () => {
    peers = await startPeers({ after: (end) => ends.push(end) }, cluster, { names: ['one', 'two', 'three'] });
    [a, b, c] = await Promise.all(peers.map((peer, i) => peer.client('abc'[i])));
  });
  after(() => Promise.all(ends.map((end) => end())));

  test('events, each once and in order', async () => {
    const heard = [b, c].map(({ event }) => {
      const calls = new Calls();
      event.subscribe('news', calls.take);
      return calls;
    });
    await known(peers, 'news', 2);
    for (let n = 0; n < 200; n++) a.event.emit('news', n);
    for (const calls of heard)
      assert.deepEqual(
        await calls.count(200),
        Array.from({ length: 200 }, (_, n) => n),
      );
  });

  test('records, with write acknowledgements, paths and deletion', async () => {
    const [at, bt] = [a.record.getRecord('user/1'), b.record.getRecord('user/1')];
    await Promise.all([ready(at), ready(bt)]);
    await patiently('the write is acknowledged', () => at.setWithAck({ name: 'Ann', tags: [] }));
    await has(bt, 'name', 'Ann');
    await patiently('a path is acknowledged', () => bt.setWithAck('address.town', 'Ulm'));
    await has(at, 'address.town', 'Ulm');
    const gone = new Promise((resolve) => bt.once('delete', () => resolve(undefined)));
    at.delete();
    await patiently('the record is deleted everywhere', () => gone);
  });

  test('records that two write at once: the later one merges, and all end the same', async () => {
    const records = [a, b, c].map((client) => client.record.getRecord('both'));
    const [ra, rb] = records;
    await Promise.all(records.map(ready));
    const merged = new Calls();
    rb.setMergeStrategy((local, version, remote, remoteVersion, done) => {
      merged.take(version, remoteVersion);
      done(null, { ...remote, ...local, fromA: remote.fromA });
    });
    for (let n = 1; merged.all.length === 0; n++) {
      assert.ok(n < 100, 'no conflict in a hundred writes');
      await patiently('the write of a is through', () => ra.setWithAck('fromA', n));
      // The write of a is on its way to b.
      rb.set('fromB', n);
      await Promise.all(records.flatMap((record) => [has(record, 'fromA', n), has(record, 'fromB', n)]));
    }
  });

  test('lists', async () => {
    const [la, lb] = [a.record.getList('list'), b.record.getList('list')];
    await Promise.all([ready(la), ready(lb)]);
    la.setEntries(['x', 'y']);
    await eventually(PATIENCE, 'b has both', () => lb.getEntries().join() === 'x,y');
    lb.addEntry('z');
    await eventually(PATIENCE, 'a has three', () => la.getEntries().join() === 'x,y,z');
  });

  test('RPC, with results and errors', async () => {
    b.rpc.provide('add', ({ x, y }, response) => (x === undefined ? response.error('no x') : response.send(x + y)));
    await known(peers, 'add');
    assert.equal(await patiently('an answer', () => a.rpc.make('add', { x: 1, y: 2 })), 3);
    assert.equal(await patiently('an answer', () => c.rpc.make('add', { x: 40, y: 2 })), 42);
    await assert.rejects(
      patiently('an error', () => a.rpc.make('add', {})),
      (error) => String(error) === 'no x',
    );
  });

  test('presence', async () => {
    const seen = new Calls();
    a.presence.subscribe(seen.take);
    await eventually(PATIENCE, 'a knows all', async () => (await a.presence.getAll()).sort().join() === 'b,c');
    const guest = await peers[1].client('guest');
    await seen.until(([user, on]) => user === 'guest' && on === true);
    await guest.close();
    await seen.until(([user, on]) => user === 'guest' && on === false);
  });

  test('listening: a provider on one server hears of subscriptions on another, and of their end', async () => {
    const asked = new Calls();
    b.record.listen('rates/.*', (name, response) => {
      response.onStop(() => asked.take('stop', name));
      response.accept();
      asked.take('start', name);
    });
    await known(peers, 'rates/.*');
    const record = a.record.getRecord('rates/eur');
    await asked.until(([what, name]) => what === 'start' && name === 'rates/eur');
    await eventually(PATIENCE, 'a hears of the provider', () => record.hasProvider);
    await ready(record);
    record.discard();
    await asked.until(([what, name]) => what === 'stop' && name === 'rates/eur');
  });

  test('a server that stops is forgotten at once: long before its signs of life are missed', async (t) => {
    const topic = newTopic();
    const [one, two] = await startPeers(t, cluster, { topic, clusterRegistry: patientRegistry });
    await one.close();
    await two.lines.until(([, event, message]) => event === 'CLUSTER_LEAVE' && message === 'one');
    assert.deepEqual(two.server.getServices().clusterRegistry.getAll(), ['two']);
  });
});

/** A server in a process of its own, which may be killed. */
async function mortal(t, topic, config = {}) {
  const port = await freePort();
  const clusterNode = { path: 'deepstream.io-msg-kafka', options: { connectionString: brokersOf(cluster), topic } };
  const child = new Child(t, 'deepstream-server.js', { serverName: 'mortal', port, clusterNode, ...config });
  await child.says('started');
  return { child, port };
}

test('records and lists that two write at once, at a server in another process: the later one merges, and all end the same', async (t) => {
  const topic = newTopic();
  const [one] = await startPeers(t, cluster, { names: ['one'], topic });
  const { child, port } = await mortal(t, topic, { cache: { path: require.resolve('./support/deepstream-cache.js') } });
  lend(child, one.server.getServices().cache);
  await one.knows('mortal');
  const [a, m] = [await one.client('a'), await clientOf(port, 'm')];
  cleanup(t, () => m.close());

  const merged = new Calls();
  m.record.setMergeStrategy('both', (local, _, remote, __, done) => {
    merged.take('both');
    done(null, { ...remote, fromM: local.fromM });
  });
  m.record.setMergeStrategy('list', (local, _, remote, __, done) => {
    merged.take('list');
    done(null, [...new Set([...remote, ...local])].sort());
  });
  const until = async (name, round) => {
    for (let n = 1; !merged.all.includes(name); n++) {
      assert.ok(n < 100, 'no conflict in a hundred writes');
      await round(n);
    }
  };

  const [ra, rm] = [a, m].map((client) => client.record.getRecord('both'));
  await Promise.all([ra, rm].map(ready));
  await until('both', async (n) => {
    await patiently('the write of a is through', () => ra.setWithAck('fromA', n));
    // It is on its way to m.
    rm.set('fromM', n);
    await Promise.all([ra, rm].flatMap((record) => [has(record, 'fromA', n), has(record, 'fromM', n)]));
  });

  const [la, lm] = [a, m].map((client) => client.record.getList('list'));
  await Promise.all([la, lm].map(ready));
  const entries = [];
  await until('list', async (n) => {
    await patiently('the write of a is through', () => la.setEntriesWithAck([...entries, `${n} a`]));
    lm.setEntries([...entries, `${n} m`]);
    entries.push(`${n} a`, `${n} m`);
    entries.sort();
    for (const list of [la, lm]) await eventually(PATIENCE, `both have ${entries}`, () => list.getEntries().sort().join() === entries.join());
  });
});

test('a server has one writer and one reader, which is in no group, whatever its clients do', async (t) => {
  const topic = newTopic();
  const [one] = await startPeers(t, cluster, { names: ['one'], topic });
  const { child, port } = await mortal(t, topic);
  await one.knows('mortal');
  const clients = [await one.client('a'), await clientOf(port, 'm'), await clientOf(port, 'n')];
  cleanup(t, () => clients.forEach((client) => client.close()));
  const heard = clients.map(({ event }) => {
    const calls = new Calls();
    for (let n = 0; n < 20; n++) event.subscribe(`news-${n}`, () => calls.take(n));
    return calls;
  });
  for (let n = 0; n < 20; n++) await known([one], `news-${n}`, 2);
  clients[1].rpc.provide('who', (_, response) => response.send('mortal'));
  await known([one], 'who');
  assert.equal(await patiently('an answer', () => clients[0].rpc.make('who', null)), 'mortal');
  for (let n = 0; n < 20; n++) for (const { event } of clients) event.emit(`news-${n}`, n);
  for (const calls of heard) await calls.count(40);

  assert.deepEqual(kafkaClients(/** @type {number} */ (child.process.pid)), { producers: 1, consumers: 1, admins: 0 });
  const written = await readWithKafkaJS(t, cluster, topic, (messages) => messages.filter(({ key }) => String(key) === '4').length >= 60);
  for (const server of ['one', 'mortal']) {
    const writers = written.filter(({ headers }) => String(headers.s) === server).map(({ batchContext }) => String(batchContext.producerId));
    assert.equal(new Set(writers).size, 1, `${server}: ${writers}`);
  }
  assert.equal(new Set(written.map(({ batchContext }) => String(batchContext.producerId))).size, 2);
  const admin = oracle(cluster).admin();
  cleanup(t, () => admin.disconnect());
  await admin.connect();
  const { groups } = await admin.describeGroups((await admin.listGroups()).groups.map(({ groupId }) => groupId));
  // The clientId of servers, unless they are given one.
  const members = groups.flatMap((group) => group.members.filter(({ clientId }) => clientId === 'deepstream'));
  assert.deepEqual(members, []);
});

/** Whether one of the servers knows of somebody who has the name. */
const holds = (peers, name) =>
  peers.some(({ server }) => [...server.getServices().clusterStates.getStateRegistries().values()].some((states) => states.has(name)));

test('a server killed with SIGKILL and back at once under its name: what the dead one had is gone, before it could be missed', async (t) => {
  const topic = newTopic();
  const peers = await startPeers(t, cluster, { topic, clusterRegistry: patientRegistry });
  const { child, port } = await mortal(t, topic);
  await Promise.all(peers.map((peer) => peer.knows('mortal')));
  const [a, m] = [await peers[0].client('a'), await clientOf(port, 'm')];
  m.rpc.provide('who', (_, response) => response.send('mortal'));
  await known(peers, 'who');
  await eventually(PATIENCE, 'a knows m', async () => (await a.presence.getAll()).includes('m'));
  m.close();
  await child.kill();
  const again = await mortal(t, topic);
  await eventually(PATIENCE, 'its presence is gone', async () => !(await a.presence.getAll()).includes('m'));
  await eventually(PATIENCE, 'its provider is gone', () => !holds(peers, 'who'));
  const n = await clientOf(again.port, 'n');
  cleanup(t, () => n.close());
  n.rpc.provide('who', (_, response) => response.send('again'));
  await known(peers, 'who');
  assert.equal(await patiently('an answer', () => a.rpc.make('who', null)), 'again');
});

test('a server killed with SIGKILL: its lead with the locks, its RPC providers and its presence go to others', async (t) => {
  const topic = newTopic();
  const locks = { type: 'default', options: { holdTimeout: 10 * PATIENCE } };
  const peers = await startPeers(t, cluster, { topic, locks });
  const [one, two] = peers;
  // The timer of a lock outlives its server.
  cleanup(t, () => one.server.getServices().locks.release('lock'));
  const { child, port } = await mortal(t, topic, { locks });
  await Promise.all(peers.map((peer) => peer.knows('mortal')));
  const registries = peers.map(({ server }) => server.getServices().clusterRegistry);
  const leads = (name) => eventually(PATIENCE, `${name} leads`, () => registries.every((registry) => registry.getLeader() === name));
  // The killed server draws lots for its score; these hardly ever win.
  for (const [i, registry] of registries.entries()) {
    registry.leaderScore = 1e-9 / (i + 1);
    registry.publishStatus();
  }
  await leads('mortal');
  const lock = ({ server }) => new Promise((resolve) => server.getServices().locks.get('lock', resolve));
  assert.deepEqual([await lock(one), await lock(two)], [true, false]);
  const [a, b, m] = [await one.client('a'), await two.client('b'), await clientOf(port, 'm')];
  m.rpc.provide('who', (_, response) => response.send('mortal'));
  m.record.listen('held/.*', (_name, response) => response.accept());
  await known([one, two], 'who');
  assert.equal(await a.rpc.make('who', null), 'mortal');
  await eventually(PATIENCE, 'all know m', async () => (await a.presence.getAll()).includes('m'));
  const record = a.record.getRecord('held/1');
  await eventually(PATIENCE, 'it has a provider', () => record.hasProvider);

  await child.kill();
  m.close();
  await leads('one');
  assert.deepEqual([await lock(two), await lock(one)], [true, false]);
  await eventually(PATIENCE, 'its presence is gone', async () => !(await a.presence.getAll()).includes('m'));
  await eventually(PATIENCE, 'its provider is gone', () => !holds(peers, 'who'));
  b.rpc.provide('who', (_, response) => response.send('two'));
  await eventually(PATIENCE, 'another answers', async () => (await a.rpc.make('who', null).catch(() => '')) === 'two');
  b.record.listen('held/.*', (_name, response) => response.accept());
  const other = a.record.getRecord('held/2');
  await eventually(PATIENCE, 'another provides', () => other.hasProvider);
});

test('a second server with a name that lives does not start, and says why', async (t) => {
  const topic = newTopic();
  const [one] = await startPeers(t, cluster, { topic });
  const child = new Child(t, 'deepstream-server.js', {
    serverName: 'one',
    port: await freePort(),
    clusterNode: { name: 'kafka', options: { connectionString: brokersOf(cluster), topic } },
  });
  await child.says('fatal');
  await eventually(PATIENCE, 'it says why', () => /another server has the serverName one, and lives/.test(child.stdout + child.stderr));
  assert.doesNotMatch(child.stdout, /started/);
  assert.ok(one.server.isRunning());
});

test('a server that stood still until its topic had lost messages says which', async (t) => {
  const topic = newTopic();
  const [one] = await startPeers(t, cluster, { topic });
  const port = await freePort();
  const child = new Child(t, 'deepstream-server.js', {
    serverName: 'still',
    port,
    clusterNode: { name: 'kafka', options: { connectionString: brokersOf(cluster), topic } },
  });
  await child.says('started');
  const client = await one.client('a');
  const heard = new Calls();
  const other = await clientOf(port, 'other');
  cleanup(t, () => other.close());
  other.event.subscribe('news', heard.take);
  await eventually(PATIENCE, 'it hears', () => (client.event.emit('news', 0), heard.all.length > 0));
  child.process.kill('SIGSTOP');
  const high = async () => (await cluster.admin.watermarks(topic, 0)).high;
  // At most those of one fetch are with it already.
  for (let n = 1; n <= 20; n++) {
    const before = await high();
    client.event.emit('news', n);
    await eventually(PATIENCE, 'it is written', async () => (await high()) > before);
  }
  await cluster.admin.deleteRecords(topic, 0, await high());
  child.process.kill('SIGCONT');
  client.event.emit('news', 'behind');
  await eventually(PATIENCE, 'it says which', () => /messages were deleted before they were read, as retention does: those from offset \d+ to \d+ are lost/.test(child.stdout + child.stderr));
});

describe('a Kafka that goes and comes', () => {
  /** @type {any} */ let own;
  before(async () => (own = await real({ own: true })));
  after(() => own?.close());

  test('later than the servers: they say why they wait, and are one when it is there', async (t) => {
    const [broker] = own.kafka.nodes;
    await broker.stop();
    const config = {
      clusterNode: { path: 'deepstream.io-msg-kafka', options: { connectionString: brokersOf(own), topic: newTopic() } },
      dependencyInitializationTimeout: 10 * PATIENCE,
    };
    const peers = [new Peer('one', await freePort(), config), new Peer('two', await freePort(), config)];
    cleanup(t, () => Promise.all(peers.map((peer) => peer.close())));
    const started = Promise.all(peers.map((peer) => peer.start()));
    for (const { lines } of peers)
      await lines.until(([level, event, text]) => level === 'error' && event === 'PLUGIN_INITIALIZATION_ERROR' && text.includes(brokersOf(own)));
    await broker.start();
    await started;
    await Promise.all(peers.map((peer) => peer.knows('one', 'two')));
    const [a, b] = [await peers[0].client('a'), await peers[1].client('b')];
    const heard = new Calls();
    b.event.subscribe('news', heard.take);
    await known(peers, 'news');
    a.event.emit('news', 'late');
    assert.equal(await heard.until(), 'late');
    for (const { lines } of peers)
      assert.deepEqual(
        lines.all.filter(([level]) => level === 'fatal'),
        [],
      );
  });

  test('under traffic: nothing is lost, doubled or reordered', async (t) => {
    // A Kafka that was started a moment ago takes its time.
    const [one, two] = await startPeers(t, own, { dependencyInitializationTimeout: 30_000 });
    const [a, b] = [await one.client('a'), await two.client('b')];
    const heard = [new Calls(), new Calls()];
    a.event.subscribe('from-b', heard[0].take);
    b.event.subscribe('from-a', heard[1].take);
    await Promise.all([known([one, two], 'from-a'), known([one, two], 'from-b')]);
    let sent = 0;
    const timer = setInterval(() => {
      a.event.emit('from-a', sent);
      b.event.emit('from-b', sent);
      sent++;
    }, 2);
    cleanup(t, () => clearInterval(timer));
    await heard[1].count(100);
    const [broker] = own.kafka.nodes;
    await broker.kill();
    const atKill = sent;
    await eventually(PATIENCE, 'more is sent while it is away', () => sent > atKill + 200);
    await broker.start();
    const atStart = sent;
    await Promise.all(heard.map((calls) => calls.until((n) => n > atStart)));
    clearInterval(timer);
    for (const calls of heard)
      assert.deepEqual(
        await calls.count(sent),
        Array.from({ length: sent }, (_, n) => n),
      );
    // They may have forgotten each other meanwhile.
    b.rpc.provide('later', (_, response) => response.send('two'));
    await eventually(PATIENCE, 'they meet again', async () => (await a.rpc.make('later', null).catch(() => '')) === 'two');
  });
});
