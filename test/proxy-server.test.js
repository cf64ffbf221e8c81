'use strict';
// A kafka-proxy as a server: how it begins to listen, whom it serves, how it ends; and what a socket of it promises to the protocols.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const path = require('node:path');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { setTimeout: delay } = require('node:timers/promises');
const { Kafka } = require('kafka-native');
const KafkaProxy = require('kafka-proxy');
const WebSocket = require('ws');
const { makeTls } = require('../deps/kafka/tls.js');
const { readOptions } = require('../js/kafka-proxy/dist/options.js');
const { ANYBODY } = require('../js/kafka-proxy/dist/doors/identity.js');
const { WsSocket } = require('../js/kafka-proxy/dist/ws-socket.js');
const { cleanup } = require('./support/cleanup.js');
const { embedded } = require('./support/clusters.js');
const { PATIENCE, SOON, folder, within } = require('./support/flow.js');
const { knock, listening, NOBODY, opened, reach } = require('./support/proxy.js');
const { Calls, eventually } = require('./support/watch.js');

const UPGRADE =
  'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: kafka.v2.json\r\n\r\n';

describe('as kafka-proxy 1.0', () => {
  test('the module is the class, also by its name and by import', async () => {
    assert.equal(KafkaProxy, KafkaProxy.KafkaProxy);
    const module = await import('kafka-proxy');
    assert.equal(module.default, KafkaProxy);
    assert.equal(module.KafkaProxy, KafkaProxy);
  });

  test('the fields have the options, or the defaults', () => {
    const given = new KafkaProxy({
      wsPort: 9999,
      kafka: 'localhost:9092/',
      idleTimeout: 1001,
      recordInterval: 5001,
      maxBytes: 500_001,
      partition: 1,
      auth: 'password',
    });
    const fields = ({ port, kafkaAddress, idleTimeout, recordInterval, maxBytes, defaultPartition, auth }) => ({
      port,
      kafkaAddress,
      idleTimeout,
      recordInterval,
      maxBytes,
      defaultPartition,
      auth,
    });
    assert.deepEqual(fields(given), {
      port: 9999,
      kafkaAddress: 'localhost:9092/',
      idleTimeout: 1001,
      recordInterval: 5001,
      maxBytes: 500_001,
      defaultPartition: 1,
      auth: 'password',
    });
    const bare = new KafkaProxy({ wsPort: 9999, kafka: 'localhost:9092/' });
    assert.deepEqual(fields(bare), {
      port: 9999,
      kafkaAddress: 'localhost:9092/',
      idleTimeout: 1000,
      recordInterval: 5000,
      maxBytes: 500_000,
      defaultPartition: 0,
      auth: undefined,
    });
    // Numbers as text, and its defaults for what is no number to speak of.
    const text = new KafkaProxy({ wsPort: '9999', kafka: 'localhost:9092/', idleTimeout: /** @type {any} */ ('250'), maxBytes: 0, auth: null });
    assert.deepEqual(fields(text), { ...fields(bare), idleTimeout: 250 });
  });

  test('without a port or a Kafka it throws, in the words of 1.0', () => {
    assert.throws(() => new KafkaProxy({}), /web socket port needed, please set e\.g\. \{wsPort: 9999\}/);
    assert.throws(() => new KafkaProxy({ kafka: 'localhost:9092' }), /web socket port needed/);
    assert.throws(() => new KafkaProxy({ wsPort: 9999 }), /kafka server address needed, please set e\.g\. \{kafka: "localhost:/);
    for (const thrown of [{}, { wsPort: 9999 }]) assert.throws(() => new KafkaProxy(thrown), Error);
  });
});

test('a wrong option throws a TypeError or a RangeError that names it, and shows no secret', () => {
  const table = [
    [TypeError, /there is no option prot$/, { prot: 1 }],
    [TypeError, /there is no option limits\.socket$/, { limits: { socket: 1 } }],
    [RangeError, /port must be a whole number from 0 to 65535, got 65536/, { port: 65_536 }],
    [TypeError, /port must be a whole number .*, got '80'/, { port: '80' }],
    [RangeError, /wsPort must be/, { wsPort: -1 }],
    [TypeError, /host must not be empty/, { host: '' }],
    [TypeError, /path must begin with '\/'/, { path: 'kafka' }],
    [TypeError, /path must begin with '\/'/, { path: '/kafka?x' }],
    [TypeError, /auth must not be empty/, { auth: '' }],
    [TypeError, /^kafka-proxy: auth must be a string$/, { auth: 4711 }],
    [TypeError, /^kafka-proxy: users [^4]*$/, { users: { ali: 4711 } }],
    [TypeError, /^kafka-proxy: users [^4]*without a colon/, { users: { 'a:4711': 'x' } }],
    [TypeError, /authenticate must be a function/, { authenticate: true }],
    [TypeError, /authorize must be a function/, { authorize: {} }],
    [TypeError, /origins must be an array of origins/, { origins: 'https://example.com' }],
    [RangeError, /limits\.sockets must be/, { limits: { sockets: 0 } }],
    [RangeError, /limits\.payload must be/, { limits: { payload: Number.POSITIVE_INFINITY } }],
    [RangeError, /limits\.framesPerSecond must be/, { limits: { framesPerSecond: Number.NaN } }],
    [RangeError, /pingInterval must be/, { pingInterval: -1 }],
    [RangeError, /closeTimeout must be/, { closeTimeout: 0.5 }],
    [TypeError, /compression must be true or false/, { compression: 'yes' }],
    [TypeError, /logger must be an object/, { logger: console.log }],
    [TypeError, /tls cannot be used/, { tls: { key: '-----BEGIN 4711', cert: 'x' } }],
    [RangeError, /ZooKeeper/, { brokers: 'localhost:2181' }],
    [TypeError, /one of them/, { kafka: 'localhost:9092' }],
    [TypeError, /one too many/, { kafka: new Kafka({ brokers: [NOBODY] }) }],
    [TypeError, /the options must be an object/, 5],
  ];
  for (const [Kind, message, options] of table) {
    assert.throws(
      () => new KafkaProxy(typeof options === 'object' ? { port: 0, brokers: NOBODY, ...options } : options),
      (/** @type {any} */ error) => {
        assert.match(error.message, message);
        assert.ok(error instanceof Kind, `${error.name} for ${JSON.stringify(options)}`);
        return true;
      },
    );
  }
  for (const options of [
    { limits: { sockets: Number.POSITIVE_INFINITY } },
    { brokers: [NOBODY, 'b'] },
    { brokers: `${NOBODY}, b:9092/` },
    { brokers: undefined, kafka: { brokers: [NOBODY] } },
    { kafka: { ssl: true } },
    { port: undefined },
    { limits: undefined },
  ]) {
    assert.ok(new KafkaProxy({ port: 0, brokers: NOBODY, ...options }));
  }
});

test('the page has every option and every limit, with the defaults that they have', () => {
  const page = fs.readFileSync(path.join(__dirname, '..', 'js', 'kafka-proxy', 'README.md'), 'utf8');
  const rows = new Map(
    [...page.matchAll(/^\| (`.*?) \| (.*?) \|/gm)].flatMap(([, names, value]) =>
      names.split(', ').map((name, i) => [name.slice(1, -1), value.split(', ')[i] ?? value]),
    ),
  );
  const read = readOptions({ port: 0, brokers: NOBODY });
  const types = fs.readFileSync(require.resolve('../js/kafka-proxy/dist/options.d.ts'), 'utf8');
  const members = (name) =>
    [...(new RegExp(`interface ${name}\\b[^{]*\\{([^]*?)\\n\\}`).exec(types)?.[1] ?? '').matchAll(/^ {4}(\w+)\??:/gm)].map(([, member]) => member);
  const options = [...members('ProxyOptions'), ...members('LegacyOptions')];
  assert.ok(options.length > 20, String(options));
  // Told where the page speaks of 1.0.
  for (const name of options.filter((each) => each !== 'wsPort')) assert.ok(rows.has(name), name);
  const number = (text) =>
    text === 'any' ? Number.POSITIVE_INFINITY : Number(text.replace(/ (\d)/g, '$1').replace(/ MiB$/, '')) * (text.endsWith('MiB') ? 1024 * 1024 : 1);
  for (const [name, value] of Object.entries({
    ...read.limits,
    ...read.legacy,
    hookTimeout: read.hookTimeout,
    pingInterval: read.pingInterval,
    closeTimeout: read.closeTimeout,
  })) {
    assert.equal(number(rows.get(name) ?? 'nothing'), value, name);
  }
  assert.equal(readOptions({ brokers: NOBODY }).port, number(rows.get('port')));
  // TooLarge is a status of HTTP: no socket is closed with it.
  const { TooLarge, ...codes } = KafkaProxy.CloseCode;
  assert.doesNotMatch(page, new RegExp(`\\b${TooLarge}\\b`));
  for (const code of Object.values(codes).filter((each) => typeof each === 'number' && each !== TooLarge))
    assert.match(page, new RegExp(`^[|\\d ,and]*\\b${code}\\b`, 'm'));
});

test('listen resolves with the address when it accepts; a taken port rejects with words that help, and another try may follow', async (t) => {
  const { port, address, proxy } = await listening(t);
  assert.deepEqual([address, proxy.port], ['127.0.0.1', port]);
  await opened(`ws://127.0.0.1:${port}`);
  await assert.rejects(proxy.listen(), /listens already/);

  const second = new KafkaProxy({ port, brokers: NOBODY });
  await assert.rejects(second.listen(), (/** @type {any} */ error) => {
    assert.equal(error.code, 'EADDRINUSE');
    assert.match(error.message, new RegExp(`port ${port} of 127\\.0\\.0\\.1 is taken by another program`));
    return true;
  });
  await proxy.close();
  assert.equal((await second.listen()).port, port);
  await second.close();
  await assert.rejects(second.listen(), /was closed/);
  const nowhere = new KafkaProxy({ port: 0, brokers: NOBODY, host: '203.0.113.1' });
  await assert.rejects(nowhere.listen(), /203\.0\.113\.1 is no address of this machine/);
});

test('the first subprotocol that it speaks is chosen, none is that of 1.0, and none that it speaks is refused', async (t) => {
  const { port, url } = await listening(t);
  for (const [offered, chosen] of [
    [['kafka.v2.json'], 'kafka.v2.json'],
    [['kafka.v2.msgpack'], 'kafka.v2.msgpack'],
    [['token.4711', 'kafka.v2.msgpack', 'kafka.v2.json'], 'kafka.v2.msgpack'],
  ]) {
    const ws = new WebSocket(url, /** @type {string[]} */ (offered));
    const [hello] = await once(ws, 'message');
    assert.equal(ws.protocol, chosen);
    assert.equal(hello.includes('hello'), true);
    ws.close();
  }
  const old = new WebSocket(`${url}/any/path?nothing=here`);
  await once(old, 'upgrade');
  assert.equal(old.protocol, '');
  old.terminate();
  for (const offered of ['soap', 'kafka.v3.json', 'KAFKA.V2.JSON', '']) {
    const { status, body } = await knock(port, { headers: { 'Sec-WebSocket-Protocol': offered } });
    assert.equal(status, 400, offered);
    assert.match(body, /kafka\.v2\.json and kafka\.v2\.msgpack/);
  }
});

test('a path of its own is the only one where it answers; who asks by HTTP is told what this is', async (t) => {
  const { port } = await listening(t, { path: '/kafka' });
  for (const [target, status] of [
    ['/kafka', 101],
    ['/kafka?topic=x', 101],
    ['http://elsewhere/kafka?x', 101],
    ['/', 404],
    ['/kafka/', 404],
    ['//kafka', 404],
    ['/%6bafka', 404],
    ['/?/kafka', 404],
  ]) {
    assert.equal((await knock(port, { path: /** @type {string} */ (target) })).status, status, String(target));
  }
  const response = await fetch(`http://127.0.0.1:${port}/kafka`);
  assert.equal(response.status, 200);
  assert.equal((await response.json()).name, 'kafka-proxy');
});

test('attached to a server it answers at its path alone, and leaves the others, and the server, to their owners', async (t) => {
  const server = http.createServer((_, response) => response.end('mine'));
  cleanup(t, () => server.close());
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const { port } = /** @type {net.AddressInfo} */ (server.address());
  const mine = new WebSocket.Server({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    if (request.url === '/mine') mine.handleUpgrade(request, socket, head, (ws) => ws.send('mine'));
  });
  assert.throws(() => new KafkaProxy({ brokers: NOBODY }).attach(server), /others listen for upgrades .*: attach needs the option path/);
  const proxy = new KafkaProxy({ brokers: NOBODY, path: '/kafka' });
  proxy.attach(server);

  const [own, theirs] = await Promise.all([opened(`ws://127.0.0.1:${port}/kafka?x`), opened(`ws://127.0.0.1:${port}/mine`, [])]);
  await own.hears(({ type }) => type === 'hello');
  if (theirs.heard.length === 0) await once(theirs, 'message');
  assert.deepEqual(theirs.heard, ['mine']);
  assert.equal((await knock(port, { path: '/kafka', headers: { origin: 'http://evil.example' } })).status, 403);

  await proxy.close();
  assert.equal((await own.gone()).code, 1001);
  assert.equal(theirs.readyState, WebSocket.OPEN);
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/kafka`)).text(), 'mine');
  assert.equal(server.listenerCount('upgrade'), 1);
  theirs.terminate();
});

test('attached without a path it has all upgrades of the server, which is left to its owner', async (t) => {
  const server = http.createServer((_, response) => response.end('mine'));
  cleanup(t, () => server.close());
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const { port } = /** @type {net.AddressInfo} */ (server.address());
  const proxy = new KafkaProxy({ wsPort: 9999, kafka: NOBODY });
  proxy.attach(server);
  for (const path of ['/', '/any/path?topic=x']) assert.equal((await knock(port, { path })).status, 101, path);
  const own = await opened(`ws://127.0.0.1:${port}/`);
  await proxy.close();
  assert.equal((await own.gone()).code, 1001);
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), 'mine');
});

test('attached, an upgrade that nobody wants is answered with 404, and does not wait for ever', async (t) => {
  const server = http.createServer((_, response) => response.end('mine'));
  cleanup(t, () => server.close());
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const { port } = /** @type {net.AddressInfo} */ (server.address());
  for (const path of ['/one', '/two']) {
    const proxy = new KafkaProxy({ brokers: NOBODY, path });
    cleanup(t, () => proxy.close());
    proxy.attach(server);
  }
  for (const [path, status] of /** @type {const} */ ([
    ['/one', 101],
    ['/two', 101],
    ['/three', 404],
  ]))
    assert.equal((await knock(port, { path })).status, status, path);
});

test('attached, an upgrade that comes when its connection is closed takes no place', async (t) => {
  const server = http.createServer();
  cleanup(t, () => server.close());
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const { port } = /** @type {net.AddressInfo} */ (server.address());
  const proxy = new KafkaProxy({ brokers: NOBODY, path: '/kafka', limits: { sockets: 1 } });
  cleanup(t, () => proxy.close());
  proxy.attach(server);
  const socket = new net.Socket();
  await Promise.all([once(socket, 'close'), socket.destroy()]);
  server.emit('upgrade', { url: '/kafka', headers: { host: 'localhost' }, socket }, socket, Buffer.alloc(0));
  assert.equal((await knock(port, { path: '/kafka' })).status, 101);
});

test('over TLS it is wss', async (t) => {
  const certificates = path.join(folder(t), 'tls');
  await makeTls(certificates);
  const file = (name) => fs.readFileSync(path.join(certificates, name));
  const { url, proxy } = await listening(t, { tls: { key: file('server.key'), cert: file('server.pem') } });
  const client = await opened(url, ['kafka.v2.json'], { ca: file('ca.pem') });
  await client.hears(({ type }) => type === 'hello');
  // A client that speaks no TLS harms nobody.
  const plain = net.connect(proxy.port, '127.0.0.1').on('error', () => {});
  plain.write(UPGRADE);
  await once(plain, 'close');
  client.send('{"type":"lag","id":1}');
  await client.hears(({ id }) => id === 1);
  await proxy.close();
  assert.equal((await client.gone()).code, 1001);
});

test('with compression frames are the same, and a small frame that becomes a large one is refused', async (t) => {
  const cluster = await embedded();
  cleanup(t, () => cluster.close());
  const topic = await cluster.topic(1);
  const { url } = await listening(t, { kafka: reach(cluster), compression: true, limits: { payload: 10_000 } });
  const client = await opened(url, ['kafka.v2.json'], { perMessageDeflate: true });
  assert.match(client.extensions, /permessage-deflate/);
  const value = 'compressible'.repeat(700);
  client.send(JSON.stringify({ type: 'subscribe', id: 1, topics: [topic], from: 'earliest' }));
  client.send(JSON.stringify({ type: 'produce', id: 2, topic, messages: [{ value }] }));
  assert.equal((await client.hears(({ type }) => type === 'batch')).records[0].value, value);
  client.send(' '.repeat(10_000_000));
  assert.equal((await client.gone()).code, 1009);
  const plain = await opened(url);
  assert.equal(plain.extensions, '');
  plain.close();
});

describe('close', () => {
  test('is told to clients with 1001, refuses new ones with 503 meanwhile, and is the same promise each time', async (t) => {
    const { proxy, port, url } = await listening(t);
    const clients = await Promise.all(Array.from({ length: 20 }, () => opened(url)));
    // One that does not answer the close frame keeps the proxy waiting.
    const mute = net.connect(port, '127.0.0.1').on('error', () => {});
    mute.write(UPGRADE);
    await once(mute, 'data');
    const closing = proxy.close();
    assert.equal(proxy.close(), closing);
    const { status, headers } = await knock(port);
    assert.deepEqual([status, headers['retry-after']], [503, '1']);
    assert.equal((await knock(port, { headers: { 'Sec-WebSocket-Protocol': 'soap' } })).status, 503, 'before anything else is looked at');
    for (const client of clients) assert.deepEqual(await client.gone(), { code: 1001, reason: 'the proxy ends; connect again' });
    mute.destroy();
    await closing;
    await assert.rejects(knock(port), { code: 'ECONNREFUSED' });
  });

  test('takes no longer than closeTimeout, whatever clients do, and then cuts them off', async (t) => {
    const { proxy, port } = await listening(t, { closeTimeout: 300 });
    const mute = net.connect(port, '127.0.0.1').on('error', () => {});
    mute.write(UPGRADE);
    await once(mute, 'data');
    mute.pause();
    const silent = net.connect(port, '127.0.0.1').on('error', () => {});
    await once(silent, 'connect');
    await within(SOON, 'the proxy is closed', () => proxy.close());
    await Promise.all([mute, silent].map((socket) => socket.resume() && (socket.closed || once(socket, 'close'))));
  });

  test('writes what clients have sent before they knew of the end', async (t) => {
    const cluster = await embedded();
    cleanup(t, () => cluster.close());
    const topic = await cluster.topic(1);
    const { proxy, url } = await listening(t, { kafka: reach(cluster) });
    const client = await opened(url);
    client.send(JSON.stringify({ type: 'produce', id: 1, topic, messages: [{ value: 'first' }] }));
    await client.hears(({ type }) => type === 'produced');
    client.send(JSON.stringify({ type: 'produce', id: 2, topic, messages: [{ value: 'on its way' }] }));
    const closing = proxy.close();
    client.send(JSON.stringify({ type: 'produce', id: 3, topic, messages: [{ value: 'behind the close frame' }] }));
    await closing;
    const consumer = new Kafka({ ...reach(cluster), logLevel: 0 }).consumer({ groupId: null });
    await consumer.connect();
    cleanup(t, () => consumer.disconnect());
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    const read = [];
    for await (const { value } of consumer.messages({ until: 'end' })) read.push(String(value));
    assert.deepEqual(read.sort(), ['behind the close frame', 'first', 'on its way']);
  });

  test('takes no longer when Kafka is away and clients wait for it', async (t) => {
    const { proxy, url } = await listening(t, { closeTimeout: 500 });
    const clients = await Promise.all([opened(url), opened(url), opened(url), opened(`${url}/?topic=t`, [])]);
    clients[0].send(JSON.stringify({ type: 'produce', id: 1, topic: 't', messages: [{ value: 'x' }] }));
    clients[1].send(JSON.stringify({ type: 'subscribe', id: 1, topics: ['t'], from: 'earliest' }));
    clients[2].send(JSON.stringify({ type: 'subscribe', id: 1, topics: ['t'], group: 'g' }));
    for (const client of clients.slice(0, 3)) client.send(JSON.stringify({ type: 'lag', id: 'none' }));
    await Promise.all(clients.slice(0, 3).map((client) => client.hears(({ id }) => id === 'none')));
    await within(SOON, 'the proxy is closed', () => proxy.close());
    for (const client of clients) assert.equal((await client.gone()).code, 1001);
  });

  test('does not wait for a handshake of TLS that never ends', async (t) => {
    const certificates = path.join(folder(t), 'tls');
    await makeTls(certificates);
    const { proxy, port } = await listening(t, {
      closeTimeout: 300,
      tls: { key: fs.readFileSync(path.join(certificates, 'server.key')), cert: fs.readFileSync(path.join(certificates, 'server.pem')) },
    });
    const silent = net.connect(port, '127.0.0.1').on('error', () => {});
    await once(silent, 'connect');
    silent.resume();
    const gone = once(silent, 'close');
    // A client that comes behind it is served: it was accepted.
    (await opened(`wss://127.0.0.1:${port}`, ['kafka.v2.json'], { rejectUnauthorized: false })).close();
    await within(SOON, 'the proxy is closed', () => proxy.close());
    await gone;
  });

  test('in every moment of listening ends it, and nothing of it stays', async () => {
    for (let turns = 0; turns < 5; turns++) {
      const proxy = new KafkaProxy({ port: 0, brokers: NOBODY });
      const listens = proxy.listen();
      for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
      await proxy.close();
      const { port } = await listens;
      await assert.rejects(knock(port), { code: 'ECONNREFUSED' });
    }
    await new KafkaProxy({ port: 0, brokers: NOBODY }).close();
  });
});

test('a client that answers no ping is cut off, one that answers stays', async (t) => {
  const { port, url } = await listening(t, { pingInterval: 200 });
  const alive = await opened(url);
  const dead = await opened(url, ['kafka.v2.json'], /** @type {any} */ ({ autoPong: false }));
  const pings = new Calls();
  alive.on('ping', pings.take);
  assert.equal((await dead.gone()).code, 1006);
  await pings.count(4);
  assert.equal(alive.readyState, WebSocket.OPEN);
  assert.equal((await knock(port)).status, 101);
  alive.close();
});

describe('a socket', () => {
  /** A socket as the protocols see it, and what it hears; a raw client at the other end. */
  async function pair(t, { rate = 1000 } = {}) {
    const server = http.createServer();
    const wss = new WebSocket.Server({ noServer: true, autoPong: false });
    const heard = new Calls();
    const ended = new Calls();
    const failed = new Calls();
    const made = new Promise((resolve) => {
      server.on('upgrade', (request, connection, head) => {
        wss.handleUpgrade(request, connection, head, (ws) => {
          const socket = new WsSocket(ws, connection, ANYBODY, '127.0.0.1', { rate, ended: ended.take, failed: failed.take, closed() {} });
          socket.begin({ received: heard.take, end: async () => {} });
          resolve(socket);
        });
      });
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
    cleanup(t, () => server.close());
    const client = net.connect(/** @type {net.AddressInfo} */ (server.address()).port, '127.0.0.1').on('error', () => {});
    cleanup(t, () => client.destroy());
    client.write(UPGRADE);
    await once(client, 'readable');
    client.read();
    return { socket: /** @type {WsSocket} */ (await made), client, heard, ended, failed };
  }

  /** Resolves when the socket is closed. @param {WsSocket} socket @returns {Promise<void>} */
  const gone = (socket) => new Promise((resolve) => socket.closed.hear(resolve));

  /** Reads as a slow client does, until there was that much. @param {net.Socket} client */
  async function take(client, bytes) {
    for (let read = 0; read < bytes; ) {
      const data = client.read(Math.min(client.readableLength, bytes - read)) ?? undefined;
      if (data) read += data.length;
      else await once(client, 'readable');
    }
  }

  test('counts what the system has not taken, also of a write under way, and drains when it has', async (t) => {
    const { socket, client } = await pair(t);
    assert.equal(socket.buffered, 0);
    await socket.drained();
    const size = 24 * 1024 * 1024;
    socket.send(Buffer.alloc(size));
    const full = socket.buffered;
    assert.ok(full > 1024 * 1024, `${full} bytes wait`);
    let drained = false;
    const draining = socket.drained().then(() => (drained = true));
    await take(client, size / 2);
    assert.ok(socket.buffered < full, 'it falls while the client reads, though the frame is not written');
    assert.equal(drained, false);
    const { taken } = socket;
    client.resume();
    await within(PATIENCE, 'it drains', () => draining);
    assert.equal(socket.buffered, 0);
    assert.ok(taken < size && socket.taken === size);
  });

  test('sends in order, text and binary, and nothing behind its end', async (t) => {
    const { socket, client } = await pair(t);
    for (const [frame, binary] of /** @type {[any, boolean | undefined][]} */ ([
      ['text', undefined],
      [Buffer.from('bytes'), undefined],
      [Buffer.from('text'), false],
      ['', undefined],
    ])) {
      socket.send(frame, { ...(binary !== undefined && { binary }) });
    }
    socket.close(/** @type {any} */ (4400), 'no');
    socket.send('late');
    const expected = '\x81\x04text\x82\x05bytes\x81\x04text\x81\x00\x88\x04\x11\x30no';
    await eventually(PATIENCE, 'it has come', () => client.readableLength >= expected.length);
    assert.equal(client.read().toString('latin1'), expected);
  });

  /** An answer to a ping. @param {string} text */
  const pong = (text) => Buffer.concat([Buffer.from([0x8a, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);

  test("knows what the client has got by its answers to pings, which count as nobody's frames", async (t) => {
    // Ten frames it may send at once.
    const { socket, client } = await pair(t, { rate: 1 });
    for (let i = 1; i <= 20; i++) {
      socket.send('x');
      const reached = socket.reached();
      client.write(pong(String(i)));
      assert.equal(await within(PATIENCE, 'it is told', () => reached), true);
    }
    // An answer to a later ping is one to those before it; one to a ping that was not sent is none.
    const told = new Calls();
    for (const ping of [21, 22, 23]) void socket.reached().then((reached) => told.take([ping, reached]));
    client.write(Buffer.concat([pong('99'), pong('22')]));
    assert.deepEqual(await told.count(2), [
      [21, true],
      [22, true],
    ]);
    // Behind the proxy's close frame the client answers nothing: it is asked before.
    socket.close(/** @type {any} */ (4409), '');
    const last = socket.reached();
    client.write(pong('23'));
    assert.deepEqual(await told.count(3), [
      [21, true],
      [22, true],
      [23, true],
    ]);
    client.write(pong('24'));
    assert.equal(await within(PATIENCE, 'it is told', () => last), true);
    client.resetAndDestroy();
    await eventually(PATIENCE, 'it is gone', () => socket.closed.over);
    assert.equal(await socket.reached(), true, 'it has answered before it went');
  });

  test('whose client goes by itself, or breaks, has reached it with nothing that was not answered', async (t) => {
    for (const end of [(client) => client.write(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8])), (client) => client.resetAndDestroy()]) {
      const { socket, client, ended } = await pair(t);
      socket.send('x');
      const reached = socket.reached();
      client.write(pong('1'));
      assert.equal(await within(PATIENCE, 'it is told', () => reached), true);
      socket.send('y');
      const before = socket.reached();
      end(client);
      client.end();
      assert.equal(await within(PATIENCE, 'it is told', () => before), false);
      await ended.count(1);
      assert.equal(await within(PATIENCE, 'it is told', () => socket.reached()), false);
    }
  });

  test('tells those who wait for it when it is closed', async (t) => {
    const { socket, client, ended } = await pair(t);
    socket.send(Buffer.alloc(24 * 1024 * 1024));
    const drained = socket.drained(0);
    client.resetAndDestroy();
    await within(PATIENCE, 'the waiting ends', () => drained);
    await gone(socket);
    assert.equal(ended.all.length, 1);
    assert.deepEqual([socket.open, socket.buffered], [false, 0]);
    await socket.drained(0);
  });

  test('closes once, with a reason that is cut at a character', async (t) => {
    const { socket, client } = await pair(t);
    const ended = gone(socket);
    socket.close(4404, `${'x'.repeat(122)}€`);
    socket.close(4400, 'again');
    assert.equal(socket.open, false);
    await ended;
    if (client.readableLength === 0) await once(client, 'readable');
    const frame = client.read();
    assert.deepEqual([frame[0], frame[1], frame.readUInt16BE(2)], [0x88, 124, 4404]);
    assert.equal(frame.subarray(4).toString(), 'x'.repeat(122));
  });

  test('reads nothing while it is held, and all of it afterwards', async (t) => {
    const { socket, client, heard } = await pair(t);
    const frame = (text) => Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);
    client.write(frame('1'));
    await heard.count(1);
    socket.hold();
    client.write(frame('2'));
    assert.notEqual(await Promise.race([heard.count(2), delay(200)]), heard.all);
    socket.ping();
    socket.ping();
    assert.ok(socket.open, 'whoever is not read cannot be asked for an answer');
    socket.release();
    await heard.count(2);
    assert.deepEqual(
      heard.all.map(([data]) => String(data)),
      ['1', '2'],
    );
    // Its end is heard though it was held in between.
    socket.hold();
    const ended = gone(socket);
    client.resetAndDestroy();
    await within(PATIENCE, 'its end is noticed', async () => {
      socket.ping();
      await ended;
    });
  });

  test('is not cut off by a ping that the client has still to read, as long as it reads', async (t) => {
    const { socket, client } = await pair(t);
    const size = 24 * 1024 * 1024;
    socket.send(Buffer.alloc(size));
    for (let part = 0; part < 4; part++) {
      socket.ping();
      assert.ok(socket.open);
      const { buffered } = socket;
      await take(client, size / 8);
      await within(PATIENCE, 'the system takes more', async () => {
        while (socket.buffered === buffered) await new Promise((resolve) => setImmediate(resolve));
      });
    }
    socket.ping();
    assert.ok(socket.open);
    const ended = gone(socket);
    socket.ping();
    socket.ping();
    assert.ok(!socket.open, 'it has read nothing from one ping to the next');
    await ended;
  });

  test('is closed when a client asks without end and reads nothing, so that its memory is bounded', async (t) => {
    const { socket, client, ended } = await pair(t);
    client.pause();
    const answer = Buffer.alloc(64 * 1024);
    for (let i = 0; i < 10_000 && socket.open; i++) {
      socket.send(answer);
      assert.ok(socket.buffered <= 4 * 1024 * 1024 + 3 * answer.length, `${socket.buffered} bytes`);
    }
    assert.equal(socket.open, false);
    await ended.count(1);
  });

  test('an error of a protocol closes it with 1011, and nobody else hears of it', async (t) => {
    const { socket, client, failed } = await pair(t);
    socket.begin({
      received() {
        throw new Error('a defect');
      },
      end: () => Promise.reject(new Error('another')),
    });
    client.write(Buffer.from([0x81, 0x80, 0, 0, 0, 0]));
    await failed.count(2);
    while (client.readableLength < 4) await once(client, 'readable');
    const frame = client.read();
    assert.deepEqual([frame[0], frame.readUInt16BE(2)], [0x88, 1011]);
  });
});
