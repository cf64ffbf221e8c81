// Where a subscription is in one partition.

import type { Page } from './page';
import type { Follower, PartitionLog } from './partition-log';

/** Calls of a cursor to its subscription. */
export interface CursorOwner {
  follow(cursor: Cursor, page: Page): void;
  /** It has passed what is no message. */
  advanced(cursor: Cursor): void;
  missed(cursor: Cursor, count: number, next: number): void;
}

export class Cursor implements Follower {
  slot = -1;
  paused = false;
  /** The subscription does not have the partition any more. */
  gone = false;
  /** In the line of those that have something to send. */
  queued = false;
  /** It was live when its socket was full. */
  fell = false;
  /** How many of the log's restarts it knows. */
  #restarts: number;
  /** Takes back what it asked the past for. */
  asking: (() => void) | undefined;

  /**
   * @param next the next message that it wants
   * @param target where the log ended when the subscription began; -1: it has been there, or that does not matter
   */
  constructor(
    readonly owner: CursorOwner,
    readonly log: PartitionLog,
    public next: number,
    public target: number,
  ) {
    this.#restarts = log.restarts.length;
  }

  /** The leader's log may have lost its end: what comes now has offsets that others had. */
  find(): void {
    const { restarts } = this.log;
    while (this.#restarts < restarts.length) this.next = Math.min(this.next, restarts[this.#restarts++]!);
  }

  follow(page: Page): void {
    if (this.#restarts < this.log.restarts.length) this.find();
    if (this.next < page.next) this.owner.follow(this, page);
  }

  advanced(): void {
    if (this.next >= this.log.next) return;
    this.next = this.log.next;
    this.owner.advanced(this);
  }

  missed(count: number, next: number): void {
    if (!this.gone) this.owner.missed(this, count, next);
  }

  /** It gets nothing any more, until it is queued. */
  rest(): void {
    this.log.leave(this);
    this.asking?.();
    this.asking = undefined;
  }
}
