'use strict';
// Messages of any topic, as the clients of the servers that read it hear them.

const test = require('node:test');
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { createServer } = require('node:http');
const { setTimeout: delay } = require('node:timers/promises');
const { Kafka } = require('kafka-native/kafkajs');
const { Server } = require('socket.io');
const { io: connect } = require('socket.io-client');
const { createAdapter, fromTopic } = require('socket.io-kafka');
const { cleanup } = require('./support/cleanup.js');
const { real } = require('./support/clusters.js');

/** @type {any} */ let cluster;
/** @type {any} */ let kafka;
/** @type {any} */ let producer;
test.before(async () => {
  cluster = await real();
  kafka = new Kafka({ brokers: [cluster.options().broker] });
  producer = kafka.producer();
  await producer.connect();
});
test.after(async () => {
  await producer?.disconnect();
  await cluster?.close();
});

async function until(what, isSo) {
  for (const end = Date.now() + 30_000; !(await isSo()); await delay(10)) assert.ok(Date.now() < end, what);
}

/** A server and its clients, one in each of these rooms, which ends with the test. */
async function serverWith(t, rooms, { namespace = '/', ...options } = {}) {
  const http = createServer();
  const io = new Server(http, options);
  io.of(namespace).on('connection', (socket) => void socket.join(socket.handshake.auth.room));
  await io.of(namespace).adapter.init();
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const clients = await Promise.all(
    rooms.map(async (room) => {
      const socket = connect(`http://127.0.0.1:${http.address().port}${namespace}`, {
        auth: { room },
        transports: ['websocket'],
        reconnectionDelay: 20,
        forceNew: true,
      });
      const client = { room, socket, heard: [] };
      socket.onAny((...event) => client.heard.push(event));
      await once(socket, 'connect');
      return client;
    }),
  );
  cleanup(t, async () => {
    for (const { socket } of clients) socket.close();
    await io.close();
  });
  return { io, clients };
}

const produce = (topic, ...messages) =>
  producer.send({ topic, messages: messages.map((message) => (typeof message === 'object' ? message : { value: message })) });

test('messages of a topic reach the clients in their room on every server, each once and in order, from when the source is ready', async (t) => {
  const topic = await cluster.topic(3);
  const adapter = () => createAdapter(kafka, { key: `${topic}-log` });
  const servers = [await serverWith(t, ['a', 'b'], { adapter: adapter() }), await serverWith(t, ['a', 'c'], { adapter: adapter() })];
  await produce(topic, { key: 'a', value: 'before' });
  const sources = servers.map(({ io }) => fromTopic(io, topic, ({ key, value }) => ({ room: String(key), event: 'price', args: [String(value), value] })));
  await Promise.all(sources.map(({ ready }) => ready));
  for (let n = 0; n < 100; n++) await produce(topic, { key: 'a', value: `${n}` }, { key: 'b', value: `b${n}` });
  await produce(topic, { key: 'c', value: 'for c' });
  const expected = (prefix) => Array.from({ length: 100 }, (_, n) => ['price', `${prefix}${n}`, Buffer.from(`${prefix}${n}`)]);
  const [a1, b, a2, c] = servers.flatMap(({ clients }) => clients);
  await until('everything arrives', () => a1.heard.length + b.heard.length + a2.heard.length + c.heard.length >= 301);
  assert.deepEqual([a1.heard, b.heard, a2.heard], [expected(''), expected('b'), expected('')]);
  assert.deepEqual(c.heard, [['price', 'for c', Buffer.from('for c')]]);
  for (const source of sources) {
    const { lag, ...stats } = source.stats();
    assert.deepEqual(stats, { ready: true, read: 201, sent: 201, failed: 0 });
    assert.equal(typeof lag, 'number');
  }
});

test('a mapper makes no event, one or several of a message, at once or later, in the order of the messages', async (t) => {
  const topic = await cluster.topic(1);
  const { io, clients } = await serverWith(t, ['a', 'b'], { namespace: '/prices' });
  const mapper = async ({ value }) => {
    const text = String(value);
    // The first takes longest.
    await delay(text === 'slow' ? 100 : 0);
    if (text === 'none') return null;
    if (text === 'two')
      return [
        { room: 'a', event: 'first' },
        { room: ['a', 'b'], event: 'second' },
      ];
    return { everybody: true, event: text };
  };
  const source = fromTopic(io, topic, mapper, { kafka, namespace: '/prices' });
  await source.ready;
  await produce(topic, 'slow', 'none', 'two', 'last');
  await until('the last arrives', () => clients.every(({ heard }) => heard.at(-1)?.[0] === 'last'));
  assert.deepEqual(clients[0].heard, [['slow'], ['first'], ['second'], ['last']]);
  assert.deepEqual(clients[1].heard, [['slow'], ['second'], ['last']]);
});

test('a message whose mapper throws, or gives what is no event, is told and left out, and goes to nobody', async (t) => {
  const topic = await cluster.topic(1);
  const { io, clients } = await serverWith(t, ['a', 'undefined']);
  const wrong = {
    throws: () => {
      throw new Error('not mine');
    },
    rejects: () => Promise.reject(new Error('not mine')),
    'no room': () => ({ room: undefined, event: 'x' }),
    'no rooms': () => ({ room: [], event: 'x' }),
    'a room and all': () => ({ room: 'a', everybody: true, event: 'x' }),
    'no event': () => ({ room: 'a' }),
    'a text': () => 'x',
    'no args': () => ({ room: 'a', event: 'x', args: 'x' }),
    'a function': () => ({ room: 'a', event: 'x', args: [() => {}] }),
    'a reserved event': () => ({ room: 'a', event: 'disconnect' }),
    'one of two': () => [{ room: 'a', event: 'x' }, { room: 'a' }],
  };
  const source = fromTopic(io, topic, ({ value }) => wrong[String(value)]?.() ?? { everybody: true, event: String(value) }, { kafka });
  await source.ready;
  const error = once(io.of('/').adapter, 'error');
  await produce(topic, ...Object.keys(wrong), 'last');
  assert.match((await error)[0].message, new RegExp(`${topic}/0, offset 0.* is left out: not mine`));
  await until('the last arrives', () => clients.every(({ heard }) => heard.length > 0));
  for (const { heard } of clients) assert.deepEqual(heard, [['last']]);
  const { read, sent, failed } = source.stats();
  assert.deepEqual({ read, sent, failed }, { read: 12, sent: 1, failed: 11 });
});

test('without a listener the logger hears of it, and one that throws stops nothing', async (t) => {
  const topic = await cluster.topic(1);
  const { io, clients } = await serverWith(t, ['a']);
  const told = [];
  const error = (text) => {
    told.push(text);
    throw new Error('of the logger');
  };
  const source = fromTopic(io, topic, ({ value }) => (String(value) === 'bad' ? 'x' : { room: 'a', event: 'good' }), { kafka, logger: { error } });
  await source.ready;
  await produce(topic, 'bad', 'bad', 'good');
  await until('the good one arrives', () => clients[0].heard.length > 0);
  assert.equal(told.length, 1, 'one of a kind in ten seconds');
  assert.match(told[0], /must give \{ room, event, args \}/);
});

test('sources of one turn have one reader; one that is closed sends nothing more, and with the last the reader ends', async (t) => {
  const [first, second] = [await cluster.topic(1), await cluster.topic(1)];
  const { io, clients } = await serverWith(t, ['a']);
  const own = new Kafka({ brokers: [cluster.options().broker] });
  const readers = [];
  const make = own.consumer.bind(own);
  own.consumer = (config) => {
    readers.push(make(config));
    return readers.at(-1);
  };
  const source = (topic, event) => fromTopic(io, topic, () => ({ room: 'a', event }), { kafka: own });
  const sources = [source(first, 'one'), source(first, 'two'), source(second, 'three')];
  await Promise.all(sources.map(({ ready }) => ready));
  assert.equal(readers.length, 1);
  await produce(first, 'x');
  await until('both arrive', () => clients[0].heard.length === 2);
  await produce(second, 'x');
  await until('the third arrives', () => clients[0].heard.length === 3);
  assert.deepEqual(clients[0].heard.splice(0), [['one'], ['two'], ['three']]);
  await Promise.all([sources[0].close(), sources[2].close()]);
  await produce(second, 'x');
  await produce(first, 'x');
  await until('the one that is left arrives', () => clients[0].heard.length > 0);
  assert.deepEqual(clients[0].heard, [['two']]);
  assert.equal(sources[0].stats().ready, false);
  const end = new Promise((resolve) => readers[0].on(readers[0].events.DISCONNECT, resolve));
  await Promise.all([sources[1].close(), end]);
  const late = source(first, 'late');
  await late.ready;
  assert.equal(readers.length, 2);
  const early = source(first, 'early');
  await early.close();
  await assert.rejects(early.ready, /closed before it was ready/);
});

test('a client with connection state recovery takes no text of a topic for an offset', async (t) => {
  const topic = await cluster.topic(1);
  const { io, clients } = await serverWith(t, ['a'], { adapter: createAdapter(kafka, { key: `${topic}-log` }), connectionStateRecovery: {} });
  const [{ socket, heard }] = clients;
  const source = fromTopic(io, topic, ({ value }) => ({ room: 'a', event: 'said', args: [String(value)] }));
  await source.ready;
  io.emit('said', 'of the log');
  await until('the log is heard', () => heard.length === 1);
  await produce(topic, 'of the topic');
  await until('the topic is heard', () => heard.length === 2);
  socket.io.engine.close();
  io.emit('said', 'missed');
  await until('the client is back', () => heard.at(-1)[1] === 'missed');
  assert.equal(socket.recovered, true);
});

test('a reader that has ended for good is told, and begins anew', async (t) => {
  const topic = await cluster.topic(1);
  const { io, clients } = await serverWith(t, ['a']);
  const own = new Kafka({ brokers: [cluster.options().broker] });
  const crashes = [];
  const make = own.consumer.bind(own);
  own.consumer = (config) => {
    const consumer = make(config);
    const on = consumer.on.bind(consumer);
    consumer.on = (name, listener) => {
      if (name === consumer.events.CRASH) crashes.push(listener);
      return on(name, listener);
    };
    return consumer;
  };
  const source = fromTopic(io, topic, ({ value }) => ({ room: 'a', event: String(value) }), { kafka: own });
  await source.ready;
  await produce(topic, 'first');
  await until('the first arrives', () => clients[0].heard.length === 1);
  const error = once(io.of('/').adapter, 'error');
  crashes[0]({ payload: { error: new Error('the end'), restart: true } });
  crashes[0]({ payload: { error: new Error('the end'), restart: false } });
  assert.match((await error)[0].message, /begins anew at the topics' ends: the end/);
  await until('another reader hears', async () => {
    await produce(topic, 'again');
    return clients[0].heard.length > 1;
  });
  assert.equal(crashes.length, 2);
});

test('sources end with the HTTP server of their server, however many there are', async (t) => {
  const topic = await cluster.topic(1);
  const warnings = [];
  const onWarning = (warning) => warnings.push(warning.name);
  process.on('warning', onWarning);
  cleanup(t, () => process.off('warning', onWarning));
  const { io } = await serverWith(t, []);
  const sources = Array.from({ length: 20 }, () => fromTopic(io, topic, () => null, { kafka }));
  await Promise.all(sources.map(({ ready }) => ready));
  await io.close();
  assert.ok(sources.every((source) => !source.stats().ready));
  assert.deepEqual(warnings, []);
});

test('with recovery each client has every message once and in order: who was away, and while servers come and go', async (t) => {
  const topic = await cluster.topic(2);
  const key = `${topic}-log`;
  const start = async (rooms) => {
    const server = await serverWith(t, rooms, { adapter: createAdapter(kafka, { key, logger: { error() {} } }), connectionStateRecovery: {} });
    const mapper = ({ key: room, value }) => [
      { room: String(room), event: 'price', args: [Number(value)] },
      ...(Number(value) % 10 ? [] : [{ everybody: true, event: 'tens' }]),
    ];
    const source = fromTopic(server.io, topic, mapper);
    assert.throws(() => fromTopic(server.io, topic, mapper), /already/);
    await source.ready;
    return { ...server, source };
  };
  const before = await produce(topic, { key: 'a', value: '-1' });
  const servers = [await start(['a']), await start(['a', 'b']), await start(['a'])];
  let n = 0;
  let going = true;
  const producing = (async () => {
    while (going) {
      await produce(topic, { key: 'a', value: `${n++}` });
      await delay(2);
    }
  })();
  const [first, second, third] = servers;
  const [away] = first.clients;
  await until('all hear', () => [away, second.clients[0], third.clients[0]].every(({ heard }) => heard.length > 20));
  for (let round = 0; round < 3; round++) {
    const then = n;
    const back = once(away.socket, 'connect');
    away.socket.io.uri = second.clients[0].socket.io.uri;
    away.socket.io.engine.close();
    await until('it misses some', () => n > then + 10);
    await back;
    assert.equal(away.socket.recovered, true);
  }
  // One that shared the topic ends, another comes.
  third.clients[0].socket.close();
  await third.io.close();
  const fourth = await start(['b']);
  const at = n;
  await until('more is sent', () => n > at + 100);
  going = false;
  await producing;
  const prices = ({ heard }) => heard.filter(([event]) => event === 'price').map(([, price]) => price);
  const tens = ({ heard }) => heard.filter(([event]) => event === 'tens').length;
  const all = Array.from({ length: n }, (_, price) => price);
  await until('all has come', () => [away, second.clients[0]].every((client) => prices(client).length >= n && tens(client) >= Math.ceil(n / 10)));
  for (const client of [away, second.clients[0]]) {
    assert.deepEqual(prices(client), all);
    assert.equal(tens(client), Math.ceil(n / 10));
  }
  assert.deepEqual([prices(second.clients[1]), prices(fourth.clients[0])], [[], []]);
  assert.equal(before.length, 1);
});

test('what is no call of fromTopic is refused', async (t) => {
  const { io } = await serverWith(t, []);
  assert.throws(() => fromTopic({}, 'x', () => null), /give first the Server/);
  assert.throws(() => fromTopic(io, '', () => null), /give second a topic/);
  assert.throws(() => fromTopic(io, 'x', 'y'), /give third a function/);
  assert.throws(() => fromTopic(io, 'x', () => null), /give the option kafka/);
});
