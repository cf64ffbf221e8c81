'use strict';
// The processes of clients: started, killed at random and started again.

const fs = require('node:fs');
const path = require('node:path');
const { fork, spawn } = require('node:child_process');
const { once } = require('node:events');
const { setTimeout: delay } = require('node:timers/promises');
const { CRASH } = require('../support/child.js');

const GAVE_UP = 9;
/** crates/core/examples/follow.rs */
const FOLLOW = path.join(process.env.CARGO_TARGET_DIR ?? path.join(__dirname, '../../target'), 'release/examples/follow');
/** How long a process may take to end in order, in milliseconds. */
const END = 90_000;

/** One process, which lives again and again. */
class Client {
  life = 0;
  /** @type {import('node:child_process').ChildProcess | undefined} */
  process;
  #killed = false;
  #stopping = false;

  /** @param {object} what { name, roles }, or { name, rust: { role, how, topic } } @param {object} place { brokers, ledgers, offsets } @param {import('./index.js').Report} report */
  constructor(what, place, report) {
    this.what = what;
    this.place = place;
    this.report = report;
    this.errors = path.join(place.ledgers, `stderr.${what.name}`);
  }

  start() {
    this.life++;
    this.#killed = false;
    const stderr = fs.openSync(this.errors, 'a');
    const child = this.what.rust ? this.#follow(this.what.rust, stderr) : this.#fork(stderr);
    fs.closeSync(stderr);
    child.once('exit', (code, signal) => this.#exited(code, signal));
    this.process = child;
  }

  #fork(stderr) {
    const options = JSON.stringify({ ...this.place, ...this.what, life: this.life });
    const child = fork(path.join(__dirname, 'client.js'), [options], { stdio: ['ignore', 'ignore', stderr, 'ipc'] });
    child.on('message', ({ type, text }) => this.report.hear(type, text));
    return child;
  }

  /** A program in Rust, whose output is its ledger; it ends when its input does, also with this process. */
  #follow({ role, how, topic }, stderr) {
    const { brokers, ledgers, offsets } = this.place;
    const ledger = fs.openSync(path.join(ledgers, `read.${role}.${this.what.name}.${this.life}`), 'ax');
    const child = spawn(FOLLOW, [how, how === 'group' ? role : path.join(offsets, role), topic, brokers], { stdio: ['pipe', ledger, stderr] });
    fs.closeSync(ledger);
    child.stdin.on('error', () => {}); // it is gone
    return child;
  }

  #exited(code, signal) {
    this.process = undefined;
    if (this.#killed || (this.#stopping && code === 0)) return;
    if (code === GAVE_UP) {
      this.report.hear('gave up', this.what.name);
      return this.#stopping || this.start();
    }
    this.report.finding(`${this.what.name} ended with ${code ?? signal}; its stderr is ${this.errors}`);
  }

  /** `kill -9`, and its next life after that long. */
  async kill(pause) {
    await this.end();
    await delay(pause);
    this.start();
  }

  /** `kill -9` for good. */
  async end() {
    const child = this.process;
    if (!child) return;
    this.#killed = true;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  /** Ends in order, by itself. */
  async stop() {
    const child = this.process;
    if (!child) return;
    this.#stopping = true;
    const exited = once(child, 'exit');
    if (this.what.rust) child.stdin.end();
    else child.send('stop');
    const late = new AbortController();
    const inTime = await Promise.race([exited.then(() => true), delay(END, false, { signal: late.signal })]);
    late.abort();
    if (!inTime) {
      this.report.finding(`${this.what.name} has not ended ${END} ms after it was told to; its stderr is ${this.errors}`);
      await this.end();
    }
  }

  /** Whether it wrote what only a crash writes. */
  crashed() {
    return CRASH.exec(fs.readFileSync(this.errors, 'utf8'))?.[0];
  }
}

module.exports = { Client };
