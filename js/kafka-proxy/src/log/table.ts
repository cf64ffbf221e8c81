// The current entries of a compacted topic: the last message of each key, kept once for all who want them.

import type { Batch, KafkaMessage, PlainMessage } from 'kafka-native';
import { CloseCode, ProxyError } from '../errors';
import type { Page } from './page';
import type { Answer, Past } from './past';
import type { Follower, PartitionLog } from './partition-log';
import type { TopicLog, TopicReader } from './topic-log';

/** How large one table may become. */
export interface TableLimits {
  entries: number;
  /** Of keys, values and headers. */
  bytes: number;
}

/** The last message of a key, which is its bytes as latin1: half of what a Buffer takes. */
export interface Entry {
  offset: number;
  timestamp: number;
  value: Buffer;
  headers: PlainMessage['headers'];
  /** Of key, value and headers. */
  bytes: number;
}

/** The entries of one partition, and how far it has read. */
export class TablePart implements Follower {
  readonly #owner: Table;
  readonly entries = new Map<string, Entry>();
  /** They are what the messages below this offset say. */
  next: number;
  slot = -1;
  #restarts: number;
  asking: (() => void) | undefined;

  constructor(
    owner: Table,
    readonly log: PartitionLog,
    begin: number,
  ) {
    this.#owner = owner;
    this.next = begin;
    this.#restarts = log.restarts.length;
  }

  follow(page: Page): void {
    const { restarts } = this.log;
    while (this.#restarts < restarts.length) this.#forgetFrom(restarts[this.#restarts++]!);
    if (this.next < page.next) this.apply(page);
  }

  apply({ batch, next }: Page): void {
    fold(batch, this.next, this.entries, this.#owner);
    this.next = next;
    this.#owner.read();
  }

  /** The leader's log ended below what was read. */
  #forgetFrom(offset: number): void {
    this.next = Math.min(this.next, offset);
    for (const [key, entry] of this.entries) {
      if (entry.offset < offset) continue;
      this.entries.delete(key);
      this.#owner.change(-1, -entry.bytes);
    }
  }

  advanced(): void {
    this.next = this.log.next;
    this.#owner.read();
  }

  missed(): void {
    // A message that retention deleted is no entry.
  }

  end(): void {
    this.log.leave(this);
    this.asking?.();
  }
}

/** Everything up to where the topic ended when it was made is in it when `ready` resolves. */
export class Table implements TopicReader {
  readonly #past: Past;
  readonly #limits: TableLimits;
  readonly #onFail: (error: ProxyError) => void;
  readonly parts = new Map<number, TablePart>();
  readonly ready: Promise<void>;
  #onReady!: () => void;
  #onFailed!: (error: Error) => void;
  /** Where partitions ended when it was made. */
  #targets: Map<number, number> | undefined;
  #entries = 0;
  #bytes = 0;
  /** Why it has ended. */
  error: ProxyError | undefined;
  /** Subscriptions, also those that are being made. */
  users = 0;

  constructor(
    readonly topic: TopicLog,
    past: Past,
    limits: TableLimits,
    onFail: (error: ProxyError) => void,
  ) {
    this.#past = past;
    this.#limits = limits;
    this.#onFail = onFail;
    this.ready = new Promise((resolve, reject) => {
      this.#onReady = resolve;
      this.#onFailed = reject;
    });
    this.ready.catch(() => {});
  }

  /** @param places where its partitions begin and end now */
  begin(places: readonly { log: PartitionLog; offset: number; target: number }[]): void {
    if (this.error) return;
    this.topic.readers.add(this);
    this.#targets = new Map(places.map(({ log, target }) => [log.partition, target]));
    this.#add(places);
    for (const { log, target } of places) this.topic.settle(log.partition, target);
    this.read();
  }

  #add(places: readonly { log: PartitionLog; offset: number }[]): void {
    for (const { log, offset } of places) {
      const part = new TablePart(this, log, offset);
      this.parts.set(log.partition, part);
      void this.#catchUp(part);
    }
  }

  /** Reads what lies below the log's end, and follows then. */
  async #catchUp(part: TablePart): Promise<void> {
    const { log } = part;
    while (!this.error && !log.ended) {
      if (part.next >= log.next) return log.follow(part);
      const page = log.find(part.next);
      if (page) part.apply(page);
      else {
        const answer = await new Promise<Answer | Error>((resolve) => (part.asking = this.#past.ask(log, part.next, resolve)));
        part.asking = undefined;
        if (answer instanceof Error) return;
        for (const each of answer.pages) if (part.next < each.next && !this.error) part.apply(each);
        part.next = Math.max(part.next, answer.next);
        this.read();
      }
      // Sockets have their turn.
      await new Promise(setImmediate);
    }
  }

  /** A part has read more. */
  read(): void {
    if (!this.#targets) return;
    for (const [partition, target] of this.#targets) {
      const part = this.parts.get(partition);
      if (!part || part.next >= target) this.#targets.delete(partition);
    }
    if (this.#targets.size > 0) return;
    this.#targets = undefined;
    this.#onReady();
  }

  change(entries: number, bytes: number): void {
    this.#entries += entries;
    this.#bytes += bytes;
    if (this.error || (this.#entries <= this.#limits.entries && this.#bytes <= this.#limits.bytes)) return;
    const most = this.#entries > this.#limits.entries ? `${this.#limits.entries} entries` : `${this.#limits.bytes} bytes`;
    this.#fail(
      new ProxyError(
        'TABLE_TOO_LARGE',
        `the table of ${this.topic.topic} would have more than ${most}: subscribe to the topic without table`,
        false,
        CloseCode.TooLarge,
      ),
    );
  }

  come(logs: PartitionLog[]): void {
    this.#add(logs.map((log) => ({ log, offset: log.begin })));
  }

  lost(): void {
    for (const part of this.parts.values()) {
      part.end();
      for (const { bytes } of part.entries.values()) this.change(-1, -bytes);
    }
    this.parts.clear();
    this.read();
  }

  failed(_topic: string, error: Error): void {
    this.#fail(ProxyError.of(error));
  }

  #fail(error: ProxyError): void {
    if (this.error) return;
    this.end(error);
    this.#onFail(error);
  }

  end(error = new ProxyError('CLOSING', 'the table is not read any more', true)): void {
    this.error = error;
    this.topic.readers.delete(this);
    for (const part of this.parts.values()) {
      part.end();
      part.entries.clear();
    }
    this.parts.clear();
    this.#onFailed(error);
  }
}

/** Applies the messages of a batch from an offset on. Entries are copied: the batch is much larger. */
function fold(batch: Batch, from: number, entries: Map<string, Entry>, owner: Table): void {
  const { offsets, timestamps, positions, keyLengths, valueLengths, data } = batch.columns;
  const last = new Map<string, number>();
  for (let i = 0; i < offsets.length; i++) {
    // A message without a key is no entry.
    if (offsets[i]! >= from && keyLengths[i]! >= 0) last.set(data.toString('latin1', positions[i], positions[i]! + keyLengths[i]!), i);
  }
  for (const [key, i] of last) {
    const before = entries.get(key);
    if (valueLengths[i]! < 0) {
      if (!before) continue;
      entries.delete(key);
      owner.change(-1, -before.bytes);
      continue;
    }
    const message = batch.lazyMessages[i]!;
    const { headers, bytes } = copied(message.headers);
    const value = alone(message.value!);
    const entry = { offset: offsets[i]!, timestamp: timestamps[i]!, value, headers, bytes: key.length + value.length + bytes };
    entries.set(key, entry);
    owner.change(before ? 0 : 1, entry.bytes - (before?.bytes ?? 0));
  }
}

/** A copy with memory of its own: Node's pool would keep 8 KiB for as long as one of the many small values in it is an entry. */
function alone(value: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(value.length);
  value.copy(copy);
  return copy;
}

function copied(given: KafkaMessage['headers']): { headers: PlainMessage['headers']; bytes: number } {
  let bytes = 0;
  const copy = <B extends Buffer | null>(value: B): B => {
    bytes += value?.length ?? 0;
    return value && (alone(value) as B);
  };
  const names = Object.keys(given);
  if (names.length === 0) return { headers: undefined, bytes };
  const headers = Object.fromEntries(
    names.map((name) => {
      bytes += name.length;
      const value = given[name]!;
      return [name, Array.isArray(value) ? value.map(copy) : copy(value)];
    }),
  );
  return { headers, bytes };
}
