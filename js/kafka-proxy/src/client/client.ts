import { type CredentialOptions, Credentials } from './credentials';
import { type Deferred, deferred } from './deferred';
import { Emitter } from './emitter';
import { KafkaProxyError, ProduceError, type ProduceResult } from './errors';
import { type Closed, Link, type WebSocketClass } from './link';
import { Subscription, type SubscribeOptions, type SubscriptionOwner } from './subscription';
import { Table, type TableOptions } from './table';
import { type NewMessage, written } from './values';
import { type Codec, type FromServer, type Hello, jsonWire, msgpackWire, sizeOf, type Wire } from './wire';

export interface ClientOptions extends CredentialOptions {
  /** How the frames look. Default `json`; `msgpack` needs a `codec`. */
  protocol?: 'json' | 'msgpack';
  /** Writes and reads msgpack: `import * as codec from '@msgpack/msgpack'` fits. */
  codec?: Codec;
  /** Default: the global one. Node 20 has none: give it that of `ws`. */
  WebSocket?: WebSocketClass;
  /**
   * How long it waits before it connects again, in milliseconds: the first time about `min` (default 200), then twice as long each time, up to
   * `max` (default 10 000); a random part is left out. false: it does not.
   */
  reconnect?: { min?: number; max?: number } | false;
  /** Milliseconds that a produce may take, from its call to its answer. Default 60 000. (Opening a connection may take 10 000.) */
  timeout?: number;
  /** Bytes of messages that wait for a connection; more are refused. Default 16 MiB. */
  queueBytes?: number;
}

export type ClientEvents = {
  /** It is connected, also when it is again. */
  open: { version: string };
  /** The connection is gone; `reconnecting`: it tries again. */
  close: Closed & { reconnecting: boolean };
  /** It will connect again in `delay` milliseconds, for the `attempt`th time in a row. */
  reconnect: { attempt: number; delay: number };
  /** An error that nobody else hears of. */
  error: KafkaProxyError;
};

type Timer = ReturnType<typeof setTimeout>;

/** A produce under way. `sent`: the proxy has it, perhaps. */
interface Request {
  id: number;
  frame: string | Uint8Array;
  bytes: number;
  sent: boolean;
  timer: Timer;
  answer: Deferred<ProduceResult[]>;
}

/** The proxy's default for frames a second. */
const FRAMES = 1000;
const MIB = 1024 * 1024;
/** Milliseconds for a proxy to say hello. */
const OPENING = 10_000;

/** A client of kafka-proxy, for browsers and Node. */
export class KafkaProxyClient extends Emitter<ClientEvents> {
  readonly #wire: Wire;
  readonly #owner: SubscriptionOwner;
  readonly #url: string;
  readonly #WebSocket: WebSocketClass;
  readonly #credentials: Credentials;
  readonly #reconnect: boolean;
  readonly #min: number;
  readonly #max: number;
  readonly #timeout: number;
  readonly #queueBytes: number;

  /** The socket, from its opening to its end. */
  #link: Link | undefined;
  /** A question for a token or a ticket, of which the next socket is made. */
  #asking: object | undefined;
  /** The proxy has said hello on it. */
  #open = false;
  #payload = MIB;
  #connecting: Deferred<void> | undefined;
  #closing: Deferred<void> | undefined;
  /** It was connected, and stays so until `close`. */
  #established = false;
  #retryTimer: Timer | undefined;
  #attempt = 0;
  #delay = 0;
  #openedAt = 0;

  /** Ids of subscriptions from 1 up, of requests from -1 down: equal programs have the same ones, whatever they write, and the proxy makes a frame once for an id. */
  #subscribed = 0;
  #produced = 0;
  readonly #subscriptions = new Map<number, Subscription<any>>();
  readonly #requests = new Map<number, Request>();
  /** Those that are not sent yet. */
  readonly #unsent = new Set<Request>();
  #queued = 0;
  /** Subscriptions that the proxy could not serve just now, and when they are tried again. */
  readonly #later = new Map<Subscription<any>, Timer>();

  readonly #dirty = new Set<Subscription<any>>();
  #flushing = false;
  /** Not before that time. */
  #flushAt = 0;
  /** Frames that may be sent now, so that the proxy's limit a second is never reached. */
  #frames = FRAMES;
  #framesPerSecond = FRAMES;
  #framesAt = 0;
  #sendTimer: Timer | undefined;

  /** @param url `ws://host:port/` or `wss://...` */
  constructor(url: string | URL, options: ClientOptions = {}) {
    super();
    const { protocol = 'json', codec, reconnect = {}, timeout = 60_000, queueBytes = 16 * MIB } = options;
    const WebSocket = options.WebSocket ?? (globalThis.WebSocket as WebSocketClass | undefined);
    if (!WebSocket)
      throw new TypeError('KafkaProxyClient: there is no global WebSocket (Node 20 has none): npm install ws, and give its class as the option WebSocket');
    if (protocol !== 'json' && protocol !== 'msgpack') throw new TypeError(`KafkaProxyClient: protocol must be 'json' or 'msgpack', got ${protocol}`);
    if (protocol === 'msgpack' && !codec)
      throw new TypeError('KafkaProxyClient: msgpack needs a codec: npm install @msgpack/msgpack, and give the module as the option codec');
    this.#wire = protocol === 'json' ? jsonWire : msgpackWire(codec!);
    this.#url = String(url);
    this.#WebSocket = WebSocket;
    this.#credentials = new Credentials(this.#url, WebSocket, options);
    this.#reconnect = reconnect !== false;
    ({ min: this.#min = 200, max: this.#max = 10_000 } = reconnect || {});
    this.#timeout = timeout;
    this.#queueBytes = queueBytes;
    this.#owner = {
      wire: this.#wire,
      send: (message) => this.#send(message),
      dirty: (subscription) => this.#makeDirty(subscription),
      again: (subscription) => this.#again(subscription),
      ended: (subscription) => this.#ended(subscription),
    };
  }

  get connected(): boolean {
    return this.#open;
  }

  /**
   * Connects, and from then on stays connected until `close`. Rejects when the first connection fails: what was subscribed and produced
   * waits, and it may be called again.
   */
  connect(): Promise<void> {
    if (this.#open && !this.#closing) return Promise.resolve();
    if (this.#connecting) return this.#connecting.promise;
    this.#connecting = deferred();
    const { promise } = this.#connecting;
    // One that closes is waited for; one that waits to be tried again is tried now.
    clearTimeout(this.#retryTimer);
    if (!this.#link && !this.#asking) this.#start();
    return promise;
  }

  /** Messages of topics. It may be called before `connect`, and holds over reconnects. */
  subscribe<T = any>(options: SubscribeOptions & { value: 'json' }): Subscription<T>;
  subscribe(options: SubscribeOptions & { value: 'binary' }): Subscription<Uint8Array | null>;
  subscribe(options: SubscribeOptions & { value: false }): Subscription<undefined>;
  subscribe(options: SubscribeOptions & { value?: 'text' }): Subscription<string | null>;
  subscribe(options: SubscribeOptions): Subscription<any> {
    return this.#subscribe(options, false);
  }

  /** A compacted topic as a Map that follows it; resolves when it has all entries. Rejects when the topic cannot be read. */
  table<T = any>(topic: string, options: TableOptions & { value: 'json' }): Promise<Table<T>>;
  table(topic: string, options: TableOptions & { value: 'binary' }): Promise<Table<Uint8Array>>;
  table(topic: string, options?: TableOptions & { value?: 'text' }): Promise<Table<string>>;
  async table(topic: string, options: TableOptions = {}): Promise<Table<any>> {
    const table = new Table<any>(this.#subscribe({ ...options, topics: [topic] }, true));
    await table.complete;
    return table;
  }

  /**
   * Writes messages of one topic, in order; resolves with where each was written. Rejects with a {@link ProduceError} when some were not, with
   * their results; with an error whose `maybeWritten` is true when the connection or the time ended before the answer. Without a
   * connection they wait for one. Nothing is ever sent twice.
   */
  produce(topic: string, messages: readonly NewMessage[]): Promise<{ partition: number; offset: number }[]> {
    const id = --this.#produced;
    let frame: string | Uint8Array;
    try {
      frame = this.#wire.encode({ type: 'produce', id, topic, messages: Array.from(messages, (message) => written(message, this.#wire)) });
    } catch (error) {
      return Promise.reject(error);
    }
    const bytes = sizeOf(frame);
    if (this.#queued + bytes > this.#queueBytes) {
      const why = `${this.#queued} bytes of messages wait already, and queueBytes is ${this.#queueBytes}`;
      return Promise.reject(new KafkaProxyError('QUEUE_FULL', `produce: ${why}. Wait for earlier ones.`, true));
    }
    const timer = setTimeout(() => this.#unanswered(request, 'TIMED_OUT', `there was no answer within ${this.#timeout} ms.`), this.#timeout);
    const request: Request = { id, frame, bytes, sent: false, timer, answer: deferred() };
    this.#requests.set(id, request);
    this.#unsent.add(request);
    this.#queued += bytes;
    this.#sendRequests();
    return request.answer.promise.then((results) => {
      const failed = results.filter((result) => 'error' in result);
      if (failed.length === 0) return results as { partition: number; offset: number }[];
      const { code, message, retriable } = failed[0]!.error;
      throw new ProduceError(code, `${failed.length} of ${results.length} messages were not written: ${message}`, retriable, results);
    });
  }

  /** Ends everything: loops end, what is being produced rejects. Resolves when the socket is closed; what was acknowledged was sent. */
  close(): Promise<void> {
    this.#flush();
    const link = this.#link;
    if (!link) {
      this.#stop(undefined);
      return Promise.resolve();
    }
    if (!this.#closing) {
      this.#closing = deferred();
      link.close();
    }
    // Also of what was asked for while it closed.
    this.#stop(undefined);
    return this.#closing.promise;
  }

  #subscribe(options: SubscribeOptions, table: boolean): Subscription<any> {
    const subscription = new Subscription<any>(++this.#subscribed, options, this.#owner, table);
    this.#subscriptions.set(subscription.id, subscription);
    if (this.#usable) subscription.begin();
    return subscription;
  }

  get #usable(): boolean {
    return this.#open && !this.#closing;
  }

  #start(): void {
    if (!this.#credentials.renewable) return this.#make();
    const asking = {};
    this.#asking = asking;
    const answered = (then: () => void): void => {
      // It may have been closed meanwhile.
      if (this.#asking !== asking) return;
      this.#asking = undefined;
      then();
    };
    this.#credentials.ask(Math.min(this.#timeout, OPENING)).then(
      (secret) => answered(() => this.#make(secret)),
      (error: Error) => answered(() => this.#closed({ code: 1006, reason: error.message }, undefined)),
    );
  }

  #make(secret?: string): void {
    const owner = {
      hello: (hello: Hello) => this.#hello(hello),
      received: (message: FromServer, bytes: number) => this.#received(message, bytes),
      closed: (closed: Closed, error: KafkaProxyError | undefined) => this.#closed(closed, error),
    };
    try {
      this.#link = new Link(this.#credentials.opening(secret), this.#wire, this.#WebSocket, Math.min(this.#timeout, OPENING), owner);
    } catch (error) {
      const { message } = error as Error;
      const reason = secret ? message.replaceAll(secret, '***') : message;
      this.#closed(
        { code: 1006, reason },
        error instanceof KafkaProxyError ? error : new KafkaProxyError('BAD_URL', `The WebSocket cannot be made: ${reason}`),
      );
    }
  }

  #hello({ version, limits }: Hello): void {
    if (this.#closing) return;
    this.#open = true;
    this.#established = true;
    this.#openedAt = Date.now();
    this.#payload = limits?.payload ?? MIB;
    this.#framesPerSecond = limits?.framesPerSecond ?? FRAMES;
    this.#frames = this.#framesPerSecond;
    this.#framesAt = Date.now();
    for (const subscription of [...this.#subscriptions.values()]) subscription.begin();
    this.#sendRequests();
    this.#connecting?.resolve();
    this.#connecting = undefined;
    this.emit('open', { version });
  }

  #received(message: FromServer, bytes: number): void {
    if (message.type === 'produced') return this.#answered(message.id)?.resolve(message.results);
    if ('id' in message && message.id !== undefined) {
      const subscription = this.#subscriptions.get(message.id);
      if (subscription) return subscription.received(message, bytes);
    }
    if (message.type !== 'error') return;
    const error = new KafkaProxyError(message.code, message.message, message.retriable);
    const answer = message.id === undefined ? undefined : this.#answered(message.id);
    if (answer) answer.reject(error);
    // One with an id is about what has ended meanwhile; one that is fatal is told by the close that follows.
    else if (message.id === undefined && !message.fatal) this.fault(error);
  }

  #closed(closed: Closed, error: KafkaProxyError | undefined): void {
    const wasOpen = this.#open;
    const closing = this.#closing;
    this.#link = undefined;
    this.#open = false;
    this.#closing = undefined;
    this.#dirty.clear();
    if (closing) {
      closing.resolve();
      this.emit('close', { ...closed, reconnecting: false });
      // connect() was called meanwhile.
      if (this.#connecting && !this.#link) this.#start();
      return;
    }
    this.#stopLater();
    for (const request of [...this.#requests.values()])
      if (request.sent) this.#unanswered(request, 'CONNECTION_LOST', `the connection is lost (${told(closed)}).`);
    if (wasOpen) for (const subscription of [...this.#subscriptions.values()]) subscription.lost();
    if (!this.#established) {
      const connecting = this.#connecting;
      this.#connecting = undefined;
      connecting?.reject(error ?? new KafkaProxyError('CONNECTION_LOST', `There is no connection to ${safe(this.#url)}: ${told(closed)}.`, true));
      return;
    }
    // The next connection asks for a new one.
    const renewed = this.#reconnect && this.#credentials.renewable && closed.code === 4401;
    const end =
      (renewed ? undefined : error) ??
      (this.#reconnect ? undefined : new KafkaProxyError('CONNECTION_LOST', `The connection is lost (${told(closed)}).`, true));
    if (!end) {
      this.#wait();
      return this.emit('close', { ...closed, reconnecting: true });
    }
    const others = this.#subscriptions.size > 0 || this.#requests.size > 0;
    this.#stop(end);
    if (this.heard('error') || !others) this.fault(end);
    this.emit('close', { ...closed, reconnecting: false });
  }

  #wait(): void {
    // A connection that held for a while was a good one.
    if (this.#openedAt > 0 && Date.now() - this.#openedAt > this.#delay) this.#attempt = 0;
    this.#openedAt = 0;
    this.#delay = this.#backOff(this.#attempt++);
    this.#retryTimer = setTimeout(() => this.#start(), this.#delay);
    this.emit('reconnect', { attempt: this.#attempt, delay: this.#delay });
  }

  /** Milliseconds, a random part left out: not all clients of a proxy come back at once. */
  #backOff(attempt: number): number {
    return Math.round(Math.min(this.#max, this.#min * 2 ** attempt) * (0.5 + Math.random() / 2));
  }

  /** Everything ends. */
  #stop(error: KafkaProxyError | undefined): void {
    this.#established = false;
    this.#asking = undefined;
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#sendTimer);
    this.#sendTimer = undefined;
    this.#stopLater();
    const { code, message, retriable } = error ?? new KafkaProxyError('CLOSED', 'The client is closed.');
    this.#connecting?.reject(new KafkaProxyError(code, message, retriable));
    this.#connecting = undefined;
    for (const request of [...this.#requests.values()]) this.#unanswered(request, code, message, retriable);
    for (const subscription of [...this.#subscriptions.values()]) subscription.end(error);
  }

  #stopLater(): void {
    for (const timer of this.#later.values()) clearTimeout(timer);
    this.#later.clear();
  }

  #send(message: object): boolean {
    if (!this.#usable) return false;
    this.#frames--;
    this.#link!.send(this.#wire.encode(message));
    return true;
  }

  #again(subscription: Subscription<any>): void {
    const wait = this.#backOff(subscription.tries++);
    const timer = setTimeout(() => {
      this.#later.delete(subscription);
      if (this.#usable) subscription.begin();
    }, wait);
    this.#later.set(subscription, timer);
  }

  #ended(subscription: Subscription<any>): void {
    this.#subscriptions.delete(subscription.id);
    this.#dirty.delete(subscription);
    clearTimeout(this.#later.get(subscription));
    this.#later.delete(subscription);
  }

  #makeDirty(subscription: Subscription<any>): void {
    this.#dirty.add(subscription);
    if (this.#flushing) return;
    this.#flushing = true;
    const wait = this.#flushAt - Date.now();
    // No timer where none is needed: those of a page in the background are late.
    if (wait > 0) setTimeout(() => this.#flush(), wait);
    else queueMicrotask(() => this.#flush());
  }

  /** Credit and acknowledgements take half of the frames a second at most: what gathers meanwhile goes together. */
  #flush(): void {
    this.#flushing = false;
    const subscriptions = [...this.#dirty];
    this.#dirty.clear();
    let frames = 0;
    for (const subscription of subscriptions) frames += subscription.flush();
    this.#flushAt = Date.now() + (frames * 2000) / this.#framesPerSecond;
  }

  /** Sends what waits, in order, as far as the proxy's limit allows. */
  #sendRequests(): void {
    if (!this.#usable || this.#sendTimer !== undefined) return;
    const now = Date.now();
    this.#frames = Math.min(this.#framesPerSecond, this.#frames + ((now - this.#framesAt) / 1000) * this.#framesPerSecond * 0.8);
    this.#framesAt = now;
    for (const request of this.#unsent) {
      if (request.bytes > this.#payload) {
        const why = `the messages are a frame of ${request.bytes} bytes, and the proxy takes ${this.#payload}.`;
        this.#answered(request.id)!.reject(new KafkaProxyError('TOO_LARGE', `produce: ${why} Give it fewer in a call.`));
        continue;
      }
      if (this.#frames < 1) {
        this.#sendTimer = setTimeout(() => {
          this.#sendTimer = undefined;
          this.#sendRequests();
        }, 20);
        return;
      }
      this.#frames--;
      request.sent = true;
      this.#unsent.delete(request);
      this.#link!.send(request.frame);
    }
  }

  /** The request's answer is here. */
  #answered(id: number): Deferred<ProduceResult[]> | undefined {
    const request = this.#requests.get(id);
    if (!request) return undefined;
    clearTimeout(request.timer);
    this.#requests.delete(id);
    this.#unsent.delete(request);
    this.#queued -= request.bytes;
    return request.answer;
  }

  #unanswered({ id, sent }: Request, code: string, why: string, retriable = true): void {
    const what = sent ? 'The messages may have been written.' : 'Nothing was written.';
    this.#answered(id)?.reject(new KafkaProxyError(code, `produce: ${why} ${what}`, retriable, sent));
  }
}

function told({ code, reason }: Closed): string {
  return reason ? `${code}: ${reason}` : `code ${code}`;
}

/** Without what may be a secret. */
function safe(url: string): string {
  return url.replace(/[?#].*$/s, '').replace(/\/\/[^/]*@/, '//');
}
