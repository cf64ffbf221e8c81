'use strict';
// Packets that a process without socket.io sends, as the clients of two servers hear them.

const test = require('node:test');
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { createServer } = require('node:http');
const { setTimeout: delay } = require('node:timers/promises');
const { Kafka } = require('kafka-native/kafkajs');
const { Server } = require('socket.io');
const { io: connect } = require('socket.io-client');
const { createAdapter, Emitter } = require('socket.io-kafka');
const { cleanup } = require('./support/cleanup.js');
const { real, topicName } = require('./support/clusters.js');

/** @type {any} */ let cluster;
test.before(async () => (cluster = await real()));
test.after(() => cluster?.close());

async function until(what, isSo) {
  for (const end = Date.now() + 30_000; !(await isSo()); await delay(10)) assert.ok(Date.now() < end, what);
}

/** Two servers with two clients each, 'a' to 'd' in rooms of their names; `a` and `c` are in 'ac', too. Events that each heard are in its `heard`. */
async function twoServers(t, namespace = '/') {
  const key = topicName('emitter');
  const brokers = [cluster.options().broker];
  const servers = await Promise.all(
    [0, 1].map(async () => {
      const http = createServer();
      const io = new Server(http, { adapter: createAdapter({ brokers }, { key }) });
      io.of(namespace).on('connection', (socket) => void socket.join(socket.handshake.auth.rooms));
      await io.of(namespace).adapter.init();
      http.listen(0, '127.0.0.1');
      await once(http, 'listening');
      return { io, port: http.address().port };
    }),
  );
  const names = ['a', 'b', 'c', 'd'];
  const clients = await Promise.all(
    names.map(async (name, i) => {
      const rooms = 'ac'.includes(name) ? [name, 'ac'] : [name];
      const socket = connect(`http://127.0.0.1:${servers[i % 2].port}${namespace}`, { auth: { rooms }, transports: ['websocket'] });
      const heard = [];
      socket.onAny((...event) => heard.push(event));
      await once(socket, 'connect');
      return { name, socket, heard };
    }),
  );
  const emitter = new Emitter({ brokers }, { key });
  cleanup(t, async () => {
    for (const { socket } of clients) socket.close();
    await Promise.all([emitter.close(), ...servers.map(({ io }) => io.close())]);
  });
  for (const { io } of servers) await until('the servers know each other', async () => (await io.of(namespace).adapter.serverCount()) === 2);
  /** Events that each heard, once all have heard what was sent last. */
  const heard = async (target = emitter.of(namespace)) => {
    target.emit('last');
    await until('everybody hears the last', () => clients.every((client) => client.heard.at(-1)?.[0] === 'last'));
    return Object.fromEntries(clients.map((client) => [client.name, client.heard.splice(0).slice(0, -1)]));
  };
  return { key, brokers, servers: servers.map(({ io }) => io), clients, emitter, heard };
}

test('what an emitter sends reaches those clients of all servers that it names, in the order of the calls', async (t) => {
  const { emitter, heard } = await twoServers(t);
  emitter.emit('all', 1, { two: [3] });
  emitter.to('a').to(['b']).emit('a or b');
  emitter.in(['ac', 'c']).except('a').emit('c alone');
  emitter.except('ac').compress(false).emit('not in ac');
  emitter.to('d').emit('bytes', Buffer.from([0, 255]), { deep: new Uint8Array([1]) });
  const all = ['all', 1, { two: [3] }];
  const { d, ...others } = await heard();
  assert.deepEqual(others, { a: [all, ['a or b']], b: [all, ['a or b'], ['not in ac']], c: [all, ['c alone']] });
  assert.deepEqual(d, [all, ['not in ac'], ['bytes', Buffer.from([0, 255]), { deep: Buffer.from([1]) }]]);
});

test('the flags of what an emitter sends are those with which the servers write to the clients', async (t) => {
  const { emitter, servers, heard } = await twoServers(t);
  const written = [];
  for (const io of servers) {
    for (const { client, rooms } of io.sockets.sockets.values()) {
      if (!rooms.has('a')) continue;
      const write = client.writeToEngine;
      client.writeToEngine = (packets, { volatile, compress }) => {
        written.push({ volatile, compress });
        write.call(client, packets, {});
      };
    }
  }
  emitter.to('a').volatile.compress(false).emit('flags');
  emitter.to('a').emit('none');
  assert.deepEqual((await heard()).a, [['flags'], ['none']]);
  assert.deepEqual(written.slice(0, 2), [
    { volatile: true, compress: false },
    { volatile: undefined, compress: undefined },
  ]);
});

test('a target of an emitter can be kept and used again', async (t) => {
  const { emitter, heard } = await twoServers(t, '/orders');
  const orders = emitter.of('orders');
  const a = orders.to('a');
  a.to('b').volatile.emit('a and b');
  a.emit('a');
  assert.deepEqual(await heard(orders), { a: [['a and b'], ['a']], b: [['a and b']], c: [], d: [] });
});

test('an emitter makes sockets of all servers join and leave rooms, and disconnects them', async (t) => {
  const { emitter, servers, clients, heard } = await twoServers(t);
  emitter.in('ac').socketsJoin(['x', 'y']);
  emitter.to('x').emit('in x');
  emitter.in('a').socketsLeave('x');
  emitter.to('x').emit('in x still');
  emitter.to('y').emit('in y');
  assert.deepEqual(await heard(), { a: [['in x'], ['in y']], b: [], c: [['in x'], ['in x still'], ['in y']], d: [] });
  const gone = Promise.all(clients.filter(({ name }) => 'ac'.includes(name)).map(({ socket }) => once(socket, 'disconnect')));
  emitter.in('ac').disconnectSockets(true);
  await gone;
  assert.equal((await servers[0].fetchSockets()).length, 2);
});

test('an emitter is heard by all servers, and counts as none of them', async (t) => {
  const { emitter, servers, heard } = await twoServers(t);
  const told = servers.map(() => []);
  servers.forEach((io, i) => io.on('said', (...args) => told[i].push(args)));
  emitter.serverSideEmit('said', 1, 'two');
  await heard();
  assert.deepEqual(told, [[[1, 'two']], [[1, 'two']]]);
  for (const io of servers) {
    assert.equal(await io.of('/').adapter.serverCount(), 2);
    assert.equal(io.of('/').adapter.stats().servers, 1, 'the other one');
    assert.equal((await io.fetchSockets()).length, 4, 'nobody waits for an answer of the emitter');
  }
});

test('an emitter refuses what nobody could answer, what is reserved and what cannot be written, and goes on', async (t) => {
  const { emitter, heard } = await twoServers(t);
  const circle = {};
  circle.circle = circle;
  assert.throws(() => emitter.emit('x', () => {}), /an emitter hears no answers/);
  assert.throws(() => emitter.serverSideEmit('x', () => {}), /an emitter hears no answers/);
  assert.throws(() => emitter.emit('disconnect'), /reserved/);
  assert.throws(() => emitter.serverSideEmit('connection'), /reserved/);
  assert.throws(() => emitter.emit('x', circle), TypeError);
  emitter.to('a').emit('fine');
  assert.deepEqual((await heard()).a, [['fine']]);
});

test('close writes what was sent before it, and a producer of the caller stays connected', async () => {
  const kafka = new Kafka({ brokers: [cluster.options().broker] });
  const [admin, producer] = [kafka.admin(), kafka.producer()];
  await Promise.all([admin.connect(), producer.connect()]);
  try {
    for (const options of [{}, { producer }]) {
      const key = topicName('emitter');
      await admin.createTopics({ topics: [{ topic: key, numPartitions: 1 }] });
      const emitter = new Emitter(kafka, { key, ...options });
      for (let n = 0; n < 2000; n++) emitter.emit('n', n);
      await emitter.close();
      const [{ high }] = await admin.fetchTopicOffsets(key);
      assert.equal(high, '2000');
      assert.deepEqual(emitter.stats(), { queued: 0, queuedBytes: 0, lost: 0 });
      assert.throws(() => emitter.emit('late'), /closed/);
    }
    await producer.send({ topic: topicName('emitter-own'), messages: [{ value: 'still connected' }] });
  } finally {
    await Promise.all([admin.disconnect(), producer.disconnect()]);
  }
});

test('an emitter without Kafka keeps the newest within its bytes, says what is lost, and can be closed', async () => {
  const told = [];
  const logger = { error: (text) => told.push(String(text)), warn() {}, info() {}, debug() {} };
  // Port 1: nobody listens there.
  const emitter = new Emitter('127.0.0.1:1', { key: topicName('emitter'), maxQueuedBytes: 10_000, logger, connectionTimeout: 500, retry: { retries: 0 } });
  for (let n = 0; n < 100; n++) emitter.emit('n', 'x'.repeat(1000));
  const { queued, queuedBytes, lost } = emitter.stats();
  assert.ok(queued > 0 && queuedBytes <= 10_000);
  assert.equal(queued + lost, 100);
  await emitter.close();
  assert.equal(emitter.stats().lost, 100);
  assert.match(told.join('\n'), /records of this emitter were not written/);
});
