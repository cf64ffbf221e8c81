// Messages of any topic of Kafka go to the clients. Without connection state recovery every server reads the topic, and gives what it reads to its
// own sockets. With it what clients get must have a place in the log: the servers share the topic as a group, and write its events there.

import type { Logger } from 'kafka-native';
import type { KafkaConsumer, EachBatchPayload, Kafka, KafkaMessage } from 'kafka-native';
import type { Room } from 'socket.io-adapter';
import { readOptions, type ConnectionOptions } from './options';
import { Troubles } from './troubles';

/** An event for the clients in a room, or in one of several, or for all of the namespace. */
export type Delivery = { event: string; args?: unknown[] } & ({ room: Room | Room[]; everybody?: undefined } | { everybody: true; room?: undefined });

/** A function that makes nothing, an event, or several of a message. May be async: the next messages of the source wait. */
export type TopicMapper = (message: KafkaMessage, from: { topic: string; partition: number }) => Result | Promise<Result>;
type Result = Delivery | Delivery[] | null | undefined;

export interface FromTopicOptions {
  /** Whose clients get the events; default `'/'`. */
  namespace?: string;
  /** Default: the Kafka of the server's adapter. */
  kafka?: string | Kafka | ConnectionOptions;
  /** Gets what the adapter's `error` event has no listener for; default console. */
  logger?: Logger;
}

export interface TopicSource {
  /** Resolves when what is produced from now on is read; rejects when it is closed before. */
  readonly ready: Promise<void>;
  /** `read`: messages; `sent`: events; `failed`: messages whose mapper threw, or gave what is no event; `lag`: messages that are not read yet, as of the last batch. */
  stats(): { ready: boolean; read: number; sent: number; failed: number; lag: number };
  /** From now on nothing is sent. Resolves when the reader has ended, if no other source has it. */
  close(): Promise<void>;
}

const RETRY_MS = 1000;

/** The sources of a server, and by Kafka the readers that begin at the end of this turn. */
const servers = new WeakMap<object, { sources: Set<Source>; beginning: Map<Kafka, Reader> }>();

/**
 * Gives messages of a topic to the clients: each client gets a message once, whatever the number of servers; those of a partition in their order. It begins
 * at the topic's end.
 *
 * Without connection state recovery each server reads every partition, without a group, and sends to its own sockets only. With it the servers
 * share the partitions as the group `<key>-<topic><namespace>`: one of them makes the events of a message and writes them to the log, from which each server gives
 * them to its own sockets, and to clients that come back. They go on where the group was: nothing is left out while servers restart. Name a topic
 * once for a namespace then, on every server with the same mapper.
 *
 * ```js
 * fromTopic(io, 'prices', (message) => ({ room: message.key.toString(), event: 'price', args: [JSON.parse(message.value)] }));
 * ```
 *
 * Sources of a server that are named in the same turn have one reader. A message whose mapper throws, or gives what is no event, is told (the adapter's event
 * `error`, else the logger) and left out. A source ends with the HTTP server, or by `close`.
 *
 * @throws TypeError for a call that is not as above; Error where neither the adapter nor the options have a Kafka, and for a topic that a namespace with recovery
 *   has already
 */
export function fromTopic(io: any, topic: string, mapper: TopicMapper, options: FromTopicOptions = {}): TopicSource {
  if (typeof io?.of !== 'function') throw new TypeError('fromTopic(io, topic, mapper): give first the Server of socket.io');
  if (typeof topic !== 'string' || topic === '') throw new TypeError("fromTopic(io, topic, mapper): give second a topic's name");
  if (typeof mapper !== 'function') throw new TypeError('fromTopic(io, topic, mapper): give third a function that makes events of a message');
  const kafka: Kafka | undefined = options.kafka === undefined ? io.of('/').adapter.kafka : readOptions(options.kafka).kafka;
  if (!kafka) throw new Error('fromTopic: which Kafka? Its adapter does not say: give the option kafka, such as { brokers }');
  const namespace = io.of(options.namespace ?? '/');
  const { sources, beginning } = serverOf(io);
  const { adapter } = namespace;
  const group = adapter.relay ? `${adapter.topic}-${topic}${namespace.name}` : null;
  if (group !== null && [...sources].some((source) => source.group === group))
    throw new Error(`fromTopic: ${topic} goes to the clients of ${namespace.name} already: with recovery one mapper makes all events of a message`);
  // A group is for one topic.
  let reader = group === null ? beginning.get(kafka) : undefined;
  if (!reader) {
    reader = new Reader(kafka, sources, group);
    if (group === null) beginning.set(kafka, reader);
    const begun = reader;
    setImmediate(() => {
      if (group === null) beginning.delete(kafka);
      void begun.start();
    });
  }
  const source = new Source(reader, namespace, topic, mapper, options.logger ?? console);
  if (group !== null) adapter.writers.add(source);
  return source;
}

function serverOf(io: any): { sources: Set<Source>; beginning: Map<Kafka, Reader> } {
  let server = servers.get(io);
  if (!server) {
    const sources = new Set<Source>();
    servers.set(io, (server = { sources, beginning: new Map() }));
    io.httpServer?.on('close', () => {
      for (const source of sources) void source.close();
    });
  }
  return server;
}

class Source implements TopicSource {
  readonly topic: string;
  readonly ready: Promise<void>;
  isReady!: () => void;
  isLate!: (error: Error) => void;
  lag = 0;
  readonly group: string | null;
  readonly #reader: Reader;
  readonly #namespace: any;
  readonly #mapper: TopicMapper;
  readonly #troubles: Troubles;
  #closed = false;
  #closing: Promise<void> | undefined;
  #open = false;
  #read = 0;
  #sent = 0;
  #failed = 0;

  constructor(reader: Reader, namespace: any, topic: string, mapper: TopicMapper, logger: Logger) {
    this.topic = topic;
    this.group = reader.group;
    this.#reader = reader;
    this.#namespace = namespace;
    this.#mapper = mapper;
    this.#troubles = new Troubles((error) => {
      const { adapter } = namespace;
      if (adapter.listenerCount('error') > 0) adapter.emit('error', error);
      else logger.error?.(error.message);
    });
    this.ready = new Promise((resolve, reject) => {
      this.isReady = () => {
        this.#open = true;
        resolve();
      };
      this.isLate = reject;
    });
    // Not everybody waits for it.
    this.ready.catch(() => {});
    reader.add(this);
  }

  stats(): { ready: boolean; read: number; sent: number; failed: number; lag: number } {
    return { ready: this.#open && !this.#closed, read: this.#read, sent: this.#sent, failed: this.#failed, lag: this.lag };
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#namespace.adapter.writers?.delete(this);
    this.isLate(new Error(`socket.io-kafka: the source ${this.topic} was closed before it was ready`));
    return (this.#closing ??= this.#reader.left(this));
  }

  tell(what: string, cause?: unknown): void {
    this.#troubles.tell(new Error(`socket.io-kafka: ${what}`, { cause }));
  }

  /** Undefined where nothing has to be awaited before the next message. @param written gets what has to be before this one is done */
  take(message: KafkaMessage, partition: number, written: Promise<unknown>[]): Promise<void> | undefined {
    if (this.#closed) return undefined;
    this.#read++;
    const { offset, timestamp } = message;
    const failed = (error: unknown) => {
      this.#failed++;
      const where = `${this.topic}/${partition}, offset ${offset}`;
      this.tell(`a message (${where}) is left out: ${(error as Error | undefined)?.message ?? error}`, error);
    };
    const send = (result: Result): void => {
      const done = this.#send(result, `${this.group}/${partition}/${offset}/${timestamp}`);
      // A record that is too large once is too large again.
      const settled = done?.catch((error) => (error.type === 'MESSAGE_TOO_LARGE' ? failed(error) : Promise.reject(error)));
      // It is awaited behind the batch.
      settled?.catch(() => {});
      if (settled) written.push(settled);
    };
    try {
      const result = this.#mapper(message, { topic: this.topic, partition });
      if (typeof (result as Promise<Result> | undefined)?.then === 'function') return (result as Promise<Result>).then(send).catch(failed);
      send(result as Result);
    } catch (error) {
      failed(error);
    }
    return undefined;
  }

  #send(result: Result, source: string): Promise<unknown> | undefined {
    if (this.#closed || result === null || result === undefined) return undefined;
    const deliveries = [result].flat();
    // All of a message, or nothing.
    deliveries.forEach(checkDelivery);
    const { adapter, local } = this.#namespace;
    if (this.group !== null) {
      const events = deliveries.map(({ room = [], event, args = [] }) => ({ event, args, rooms: [room].flat() }));
      const written = adapter.relay(source, events);
      this.#sent += events.length;
      return written;
    }
    for (const { room, event, args = [] } of deliveries) {
      (room === undefined ? local : local.to(room)).emit(event, ...args);
      this.#sent++;
    }
    return undefined;
  }
}

function checkDelivery(delivery: Delivery): void {
  const { room, everybody, event, args = [] } = delivery ?? {};
  if (typeof event !== 'string') throw new TypeError('the mapper must give { room, event, args }, an array of such, or null');
  const rooms = [room].flat();
  // A key that is missing must not send to all what is for one.
  if (everybody === true ? room !== undefined : rooms.length === 0 || rooms.some((each) => typeof each !== 'string' && typeof each !== 'number'))
    throw new TypeError('the mapper must give a room, or several; or, for all clients, everybody: true');
  if (!Array.isArray(args)) throw new TypeError('args must be an array');
  if (typeof args.at(-1) === 'function') throw new TypeError('args must not end with a function: nobody could answer it');
}

/** One consumer for the sources that were named in one turn. */
class Reader {
  readonly sources = new Set<Source>();
  /** null: none. */
  readonly group: string | null;
  readonly #all: Set<Source>;
  readonly #kafka: Kafka;
  readonly #stop = new AbortController();
  #consumer: KafkaConsumer | undefined;
  #running = false;

  constructor(kafka: Kafka, all: Set<Source>, group: string | null) {
    this.group = group;
    this.#kafka = kafka;
    this.#all = all;
  }

  async start(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await this.#run();
        if (this.#running) return;
      } catch (error) {
        this.#tell(`topics cannot be read yet: ${(error as Error).message}`, error);
      }
      await this.#disconnect();
      if (!this.#stop.signal.aborted) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  async #disconnect(): Promise<void> {
    await this.#consumer?.disconnect({ timeout: 0 }).catch(() => {});
  }

  async #run(): Promise<void> {
    const consumer = this.#kafka.consumer({
      groupId: this.group,
      properties: { 'fetch.error.backoff.ms': '10', 'fetch.queue.backoff.ms': '10' },
    });
    this.#consumer = consumer;
    consumer.on(consumer.events.CRASH, ({ payload: { error, restart } }) => {
      if (restart || !this.#running || this.#consumer !== consumer) return;
      this.#running = false;
      this.#tell(`reading has ended, and begins anew at the topics' ends: ${error.message}`, error);
      void this.#disconnect().then(() => this.start());
    });
    await consumer.connect();
    if (this.#stop.signal.aborted) return;
    const topics = [...new Set([...this.sources].map(({ topic }) => topic))];
    if (this.group !== null) await this.#begin(this.group, topics);
    if (this.#stop.signal.aborted) return;
    await consumer.subscribe({ topics, ...(this.group === null && { from: 'end' }) });
    await consumer.run({ eachBatchAutoResolve: false, eachBatch: (payload) => this.#onBatch(payload) });
    if (this.#stop.signal.aborted) return;
    this.#running = true;
    for (const source of this.sources) source.isReady();
  }

  /** Where the group has not been yet it begins at the end: not where it is when a partition comes to the next server. */
  async #begin(groupId: string, topics: string[]): Promise<void> {
    const admin = this.#kafka.admin();
    try {
      await admin.connect();
      for (const { topic, partitions } of await admin.fetchOffsets({ groupId, topics })) {
        const unknown = new Set(partitions.filter(({ offset }) => Number(offset) < 0).map(({ partition }) => partition));
        if (unknown.size === 0) continue;
        const ends = (await admin.fetchTopicOffsets(topic)).filter(({ partition }) => unknown.has(partition));
        // Another server may have done it, and be in the group.
        await admin.setOffsets({ groupId, topic, partitions: ends.map(({ partition, high }) => ({ partition, offset: high })) }).catch(() => {});
      }
    } finally {
      await admin.disconnect();
    }
  }

  async #onBatch({ batch, isRunning, isStale, resolveOffset }: EachBatchPayload): Promise<void> {
    const { topic, partition, messages } = batch;
    const lag = Number(batch.offsetLag());
    for (const source of this.sources) if (source.topic === topic) source.lag = lag;
    const written: Promise<unknown>[] = [];
    let done: string | undefined;
    for (const message of messages) {
      if (!isRunning() || isStale() || this.#stop.signal.aborted) break;
      for (const source of this.sources) {
        if (source.topic !== topic) continue;
        const late = source.take(message, partition, written);
        if (late) await late;
      }
      // Events that an async mapper gave too late are not sent.
      if (this.#stop.signal.aborted) break;
      done = message.offset;
    }
    // A message whose events are not written is not done: it comes again.
    await Promise.all(written);
    if (done !== undefined) resolveOffset(done);
  }

  add(source: Source): void {
    this.sources.add(source);
    this.#all.add(source);
  }

  async left(source: Source): Promise<void> {
    this.sources.delete(source);
    this.#all.delete(source);
    if (this.sources.size === 0) {
      this.#stop.abort();
      const disconnected = this.#disconnect();
      // One that has not begun ends by itself, as soon as it can.
      if (this.#running) await disconnected;
    } else if (this.#running && ![...this.sources].some(({ topic }) => topic === source.topic)) {
      this.#consumer?.pause([{ topic: source.topic }]);
    }
  }

  #tell(what: string, error: unknown): void {
    for (const source of this.sources) return source.tell(what, error);
  }
}
