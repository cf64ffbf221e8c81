'use strict';
const assert = require('node:assert/strict');
const http = require('node:http');
const { once } = require('node:events');
const { after, before, describe, test } = require('node:test');
const { launch } = require('@kafka-native/chromium-for-tests');
const { cleanup } = require('../../test/support/cleanup.js');
const { Example } = require('./support.js');

/** Changes that a pane waits for come in a moment, or in a few seconds where a dead server has to be forgotten. */
const PATIENCE_MS = 60_000;

/** @type {import('playwright-core').Browser} */
let browser;
before(async () => (browser = await launch()));
after(() => browser?.close());

/** The pane of a server, as a user sees and uses it. */
class Pane {
  /** @param {import('playwright-core').Page} page @param {string} server */
  constructor(page, server) {
    this.server = server;
    this.element = page.locator(`#${server}`);
  }

  part(selector) {
    return this.element.locator(selector);
  }

  connected() {
    return this.part('.state')
      .filter({ hasText: /^Connected$/ })
      .waitFor();
  }

  away() {
    return this.part('.state').filter({ hasText: 'Not connected' }).waitFor();
  }

  /** Waits until it is there. */
  sees(selector, text) {
    return this.part(selector).filter({ hasText: text }).first().waitFor();
  }

  /** Waits until nobody of that name is here. */
  misses(user) {
    return this.part('.people li').filter({ hasText: user }).waitFor({ state: 'detached' });
  }

  /** Waits until a field of the record has that value here. */
  async has(field, value) {
    const deadline = Date.now() + PATIENCE_MS;
    const part = this.part(`.${field}`);
    while ((await part.inputValue()) !== value) {
      assert.ok(Date.now() < deadline, `${field} at ${this.server} is ${JSON.stringify(await part.inputValue())}, not ${JSON.stringify(value)}`);
      await part.evaluate(() => new Promise(requestAnimationFrame));
    }
  }

  async ask(question) {
    await this.part('.question').fill(question);
    await this.part('.ask button').click();
  }

  /** Asks until it sees that answer: a server that has just come is told only after a moment who answers what. */
  async hears(answer, question) {
    const deadline = Date.now() + PATIENCE_MS;
    const heard = () =>
      this.part('.log li')
        .filter({ hasText: answer })
        .first()
        .waitFor({ timeout: 1000 })
        .then(
          () => true,
          () => false,
        );
    for (await this.ask(question); !(await heard()); await this.ask(question)) assert.ok(Date.now() < deadline, `${answer}: not at ${this.server}`);
  }

  async pid() {
    return Number(/^process (\d+)$/.exec(await this.part('.process').innerText())?.[1]);
  }
}

/** The example and its page. @param {Pick<import('node:test').TestContext, 'after'>} t */
async function started(t, servers) {
  const example = new Example(t, 'deepstream', { args: [servers, 0], env: { KAFKA_BROKER: undefined } });
  const [, url] = await example.writes(/^Open (http:\S+)\. Ctrl-C/m, 60_000);
  const context = await browser.newContext({ viewport: { width: 1100, height: 760 } });
  context.setDefaultTimeout(PATIENCE_MS);
  cleanup(t, () => context.close());
  const page = await context.newPage();
  /** Errors in the page. @type {Error[]} */
  const errors = [];
  page.on('pageerror', (error) => errors.push(error));
  await page.goto(url);
  const panes = Array.from({ length: servers }, (_, i) => new Pane(page, `server-${i + 1}`));
  await Promise.all(panes.map((pane) => pane.connected()));
  return { example, url, page, panes, errors };
}

/** The status of a request to the page's server. */
async function status(url, path, options) {
  const request = http.request(new URL(path, url), options).end();
  const [response] = await once(request, 'response');
  response.resume();
  return response.statusCode;
}

describe('examples/deepstream', () => {
  /** @type {Awaited<ReturnType<typeof started>>} One Kafka, three servers and a page for all of it. */
  let shown;
  let end;
  before(async () => (shown = await started({ after: (undo) => (end = undo) }, 3)));
  after(() => end?.());

  test('a record, presence and answers cross from server to server, as text; only its own page can kill', async () => {
    const { example, url, page, panes } = shown;
    const [one, two, three] = panes;

    const hostile = '<img src=x onerror="document.title = \'broken\'"> 5 < 6 &amp; more';
    await one.part('.title').fill(hostile);
    await Promise.all([two, three].map((pane) => pane.has('title', hostile)));
    await three.part('.text').fill('one line\nand another');
    await Promise.all([one, two].map((pane) => pane.has('text', 'one line\nand another')));
    await two.part('.like').click();
    await Promise.all(panes.map((pane) => pane.sees('.likes', /^1$/)));

    for (const pane of panes) await Promise.all(panes.map(({ server }) => pane.sees('.people li', `at ${server}`)));

    for (const other of [two, three]) {
      await one.hears(`${other.server} has ${hostile.length} letters from you`, hostile);
      await other.sees('.log li', `was asked: ${hostile}`);
    }
    assert.equal(await page.locator('main img').count(), 0);
    assert.equal(await page.title(), 'deepstream over Kafka');

    // Another site's page, a name that leads here, a link.
    const { host } = new URL(url);
    const kill = (headers, method = 'POST') => status(url, '/kill/server-1', { method, headers });
    assert.equal(await kill({ origin: 'http://example.org' }), 403);
    assert.equal(await kill({ host: 'example.org', origin: 'http://example.org' }), 403);
    assert.equal(await kill({}), 405);
    assert.equal(await kill({ origin: `http://${host}` }, 'GET'), 405);
    assert.equal(await status(url, '/kill/nobody', { method: 'POST', headers: { origin: `http://${host}` } }), 404);
    assert.equal(await status(url, '/../server.js', {}), 404);
    assert.equal(example.stdout.includes('died'), false, example.stdout);
  });

  test('a server is killed, the others go on without it; it comes again with the record as it is now, and answers', async () => {
    const { example, page, panes } = shown;
    const [one, two] = panes;
    await one.part('.title').fill('before');
    await two.has('title', 'before');
    await one.sees('.people li', 'at server-2');
    const pid = await two.pid();

    await two.part('.kill').click();
    await example.until(() => example.stdout.includes(`server-2: process ${pid} died (SIGKILL)`), 'the death is noticed');
    await two.away();
    await one.part('.title').fill('changed while server-2 is away');
    assert.equal(await two.part('.title').inputValue(), 'before');
    await one.misses('at server-2');
    if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/deepstream.png` });

    await two.connected();
    assert.notEqual(await two.pid(), pid);
    await two.has('title', 'changed while server-2 is away');
    await one.sees('.people li', 'at server-2');
    await two.part('.text').fill('written after');
    await one.has('text', 'written after');
    await two.hears('server-1 has 8 letters from you', 'and now?');
    await one.hears('server-2 has 9 letters from you', 'you, too?');
    if (process.env.SCREENSHOTS) {
      await page.setViewportSize({ width: 390, height: 844 });
      await page.screenshot({ path: `${process.env.SCREENSHOTS}/deepstream-phone.png`, fullPage: true });
    }
  });

  test('nothing goes wrong in the page, and Ctrl-C ends everything', async () => {
    const { example, errors } = shown;
    assert.deepEqual(errors, []);
    assert.deepEqual(await example.kill('SIGTERM'), { code: 0, signal: null }, example.stderr);
  });
});
