import { Emitter } from './emitter';
import type { KafkaProxyError } from './errors';
import type { Message } from './message';
import type { SubscribeOptions, Subscription } from './subscription';

export interface TableOptions extends Pick<SubscribeOptions, 'only' | 'window'> {
  /** Default `text`. With `json` the value is parsed; what is no JSON is a Uint8Array of it. */
  value?: 'text' | 'json' | 'binary';
}

export interface Change<V> {
  key: string;
  /** undefined: the entry is gone. */
  value: V | undefined;
  /** The value before; undefined: there was none. */
  previous: V | undefined;
}

export type TableEvents<V> = {
  change: Change<V>;
  /** An error: the table goes on, unless `close` follows. */
  error: KafkaProxyError;
  /** It follows the topic no more; with the error that ended it. */
  close: KafkaProxyError | undefined;
};

interface Entry<V> {
  value: V;
  partition: number;
  offset: number;
  timestamp: number;
}

/** A compacted topic's entries, by key, as they are now. Messages without a key are no entries. */
export class Table<V> extends Emitter<TableEvents<V>> implements Iterable<[string, V]> {
  readonly #subscription: Subscription<V>;
  readonly #entries = new Map<string, Entry<V>>();
  /** While it is read anew: what is there. */
  #seen: Set<string> | undefined;
  /** Resolves when it has all entries. @internal */
  readonly complete: Promise<void>;

  /** @internal */
  constructor(subscription: Subscription<V>) {
    super();
    this.#subscription = subscription;
    this.complete = subscription.caughtUp();
    // All entries follow.
    subscription.began = () => (this.#seen = new Set());
    subscription.on('message', (message) => this.#apply(message));
    subscription.on('caughtUp', () => this.#reconcile());
    subscription.on('error', (error) => this.fault(error));
    subscription.on('close', (error) => this.emit('close', error));
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): V | undefined {
    return this.#entries.get(key)?.value;
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  keys(): IterableIterator<string> {
    return this.#entries.keys();
  }

  *values(): IterableIterator<V> {
    for (const { value } of this.#entries.values()) yield value;
  }

  *entries(): IterableIterator<[string, V]> {
    for (const [key, { value }] of this.#entries) yield [key, value];
  }

  [Symbol.iterator](): IterableIterator<[string, V]> {
    return this.entries();
  }

  forEach(each: (value: V, key: string, table: this) => void): void {
    for (const [key, { value }] of this.#entries) each(value, key, this);
  }

  /** The entries stay as they are, and follow the topic no more. */
  close(): Promise<void> {
    return this.#subscription.close();
  }

  #apply({ key, value, tombstone, partition, offset, timestamp }: Message<V>): void {
    if (key === null) return;
    if (tombstone) {
      this.#seen?.delete(key);
      return this.#delete(key);
    }
    this.#seen?.add(key);
    const before = this.#entries.get(key);
    // Read again, and the same.
    if (before && before.partition === partition && before.offset === offset && before.timestamp === timestamp) return;
    this.#entries.set(key, { value, partition, offset, timestamp });
    this.emit('change', { key, value, previous: before?.value });
  }

  /** Entries that were not there when it was read anew are gone. */
  #reconcile(): void {
    const seen = this.#seen;
    this.#seen = undefined;
    if (seen) for (const key of [...this.#entries.keys()]) if (!seen.has(key)) this.#delete(key);
  }

  #delete(key: string): void {
    const before = this.#entries.get(key);
    if (this.#entries.delete(key)) this.emit('change', { key, value: undefined, previous: before!.value });
  }
}
