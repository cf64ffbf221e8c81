'use strict';
// The client of kafka-proxy in a real browser, as the built file, without a bundler: over the real Kafka.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const http = require('node:http');
const { once } = require('node:events');
const { after, before, test } = require('node:test');
const { launch } = require('@kafka-native/chromium-for-tests');
const { Kafka } = require('kafka-native');
const { KafkaProxy } = require('kafka-proxy');
const { cleanup } = require('./support/cleanup.js');
const { real } = require('./support/clusters.js');
const { PATIENCE, silent } = require('./support/flow.js');

const CLIENT = require.resolve('kafka-proxy/client').replace(/index\.js$/, 'index.mjs');
/** For pages: a global `MessagePack`. */
const MSGPACK = path.join(path.dirname(require.resolve('@msgpack/msgpack')), '..', 'dist.umd', 'msgpack.min.js');
/** Whose pages are none of ours. */
const STRANGER = 'stranger.test';
/** The page: what it does is in the tests. */
const PAGE = `<!doctype html><script src="/msgpack.js"></script><script type="module">
  import * as client from '/client.mjs';
  Object.assign(globalThis, client);
  globalThis.until = async (what, look) => {
    for (const end = Date.now() + ${PATIENCE}; !look(); await new Promise((resolve) => setTimeout(resolve, 10))) if (Date.now() > end) throw new Error('never: ' + what);
  };
  globalThis.ready = true;
</script>`;

let cluster;
let browser;
let producer;
before(async () => {
  [cluster, browser] = await Promise.all([real(), launch({ args: [`--host-resolver-rules=MAP ${STRANGER} 127.0.0.1`] })]);
  producer = new Kafka({ brokers: cluster.options().broker.split(','), logger: silent }).producer();
  await producer.connect();
});
after(async () => {
  await browser?.close();
  await producer?.disconnect();
  await cluster?.close();
});

/** The site with the page, and with the proxy at /kafka, which `restart` ends and begins anew. */
async function site(t) {
  const files = {
    '/': ['text/html', PAGE],
    '/client.mjs': ['text/javascript', fs.readFileSync(CLIENT)],
    '/msgpack.js': ['text/javascript', fs.readFileSync(MSGPACK)],
  };
  const server = http.createServer((request, response) => {
    const [type, body] = files[request.url] ?? [];
    response.writeHead(type ? 200 : 404, { 'content-type': type ?? 'text/plain' }).end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const site = { origin: `http://127.0.0.1:${server.address().port}`, log: [] };
  const begin = () => {
    const proxy = new KafkaProxy({ brokers: [cluster.options().broker], path: '/kafka', logger: { ...silent, info: (line) => site.log.push(line) } });
    proxy.attach(server);
    return proxy;
  };
  site.proxy = begin();
  cleanup(t, async () => {
    await site.proxy.close();
    server.closeAllConnections();
    server.close();
  });
  site.restart = async () => {
    await site.proxy.close();
    site.proxy = begin();
  };
  return site;
}

/** A page of the site, and what went wrong in it. */
async function open(t, origin) {
  const context = await browser.newContext();
  context.setDefaultTimeout(PATIENCE);
  cleanup(t, () => context.close());
  const page = await context.newPage();
  const errors = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  await page.goto(`${origin}/`);
  await page.waitForFunction('globalThis.ready');
  return { page, errors, context };
}

for (const protocol of ['json', 'msgpack']) {
  test(`${protocol}: a page subscribes, produces and follows a table, and goes on when the proxy has begun anew`, async (t) => {
    const { origin, restart } = await site(t);
    const [topic, entries] = await Promise.all([cluster.topic(2), cluster.topic(2, { config: { 'cleanup.policy': 'compact' } })]);
    await producer.send({
      topic: entries,
      messages: [
        { key: 'a', value: '1' },
        { key: 'gone', value: '2' },
        { key: 'b', value: '3' },
        { key: 'gone', value: null },
      ],
    });
    const { page, errors } = await open(t, origin);
    await page.evaluate(
      async ({ url, topic, entries, protocol }) => {
        const { KafkaProxyClient, MessagePack } = globalThis;
        const client = new KafkaProxyClient(url, { protocol, codec: MessagePack, reconnect: { min: 20, max: 200 } });
        const world = (globalThis.world = { client, opens: 0, got: [], values: [] });
        client.on('open', () => world.opens++);
        await client.connect();
        world.table = await client.table(entries, { value: 'json' });
        world.changes = [];
        world.table.on('change', (change) => world.changes.push(change));
        world.results = await client.produce(topic, [
          { key: 'grüße', value: { n: 1 }, partition: 0 },
          { value: new Uint8Array([0, 255, 1]), partition: 1, headers: { h: 'x' } },
        ]);
        const subscription = client.subscribe({ topics: [topic], from: 'earliest', value: 'binary' });
        (async () => {
          for await (const { partition, offset, key, value, headers } of subscription) world.got.push([partition, offset, key, [...value], headers]);
        })();
        world.work = client.subscribe({ topics: [topic], group: `g-${topic}`, from: 'earliest' });
        world.committed = [];
        world.work.on('committed', (where) => world.committed.push(where));
        (async () => {
          for await (const { value } of world.work) world.values.push(value);
        })();
        await globalThis.until('two messages', () => world.got.length === 2 && world.values.length === 2);
      },
      { url: `${origin.replace('http', 'ws')}/kafka`, topic, entries, protocol },
    );
    const world = (path) => page.evaluate(`globalThis.world.${path}`);
    assert.deepEqual(await world('results'), [
      { partition: 0, offset: 0 },
      { partition: 1, offset: 0 },
    ]);
    assert.deepEqual((await world('got')).sort(), [
      [0, 0, 'grüße', [...Buffer.from('{"n":1}')], {}],
      [1, 0, null, [0, 255, 1], { h: 'x' }],
    ]);
    assert.deepEqual(await page.evaluate('[...world.table].sort()'), [
      ['a', 1],
      ['b', 3],
    ]);

    await restart();
    await producer.send({ topic, messages: Array.from({ length: 20 }, (_, i) => ({ partition: i % 2, value: `after ${i}` })) });
    await producer.send({
      topic: entries,
      messages: [
        { key: 'a', value: null },
        { key: 'c', value: '{"x":4}' },
      ],
    });
    await page.evaluate(async () => {
      const { world, until } = globalThis;
      await until('it is back', () => world.opens === 2);
      await until('all messages', () => world.got.length >= 22);
      await until('the table', () => world.table.size === 2 && world.table.has('c'));
      await until('the group', () => new Set(world.values).size === 22);
      await world.client.produce(world.work.positions[0].topic, [{ value: 'last', partition: 0 }]);
      await until('the last', () => world.got.length === 23);
      await world.work.close();
    });
    const got = await world('got');
    for (const partition of [0, 1])
      assert.deepEqual(
        got.filter((each) => each[0] === partition).map(([, offset]) => offset),
        Array.from({ length: partition === 0 ? 12 : 11 }, (_, i) => i),
      );
    assert.deepEqual(await page.evaluate('[...world.table].sort()'), [
      ['b', 3],
      ['c', { x: 4 }],
    ]);
    assert.deepEqual(
      (await world('changes')).sort((a, b) => (a.key < b.key ? -1 : 1)),
      [
        { key: 'a', value: undefined, previous: 1 },
        { key: 'c', value: { x: 4 }, previous: undefined },
      ],
    );
    assert.ok((await world('committed')).length > 0);
    await page.evaluate('world.client.close()');
    assert.equal(await world('client.connected'), false);
    assert.deepEqual(errors, []);
  });
}

test('a page whose network is gone for a while misses nothing; one of another origin is not let in', async (t) => {
  const { origin, restart, log } = await site(t);
  const topic = await cluster.topic(1);
  const { page, errors, context } = await open(t, origin);
  await page.evaluate(
    async ({ url, topic }) => {
      const client = new globalThis.KafkaProxyClient(url, { reconnect: { min: 20, max: 200 } });
      const world = (globalThis.world = { client, topic, got: [], attempts: 0 });
      client.on('reconnect', ({ attempt }) => (world.attempts = attempt));
      await client.connect();
      const subscription = client.subscribe({ topics: [topic] });
      await new Promise((resolve) => subscription.once('assigned', resolve));
      subscription.on('message', ({ value }) => world.got.push(value));
    },
    { url: `${origin.replace('http', 'ws')}/kafka`, topic },
  );
  // An open socket stays open; the page gets a new one only when the network is back.
  await context.setOffline(true);
  await restart();
  await page.evaluate(() => globalThis.until('tries in vain', () => globalThis.world.attempts >= 3));
  await producer.send({ topic, messages: Array.from({ length: 50 }, (_, i) => ({ value: String(i) })) });
  await context.setOffline(false);
  await page.evaluate(() => globalThis.until('all', () => globalThis.world.got.length === 50));
  assert.deepEqual(
    await page.evaluate('world.got'),
    Array.from({ length: 50 }, (_, i) => String(i)),
  );

  const other = await site(t);
  const stranger = await open(t, other.origin.replace('127.0.0.1', STRANGER));
  const refused = await stranger.page.evaluate(
    async (url) => new globalThis.KafkaProxyClient(url).connect().catch(({ code, retriable }) => ({ code, retriable })),
    `${origin.replace('http', 'ws')}/kafka`,
  );
  assert.deepEqual(refused, { code: 'CONNECTION_LOST', retriable: true });
  assert.ok(
    log.some((line) => /"event":"refused".*"status":403/.test(line)),
    log.join('\n'),
  );
  assert.deepEqual(errors, []);
});
