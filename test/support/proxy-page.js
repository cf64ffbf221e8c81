/// <reference lib="dom" />
'use strict';
// The page of a proxy in Chromium, used as a person does: by roles and names, with the mouse or the keyboard alone. Faults are
// remembered, and fail the test: errors in the console, which has what the content security policy refuses, errors of the page, dialogs of
// the browser, requests to anybody else.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { cleanup } = require('./cleanup.js');
const { PATIENCE } = require('./flow.js');

/** Longer than anything takes; only what hangs comes to it. */
const SIZES = {
  desktop: { viewport: { width: 1280, height: 800 } },
  phone: { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 },
};
/** How a person may have it. @type {{ name: string, size: keyof typeof SIZES, scheme: 'light' | 'dark' }[]} */
const LOOKS = /** @type {any} */ (Object.keys(SIZES).flatMap((size) => ['light', 'dark'].map((scheme) => ({ name: `${size}, ${scheme}`, size, scheme }))));
/** A folder: each view is photographed into it, for a person to look at. */
const PICTURES = process.env.PICTURES;
const AXE = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

/**
 * A person before a browser.
 */
class Visit {
  /** Faults that happened. @type {string[]} */
  wrong = [];
  /** URLs without their query. @type {Set<string>} */
  asked = new Set();
  /** @type {RegExp[]} */
  #allowed = [];

  /**
   * @param {import('playwright-core').Page} page
   * @param {string} origin of the proxy
   */
  constructor(page, origin) {
    this.page = page;
    this.origin = origin;
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) this.#fail(`console: ${message.text()} ${message.location().url}`);
    });
    page.on('pageerror', (error) => this.#fail(`error: ${error.stack}`));
    page.on('dialog', (dialog) => {
      this.#fail(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on('popup', (popup) => this.#fail(`popup: ${popup.url()}`));
    page.on('download', (download) => this.#fail(`download: ${download.url()}`));
    page.on('request', (request) => this.#requested(request.url()));
    page.on('websocket', (socket) => this.#requested(socket.url().replace(/^ws/, 'http')));
  }

  #requested(/** @type {string} */ url) {
    this.asked.add(url.split('?')[0]);
    if (!url.startsWith(`${this.origin}/`)) this.#fail(`request to ${url}`);
  }

  #fail(/** @type {string} */ what) {
    if (!this.#allowed.some((fits) => fits.test(what))) this.wrong.push(what);
  }

  /** Faults of the test's own doing, from now on: the browser puts a request that is refused into the console. @param {RegExp[]} what */
  allow(...what) {
    this.#allowed.push(...what);
  }

  /**
   * @param {Parameters<import('playwright-core').Page['getByRole']>[0]} role
   * @param {string | RegExp} [name] text: exactly this
   */
  role(role, name) {
    return this.page.getByRole(role, name === undefined ? {} : { name, exact: typeof name === 'string' });
  }

  /** Nothing happened that may not, and on a phone nothing is wider than the screen. */
  async fine() {
    assert.deepEqual(this.wrong, []);
    const [wide, narrow] = await this.page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    assert.ok(wide <= narrow, `${wide} pixels of ${narrow}: it scrolls sideways`);
  }

  /** Anybody can read and use it, as far as a program can tell. */
  async accessible() {
    if (!(await this.page.evaluate('"axe" in globalThis'))) await this.page.evaluate(AXE);
    const violations = await this.page.evaluate(async (rules) => {
      const { violations } = await /** @type {any} */ (globalThis).axe.run(document, { runOnly: { type: 'tag', values: rules }, resultTypes: ['violations'] });
      return violations.map(({ id, help, nodes }) => ({
        id,
        help,
        nodes: nodes.slice(0, 3).map(({ html, failureSummary }) => `${html.slice(0, 200)}: ${failureSummary}`),
      }));
    }, RULES);
    assert.deepEqual(violations, []);
  }

  /** @param {string} name of the view */
  async picture(name) {
    if (!PICTURES) return;
    fs.mkdirSync(PICTURES, { recursive: true });
    await this.page.screenshot({ path: path.join(PICTURES, `${name}.png`), animations: 'disabled' });
  }

  /** Presses Tab until what has the focus fits; fails when it came round. @param {import('playwright-core').Locator} target @param {string} [key] */
  async tabTo(target, key = 'Tab') {
    await target.waitFor();
    /** @type {string[]} */
    const passed = [];
    for (let presses = 0; presses < 250; presses++) {
      await this.page.keyboard.press(key);
      const reached = await target.evaluate((element) => element === document.activeElement);
      passed.push(await this.focused());
      if (reached) {
        await this.seesFocus();
        return passed;
      }
    }
    assert.fail(`${target} is not reached by ${key}; passed: ${passed.slice(0, 60).join(' | ')}`);
  }

  /** The element with the focus, for messages. */
  focused() {
    return this.page.evaluate(() => {
      const { activeElement: element } = document;
      return element ? `${element.tagName.toLowerCase()} ${(element.getAttribute('aria-label') ?? element.textContent ?? '').trim().slice(0, 40)}` : 'nothing';
    });
  }

  /** The focus is to be seen: an outline, or a ring of shadow. */
  async seesFocus() {
    const look = await this.page.evaluate(() => {
      const element = document.activeElement;
      if (!element || element === document.body) return 'nothing has the focus';
      const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
      return (outlineStyle !== 'none' && Number.parseFloat(outlineWidth) >= 1) || boxShadow !== 'none'
        ? ''
        : `${element.outerHTML.slice(0, 200)} does not show its focus`;
    });
    assert.equal(look, '');
  }
}

/**
 * Opens the page; it is closed when the test is over.
 *
 * @param {import('node:test').TestContext} t
 * @param {import('playwright-core').Browser} browser
 * @param {string} url of the proxy, `http:`
 * @param {{ size?: keyof typeof SIZES, scheme?: 'light' | 'dark', path?: string, context?: import('playwright-core').BrowserContextOptions, allow?: RegExp[] }} [how]
 */
async function visit(t, browser, url, { size = 'desktop', scheme = 'light', path = '/ui', context = {}, allow = [] } = {}) {
  const world = await browser.newContext({ ...SIZES[size], colorScheme: scheme, locale: 'en-GB', timezoneId: 'UTC', ...context });
  world.setDefaultTimeout(PATIENCE);
  cleanup(t, () => world.close());
  const page = await world.newPage();
  const visit = new Visit(page, new URL(url).origin);
  visit.allow(...allow);
  await page.goto(new URL(path, url).href);
  return visit;
}

module.exports = { LOOKS, PICTURES, SIZES, Visit, visit };
