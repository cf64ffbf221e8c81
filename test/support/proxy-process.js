'use strict';
// A kafka-proxy in a process of its own, which a test kills and starts again at the same port.

const path = require('node:path');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { reservePorts } = require('@kafka-native/kafka-for-tests/ports.js');
const { cleanup } = require('./cleanup.js');
const { folder } = require('./flow.js');
const { accepts } = require('./proxy-peer.js');

const CLI = path.join(path.dirname(require.resolve('kafka-proxy/package.json')), 'dist', 'cli.js');

class ProxyProcess {
  port = 0;
  /** @type {string[]} */
  args = [];
  /** @type {any} */
  child;

  /** @param {import('node:test').TestContext} t @param {string} brokers @param {string[]} [args] more of the command's */
  static async start(t, brokers, args = []) {
    const proxy = new ProxyProcess();
    const [port] = await reservePorts(folder(t), 1);
    Object.assign(proxy, { port, args: ['--brokers', brokers, '--log-level', 'error', ...args] });
    cleanup(t, () => proxy.kill());
    await proxy.start();
    return proxy;
  }

  get url() {
    return `ws://127.0.0.1:${this.port}/`;
  }

  async start() {
    this.child = spawn(process.execPath, [CLI, ...this.args, '--port', String(this.port)], { stdio: ['ignore', 'ignore', 'inherit'] });
    this.exit = once(this.child, 'exit');
    await accepts(this.port);
  }

  /** Resolves when it is gone. @param {NodeJS.Signals} signal */
  async kill(signal = 'SIGKILL') {
    this.child.kill(signal);
    return this.exit;
  }

  async restart(signal = /** @type {NodeJS.Signals} */ ('SIGKILL')) {
    await this.kill(signal);
    await this.start();
  }
}

module.exports = { ProxyProcess };
