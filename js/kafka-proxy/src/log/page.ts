// Messages of one partition that many readers get, and the frames that were made of them.

import type { Batch } from 'kafka-native';
import { besidesOf, frameOf, type Frame, type FrameFormat } from '../frames';

/** A log that holds pages, and forgets them when there are too many. */
interface Shelf {
  forget(page: Page): void;
}

/** Bytes that a page takes besides its messages, and a frame besides its bytes. */
const PAGE = 1024;
const FRAME = 256;
/** Bytes of a message in a frame besides key, value and headers, about. */
const MESSAGE = 32;

export class Page {
  /** Of the first message. */
  readonly first: number;
  readonly count: number;
  readonly #frames = new Map<string, Frame>();
  readonly #cache: Cache;
  /** Bytes of a message besides its key and value; undefined: nobody has asked. */
  #besides: number | undefined;
  /** Of its messages. */
  readonly size: number;
  /** In memory, frames included. */
  bytes: number;
  shelf: Shelf | undefined;

  /**
   * @param begin what lies between it and the first message is no message any more, or never was one
   * @param next the offset behind it, and behind what follows it and is no message
   * @param deleted below this offset retention has deleted messages that it should have
   */
  constructor(
    cache: Cache,
    readonly batch: Batch,
    readonly begin: number,
    public next: number,
    public deleted: number,
  ) {
    this.#cache = cache;
    this.first = Number(batch.firstOffset());
    this.count = batch.size;
    this.size = batch.bytes;
    this.bytes = this.size + PAGE;
  }

  /** All of it, made once for all who want it so. */
  frame(format: FrameFormat): Frame {
    let frame = this.#frames.get(format.shared);
    if (!frame) {
      frame = frameOf(this.batch, format);
      this.#frames.set(format.shared, frame);
      this.#cache.grown(this, frame.bytes.length + FRAME);
    }
    return frame;
  }

  /** The place of the first message that has this offset or a greater one. */
  placeOf(offset: number): number {
    if (offset <= this.first) return 0;
    const { offsets } = this.batch.columns;
    let low = 0;
    for (let high = this.count; low < high; ) {
      const middle = (low + high) >>> 1;
      if (offsets[middle]! < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** How many messages from place `begin` on, at most `most`, fit into so many bytes; one does. */
  fitting(begin: number, most: number, bytes: number): number {
    const { keyLengths, valueLengths } = this.batch.columns;
    const besides = (this.#besides ??= Math.max(besidesOf(this.batch), MESSAGE));
    let count = 0;
    for (let left = bytes; count < most; count++) {
      left -= besides + Math.max(keyLengths[begin + count]!, 0) + Math.max(valueLengths[begin + count]!, 0);
      if (left < 0) break;
    }
    return Math.min(Math.max(count, 1), most);
  }

  /** The offset behind its first `end` messages. */
  nextOf(end: number): number {
    return end >= this.count ? this.next : this.batch.columns.offsets[end]!;
  }
}

/** Pages of all logs, the oldest first: together they have at most so many bytes. */
export class Cache {
  readonly #limit: number;
  readonly #pages = new Set<Page>();
  bytes = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(page: Page, shelf: Shelf): void {
    page.shelf = shelf;
    this.#pages.add(page);
    this.bytes += page.bytes;
    this.#trim();
  }

  /** The log has no use for it any more. */
  remove(page: Page): void {
    if (this.#pages.delete(page)) this.bytes -= page.bytes;
    page.shelf = undefined;
  }

  /** A frame was made of it. */
  grown(page: Page, bytes: number): void {
    page.bytes += bytes;
    if (!page.shelf) return;
    this.bytes += bytes;
    this.#trim();
  }

  #trim(): void {
    if (this.bytes <= this.#limit) return;
    for (const page of this.#pages) {
      page.shelf?.forget(page);
      this.remove(page);
      if (this.bytes <= this.#limit) return;
    }
  }
}
