'use strict';
// The examples as a user runs them: in processes of their own.

const path = require('node:path');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { cleanup } = require('../../test/support/cleanup.js');
const { within } = require('../../test/support/flow.js');

const EXAMPLES = path.resolve(__dirname, '..');

/** An example that runs; it is killed when the test is over. */
class Example {
  stdout = '';
  stderr = '';

  /**
   * @param {Pick<import('node:test').TestContext, 'after'>} t
   * @param {string} name the file or folder in examples/
   * @param {{ args?: string[], env?: NodeJS.ProcessEnv, cwd?: string }} [options] undefined in `env` takes a variable away
   */
  constructor(t, name, { args = [], env = {}, cwd } = {}) {
    this.name = name;
    this.process = spawn(process.execPath, [path.join(EXAMPLES, name), ...args.map(String)], {
      env: { ...process.env, NODE_TEST_CONTEXT: undefined, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd,
    });
    this.process.stdout.on('data', (text) => (this.stdout += text));
    this.process.stderr.on('data', (text) => (this.stderr += text));
    this.ended = once(this.process, 'close').then(([code, signal]) => ({ code, signal }));
    cleanup(t, () => this.process.kill('SIGKILL'));
  }

  /** The matches on standard output so far. */
  all(pattern) {
    return [...this.stdout.matchAll(new RegExp(pattern, 'gm'))];
  }

  /** Waits until it has written that; gives the match. */
  async writes(pattern, ms = 30_000) {
    return this.until(() => pattern.exec(this.stdout), pattern, ms);
  }

  /** Waits until `done` gives something, asking after each output. */
  async until(done, what, ms = 60_000) {
    let over = false;
    this.ended.then(() => (over = true));
    return within(ms, () => `${this.name}: ${what}; ${this.#tail()}`, async () => {
      for (let found; ; ) {
        if ((found = done())) return found;
        if (over) throw new Error(`${this.name} ended before: ${what}; ${this.#tail()}`);
        await Promise.race([once(this.process.stdout, 'data'), this.ended]);
      }
    });
  }

  kill(signal) {
    this.process.kill(signal);
    return this.exit();
  }

  /** How it ends, which must not take long. */
  async exit(ms = 60_000) {
    return within(ms, () => `${this.name} does not end; ${this.#tail()}`, () => this.ended);
  }

  #tail() {
    return `stdout: ${this.stdout.slice(-1500) || 'nothing'}; stderr: ${this.stderr.slice(-1500) || 'nothing'}`;
  }
}

module.exports = { EXAMPLES, Example };
