'use strict';
// Pages of other origins get nothing of a proxy, in a real browser that has the user's password for it, and they change nothing.

const assert = require('node:assert/strict');
const http = require('node:http');
const { once } = require('node:events');
const { after, before, test } = require('node:test');
const { launch } = require('@kafka-native/chromium-for-tests');
const { cleanup } = require('./support/cleanup.js');
const { embedded } = require('./support/clusters.js');
const { listening, reach } = require('./support/proxy.js');
const { PATIENCE } = require('./support/flow.js');

const STRANGER = 'stranger.test';
const USERS = { ali: 'open-sesame' };

let browser;
let cluster;
let topic;
before(async () => {
  [browser, cluster] = await Promise.all([launch({ args: [`--host-resolver-rules=MAP ${STRANGER} 127.0.0.1`] }), embedded()]);
  topic = await cluster.topic(1);
});
after(async () => {
  await browser?.close();
  await cluster?.close();
});

/** A page of a stranger's, in a browser that knows the password; what the browser's own log says of it is of no interest. */
async function stranger(t, { users } = {}) {
  const { url, proxy } = await listening(t, { kafka: reach(cluster), users });
  const server = http.createServer((_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>stranger</title>'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanup(t, () => (server.closeAllConnections(), server.close()));
  const context = await browser.newContext({ httpCredentials: users && { username: 'ali', password: USERS.ali } });
  context.setDefaultTimeout(PATIENCE);
  cleanup(t, () => context.close());
  const page = await context.newPage();
  const origin = url.replace('ws', 'http');
  // The browser has the user's password from now on.
  assert.equal((await page.goto(`${origin}/topics`)).status(), 200);
  await page.goto(`http://${STRANGER}:${server.address().port}/`);
  return { page, origin, proxy };
}

const messages = async (origin, headers = {}) => (await (await fetch(`${origin}/topics/${topic}/messages?from=earliest`, { headers })).json()).messages;

for (const [name, users] of Object.entries({ 'without authentication': undefined, 'with the password in the browser': USERS })) {
  test(`${name}, a page of another origin reads nothing, writes nothing, frames nothing and opens no socket`, async (t) => {
    const { page, origin } = await stranger(t, { users });
    const got = await page.evaluate(
      async ({ origin, topic }) => {
        const write = { method: 'POST', body: JSON.stringify({ messages: [{ value: 'evil' }] }) };
        const messages = `${origin}/topics/${topic}/messages`;
        const outcome = async (work) =>
          work().then(
            () => 'done',
            () => 'refused',
          );
        const get = (path, how) => outcome(async () => (await fetch(`${origin}${path}`, { credentials: 'include', ...how })).text());
        const got = {
          paths: Object.fromEntries(
            await Promise.all(
              [
                '/topics',
                `/topics/${topic}`,
                '/groups',
                '/sockets',
                '/cluster',
                '/figures',
                '/metrics',
                '/whoami',
                '/alerts',
                '/ui/',
                `/topics/${topic}/messages`,
              ].map(async (path) => [path, await get(path)]),
            ),
          ),
          json: await outcome(() => fetch(messages, { credentials: 'include', ...write, headers: { 'content-type': 'application/json' } })),
          plain: await outcome(() => fetch(messages, { credentials: 'include', ...write })),
          blind: await outcome(() => fetch(messages, { mode: 'no-cors', credentials: 'include', ...write })),
          reset: await outcome(() => fetch(`${origin}/groups/g/offsets`, { mode: 'no-cors', credentials: 'include', ...write })),
          ticket: await outcome(() => fetch(`${origin}/tickets`, { credentials: 'include', method: 'POST' })),
          socket: await new Promise((resolve) => {
            const socket = new WebSocket(origin.replace('http', 'ws'), ['kafka.v2.json']);
            socket.onmessage = () => resolve('open');
            socket.onclose = () => resolve('refused');
          }),
          events: await new Promise((resolve) => {
            const source = new EventSource(`${origin}/topics/${topic}/events`, { withCredentials: true });
            source.onopen = () => resolve('open');
            source.onerror = () => (source.close(), resolve('refused'));
          }),
        };
        // A form needs no leave to be sent.
        const frame = document.body.appendChild(Object.assign(document.createElement('iframe'), { name: 'answer' }));
        const form = document.body.appendChild(
          Object.assign(document.createElement('form'), { action: messages, method: 'post', enctype: 'text/plain', target: 'answer' }),
        );
        form.append(Object.assign(document.createElement('input'), { name: '{"messages":[{"value":"evil","key":"', value: '"}]}' }));
        const loaded = new Promise((resolve) => (frame.onload = resolve));
        form.submit();
        await loaded;
        return got;
      },
      { origin, topic },
    );
    assert.deepEqual(
      Object.values(got.paths).filter((each) => each !== 'refused'),
      [],
      JSON.stringify(got.paths),
    );
    assert.deepEqual([got.json, got.plain, got.ticket, got.socket, got.events], Array(5).fill('refused'));
    const headers = users && { authorization: `Basic ${Buffer.from(`ali:${USERS.ali}`).toString('base64')}` };
    assert.deepEqual(await messages(origin, headers), []);
  });
}

test('the page is in no frame of another, and who opens it has no hold on it', async (t) => {
  const { page, origin } = await stranger(t);
  const refused = page.waitForEvent('console', (message) => /frame/i.test(message.text()));
  await page.evaluate((url) => document.body.appendChild(Object.assign(document.createElement('iframe'), { src: url })), `${origin}/ui/`);
  await refused;
  const frame = page.frames().find((each) => each !== page.mainFrame());
  assert.doesNotMatch(frame.url(), /\/ui/);
  const popup = page.waitForEvent('popup');
  await page.evaluate((url) => Object.assign(globalThis, { opened: window.open(url) }), `${origin}/ui/`);
  const other = await popup;
  await other.waitForLoadState();
  assert.equal(await page.evaluate('opened.closed'), true);
  assert.equal(await other.evaluate('globalThis.opener'), null);
});
