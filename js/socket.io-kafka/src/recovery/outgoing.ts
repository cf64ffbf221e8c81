import { Queue } from '../queue';
import { bytesOf, decodeRecord, type Body, type LogRecord } from '../record';

interface Logged {
  number: number;
  body: Body;
  bytes: number;
  at: number;
}
type Item = Logged | { action: () => void };

/** Own records that went out before they were read, and are not read yet: beyond so many, or `maxBytes`, the oldest are forgotten. */
const MAX_EARLY = 10_000;

/**
 * Actions of a namespace of this server, in the order of its calls: each when it is read in the log, or, when that takes too long, without
 * its place there; those for this server alone in between.
 */
export class OrderedOutgoing {
  readonly #timeout: number;
  readonly #maxBytes: number;
  readonly #onLate: (record: LogRecord) => void;
  readonly #items = new Queue<Item>();
  /** By number, in this order. */
  readonly #early = new Map<number, Logged>();
  #earlyBytes = 0;
  /** Of those that wait. */
  #bytes = 0;
  #newest: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(timeout: number, maxBytes: number, onLate: (record: LogRecord) => void) {
    this.#timeout = timeout;
    this.#maxBytes = maxBytes;
    this.#onLate = onLate;
  }

  logged(number: number, body: Body): void {
    const bytes = bytesOf(body);
    this.#items.push({ number, body, bytes, at: performance.now() });
    this.#bytes += bytes;
    this.#timer ??= this.#wait(this.#timeout);
  }

  /** Those that are too much go out, the oldest first: behind the write, because listeners may publish. */
  bound(): void {
    for (let first = this.#first; first && !('action' in first) && this.#bytes > this.#maxBytes; first = this.#first) this.#late(first);
  }

  local(action: () => void): void {
    this.#items.push({ action });
    this.#advance();
  }

  /** A record was read: does it, unless it was done early. */
  read(number: number, apply: () => void): void {
    // A record before it was never written, or another has it twice.
    for (let first = this.#first; first && !('action' in first) && first.number < number; first = this.#first) this.#late(first);
    for (const early of this.#early.keys()) {
      if (early > number) break;
      this.#forget(early);
    }
    const first = this.#first;
    if (!first || 'action' in first || first.number !== number) return;
    this.#shift();
    apply();
    this.#advance();
  }

  /** Of the records that were done early and are not read yet the newest one's number: this server's clients have it, and all before it. */
  get early(): number | undefined {
    return this.#early.size > 0 ? this.#newest : undefined;
  }

  /** These records, in the order in which they were done. */
  *unread(): Generator<LogRecord, void, void> {
    for (const { body } of this.#early.values()) yield decodeRecord(body as string | Buffer);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (let first = this.#first; first; first = this.#first) {
      this.#shift();
      if ('action' in first) first.action();
    }
  }

  get #first(): Item | undefined {
    return this.#items.first;
  }

  #shift(): void {
    const item = this.#items.shift()!;
    if (!('action' in item)) this.#bytes -= item.bytes;
  }

  #advance(): void {
    for (let first = this.#first; first && 'action' in first; first = this.#first) {
      this.#shift();
      first.action();
    }
  }

  #late(item: Logged): void {
    this.#shift();
    this.#early.set(item.number, item);
    this.#earlyBytes += item.bytes;
    this.#newest = item.number;
    // The newest stays: it says up to where this server's clients are.
    while (this.#early.size > 1 && (this.#early.size > MAX_EARLY || this.#earlyBytes > this.#maxBytes)) this.#forget(this.#early.keys().next().value!);
    this.#onLate(decodeRecord(item.body as string | Buffer));
    this.#advance();
  }

  #forget(number: number): void {
    this.#earlyBytes -= this.#early.get(number)!.bytes;
    this.#early.delete(number);
  }

  #wait(ms: number): NodeJS.Timeout {
    return setTimeout(() => {
      this.#timer = undefined;
      const due = performance.now() - this.#timeout;
      for (let first = this.#first; first && !('action' in first) && first.at <= due + 1; first = this.#first) this.#late(first);
      const first = this.#first as Logged | undefined;
      if (first) this.#timer = this.#wait(Math.max(first.at - due, 1));
    }, ms);
  }
}
