import { type Deferred, deferred } from './deferred';
import { Emitter } from './emitter';
import { KafkaProxyError } from './errors';
import { type Held, Message, type Tenure } from './message';
import { headersReader, reader, type ValueForm, wireForm } from './values';
import type { ErrorMessage, FromServer, Lag, Place, TopicPartition, Wire, WireRecord } from './wire';

/** Exact bytes; text is its UTF-8. null is a header without a value, or no key. Bytes need msgpack. */
export type RuleValue = string | Uint8Array | null;
/** Which messages are wanted; the proxy sends no others. See kafka-native's `MessageRule`. */
export type MessageRule =
  | { header: string; is: RuleValue | readonly RuleValue[] }
  | { header: string; absent: true }
  | { key: RuleValue | readonly RuleValue[] }
  | { all: readonly MessageRule[] }
  | { any: readonly MessageRule[] }
  | { not: MessageRule };

export interface SubscribeOptions {
  /** Names of topics. */
  topics?: readonly string[];
  /** Topics whose names fit, those made later too; `*` stands for any text. */
  pattern?: string;
  /** A consumer group: its members share the messages, which have to be acknowledged. */
  group?: string;
  /**
   * Where it begins. Without a group `latest` (default), `earliest`, the first messages at or behind a time, or offsets. In a group it
   * goes on where the group has committed, and this is for partitions of which it has not: `latest` (default), `earliest`.
   */
  from?: 'earliest' | 'latest' | 'committed' | { timestamp: number } | { offsets: readonly Place[] };
  /** Only these partitions of each topic; all, if undefined. Without a group. */
  partitions?: readonly number[];
  /** Only messages that fit. */
  only?: MessageRule;
  /** Default `text`. Bytes that are no UTF-8 have U+FFFD in their place; `binary` is exact. */
  key?: 'text' | 'binary' | false;
  /** Default `text`. With `json` the value is parsed; what is no JSON is a Uint8Array of it. */
  value?: ValueForm;
  /** Default `text`. */
  headers?: 'text' | 'binary' | false;
  /** Messages that may be on their way to the program and not taken yet. Default 10 000 messages, 1 MiB (one frame may be more). */
  window?: { messages?: number; bytes?: number };
  /** In a group, for `for await`: `auto` (default) acknowledges a message when the next one is asked for, `manual` leaves it to you. */
  ack?: 'auto' | 'manual';
  /**
   * When the socket is too slow for this subscription the proxy closes it (`close`, the default: the client comes back and goes on), or leaves out all but
   * the newest messages (`newest`). Without a group.
   */
  slow?: 'close' | 'newest';
  /** An event `lag` every so many milliseconds (1000 or more). */
  lag?: number;
}

export interface Batch<V = string | null> extends TopicPartition {
  messages: Message<V>[];
}

export type SubscriptionEvents<V = string | null> = {
  message: Message<V>;
  batch: Batch<V>;
  /** Partitions that it has from now on, and where they begin. */
  assigned: Place[];
  revoked: TopicPartition[];
  /** Everything that was there when it subscribed was given to the program. Again behind a reconnect. */
  caughtUp: undefined;
  lag: Lag[];
  /** The group's coordinator has it: this message (`offset` is its own) and those before it never come again. */
  committed: Place;
  /** An error: the subscription goes on, unless `close` follows. */
  error: KafkaProxyError;
  /** It is over; with the error that ended it. */
  close: KafkaProxyError | undefined;
};

/** The client, as a subscription needs it. @internal */
export interface SubscriptionOwner {
  readonly wire: Wire;
  /** False when there is no connection: it is lost, the subscription begins anew with the next one. */
  send(message: object): boolean;
  /** Calls `flush` soon. */
  dirty(subscription: Subscription<any>): void;
  /** Calls `begin` later, if it is there still: the proxy could not serve it just now. */
  again(subscription: Subscription<any>): void;
  ended(subscription: Subscription<any>): void;
}

/** Messages of a partition that have come and that the program has not taken; without `held` the mark that all that was there is before it. */
type Waiting = { held: Held; records: WireRecord[]; taken: number; bytes: number } | { held: undefined };

type Seek = number | 'earliest' | 'latest' | { timestamp: number };
type Wanted = TopicPartition & { to: Seek; answer: Deferred<number> };
type Next<V> = Deferred<IteratorResult<Message<V>, undefined>>;

const DONE = { value: undefined, done: true } as const;
const WINDOW = { messages: 10_000, bytes: 1024 * 1024 };

const name = ({ topic, partition }: TopicPartition): string => `${partition} ${topic}`;

/** Messages of topics: `for await (const message of subscription)`, or `subscription.on('message', ...)`. */
export class Subscription<V = string | null> extends Emitter<SubscriptionEvents<V>> implements AsyncIterableIterator<Message<V>> {
  /** @internal */
  readonly id: number;
  /** How often in a row the proxy could not serve it. @internal */
  tries = 0;
  readonly #owner: SubscriptionOwner;
  readonly #options: SubscribeOptions;
  readonly #table: boolean;
  readonly #window: { messages: number; bytes: number };
  readonly #key: (record: WireRecord) => any;
  readonly #value: (record: WireRecord) => any;
  readonly #headers: (record: WireRecord) => Record<string, any>;

  #held = new Map<string, Held>();
  #waiting: Waiting[] = [];
  /** It was assigned once: from now on it begins at its positions. */
  #known = false;
  /** Messages that the program has taken, and the proxy has not been given credit for. */
  #taken = { messages: 0, bytes: 0 };
  #acks = new Set<Tenure>();
  #paused = false;
  readonly #pausedPartitions = new Map<string, TopicPartition>();
  #seeks: Wanted[] = [];
  #lags: Deferred<Lag[]>[] = [];
  #nexts: Next<V>[] = [];
  #caughtUp: { done: boolean; wanted: Deferred<void> | undefined } = { done: false, wanted: undefined };
  #giving = false;
  /** The program uses `for await`, which is told of the error. */
  #iterated = false;
  /** The proxy has still to answer the subscribe. */
  #opening = false;
  /** The message that `for await` has now. */
  #current: Message<V> | undefined;
  #closing: Deferred<void> | undefined;
  #ended: { error: KafkaProxyError | undefined } | undefined;

  /** @internal */
  constructor(id: number, options: SubscribeOptions, owner: SubscriptionOwner, table = false) {
    super();
    this.id = id;
    this.#owner = owner;
    this.#options = { ...options };
    this.#table = table;
    this.#window = { ...WINDOW, ...options.window };
    for (const [unit, count] of Object.entries(this.#window))
      if (!(count >= 1)) throw new RangeError(`subscribe: window.${unit} must be a number, 1 or more, got ${count}`);
    this.#key = reader('key', options.key ?? 'text');
    this.#value = reader('value', options.value ?? 'text');
    this.#headers = headersReader(options.headers ?? 'text');
  }

  /** Where it is: the partitions that it has, and the offset of the next message that the program gets of each. */
  get positions(): Place[] {
    return [...this.#held.values()].map(({ tenure: { topic, partition }, next }) => ({ topic, partition, offset: next }));
  }

  override on<Name extends keyof SubscriptionEvents<V>>(name: Name, listener: (event: SubscriptionEvents<V>[Name]) => void): () => void {
    const off = super.on(name, listener);
    // Not before the program has made its other listeners.
    if (name === 'message' || name === 'batch') queueMicrotask(() => this.#give());
    return off;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next message. In a group it acknowledges the one before, unless `ack` is `manual`. Rejects when the subscription failed. */
  next(): Promise<IteratorResult<Message<V>, undefined>> {
    const current = this.#current;
    this.#current = undefined;
    this.#iterated = true;
    if (current && this.#options.group !== undefined && this.#options.ack !== 'manual') this.ack(current);
    if (this.#ended) {
      const { error } = this.#ended;
      this.#ended.error = undefined;
      return error ? Promise.reject(error) : Promise.resolve(DONE);
    }
    const next: Next<V> = deferred();
    this.#nexts.push(next);
    this.#give();
    return next.promise;
  }

  /** The loop was left: the subscription is closed. The message that it had is not acknowledged. */
  async return(): Promise<IteratorResult<Message<V>, undefined>> {
    this.#current = undefined;
    await this.close();
    return DONE;
  }

  /** In a group: this message and all before it, of its partition, are processed. Nothing happens if its partition has gone meanwhile, or the connection: it comes again. */
  ack(message: Message<V>): void {
    this.#inGroup('ack');
    const { held, offset } = message;
    const { tenure, nacked } = held;
    if (tenure.ended || offset >= nacked || offset <= tenure.acked) return;
    tenure.acked = offset;
    this.#acks.add(tenure);
    this.#owner.dirty(this);
  }

  /** In a group: this message and those behind it, of its partition, come again, `delay` milliseconds later. */
  nack(message: Message<V>, delay = 0): void {
    this.#inGroup('nack');
    const { held, offset } = message;
    const { tenure, nacked } = held;
    const now = this.#held.get(name(tenure));
    if (tenure.ended || !now || offset >= Math.min(nacked, now.nacked)) return;
    const { topic, partition, acked } = tenure;
    if (offset <= acked) throw new KafkaProxyError('INVALID_OFFSET', `nack: ${topic}/${partition}/${offset} is acknowledged already; seek to have it again.`);
    this.flush();
    held.nacked = now.nacked = offset;
    this.#drop(now);
    this.#owner.send({ type: 'nack', id: this.id, topic, partition, offset, delay });
  }

  /** Goes on at another place; resolves with the offset. Messages that came before may still be given until then. */
  seek({ topic, partition }: TopicPartition, to: Seek): Promise<number> {
    const error = this.#over();
    if (error) return Promise.reject(error);
    const wanted: Wanted = { topic, partition, to, answer: deferred() };
    this.#seeks.push(wanted);
    this.#sendSeek(wanted);
    return wanted.answer.promise;
  }

  /** Nothing is given to the program, or nothing is sent of some partitions (what has come of them is given), until `resume`. */
  pause(where?: readonly TopicPartition[]): void {
    if (!where) this.#paused = true;
    else this.#steer('pause', where);
  }

  resume(where?: readonly TopicPartition[]): void {
    if (where) return this.#steer('resume', where);
    this.#paused = false;
    this.#give();
  }

  /** Resolves when everything that was there when it subscribed was given to the program. Without a group. */
  caughtUp(): Promise<void> {
    const error = this.#options.group === undefined ? this.#over() : new KafkaProxyError('BAD_REQUEST', 'caughtUp is for subscriptions without a group.');
    if (this.#caughtUp.done) return Promise.resolve();
    if (error) return Promise.reject(error);
    return (this.#caughtUp.wanted ??= deferred()).promise;
  }

  /** How far behind each partition is. */
  lag(): Promise<Lag[]> {
    const error = this.#over();
    if (error) return Promise.reject(error);
    const answer = deferred<Lag[]>();
    if (this.#lags.push(answer) === 1) this.#owner.send({ type: 'lag', id: this.id });
    return answer.promise;
  }

  /** Gives no more. Resolves when the proxy has ended it, and what was acknowledged is committed. */
  close(): Promise<void> {
    if (this.#ended) return Promise.resolve();
    if (!this.#closing) {
      this.#closing = deferred();
      this.flush();
      this.#forget();
      this.#settle(undefined);
      if (!this.#owner.send({ type: 'unsubscribe', id: this.id })) this.end(undefined);
    }
    return this.#closing.promise;
  }

  /** It begins, or begins anew. @internal */
  began(): void {}

  // Calls of the client.

  /** There is a connection, new or as before: tells the proxy what is wanted. @internal */
  begin(): void {
    if (this.#closing) return this.end(undefined);
    const { topics, pattern, group, partitions, only, slow, lag, key = 'text', value = 'text', headers = 'text' } = this.#options;
    const { wire } = this.#owner;
    this.#opening = true;
    this.began();
    const from = this.#known && group === undefined ? { offsets: this.positions } : this.#options.from;
    const wish = {
      ...{ topics, pattern, group, partitions, only, slow, lag, table: this.#table || undefined, from: this.#table ? undefined : from },
      ...{ key: wireForm(key, wire), value: wireForm(value, wire), headers: wireForm(headers, wire) },
    };
    const given = Object.fromEntries(Object.entries(wish).filter(([, each]) => each !== undefined));
    this.#owner.send({ type: 'subscribe', id: this.id, ...given, credit: this.#window });
    // In order behind it, the proxy does these when it is open.
    if (this.#pausedPartitions.size > 0) this.#steer('pause', [...this.#pausedPartitions.values()]);
    for (const wanted of this.#seeks) this.#sendSeek(wanted);
    if (this.#lags.length > 0) this.#owner.send({ type: 'lag', id: this.id });
  }

  /** The connection is gone, or the proxy has given it up for now. Messages that have come and were not given come again. @internal */
  lost(): void {
    if (this.#closing) return this.end(undefined);
    this.#forget();
    if (this.#options.group === undefined) return;
    for (const { tenure } of this.#held.values()) tenure.ended = true;
    this.#held.clear();
    this.#pausedPartitions.clear();
    const seeks = this.#seeks;
    this.#seeks = [];
    const error = new KafkaProxyError(
      'CONNECTION_LOST',
      'The connection is lost; the group may have given the partition to another. Seek again when it is assigned.',
      true,
    );
    for (const { answer } of seeks) answer.reject(error);
  }

  /** It is over. @internal */
  end(error: KafkaProxyError | undefined): void {
    if (this.#ended) return;
    this.#ended = { error };
    const toldOf = this.#iterated || (this.#caughtUp.wanted !== undefined && !this.#caughtUp.done);
    this.#forget();
    this.#settle(error);
    this.#owner.ended(this);
    this.#closing?.resolve();
    if (error && !toldOf) this.fault(error);
    this.emit('close', error);
  }

  /** Sends what has gathered; returns how many frames. @internal */
  flush(): number {
    let frames = 0;
    const { messages, bytes } = this.#taken;
    if (messages * 2 >= this.#window.messages || bytes * 2 >= this.#window.bytes) {
      this.#taken = { messages: 0, bytes: 0 };
      frames += Number(this.#owner.send({ type: 'credit', id: this.id, messages, bytes }));
    }
    for (const { ended, topic, partition, acked } of this.#acks) {
      if (!ended) frames += Number(this.#owner.send({ type: 'ack', id: this.id, topic, partition, offset: acked }));
    }
    this.#acks.clear();
    return frames;
  }

  /** @param bytes of the frame @internal */
  received(message: FromServer, bytes: number): void {
    if (this.#ended) return;
    if (this.#closing && !['committed', 'unsubscribed', 'error'].includes(message.type)) return;
    switch (message.type) {
      case 'assigned':
        return this.#assigned(message.partitions);
      case 'revoked':
        for (const each of message.partitions) {
          this.#release(each);
          this.#pausedPartitions.delete(name(each));
        }
        return this.emit('revoked', message.partitions);
      case 'batch':
        return this.#batch(message, message.records, bytes);
      case 'caughtUp':
        this.#waiting.push({ held: undefined });
        return this.#give();
      case 'lag': {
        const wanted = this.#lags;
        this.#lags = [];
        for (const { resolve } of wanted) resolve(message.partitions);
        return this.emit('lag', message.partitions);
      }
      case 'committed': {
        const { topic, partition, offset } = message;
        return this.emit('committed', { topic, partition, offset });
      }
      case 'unsubscribed':
        return this.end(undefined);
      case 'error':
        return this.#failed(message);
    }
  }

  #assigned(partitions: Place[]): void {
    // A seek that was wanted before is answered behind the subscribe.
    const seeks = this.#opening ? [] : this.#seeks;
    this.#opening = false;
    this.#known = true;
    this.tries = 0;
    for (const { topic, partition, offset } of partitions) {
      const key = name({ topic, partition });
      const before = this.#held.get(key);
      const sought = seeks.findIndex((each) => each.topic === topic && each.partition === partition);
      if (sought >= 0) seeks.splice(sought, 1)[0]!.answer.resolve(offset);
      // The answer to a nack, and another for an earlier message is on its way.
      else if (before && before.nacked < offset) continue;
      // Messages given before the one that comes again may still be acknowledged.
      const again = sought < 0 && before?.nacked === offset;
      if (before && again) this.#drop(before);
      else this.#release({ topic, partition });
      const tenure = again ? before.tenure : { topic, partition, ended: false, acked: -1 };
      this.#held.set(key, { tenure, next: offset, nacked: Infinity });
    }
    this.emit('assigned', partitions);
  }

  #batch(where: TopicPartition, records: WireRecord[], bytes: number): void {
    const held = this.#held.get(name(where));
    // Not ours any more, or from before a nack.
    if (!held || held.nacked < Infinity || records.length === 0) return this.#took(records.length, bytes);
    this.#waiting.push({ held, records, taken: 0, bytes });
    this.#give();
  }

  #failed({ id: _, type: __, request, code, message, retriable, fatal, topic, partition }: ErrorMessage): void {
    // The proxy knows nothing of it any more: it has ended there while this was on its way.
    if (code === 'UNKNOWN_ID') return request === 'unsubscribe' ? this.end(undefined) : undefined;
    const error = new KafkaProxyError(code, topic === undefined ? message : `${topic}/${partition}: ${message}`, retriable);
    // It has crossed what took the partition away, and comes again.
    if ((request === 'ack' || request === 'nack') && (code === 'NOT_ASSIGNED' || code === 'INVALID_OFFSET')) return;
    // A subscription that has worked before may work again; the program decides when it never did.
    const again = retriable && this.#known;
    if (this.#closing) return fatal ? this.end(undefined) : undefined;
    if (fatal && !again) return this.end(error);
    if (fatal) {
      this.lost();
      this.#owner.again(this);
    } else if (request === 'seek') {
      const sought = this.#seeks.findIndex((each) => each.topic === topic && each.partition === partition);
      if (sought >= 0) return this.#seeks.splice(sought, 1)[0]!.answer.reject(error);
    } else if (request === 'lag' && this.#lags.length > 0) {
      for (const { reject } of this.#lags.splice(0)) reject(error);
      return;
    }
    this.fault(error);
  }

  /** The partition goes, or is read from another place. */
  #release(where: TopicPartition): void {
    const held = this.#held.get(name(where));
    if (!held) return;
    held.tenure.ended = true;
    this.#held.delete(name(where));
    this.#drop(held);
  }

  /** Messages that have come of it are not given. */
  #drop(held: Held): void {
    const rest: Waiting[] = [];
    for (const each of this.#waiting) {
      if (each.held === held) this.#took(each.records.length - each.taken, each.bytes);
      else rest.push(each);
    }
    this.#waiting = rest;
  }

  #forget(): void {
    this.#waiting = [];
    this.#taken = { messages: 0, bytes: 0 };
    this.#acks.clear();
  }

  #took(messages: number, bytes: number): void {
    this.#taken.messages += messages;
    this.#taken.bytes += bytes;
    if (this.#taken.messages * 2 >= this.#window.messages || this.#taken.bytes * 2 >= this.#window.bytes) this.#owner.dirty(this);
  }

  /** Gives what has come to who wants it. */
  #give(): void {
    if (this.#giving) return; // a listener has called something: the loop below goes on
    this.#giving = true;
    while (!this.#paused && !this.#closing && !this.#ended) {
      const first = this.#waiting[0];
      if (!first) break;
      if (!first.held) {
        // The loop is not done with what was before it.
        if (this.#current && this.#nexts.length === 0) break;
        this.#waiting.shift();
        this.#caughtUp.done = true;
        this.#caughtUp.wanted?.resolve();
        this.emit('caughtUp', undefined);
      } else if (this.#nexts.length > 0) {
        const value = this.#take(first);
        this.#current = value;
        this.#nexts.shift()!.resolve({ value, done: false });
      } else if (this.heard('batch')) {
        const { topic, partition } = first.held.tenure;
        const messages: Message<V>[] = [];
        for (let left = first.records.length - first.taken; left > 0; left--) messages.push(this.#take(first));
        this.emit('batch', { topic, partition, messages });
        if (this.heard('message')) for (const message of messages) this.emit('message', message);
      } else if (this.heard('message')) {
        this.emit('message', this.#take(first));
      } else break;
    }
    this.#giving = false;
  }

  #take(from: Waiting & { held: Held }): Message<V> {
    const { held, records, bytes } = from;
    const record = records[from.taken++]!;
    const message = new Message<V>(this, held, record, this.#key(record), this.#value(record), this.#headers(record));
    held.next = record.offset + 1;
    const all = from.taken === records.length;
    if (all) this.#waiting.shift();
    this.#took(1, all ? bytes : 0);
    return message;
  }

  #steer(type: 'pause' | 'resume', where: readonly TopicPartition[]): void {
    const topics = new Map<string, number[]>();
    for (const { topic, partition } of where) {
      if (type === 'pause') this.#pausedPartitions.set(name({ topic, partition }), { topic, partition });
      else this.#pausedPartitions.delete(name({ topic, partition }));
      topics.set(topic, [...(topics.get(topic) ?? []), partition]);
    }
    if (!this.#over()) for (const [topic, partitions] of topics) this.#owner.send({ type, id: this.id, topic, partitions });
  }

  #sendSeek({ topic, partition, to }: Wanted): void {
    this.#owner.send({ type: 'seek', id: this.id, topic, partition, offset: to });
  }

  #inGroup(call: string): void {
    if (this.#options.group === undefined) throw new KafkaProxyError('BAD_REQUEST', `${call} is for subscriptions in a group.`);
  }

  #over(): KafkaProxyError | undefined {
    return this.#ended || this.#closing ? new KafkaProxyError('CLOSED', 'The subscription is closed.') : undefined;
  }

  /** Nobody waits any more. */
  #settle(error: KafkaProxyError | undefined): void {
    const reason = error ?? new KafkaProxyError('CLOSED', 'The subscription is closed.');
    this.#caughtUp.wanted?.reject(reason);
    for (const { reject } of this.#lags.splice(0)) reject(reason);
    for (const { answer } of this.#seeks.splice(0)) answer.reject(reason);
    for (const next of this.#nexts.splice(0)) {
      // One of them is told; the error is not told twice.
      if (error && this.#ended?.error) {
        this.#ended.error = undefined;
        next.reject(error);
      } else next.resolve(DONE);
    }
  }
}
