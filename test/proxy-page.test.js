'use strict';
// The proxy's page in Chromium over the real Kafka, driven as a person does, on a desktop and a phone, light and dark. With PICTURES=folder every
// view is photographed there.

const assert = require('node:assert/strict');
const { after, before, test } = require('node:test');
const { launch } = require('@kafka-native/chromium-for-tests');
const { real } = require('./support/clusters.js');
const { listening, opened, reach } = require('./support/proxy.js');
const { LOOKS, visit } = require('./support/proxy-page.js');
const { ordered, world } = require('./support/proxy-page-world.js');

const ALERTS = [
  { name: 'shop is late', lag: { group: 'shop', above: 1_000_000 } },
  { name: 'invoices are late', lag: { group: 'invoices', above: 100 } },
];
/** Where each view is, and what its heading is called. */
const VIEWS = [
  { name: 'overview', link: 'Overview', heading: 'Overview', sees: (page) => page.getByRole('heading', { name: 'Brokers' }) },
  { name: 'topics', link: 'Topics', heading: 'Topics', sees: (page) => page.getByRole('link', { name: 'orders', exact: true }) },
  { name: 'topic', to: '#/topics/orders', heading: /orders/, sees: (page) => page.getByRole('cell').first() },
  { name: 'tail', to: '#/topics/carts/messages', heading: /carts/, sees: tailed },
  { name: 'produce', to: '#/topics/orders/produce', heading: /orders/, sees: (page) => page.getByLabel(/^Value/).first() },
  { name: 'groups', link: 'Groups', heading: 'Groups', sees: (page) => page.getByRole('link', { name: 'shop' }) },
  { name: 'group', to: '#/groups/shop', heading: 'Group shop', sees: (page) => page.getByText('till-1').first() },
  { name: 'sockets', link: 'Sockets', heading: 'Sockets', sees: (page) => page.getByText('kafka.v2.json').first() },
  { name: 'alerts', link: 'Alerts', heading: 'Alerts', sees: (page) => page.getByText('invoices are late') },
];

/** A live page shows what comes from now on. */
async function tailed(page) {
  await page.getByRole('status').getByText('live', { exact: true }).waitFor();
  await there.send(
    'carts',
    Array.from({ length: 40 }, (_, n) => ordered(n)),
  );
  return page.getByRole('cell', { name: 'hugo' }).first();
}

let browser;
let cluster;
let there;
before(async () => {
  [browser, cluster] = await Promise.all([launch(), real({ own: true })]);
  there = await world(cluster);
});
after(async () => {
  await browser?.close();
  await there?.close();
  await cluster?.close();
});

/** A proxy before the cluster, and somebody who reads through it. */
async function proxied(t, options = {}) {
  const proxy = await listening(t, { kafka: reach(cluster), alerts: ALERTS, ...options });
  return { ...proxy, origin: proxy.url.replace('ws', 'http') };
}

async function reading(url, topic = 'orders') {
  const socket = await opened(url);
  socket.send(JSON.stringify({ type: 'subscribe', id: 1, topics: [topic], from: 'earliest' }));
  await socket.hears(({ type }) => type === 'batch');
  return socket;
}

for (const { name: look, size, scheme } of LOOKS) {
  test(`every view can be read by everybody: ${look}`, async (t) => {
    const { origin, url } = await proxied(t);
    const socket = await reading(url);
    const person = await visit(t, browser, origin, { size, scheme });
    const { page } = person;
    for (const { name, link, to, heading, sees } of VIEWS) {
      if (link) await page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: link }).click();
      else await page.goto(`${origin}/ui/${to}`);
      await person.role('heading', heading).first().waitFor();
      await (await sees(page)).waitFor();
      await t.test(name, async () => {
        assert.equal(await page.getByRole('heading', { level: 1 }).count(), 1);
        for (const landmark of ['banner', 'navigation', 'main', 'contentinfo']) assert.equal(await page.getByRole(landmark).count(), 1, landmark);
        await person.picture(`${name}-${size}-${scheme}`);
        await person.accessible();
        await person.fine();
      });
    }
    socket.terminate();
  });
}

test('topics are found by parts of their names, sorted by what the columns say, and lead to themselves', async (t) => {
  const { origin } = await proxied(t);
  const person = await visit(t, browser, origin, { path: '/ui/#/topics' });
  const { page } = person;
  const names = () => page.getByRole('rowheader').allInnerTexts();
  await person.role('link', 'orders').waitFor();
  const all = await names();
  assert.deepEqual(all, [...all].sort());
  await page.getByLabel('Find topics').fill('EVENTS a');
  await page.getByText(/^\d+ of \d+ topics$/).waitFor();
  assert.deepEqual(
    await names(),
    ['audit.events', 'catalog.events', 'email.events', 'fraud.events', 'search.events'].filter((name) => name.includes('a')),
  );
  await page.getByLabel('Find topics').fill('no such');
  await page.getByText('No topic has such a name.').waitFor();
  await page.getByLabel('Find topics').fill('');
  await person.role('button', 'Partitions').click();
  await page.getByRole('columnheader', { name: 'Partitions' }).and(page.locator('[aria-sort="descending"]')).waitFor();
  assert.equal((await names())[0], 'clicks');
  await person.role('button', 'Partitions').click();
  await page.getByRole('columnheader', { name: 'Partitions' }).and(page.locator('[aria-sort="ascending"]')).waitFor();
  assert.notEqual((await names())[0], 'clicks');
  await person.role('link', 'orders').click();
  await page.getByRole('heading', { level: 1, name: /orders/ }).waitFor();
  assert.match(await page.title(), /orders/);
  await page.goBack();
  await person.role('heading', 'Topics').waitFor();
  await person.fine();
});

test('the live tail shows what is written, what fits, and nothing while it is paused', async (t) => {
  const { origin } = await proxied(t);
  const person = await visit(t, browser, origin, { path: '/ui/#/topics/notes/messages' });
  const { page } = person;
  const status = (text) => page.getByRole('status').getByText(text, { exact: true }).waitFor();
  const write = (...values) =>
    there.send(
      'notes',
      values.map((value) => ({ key: `key of ${value}`, value, headers: { mark: `header of ${value}` } })),
    );
  const cell = (value) => page.getByRole('cell', { name: value, exact: true });
  await status('live');
  await write('first', 'second');
  await Promise.all([cell('first').waitFor(), cell('second').waitFor(), cell('key of first').waitFor()]);
  assert.deepEqual((await page.locator('td.value').allInnerTexts()).slice(0, 2), ['second', 'first'], 'the newest is above');

  await page.getByLabel('Find in key, value and headers').fill('HEADER first');
  await cell('second').waitFor({ state: 'detached' });
  await write('third', 'the first again');
  await cell('the first again').waitFor();
  assert.equal(await cell('third').count(), 0);
  await page.getByLabel('Find in key, value and headers').fill('');
  await cell('third').waitFor();

  await person.role('button', 'Pause').click();
  await status('paused');
  await write('while it is paused');
  // Messages on their way when it was paused have come: a socket beside it has got that one.
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
  assert.equal(await cell('while it is paused').count(), 0);
  await person.role('button', 'Resume').click();
  await cell('while it is paused').waitFor();
  await person.role('button', 'Clear').click();
  await cell('first').waitFor({ state: 'detached' });
  await write('after all');
  await cell('after all').waitFor();
  await person.fine();
});

test('one message is shown whole, as JSON, as text and as hex; the focus goes in and comes back', async (t) => {
  const { origin } = await proxied(t);
  const person = await visit(t, browser, origin, { path: '/ui/#/topics/orders/messages' });
  const { page } = person;
  await page.getByLabel('From', { exact: true }).selectOption('An offset');
  await page.getByLabel('Offset', { exact: true }).fill('7');
  await page.getByLabel('Partition', { exact: true }).fill('1');
  await page.keyboard.press('Enter');
  const first = person.role('button', '1/7: show the message');
  await first.waitFor();
  assert.equal(await page.getByRole('rowheader').first().innerText(), '1/7');
  await first.focus();
  await page.keyboard.press('Enter');
  const dialog = person.role('dialog', 'Message 7 of partition 1');
  await dialog.waitFor();
  assert.ok(await dialog.evaluate((element) => element.contains(document.activeElement)), 'the focus is in the dialog');
  await dialog.getByText('customer:').waitFor();
  await person.accessible();
  await dialog.getByLabel('Text', { exact: true }).check();
  await dialog.getByText(/^\{"order":1/).waitFor();
  await dialog.getByLabel('Hex', { exact: true }).check();
  await dialog.getByText(/000000 {2}7b 22 6f 72 64 65 72 22/).waitFor();
  await person.accessible();
  for (let i = 0; i < 12; i++) {
    await page.keyboard.press('Tab');
    assert.ok(
      await dialog.evaluate((element) => element.contains(document.activeElement) || document.activeElement === document.body),
      'Tab stays in the dialog',
    );
  }
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  assert.ok(await first.evaluate((element) => element === document.activeElement), 'the focus is where it was');
  await person.fine();
});

test('the past is read from its beginning, from a time and by a key, so many at once', async (t) => {
  const { origin } = await proxied(t);
  const person = await visit(t, browser, origin, { path: '/ui/#/topics/orders/messages' });
  const { page } = person;
  const go = () => person.role('button', 'Go').click();
  await page.getByLabel('From', { exact: true }).selectOption('Oldest');
  await go();
  await page.getByText('500 are read').waitFor();
  await person.role('button', 'Read the next 500').click();
  await page.getByText('1,000 messages came').waitFor();
  await page.getByLabel('Only this key').fill('greta');
  await go();
  await page.getByText('250 messages came').waitFor();
  await page.locator('td.key').first().waitFor();
  assert.deepEqual([...new Set(await page.locator('td.key').allInnerTexts())], ['greta']);
  await page.getByLabel('Only this key').fill('');
  await page.getByLabel('From', { exact: true }).selectOption('A time');
  await page.getByLabel('Time (local)').fill('2020-01-01T00:00:00');
  await go();
  await page.getByText('500 are read').waitFor();
  await person.role('button', 'Go live').click();
  await page.getByRole('status').getByText('live', { exact: true }).waitFor();
  await person.fine();
});

test('a group shows its lag, and its reset asks twice, and does nothing when it is told no', async (t) => {
  const { origin } = await proxied(t);
  const person = await visit(t, browser, origin, { path: '/ui/#/groups' });
  const { page } = person;
  await there.send('notes', [{ value: 'one' }, { value: 'two' }]);
  await there.admin.setOffsets({ groupId: 'reset-me', topic: 'notes', partitions: [{ partition: 0, offset: '1' }] });
  const committed = async () => (await there.admin.fetchOffsets({ groupId: 'reset-me', topics: ['notes'] }))[0].partitions[0].offset;
  await page.getByLabel('Find groups').fill('reset');
  await person.role('link', 'reset-me').click();
  await person.role('heading', 'Group reset-me').waitFor();
  await page
    .getByRole('figure')
    .filter({ hasText: 'Messages behind' })
    .getByText(/now, most/)
    .waitFor();

  const dialog = person.role('dialog', 'Reset offsets');
  const first = async () => {
    await person.role('button', 'Reset offsets …').click();
    await dialog.getByLabel('The first messages: everything comes again').check();
    await dialog.getByRole('button', { name: 'Show what it does' }).click();
    await dialog.getByText('1 message again').waitFor();
  };
  await first();
  await person.accessible();
  await dialog.getByRole('button', { name: 'Set these offsets' }).click();
  await dialog.getByRole('heading', { name: 'Are you sure?' }).waitFor();
  await person.accessible();
  await dialog.getByRole('button', { name: 'No, leave them' }).click();
  await dialog.waitFor({ state: 'detached' });
  assert.equal(await committed(), '1');
  await first();
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  assert.equal(await committed(), '1');
  await first();
  await dialog.getByRole('button', { name: 'Set these offsets' }).click();
  await dialog.getByRole('button', { name: 'Yes, set them' }).click();
  await dialog.getByRole('heading', { name: 'Done' }).waitFor();
  assert.equal(await committed(), '0');
  await dialog.getByRole('button', { name: 'Back to the group' }).click();
  await person.fine();
});

test('a window that is opened again before the next frame stays open', async (t) => {
  const { origin } = await proxied(t);
  await there.admin.setOffsets({ groupId: 'reset-twice', topic: 'notes', partitions: [{ partition: 0, offset: '0' }] });
  const person = await visit(t, browser, origin, { path: '/ui/#/groups/reset-twice' });
  const reset = person.role('button', 'Reset offsets …');
  await reset.click();
  await person.role('button', 'Show what it does').click();
  await person.role('button', 'Set these offsets').click();
  const no = await person.role('button', 'No, leave them').elementHandle();
  const again = async (/** @type {HTMLElement} */ open, /** @type {any} */ no) => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    no.click();
    // The page draws itself in a microtask.
    for (let turns = 0; no.isConnected && turns < 1000; turns++) await undefined;
    open.click();
    await frame();
    await frame();
    return no.isConnected;
  };
  assert.equal(await reset.evaluate(again, no), false, 'the first window is gone');
  await person.role('dialog', 'Reset offsets').getByRole('button', { name: 'Show what it does' }).waitFor();
  await person.fine();
});

test('sockets say who reads what', async (t) => {
  const { origin, url } = await proxied(t);
  const person = await visit(t, browser, origin, { path: '/ui/#/sockets' });
  const { page } = person;
  await page.getByText('No client is connected.').waitFor();
  const socket = await reading(url, 'visits');
  await page.getByRole('row').filter({ hasText: 'visits' }).getByText('127.0.0.1').waitFor();
  socket.terminate();
  await page.getByText('No client is connected.').waitFor();
  await person.fine();
});

test('a proxy that goes away is told, and what comes back is shown again', async (t) => {
  const first = await proxied(t);
  const person = await visit(t, browser, first.origin, { path: '/ui/#/topics/notes/messages' });
  const { page } = person;
  person.allow(/ERR_CONNECTION|Failed to load resource|WebSocket connection/);
  const live = () => page.getByRole('status').getByText('live', { exact: true }).waitFor();
  await live();
  await first.proxy.close();
  await page.getByText(/no connection/).waitFor();
  await proxied(t, { port: first.port });
  await live();
  await there.send('notes', [{ value: 'it is back' }]);
  await page.getByRole('cell', { name: 'it is back' }).waitFor();
  await page.goto(`${first.origin}/ui/#/groups`);
  await person.role('link', 'shop').waitFor();
  await person.fine();
});
