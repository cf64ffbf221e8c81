'use strict';
// Messages, groups and clients that would be more than text: in the page they are nothing else. In Chromium, over the real Kafka.

const assert = require('node:assert/strict');
const { after, before, test } = require('node:test');
const { launch } = require('@kafka-native/chromium-for-tests');
const { Kafka } = require('kafka-native');
const { cleanup } = require('./support/cleanup.js');
const { real } = require('./support/clusters.js');
const { silent } = require('./support/flow.js');
const { listening, opened, reach } = require('./support/proxy.js');
const { visit } = require('./support/proxy-page.js');
const { harm, HOSTILE_NAMES, hostileMessages, LARGE, NO_HARM, TEXTS } = require('./support/proxy-page-hostile.js');

const MESSAGES = hostileMessages();
let browser;
let cluster;
let kafka;
let admin;
let producer;
let topic;
before(async () => {
  [browser, cluster] = await Promise.all([launch(), real({ own: true })]);
  kafka = new Kafka({ ...reach(cluster), logger: silent });
  [admin, producer] = [kafka.admin(), kafka.producer()];
  await Promise.all([admin.connect(), producer.connect()]);
  topic = await cluster.topic(1);
  await producer.send({ topic, messages: MESSAGES });
});
after(async () => {
  await browser?.close();
  await Promise.all([admin?.disconnect(), producer?.disconnect()]);
  await cluster?.close();
});

async function person(t, path) {
  const { url } = await listening(t, { kafka: reach(cluster) });
  const origin = url.replace('ws', 'http');
  return { url, person: await visit(t, browser, origin, { path: `/ui/${path}` }) };
}

test('of hostile messages nothing is executed, loaded or an element, and each can be read, as text, as JSON and as hex', async (t) => {
  const { person: visitor } = await person(t, `#/topics/${topic}/messages`);
  const { page } = visitor;
  await page.getByLabel('From', { exact: true }).selectOption('Oldest');
  await page.getByRole('button', { name: 'Go', exact: true }).click();
  await page.getByText(`${MESSAGES.length} messages came`).waitFor();
  const dialog = page.getByRole('dialog');
  const box = dialog.getByRole('region', { name: 'The value' });
  const rows = page.getByRole('region', { name: /^Messages/ });
  const scrollTo = async (element, row) => {
    element.scrollTo(0, row * element.querySelector('tbody tr:not(.gap)').getBoundingClientRect().height);
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(resolve))));
  };
  for (const [offset, { value, headers }] of MESSAGES.entries()) {
    // Rows that are out of sight are not in the page.
    if (offset % 12 === 0) await rows.evaluate(scrollTo, offset);
    await page.getByRole('button', { name: `0/${offset}: show the message` }).click();
    await dialog.waitFor();
    assert.deepEqual(await harm(page), NO_HARM, `message ${offset}`);
    if (value === null) await dialog.getByText('tombstone').waitFor();
    for (const form of headers && 'what' in headers ? ['Text', 'Hex', 'JSON'] : []) {
      const choice = dialog.getByRole('radio', { name: new RegExp(`^${form}`) });
      if (!(await choice.isEnabled())) continue;
      await choice.check();
      assert.deepEqual(await harm(page), NO_HARM, `message ${offset} as ${form}`);
      const shown = await box.innerText();
      if (form === 'Text' && typeof value === 'string' && value.length < 1000 && /^[\x20-\x7e]+$/.test(value)) assert.equal(shown.trim(), value.trim());
      if (form === 'Hex') assert.ok(value.length === 0 || shown.startsWith('000000'), shown.slice(0, 100));
    }
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
  }
  await visitor.fine();
});

test('what is not to be seen in a text, and what turns its direction, is made visible', async (t) => {
  const { person: visitor } = await person(t, `#/topics/${topic}/messages`);
  const { page } = visitor;
  await page.getByLabel('From', { exact: true }).selectOption('Oldest');
  await page.getByLabel('Only this key').fill('text of the other direction');
  await page.getByRole('button', { name: 'Go', exact: true }).click();
  const row = page.getByRole('row').filter({ hasText: 'U+202E' }).first();
  assert.match(await row.innerText(), /userU\+202Egnp\.exeU\+202C/);
  // The text around it is not turned.
  assert.ok(await row.evaluate((element) => [...element.querySelectorAll('bdi')].every((each) => !/[\u202a-\u202e\u2066-\u2069]/.test(each.textContent))));
  await visitor.fine();
});

test('a filter, a key and a place are text as well, whatever is typed', async (t) => {
  const { person: visitor } = await person(t, `#/topics/${topic}/messages`);
  const { page } = visitor;
  await page.getByRole('status').getByText('live', { exact: true }).waitFor();
  for (const text of [TEXTS.script, TEXTS['a picture with a handler'], '(((((', '\\', '[a-', '__proto__', '%', 'a'.repeat(10_000)]) {
    await page.getByLabel('Find in key, value and headers').fill(text);
    assert.deepEqual(await harm(page), NO_HARM, text);
  }
  for (const name of ['<img data-hostile src=x onerror=1>', '..', '%2e%2e', 'a/b', '__proto__', '\u202e', '%ff', "');alert(1);//"]) {
    for (const place of [`#/topics/${encodeURIComponent(name)}`, `#/topics/${name}/messages`, `#/groups/${encodeURIComponent(name)}`, `#/${name}`]) {
      visitor.allow(/Failed to load resource/);
      await page.evaluate((hash) => (location.hash = hash), place);
      await page.getByRole('heading', { level: 1 }).waitFor();
      assert.deepEqual(await harm(page), NO_HARM, place);
    }
  }
  await visitor.fine();
});

test('groups and clients with hostile names are listed, opened, and text', async (t) => {
  const { url, person: visitor } = await person(t, '#/groups');
  const { page } = visitor;
  for (const groupId of HOSTILE_NAMES) await admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: '1' }] });
  const consumer = new Kafka({ ...reach(cluster), clientId: '<img data-hostile src=x onerror=1>', logger: silent }).consumer({
    groupId: '<b data-hostile>members</b>',
  });
  cleanup(t, () => consumer.disconnect());
  await consumer.connect();
  await consumer.subscribe({ topics: [topic] });
  const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve));
  await consumer.run({ eachBatch: async () => {} });
  await joined;
  // And one that reads through the proxy.
  const socket = await opened(url);
  socket.send(
    JSON.stringify({ type: 'subscribe', id: '<img data-hostile src=x onerror=1>', topics: [topic], group: '<i data-hostile>socket</i>', from: 'earliest' }),
  );
  await socket.hears(({ type }) => type === 'batch');

  await page.reload();
  await page.getByText(`${HOSTILE_NAMES.length + 2} groups`).waitFor();
  assert.deepEqual(await harm(page), NO_HARM);
  const links = await page.getByRole('rowheader').getByRole('link').all();
  assert.equal(links.length, HOSTILE_NAMES.length + 2);
  for (const name of [TEXTS.script, TEXTS['a way out of an attribute'], '../../../etc?x=1#y', '__proto__', 'a/b%2Fc %', '<b data-hostile>members</b>']) {
    await page.getByRole('link', { name, exact: true }).click();
    await page
      .getByRole('cell', { name: topic })
      .or(page.getByRole('rowheader', { name: topic }))
      .first()
      .waitFor();
    assert.equal(await page.getByRole('heading', { level: 1 }).innerText(), `Group ${name}`);
    assert.deepEqual(await harm(page), NO_HARM, name);
    await page.goBack();
    await page.getByRole('heading', { level: 1, name: 'Groups' }).waitFor();
  }
  await page.getByRole('link', { name: 'Sockets' }).click();
  await page.getByText('group <i data-hostile>socket</i>').waitFor();
  assert.deepEqual(await harm(page), NO_HARM);
  socket.terminate();
  await visitor.fine();
});

test('huge messages do not keep the page from being used', async (t) => {
  const { person: visitor } = await person(t, `#/topics/${topic}/messages`);
  const { page } = visitor;
  const first = MESSAGES.findIndex(({ value }) => typeof value === 'string' && value.length > 10_000);
  await page.getByLabel('From', { exact: true }).selectOption('An offset');
  await page.getByLabel('Offset', { exact: true }).fill(String(first));
  await page.getByRole('button', { name: 'Go', exact: true }).click();
  const dialog = page.getByRole('dialog');
  for (let offset = first; offset < first + Object.keys(LARGE).length; offset++) {
    await page.getByRole('button', { name: `0/${offset}: show the message` }).click();
    await dialog.waitFor();
    assert.ok((await page.evaluate(() => document.querySelectorAll('*').length)) < 5000, 'the page has few elements');
    await dialog.getByRole('button', { name: 'Close', exact: true }).click();
    await dialog.waitFor({ state: 'detached' });
  }
  await visitor.fine();
});
