// Commits of the groups of the old protocol.

import { setTimeout as pause } from 'node:timers/promises';
import type { Context } from '../context';

/** How many commits are under way: the admin's other requests are not to wait for hundreds of them. */
const AT_ONCE = 4;
/** Milliseconds from a commit to the next in its place: a commit takes three requests, so that hundreds of sockets would do little else. */
const REST_MS = 40;
/** Milliseconds from a commit that failed to the next try. */
const AGAIN_MS = 1000;

/** So many at a time, in the order in which they were asked for. */
class Turns {
  #free = AT_ONCE;
  readonly #waiting: (() => void)[] = [];

  /** @param rest milliseconds in which nobody has the place of who had it */
  constructor(readonly rest: number) {}

  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      if (this.rest > 0) setTimeout(() => this.#release(), this.rest).unref();
      else this.#release();
    }
  }

  #release(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free++;
  }
}

/** The turns of all commits of a proxy. */
export class CommitTurns {
  /** Of sockets that read on. */
  readonly calm = new Turns(REST_MS);
  /** Of those that end: somebody waits for them. */
  readonly last = new Turns(0);
}

export interface GroupPlace {
  topic: string;
  partition: number;
  group: string;
}

/**
 * Commits in the name of a group without members: one commit is under way, and then the newest. A failed one is tried again and logged once
 * until one succeeds: Kafka refuses it while the group has members.
 */
export class Commits {
  /** The offset behind what the client has got, until it is being committed. */
  #next: number | undefined;
  #running = false;
  /** The commit under way. */
  #committing: Promise<boolean> | undefined;
  #failing = false;
  readonly #ending = new AbortController();

  constructor(
    readonly place: GroupPlace,
    readonly context: Context,
    readonly turns: CommitTurns,
  ) {}

  /** The client has got everything before this offset. Never throws. */
  got(next: number): void {
    if (this.#ending.signal.aborted) return;
    this.#next = next;
    if (!this.#running) void this.#run();
  }

  /** Nothing is taken any more; what was is tried once more at the most. Never rejects. */
  async end(): Promise<void> {
    this.#ending.abort();
    await this.#committing;
    if (this.#next !== undefined) await this.turns.last.take(() => this.#commit());
  }

  async #run(): Promise<void> {
    const { signal } = this.#ending;
    this.#running = true;
    while (this.#next !== undefined && !signal.aborted) {
      // When its turn comes it may have ended: then `end` does it.
      const done = await this.turns.calm.take(async () => signal.aborted || (this.#committing = this.#commit()));
      if (!done) await pause(AGAIN_MS, undefined, { signal }).catch(() => {});
    }
    this.#running = false;
  }

  /** The newest when its turn has come. */
  async #commit(): Promise<boolean> {
    const { topic, partition, group } = this.place;
    const next = this.#next!;
    this.#next = undefined;
    try {
      const admin = await this.context.admin();
      await admin.setOffsets({ groupId: group, topic, partitions: [{ partition, offset: String(next) }] });
      this.#failing = false;
      return true;
    } catch (error) {
      this.#next ??= next;
      if (!this.#failing)
        this.context.log.warn('The offset of a group of the old protocol is not committed; it is tried again', {
          ...this.place,
          offset: next,
          error: (error as Error)?.message ?? String(error),
        });
      this.#failing = true;
      return false;
    }
  }
}
