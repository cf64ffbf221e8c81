import { randomBytes } from 'node:crypto';
import { MessageType } from 'socket.io-adapter';
import type { Batch, KafkaMessage, MessageRule, KafkaProducer } from 'kafka-native';
import { Echoes } from './echoes';
import { Figures } from './figures';
import { checkMessage, type BroadcastData } from './messages';
import { isClient, type ReadOptions } from './options';
import { Outbox } from './outbox';
import { Peers } from './peers';
import { makeProducer } from './producer';
import { LogReader } from './reader';
import { decodeRecord, EMITTER, encodeRecord, Header, RecordType, typeOf, type Body, type LogRecord } from './record';
import { Past } from './recovery/past';
import { Recovery } from './recovery/recovery';
import { entryOf, type Entry } from './recovery/ring';
import { prepareTopics, type Topics } from './topics';
import { Troubles } from './troubles';

/** An adapter as a bus knows it: one namespace of its server. */
export interface Member {
  readonly name: string;
  /** A record of this namespace, live: from another server, or, with recovery, from this one. */
  onRecord(record: LogRecord, at: Place): void;
  /** This server has the namespace, too. */
  onPeer(uid: string): void;
  /** This one has it no more. */
  onPeerGone(uid: string): void;
  /** Errors that nobody else hears. */
  onTrouble(error: Error): boolean;
}

/** Where a record is. */
export interface Place {
  partition: number;
  offset: number;
  /** As the clients have it. */
  id: string;
  /** The bytes of the record. */
  body: Body;
}

export interface BusOptions extends ReadOptions {
  /** Connection state recovery, of this server. */
  recovery: { maxDisconnectionDuration: number; pingTimeout: number } | undefined;
  /** Another adapter carries what servers that are bridged say to one another. */
  bridged: boolean;
}

const FLUSH_MS = 5000;
const RETRY_MS = 1000;
/** Messages of other topics that are known again. */
const MAX_RELAYED = 50_000;

/**
 * One server's connection to the log, for all its namespaces: one producer, one consumer without a group. Everything is on the event
 * loop's thread.
 */
export class Bus {
  readonly uid = randomBytes(8).toString('hex');
  readonly options: BusOptions;
  readonly members = new Map<string, Member>();
  readonly peers: Peers;
  readonly recovery: Recovery | undefined;
  readonly figures = new Figures();
  readonly topic: string;
  readonly repliesTopic: string;

  readonly #outbox: Outbox;
  #number = 0;
  #started: Promise<void> | undefined;
  #stopped = false;
  #stopping: Promise<void> | undefined;
  readonly #abort = new AbortController();
  #producer: KafkaProducer | undefined;
  #reader: LogReader | undefined;
  /** How many partitions the replies have; unknown before the topics were looked at, and where all clients are the caller's: then all are read. */
  #repliesPartitions: number | undefined;
  #heartbeats: NodeJS.Timeout | undefined;
  readonly #echoes: Echoes;
  /** By partition of the log, where it ended when this server came: what is before is the past. */
  #ends: Map<number, number> | undefined;
  /** Partitions in which a record of one's own was read: what follows is no past either. */
  readonly #live = new Set<number>();
  #allLive = false;
  /** A text that distinguishes the log from one of the same name before it. */
  #tag = '0';
  /** Of other topics, the messages that were read last, and where each was first. */
  readonly #relayed = new Map<string, string>();
  readonly #troubles = new Troubles((error) => this.#say(error));

  constructor(options: BusOptions) {
    this.options = options;
    this.topic = options.key;
    this.repliesTopic = `${options.key}-replies`;
    this.#outbox = new Outbox({
      acks: options.acks,
      compression: options.compression,
      maxBytes: options.maxQueuedBytes,
      onAcknowledged: (ms) => this.figures.acknowledged(ms),
      onLost: (count, reason) => {
        this.figures.dropped += count;
        this.tell('lost', new Error(`socket.io-kafka: ${count} records were not written: ${reason.message}`, { cause: reason }));
      },
    });
    this.#echoes = new Echoes({
      topic: this.topic,
      headers: this.#headers(undefined),
      encode: (type, data) => this.encode(type, data),
      write: (record) => this.#outbox.add(record),
    });
    this.peers = new Peers(this);
    if (options.recovery) this.recovery = new Recovery(options.recovery, options.maxRecoveryBytes);
    const { kafka, consumer } = options;
    if (this.recovery && kafka && !isClient(consumer)) {
      const { maxBytes, window } = this.recovery;
      this.recovery.past = new Past({ kafka, consumer, topic: this.topic, maxBytes, window, reading: () => this.#again() });
    }
  }

  /** Resolves when what is sent from now on is heard, and the servers that are there are known. */
  start(): Promise<void> {
    return (this.#started ??= this.#start());
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Whether everything that is read was written since this server came. */
  get begun(): boolean {
    return this.#allLive;
  }

  /** Whether what others send is heard: of a log that is read this server's own sign of life comes in each `heartbeatInterval`. */
  get ready(): boolean {
    return this.#allLive && !this.#stopped && performance.now() - (this.#reader?.heard ?? -Infinity) < this.options.heartbeatTimeout;
  }

  /** Offsets begin with it. */
  get tag(): string {
    return this.#tag;
  }

  async #start(): Promise<void> {
    for (;;) {
      try {
        await this.#connect();
        break;
      } catch (error) {
        await this.#disconnect();
        if (this.#abort.signal.aborted) return;
        this.tell('start', new Error(`socket.io-kafka: the topic ${this.topic} cannot be used yet: ${(error as Error).message}`, { cause: error }));
        if ((error as { final?: boolean }).final) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
        if (this.#abort.signal.aborted) return;
      }
    }
    if (!this.#stopped) this.#heartbeats = setInterval(() => this.peers.alive(), this.options.heartbeatInterval);
  }

  /** @throws when Kafka cannot be used yet, and when this has ended meanwhile: what comes after each wait would outlive `stop` */
  async #connect(): Promise<void> {
    const go = async <T>(step: Promise<T> | undefined): Promise<T | undefined> => {
      const done = await step;
      if (this.#abort.signal.aborted) throw new Error('stopped');
      return done;
    };
    const { options } = this;
    const { kafka } = options;
    const topics = await go(kafka && prepareTopics(kafka, options, 2 * (options.recovery?.maxDisconnectionDuration ?? 0), this.#abort.signal));
    this.#ends = topics?.ends;
    this.#repliesPartitions = topics?.replies;
    const [producer, reader] = this.#makeClients(topics);
    this.#producer = producer;
    this.#reader = reader;
    if (!isClient(options.producer)) await go(producer.connect());
    await go(reader.start(new Date(Date.now() - Math.max(this.peers.history, this.recovery?.history ?? 0))));
    this.#outbox.open(producer);
    // When one's own record of now is read, everything before it was.
    if (topics) await Promise.all(Array.from({ length: topics.partitions }, (_, partition) => this.#echoes.write(partition)));
    else await Promise.all([reader.caughtUp(), this.#echoes.write(undefined)]);
    if (this.#stopped) return;
    this.#allLive = true;
    await this.peers.meet();
  }

  /** @throws for options that no time makes right */
  #makeClients(topics: Topics | undefined): [KafkaProducer, LogReader] {
    const own = this.repliesOf(this.uid);
    const { topic, repliesTopic, options } = this;
    try {
      const producer = makeProducer(options);
      const reader = new LogReader({
        options,
        topic,
        repliesTopic,
        only: this.#rule(),
        // An answer is read by the server that asked.
        others: Array.from({ length: topics?.replies ?? 0 }, (_, partition) => partition).filter((partition) => partition !== own),
        onBatch: (batch, next, begin) => this.#onBatch(batch, next, begin),
        onLost: (partition, from, to) => {
          // With recovery everything in the log is read, and it is seen as a hole, behind all that was before it.
          if (!this.recovery) this.#lose(partition, from, to - 1);
        },
        onAnew: () => this.#forget(),
        onRefused: (error) => {
          const text = `socket.io-kafka: ${topic} and ${repliesTopic} cannot be read, and it is tried again: ${error.message}`;
          this.tell('reading', new Error(text, { cause: error }));
        },
      });
      return [producer, reader];
    } catch (error) {
      throw Object.assign(error as Error, { final: true });
    }
  }

  /** The partition of the replies that a server reads, as far as it has not said another one. */
  repliesOf(uid: string): number {
    return parseInt(uid.slice(0, 8), 16) % (this.#repliesPartitions ?? 1) || 0;
  }

  #rule(): MessageRule {
    const forMe: MessageRule = { header: Header.To, is: this.uid };
    const own: MessageRule = { header: Header.From, is: this.uid };
    const ownEcho: MessageRule = { all: [own, { header: Header.Echo, is: '' }] };
    const wanted: MessageRule[] = [{ header: Header.To, absent: true }];
    // With recovery one's own records are delivered, and kept, in the log's order.
    if (!this.recovery) wanted.push({ not: own });
    if (this.options.bridged) wanted.push({ not: { header: Header.Bridged, is: '' } });
    return { any: [forMe, ownEcho, { all: wanted }] };
  }

  /** Writes a record of which nothing but its type is to be said. Resolves when it was read, or when this server has stopped. */
  readBack(namespace: string, type: RecordType): Promise<void> {
    return this.#echoes.say(type, namespace, this.options.partition);
  }

  /** A sign of life, for the others and, as it comes back, for this server. */
  alive(data: unknown): void {
    this.write('', this.encode(RecordType.Alive, data).body, { [Header.Echo]: '' });
  }

  /** @throws TypeError for data that has no form as JSON */
  send(namespace: string, type: number, data: unknown): void {
    this.write(namespace, this.encode(type, data).body);
  }

  encode(type: number, data: unknown): { body: Body; number: number } {
    const number = ++this.#number;
    // Unknown as long as nothing was sent: then the others know it by the server's name.
    const replies = this.#repliesPartitions !== undefined ? this.repliesOf(this.uid) : this.options.kafka ? -1 : 0;
    return { body: encodeRecord({ type, uid: this.uid, number, created: Date.now(), data, replies }), number };
  }

  write(namespace: string, body: Body, headers: Record<string, string> = {}): void {
    const { topic, options } = this;
    this.#outbox.add({ topic, key: namespace, value: body, headers: { ...this.#headers(undefined), ...headers }, partition: options.partition });
  }

  /**
   * Events that are made of a message of another topic. Resolves when they are written; several servers may write them, and they count once.
   * @throws TypeError for what has no form as JSON; then none is written
   */
  relay(namespace: string, events: BroadcastData[]): Promise<unknown> {
    const bodies = events.map((data) => encodeRecord({ type: MessageType.BROADCAST, uid: EMITTER, number: 0, created: Date.now(), data, replies: 0 }));
    const write = (value: Body): Promise<void> =>
      new Promise((resolve, reject) => {
        const onSettled = (error?: Error): void => (error ? reject(error) : resolve());
        const { partition } = this.options;
        this.#outbox.add({ topic: this.topic, key: namespace, value, headers: { [Header.From]: EMITTER }, partition, onSettled });
      });
    return Promise.all(bodies.map(write));
  }

  /** Whether it was read before, in another place. */
  #isRepeated(record: LogRecord, id: string): boolean {
    const source = sourceOf(record);
    if (source === undefined) return false;
    const first = this.#relayed.get(source);
    if (first !== undefined) return first !== id;
    this.#relayed.set(source, id);
    if (this.#relayed.size > MAX_RELAYED) this.#relayed.delete(this.#relayed.keys().next().value!);
    return false;
  }

  /** An answer to one server. */
  reply(namespace: string, type: number, data: unknown, to: string): void {
    const { body } = this.encode(type, data);
    this.#outbox.add({ topic: this.repliesTopic, key: namespace, value: body, headers: this.#headers(to), partition: this.peers.repliesOf(to) });
  }

  #headers(to: string | undefined): Record<string, string> {
    const headers: Record<string, string> = { [Header.From]: this.uid };
    if (to !== undefined) headers[Header.To] = to;
    if (this.options.bridged) headers[Header.Bridged] = '';
    return headers;
  }

  #onBatch(batch: Batch, next: number | undefined, begin: number): void {
    const { partition, messages } = batch;
    const log = batch.topic === this.topic;
    if (log) {
      // The id is known when something was read, and not before.
      if (next === undefined) this.#tag = this.#reader?.id?.slice(0, 8) ?? this.#tag;
      else this.figures.leftOut += Math.max(0, Number(batch.lastOffset()) + 1 - next - messages.length);
      this.figures.lags.set(partition, Number(batch.offsetLag()));
    }
    let expected = next;
    for (const message of messages) {
      const offset = Number(message.offset);
      if (offset < begin) continue;
      if (log && this.recovery && expected !== undefined && offset !== expected) {
        if (offset < expected) this.#loseEnd(partition, expected);
        else this.#lose(partition, expected, offset - 1);
      }
      expected = offset + 1;
      this.#onMessage(message, partition, offset, log);
    }
    this.recovery?.expire();
  }

  #onMessage(message: KafkaMessage, partition: number, offset: number, log: boolean): void {
    const { value } = message;
    let record: LogRecord;
    try {
      if (value === null) throw new Error('it has no value');
      const type = typeOf(value);
      const timestamp = Number(message.timestamp);
      if (log && !this.#isLive(partition, offset) && !Peers.tells(type) && !this.recovery?.wants(type, timestamp)) return;
      const place = this.#place(value, partition, offset);
      record = decodeRecord(place.body as string | Buffer);
      this.figures.read++;
      const namespace = message.key?.toString() ?? '';
      if (this.#isRepeated(record, place.id)) return;
      if (log && record.uid === this.uid) this.#live.add(partition);
      const live = !log || this.#isLive(partition, offset);
      if (log) this.recovery?.keep(namespace, record, place, timestamp, live);
      if (live) this.#onRecord(namespace, record, place);
      else this.peers.onPast(record, timestamp);
    } catch (error) {
      this.figures.unreadable++;
      const where = `${log ? this.topic : this.repliesTopic}/${partition}: the record at offset ${offset}`;
      this.tell('unreadable', new Error(`socket.io-kafka: ${where} cannot be read, and is left out: ${(error as Error).message}`, { cause: error }));
    }
  }

  #place(value: Buffer, partition: number, offset: number): Place {
    return { partition, offset, id: `${this.#tag}-${partition}-${offset}`, body: value[0] === 0x5b ? value.toString() : Buffer.from(value) };
  }

  /** For packets that clients can have missed, as they are read from the log again. An unreadable one was reported when it was read first. */
  #again(): (message: KafkaMessage, partition: number) => Entry | undefined {
    // The memory of other topics is for records that are read now.
    const relayed = new Map<string, string>();
    return ({ key, value, offset, timestamp }, partition) => {
      if (value === null || typeOf(value) !== MessageType.BROADCAST) return undefined;
      try {
        const place = this.#place(value, partition, Number(offset));
        const record = decodeRecord(place.body as string | Buffer);
        const source = sourceOf(record);
        const first = source === undefined ? place.id : (this.#relayed.get(source) ?? relayed.get(source) ?? place.id);
        if (source !== undefined) relayed.set(source, first);
        return first === place.id ? entryOf(key?.toString() ?? '', record, place, Number(timestamp)) : undefined;
      } catch {
        return undefined;
      }
    };
  }

  /** Whether a record of the log was written since this server came. */
  #isLive(partition: number, offset: number): boolean {
    return this.#allLive || this.#live.has(partition) || offset >= (this.#ends?.get(partition) ?? Infinity);
  }

  #onRecord(namespace: string, record: LogRecord, place: Place): void {
    const own = record.uid === this.uid;
    if (!own && record.uid !== EMITTER) this.peers.heard(record);
    if (own) this.#echoes.read(record.number);
    switch (record.type) {
      case RecordType.Echo:
        return;
      case RecordType.Gone:
      case RecordType.Hello:
      case RecordType.Here:
      case RecordType.Alive:
      case RecordType.Made:
      case RecordType.Who:
        if (!own) this.peers.onRecord(namespace, record);
        return;
      case RecordType.Session:
      case RecordType.SessionEnd:
      case RecordType.Claim:
        return;
      default:
        checkMessage(record);
        if (record.type === MessageType.ADAPTER_CLOSE) this.peers.closed(record, namespace);
        this.members.get(namespace)?.onRecord(record, place);
    }
  }

  /** Offsets are given anew, up to one that clients may have already. */
  #loseEnd(partition: number, expected: number): void {
    this.recovery?.lose(partition, expected);
    this.#tellOfLog('has lost its end: clients whose connections break start anew');
  }

  /** Retention was faster than this server. */
  #lose(partition: number, first: number, last: number): void {
    this.recovery?.lose(partition, last);
    this.recovery?.sendAway((error) => {
      this.tell('listener', new Error(`socket.io-kafka: a listener failed on a disconnect: ${(error as Error)?.message ?? error}`, { cause: error }));
    });
    const clients = this.recovery ? 'come again' : 'have missed them';
    this.#tellOfLog(`has lost the records from ${first} to ${last} before they were read: clients of this server ${clients}; give it a longer retention`);
  }

  /** The log is another one. */
  #forget(): void {
    this.#tag = this.#reader?.id?.slice(0, 8) ?? '0';
    this.recovery?.forget();
    this.#tellOfLog('was deleted and made anew: clients whose connections break start anew');
  }

  #tellOfLog(text: string): void {
    this.tell('log', new Error(`socket.io-kafka: the log ${this.topic} ${text}`));
  }

  /** To the adapters' `error` listeners, else the logger; one of a kind in ten seconds, with the number of the others. */
  tell(kind: string, error: Error): void {
    this.figures.errors++;
    this.#troubles.tell(error, kind);
  }

  #say(error: Error): void {
    let heard = false;
    for (const member of this.members.values()) {
      try {
        heard = member.onTrouble(error) || heard;
      } catch (failure) {
        // Whoever tells must be able to go on.
        error = new Error(`${error.message} (and a listener of 'error' failed: ${(failure as Error)?.message ?? failure})`, { cause: error });
      }
    }
    if (!heard) this.options.logger.error?.(error.message);
  }

  /** Whether Kafka was reached: before that nobody knows this server. */
  get isOpen(): boolean {
    return this.#outbox.isOpen;
  }

  /** Resolves when everything that was sent is written, or after 5 s. */
  flushed(): Promise<void> {
    return this.#outbox.flushed(FLUSH_MS);
  }

  get queued(): { records: number; bytes: number } {
    return { records: this.#outbox.length, bytes: this.#outbox.bytes };
  }

  stop(): Promise<void> {
    return (this.#stopping ??= this.#stop());
  }

  async #stop(): Promise<void> {
    this.#stopped = true;
    this.#echoes.end();
    clearInterval(this.#heartbeats);
    this.recovery?.stop();
    this.peers.stop();
    if (this.isOpen) this.send('', RecordType.Gone, null);
    // Records sent before Kafka was reached wait for that, too.
    await this.flushed();
    this.#abort.abort();
    await this.recovery?.past?.stop();
    this.#outbox.abandon(new Error('the server has closed, and Kafka has not taken them'));
    await this.#disconnect();
    // Calls that still wait for the beginning wait no longer.
    this.#echoes.release();
  }

  async #disconnect(): Promise<void> {
    const [producer, reader] = [this.#producer, this.#reader];
    this.#producer = this.#reader = undefined;
    this.#live.clear();
    await reader?.stop();
    // A caller's client is his to end.
    if (producer && !isClient(this.options.producer)) await producer.disconnect({ timeout: 0 }).catch(() => {});
  }
}

/** The message of another topic that a packet was made of. */
function sourceOf({ type, data }: LogRecord): string | undefined {
  const source = type === MessageType.BROADCAST ? (data as BroadcastData | null)?.source : undefined;
  return typeof source === 'string' ? source : undefined;
}
