// The newest of what has come: so many messages, and so many bytes, and never more.

import { nameOf } from './codec';
import type { Message } from '../../src/client';

export type Bytes = Uint8Array | null;

export interface Entry {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Bytes;
  /** null: a tombstone. */
  readonly value: Bytes;
  readonly headers: [string, Bytes][];
  readonly size: number;
  /** Made when they are first in sight. */
  preview?: { key: string; value: string };
}

export class Ring {
  readonly #entries: (Entry | undefined)[];
  readonly #most: number;
  #bytes = 0;
  /** So many have come. */
  total = 0;
  length = 0;

  constructor(most: number, bytes: number) {
    this.#entries = new Array(most);
    this.#most = bytes;
  }

  push(entry: Entry): void {
    const { length: room } = this.#entries;
    if (this.length === room) this.#drop();
    this.#entries[this.total++ % room] = entry;
    this.length++;
    this.#bytes += entry.size;
    // One alone may be larger.
    while (this.#bytes > this.#most && this.length > 1) this.#drop();
  }

  /** The one that came as the nth, from 0; undefined: it is no longer here. */
  at(n: number): Entry | undefined {
    return n < this.first || n >= this.total ? undefined : this.#entries[n % this.#entries.length];
  }

  /** Which is the oldest that is here. */
  get first(): number {
    return this.total - this.length;
  }

  *[Symbol.iterator](): Iterator<Entry> {
    for (let n = this.first; n < this.total; n++) yield this.at(n)!;
  }

  #drop(): void {
    const place = this.first % this.#entries.length;
    this.#bytes -= this.#entries[place]!.size;
    this.#entries[place] = undefined;
    this.length--;
  }
}

/** A message's bytes of its own: those that have come are a part of a large frame, which would be kept with them. */
export function entryOf({ partition, offset, timestamp, key, value, headers }: Message<Bytes>): Entry {
  const own = (bytes: unknown): Bytes => (bytes instanceof Uint8Array ? bytes.slice() : null);
  const list = Object.entries(headers).flatMap(([name, all]) => [all].flat().map((each): [string, Bytes] => [nameOf(name), own(each)]));
  const size = list.reduce((sum, [name, bytes]) => sum + name.length + (bytes?.length ?? 0), 200 + (value?.length ?? 0));
  const ownKey = own(key);
  return { partition, offset, timestamp, key: ownKey, value: own(value), headers: list, size: size + (ownKey?.length ?? 0) };
}
