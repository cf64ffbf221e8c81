'use strict';
// Programs of `programs/`, each run in a process of its own, and how they ended.

const fs = require('node:fs');
const path = require('node:path');
const { fork } = require('node:child_process');
const { EventEmitter, once } = require('node:events');
const { cleanup } = require('./cleanup.js');
const { PATIENCE, within } = require('./flow.js');

/** Words that only a crash writes. */
const CRASH = /Segmentation|Check failed|panicked|FATAL|Fatal error|Assertion|terminate called|corrupted|double free|stack smashing/;

/** A program in a process of its own; its messages come as the events that their `type` names. */
class Child extends EventEmitter {
  stdout = '';
  stderr = '';
  /** Its last message, for the message of a failure. */
  last = 'nothing';

  /**
   * @param {import('node:test').TestContext} t it is killed, should it still run when the test is over
   * @param {string} program the name of a file in `programs/`, or its path
   * @param {object} options given to the program as JSON
   * @param {{ execArgv?: string[] }} [how]
   */
  constructor(t, program, options, { execArgv = [] } = {}) {
    super();
    const env = { ...process.env, NODE_TEST_CONTEXT: undefined };
    const file = path.resolve(__dirname, '..', 'programs', program);
    this.name = `${program} ${JSON.stringify(options)}`;
    this.process = fork(file, [JSON.stringify(options)], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], env, execArgv });
    this.process.stdout?.on('data', (text) => (this.stdout += text));
    this.process.stderr?.on('data', (text) => (this.stderr += text));
    this.process.on('message', (/** @type {any} */ message) => {
      this.last = JSON.stringify(message).slice(0, 500);
      this.emit(message.type, message);
    });
    /** Resolves with how it ended, when its output is read to the end. */
    this.ended = once(this.process, 'close').then(([code, signal]) => ({ code, signal }));
    this.ended.then(({ code, signal }) => this.emit('ended', { code, signal }));
    cleanup(t, () => this.process.kill('SIGKILL'));
  }

  /** The next message of that type; rejects when the program ends instead, or is late. */
  async says(type, ms = PATIENCE) {
    return within(
      ms,
      () => `${this.name} has not said '${type}'; ${this.#tail()}`,
      async () => {
        const abort = new AbortController();
        const ended = once(this, 'ended', { signal: abort.signal }).then(([how]) => {
          throw new Error(`${this.name} ended (${JSON.stringify(how)}) and has not said '${type}'; ${this.#tail()}`);
        });
        try {
          return (await Promise.race([once(this, type, { signal: abort.signal }), ended]))[0];
        } finally {
          ended.catch(() => {});
          abort.abort();
        }
      },
    );
  }

  tell(message) {
    this.process.send(message);
  }

  /** Kills it, and waits until it is gone. @param {NodeJS.Signals} signal */
  async kill(signal = 'SIGKILL') {
    this.process.kill(signal);
    return this.ended;
  }

  /** Waits for its end, which must be of its own and no crash; a hang is a failure. @param {{ code?: number, ms?: number, stderr?: RegExp }} [how] */
  async exits({ code = 0, ms = PATIENCE, stderr } = {}) {
    const how = await within(
      ms,
      () => `${this.name} does not end; ${this.#tail()}`,
      () => this.ended,
    );
    if (how.code !== code || how.signal !== null) throw new Error(`${this.name} ended with ${JSON.stringify(how)}, not ${code}; ${this.#tail()}`);
    if (CRASH.test(this.stderr)) throw new Error(`${this.name} crashed; ${this.#tail()}`);
    if (stderr !== undefined && !stderr.test(this.stderr)) throw new Error(`${this.name} did not write ${stderr}; ${this.#tail()}`);
    return how;
  }

  #tail() {
    return `it said last ${this.last}, and on stderr: ${this.stderr.slice(-2000) || 'nothing'}`;
  }
}

/** In a program: its options, and the way to say something. */
const options = () => JSON.parse(process.argv[2]);
/** Resolves when it lies with the parent, which hears of it also when this process is killed then. */
const say = (type, message = {}) =>
  new Promise((resolve) => (process.connected && process.send ? process.send({ type, ...message }, () => resolve(undefined)) : resolve(undefined)));

/** The most memory that this process ever had, in KiB. (`maxRSS` begins with what the parent had when it forked.) */
const peakMemory = () => Number(/^VmHWM:\s*(\d+) kB$/m.exec(fs.readFileSync('/proc/self/status', 'utf8'))?.[1]);

module.exports = { CRASH, Child, options, peakMemory, say };
