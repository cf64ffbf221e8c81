/** How many deletions are remembered at least; up to twice as many. */
const REMEMBERED = 100_000;

/**
 * The newest value of each key. Other data of a key are numbers in columns: an entry has no object of its own.
 *
 * Messages of a key follow one another in one partition. Where there are some in several, the partition counts that has the newest
 * timestamp, and of that partition the last message: so it does not matter which partition was read first. A deletion is a message, too:
 * it is remembered, so that an older value in another partition does not bring its key back.
 * @internal
 */
export class Entries<K, V> {
  readonly #slots = new Map<K, number>();
  /** Deleted keys; when there are too many the older ones are forgotten. */
  #deleted = new Map<K, number>();
  #deletedBefore = new Map<K, number>();
  /** Nothing is forgotten: partitions are read side by side, and an older value can be far behind. */
  #loading = true;
  /** Of a single partition no deletion has to be remembered. */
  #partitions = 0;

  #values: (V | undefined)[] = [];
  #stamps = new Float64Array(64);
  #owners = new Int32Array(64);
  #sizes = new Uint32Array(64);
  readonly #free: number[] = [];

  /** Of keys and values, as they are in the log. */
  bytes = 0;
  /** Is told once: a key, the partition that has it, and another. */
  onConflict: ((key: K, partition: number, other: number) => void) | undefined;

  get size(): number {
    return this.#slots.size;
  }

  get(key: K): V | undefined {
    const slot = this.#slots.get(key);
    return slot === undefined ? undefined : this.#values[slot];
  }

  has(key: K): boolean {
    return this.#slots.has(key);
  }

  *keys(): Generator<K, undefined> {
    yield* this.#slots.keys();
    return undefined;
  }

  *values(): Generator<V, undefined> {
    for (const slot of this.#slots.values()) yield this.#values[slot]!;
    return undefined;
  }

  *entries(): Generator<[K, V], undefined> {
    for (const [key, slot] of this.#slots) yield [key, this.#values[slot]!];
    return undefined;
  }

  /** The partition that its value is from. */
  ownerOf(key: K): number {
    return this.#owners[this.#slots.get(key)!]!;
  }

  /** There are so many partitions now. */
  grow(partitions: number): void {
    this.#partitions = Math.max(this.#partitions, partitions);
  }

  /** Every partition is read to where it ended. */
  loaded(): void {
    this.#loading = false;
  }

  /**
   * @param size of key and value, bytes
   * @returns whether it counts: another partition may have a newer message
   */
  set(key: K, value: V, partition: number, timestamp: number, size: number): boolean {
    let slot = this.#slots.get(key);
    if (slot !== undefined) {
      if (!this.#takes(slot, key, partition, timestamp)) return false;
      this.bytes += size - this.#sizes[slot]!;
    } else {
      slot = this.#takeDeleted(key, partition, timestamp);
      if (slot < 0) return false;
      this.#slots.set(key, slot);
      this.bytes += size;
    }
    this.#values[slot] = value;
    this.#sizes[slot] = size;
    return true;
  }

  /** @returns as `set` does */
  delete(key: K, partition: number, timestamp: number): boolean {
    let slot = this.#slots.get(key);
    if (slot !== undefined) {
      if (!this.#takes(slot, key, partition, timestamp)) return false;
      this.bytes -= this.#sizes[slot]!;
      this.#slots.delete(key);
      this.#values[slot] = undefined;
      this.#sizes[slot] = 0;
    } else {
      if (this.#partitions < 2) return true;
      slot = this.#takeDeleted(key, partition, timestamp);
      if (slot < 0) return false;
    }
    this.#bury(key, slot);
    return true;
  }

  /** Everything goes. */
  clear(): void {
    this.#slots.clear();
    this.#deleted.clear();
    this.#deletedBefore.clear();
    this.#values = [];
    this.#free.length = 0;
    this.bytes = 0;
  }

  /** Whether the message counts; then the slot is its partition's. */
  #takes(slot: number, key: K, partition: number, timestamp: number): boolean {
    const owner = this.#owners[slot]!;
    const stamp = this.#stamps[slot]!;
    if (owner === partition) {
      if (timestamp > stamp) this.#stamps[slot] = timestamp;
      return true;
    }
    this.onConflict?.(key, owner, partition);
    this.onConflict = undefined;
    if (timestamp < stamp || (timestamp === stamp && partition < owner)) return false;
    this.#owners[slot] = partition;
    this.#stamps[slot] = timestamp;
    return true;
  }

  /** A slot for a key without a value; -1: its deletion is newer. */
  #takeDeleted(key: K, partition: number, timestamp: number): number {
    for (const deleted of [this.#deleted, this.#deletedBefore]) {
      if (deleted.size === 0) continue;
      const slot = deleted.get(key);
      if (slot === undefined) continue;
      if (!this.#takes(slot, key, partition, timestamp)) return -1;
      deleted.delete(key);
      return slot;
    }
    let slot = this.#free.pop();
    if (slot === undefined) {
      slot = this.#values.push(undefined) - 1;
      if (slot === this.#stamps.length) this.#widen();
    }
    this.#owners[slot] = partition;
    this.#stamps[slot] = timestamp;
    return slot;
  }

  #bury(key: K, slot: number): void {
    if (this.#partitions < 2) {
      this.#free.push(slot);
      return;
    }
    this.#deleted.set(key, slot);
    if (this.#loading || this.#deleted.size < REMEMBERED) return;
    for (const forgotten of this.#deletedBefore.values()) this.#free.push(forgotten);
    this.#deletedBefore = this.#deleted;
    this.#deleted = new Map();
  }

  #widen(): void {
    const length = Math.ceil(1.5 * this.#stamps.length);
    const widened = <A extends Float64Array | Int32Array | Uint32Array>(column: A, into: A): A => (into.set(column), into);
    this.#stamps = widened(this.#stamps, new Float64Array(length));
    this.#owners = widened(this.#owners, new Int32Array(length));
    this.#sizes = widened(this.#sizes, new Uint32Array(length));
  }
}
