'use strict';
// Clients of socket.io whose connections break, and that come back with what they know; and servers in processes of their own that can be killed.

const { io: connect } = require('socket.io-client');
const { Child } = require('./child.js');
const { PATIENCE, within } = require('./flow.js');
const { Calls } = require('./watch.js');

/** A client that never comes back by itself: `come` says when and where. */
class Visitor {
  /** Events as [name, ...arguments, offset], in the order in which they came, over all its connections. */
  heard = new Calls();
  /** For each connection whether it was recovered. */
  visits = [];
  /** Connections that it has left without a word. */
  #ghosts = [];

  /** @param {number} port @param {{ nsp?: string, [option: string]: any }} [options] more options are socket.io-client's */
  static async connect(port, options) {
    const visitor = new Visitor(port, options);
    await visitor.come(port);
    return visitor;
  }

  constructor(port, { nsp = '/', ...options } = {}) {
    this.nsp = nsp;
    this.options = options;
    this.socket = this.#open(port);
  }

  #open(port) {
    const socket = connect(`http://127.0.0.1:${port}${this.nsp}`, {
      transports: ['websocket'],
      forceNew: true,
      reconnection: false,
      autoConnect: false,
      ...this.options,
    });
    socket.onAny((...event) => {
      if (this.socket === socket) this.heard.take(event);
    });
    return socket;
  }

  get id() {
    return String(this.socket.id);
  }

  /** Session and offset that it gives a server when it comes. */
  get knows() {
    const { _pid: pid, _lastOffset: offset } = /** @type {any} */ (this.socket);
    return { pid, offset };
  }

  set knows({ pid, offset }) {
    Object.assign(this.socket, { _pid: pid, _lastOffset: offset });
  }

  /** Its transport is gone at once, on both sides. */
  async break() {
    const { socket } = this;
    if (!socket.connected) return;
    const gone = new Promise((resolve) => socket.once('disconnect', resolve));
    /** @type {any} */ (socket.io.engine).transport.ws.terminate();
    await gone;
  }

  /** Its network is gone: the server does not know yet, and what it still writes goes nowhere. */
  vanish(port) {
    const { knows } = this;
    const ghost = this.socket;
    this.#ghosts.push(ghost);
    this.socket = this.#open(port);
    this.knows = knows;
    return ghost;
  }

  /** Resolves with whether the session was recovered, when it is connected. */
  async come(port, ms = PATIENCE) {
    const { socket } = this;
    const manager = /** @type {any} */ (socket.io);
    manager.uri = `http://127.0.0.1:${port}`;
    await within(
      ms,
      'the client is connected',
      () =>
        new Promise((resolve, reject) => {
          // A refusal closes it, too, and is told behind that.
          const closed = (reason) => setImmediate(() => done(new Error(reason)));
          const done = (error) => {
            socket.off('connect', done);
            socket.off('connect_error', done);
            manager.off('close', closed);
            if (error) reject(error);
            else resolve(undefined);
          };
          manager.once('close', closed);
          socket.once('connect', done);
          socket.once('connect_error', done);
          socket.connect();
        }),
    );
    this.visits.push(Boolean(socket.recovered));
    return Boolean(socket.recovered);
  }

  /** Breaks, and comes back. */
  async move(port) {
    await this.break();
    return this.come(port);
  }

  /** With a name the arguments of these events only, without the offset. @param {string} name */
  events(name) {
    return this.heard.all.filter(([event]) => event === name).map(([, ...args]) => args.slice(0, -1));
  }

  /** The first event of that name, past or to come. */
  async hears(name, fits = /** @type {(...args: any[]) => unknown} */ (() => true)) {
    const [, ...args] = await this.heard.until(([event, ...rest]) => event === name && fits(...rest), PATIENCE, /** @type {any} */ (`'${name}'`));
    return args;
  }

  close() {
    for (const socket of [...this.#ghosts, this.socket]) socket.disconnect();
  }
}

let calls = 0;
/** A server in a process of its own. */
class Killable extends Child {
  port = 0;

  /** @param {import('node:test').TestContext} t @param {{ brokers: string[], key: string, server?: object, [option: string]: any }} options */
  static async start(t, options) {
    const server = new Killable(t, 'socketio-recovery-server.js', options);
    server.setMaxListeners(0);
    // Messages to one that has just ended: whoever waits for its answer hears of that.
    server.process.on('error', () => {});
    server.port = (await server.says('ready', PATIENCE)).port;
    return server;
  }

  /** @param {'emit' | 'stream' | 'stop' | 'move' | 'stats' | 'close' | 'rooms'} what @param {object} [more] see the program */
  async do(what, more = {}) {
    const call = ++calls;
    const answer = this.says(`done-${call}`);
    this.tell({ call, what, ...more });
    const { error, result } = await answer;
    if (error !== undefined) throw new Error(error);
    return result;
  }
}

module.exports = { Killable, Visitor };
