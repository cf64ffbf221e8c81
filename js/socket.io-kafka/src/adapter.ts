import { randomBytes } from 'node:crypto';
import {
  Adapter,
  ClusterAdapterWithHeartbeat,
  MessageType,
  type BroadcastOptions,
  type ClusterMessage,
  type ClusterResponse,
  type Room,
  type Session,
} from 'socket.io-adapter';
import type { Kafka } from 'kafka-native';
import type { Bus, Member, Place } from './bus';
import { EVENT, written, type BroadcastData } from './messages';
import { sendable, type LogRecord } from './record';
import { NamespaceRecovery } from './recovery/namespace';
import { prometheusOf, statsOf, type AdapterStats } from './stats';

type Moved = 'broadcast' | 'addSockets' | 'delSockets' | 'disconnectSockets';
const DONE = Promise.resolve();

/** Questions to other servers, as the base class keeps them. */
interface Questions {
  ackRequests: Map<string, { clientCountCallback: (clients: number) => void; ack: (...args: any[]) => void }>;
  customRequests: Map<string, { timeout: NodeJS.Timeout }>;
}
type Encode = (packet: unknown, options: { wsPreEncodedFrame?: Buffer[] }) => unknown[];

/** As the base class waits for answers. */
const ANSWER_MS = 5000;

/** Bytes of a packet from which on it is not copied to save a write. */
const LARGE = 16_384;

/**
 * A namespace of one server, which behaves as one with those of the same name on other servers. The function that `createAdapter` returns makes it.
 *
 * Event `error`: what went wrong where no call could tell; without a listener the logger gets it.
 */
export class KafkaAdapter extends ClusterAdapterWithHeartbeat implements Member {
  readonly #bus: Bus;
  readonly #recovery: NamespaceRecovery | undefined;
  /** The others' word that they have the namespace was read, as far as it was written before. */
  readonly #made: Promise<void>;
  #init: Promise<void> | undefined;
  /** `init` has resolved, or will never. */
  #begun = false;
  #closing: Promise<void> | undefined;
  /** Writers that use this adapter, and end before it. @internal */
  readonly writers = new Set<{ close(): Promise<void> }>();

  /** @internal */
  constructor(nsp: any, bus: Bus) {
    const { heartbeatInterval, heartbeatTimeout } = bus.options;
    super(nsp, { heartbeatInterval, heartbeatTimeout });
    // One server has one name in all its namespaces.
    (this as unknown as { uid: string }).uid = bus.uid;
    this.#bus = bus;
    bus.members.set(nsp.name, this);
    // Of the base class, where it is private: it makes the frame of a packet for all WebSockets, its head and its body. In one piece each of them writes once, for a tenth
    // less of the processor.
    const base = this as unknown as { _encode: Encode };
    const encode = base._encode.bind(this);
    base._encode = (packet, options) => {
      const encoded = encode(packet, options);
      const frame = options.wsPreEncodedFrame;
      if (frame?.length === 2 && frame[1]!.length < LARGE) options.wsPreEncodedFrame = [Buffer.concat(frame)];
      return encoded;
    };
    if (bus.recovery) this.#recovery = new NamespaceRecovery(this, bus, bus.recovery);
    this.#made = bus.peers.made(nsp.name);
  }

  get name(): string {
    return this.nsp.name;
  }

  /**
   * With recovery: writes the events that are made of a message of another topic, where each has a place. They count once, though several servers write
   * them; resolves when they are written. undefined: without recovery. @internal
   */
  get relay(): ((source: string, events: { event: string; args: unknown[]; rooms: Room[] }[]) => Promise<unknown>) | undefined {
    if (!this.#recovery) return undefined;
    return (source, events) => {
      const broadcasts = events.map(({ event, args, rooms }, i) => ({
        packet: { type: EVENT, data: [event, ...args] },
        opts: { rooms, except: [] },
        source: `${source}/${i}`,
      }));
      return this.#bus.relay(this.name, broadcasts);
    };
  }

  /** Of the log. @internal */
  get topic(): string {
    return this.#bus.topic;
  }

  /** Undefined where all clients are the caller's. @internal */
  get kafka(): Kafka | undefined {
    return this.#bus.options.kafka;
  }

  /** Resolves when what other servers send from now on is heard, and those that are there are known. socket.io calls it, and does not wait. */
  override init(): Promise<void> {
    return (this.#init ??= this.#begin());
  }

  async #begin(): Promise<void> {
    try {
      await Promise.all([this.#bus.start(), this.#made]);
    } finally {
      this.#begun = true;
    }
  }

  /** Until then nobody knows which servers have to answer: what asks all of them waits for that, as long as for answers at most. */
  async #others(): Promise<void> {
    // Over a bridge most servers answer without Kafka.
    if (this.#begun || this.#bus.options.bridged) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ANSWER_MS);
      timer.unref();
    });
    await Promise.race([this.init(), late]).catch(() => {});
    clearTimeout(timer);
  }

  override async serverCount(): Promise<number> {
    await this.#others();
    return super.serverCount();
  }

  override async fetchSockets(opts: BroadcastOptions): Promise<any[]> {
    // The base class counts the servers for those of its own, too.
    return opts.flags?.local ? Adapter.prototype.fetchSockets.call(this, opts) : super.fetchSockets(opts);
  }

  override async serverSideEmit(packet: any[]): Promise<any> {
    if (typeof packet.at(-1) === 'function') await this.#others();
    return super.serverSideEmit(packet);
  }

  /** Resolves when what was sent is written, or after 5 s; with the last namespace of a server its clients end. */
  override close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    await Promise.all([...this.writers].map((writer) => writer.close()));
    this.#recovery?.close();
    super.close();
    // Questions still get an answer or an error, but the process is not kept for that.
    for (const { timeout } of (this as unknown as Questions).customRequests.values()) timeout.unref();
    if (this.#bus.members.get(this.name) === this) this.#bus.members.delete(this.name);
    await (this.#bus.members.size === 0 ? this.#bus.stop() : this.#bus.flushed());
  }

  /** Figures of this server's connection to Kafka: the same in all its namespaces. */
  stats(): AdapterStats {
    return statsOf(this.#bus);
  }

  /** The same as Prometheus's text. */
  prometheus(): string {
    return prometheusOf(this.#bus);
  }

  // Messages that are sent.

  protected override async doPublish(message: ClusterMessage): Promise<string> {
    // The bus sends one sign of life for all namespaces.
    if (message.type === MessageType.HEARTBEAT || message.type === MessageType.INITIAL_HEARTBEAT) return '';
    // Nobody knows this server yet.
    if (message.type === MessageType.ADAPTER_CLOSE && !this.#bus.isOpen) return '';
    this.#send(message.type, 'data' in message ? message.data : null);
    return '';
  }

  protected override async doPublishResponse(requester: string, response: ClusterResponse): Promise<void> {
    const { type, data } = response;
    try {
      this.#bus.reply(this.name, type, data, requester);
    } catch (error) {
      this.#bus.tell('encoding', error as Error);
      // Without an answer the other server would wait in vain for all of its sockets, also those of other servers.
      if (type === MessageType.FETCH_SOCKETS_RESPONSE)
        this.#bus.reply(this.name, type, { ...data, sockets: (data.sockets as object[]).map(sendable) }, requester);
    }
  }

  // With connection state recovery everything that changes what clients see is applied in the log's order, here as everywhere. Without it, here
  // in the call itself: behind what was called before and before what is called next, with arguments as they are now. A call that cannot be sent
  // throws then, as without other servers; so these methods return promises, but are not async.

  override broadcast(packet: any, opts: BroadcastOptions): Promise<void> {
    const recovery = this.#recovery;
    if (!recovery) return this.#now('broadcast', opts, () => ({ type: MessageType.BROADCAST, data: { packet, opts: written(opts) } }), packet, opts);
    // A socket's own emit with an acknowledgement is for this server alone, and never recovered.
    if (opts.flags?.local || packet.id !== undefined) recovery.behind(() => this.here('broadcast', recovery.placed(packet, opts), opts));
    else recovery.publish(MessageType.BROADCAST, { packet, opts: written(opts) });
    return DONE;
  }

  override broadcastWithAck(packet: any, opts: BroadcastOptions, clientCountCallback: (clientCount: number) => void, ack: (...args: any[]) => void): void {
    if (!opts.flags?.local) {
      const requestId = randomBytes(8).toString('hex');
      const { ackRequests } = this as unknown as Questions;
      ackRequests.set(requestId, { clientCountCallback, ack });
      // The base class's would keep the process for that long, answered or not.
      setTimeout(() => ackRequests.delete(requestId), opts.flags?.timeout).unref();
      this.#ask({ packet, requestId, opts: written(opts) });
    }
    const ask = (): void => this.here('broadcastWithAck', packet, opts, clientCountCallback, ack);
    if (this.#recovery) this.#recovery.behind(ask);
    else ask();
  }

  /** Of all servers, and of those alone, that `serverCount` counts. */
  #ask(data: object): void {
    try {
      const { body } = this.#bus.encode(MessageType.BROADCAST, data);
      const write = (): void => this.#bus.write(this.name, body);
      if (this.#begun) write();
      else void this.#others().then(write);
    } catch (error) {
      this.#bus.tell('encoding', error as Error);
    }
  }

  override addSockets(opts: BroadcastOptions, rooms: Room[]): Promise<void> {
    if (!this.#recovery) return this.#now('addSockets', opts, () => ({ type: MessageType.SOCKETS_JOIN, data: { opts: written(opts), rooms } }), opts, rooms);
    if (opts.flags?.local) this.#recovery.behind(() => this.here('addSockets', opts, rooms));
    else this.#recovery.publish(MessageType.SOCKETS_JOIN, { opts: written(opts), rooms });
    return DONE;
  }

  override delSockets(opts: BroadcastOptions, rooms: Room[]): Promise<void> {
    if (!this.#recovery) return this.#now('delSockets', opts, () => ({ type: MessageType.SOCKETS_LEAVE, data: { opts: written(opts), rooms } }), opts, rooms);
    if (opts.flags?.local) this.#recovery.behind(() => this.here('delSockets', opts, rooms));
    else this.#recovery.publish(MessageType.SOCKETS_LEAVE, { opts: written(opts), rooms });
    return DONE;
  }

  override disconnectSockets(opts: BroadcastOptions, close: boolean): Promise<void> {
    if (!this.#recovery)
      return this.#now('disconnectSockets', opts, () => ({ type: MessageType.DISCONNECT_SOCKETS, data: { opts: written(opts), close } }), opts, close);
    if (opts.flags?.local) this.#recovery.behind(() => this.here('disconnectSockets', opts, close));
    else this.#recovery.publish(MessageType.DISCONNECT_SOCKETS, { opts: written(opts), close });
    return DONE;
  }

  /** Without recovery: tells the others, unless it is for this server alone, and does its own part. */
  #now(method: Moved, { flags }: BroadcastOptions, message: () => { type: MessageType; data: object }, ...args: unknown[]): Promise<void> {
    if (!flags?.local) {
      const { type, data } = message();
      this.#send(type, data);
    }
    this.here(method, ...args);
    return DONE;
  }

  #send(type: number, data: unknown): void {
    try {
      this.#bus.send(this.name, type, data);
    } catch (error) {
      this.#bus.tell('encoding', error as Error);
    }
  }

  /** Calls the method of the adapter in memory, without other servers. */
  here(method: Moved | 'broadcastWithAck', ...args: unknown[]): void {
    (Adapter.prototype[method] as (...args: unknown[]) => void).apply(this, args);
  }

  // Records that are read.

  onRecord(record: LogRecord, place: Place): void {
    const { type } = record;
    if (this.#recovery && type >= MessageType.BROADCAST && type <= MessageType.DISCONNECT_SOCKETS) this.#recovery.onRecord(record, place);
    else if (record.uid !== this.#bus.uid) this.take(record, place.id);
  }

  /** @internal */
  take({ type, uid, data }: LogRecord, id: string | undefined): void {
    // The base class leaves out what comes from itself.
    const message = { uid: uid === this.#bus.uid ? '' : uid, nsp: this.name, type, data } as ClusterMessage;
    try {
      if (isAnswer(type)) this.onResponse(message as unknown as ClusterResponse);
      else if (this.#recovery && id === undefined && type === MessageType.BROADCAST) this.#unplaced(data as BroadcastData);
      else this.onMessage(message, id);
    } catch (error) {
      this.#bus.tell(
        'listener',
        new Error(`socket.io-kafka: a listener failed on a message of type ${type}: ${(error as Error)?.message ?? error}`, { cause: error }),
      );
    }
  }

  /** The base class would put a place behind the arguments, though there is none. */
  #unplaced({ packet, opts: { rooms, except, flags } }: BroadcastData): void {
    this.here('broadcast', packet, { rooms: new Set(rooms), except: new Set(except), flags });
  }

  onPeer(uid: string): void {
    this.onMessage({ type: MessageType.HEARTBEAT, uid, nsp: this.name });
  }

  onPeerGone(uid: string): void {
    this.onMessage({ type: MessageType.ADAPTER_CLOSE, uid, nsp: this.name });
  }

  onTrouble(error: Error): boolean {
    return this.listenerCount('error') > 0 && this.emit('error', error);
  }

  // Connection state recovery.

  override addAll(id: string, rooms: Set<Room>): void {
    super.addAll(id, rooms);
    this.#recovery?.joined(id);
  }

  override del(id: string, room: Room): void {
    super.del(id, room);
    this.#recovery?.left(id);
  }

  override delAll(id: string): void {
    this.#recovery?.gone(id);
    super.delAll(id);
  }

  override persistSession(session: Omit<Session, 'missedPackets'>): void {
    this.#recovery?.persist(session);
  }

  override async restoreSession(pid: string, offset: string): Promise<Session> {
    if (!this.#recovery) throw new Error('connectionStateRecovery is off');
    return this.#recovery.restore(pid, offset);
  }
}

function isAnswer(type: number): boolean {
  return (
    type === MessageType.FETCH_SOCKETS_RESPONSE ||
    type === MessageType.SERVER_SIDE_EMIT_RESPONSE ||
    type === MessageType.BROADCAST_CLIENT_COUNT ||
    type === MessageType.BROADCAST_ACK
  );
}
