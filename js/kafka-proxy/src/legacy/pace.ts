// How fast a socket of the old protocol is served.

import type { Flow } from '../flow';

/** How finely what was sent is remembered: so many parts has `idleTimeout`. */
const PARTS = 10;

/**
 * At most `maxBytes` in any `idleTimeout` milliseconds: what was sent is credit again when that time has passed. A message larger than all the
 * credit comes alone, and then nothing for that time. A socket that was silent has all the credit, so that a lone message is sent at once.
 */
export class Pace {
  /** Bytes that are not credit yet, the oldest first. */
  readonly #sent: { first: number; last: number; bytes: number }[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(
    readonly flow: Flow,
    maxBytes: number,
    readonly idleTimeout: number,
  ) {
    flow.give({ bytes: maxBytes });
  }

  took(messages: number, bytes: number): void {
    this.flow.took(messages, bytes);
    const now = performance.now();
    const newest = this.#sent.at(-1);
    if (newest && now - newest.first < this.idleTimeout / PARTS) {
      newest.last = now;
      newest.bytes += bytes;
    } else this.#sent.push({ first: now, last: now, bytes });
    this.#timer ??= this.#wait();
  }

  #wait(): NodeJS.Timeout | undefined {
    const oldest = this.#sent[0];
    return oldest && setTimeout(() => this.#give(), Math.max(1, oldest.last + this.idleTimeout - performance.now()));
  }

  #give(): void {
    const now = performance.now();
    let bytes = 0;
    while (this.#sent[0] && this.#sent[0].last + this.idleTimeout <= now) bytes += this.#sent.shift()!.bytes;
    this.#timer = this.#wait();
    if (bytes > 0) this.flow.give({ bytes });
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#sent.length = 0;
  }
}
