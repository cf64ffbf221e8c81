'use strict';
// Visitors to the page of a proxy that wants to know who they are: nothing is seen before, and what was said is kept nowhere.

const assert = require('node:assert/strict');
const { createHmac } = require('node:crypto');
const { after, before, test } = require('node:test');
const { launch } = require('@kafka-native/chromium-for-tests');
const { embedded } = require('./support/clusters.js');
const { listening, reach } = require('./support/proxy.js');
const { producerOf } = require('./support/proxy-http.js');
const { visit } = require('./support/proxy-page.js');

const PASSWORD = 'open sesame, für 3 €';
const SECRET = 'the-secret-of-this-proxy';

const KEY = 'a key that has thirty-two bytes, or some more';

/** A token of HS256, good for an hour. */
function tokenOf(sub, key = KEY) {
  const part = (document) => Buffer.from(JSON.stringify(document)).toString('base64url');
  const text = `${part({ alg: 'HS256' })}.${part({ sub, exp: Math.floor(Date.now() / 1000) + 3600 })}`;
  return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
}

/** By the form's choice: what the proxy wants, what is right and what isn't, and who that is. */
const WAYS = [
  { way: 'Name and password', options: { users: { ali: PASSWORD } }, name: 'ali', field: 'Password', right: PASSWORD, wrong: 'close sesame', is: 'ali' },
  { way: 'Token', options: { jwt: { secret: KEY } }, field: 'Token', right: tokenOf('ben'), wrong: tokenOf('ben', `${KEY}?`), is: 'ben' },
  { way: "The proxy's secret", options: { auth: SECRET }, field: 'Secret', right: SECRET, wrong: 'another-secret', is: 'auth' },
];

let browser;
let cluster;
let topic;
before(async () => {
  [browser, cluster] = await Promise.all([launch(), embedded()]);
  topic = await cluster.topic(1);
});
after(async () => {
  await browser?.close();
  await cluster?.close();
});

for (const { way, options, name, field, right, wrong, is } of WAYS) {
  test(`${way}: it is asked for, a wrong one is told, a right one opens everything until the page is loaded anew, and none is kept`, async (t) => {
    const { url, lines } = await listening(t, { kafka: reach(cluster), ...options });
    const producer = await producerOf(t, cluster);
    const path = `/ui/#/topics/${topic}/messages`;
    // The browser says in its log which requests were refused.
    const person = await visit(t, browser, url.replace('ws', 'http'), { path, allow: [/status of 401/] });
    const { page } = person;
    const urls = [];
    page.on('request', (request) => urls.push(request.url()));
    page.on('websocket', (socket) => urls.push(socket.url()));
    const said = async (secret) => {
      await person.role('radio', way).check();
      if (name) await page.getByLabel('Name', { exact: true }).fill(name);
      await person.role('textbox', field).fill(secret);
      await page.keyboard.press('Enter');
    };
    const nothing = async () => {
      await person.role('heading', 'Sign in').waitFor();
      await page.getByText('The proxy asks who you are').waitFor();
      const shown = await page.getByRole('main').innerText();
      assert.ok(!shown.includes(topic), shown);
      assert.equal(await page.getByRole('table').count(), 0);
      assert.deepEqual(
        urls.filter((url) => url.startsWith('ws')),
        [],
      );
    };
    await nothing();
    await person.accessible();
    await said(wrong);
    await person.role('alert').waitFor();
    await nothing();

    await said(right);
    await page.getByRole('status').getByText('live', { exact: true }).waitFor();
    await page.getByRole('contentinfo').getByText(`You are ${is}`).waitFor();
    const value = `for ${is}`;
    await producer.send({ topic, messages: [{ value }] });
    await page.getByRole('cell', { name: value, exact: true }).waitFor();
    const sockets = urls.filter((url) => url.startsWith('ws'));
    assert.equal(sockets.length, 1);
    assert.match(sockets[0], /[?&]ticket=/);
    await person.role('link', 'Topics').click();
    await person.role('link', topic).waitFor();

    const secrets = [right, wrong].flatMap((secret) => [
      secret,
      encodeURIComponent(secret),
      Buffer.from(secret).toString('base64'),
      Buffer.from(`${name}:${secret}`).toString('base64'),
    ]);
    const kept = async () => {
      const stored = await page.evaluate(() =>
        JSON.stringify([{ ...localStorage }, { ...sessionStorage }, history.state, document.cookie, location.href, document.documentElement.outerHTML]),
      );
      const places = { stored, urls: urls.join(), log: JSON.stringify(lines.all), cookies: JSON.stringify(await page.context().cookies()) };
      for (const [place, text] of Object.entries(places)) for (const secret of secrets) assert.ok(!text.includes(secret), `${place} has ${secret}`);
      const ticket = new URL(sockets[0]).searchParams.get('ticket');
      assert.ok(!places.log.includes(ticket), 'the log has the ticket');
    };
    await kept();
    urls.length = 0;
    await page.reload();
    await nothing();
    await kept();
    await said(right);
    await person.role('link', topic).waitFor();
    await person.role('button', 'Sign out').click();
    await nothing();
    await kept();
    await person.fine();
  });
}

test('a late answer that an older sign-in was refused leaves the newer one as it is', async (t) => {
  const { url } = await listening(t, { kafka: reach(cluster), users: { ali: PASSWORD } });
  const origin = url.replace('ws', 'http');
  const person = await visit(t, browser, origin, { allow: [/status of 401/] });
  const { page } = person;
  const signIn = async () => {
    await page.getByLabel('Name', { exact: true }).fill('ali');
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await page.keyboard.press('Enter');
    await page.getByRole('contentinfo').getByText('You are ali').waitFor();
  };
  await person.role('heading', 'Sign in').waitFor();
  // The write of the first sign-in is refused after the second has worked.
  const asked = new Promise((resolve) => page.route('**/topics/*/messages', resolve));
  await signIn();
  await page.goto(`${origin}/ui/#/topics/${topic}/produce`);
  await person.role('button', 'Write').click();
  const late = await asked;
  await person.role('button', 'Sign out').click();
  await signIn();
  const answered = page.waitForResponse('**/topics/*/messages');
  await late.fulfill({ status: 401, json: { code: 'UNAUTHORIZED', message: 'The password is an old one.', retriable: false } });
  await (await answered).finished();
  await person.role('link', 'Topics').click();
  await person.role('link', topic).waitFor();
  await page.getByRole('contentinfo').getByText('You are ali').waitFor();
  assert.equal(await person.role('heading', 'Sign in').count(), 0);
  await person.fine();
});
