'use strict';
// The files of the proxy's page, as HTTP gives them: over the embedded cluster, without a browser.

const assert = require('node:assert/strict');
const http = require('node:http');
const { after, before, test } = require('node:test');
const { gunzipSync } = require('node:zlib');
const { KafkaProxy } = require('kafka-proxy');
const { cleanup } = require('./support/cleanup.js');
const { embedded } = require('./support/clusters.js');
const { silent } = require('./support/flow.js');

let cluster;
before(async () => (cluster = await embedded()));
after(() => cluster?.close());

/** The port of a proxy with these options. */
async function proxied(t, options = {}) {
  const { broker, driver_options: properties } = cluster.options();
  const proxy = new KafkaProxy({ kafka: { brokers: broker.split(','), properties }, port: 0, host: '127.0.0.1', logger: silent, ...options });
  cleanup(t, () => proxy.close());
  return (await proxy.listen()).port;
}

/** As it is written: nobody takes dots out of the path. */
function ask(port, path, { method = 'GET', headers = {} } = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request({ port, host: '127.0.0.1', path, method, headers, agent: false }, async (response) => {
      const parts = [];
      for await (const part of response) parts.push(part);
      resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts) });
    });
    request.on('error', reject).end();
  });
}

const BROWSER = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };

test('a browser is led to the page from wherever the proxy is, and a script is not', async (t) => {
  const [port, below] = await Promise.all([proxied(t), proxied(t, { path: '/kafka' })]);
  const where = async (port, path, headers) => {
    const { status, headers: answered } = await ask(port, path, { headers });
    return status === 302 ? new URL(answered.location, `http://proxy${path}`).pathname : status;
  };
  assert.equal(await where(port, '/', BROWSER), '/ui/');
  assert.equal(await where(port, '/ui', {}), '/ui/');
  assert.equal(await where(below, '/kafka', BROWSER), '/kafka/ui/');
  assert.equal(await where(below, '/kafka/', BROWSER), '/kafka/ui/');
  assert.equal(await where(below, '/kafka/ui?x=1', BROWSER), '/kafka/ui/');
  assert.equal(await where(port, '/', { accept: 'application/json' }), 200);
  assert.equal(await where(port, '/', {}), 200);
});

test('the page is under a strict policy, names only files of its own, and these last', async (t) => {
  const port = await proxied(t);
  const page = await ask(port, '/ui/');
  assert.equal(page.status, 200);
  const policy = page.headers['content-security-policy'];
  for (const part of [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ])
    assert.ok(policy.includes(part), `${part} in ${policy}`);
  assert.doesNotMatch(policy, /unsafe|https?:|\*/);
  assert.equal(page.headers['x-content-type-options'], 'nosniff');
  assert.equal(page.headers['referrer-policy'], 'no-referrer');
  const html = page.body.toString();
  assert.doesNotMatch(html, /https?:|style=|<script>|<style/);
  const names = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, name]) => name);
  assert.equal(names.length, 3);
  for (const name of names) {
    const file = await ask(port, `/ui/${name}`);
    assert.equal(file.status, 200, name);
    if (name !== 'icon.svg') assert.match(file.headers['cache-control'], /immutable/);
    const small = await ask(port, `/ui/${name}`, { headers: { 'accept-encoding': 'gzip, br' } });
    assert.equal(small.headers['content-encoding'], 'gzip');
    assert.deepEqual(gunzipSync(small.body), file.body);
    assert.equal((await ask(port, `/ui/${name}`, { headers: { 'accept-encoding': 'br, gzip;q=0' } })).headers['content-encoding'], undefined);
    const head = await ask(port, `/ui/${name}`, { method: 'HEAD' });
    assert.deepEqual([head.status, head.body.length, head.headers['content-length']], [200, 0, String(file.body.length)]);
    assert.equal((await ask(port, `/ui/${name}`, { headers: { 'if-none-match': `W/"x", ${file.headers.etag}` } })).status, 304);
    if (name.endsWith('.js')) assert.ok(small.body.length < 80_000, `${small.body.length} bytes`);
  }
  assert.match((await ask(port, '/ui/LICENSES.txt')).body.toString(), /preact[^]+uplot/);
});

test('no path leads out of the page', async (t) => {
  const port = await proxied(t);
  const paths = [
    '../index.js',
    '..%2findex.js',
    '%2e%2e/index.js',
    '..\\index.js',
    'x/../../index.js',
    '/etc/passwd',
    'constructor',
    '__proto__',
    'index.html/',
    'index.html%00',
    'page.js',
    '%',
  ];
  for (const path of paths) assert.equal((await ask(port, `/ui/${path}`)).status, 404, path);
});

test('its files are for everybody, and what they show is not', async (t) => {
  const port = await proxied(t, { users: { ali: 'open' } });
  assert.equal((await ask(port, '/ui/')).status, 200);
  const refused = await ask(port, '/whoami');
  assert.equal(refused.status, 401);
  assert.match(refused.headers['www-authenticate'], /^Basic/);
  const page = await ask(port, '/whoami', { headers: { 'x-requested-with': 'kafka-proxy' } });
  assert.deepEqual([page.status, page.headers['www-authenticate']], [401, undefined], 'the page asks by its form');
});

test('without ui there is no page, and nobody is led to it', async (t) => {
  const port = await proxied(t, { ui: false });
  assert.equal((await ask(port, '/', { headers: BROWSER })).status, 200);
  for (const path of ['/ui', '/ui/', '/ui/index.html']) assert.equal((await ask(port, path)).status, 404, path);
});
