import type { Kafka, KafkaProducer } from 'kafka-native';
import { type BroadcastFlags, MessageType, type Room } from 'socket.io-adapter';
import { EVENT } from './messages';
import { isClient, readOptions, type AdapterOptions, type ConnectionOptions, type ReadOptions } from './options';
import { Outbox } from './outbox';
import { makeProducer } from './producer';
import { EMITTER, encodeRecord, Header } from './record';
import { Troubles } from './troubles';

/** Of an emitter; as an adapter has them, and the same `key` and `partition` as the servers' adapters. */
export type EmitterOptions = Pick<AdapterOptions, 'key' | 'partition' | 'producer' | 'acks' | 'compression' | 'maxQueuedBytes' | 'logger'>;

/** Events that a socket has for itself, and that a namespace has: these cannot be sent. */
const RESERVED = new Set(['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener']);
const RESERVED_OF_NAMESPACE = new Set(['connect', 'connection', 'new_namespace']);
const FLUSH_MS = 5000;
const RETRY_MS = 1000;

/** Whom and how: every method gives a new one, so that each may be kept and used again. */
export class EmitterTarget {
  readonly #send: Send;
  readonly #namespace: string;
  readonly #rooms: ReadonlySet<Room>;
  readonly #except: ReadonlySet<Room>;
  readonly #flags: BroadcastFlags;

  /** @internal */
  constructor(send: Send, namespace: string, rooms: ReadonlySet<Room> = new Set(), except: ReadonlySet<Room> = new Set(), flags: BroadcastFlags = {}) {
    this.#send = send;
    this.#namespace = namespace;
    this.#rooms = rooms;
    this.#except = except;
    this.#flags = flags;
  }

  /** Only clients in one of these rooms, and of those before; a client that is in several gets it once. */
  to(room: Room | Room[]): EmitterTarget {
    return new EmitterTarget(this.#send, this.#namespace, new Set([...this.#rooms].concat(room)), this.#except, this.#flags);
  }

  /** The same as `to`. */
  in(room: Room | Room[]): EmitterTarget {
    return this.to(room);
  }

  /** Not clients in one of these rooms. */
  except(room: Room | Room[]): EmitterTarget {
    return new EmitterTarget(this.#send, this.#namespace, this.#rooms, new Set([...this.#except].concat(room)), this.#flags);
  }

  /** Events may be lost for a client that is not ready to receive. */
  get volatile(): EmitterTarget {
    return new EmitterTarget(this.#send, this.#namespace, this.#rooms, this.#except, { ...this.#flags, volatile: true });
  }

  /** Whether it is compressed on its way to the clients. */
  compress(compress: boolean): EmitterTarget {
    return new EmitterTarget(this.#send, this.#namespace, this.#rooms, this.#except, { ...this.#flags, compress });
  }

  /**
   * Sends an event to the clients.
   * @returns true
   * @throws Error for a reserved name, for a function at the end (answers would need a server), and after `close`
   * @throws TypeError for arguments that have no form as JSON: a circle, a BigInt
   */
  emit(event: string, ...args: any[]): true {
    if (RESERVED.has(event)) throw new Error(`"${event}" is a reserved event name`);
    refuseAcknowledgement('emit', args);
    this.#write(MessageType.BROADCAST, { packet: { type: EVENT, data: [event, ...args] }, opts: this.#opts() });
    return true;
  }

  /** The clients' sockets join these rooms. */
  socketsJoin(room: Room | Room[]): void {
    this.#write(MessageType.SOCKETS_JOIN, { opts: this.#opts(), rooms: [room].flat() });
  }

  /** The clients' sockets leave these rooms. */
  socketsLeave(room: Room | Room[]): void {
    this.#write(MessageType.SOCKETS_LEAVE, { opts: this.#opts(), rooms: [room].flat() });
  }

  /** The clients' sockets are disconnected; with `close` their connections are closed, too, which other namespaces may use. */
  disconnectSockets(close = false): void {
    this.#write(MessageType.DISCONNECT_SOCKETS, { opts: this.#opts(), close });
  }

  /**
   * Sends an event to every server's namespace, whatever the rooms are.
   * @throws as `emit`
   */
  serverSideEmit(event: string, ...args: any[]): void {
    if (RESERVED_OF_NAMESPACE.has(event)) throw new Error(`"${event}" is a reserved event name`);
    refuseAcknowledgement('serverSideEmit', args);
    this.#write(MessageType.SERVER_SIDE_EMIT, { packet: [event, ...args] });
  }

  #opts() {
    return { rooms: [...this.#rooms], except: [...this.#except], flags: this.#flags };
  }

  #write(type: MessageType, data: object): void {
    this.#send(this.#namespace, type, data);
  }
}

type Send = (namespace: string, type: MessageType, data: object) => void;

function refuseAcknowledgement(call: string, args: unknown[]): void {
  if (typeof args.at(-1) === 'function') throw new Error(`Emitter.${call}: an emitter hears no answers; send without a function, or from a server`);
}

/**
 * Sends to the clients of all servers from a process without socket.io. It is a producer and nothing else: it reads nothing, makes no topics, and counts as no
 * server. Where it is used as a target it means everybody in the namespace `/`.
 *
 * ```js
 * const emitter = new Emitter('localhost:9092');
 * emitter.of('/orders').to('room').emit('changed', { id: 1 });
 * await emitter.close();
 * ```
 *
 * Calls keep their order within a namespace. While Kafka is away what is sent waits, within `maxQueuedBytes`; beyond that the oldest is dropped. The logger
 * hears of records that could not be written.
 */
export class Emitter extends EmitterTarget {
  readonly #options: ReadOptions;
  readonly #outbox: Outbox;
  readonly #stop = new AbortController();
  #producer: KafkaProducer | undefined;
  readonly #connected: Promise<void>;
  #open = false;
  #ended = false;
  #closing: Promise<void> | undefined;
  /** A record's number is its sender's own, and all emitters have one name. */
  #number = Math.floor(Math.random() * 2 ** 48);
  #lost = 0;
  readonly #troubles = new Troubles(({ message }) => this.#options.logger.error?.(message));

  /**
   * @param target a `Kafka` of kafka-native, `'host:port'`, or options such as `{ brokers }`
   * @throws URIError, TypeError, RangeError as `createAdapter`
   */
  constructor(target: string | Kafka | (ConnectionOptions & EmitterOptions), options: ConnectionOptions & EmitterOptions = {}) {
    super((...args) => this.#send(...args), '/');
    this.#options = readOptions(target, options);
    const { acks, compression, maxQueuedBytes: maxBytes } = this.#options;
    const onLost = (count: number, reason: Error) => this.#ended || this.#onLost(count, reason);
    this.#outbox = new Outbox({ acks, compression, maxBytes, onLost, onAcknowledged: () => {} });
    this.#connected = this.#connect();
  }

  /** Everybody in a namespace. */
  of(namespace: string): EmitterTarget {
    return new EmitterTarget((...args) => this.#send(...args), namespace.startsWith('/') ? namespace : `/${namespace}`);
  }

  /** Records that wait for Kafka or are under way, and how many were dropped or refused. */
  stats(): { queued: number; queuedBytes: number; lost: number } {
    return { queued: this.#outbox.length, queuedBytes: this.#outbox.bytes, lost: this.#lost };
  }

  /** Resolves when everything is written, or after 5 s; the logger hears what is not. A producer of the caller's stays connected. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    const end = performance.now() + FLUSH_MS;
    // Records sent before there was a connection wait for one.
    if (this.#outbox.length > 0) await Promise.race([this.#connected, new Promise((resolve) => setTimeout(resolve, FLUSH_MS).unref())]);
    await this.#outbox.flushed(Math.max(end - performance.now(), 1));
    this.#stop.abort();
    const { length } = this.#outbox;
    if (length > 0) this.#onLost(length, new Error('Kafka has not acknowledged them'));
    // The producer's end says the same of them once more.
    this.#ended = true;
    if (isClient(this.#options.producer)) return;
    const disconnected = this.#producer?.disconnect({ timeout: 0 }).catch(() => {});
    // One that has not connected yet first gives up: nobody needs to wait for that.
    if (this.#open) await disconnected;
  }

  #send(namespace: string, type: MessageType, data: object): void {
    if (this.#closing) throw new Error('socket.io-kafka: the emitter is closed');
    const { key: topic, partition } = this.#options;
    const value = encodeRecord({ type, uid: EMITTER, number: this.#number++, created: Date.now(), data, replies: 0 });
    this.#outbox.add({ topic, key: namespace, value, headers: { [Header.From]: EMITTER }, partition });
  }

  async #connect(): Promise<void> {
    const { signal } = this.#stop;
    const producer = makeProducer(this.#options);
    this.#producer = producer;
    while (!isClient(this.#options.producer)) {
      try {
        await producer.connect();
        break;
      } catch (error) {
        if (signal.aborted) return;
        this.#tell(`Kafka does not answer yet: ${(error as Error).message}`);
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      if (signal.aborted) return;
    }
    this.#open = true;
    this.#outbox.open(producer);
  }

  #onLost(count: number, reason: Error): void {
    this.#lost += count;
    this.#tell(`${this.#lost} records of this emitter were not written, the last because: ${reason.message}`);
  }

  #tell(what: string): void {
    this.#troubles.tell(new Error(`socket.io-kafka: ${what}`));
  }
}
