import { captureRejectionSymbol, EventEmitter } from 'node:events';
import { now, pause } from '../clock';
import { latin1 } from '../text';
import { KafkaError } from '../errors';
import { describe } from '../options';
import type { ClientContext } from './client';
import { Consumer } from './consumer/consumer';
import type { EachBatchPayload } from './consumer/runner';
import { KafkaJSNonRetriableError, KafkaJSProtocolError } from './errors';
import type { KafkaLogger } from './logger';
import { failureOf } from './protocol-codes';
import { Producer } from './producer/producer';
import { Entries } from './table/entries';
import type { TableChange, TableEvents } from './table/events';
import { checkKey, checkValue, readTableOptions, textOf, type ReadTableOptions, type TableKey, type TableOptions } from './table/options';
import { Writes } from './table/writes';

/** Milliseconds in which brokers hear of a topic that was just made. */
const TOPIC_MS = 5000;
const LOOK_AGAIN_MS = 100;

/**
 * A compacted topic as a Map in memory: the newest value of each key, kept current.
 *
 * ```js
 * const users = await kafka.table({ topic: 'users' });
 * users.get('ann'); // whatever was written before
 * users.on('change', ({ key, value, previous }) => console.log(key, previous, value));
 * await users.set('bob', { name: 'Bob' }); // written, and read back
 * await users.close();
 * ```
 *
 * It reads all partitions without a group: every instance has everything. It has what its topic had when `kafka.table` was called when
 * that resolves, as far as its isolation reads. Partitions that are added are read; when the topic is deleted its entries go, and when it is
 * made anew those of the new one come. Entries that retention deletes (`cleanup.policy=compact,delete`) stay in the table until it is made again.
 *
 * A key should be in one partition. Where it is in several, as those have different partitioners that write, the newest timestamp wins,
 * deletions included, and the log says so once. The last 100 000 deletions are remembered for that.
 *
 * It keeps the process alive until `close`, or until it ends with an error: then `closed` resolves with that, calls reject, and entries
 * stay as they were.
 */
export class Table<K extends TableKey = string, V = any> extends EventEmitter<TableEvents<K, V>> implements ReadonlyMap<K, V> {
  /** The name of the topic. */
  readonly topic: string;
  /** Resolves when the table has ended and its clients are gone: with undefined after `close`, else with the error. It never rejects. */
  readonly closed: Promise<Error | undefined>;

  readonly #context: ClientContext;
  readonly #options: ReadTableOptions<K, V>;
  readonly #log: KafkaLogger;
  readonly #entries = new Entries<K, V>();
  readonly #writes = new Writes(() => this.#consumer.reachEnds(undefined, false));
  readonly #consumer: Consumer;
  /** Its own, made by the first write. */
  #producer: Promise<Producer> | undefined;
  #loaded = false;
  /** Why nothing goes on. */
  #ended: Error | undefined;
  #onEnd!: (error: Error) => void;
  /** Rejects when it ends. */
  readonly #end: Promise<never>;
  #onClosed!: (error: Error | undefined) => void;

  /** Reads the topic up to its end. @internal */
  static async open<K extends TableKey, V>(context: ClientContext, options: TableOptions<K, V>): Promise<Table<K, V>> {
    const log = context.logger.namespace('Table');
    const read = readTableOptions<K, V>(options, log);
    read.signal?.throwIfAborted();
    const table = new Table<K, V>(context, read, log);
    await table.#load();
    return table;
  }

  private constructor(context: ClientContext, options: ReadTableOptions<K, V>, log: KafkaLogger) {
    super({ captureRejections: true });
    const { topic } = options;
    this.topic = topic;
    this.#context = context;
    this.#options = options;
    this.#log = log;
    this.closed = new Promise((resolve) => (this.#onClosed = resolve));
    this.#end = new Promise((_, reject) => (this.#onEnd = reject));
    this.#end.catch(() => {});
    this.#entries.onConflict = (key, partition, other) =>
      log.warn(
        `Table of topic '${topic}': the key ${describe(key)} is in partition ${partition} and in partition ${other}; the newer timestamp wins, for this and all others. ` +
          'Those that write have different partitioners, or partitions were added: write the topic anew with one partitioner',
        { topic, key, partitions: [partition, other] },
      );
    this.#consumer = new Consumer(context, {
      ...options.consumer,
      groupId: null,
      allowAutoTopicCreation: false,
      onPartitionsAssigned: (come) => {
        for (const { partitions } of come) for (const partition of partitions) this.#entries.grow(partition + 1);
      },
      onPartitionsLost: () => this.#deleted(),
    });
    this.#consumer.on('consumer.crash', ({ payload: { error, restart } }) => {
      if (!restart || !this.#loaded) this.#fail(error);
    });
  }

  async #load(): Promise<void> {
    const { signal } = this.#options;
    // A reason can be anything, and must count.
    const onAbort = (): void => this.#fail((signal!.reason as Error) || new KafkaJSNonRetriableError('Kafka.table: the loading was aborted'));
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      await Promise.race([this.#read(), this.#end]);
      this.#entries.loaded();
      this.#loaded = true;
    } catch (error) {
      this.#fail(error as Error);
      throw this.#ended;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  async #read(): Promise<void> {
    const consumer = this.#consumer;
    await consumer.connect();
    await consumer.subscribe({ topics: [this.topic], from: 'beginning' });
    if (this.#ended) return;
    await consumer.run({ eachBatch: (payload) => this.#apply(payload), eachBatchAutoResolve: false });
    const end = now() + TOPIC_MS;
    while (!this.#ended && (await consumer.reachEnds(undefined, true)) === 0) {
      if (now() > end) {
        const failure = failureOf(
          'UNKNOWN_TOPIC_OR_PARTITION',
          `Kafka.table: there is no topic '${this.topic}', or its name is another: make it first, with cleanup.policy=compact`,
        );
        throw new KafkaJSProtocolError(failure);
      }
      await pause(LOOK_AGAIN_MS);
    }
  }

  /** Applies a batch, in one go: nothing else runs meanwhile but decoders and listeners. */
  #apply({ batch, resolveOffset }: EachBatchPayload): void {
    const { partition } = batch;
    const { offsets, timestamps, positions, keyLengths, valueLengths, data } = batch.columns;
    const { key: keys, value: values, maxEntries, maxBytes } = this.#options;
    const entries = this.#entries;
    const text = batch.ascii ? ascii : textOf;
    // Without decoders of the program no message gets an object.
    const messages = keys.decode || values.decode ? batch.lazyMessages : undefined;
    const count = offsets.length;
    let last = -1;
    for (let i = 0; i < count; i++) {
      // A decoder has transferred the memory: what is not applied comes again.
      if (this.#ended || (messages && batch.gone)) break;
      const offset = offsets[i]!;
      const keyLength = keyLengths[i]!;
      const valueLength = valueLengths[i]!;
      const keyAt = positions[i]!;
      const valueAt = keyAt + keyLength;
      let key: K;
      let value: V | undefined;
      let what = 'key';
      try {
        if (keyLength < 0) throw new TypeError('it has none, which a compacted topic cannot keep');
        if (keys.decode) checkKey((key = keys.decode(messages![i]!.key!, messages![i]!)));
        else key = text(data, keyAt, valueAt) as K;
        what = 'value';
        if (valueLength < 0) value = undefined;
        else if (values.decode) checkValue((value = values.decode(messages![i]!.value!, messages![i]!)));
        else value = JSON.parse(text(data, valueAt, valueAt + valueLength)) as V;
      } catch (error) {
        if (messages && batch.gone) break;
        last = offset;
        this.#refuse(partition, offset, what, error);
        continue;
      }
      last = offset;
      const listened = this.#loaded && this.listenerCount('change') > 0;
      const previous = listened ? entries.get(key) : undefined;
      const timestamp = timestamps[i]!;
      const counts = value === undefined ? entries.delete(key, partition, timestamp) : entries.set(key, value, partition, timestamp, keyLength + valueLength);
      if (!counts) continue;
      if (entries.size > maxEntries) this.#fail(this.#full(`${maxEntries} entries (maxEntries)`));
      else if (entries.bytes > maxBytes) this.#fail(this.#full(`${maxBytes} bytes of keys and values (maxBytes)`));
      else if (listened) this.#tell({ key, value, previous, topic: this.topic, partition, offset: String(offset) });
    }
    if (last < 0) return;
    this.#writes.applied(partition, last);
    resolveOffset(String(last));
  }

  #full(most: string): Error {
    return new KafkaJSNonRetriableError(
      `Table: the topic '${this.topic}' has more than ${most}, and the table has ended: raise the limit, or have the topic hold less (deletions, cleanup.policy=compact)`,
    );
  }

  /** The message is not applied. */
  #refuse(partition: number, offset: number, what: string, thrown: unknown): void {
    const { topic } = this;
    const reason = (thrown as Error | undefined)?.message ?? String(thrown);
    const text = `Table: the message ${topic}/${partition} at offset ${offset} was not applied, its entry is left as it was; its ${what}: ${reason}`;
    const error = Object.assign(new KafkaJSNonRetriableError(text, { cause: thrown }), { topic, partition, offset: String(offset) });
    this.#writes.refused(partition, offset, error);
    this.#report(error);
  }

  /** The topic is gone, with all that it had. */
  #deleted(): void {
    const { topic } = this;
    const listened = this.#loaded && this.listenerCount('change') > 0;
    const gone = listened ? Array.from(this.keys(), (key) => ({ key, previous: this.get(key), partition: this.#entries.ownerOf(key) })) : [];
    this.#entries.clear();
    this.#writes.deleted();
    for (const { key, previous, partition } of gone) if (!this.#ended) this.#tell({ key, value: undefined, previous, topic, partition, offset: undefined });
  }

  #tell(change: TableChange<K, V>): void {
    try {
      this.emit('change', change);
    } catch (error) {
      this.#failed('change', error);
    }
  }

  #report(error: Error): void {
    if (this.listenerCount('error') === 0) {
      this.#log.error(error.message, { topic: this.topic, stack: error.stack });
      return;
    }
    try {
      this.emit('error', error);
    } catch (thrown) {
      this.#failed('error', thrown);
    }
  }

  /** A promise that a listener returned has rejected. @internal */
  override [captureRejectionSymbol](error: Error, event: unknown, ..._: unknown[]): void {
    this.#failed(String(event), error);
  }

  #failed(event: string, thrown: unknown): void {
    const error = thrown as Error | undefined;
    this.#log.error(`A listener of ${event} failed: ${error?.message ?? thrown}`, { topic: this.topic, stack: error?.stack });
  }

  /** It ends, and says why; who still loads it hears it from the promise. */
  #fail(error: Error): void {
    if (this.#ended) return;
    this.#stop(error, error);
    if (this.#loaded) this.#report(error);
  }

  #stop(ended: Error, reason: Error | undefined): void {
    this.#ended = ended;
    this.#onEnd(ended);
    this.#writes.end(ended);
    void this.#release().then(() => this.#onClosed(reason));
  }

  /** Never rejects. */
  async #release(): Promise<void> {
    const own = this.#producer?.then(
      (producer) => producer.disconnect(),
      () => {}, // who wrote was told
    );
    for (const ended of await Promise.allSettled([this.#consumer.disconnect(), own])) {
      if (ended.status === 'rejected') this.#log.warn(`A client of the table did not end in order: ${(ended.reason as Error)?.message}`, { topic: this.topic });
    }
  }

  /** How many entries there are. */
  get size(): number {
    return this.#entries.size;
  }

  /** The newest value of the key; undefined: there is none. */
  get(key: K): V | undefined {
    return this.#entries.get(key);
  }

  /** Whether the key has a value. */
  has(key: K): boolean {
    return this.#entries.has(key);
  }

  /** In the order of {@link entries}. */
  keys(): Generator<K, undefined> {
    return this.#entries.keys();
  }

  /** In the order of {@link entries}. */
  values(): Generator<V, undefined> {
    return this.#entries.values();
  }

  /** In the order in which their keys came; as those of a Map they go on where it changes meanwhile. */
  entries(): Generator<[K, V], undefined> {
    return this.#entries.entries();
  }

  /** The same as `entries`. */
  [Symbol.iterator](): Generator<[K, V], undefined> {
    return this.#entries.entries();
  }

  /** Calls back with each value and key, in the order of {@link entries}. */
  forEach(callback: (value: V, key: K, table: ReadonlyMap<K, V>) => void, thisArg?: unknown): void {
    for (const [key, value] of this.#entries.entries()) callback.call(thisArg, value, key, this);
  }

  /**
   * Resolves when everything is applied that lies in the topic at the call, up to its high watermarks: an open transaction is waited for.
   *
   * @throws the signal's reason; what has ended the table
   */
  async caughtUp({ signal }: { signal?: AbortSignal } = {}): Promise<void> {
    if (this.#ended) throw this.#ended;
    try {
      await this.#consumer.reachEnds(signal, false);
    } catch (error) {
      throw this.#ended ?? error;
    }
  }

  /**
   * Writes the value, and resolves when it was read back: when the table has applied that very message. Writes of one key count in the order of
   * the calls, awaited or not.
   *
   * @throws TypeError for what cannot be encoded; what `producer.send` rejects with; why the table does not apply the message, or what has
   * ended it before it did: then the message can be in the topic
   */
  async set(key: K, value: V): Promise<void> {
    const { key: keys, value: values } = this.#options;
    await this.#write(keys.encode(key), values.encode(value));
  }

  /** Writes a tombstone, and resolves when the table has applied it; as `set` does. */
  async delete(key: K): Promise<void> {
    await this.#write(this.#options.key.encode(key), null);
  }

  async #write(key: string | Uint8Array, value: string | Uint8Array | null): Promise<void> {
    if (this.#ended) throw this.#ended;
    try {
      await this.#writes.readBack(async () => {
        const own = this.#options.producer ? undefined : (this.#producer ??= this.#connect());
        const producer = this.#options.producer ?? (await own!);
        if (this.#ended) throw this.#ended;
        try {
          return await producer.send({ topic: this.topic, acks: -1, messages: [{ key, value }] });
        } catch (error) {
          if (own) this.#replace(own, error as Error);
          throw error;
        }
      });
    } catch (error) {
      throw this.#ended ?? error;
    }
  }

  /** Idempotent: tried again, an older value must not come behind a newer one. */
  async #connect(): Promise<Producer> {
    const producer = new Producer(this.#context, { idempotent: true, allowAutoTopicCreation: false });
    try {
      await producer.connect();
    } catch (error) {
      this.#producer = undefined; // the next write tries again
      throw error;
    }
    return producer;
  }

  /** An idempotent producer is of no use any more after a fatal error: the next write makes another. */
  #replace(own: Promise<Producer>, { cause }: Error): void {
    if (this.#producer !== own || !(cause instanceof KafkaError && cause.fatal)) return;
    this.#producer = undefined;
    own.then((producer) => producer.disconnect()).catch((error: Error) => this.#log.warn(`The producer did not end in order: ${error.message}`));
  }

  /** Ends the consumer, and the producer unless it was given; writes that are not read back reject. Entries stay as they are. */
  async close(): Promise<void> {
    if (!this.#ended) this.#stop(new KafkaJSNonRetriableError(`Table: the table of topic '${this.topic}' is closed`), undefined);
    await this.closed;
  }

  /** The same as `close`: `await using users = await kafka.table(...)`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function ascii(data: Buffer, begin: number, end: number): string {
  return latin1.call(data, begin, end);
}
