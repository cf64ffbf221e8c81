// Wrong passwords of one address: who guesses waits.

import { networkOf } from './network';
import { Refusal } from './refusal';

/** Milliseconds in which failures are counted, and for which nobody of that address is asked then. */
const MINUTE = 60_000;
/** Addresses that are remembered. */
const MOST = 10_000;

export class Guesses {
  readonly #most: number;
  /** By network, who began to fail first is first. */
  readonly #failed = new Map<string, { since: number; count: number }>();

  /** @param most failures of an address in a minute */
  constructor(most: number) {
    this.#most = most;
  }

  /** Whether nobody of this address is asked now, right password or not: an answer would help who guesses. */
  refuses(address: string): Refusal | undefined {
    const network = networkOf(address);
    const failed = this.#failed.get(network);
    if (!failed) return undefined;
    const left = failed.since + MINUTE - performance.now();
    if (left <= 0) this.#failed.delete(network);
    else if (failed.count >= this.#most) {
      const seconds = Math.ceil(left / 1000);
      return new Refusal(429, `too many wrong passwords, tokens or tickets from this address; try again in ${seconds} s`, { 'Retry-After': String(seconds) });
    }
    return undefined;
  }

  failed(address: string): void {
    if (this.#most === Number.POSITIVE_INFINITY) return;
    const network = networkOf(address);
    const known = this.#failed.get(network);
    const now = performance.now();
    if (known && now - known.since < MINUTE) {
      // From the last one on it lasts a minute.
      if (++known.count === this.#most) known.since = now;
      return;
    }
    this.#failed.delete(network);
    for (const first of this.#failed.keys()) {
      if (this.#failed.size < MOST) break;
      this.#failed.delete(first);
    }
    this.#failed.set(network, { since: now, count: 1 });
  }
}
