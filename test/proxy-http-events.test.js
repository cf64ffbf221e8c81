'use strict';
// Server-sent events of the proxy: resumed without a loss and without a repeat, bounded, and ended as sockets are.

const assert = require('node:assert/strict');
const { createHmac } = require('node:crypto');
const http = require('node:http');
const net = require('node:net');
const { once } = require('node:events');
const { after, before, test } = require('node:test');
const { KafkaProxy } = require('kafka-proxy');
const { Shared } = require('../js/kafka-proxy/dist/shared.js');
const { cleanup } = require('./support/cleanup.js');
const { real } = require('./support/clusters.js');
const { PATIENCE, silent, within } = require('./support/flow.js');
const { reach } = require('./support/proxy.js');
const { adminOf, producerOf, proxyOf, Stream } = require('./support/proxy-http.js');
const { random, seed } = require('./support/random.js');
const { eventually } = require('./support/watch.js');

let cluster;
before(async () => (cluster = await real()));
after(() => cluster?.close());

/** Numbered from `from` on. */
const numbers = (count, from = 0, more = {}) => Array.from({ length: count }, (_, i) => ({ key: `k${(from + i) % 97}`, value: String(from + i), ...more }));
/** A whole answer of HTTP is there; or the connection is closed. */
function talk(port, text) {
  const socket = net.connect(port, '127.0.0.1', () => socket.write(text));
  socket.on('error', () => {});
  return socket;
}
const get = (path, more = '') => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`;

test('who reconnects with the last id gets every message once, and in order, in the middle of heavy writing', async (t) => {
  const topic = await cluster.topic(4);
  const { base } = await proxyOf(t, cluster);
  const producer = await producerOf(t, cluster);
  const count = 20_000;
  const first = await (await Stream.open(`${base}/topics/${topic}/events`)).begun();
  let last = first.lastEventId;
  await first.cut();
  const writing = (async () => {
    for (let from = 0; from < count; from += 500) await producer.send({ topic, messages: numbers(500, from) });
  })();
  const chance = random(seed);
  t.diagnostic(`SEED=${seed}`);
  const got = [];
  let streams = 0;
  while (got.length < count) {
    // By the header as browsers do, or by the parameter.
    const header = streams++ % 2 === 0;
    const url = `${base}/topics/${topic}/events${header ? '' : `?lastEventId=${last}`}`;
    const stream = await Stream.open(url, header ? { 'Last-Event-ID': last } : {});
    assert.equal(stream.status, 200);
    await stream.got(Math.min(1 + Math.floor(chance() * 1500), count - got.length));
    await stream.cut();
    got.push(...stream.messages);
    last = stream.lastEventId;
  }
  await writing;
  assert.ok(streams > 10, `${streams} streams`);
  assert.equal(got.length, count);
  assert.deepEqual(
    got.map(({ value }) => Number(value)).sort((a, b) => a - b),
    numbers(count).map(({ value }) => Number(value)),
  );
  for (const partition of [0, 1, 2, 3]) {
    const offsets = got.filter((each) => each.partition === partition).map(({ offset }) => offset);
    assert.deepEqual(
      offsets,
      offsets.map((_, i) => i),
      `partition ${partition}`,
    );
  }
});

test('a partition that came while nobody was there begins with its first message', async (t) => {
  const topic = await cluster.topic(1);
  const { base } = await proxyOf(t, cluster);
  const producer = await producerOf(t, cluster);
  const admin = await adminOf(t, cluster);
  await producer.send({ topic, messages: numbers(1) });
  const stream = await Stream.open(`${base}/topics/${topic}/events?from=earliest`);
  await stream.got(1);
  await stream.cut();
  assert.equal(stream.lastEventId, '0:1');
  await admin.createPartitions({ topicPartitions: [{ topic, count: 2 }] });
  await eventually(PATIENCE, 'the new partition is written', () => producer.send({ topic, messages: [{ partition: 1, value: 'new' }] }).then(() => true));
  const again = await eventually(PATIENCE, 'the new partition is read', async () => {
    const tried = await Stream.open(`${base}/topics/${topic}/events`, { 'Last-Event-ID': stream.lastEventId });
    cleanup(t, () => tried.cut());
    await tried.begun();
    if (tried.lastEventId !== '0:1') return tried;
    await tried.cut();
  });
  const [event] = await again.got(1);
  assert.deepEqual([event.data.partition, event.data.value, event.id], [1, 'new', '0:1,1']);
});

test('an event has what was written as it was wanted, in one line whatever is in it', async (t) => {
  const topic = await cluster.topic(1);
  const { base } = await proxyOf(t, cluster);
  const producer = await producerOf(t, cluster);
  const values = ['{\r\n"a":\n1}', 'data: x\n\nevent: error\ndata: y\n\n', '\u2028\u2029\u0085\r', '', null, Buffer.from([0, 10, 13, 255])];
  await producer.send({ topic, messages: values.map((value) => ({ key: 'k\n', value, headers: { h: 'x\ny' }, timestamp: '1700000000000' })) });
  const text = await Stream.open(`${base}/topics/${topic}/events?from=0&partition=0`);
  cleanup(t, () => text.cut());
  await text.got(values.length);
  assert.deepEqual(
    text.messages,
    values.map((value, offset) => ({
      partition: 0,
      offset,
      timestamp: 1_700_000_000_000,
      key: 'k\n',
      ...(Buffer.isBuffer(value) ? { valueBase64: value.toString('base64') } : { value }),
      headers: { h: 'x\ny' },
    })),
  );
  const json = await Stream.open(`${base}/topics/${topic}/events?from=time:2023-11-14T22:13:20.000Z&value=json&key=false&headers=base64`);
  cleanup(t, () => json.cut());
  await json.got(2);
  assert.deepEqual(json.messages[0], {
    partition: 0,
    offset: 0,
    timestamp: 1_700_000_000_000,
    value: { a: 1 },
    headers: { h: Buffer.from('x\ny').toString('base64') },
  });
});

test('what rules do not allow never comes, and is passed by', async (t) => {
  t.mock.method(Shared.prototype, 'allow', async () => ({ only: { key: 'mine' } }));
  const topic = await cluster.topic(1);
  const { base } = await proxyOf(t, cluster);
  const producer = await producerOf(t, cluster);
  await producer.send({ topic, messages: [{ key: 'yours', value: 'a' }, { key: 'mine', value: 'b' }, ...numbers(100), { key: 'mine', value: 'c' }] });
  const stream = await Stream.open(`${base}/topics/${topic}/events?from=earliest`);
  cleanup(t, () => stream.cut());
  await stream.got(2);
  assert.deepEqual(
    stream.messages.map(({ key, value }) => key + value),
    ['mineb', 'minec'],
  );
  assert.equal(stream.lastEventId, '0:103');
});

test('who does not read is ended, has 4 MiB waiting at the most, and its place is free', async (t) => {
  const topic = await cluster.topic(1);
  const { base, port, lines } = await proxyOf(t, cluster, { limits: { sockets: 1, slow: 200 } });
  const producer = await producerOf(t, cluster);
  const sizes = [];
  const write = http.ServerResponse.prototype.write;
  t.mock.method(http.ServerResponse.prototype, 'write', function (...args) {
    const taken = write.apply(this, args);
    sizes.push(this.writableLength - args[0].length);
    return taken;
  });
  const client = talk(port, get(`/topics/${topic}/events`));
  await once(client, 'data');
  client.pause();
  assert.equal((await fetch(`${base}/topics/${topic}/events`)).status, 503);
  const value = Buffer.alloc(100_000, 'x');
  const gone = once(client, 'close');
  let over = false;
  const ended = lines.until(([, line]) => /"event":"close".*"code":1013/.test(line), PATIENCE).then(() => (over = true));
  while (!over) await producer.send({ topic, messages: Array.from({ length: 20 }, () => ({ value })) });
  await ended;
  assert.ok(Math.max(...sizes) <= 4 * 1024 * 1024 + 2 * 1024 * 1024, `${Math.max(...sizes)} bytes waited`);
  client.resume();
  await within(PATIENCE, 'the connection is closed', () => gone);
  const next = await Stream.open(`${base}/topics/${topic}/events`);
  assert.equal(next.status, 200);
  await next.cut();
});

test('it takes a place, and gives it back when the client goes, also one that was never answered', async (t) => {
  const topic = await cluster.topic(1);
  const { base, port, lines } = await proxyOf(t, cluster, { limits: { socketsPerAddress: 2 } });
  const path = `/topics/${topic}/events`;
  const free = () =>
    eventually(PATIENCE, 'all places are free', async () => {
      const both = await Promise.all([Stream.open(base + path), Stream.open(base + path)]);
      await Promise.all(both.map((each) => each.cut()));
      return both.every(({ status }) => status === 200);
    });
  const first = await Stream.open(base + path);
  const second = await Stream.open(base + path);
  const third = await fetch(base + path);
  assert.deepEqual([first.status, second.status, third.status, (await third.json()).code], [200, 200, 429, 'TOO_MANY_REQUESTS']);
  assert.equal(third.headers.get('retry-after'), '5');
  await Promise.all([first.cut(), second.cut()]);
  await free();
  // The second one waits behind the first one, which never ends.
  const opened = lines.all.filter(([, line]) => /"event":"open"/.test(line)).length;
  const client = talk(port, get(path) + get(path));
  await eventually(PATIENCE, 'both are sockets', () => lines.all.filter(([, line]) => /"event":"open"/.test(line)).length >= opened + 2);
  client.destroy();
  await free();
  // A look, and refusals, take none for long.
  const answers = (status, where, method = 'GET') =>
    eventually(PATIENCE, `${status} of ${where}`, async () => (await fetch(base + where, { method })).status === status);
  for (let i = 0; i < 4; i++) {
    await answers(200, path, 'HEAD');
    await answers(404, '/topics/no-such-topic/events');
    await answers(400, `${path}?from=x`);
  }
  await free();
  for (let i = 0; i < 40; i++)
    talk(port, get(path)).once('connect', function () {
      setImmediate(() => this.destroy());
    });
  await free();
});

test('the end of the proxy is the last event, and close waits for it', async (t) => {
  const topic = await cluster.topic(2);
  const { proxy, base } = await proxyOf(t, cluster);
  const streams = await Promise.all(Array.from({ length: 5 }, () => Stream.open(`${base}/topics/${topic}/events`)));
  await Promise.all(streams.map((stream) => stream.begun()));
  await proxy.close();
  for (const stream of streams) {
    await within(PATIENCE, 'the answer is complete', () => stream.ended);
    assert.deepEqual(stream.events.at(-1).type, 'error');
    const { code, retriable, fatal } = stream.events.at(-1).data;
    assert.deepEqual({ code, retriable, fatal }, { code: 'CLOSING', retriable: true, fatal: true });
  }
});

test('it goes on in silence on a connection that had another answer before, of a server that keeps connections for ever', async (t) => {
  const topic = await cluster.topic(1);
  const producer = await producerOf(t, cluster);
  await producer.send({ topic, messages: [{ value: 'x'.repeat(30_000) }] });
  const proxy = new KafkaProxy({ kafka: reach(cluster), path: '/', logger: silent });
  const server = http.createServer(proxy.handler);
  server.keepAliveTimeout = 0;
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const connections = [];
  server.on('connection', (connection) => connections.push(connection));
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  cleanup(t, async () => {
    agent.destroy();
    await proxy.close();
    server.close();
  });
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  const get = (path) =>
    within(PATIENCE, path, () => new Promise((resolve, reject) => http.get({ port, host: '127.0.0.1', path, agent }, resolve).on('error', reject)));
  const first = await get(`/topics/${topic}/messages`);
  await once(first.resume(), 'end');
  (await get(`/topics/${topic}/events`)).on('error', () => {}).resume();
  assert.equal(connections.length, 1);
  assert.ok(!connections[0].timeout, `it is cut off after ${connections[0].timeout} ms`);
});

test('a topic that is deleted ends it with an error, and who comes again is told that there is none', async (t) => {
  const topic = await cluster.topic(1);
  const { base } = await proxyOf(t, cluster);
  const admin = await adminOf(t, cluster);
  const stream = await (await Stream.open(`${base}/topics/${topic}/events`)).begun();
  await admin.deleteTopics({ topics: [topic] });
  await within(PATIENCE, 'it has ended', () => stream.ended);
  assert.equal(stream.events.at(-1).data.code, 'UNKNOWN_TOPIC_OR_PARTITION');
  // Whatever it had: made anew it begins with its first message.
  assert.equal(stream.lastEventId, '0:0');
  const again = await fetch(`${base}/topics/${topic}/events`, { headers: { 'Last-Event-ID': stream.lastEventId } });
  assert.equal(again.status, 404);
  await again.text();
});

test('nonsense is told before it begins', async (t) => {
  const topic = await cluster.topic(1);
  const { base } = await proxyOf(t, cluster, { authorize: (_, { topic: asked }) => asked === topic });
  const path = `/topics/${topic}/events`;
  for (const [status, query, headers = {}] of [
    [400, '?from=yesterday'],
    [400, '?from=5'],
    [400, '?from=1&from=2'],
    [400, '?partition=-1'],
    [400, '?partition=x'],
    [404, '?partition=7'],
    [400, '?value=xml'],
    [400, '?from=time:'],
    [400, '?from=time:0001-99-99'],
    [400, `?from=${'9'.repeat(30)}&partition=0`],
    [400, '?lastEventId=%00'],
    [400, '', { 'Last-Event-ID': 'x:1' }],
    [400, '', { 'Last-Event-ID': '0:1,,2' }],
    [400, '', { 'Last-Event-ID': `${'9'.repeat(10)}:1` }],
  ]) {
    const response = await fetch(base + path + query, { headers });
    assert.equal(response.status, status, query);
    assert.match(response.headers.get('content-type'), /json/);
    assert.match((await response.json()).message, /./);
  }
  for (const name of ['secret', `${topic}2`, '__consumer_offsets']) {
    const response = await fetch(`${base}/topics/${name}/events`);
    assert.deepEqual([response.status, (await response.json()).code], [403, 'FORBIDDEN'], 'there or not');
  }
  // An offset that the log does not have is told, and it goes on where there is something.
  const stream = await Stream.open(`${base}${path}?from=0:99`);
  await stream.got(1);
  assert.deepEqual(
    [stream.events[0].type, stream.events[0].data.code, stream.events[0].data.fatal, stream.lastEventId],
    ['error', 'OFFSET_OUT_OF_RANGE', false, '0:0'],
  );
  await stream.cut();
});

test('it ends when what said who it is expires', async (t) => {
  const topic = await cluster.topic(1);
  const secret = 'a secret of sixteen bytes, and more';
  const { base } = await proxyOf(t, cluster, { jwt: { secret } });
  const part = (document) => Buffer.from(JSON.stringify(document)).toString('base64url');
  const text = `${part({ alg: 'HS256' })}.${part({ sub: 'ali', exp: Math.floor(Date.now() / 1000) })}`;
  const token = `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
  const stream = await Stream.open(`${base}/topics/${topic}/events`, { authorization: `Bearer ${token}` });
  assert.equal(stream.status, 200);
  await within(PATIENCE, 'it has ended', () => stream.ended);
  assert.match(stream.events.at(-1).data.message, /let in/);
});
