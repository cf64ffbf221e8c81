'use strict';
// The game's page, in Chromium: two tabs on two instances. One broker is enough for it.

const assert = require('node:assert/strict');
const { after, before, test } = require('node:test');
const { launch } = require('@kafka-native/chromium-for-tests');
const { Kafka } = require('kafka-native');
const { cleanup } = require('../../test/support/cleanup.js');
const { real, topicName } = require('../../test/support/clusters.js');
const { PATIENCE, silent } = require('../../test/support/flow.js');
const { Example } = require('./support.js');

/** @type {import('playwright-core').Browser} */
let browser;
/** @type {any} */ let cluster;
before(async () => ([browser, cluster] = await Promise.all([launch(), real()])));
after(async () => {
  await browser?.close();
  await cluster?.close();
});

/** Somebody at the page. */
class Tab {
  /** Errors in the page. @type {Error[]} */
  errors = [];

  /** @param {import('playwright-core').Page} page */
  constructor(page) {
    this.page = page;
    page.on('pageerror', (error) => this.errors.push(error));
  }

  /** @param {import('node:test').TestContext} t */
  static async open(t, url, name, viewport = { width: 1100, height: 980 }) {
    const context = await browser.newContext({ viewport });
    context.setDefaultTimeout(PATIENCE);
    cleanup(t, () => context.close());
    const tab = new Tab(await context.newPage());
    await tab.page.goto(url);
    await tab.enter(name);
    return tab;
  }

  async enter(name) {
    await this.page.getByLabel('Your name').fill(name);
    await this.page.keyboard.press('Enter');
    await this.sees('#notice', /^Connected to instance \d$/);
  }

  sees(selector, text) {
    return this.page.locator(selector, { hasText: text }).first().waitFor();
  }

  cell(i) {
    return this.page.locator(`[data-cell="${i}"]`);
  }

  /** Waits until that cell has that owner. */
  owned(i, name) {
    return this.page.locator(`[data-cell="${i}"].owned[title="${name}"]`).waitFor();
  }

  /** Whose each cell is. */
  board() {
    return this.page.locator('.cell').evaluateAll((cells) => cells.map((cell) => /** @type {HTMLElement} */ (cell).title));
  }

  async shot(name) {
    if (process.env.SCREENSHOTS) await this.page.screenshot({ path: `${process.env.SCREENSHOTS}/${name}.png`, fullPage: true });
  }
}

test('examples/game: a move in a tab is seen in a tab of another instance, with its place in the log; a tab whose instance is killed goes on at another one', async (t) => {
  const topic = topicName('game');
  const { broker } = cluster.options();
  const admin = new Kafka({ brokers: broker.split(','), logger: silent }).admin();
  cleanup(t, () => admin.disconnect());
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 4 }, { topic: `${topic}-snapshots`, numPartitions: 1 }].map((each) => ({ ...each, replicationFactor: 1 })) });
  const game = new Example(t, 'game', { args: ['--topic', topic, '--port', '0'], env: { KAFKA_BROKERS: broker, MY_IP: undefined } });
  await game.writes(/^Open http:\S+ and http:\S+: one board/m, PATIENCE);
  const url = (/** @type {number} */ number) => game.all(`^instance ${number}: (http:\\S+), process (\\d+)`).at(-1) ?? [];

  const hostile = '<img src=x onerror=>';
  const ann = await Tab.open(t, url(1)[1], 'Ann');
  const bob = await Tab.open(t, url(2)[1], hostile);
  await ann.sees('#scores li', `${hostile}instance 2`);
  await bob.sees('#scores li', 'Anninstance 1');
  assert.equal(await ann.page.locator('img').count(), 0);

  // A click, and its line: partition, offset, milliseconds.
  await ann.cell(20).click();
  await Promise.all([ann, bob].map((tab) => tab.owned(20, 'Ann')));
  for (const tab of [ann, bob]) {
    const row = tab.page.locator(tab === ann ? '#log tr.own' : '#log tr:not(.own)').filter({ hasText: 'Ann paints row 2, column 5' }).first();
    const [partition, offset, , ms] = await row.locator('td').allInnerTexts();
    assert.match(`${partition} ${offset} ${ms}`, /^0 \d+ \d+$/);
  }
  // Dragging; over what is another's; by keyboard.
  const middle = async (i) => {
    const { x, y, width, height } = /** @type {any} */ (await bob.cell(i).boundingBox());
    return /** @type {const} */ ([x + width / 2, y + height / 2]);
  };
  await bob.page.mouse.move(...(await middle(18)));
  await bob.page.mouse.down();
  for (const i of [19, 20, 21]) await bob.page.mouse.move(...(await middle(i)), { steps: 5 });
  await bob.page.mouse.up();
  await ann.cell(40).focus();
  await ann.page.keyboard.press('Enter');
  for (const tab of [ann, bob]) {
    for (const i of [18, 19, 20, 21]) await tab.owned(i, hostile);
    await tab.owned(40, 'Ann');
    await tab.page.locator('.cell.pending').first().waitFor({ state: 'detached' });
  }
  assert.deepEqual(await ann.board(), await bob.board());
  await ann.sees('#scores li', `${hostile}instance 24`);

  // Another game is another board. And a tab that is loaded again is the same player.
  await bob.page.getByRole('button', { name: 'fjord' }).click();
  await bob.sees('#notice', /^Connected/);
  await bob.sees('#scores li', /instance \d0$/);
  await bob.page.locator('.cell.owned').first().waitFor({ state: 'detached' });
  await bob.page.getByRole('button', { name: 'amber' }).click();
  await bob.owned(21, hostile);
  await bob.page.reload();
  await bob.enter('Bob');
  await bob.owned(21, 'Bob');
  await bob.sees('#scores li', 'Bobyou, instance 2');

  // Its instance is killed: what is painted meanwhile comes, and what is clicked meanwhile counts once.
  await bob.page.context().setOffline(true);
  const [, , pid] = url(2);
  process.kill(Number(pid), 'SIGKILL');
  await bob.sees('#notice', 'The next instance is tried');
  await bob.cell(0).click();
  for (const i of [100, 101, 102]) await ann.cell(i).click();
  await ann.owned(102, 'Ann');
  await bob.page.context().setOffline(false);
  await bob.sees('#notice', /^Back on instance \d after .* events came meanwhile$/);
  await Promise.all([bob.owned(102, 'Ann'), bob.owned(0, 'Bob'), ann.owned(0, 'Bob')]);
  assert.deepEqual(await ann.board(), await bob.board());
  await bob.page.locator('#instances').getByRole('button', { name: '3' }).click();
  await ann.sees('#scores li', 'Bobinstance 3');

  // On a phone, with a finger, all of the board is there.
  const eve = await Tab.open(t, `${url(1)[1]}/?game=amber`, 'Eve', { width: 390, height: 844 });
  const right = await eve.page.locator('.cell').evaluateAll((cells) => Math.max(...cells.map((cell) => cell.getBoundingClientRect().right)));
  assert.ok(right <= 390, `${right}`);
  assert.equal(await eve.page.evaluate(() => document.documentElement.scrollWidth), 390);
  await eve.cell(159).click();
  await ann.owned(159, 'Eve');
  for (const [name, tab] of Object.entries({ ann, bob, phone: eve })) await tab.shot(`game-${name}`);
  assert.deepEqual([ann, bob, eve].flatMap(({ errors }) => errors), []);
  assert.deepEqual(await game.kill('SIGTERM'), { code: 0, signal: null }, game.stderr);
});

test('examples/game: fewer live brokers than copies, an address of another machine and options that are none are errors that say so', async (t) => {
  const { broker } = cluster.options();
  const run = (args, env = {}) => new Example(t, 'game', { args, env: { KAFKA_BROKERS: broker, MY_IP: undefined, ...env } });
  /** @type {[InstanceType<typeof Example>, RegExp][]} */
  const errors = [
    [run(['--topic', topicName('copies')]), /the topic copies-\S+ has 2 replicas of each partition and needs as many live brokers; there is 1\./],
    [run([], { MY_IP: '203.0.113.7' }), /MY_IP is 203\.0\.113\.7, which is no IPv4 address of this machine; it has 127\.0\.0\.1/],
    [run(['bots', '--bots', 'many']), /--bots takes a number from 1 to 60, not 'many'/],
    [run(['bots', '--faults', 'flood']), /--faults takes stop, kill, instance or none, not 'flood'/],
    [run(['upp']), /there is no 'upp'; see --help/],
  ];
  for (const [game, words] of errors) {
    assert.deepEqual(await game.exit(PATIENCE), { code: 1, signal: null });
    assert.match(game.stderr, words);
  }
});
