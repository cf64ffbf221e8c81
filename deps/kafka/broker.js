'use strict';

const { execFileSync, spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { setTimeout: delay } = require('node:timers/promises');
const { SCRAM_ARGS } = require('./config.js');
const { guarded } = require('./guard.js');
const { JAVA, runTool } = require('./java.js');
const { connect, metadata } = require('./wire.js');

/** How long a broker may take to be ready, or to stop when asked to, in milliseconds. */
const START_TIMEOUT = 60_000;
const STOP_TIMEOUT = 15_000;

/**
 * One node of a cluster: a broker and controller in one process, whose folder holds
 * server.properties, data/, kafka.log, pid, and the file `formatted`.
 */
class Broker {
  /** @type {import('node:child_process').ChildProcess | undefined} while it is this process's child */
  #child;

  /**
   * @param {object} options
   * @param {number} options.id from 1
   * @param {string} options.dir
   * @param {string} options.clusterId
   * @param {string} options.host where others find it
   * @param {import('./config.js').Ports} options.ports
   * @param {boolean} options.alone whether it is the cluster's only node
   * @param {string[]} options.jvm the arguments of `java` before the main class
   * @param {boolean} options.detached whether it outlives this process
   * @param {string} options.wipe the folder to remove if this process dies, or ''
   */
  constructor({ id, dir, clusterId, host, ports, alone, jvm, detached, wipe }) {
    this.id = id;
    this.dir = dir;
    this.clusterId = clusterId;
    this.host = host;
    this.ports = ports;
    this.alone = alone;
    this.jvm = jvm;
    this.detached = detached;
    this.wipe = wipe;
    this.properties = path.join(dir, 'server.properties');
    this.log = path.join(dir, 'kafka.log');
  }

  /** The addresses of this node alone. */
  get listeners() {
    const { controller, ...ports } = this.ports;
    return Object.fromEntries(Object.entries(ports).map(([key, port]) => [key, `${this.host}:${port}`]));
  }

  /** The process id, or undefined when it does not run. */
  get pid() {
    if (this.#child) return this.#child.pid;
    const file = path.join(this.dir, 'pid');
    const pid = fs.existsSync(file) ? Number(fs.readFileSync(file, 'utf8')) : 0;
    return pid > 0 && commandOf(pid).includes(this.properties) ? pid : undefined;
  }

  /** Prepares the data folder, once. */
  async format() {
    const done = path.join(this.dir, 'formatted');
    if (fs.existsSync(done)) return;
    fs.rmSync(path.join(this.dir, 'data'), { recursive: true, force: true });
    await runTool('kafka.tools.StorageTool', [
      'format',
      `--cluster-id=${this.clusterId}`, // one word: the id may begin with a dash
      `--config=${this.properties}`,
      ...(this.alone ? ['--standalone'] : []),
      ...SCRAM_ARGS,
    ]);
    fs.writeFileSync(done, '');
  }

  /** Starts the process without waiting for it to be ready. */
  launch() {
    if (this.pid) throw new Error(`node ${this.id} runs already`);
    const log = fs.openSync(this.log, 'a');
    const java = [JAVA, ...this.jvm, 'kafka.Kafka', this.properties];
    const [command, ...args] = this.detached ? java : guarded(java, this.wipe);
    // A group of its own: Ctrl-C is for the starter alone.
    const child = spawn(command, args, { cwd: this.dir, detached: true, stdio: [this.detached ? 'ignore' : 'pipe', log, log] });
    fs.closeSync(log);
    const forget = () => {
      if (this.#child === child) this.#child = undefined;
    };
    child.once('exit', forget);
    child.once('error', forget);
    child.unref();
    // The guard's end: nothing is written to it, and it must not keep this process alive.
    /** @type {import('node:net').Socket | null} */ (child.stdin)?.on('error', () => {}).unref();
    this.#child = child;
    if (child.pid) fs.writeFileSync(path.join(this.dir, 'pid'), String(child.pid));
  }

  /** Starts and waits until it is ready. */
  async start() {
    this.launch();
    await this.ready();
  }

  /**
   * Waits until the broker accepts on all its listeners and is registered in its cluster, and not fenced.
   *
   * @param {object} [options]
   * @param {number[]} [options.peers] ids of the brokers that have to be registered, too
   * @param {number} [options.timeout] in milliseconds
   */
  async ready({ peers = [], timeout = START_TIMEOUT } = {}) {
    const deadline = Date.now() + timeout;
    while (!(await this.isReady(peers))) {
      if (!this.pid) throw new Error(`node ${this.id} exited before it was ready; the end of ${this.log}:\n${this.logTail()}`);
      if (Date.now() > deadline) {
        throw new Error(`node ${this.id} was not ready within ${timeout} ms; the end of ${this.log}:\n${this.logTail()}`);
      }
      await delay(20);
    }
  }

  /** @param {number[]} [peers] */
  async isReady(peers = []) {
    try {
      const { clusterId, brokers } = await metadata(this.ports.plaintext ?? 0);
      if (clusterId !== this.clusterId || ![this.id, ...peers].every((id) => brokers.includes(id))) return false;
      const { controller, ...ports } = this.ports;
      for (const port of Object.values(ports)) (await connect(port)).destroy();
      return true;
    } catch {
      return false;
    }
  }

  /**
   * The controlled shutdown: hands its partitions over, then exits. Killed if that takes too long.
   *
   * @param {number} [timeout] in milliseconds
   */
  async stop(timeout = STOP_TIMEOUT) {
    this.resume();
    this.#signal('SIGTERM');
    if (!(await this.#gone(timeout))) await this.kill();
  }

  /** SIGKILL, as in a crash. */
  async kill() {
    this.#signal('SIGKILL');
    await this.#gone(STOP_TIMEOUT);
  }

  /** SIGKILL without waiting for the end. */
  killNow() {
    this.#signal('SIGKILL');
  }

  /** SIGSTOP: connections stay open, nothing answers from when this returns. */
  pause() {
    this.#signal('SIGSTOP');
    // The signal is on its way when kill() returns, and some of the JVM's threads still run: here and there one answers.
    const deadline = Date.now() + 1000;
    while (this.pid && !allStopped(this.pid) && Date.now() < deadline);
  }

  /** SIGCONT: ends `pause`. */
  resume() {
    this.#signal('SIGCONT');
  }

  /** The last lines that the broker wrote. */
  logTail(lines = 40) {
    return fs.existsSync(this.log) ? fs.readFileSync(this.log, 'utf8').trimEnd().split('\n').slice(-lines).join('\n') : '';
  }

  /** @param {NodeJS.Signals} signal */
  #signal(signal) {
    const pid = this.pid;
    if (pid) process.kill(pid, signal);
  }

  /**
   * @param {number} timeout in milliseconds
   * @returns {Promise<boolean>} whether the process ended in time
   */
  async #gone(timeout) {
    const deadline = Date.now() + timeout;
    while (this.pid) {
      if (Date.now() > deadline) return false;
      await delay(10);
    }
    return true;
  }
}

/**
 * The command line of a process; empty when it is gone, or dead and not yet waited for.
 *
 * @param {number} pid
 */
function commandOf(pid) {
  try {
    if (process.platform === 'linux') return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    return execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' });
  } catch {
    return '';
  }
}

/** Whether every thread of the process is stopped; where there is no /proc, nobody can tell. @param {number} pid */
function allStopped(pid) {
  const tasks = `/proc/${pid}/task`;
  if (!fs.existsSync(tasks)) return true;
  try {
    return fs.readdirSync(tasks).every((task) => /\) [TtZX] /.test(fs.readFileSync(`${tasks}/${task}/stat`, 'utf8')));
  } catch {
    return false; // a thread ended meanwhile
  }
}

module.exports = { Broker };
