'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { setTimeout: delay } = require('node:timers/promises');
const { guarded } = require('@kafka-native/kafka-for-tests/guard.js');
const { releasePorts, reservePorts } = require('@kafka-native/kafka-for-tests/ports.js');

/** How long the server may take to answer, in milliseconds. */
const START_TIMEOUT = 30_000;

/** The servers that end with this process. @type {Set<Redis>} */
const mortal = new Set();

/** A Redis of this process's own: it keeps nothing on disk, and ends with this process, however that ends. */
class Redis {
  #child;

  /** @param {string} command @param {string} dir @param {number} port */
  constructor(command, dir, port) {
    this.dir = dir;
    this.port = port;
    /** The address that clients connect to: 'redis://127.0.0.1:p'. */
    this.url = `redis://127.0.0.1:${port}`;
    const log = fs.openSync(path.join(dir, 'redis.log'), 'a');
    const [shell, ...args] = guarded([command, '--bind', '127.0.0.1', '--port', String(port), '--dir', dir, '--save', '', '--appendonly', 'no'], dir);
    // A group of its own: Ctrl-C is for the starter alone.
    this.#child = spawn(shell, args, { detached: true, stdio: ['pipe', log, log] });
    fs.closeSync(log);
    this.#child.unref();
    // The guard's end: nothing is written to it, and it must not keep this process alive.
    /** @type {import('node:net').Socket} */ (this.#child.stdin).on('error', () => {}).unref();
    mortal.add(this);
  }

  /** Starts a server on a free port of 127.0.0.1 and waits until it answers. Rejects with what it said when it does not. */
  static async start() {
    const command = process.env.REDIS_SERVER || 'redis-server';
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'kafka-native-redis-'));
    const redis = new Redis(command, dir, (await reservePorts(dir, 1))[0]);
    const deadline = Date.now() + START_TIMEOUT;
    while (!(await answers(redis.port))) {
      if (redis.pid !== undefined && Date.now() < deadline) {
        await delay(5);
        continue;
      }
      const missing = redis.#child.exitCode === 127; // so the shell says it
      const said = fs.readFileSync(path.join(dir, 'redis.log'), 'utf8').trim();
      await redis.stop();
      throw new Error(missing ? `there is no '${command}': apt-get install redis-server, or name one with REDIS_SERVER` : `'${command}' does not run: ${said}`);
    }
    return redis;
  }

  /** The process id, or undefined when it has ended. */
  get pid() {
    return this.#child.exitCode === null && this.#child.signalCode === null ? this.#child.pid : undefined;
  }

  /** Ends the server. Its data is gone. */
  async stop() {
    this.#child.kill('SIGKILL');
    while (this.pid !== undefined) await delay(5);
    this.killNow();
  }

  /** All that can be done while the process exits. */
  killNow() {
    this.#child.kill('SIGKILL');
    mortal.delete(this);
    fs.rmSync(this.dir, { recursive: true, force: true });
    releasePorts([this.port]);
  }
}

// Ends that Node does not run this for, such as by SIGKILL, are for the guard.
process.on('exit', () => {
  for (const redis of mortal) redis.killNow();
});

/** Whether a Redis answers to PING. @param {number} port @returns {Promise<boolean>} */
function answers(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    socket
      .setTimeout(1000, () => socket.destroy())
      .once('data', (answer) => {
        resolve(answer.toString().startsWith('+PONG'));
        socket.destroy();
      });
    socket.once('error', () => {}).once('close', () => resolve(false));
  });
}

module.exports = { Redis };
