'use strict';
// Three servers go from Redis over the bridge to Kafka, one after the other, while all of them send: what their clients hear of it.

const test = require('node:test');
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { createServer } = require('node:http');
const { setTimeout: delay } = require('node:timers/promises');
const { createClient } = require('redis');
const { Kafka } = require('kafka-native/kafkajs');
const { Server } = require('socket.io');
const { io: connect } = require('socket.io-client');
const redisAdapter = require('@socket.io/redis-adapter');
const redisStreams = require('@socket.io/redis-streams-adapter');
const { Redis } = require('@kafka-native/redis-for-tests');
const { bridge, createAdapter } = require('socket.io-kafka');
const { real, topicName } = require('./support/clusters.js');

/** @type {any} */ let cluster;
/** @type {any} */ let redis;
test.before(async () => ([cluster, redis] = await Promise.all([real(), Redis.start()])));
test.after(() => Promise.all([cluster?.close(), redis?.stop()]));

/** Until it is so, at most for half a minute. */
async function until(what, isSo) {
  for (const end = Date.now() + 30_000; !(await isSo()); await delay(10)) assert.ok(Date.now() < end, typeof what === 'function' ? what() : what);
}

/** The adapters of Redis by their packages: a creator, and what ends its clients. */
const REDIS = {
  async 'redis-streams-adapter'(key) {
    const client = await createClient({ url: redis.url }).connect();
    return { ofRedis: redisStreams.createAdapter(client, { streamName: key, channelPrefix: key, sessionKeyPrefix: key }), end: () => client.close() };
  },
  async 'redis-adapter'(key) {
    const [pub, sub] = await Promise.all([createClient({ url: redis.url }).connect(), createClient({ url: redis.url }).connect()]);
    return { ofRedis: redisAdapter.createAdapter(pub, sub, { key }), end: () => Promise.all([pub.close(), sub.close()]) };
  },
};

const ofKafka = (key) => createAdapter({ brokers: [cluster.options().broker] }, { key });

/** The adapter of this `kind` of server: 'redis', 'bridge' or 'kafka'. */
async function adapterOf(kind, key, redisPackage) {
  if (kind === 'kafka') return { adapter: ofKafka(key), end: async () => {} };
  const { ofRedis, end } = await REDIS[redisPackage](key);
  return { adapter: kind === 'redis' ? ofRedis : bridge(ofRedis, ofKafka(key)), end };
}

/** A server that sends to all and to a room, without a pause. */
async function startServer({ kind, key, redisPackage, port = 0, name, options = {} }) {
  const { adapter, end } = await adapterOf(kind, key, redisPackage);
  const http = createServer();
  const io = new Server(http, { adapter, ...options });
  io.on('connection', (socket) => {
    const { blue, visit } = socket.handshake.auth;
    if (blue) socket.join('blue');
    if (visit) socket.join('visit');
  });
  io.on('name', (answer) => answer(name));
  await io.of('/').adapter.init();
  http.listen(port, '127.0.0.1');
  await once(http, 'listening');
  const server = { name, kind, io, port: http.address().port, sent: 0, sending: undefined, stop, close };
  return server;

  function stop() {
    clearInterval(server.sending);
  }
  function close() {
    stop();
    return (server.closing ??= io.close().then(end));
  }
}

function send(server) {
  server.sending = setInterval(() => {
    server.io.emit('tick', server.name, 'all', server.sent);
    server.io.to('blue').emit('tick', server.name, 'blue', server.sent++);
  }, 4);
}

/** A client, and what it heard since it connected: of each sender the first and the last number, and what was amiss. */
function startClient(port, blue) {
  const socket = connect(`http://127.0.0.1:${port}`, {
    auth: { blue },
    transports: ['websocket'],
    reconnectionDelay: 20,
    reconnectionDelayMax: 20,
    forceNew: true,
  });
  const client = { socket, blue, heard: new Map(), local: [], amiss: [], settled: false };
  socket.on('connect', () => {
    client.heard = new Map();
    client.settled = false;
  });
  socket.on('tick', (name, stream, n) => {
    const of = client.heard.get(`${name} ${stream}`);
    if (of === undefined) {
      // A server that starts while a client hears all others is heard from its first word.
      if (client.settled && n !== 0) client.amiss.push(`${name} ${stream} began with ${n}`);
      client.heard.set(`${name} ${stream}`, { last: n });
    } else {
      if (n !== of.last + 1) client.amiss.push(`${name} ${stream}: ${n} after ${of.last}`);
      of.last = n;
    }
  });
  socket.on('local', (name) => client.local.push(name));
  socket.on('who', (answer) => answer(socket.id));
  return client;
}

/** Everything else that reaches other servers, from every server. */
async function everythingCrosses(servers, clients) {
  const ids = clients.map(({ socket }) => socket.id).sort();
  const blue = clients
    .filter((client) => client.blue)
    .map(({ socket }) => socket.id)
    .sort();
  for (const { io, name } of servers) await until(`${name} counts the servers`, async () => (await io.of('/').adapter.serverCount()) === servers.length);
  for (const { io, name } of servers) {
    const fetched = async (operator) => (await operator.fetchSockets()).map(({ id }) => id).sort();
    assert.deepEqual(await fetched(io), ids, `${name} fetches all sockets, each once`);
    assert.deepEqual((await io.timeout(10_000).emitWithAck('who')).sort(), ids, `every client answers ${name}, once`);
    const others = servers.map((server) => server.name).filter((other) => other !== name);
    assert.deepEqual((await io.serverSideEmitWithAck('name')).sort(), others.sort(), `every other server answers ${name}, once`);
    io.in('blue').socketsJoin(`of ${name}`);
    await until(`those in blue join the room of ${name}`, async () => String(await fetched(io.in(`of ${name}`))) === String(blue));
    io.socketsLeave(`of ${name}`);
    await until(`they leave the room of ${name}`, async () => (await fetched(io.in(`of ${name}`))).length === 0);
    const visitors = servers.map(({ port }) =>
      connect(`http://127.0.0.1:${port}`, { auth: { visit: true }, transports: ['websocket'], reconnection: false, forceNew: true }),
    );
    await Promise.all(visitors.map((socket) => once(socket, 'connect')));
    const gone = Promise.all(visitors.map((socket) => once(socket, 'disconnect')));
    io.in('visit').disconnectSockets(true);
    await gone;
    const own = clients.filter(({ socket }) => io.of('/').sockets.has(socket.id)).map(({ local }) => ({ local, before: local.length }));
    io.local.emit('local', name);
    await until(`the clients of ${name} hear what is local of it`, () => own.every(({ local, before }) => local.length > before));
  }
}

for (const redisPackage of Object.keys(REDIS)) {
  test(`servers move from ${redisPackage} to Kafka one by one, and nothing is lost, doubled or out of order for clients of the others`, async () => {
    const key = topicName('bridge');
    const start = (kind, slot, port) => startServer({ kind, key, redisPackage, port, name: `${kind} ${slot}` });
    const servers = await Promise.all([0, 1, 2].map((slot) => start('redis', slot)));
    /** How much each server that is gone has sent. */
    const sent = new Map();
    const clients = servers.flatMap(({ port }) => [startClient(port, true), startClient(port, false)]);
    try {
      servers.forEach(send);
      const settle = () =>
        Promise.all(
          clients.map(async (client, i) => {
            await until(
              () => `client ${i} hears every server: it has ${[...client.heard.keys()]}`,
              () => servers.every(({ name }) => client.heard.has(`${name} all`) && (!client.blue || client.heard.has(`${name} blue`))),
            );
            client.settled = true;
          }),
        );
      await settle();
      await everythingCrosses(servers, clients);
      for (const kind of ['bridge', 'kafka']) {
        for (const slot of [0, 1, 2]) {
          const { name, port } = servers[slot];
          const ends = servers[slot];
          await ends.close();
          sent.set(name, ends.sent);
          servers[slot] = await start(kind, slot, port);
          send(servers[slot]);
          await settle();
          await everythingCrosses(servers, clients);
        }
      }
      for (const server of servers) {
        server.stop();
        sent.set(server.name, server.sent);
      }
      const rest = () =>
        clients.flatMap(({ heard }) =>
          [...heard].filter(([of, { last }]) => servers.some(({ name }) => of.startsWith(name)) && last < sent.get(of.replace(/ \w+$/, '')) - 1),
        );
      await until(
        () => `everything arrives: ${rest()}`,
        () => rest().length === 0,
      );
      for (const [i, { heard, local, amiss }] of clients.entries()) {
        const slot = Math.floor(i / 2);
        // One by one of the kinds, as long as each was there.
        const kinds = ['redis', 'bridge', 'kafka'].flatMap((kind, k) => Array(k === 0 ? 1 + slot : k === 1 ? 3 : 3 - slot).fill(`${kind} ${slot}`));
        assert.deepEqual(local, kinds, `client ${i} hears what is local of its own server only`);
        assert.deepEqual(amiss, [], `client ${i}`);
        for (const [of, { last }] of heard) assert.equal(last, sent.get(of.replace(/ \w+$/, '')) - 1, `client ${i} has all that ${of} sent`);
      }
    } finally {
      for (const { socket } of clients) socket.close();
      await Promise.all(servers.map((server) => server.close()));
    }
  });
}

/** With connection state recovery, on Redis streams. */
const recovering = (kind, key, name, port) =>
  startServer({ kind, key, redisPackage: 'redis-streams-adapter', name, port, options: { connectionStateRecovery: { maxDisconnectionDuration: 60_000 } } });

/** Events that a client hears, and whether it was recovered at each connection. */
function recoveringClient(port) {
  const socket = connect(`http://127.0.0.1:${port}`, { transports: ['websocket'], reconnectionDelay: 20, reconnectionDelayMax: 20, forceNew: true });
  const client = { socket, heard: [], offsets: [], recovered: [] };
  socket.on('connect', () => client.recovered.push(socket.recovered));
  socket.on('said', (what, offset) => {
    client.heard.push(what);
    client.offsets.push(offset);
  });
  return client;
}

test('while servers go from Redis to the bridge, clients recover over Redis what servers of both kinds sent', async () => {
  const key = topicName('bridge');
  const [onBridge, onRedis, before] = await Promise.all([
    recovering('bridge', key, 'bridge'),
    recovering('redis', key, 'redis'),
    recovering('redis', key, 'before'),
  ]);
  const client = recoveringClient(before.port);
  let after;
  try {
    // The reader of Redis begins at the end: that it has begun is known when something came.
    await until('the client hears', () => onBridge.io.emit('said', 'first') && client.heard.length > 0);
    onBridge.io.emit('said', 'second');
    await until('the client hears the second', () => client.heard.includes('second'));
    await before.close();
    onBridge.io.emit('said', 'of the bridge');
    onRedis.io.emit('said', 'of Redis');
    after = await recovering('bridge', key, 'after', before.port);
    await until('the client is back', () => client.recovered.length === 2);
    assert.deepEqual(client.recovered, [false, true]);
    await until('it has what it missed', () => client.heard.includes('of the bridge') && client.heard.includes('of Redis'));
    assert.deepEqual(client.heard.filter((what) => what !== 'first').sort(), ['of Redis', 'of the bridge', 'second']);
  } finally {
    client.socket.close();
    await Promise.all([onBridge.close(), onRedis.close(), before.close(), after?.close()]);
  }
});

test('a bridge server that has heard of Kafka recovers nobody, since Redis lacks what Kafka servers sent', async () => {
  const key = topicName('bridge');
  const [onBridge, onKafka] = [await recovering('bridge', key, 'bridge'), await recovering('kafka', key, 'kafka')];
  const client = recoveringClient(onBridge.port);
  try {
    onKafka.io.emit('said', 'not yet');
    await until('the client hears of Kafka', () => onKafka.io.emit('said', 'of Kafka') && client.heard.includes('of Kafka'));
    // The kafka server is gone: only the bridge remembers.
    await onKafka.close();
    await until('it is alone', async () => (await onBridge.io.of('/').adapter.serverCount()) === 1);
    // The offset that the client has is Redis's.
    onBridge.io.emit('said', 'of Redis');
    await until('the client hears of Redis', () => client.heard.at(-1) === 'of Redis');
    client.socket.io.engine.close();
    await until('the client is back', () => client.recovered.length === 2);
    assert.deepEqual(client.recovered, [false, false]);
    assert.ok(
      client.offsets.every((offset) => typeof offset === 'string'),
      'each packet says where it is in a log',
    );
  } finally {
    client.socket.close();
    await Promise.all([onBridge.close(), onKafka.close()]);
  }
});

test('the adapter of a bridge is what the one of Redis is, with the figures and errors of Kafka', async () => {
  const key = topicName('bridge');
  const server = await startServer({ kind: 'bridge', key, redisPackage: 'redis-adapter', name: 'bridge' });
  const kafka = new Kafka({ brokers: [cluster.options().broker] });
  const producer = kafka.producer();
  try {
    const { adapter } = server.io.of('/');
    assert.ok(adapter instanceof redisAdapter.RedisAdapter);
    assert.equal(adapter.init(), adapter.init(), 'there is one beginning');
    assert.equal(adapter.stats().ready, true);
    assert.match(adapter.prometheus(), /^# /m);
    assert.deepEqual(await adapter.allRooms(), new Set());
    const error = once(adapter, 'error');
    await producer.connect();
    await producer.send({ topic: key, messages: [{ key: '/', value: 'no record' }] });
    assert.match((await error)[0].message, /cannot be read/);
  } finally {
    await Promise.all([server.close(), producer.disconnect()]);
  }
});

test('a bridge refuses what are no creators of the two kinds, in this order', async () => {
  const { ofRedis, end } = await REDIS['redis-adapter']('none');
  const kafka = ofKafka('none');
  for (const [first, second] of [
    [kafka, ofRedis],
    [kafka, kafka],
    [undefined, kafka],
  ])
    assert.throws(() => bridge(first, second), /give first what createAdapter of the Redis adapter/);
  for (const second of [ofRedis, undefined, null]) assert.throws(() => bridge(ofRedis, second), /give second what createAdapter of socket.io-kafka/);
  await end();
});
