// The last entries of something.

/** The oldest goes when a new one comes and there are `most`. */
export class Ring<T> implements Iterable<T> {
  readonly #most: number;
  #entries: T[] = [];
  #next = 0;

  constructor(most: number) {
    this.#most = most;
  }

  push(entry: T): void {
    if (this.#entries.length < this.#most) this.#entries.push(entry);
    else this.#entries[this.#next] = entry;
    this.#next = (this.#next + 1) % this.#most;
  }

  /** Of those that there are. */
  get newest(): T | undefined {
    return this.#entries[(this.#next + this.#most - 1) % this.#most];
  }

  get oldest(): T | undefined {
    return this.#entries.length < this.#most ? this.#entries[0] : this.#entries[this.#next];
  }

  clear(): void {
    this.#entries = [];
    this.#next = 0;
  }

  /** The oldest first. */
  *[Symbol.iterator](): Iterator<T> {
    const { length } = this.#entries;
    const begin = length < this.#most ? 0 : this.#next;
    for (let i = 0; i < length; i++) yield this.#entries[(begin + i) % length]!;
  }
}
