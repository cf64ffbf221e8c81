'use strict';
// Servers of socket.io that behave as one over Kafka, and their clients: in this process, or each in its own (`programs/socketio-server.js`).

const http = require('node:http');
const { randomBytes } = require('node:crypto');
const { Server } = require('socket.io');
const { io: connect } = require('socket.io-client');
const { createAdapter } = require('socket.io-kafka');
const { Child } = require('./child.js');
const { PATIENCE, within } = require('./flow.js');
const { Calls, eventually } = require('./watch.js');

/** Longer than anything takes here; only what hangs comes to it. */
const MARK = '.mark';
let marks = 0;

/** Of all servers of this process: with `recovery` they recover connections, and clients take the offset off what they hear. */
const mode = { recovery: false };
const OFFSET = /^.{1,8}-\d+-\d+$/;

/** A name for the topics of one test. */
const newKey = () => `sio-${process.pid}-${randomBytes(4).toString('hex')}`;

/** A client of socket.io, and every event that it gets. */
class Client {
  /** Events as [name, ...arguments], in the order in which they came. */
  heard = new Calls();

  /** @param {number} port @param {{ nsp?: string, answers?: (...event: any[]) => unknown, [option: string]: any }} [options] more options are socket.io-client's */
  constructor(port, { nsp = '/', answers, ...options } = {}) {
    this.socket = connect(`http://127.0.0.1:${port}${nsp}`, { transports: ['websocket'], forceNew: true, reconnection: false, ...options });
    this.socket.onAny((...event) => {
      const answer = typeof event.at(-1) === 'function' ? event.pop() : undefined;
      if (mode.recovery && event.length > 1 && OFFSET.test(event.at(-1))) event.pop();
      this.heard.take([...event]);
      if (answer !== undefined && answers !== undefined) answers(answer, ...event);
    });
    /** Resolves with the reason. */
    this.gone = new Promise((resolve) => this.socket.once('disconnect', resolve));
  }

  get id() {
    return String(this.socket.id);
  }

  async connected() {
    if (this.socket.connected) return this;
    return within(
      PATIENCE,
      'the client is connected',
      () =>
        new Promise((resolve, reject) => {
          this.socket.once('connect', () => resolve(this));
          this.socket.once('connect_error', reject);
        }),
    );
  }

  /** Events that came, without marks; with a name the arguments of these only. @param {string} [name] */
  events(name) {
    const all = this.heard.all.filter(([event]) => event !== MARK);
    return name === undefined ? all : all.filter(([event]) => event === name).map(([, ...args]) => args);
  }

  /** The first event of that name, past or to come. */
  async hears(name, fits = /** @type {(...args: any[]) => unknown} */ (() => true)) {
    const [, ...args] = await this.heard.until(([event, ...rest]) => event === name && fits(...rest), PATIENCE, /** @type {any} */ (`'${name}'`));
    return args;
  }

  /** Forgets what came. */
  clear() {
    this.heard.all.length = 0;
  }

  close() {
    this.socket.disconnect();
  }
}

/** A server of socket.io on a free port. */
class Peer {
  /** @type {Client[]} */
  clients = [];

  /** @param {Server} io @param {http.Server} server */
  constructor(io, server) {
    this.io = io;
    this.server = server;
  }

  /** @param {any} adapter what `io.adapter()` takes @param {object} [options] of socket.io's Server */
  static async start(adapter, options = {}) {
    const server = http.createServer();
    const peer = new Peer(new Server(server, { adapter, ...options }), server);
    await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
    return peer;
  }

  get port() {
    return /** @type {import('node:net').AddressInfo} */ (this.server.address()).port;
  }

  /** @returns {any} the adapter of a namespace, with what socket.io's type does not know */
  adapter(nsp = '/') {
    return this.io.of(nsp).adapter;
  }

  /** A connected client. @param {ConstructorParameters<typeof Client>[1]} [options] */
  async client(options) {
    const client = new Client(this.port, options);
    this.clients.push(client);
    return client.connected();
  }

  /** The socket of a client on this server. @param {Client} client */
  socket(client, nsp = '/') {
    const socket = this.io.of(nsp).sockets.get(client.id);
    if (socket === undefined) throw new Error(`no socket ${client.id} in ${nsp} of this server`);
    return socket;
  }

  /** The adapter's promise to socket.io is `close`; the http server goes with it. */
  async close() {
    for (const client of this.clients) client.close();
    await within(PATIENCE, 'the server closes', () => this.io.close());
  }
}

/** Several servers in this process over one key. Each has an adapter with Kafka clients of its own. */
class Peers {
  /** @type {Peer[]} */
  all = [];

  /** @param {string} key */
  constructor(key) {
    this.key = key;
  }

  /**
   * Starts servers that know each other.
   *
   * @param {import('./clusters.js').Cluster} cluster
   * @param {{ count?: number, key?: string, server?: object, adapter?: (options: any) => any, [option: string]: any }} [options] `server` are
   *   options of socket.io's Server, `adapter` makes what `io.adapter()` takes; more options are the adapter's
   */
  static async start(cluster, { count = 3, key = newKey(), server, adapter = (options) => createAdapter(kafkaOf(cluster), options), ...options } = {}) {
    const peers = new Peers(key);
    try {
      for (let i = 0; i < count; i++)
        peers.all.push(await Peer.start(adapter({ key, logger: SILENT, ...options }), { ...(mode.recovery && { connectionStateRecovery: {} }), ...server }));
      await peers.ready();
      return peers;
    } catch (error) {
      await peers.close();
      throw error;
    }
  }

  /** Waits until each server hears the others and counts all of them. */
  async ready(nsp = '/') {
    await within(PATIENCE, 'every adapter is ready', () => Promise.all(this.all.map((peer) => peer.adapter(nsp).init())));
    await this.count(this.all.length, nsp);
  }

  /** Waits until each server counts that many. */
  async count(servers, nsp = '/') {
    await Promise.all(
      this.all.map((peer, i) =>
        eventually(PATIENCE, `server ${i} counts ${servers} in ${nsp}`, async () => {
          const counted = await peer.adapter(nsp).serverCount();
          if (counted !== servers) throw new Error(`it counts ${counted}`);
          return true;
        }),
      ),
    );
  }

  /** Clients of all servers. */
  get clients() {
    return this.all.flatMap(({ clients }) => clients);
  }

  /** Everything that any of the servers has sent until now has come to all connected clients of the namespace: what has not come by then will not come. */
  async settled(nsp = '/') {
    const mark = ++marks;
    const { clients } = this;
    for (const [i, peer] of this.all.entries()) peer.io.of(nsp).emit(MARK, mark, i);
    const there = clients.filter(({ socket }) => socket.connected && /** @type {any} */ (socket).nsp === nsp);
    await Promise.all(there.flatMap((client) => this.all.map((_, i) => client.hears(MARK, (number, from) => number === mark && from === i))));
  }

  async close() {
    await Promise.all(this.all.map((peer) => peer.close()));
  }
}

const SILENT = { error() {}, warn() {}, info() {}, debug() {} };

/** The cluster as options of the adapter. @param {{ options(): { broker: string } }} cluster */
const kafkaOf = (cluster) => ({ brokers: cluster.options().broker.split(',') });

let calls = 0;
/** A server in a process of its own, which does what it is told. */
class RemotePeer extends Child {
  port = 0;
  /** @type {Client[]} */
  clients = [];

  /**
   * @param {import('node:test').TestContext} t it is killed, should it still run when the test is over
   * @param {{ brokers: string[], key: string, server?: object, [option: string]: any }} options as those of `Peers.start`
   */
  static async start(t, options) {
    const peer = new RemotePeer(t, 'socketio-server.js', options);
    peer.setMaxListeners(0);
    peer.port = (await peer.says('ready', PATIENCE)).port;
    return peer;
  }

  /** @param {ConstructorParameters<typeof Client>[1]} [options] */
  async client(options) {
    const client = new Client(this.port, options);
    this.clients.push(client);
    return client.connected();
  }

  /**
   * Has the server do something, and resolves with the result.
   *
   * @param {'emit' | 'emitWithAck' | 'fetchSockets' | 'serverCount' | 'serverSideEmit' | 'tellServers' | 'socketsJoin' | 'socketsLeave'
   *   | 'disconnectSockets' | 'knows' | 'stats' | 'stream' | 'stop' | 'close'} what
   * @param {object} [more] see the program
   */
  async do(what, more = {}) {
    const call = ++calls;
    const answer = this.says(`done-${call}`);
    this.tell({ call, what, ...more });
    const { error, result } = await answer;
    if (error !== undefined) throw Object.assign(new Error(error.message), error);
    return result;
  }
}

module.exports = { Client, Peer, Peers, RemotePeer, SILENT, kafkaOf, mode, newKey };
