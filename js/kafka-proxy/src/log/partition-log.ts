// The log of one partition: the pages that its reader brought, and who waits for more.

import type { Batch } from 'kafka-native';
import { Page, type Cache } from './page';

/** A cursor or a table at the end of a log. */
export interface Follower {
  /** The next message that it wants. */
  next: number;
  /** Its place among those who follow; -1: it doesn't. */
  slot: number;
  /** A page was added. */
  follow(page: Page): void;
  /** Behind the last page there is no message below the log's `next`. */
  advanced(): void;
  /** Retention has deleted so many messages, below this offset, before they were read. */
  missed(count: number, next: number): void;
}

/**
 * The tail is what the topic's reader brought, page behind page, and is cut at its begin when there are too many pages; what lies below are
 * pages of the past, which others asked for.
 */
export class PartitionLog {
  readonly #cache: Cache;
  readonly #tail: Page[] = [];
  /** Where the tail begins in the array. */
  #head = 0;
  #past: Page[] = [];
  readonly #followers: Follower[] = [];
  /** Where the leader's log ended below what was read, each time that it did. */
  readonly restarts: number[] = [];
  /** The offset behind what was read: what the reader brings next has this one or a greater. */
  next: number;
  /** The topic was deleted, or nobody reads it any more. */
  ended = false;

  constructor(
    cache: Cache,
    readonly topic: string,
    readonly partition: number,
    begin: number,
  ) {
    this.#cache = cache;
    this.next = begin;
  }

  /** Where the tail begins; `next` if it is empty. */
  get begin(): number {
    return this.#tail[this.#head]?.begin ?? this.next;
  }

  /**
   * Adds a batch of the reader. Every follower has it when this returns.
   * @returns the offsets that were left out, if any
   */
  append(batch: Batch): { begin: number; end: number; followers: Follower[] } | undefined {
    const first = Number(batch.firstOffset());
    const next = Number(batch.lastOffset()) + 1;
    if (first < this.next) this.#restart(first);
    const begin = this.next;
    const followers = this.#followers;
    const left = first > begin ? { begin, end: first, followers: followers.filter((each) => each.next <= begin) } : undefined;
    const page = new Page(this.#cache, batch, begin, next, begin);
    this.#tail.push(page);
    this.next = next;
    this.#cache.add(page, this);
    // From behind: who leaves is replaced by the last one.
    for (let i = followers.length - 1; i >= 0; i--) followers[i]?.follow(page);
    return left;
  }

  /** There is no message between the last one and this offset. */
  advance(offset: number): void {
    if (offset <= this.next) return;
    const last = this.#tail.at(-1);
    // The tail has no gaps.
    if (last) last.next = offset;
    this.next = offset;
    for (let i = this.#followers.length - 1; i >= 0; i--) this.#followers[i]?.advanced();
  }

  /** The leader's log ends below what was read: who was there lost it, and what comes now has the same offsets. */
  #restart(offset: number): void {
    for (const page of this.#tail.splice(0).slice(this.#head)) this.#cache.remove(page);
    this.#head = 0;
    this.next = offset;
    this.restarts.push(offset);
  }

  /** The page that has this offset, or what follows it; undefined: it has to be read, or there is none yet. */
  find(offset: number): Page | undefined {
    if (offset >= this.next) return undefined;
    if (offset < this.begin) return this.#past.find((page) => page.begin <= offset && offset < page.next);
    let low = this.#head;
    for (let high = this.#tail.length; low < high; ) {
      const middle = (low + high) >>> 1;
      if (this.#tail[middle]!.next <= offset) low = middle + 1;
      else high = middle;
    }
    return this.#tail[low];
  }

  /** Keeps pages that were read of what lies below the tail. */
  keep(pages: readonly Page[]): void {
    for (const page of pages) {
      if (this.ended || page.begin >= this.begin || this.#past.some((each) => each.begin < page.next && page.begin < each.next)) continue;
      this.#past.push(page);
      this.#cache.add(page, this);
    }
  }

  /** The cache is full: it is the oldest page of all. */
  forget(page: Page): void {
    if (this.#tail[this.#head] !== page) {
      const at = this.#past.indexOf(page);
      if (at >= 0) this.#past.splice(at, 1);
      return;
    }
    this.#tail[this.#head++] = undefined as never;
    if (this.#head < 64 || this.#head * 2 < this.#tail.length) return;
    this.#tail.splice(0, this.#head);
    this.#head = 0;
  }

  follow(follower: Follower): void {
    follower.slot = this.#followers.push(follower) - 1;
  }

  leave(follower: Follower): void {
    const { slot } = follower;
    if (slot < 0) return;
    const last = this.#followers.pop()!;
    if (last !== follower) {
      this.#followers[slot] = last;
      last.slot = slot;
    }
    follower.slot = -1;
  }

  end(): void {
    this.ended = true;
    for (const page of [...this.#tail.slice(this.#head), ...this.#past]) this.#cache.remove(page);
    this.#tail.length = this.#head = 0;
    this.#past = [];
  }
}
