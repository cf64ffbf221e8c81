'use strict';
// The page of a proxy for who may little, has a thousand topics, only a keyboard, no liking for things that move, or a Kafka that tells little.

const assert = require('node:assert/strict');
const { after, before, test } = require('node:test');
const { launch } = require('@kafka-native/chromium-for-tests');
const { cleanup } = require('./support/cleanup.js');
const { embedded, real } = require('./support/clusters.js');
const { adminOf, producerOf } = require('./support/proxy-http.js');
const { listening, reach } = require('./support/proxy.js');
const { visit } = require('./support/proxy-page.js');

const MANY = 1000;
const ORDERS = 20;
/** For whoever comes. */
const ALL = [
  { who: '*', topics: '*', groups: '*', may: ['read', 'write', 'group'] },
  { who: '*', may: 'admin' },
];
/** The browser says in its log which requests were refused. */
const FORBIDDEN = /status of 403/;

let browser;
let cluster;
before(async () => {
  [browser, cluster] = await Promise.all([launch(), real({ own: true })]);
  const late = [];
  const ended = { after: (work) => late.push(work) };
  const [admin, producer] = await Promise.all([adminOf(ended, cluster), producerOf(ended, cluster)]);
  await admin.createTopics({ topics: ['orders', 'invoices'].map((topic) => ({ topic, numPartitions: 1, replicationFactor: 1 })), waitForLeaders: true });
  await producer.send({ topic: 'orders', messages: Array.from({ length: ORDERS }, (_, n) => ({ key: `k${n}`, value: JSON.stringify({ order: n }) })) });
  for (const groupId of ['shop', 'bank']) await admin.setOffsets({ groupId, topic: 'orders', partitions: [{ partition: 0, offset: '5' }] });
  await Promise.all(late.map((work) => work()));
});
after(async () => {
  await browser?.close();
  await cluster?.close();
});

/** A proxy, and somebody before its page. */
async function visited(t, { of = cluster, options = {}, ...how } = {}) {
  const { url, lines } = await listening(t, { kafka: reach(of), ...options });
  const origin = url.replace('ws', 'http');
  const person = await visit(t, browser, origin, how);
  const { page } = person;
  const go = (path) => page.goto(`${origin}/ui/#/${path}`);
  const live = () => page.getByRole('status').getByText('live', { exact: true }).waitFor();
  return { ...person, person, page, origin, lines, go, live };
}

/** Of `orders`, of a group. */
async function committed(t, groupId) {
  const admin = await adminOf(t, cluster);
  return (await admin.fetchOffsets({ groupId, topics: ['orders'] }))[0].partitions[0].offset;
}

test('who may read one topic sees that one, is told so wherever else, and changes nothing', async (t) => {
  const options = {
    users: { kim: 'a password of kim' },
    rules: [{ who: 'kim', topics: 'orders', groups: 'shop', may: ['read', 'group'] }],
    alerts: [{ name: 'a name that is not for kim', lag: { group: 'bank', above: 1 } }],
  };
  const { person, page, go, live } = await visited(t, { options, allow: [/status of 401/, FORBIDDEN], path: '/ui/#/topics' });
  const denied = (within = page) => within.getByRole('note').filter({ hasText: 'Not allowed.' });
  await page.getByLabel('Name', { exact: true }).fill('kim');
  await page.getByLabel('Password', { exact: true }).fill('a password of kim');
  await page.keyboard.press('Enter');
  await person.role('link', 'orders').waitFor();
  assert.deepEqual(await page.getByRole('rowheader').allInnerTexts(), ['orders']);
  // Not by the address: that would load nothing anew, but from here on nobody signs in again.
  await go('topics/orders/messages');
  await live();
  for (const place of ['topics/invoices', 'topics/invoices/messages', 'topics/no-such-topic', 'groups/bank', 'sockets', 'alerts', '']) {
    await go(place);
    await page.getByRole('heading', { level: 1 }).waitFor();
    await denied().first().waitFor();
    assert.deepEqual(await page.getByRole('alert').allInnerTexts(), [], place);
    assert.equal(await page.getByRole('table').filter({ hasText: /\d/ }).count(), 0, place);
    assert.equal(await person.role('button', 'Reset offsets …').count(), 0, place);
    assert.doesNotMatch(await page.getByRole('main').innerText(), /not for kim/, place);
  }
  assert.equal(await denied().count(), 2, 'the traffic, and the brokers');

  await go('topics/orders/produce');
  await page.getByLabel('Value', { exact: true }).fill('of kim');
  await person.role('button', 'Write').click();
  await denied().waitFor();
  assert.equal(await page.getByLabel('Value', { exact: true }).inputValue(), 'of kim', 'what was typed stays');

  await go('groups');
  await person.role('link', 'shop').waitFor();
  assert.deepEqual(await page.getByRole('rowheader').allInnerTexts(), ['shop']);
  await person.role('link', 'shop').click();
  await person.role('button', 'Reset offsets …').click();
  const dialog = person.role('dialog', 'Reset offsets');
  await dialog.getByRole('button', { name: 'Show what it does' }).click();
  await denied(dialog).waitFor();
  await page.keyboard.press('Escape');
  assert.equal(await committed(t, 'shop'), '5');

  await go('topics/orders/messages');
  await page.getByLabel('From', { exact: true }).selectOption('Oldest');
  await person.role('button', 'Go').click();
  await page.getByText(`${ORDERS} messages came`).waitFor();
  await person.fine();
});

test('of the embedded cluster it is said what it does not tell; topics, messages and writing are there', async (t) => {
  const small = await embedded();
  cleanup(t, () => small.close());
  const topic = await small.topic(1);
  const { person, page, origin, go, live } = await visited(t, { of: small, options: { rules: ALL }, allow: [/status of 5\d\d/] });
  const why = page.getByRole('note').filter({ hasText: /embedded/ });
  await person.role('heading', 'Brokers').waitFor();
  await person.accessible();
  for (const place of ['groups', 'groups/any']) {
    await go(place);
    await why.first().waitFor();
    assert.deepEqual(await page.getByRole('alert').allInnerTexts(), []);
  }
  await go('topics');
  await person.role('link', topic).click();
  await page.getByRole('cell', { name: 'in sync' }).waitFor();
  await person.role('link', 'Messages').click();
  await live();

  const writer = await visit(t, browser, origin, { path: `/ui/#/topics/${topic}/produce` });
  await writer.page.getByLabel('Key', { exact: true }).fill('a key');
  await writer.page.getByLabel('JSON, checked').check();
  await writer.page.getByLabel('Value', { exact: true }).fill('{"n":');
  await writer.role('button', 'Write').click();
  await writer.page.getByText('This is no JSON').waitFor();
  await writer.page.getByLabel('Value', { exact: true }).fill('{"n": 1}');
  await writer.role('button', 'Write').click();
  // The form that was wrong has written nothing.
  await writer.page.getByText('Written: partition 0, offset 0.').waitFor();
  await page.getByRole('cell', { name: '{"n": 1}', exact: true }).waitFor();
  await page.getByRole('cell', { name: 'a key', exact: true }).waitFor();
  await Promise.all([person.fine(), writer.fine()]);
});

test('for who wants less motion nothing moves', async (t) => {
  const moving = () => {
    const all = [...document.querySelectorAll('*')].map((element) => getComputedStyle(element));
    return all.filter((style) => /[1-9]/.test(style.transitionDuration) || style.animationName !== 'none' || style.scrollBehavior !== 'auto').length;
  };
  for (const reducedMotion of ['reduce', 'no-preference']) {
    const { person, page, go, live } = await visited(t, { context: { reducedMotion }, allow: [FORBIDDEN] });
    const moved = [];
    await page.exposeFunction('moved', (what) => moved.push(what));
    await page.evaluate(() => {
      for (const event of ['transitionrun', 'animationstart'])
        document.addEventListener(event, ({ type, target }) => globalThis.moved(`${type} ${target.outerHTML}`), true);
    });
    await go('topics/orders/messages');
    await live();
    for (const target of [person.role('button', 'Pause'), person.role('link', 'Groups'), person.role('button', 'Clear')]) {
      await target.hover();
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
      if (reducedMotion === 'reduce') assert.equal(await page.evaluate(() => document.getAnimations().length), 0);
    }
    const some = await page.evaluate(moving);
    if (reducedMotion === 'reduce') assert.deepEqual([some, moved], [0, []]);
    else assert.ok(some > 0, 'else this test sees nothing');
    await person.fine();
  }
});

test(`of ${MANY} topics those in sight are in the page, and one is found at once`, async (t) => {
  const admin = await adminOf(t, cluster);
  await admin.createTopics({
    topics: Array.from({ length: MANY }, (_, n) => ({ topic: `area-${n % 20}.topic-${String(n).padStart(5, '0')}`, numPartitions: 1 })),
    waitForLeaders: true,
    timeout: 60_000,
  });
  const { person, page } = await visited(t, { path: '/ui/#/topics' });
  const region = person.role('region', 'Topics');
  await region.waitFor();
  const told = await page.getByText(/^[\d,]+ topics$/).innerText();
  const total = Number(told.replace(/\D/g, ''));
  assert.ok(total >= MANY, told);
  assert.equal(await region.getByRole('table').getAttribute('aria-rowcount'), String(total + 1));
  await region.hover();
  const most = await region.evaluate(async (box) => {
    let most = 0;
    for (;;) {
      const rows = [...box.querySelectorAll('tbody tr[aria-rowindex]')];
      most = Math.max(most, rows.length);
      if (Number(rows.at(-1)?.getAttribute('aria-rowindex')) === Number(box.querySelector('table').getAttribute('aria-rowcount'))) return most;
      box.scrollBy(0, box.clientHeight * 2);
      await new Promise(requestAnimationFrame);
    }
  });
  assert.ok(most > 10 && most < 100, `${most} rows at once`);
  await person.role('link', 'orders').waitFor();
  await page.getByLabel('Find topics').fill('topic-00777');
  await person.role('link', 'area-17.topic-00777').waitFor();
  assert.equal(await page.getByRole('rowheader').count(), 1);
  assert.equal(await region.getByRole('table').getAttribute('aria-rowcount'), '2');
  await person.accessible();
  await person.fine();
});

/** Presses Tab until it comes round: each stop shows that it has the focus. */
async function everyStop(person) {
  const { page } = person;
  await page.evaluate(() => Object.assign(globalThis, { passed: new Set() }));
  const stops = [];
  for (;;) {
    await page.keyboard.press('Tab');
    const next = await page.evaluate(() => {
      const { activeElement: element } = document;
      // Between the last and the first the browser has it.
      if (element === document.body) return 'browser';
      const known = globalThis.passed.has(element);
      globalThis.passed.add(element);
      return known ? 'known' : 'new';
    });
    if (next === 'known') return stops;
    stops.push(await person.focused());
    if (next === 'new') await person.seesFocus();
    assert.ok(stops.length < 100, `it does not come round: ${stops.join(' | ')}`);
  }
}

const ALERTS = [{ name: 'a bank that is late', lag: { group: 'bank', above: 1 } }];
test('with the keyboard alone one does the whole job, sees where one is, and keeps the focus', async (t) => {
  const { person, page, live } = await visited(t, { options: { users: { ali: 'p' }, rules: ALL, alerts: ALERTS }, allow: [/status of 401/] });
  /** The focus comes there by itself, and is seen. */
  const focused = async (target) => {
    await target.and(page.locator(':focus')).waitFor();
    await person.seesFocus();
  };
  const press = async (role, name, { by = 'Tab', key = 'Enter', within = page } = {}) => {
    await person.tabTo(within.getByRole(role, { name, exact: true }), by);
    await page.keyboard.press(key);
  };
  const arrived = (name) => focused(page.getByRole('heading', { level: 1, name }));
  const view = async (name) => {
    await press('link', name, { by: 'Shift+Tab' });
    await arrived(name);
  };
  const type = async (label, text) => {
    await person.tabTo(page.getByLabel(label, { exact: true }));
    await page.keyboard.type(text);
  };
  const is = (state) => page.getByRole('status').getByText(state, { exact: true }).waitFor();

  // The first stop leads past the navigation.
  await person.role('heading', 'Sign in').waitFor();
  const skip = person.role('link', 'Skip to the content');
  assert.equal((await person.tabTo(skip)).length, 1);
  assert.ok((await skip.boundingBox()).y >= 0, 'it is in sight');
  await page.keyboard.press('Enter');
  await focused(page.getByRole('main'));
  await type('Name', 'ali');
  await type('Password', 'wrong');
  await page.keyboard.press('Enter');
  await person.role('alert').waitFor();
  await focused(page.getByLabel('Password', { exact: true }));
  await page.keyboard.press('ControlOrMeta+A');
  await page.keyboard.type('p');
  await press('button', 'Sign in', { key: 'Space' });
  await arrived('Overview');

  await view('Topics');
  await type('Find topics', 'orders');
  await page.getByText(/^1 of [\d,]+ topics$/).waitFor();
  await press('link', 'orders');
  await arrived('Topic orders');
  await everyStop(person);
  await press('link', 'Messages');
  await arrived('Messages of orders');

  // The tail goes on and is stopped by the same button.
  await live();
  const producer = await producerOf(t, cluster);
  const send = (value) => producer.send({ topic: 'orders', messages: [{ value }] });
  const cell = (value) => page.getByRole('cell', { name: value, exact: true });
  await send('before the pause');
  await cell('before the pause').waitFor();
  await press('button', 'Pause', { key: 'Space' });
  await is('paused');
  await focused(person.role('button', 'Resume'));
  await send('in the pause');
  await page.keyboard.press('Space');
  await is('live');
  await focused(person.role('button', 'Pause'));
  await cell('in the pause').waitFor();

  // In the list arrows scroll, and messages come while a row has the focus.
  const newest = person.role('button', `0/${ORDERS + 1}: show the message`);
  await person.tabTo(newest);
  await send('while a row is looked at');
  await person.role('button', '1 newer ↑').waitFor();
  await focused(newest);
  await page.keyboard.press('Enter');
  const dialog = person.role('dialog', `Message ${ORDERS + 1} of partition 0`);
  await dialog.waitFor();
  await person.tabTo(dialog.getByLabel('Text', { exact: true }));
  await page.keyboard.press('ArrowDown');
  await dialog.getByText('69 6e 20 74 68 65').waitFor();
  await focused(dialog.getByLabel('Hex', { exact: true }));
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  await focused(newest);
  await press('button', '1 newer ↑', { by: 'Shift+Tab' });
  await cell('while a row is looked at').waitFor();
  const region = person.role('region', 'Messages, newest first');
  await focused(region);
  await page.keyboard.press('ArrowDown');

  await person.tabTo(page.getByLabel('From', { exact: true }), 'Shift+Tab');
  await page.keyboard.press('ArrowDown');
  await press('button', 'Go');
  await page.getByText(`${ORDERS + 3} messages came`).waitFor();
  await focused(person.role('button', 'Go'));

  await press('link', 'Write a message', { by: 'Shift+Tab' });
  await arrived('Write to orders');
  await type('Key', 'typed');
  await type('Value', 'with ten fingers');
  for (const n of [1, 2]) {
    await press('button', 'Add a header');
    await type(`Name of header ${n}`, `way ${n}`);
    await type(`Value of header ${n}`, 'keys');
  }
  await press('button', 'Remove header 2', { key: 'Space' });
  await focused(person.role('button', 'Add a header'));
  await press('button', 'Write');
  await page.getByText(/^Written: partition 0/).waitFor();
  await focused(person.role('button', 'Write'));
  await everyStop(person);

  await view('Groups');
  await everyStop(person);
  await press('link', 'shop');
  await arrived('Group shop');
  const reset = person.role('button', 'Reset offsets …');
  const window = person.role('dialog', 'Reset offsets');
  const shown = async () => {
    await press('radio', 'The first messages: everything comes again', { key: 'Space', within: window });
    await press('button', 'Show what it does', { within: window });
    await window.getByText('5 messages again').waitFor();
    await focused(window.getByRole('heading', { name: /^This would be set/ }));
  };
  await person.tabTo(reset);
  await page.keyboard.press('Enter');
  await shown();
  await press('button', 'Set these offsets', { within: window });
  await focused(window.getByRole('heading', { name: 'Are you sure?' }));
  await press('button', 'No, leave them', { within: window, key: 'Space' });
  await window.waitFor({ state: 'detached' });
  await focused(reset);
  await page.keyboard.press('Space');
  await shown();
  await press('button', 'Back', { within: window });
  await window.getByRole('button', { name: 'Show what it does' }).waitFor();
  await window.and(page.locator(':focus-within')).waitFor();
  await person.seesFocus();
  await page.keyboard.press('Escape');
  await window.waitFor({ state: 'detached' });
  await focused(reset);
  assert.equal(await committed(t, 'shop'), '5');

  for (const name of ['Sockets', 'Alerts', 'Overview']) {
    await view(name);
    const stops = await everyStop(person);
    for (const stop of ['a Skip', 'select', 'a Licences'])
      assert.ok(
        stops.some((each) => each.startsWith(stop)),
        `${name}: ${stops.join(' | ')}`,
      );
  }
  await press('button', 'Sign out');
  await arrived('Sign in');
  await person.fine();
});
