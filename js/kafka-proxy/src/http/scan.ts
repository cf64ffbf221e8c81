// Reads a part of a topic, and ends.

import type { Context } from '../context';
import { Ending } from '../ending';
import { CloseCode, ProxyError } from '../errors';
import { Exchange } from '../figures/traffic';
import { Flow } from '../flow';
import type { Frame, FrameFormat } from '../frames';
import type { Socket } from '../socket';
import { ANYBODY } from '../doors/identity';
import type { Notice, Outlet, Subscription } from '../subscription';
import { LINE, placeOf, type LinePlace } from './lines';

/** Of one partition: offsets from `begin` to below `end`. */
export interface Range {
  partition: number;
  begin: number;
  end: number;
}

/** A message as it is written, without its line's end. */
export interface Line extends LinePlace {
  text: Buffer;
}

export interface Scanned {
  lines: Line[];
  /** Where it stopped, by partition. */
  next: Map<number, number>;
}

/** Nobody's: it takes what comes. */
class Reader implements Socket {
  readonly id = 'http';
  readonly identity = ANYBODY;
  readonly address = '';
  readonly protocol = 'http';
  readonly since = Date.now();
  readonly traffic = new Exchange();
  readonly reads = [];
  readonly buffered = 0;
  readonly taken = 0;

  constructor(readonly closed: Ending) {}

  get open(): boolean {
    return !this.closed.over;
  }
  send(): void {}
  drained(): Promise<void> {
    return Promise.resolve();
  }
  hold(): void {}
  release(): void {}
  close(): void {}
}

/** Limits of one reading. */
export interface Bounds {
  messages: number;
  /** Of lines; the last one may exceed them. */
  bytes: number;
  /** It ends when this is aborted, with what it has. */
  until: AbortSignal;
}

/**
 * All messages in these ranges, in each partition in their order, or as many as the bounds let it. Rules, transactions and compaction may have
 * left nothing there: it ends all the same. Rejects as subscriptions do.
 */
export async function scan(context: Context, topic: string, ranges: readonly Range[], format: FrameFormat, bounds: Bounds): Promise<Scanned> {
  const wanted = ranges.filter(({ begin, end }) => begin < end);
  const next = new Map(ranges.map(({ partition, begin }) => [partition, begin]));
  if (wanted.length === 0 || bounds.until.aborted) return { lines: [], next };
  const done = new Ending();
  const scanning = new Scanning(topic, wanted, next, format, bounds, done);
  const offsets = wanted.map(({ partition, begin: offset }) => ({ topic, partition, offset }));
  const stop = (): void => done.come();
  bounds.until.addEventListener('abort', stop);
  let subscription: Subscription | undefined;
  try {
    const partitions = wanted.map(({ partition }) => partition);
    subscription = await context.logs.subscribe({ topics: [topic], partitions, from: { offsets }, slow: 'close' }, scanning);
    scanning.begin(subscription);
    await scanning.over;
  } finally {
    bounds.until.removeEventListener('abort', stop);
    stop();
    await subscription?.close();
  }
  return { lines: scanning.lines, next };
}

class Scanning implements Outlet {
  readonly flow: Flow;
  readonly lines: Line[] = [];
  /** Resolves when it has what it wants. */
  readonly over: Promise<void>;
  #subscription: Subscription | undefined;
  readonly #wanted: ReadonlySet<number>;
  /** Of those that it has not read to their ends. */
  readonly #ends: Map<number, number>;
  #messages: number;
  #bytes: number;
  #fail!: (error: Error) => void;

  constructor(
    readonly topic: string,
    ranges: readonly Range[],
    readonly next: Map<number, number>,
    readonly format: FrameFormat,
    { messages, bytes }: Bounds,
    readonly done: Ending,
  ) {
    this.#ends = new Map(ranges.map(({ partition, end }) => [partition, end]));
    this.#wanted = new Set(this.#ends.keys());
    this.#messages = messages;
    this.#bytes = bytes;
    this.flow = new Flow(new Reader(done));
    // No more than this waits to be sent.
    this.flow.give({ messages, bytes });
    this.over = new Promise((resolve, reject) => {
      this.#fail = reject;
      done.hear(resolve);
    });
    this.over.catch(() => {});
  }

  batch(_topic: string, partition: number, { bytes }: Frame, next: number): void {
    const end = this.#ends.get(partition);
    if (this.done.over || end === undefined) return;
    let taken = 0;
    let own = 0;
    for (let begin = 0; begin < bytes.length; ) {
      const behind = bytes.indexOf(LINE, begin);
      const place = placeOf(bytes, begin);
      if (place.offset >= end) break;
      this.lines.push({ ...place, text: bytes.subarray(begin, behind) });
      begin = behind + 1;
      own = begin;
      taken++;
    }
    this.#messages -= taken;
    this.#bytes -= own;
    // Messages behind the range take none of the credit.
    this.flow.took(taken, own);
    this.#moved(partition, Math.min(next, end));
    if (this.#messages <= 0 || this.#bytes <= 0) this.done.come();
  }

  passed(_topic: string, partition: number, next: number): void {
    const end = this.#ends.get(partition);
    if (end !== undefined && !this.done.over) this.#moved(partition, Math.min(next, end));
  }

  #moved(partition: number, next: number): void {
    this.next.set(partition, next);
    if (next < this.#ends.get(partition)!) return;
    this.#ends.delete(partition);
    if (this.#ends.size === 0) this.done.come();
    else this.#subscription?.pause([{ topic: this.topic, partition }]);
  }

  /** It could not be told before to rest where it has all. */
  begin(subscription: Subscription): void {
    // It may have had all at once: then it is closed already.
    if (this.done.over) return;
    this.#subscription = subscription;
    const read = [...this.next.keys()].filter((partition) => this.#wanted.has(partition) && !this.#ends.has(partition));
    if (read.length > 0 && this.#ends.size > 0) subscription.pause(read.map((partition) => ({ topic: this.topic, partition })));
  }

  notice(notice: Notice): void {
    // Retention was faster, or the topic was made anew: it goes on elsewhere.
    if (notice.type === 'assigned') for (const { partition, offset } of notice.partitions) this.passed(this.topic, partition, offset);
    if (notice.type === 'revoked') this.fail(new ProxyError('UNKNOWN_TOPIC_OR_PARTITION', `the topic ${this.topic} was deleted`, true, CloseCode.UnknownTopic));
  }

  /** Messages that are gone are not reported: the places say it. */
  warn(): void {}

  fail(error: ProxyError): void {
    this.#fail(error);
  }
}
