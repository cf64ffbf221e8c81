'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { after, before, test } = require('node:test');
const { launch } = require('@kafka-native/chromium-for-tests');
const { cleanup } = require('../../test/support/cleanup.js');
const { smaller } = require('../../test/support/png.js');
const { Example } = require('./support.js');

/** Changes that a tab waits for come in a moment, or in a few seconds where a dead server has to be forgotten. */
const PATIENCE_MS = 30_000;

/** Somebody in a browser, who sees what is on the page and uses a keyboard. */
class Tab {
  /** @param {string} name @param {import('playwright-core').Page} page */
  constructor(name, page) {
    this.name = name;
    this.page = page;
    /** Errors in the page. */
    this.errors = [];
    page.on('pageerror', (error) => this.errors.push(error));
  }

  /** @param {import('node:test').TestContext} t */
  static async open(t, browser, url, name) {
    const context = await browser.newContext({ viewport: { width: 1100, height: 720 } });
    context.setDefaultTimeout(PATIENCE_MS);
    cleanup(t, () => context.close());
    const tab = new Tab(name, await context.newPage());
    await tab.page.goto(url);
    await tab.page.getByLabel('Your name').fill(name);
    await tab.page.keyboard.press('Enter');
    await tab.shows('.notice', 'Connected to server');
    return tab;
  }

  /** Waits until one of these elements has that text. */
  shows(selector, text, nth = 0) {
    return this.page.locator(selector, { hasText: text }).nth(nth).waitFor();
  }

  async server() {
    return Number(/^Server (\d)$/.exec(await this.page.locator('#server').innerText())?.[1]);
  }

  async pid() {
    return Number(/^kill -9 (\d+)$/.exec(await this.page.locator('#process').innerText())?.[1]);
  }

  /** Says it; with `read` waits until it is read back. */
  async say(text, { read = false } = {}) {
    await this.page.locator('#words').fill(text);
    await this.page.keyboard.press('Enter');
    if (read) await this.shows('.message:not(.pending) .text', text);
  }

  texts() {
    return this.page.locator('.text').allInnerTexts();
  }

  /** Waits until it says so often that it is back. */
  back(times) {
    return this.shows('.notice.good', 'recovered', times - 1);
  }
}

/** @type {import('playwright-core').Browser} */
let browser;
before(async () => (browser = await launch()));
after(() => browser?.close());

/** Moves Bob until both are on different servers. Resolves with how often he has moved, `moves` times before. */
async function apart(ann, bob, moves) {
  while ((await bob.server()) === (await ann.server())) {
    await bob.page.getByText('Change server').click();
    await bob.back(++moves);
  }
  return moves;
}

/** The picture of the adapter's README: SCREENSHOTS=js/socket.io-kafka/docs. */
async function picture(ann, bob, moves, folder) {
  await apart(ann, bob, moves);
  for (const tab of [ann, bob]) {
    await tab.page.getByLabel('Open a room').fill('tea');
    await tab.page.keyboard.press('Enter');
  }
  await ann.shows('#people li', 'Bob');
  await ann.say('Which server are you on?', { read: true });
  await bob.shows('.text', 'Which server');
  await bob.say('I change it now. Say something while I am away.', { read: true });
  await bob.page.getByText('Change server').click();
  await ann.say('The kettle is on.', { read: true });
  // It is said in the room that is open.
  await bob.back(1);
  await apart(ann, bob, 1);
  await bob.shows('.text', 'The kettle');
  await bob.say('I am back, and missed nothing.', { read: true });
  await ann.shows('.text', 'I am back');
  await bob.page.setViewportSize({ width: 900, height: 520 });
  fs.writeFileSync(path.join(folder, 'chat.png'), smaller(await bob.page.screenshot()));
}

/** The example, and two tabs that are on different servers. */
async function started(t) {
  const chat = new Example(t, 'chat', { args: ['0'], env: { KAFKA_BROKER: undefined } });
  const [, url] = /** @type {RegExpExecArray} */ (await chat.writes(/^Open (http:\S+) in two tabs/m, 60_000));
  await chat.until(() => chat.all(/^server (\d): process \d+$/).length === 3, 'three servers');
  const ann = await Tab.open(t, browser, url, 'Ann');
  const bob = await Tab.open(t, browser, url, 'Bob');
  // A page takes several connections, so that both may be led to the same server.
  const moves = await apart(ann, bob, 0);
  return { chat, url, ann, bob, moves };
}

test('examples/chat: what is said, who is there and who types comes to the tabs of all servers, as text; Ctrl-C ends everything', async (t) => {
  const { chat, url, ann, bob } = await started(t);

  const said = ['Hello Bob', 'Hello Ann', '<img src=x onerror="document.title = \'broken\'">', '5 < 6 &amp; more', 'Bye'];
  for (const [i, text] of said.entries()) {
    const [one, other] = i % 2 ? [bob, ann] : [ann, bob];
    await one.say(text);
    await other.shows('.text', text);
  }
  assert.deepEqual(await ann.texts(), said);
  assert.deepEqual(await bob.texts(), said);
  assert.equal(await bob.page.title(), 'Chat');

  // At once from both sides: both see the same order.
  await Promise.all([ann, bob].map(async (tab) => {
    for (let i = 0; i < 20; i++) await tab.say(`${tab.name} ${i}`);
  }));
  for (const tab of [ann, bob]) for (const name of ['Ann', 'Bob']) await tab.shows('.message:not(.pending) .text', `${name} 19`);
  const texts = await ann.texts();
  assert.equal(texts.length, said.length + 40);
  assert.deepEqual(await bob.texts(), texts);

  await ann.shows('#people li', `Bobserver ${await bob.server()}`);
  await bob.shows('#people li', `Annserver ${await ann.server()}`);
  // He types for longer than one event: one may be lost.
  await Promise.all([bob.page.locator('#words').pressSequentially('Let me think about that', { delay: 100 }), ann.shows('#typing', 'Bob is typing')]);

  // Another room has its own people and messages.
  for (const tab of [ann, bob]) {
    await tab.page.getByLabel('Open a room').fill('tea');
    await tab.page.keyboard.press('Enter');
  }
  await ann.shows('#people li', 'Bob');
  await ann.say('only for tea');
  await bob.shows('.text', 'only for tea');
  assert.deepEqual(await bob.texts(), ['only for tea']);

  // Browsers connect before they need it. A connection that asks for nothing keeps no server.
  const silent = net.connect(Number(new URL(url).port), '127.0.0.1');
  silent.on('error', () => {});
  cleanup(t, () => silent.destroy());

  await bob.page.close();
  await ann.page.locator('#people li', { hasText: 'Bob' }).waitFor({ state: 'detached' });
  assert.deepEqual([...ann.errors, ...bob.errors], []);
  assert.deepEqual(await chat.kill('SIGTERM'), { code: 0, signal: null }, chat.stderr);
  // Warnings are about the first second of a new Kafka.
  assert.deepEqual(chat.stderr.split('\n').filter((line) => line !== '' && !line.includes('"level":"WARN"')), []);
});

test('examples/chat: a tab whose server is killed goes on at another one, with every message once and in order', async (t) => {
  const { chat, ann, bob, moves } = await started(t);
  await ann.say('before', { read: true });
  await bob.shows('.text', 'before');
  const pid = await bob.pid();
  const server = await bob.server();

  // Its connection stands; a new one it gets only when the network is back.
  await bob.page.context().setOffline(true);
  process.kill(pid, 'SIGKILL');
  await chat.until(() => chat.stdout.includes(`server ${server}: process ${pid} died (SIGKILL)`), 'the death is noticed');
  await bob.shows('.notice.bad', 'The connection is lost');
  const missed = Array.from({ length: 30 }, (_, i) => `missed ${i}`);
  for (const text of missed) await ann.say(text);
  await ann.shows('.message:not(.pending) .text', 'missed 29');
  await bob.say('said while away');
  assert.deepEqual(await bob.texts(), ['before', 'said while away']);

  // Ann goes on while Bob comes back.
  const during = Array.from({ length: 100 }, (_, i) => `during ${i}`);
  await bob.page.context().setOffline(false);
  for (const text of during) await ann.say(text);
  await bob.back(moves + 1);
  await bob.shows('.text', 'during 99');
  assert.notEqual(await bob.pid(), pid);
  assert.match(await bob.page.locator('.notice.good').last().innerText(), /recovered: (3\d|[4-9]\d|1\d\d) messages came meanwhile$/);

  const from = (texts, own) => texts.filter((text) => (text === 'said while away') === own);
  for (const tab of [ann, bob]) {
    await tab.shows('.message:not(.pending) .text', 'said while away');
    assert.deepEqual(from(await tab.texts(), false), ['before', ...missed, ...during]);
    assert.deepEqual(from(await tab.texts(), true), ['said while away']);
  }
  assert.deepEqual(await ann.texts(), await bob.texts());
  // The dead server is forgotten: everybody is where he is now.
  await ann.shows('#people li', `Bobserver ${await bob.server()}`);
  assert.equal(await ann.page.locator('#people li').count(), 2);
  if (process.env.SCREENSHOTS) await picture(ann, bob, moves + 1, process.env.SCREENSHOTS);
  assert.deepEqual([...ann.errors, ...bob.errors], []);

  // Its place is taken again.
  await chat.until(() => chat.all(new RegExp(`^server ${server}: process \\d+$`)).length === 2, 'a new server');
});
