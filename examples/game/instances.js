// The instances: processes on ports of their own, started again when they die.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';

/** How long a dead instance's place stays empty, in milliseconds: its players have to go elsewhere. */
const PAUSE_MS = 2000;

export class Instances {
  /** @type {Map<number, import('node:child_process').ChildProcess>} */
  #processes = new Map();
  /** Those that can be played at. @type {Set<number>} */
  #ready = new Set();
  /** Calls that wait for one to be ready. @type {Set<() => void>} */
  #waiting = new Set();
  #stopping = false;
  #began = false;

  /**
   * @param {Omit<import('./instance.js').Settings, 'number'>} settings
   * @param {(line: string) => void} say
   */
  constructor(settings, say) {
    this.settings = settings;
    this.say = say;
    this.failed = new Promise((_, reject) => (this.fail = reject));
    this.failed.catch(() => {}); // for whoever waits
  }

  /** Resolves when all can be played at. One that dies before that ends the attempt. */
  async start() {
    for (let number = 1; number <= this.settings.ports.length; number++) this.#launch(number);
    await Promise.race([this.failed, Promise.all(this.settings.ports.map((_, i) => this.ready(i + 1)))]);
    this.#began = true;
  }

  #launch(number) {
    const child = fork(new URL('./instance.js', import.meta.url), [JSON.stringify({ ...this.settings, number })]);
    this.#processes.set(number, child);
    child.on('message', () => {
      this.#ready.add(number);
      this.say(`instance ${number}: ${this.url(number)}, process ${child.pid}`);
      for (const wake of this.#waiting) wake();
      this.#waiting.clear();
    });
    child.on('exit', (code, signal) => {
      this.#processes.delete(number);
      this.#ready.delete(number);
      if (this.#stopping) return;
      const how = `instance ${number}: process ${child.pid} died (${signal ?? `code ${code}`})`;
      if (!this.#began) return this.fail?.(new Error(`${how} before it was ready`));
      this.say(how);
      setTimeout(() => this.#stopping || this.#launch(number), PAUSE_MS);
    });
  }

  /** Resolves when it can be played at. @param {number} number */
  async ready(number) {
    while (!this.#ready.has(number)) await new Promise((resolve) => this.#waiting.add(() => resolve(undefined)));
  }

  /** @param {number} number */
  url(number) {
    return `http://${this.settings.host}:${this.settings.ports[number - 1]}`;
  }

  /** SIGKILL, as in a crash; resolves when it is dead. @param {number} number */
  async kill(number) {
    const child = this.#processes.get(number);
    if (!child) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  async stop() {
    this.#stopping = true;
    await Promise.all([...this.#processes.values()].map((child) => child.kill('SIGTERM') && once(child, 'exit')));
  }
}

/** Ports that are free. They stay the same: an instance that comes again comes where its players look for it. @param {number} count */
export async function freePorts(count) {
  const holders = Array.from({ length: count }, () => net.createServer().listen(0, '127.0.0.1'));
  await Promise.all(holders.map((holder) => once(holder, 'listening')));
  const ports = holders.map((holder) => /** @type {net.AddressInfo} */ (holder.address()).port);
  await Promise.all(holders.map((holder) => once(holder.close(), 'close')));
  return ports;
}
