/** First in, first out: what waits is not moved each time that something is taken, and what is taken is freed also where something always waits. */
export class Queue<T> {
  #items: T[];
  #head = 0;

  constructor(...items: T[]) {
    this.#items = items;
  }

  get length(): number {
    return this.#items.length - this.#head;
  }

  get first(): T | undefined {
    return this.#items[this.#head];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined as never;
    if (this.length === 0 || (this.#head > 1000 && this.#head * 2 > this.#items.length)) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Those at the end that are all wanted, in order. */
  tail(wanted: (item: T) => boolean): T[] {
    let at = this.#items.length;
    while (at > this.#head && wanted(this.#items[at - 1]!)) at--;
    return this.#items.slice(at);
  }
}
