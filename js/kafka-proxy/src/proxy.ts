// The proxy: listens, lets clients in, and ends.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket as NetSocket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type ServerOptions, type WebSocket } from 'ws';
import type { Protocol } from './context';
import { Doors } from './doors/doors';
import type { Identity } from './doors/identity';
import { addressOf } from './doors/network';
import { Refusal, refuse } from './doors/refusal';
import { CloseCode, ProxyError } from './errors';
import { baseOf, Http } from './http/http';
import type { StreamSocket } from './http/stream-socket';
import { legacy } from './legacy/legacy';
import { readOptions, type ProxyOptions, type ReadOptions } from './options';
import { Shared } from './shared';
import { json, msgpack } from './v2/v2';
import { WsSocket, type Owner } from './ws-socket';

/** By the subprotocol that a client asks for; the first of these that it names. */
const PROTOCOLS = new Map<string, Protocol>([
  ['kafka.v2.json', json],
  ['kafka.v2.msgpack', msgpack],
]);
const UNKNOWN_PROTOCOL = new Refusal(400, `the proxy speaks ${[...PROTOCOLS.keys()].join(' and ')}, or, without a subprotocol, that of kafka-proxy 1.0`);
const ELSEWHERE = new Refusal(404, 'there is no WebSocket at this path');
const ENDING = new Refusal(503, 'the proxy ends; connect again', { 'Retry-After': '1' });

/** Milliseconds that a client has to say what it wants. */
const PATIENCE = 10_000;
/** Bytes of a request's headers: `Last-Event-ID` has a place of each partition. */
const HEADERS = 32 * 1024;
/** Connections beside those that have a place: they are told that there is none. */
const DOORSTEP = 1000;
/** Sockets are pinged a part at a time. */
const PARTS = 16;

/** Which upgrades the listeners of this module want: of all proxies. */
const WANTED = new WeakMap<object, (request: IncomingMessage) => boolean>();

/** A WebSocket door to Kafka. */
export class KafkaProxy {
  /** Where it listens; with the option 0, once it does, the port that it got. */
  port: number;
  /** The brokers as they were given. */
  readonly kafkaAddress: unknown;
  readonly idleTimeout: number;
  readonly maxBytes: number;
  readonly recordInterval: number;
  readonly defaultPartition: number;
  readonly auth: string | undefined;

  readonly #options: ReadOptions;
  readonly #shared: Shared;
  readonly #doors: Doors;
  readonly #ws: WebSocketServer;
  readonly #sockets = new Set<WsSocket | StreamSocket>();
  readonly #http: Http;
  /** Conversations that end still hold what they have. */
  readonly #endings = new Set<Promise<void>>();
  readonly #owner: Owner;
  /** Its own server's, and those of others, from which it is taken away. */
  readonly #detach: (() => void)[] = [];
  /** Called when a socket or a conversation has ended. */
  #fewer: () => void = ignore;
  #server: Server | undefined;
  /** Of its own server: also those that have said nothing, or are in the middle of TLS's handshake. */
  readonly #connections = new Set<Duplex>();
  #listening: Promise<AddressInfo> | undefined;
  #pings: NodeJS.Timeout | undefined;
  #closed: Promise<void> | undefined;

  /**
   * Connects to nobody.
   *
   * @throws Error when nothing says where Kafka is, or where to listen
   * @throws TypeError, RangeError naming the option
   */
  constructor(options: ProxyOptions) {
    const read = readOptions(options ?? {});
    const { closeTimeout, compression, legacy: old, limits } = read;
    this.#options = read;
    this.port = read.port;
    this.kafkaAddress = options.kafka ?? options.brokers;
    this.idleTimeout = old.idleTimeout;
    this.maxBytes = old.maxBytes;
    this.recordInterval = old.recordInterval;
    this.defaultPartition = old.partition;
    this.auth = read.auth;
    this.#shared = new Shared(read);
    this.#doors = new Doors(read, this.#shared);
    const { log } = read;
    this.#owner = {
      rate: limits.framesPerSecond,
      failed: (error, { id }) => log.error(`socket ${id}: ${(error as Error)?.stack ?? error}`),
      ended: (ending) => {
        this.#endings.add(ending);
        void ending.finally(() => {
          this.#endings.delete(ending);
          this.#fewer();
        });
      },
      closed: (socket, code) => {
        this.#sockets.delete(socket as WsSocket | StreamSocket);
        this.#shared.sockets.delete(socket, code);
        this.#fewer();
      },
    };
    this.#http = new Http(this.#shared, this.#doors, read, this.#owner, (socket) => this.#welcome(socket));
    // Its types do not know `closeTimeout` yet.
    const how: ServerOptions & { closeTimeout: number } = {
      noServer: true,
      clientTracking: false,
      maxPayload: limits.payload,
      // Nothing is kept of a socket's last frame: 10 000 sockets would have gigabytes.
      perMessageDeflate: compression && { serverNoContextTakeover: true, clientNoContextTakeover: true },
      // Answered by the socket, which counts them.
      autoPong: false,
      closeTimeout,
      handleProtocols: (offered) => protocolOf([...offered]) ?? false,
    };
    this.#ws = new WebSocketServer(how);
  }

  /**
   * Resolves with the address when it accepts connections. Kafka is asked when the first client wants something.
   *
   * Rejects when the port is taken, when it was closed, and when it listens already.
   */
  listen(): Promise<AddressInfo> {
    if (this.#closed) return Promise.reject(new Error('kafka-proxy: it was closed; make a new one'));
    if (this.#listening) return Promise.reject(new Error('kafka-proxy: it listens already'));
    this.#listening = this.#listen();
    // After a port that was taken another try may follow.
    this.#listening.catch(() => (this.#listening = undefined));
    return this.#listening;
  }

  async #listen(): Promise<AddressInfo> {
    const { tls, certificates, limits, log, host = Doors.asks(this.#options) ? undefined : '127.0.0.1' } = this.#options;
    // A client that is silent, or writes its request byte by byte, is cut off.
    const patience = { maxHeaderSize: HEADERS, headersTimeout: PATIENCE, requestTimeout: PATIENCE, connectionsCheckingInterval: 1000, keepAliveTimeout: 5000 };
    // A client that shows no certificate, or one of nobody's, may come in by another way.
    const asking = certificates && { requestCert: true, rejectUnauthorized: tls?.rejectUnauthorized ?? false };
    const server = tls ? createTlsServer({ handshakeTimeout: PATIENCE, ...tls, ...asking, ...patience }) : createServer(patience);
    if (limits.sockets !== Number.POSITIVE_INFINITY) server.maxConnections = limits.sockets + DOORSTEP;
    server.on('request', this.handler);
    server.on('connection', (connection) => {
      this.#connections.add(connection);
      connection.once('close', () => this.#connections.delete(connection));
    });
    const detach = this.#serve(server, () => true);
    const address = await new Promise<AddressInfo>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => reject(toListenError(error, this.port, host)));
      server.listen({ port: this.port, host }, () => resolve(server.address() as AddressInfo));
    });
    server.on('error', (error) => log.error(`the listener: ${error.message}`));
    this.#server = server;
    this.#detach.push(detach);
    this.port = address.port;
    return address;
  }

  /**
   * Serves upgrades of a server of yours: those at the option `path`; others are left to the server's other listeners, and answered with 404 when
   * it has none. Without a path all of them. `close` leaves the server running.
   *
   * @throws TypeError without a path, where others listen for upgrades, too
   */
  attach(server: Server): void {
    if (this.#closed) throw new Error('kafka-proxy: it was closed; make a new one');
    const { path } = this.#options;
    if (path === undefined && server.listenerCount('upgrade') > 0)
      throw new TypeError(
        "kafka-proxy: others listen for upgrades of this server, too: attach needs the option path, such as '/kafka', and leaves the rest to them",
      );
    this.#detach.push(this.#serve(server, (request) => path === undefined || pathOf(request.url) === path));
  }

  /**
   * Answers requests of HTTP below the option `path`, for a server of yours: `server.on('request', proxy.handler)`, or
   * `app.use(proxy.handler)` of Express. Those of other paths go to `next`; without one they are answered with 404.
   */
  readonly handler = (request: IncomingMessage, response: ServerResponse, next?: () => void): void => {
    const path = pathOf((request as { originalUrl?: string }).originalUrl ?? request.url);
    const own = baseOf(this.#options.path);
    const below = path === own ? '/' : path.startsWith(`${own}/`) ? path.slice(own.length) : undefined;
    if (below === undefined && next) return next();
    void this.#http.handle(request, response, below, queryOf(request.url), this.#hosts(request.socket));
  };

  #serve(server: Server, ours: (request: IncomingMessage) => boolean): () => void {
    const upgrade = (request: IncomingMessage, connection: Duplex, head: Buffer): void => {
      if (ours(request)) void this.#upgrade(request, connection as NetSocket, head);
      else if (server.listeners('upgrade')[0] === upgrade && isNobodys(server, request)) {
        connection.on('error', ignore);
        refuse(connection, ELSEWHERE);
      }
    };
    WANTED.set(upgrade, ours);
    server.on('upgrade', upgrade);
    this.#pings ??= this.#ping();
    return () => server.off('upgrade', upgrade);
  }

  /** Never rejects: what is wrong with one client is nobody else's matter. */
  async #upgrade(request: IncomingMessage, connection: NetSocket, head: Buffer): Promise<void> {
    connection.on('error', ignore);
    try {
      const entered = await this.#enter(request, connection);
      if (entered instanceof Refusal) {
        this.#shared.figures.refuse(entered.status);
        this.#shared.audit.refused(request, entered, this.#known(request));
        return refuse(connection, entered);
      }
      this.#ws.handleUpgrade(request, connection, head, (ws) => this.#begin(ws, request, connection, entered));
      connection.off('error', ignore);
    } catch (error) {
      this.#options.log.error(`an upgrade failed: ${(error as Error)?.message}`);
      connection.destroy();
    }
  }

  async #enter(request: IncomingMessage, connection: NetSocket): Promise<Refusal | Identity> {
    const { path } = this.#options;
    if (this.#closed) return ENDING;
    if (path !== undefined && pathOf(request.url) !== path) return ELSEWHERE;
    const offered = request.headers['sec-websocket-protocol'];
    if (offered !== undefined && protocolOf(offered.split(',').map((each) => each.trim())) === undefined) return UNKNOWN_PROTOCOL;
    const entered = await this.#doors.enter(request, connection, this.#hosts(connection));
    // It may have been told to end meanwhile.
    return this.#closed ? ENDING : entered;
  }

  /** The path, if it is one that the proxy has: in any other a client may have put what nobody is to read. */
  #known(request: IncomingMessage): string | undefined {
    const path = pathOf(request.url);
    return path === (this.#options.path ?? '/') ? path : undefined;
  }

  /** Names and addresses on which the server of this connection listens. */
  #hosts(connection: NetSocket): string[] {
    const { host } = this.#options;
    const bound = (connection as { server?: Server }).server?.address();
    return [...(typeof bound === 'object' && bound ? [bound.address] : []), ...(host ? [host.toLowerCase()] : [])];
  }

  #begin(ws: WebSocket, request: IncomingMessage, connection: NetSocket, identity: Identity): void {
    const { log } = this.#options;
    const socket = new WsSocket(ws, connection, identity, addressOf(request), this.#owner, this.#known(request));
    this.#welcome(socket);
    const protocol = PROTOCOLS.get(ws.protocol) ?? legacy;
    try {
      socket.begin(protocol(socket, this.#shared, queryOf(request.url)));
    } catch (error) {
      const { close, message } = ProxyError.of(error);
      if (close === CloseCode.Internal) log.error(`socket ${socket.id} could not begin: ${message}`);
      socket.close(close, close === CloseCode.Internal ? 'an error of the proxy' : message);
    }
  }

  #welcome(socket: WsSocket | StreamSocket): void {
    this.#sockets.add(socket);
    this.#shared.sockets.add(socket);
  }

  #ping(): NodeJS.Timeout | undefined {
    const { pingInterval } = this.#options;
    if (pingInterval === 0) return undefined;
    let part = 0;
    const timer = setInterval(
      () => {
        part = (part + 1) % PARTS;
        for (const socket of this.#sockets) if (socket.number % PARTS === part) socket.ping();
      },
      Math.max(pingInterval / PARTS, 1),
    );
    return timer.unref();
  }

  /**
   * Lets nobody in any more (503), closes the sockets with 1001, commits what they have acknowledged, and ends the clients of Kafka: in
   * `closeTimeout` altogether, then the rest is cut off. Every call gives the same promise. Never rejects.
   */
  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#shared.closing = true;
    const { closeTimeout, log } = this.#options;
    const deadline = performance.now() + closeTimeout;
    const left = (): number => Math.max(deadline - performance.now(), 1);
    await this.#listening?.catch(ignore);
    this.#http.end();
    for (const socket of this.#sockets) socket.close(CloseCode.GoingAway, 'the proxy ends; connect again');
    // Half of the time is for clients that take theirs to answer.
    await this.#until(() => this.#sockets.size === 0, Math.min(left(), closeTimeout / 2));
    for (const socket of this.#sockets) socket.terminate();
    await this.#until(() => this.#sockets.size === 0 && this.#endings.size === 0, left());
    if (this.#endings.size > 0) log.warn(`${this.#endings.size} sockets had more to commit or to write than ${closeTimeout} ms were enough for`);
    await this.#shared.close(left());
    clearInterval(this.#pings);
    for (const detach of this.#detach) detach();
    const server = this.#server;
    if (!server) return;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const connection of this.#connections) connection.destroy();
    });
  }

  /** Until it is true, or the time is over. */
  async #until(done: () => boolean, milliseconds: number): Promise<void> {
    if (done()) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#fewer = () => {
        if (!done()) return;
        clearTimeout(timer);
        resolve();
      };
    });
    this.#fewer = ignore;
  }
}

const ignore = (): void => {};

/** A server that has such a listener leaves upgrades to it: what none but proxies hear of, and none of these wants, would wait for ever. */
function isNobodys(server: Server, request: IncomingMessage): boolean {
  return server.listeners('upgrade').every((each) => WANTED.get(each)?.(request) === false);
}

/** The first that we speak. */
function protocolOf(offered: string[]): string | undefined {
  return offered.find((each) => PROTOCOLS.has(each));
}

/** Also of `http://host/path?query`, which clients of proxies send. */
function pathOf(url = '/'): string {
  return url.replace(/[?#].*$/s, '').replace(/^\w+:\/\/[^/]*/, '') || '/';
}

function queryOf(url = '/'): URLSearchParams {
  const begin = url.indexOf('?');
  return new URLSearchParams(begin < 0 ? '' : url.slice(begin + 1).replace(/#.*$/s, ''));
}

function toListenError(error: NodeJS.ErrnoException, port: number, host = 'this machine'): Error {
  const words: Record<string, string> = {
    EADDRINUSE: `port ${port} of ${host} is taken by another program; end that, or take another port`,
    EACCES: `this user may not listen on port ${port}; take one above 1023`,
    EADDRNOTAVAIL: `${host} is no address of this machine`,
    ENOTFOUND: `${host} is no name of this machine`,
  };
  const message = words[error.code ?? ''] ?? `cannot listen on port ${port}: ${error.message}`;
  return Object.assign(new Error(`kafka-proxy: ${message}`, { cause: error }), { code: error.code });
}
