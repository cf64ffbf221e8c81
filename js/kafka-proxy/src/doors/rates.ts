// How much a principal, or, without one, an address, may do in a second.

import { CloseCode, ProxyError } from '../errors';
import type { Limits } from '../options';
import { nameOf, type Identity } from './identity';
import { networkOf } from './network';
import { Refusal } from './refusal';

/** So many seconds' worth may be taken at once. */
const BURST = 10;
/** Principals that are remembered. */
const MOST = 10_000;

interface Bucket {
  left: number;
  at: number;
}

/** The same rate for each principal or address. One that has taken more than it had, in one piece, waits until that is worked off. */
class Rate {
  readonly #rate: number;
  readonly #buckets = new Map<string, Bucket>();
  #swept = 0;

  constructor(rate: number) {
    this.#rate = rate;
  }

  /** 0: there is something left; else how many seconds it takes. Nothing is taken. */
  wait(who: string): number {
    if (this.#rate === Number.POSITIVE_INFINITY) return 0;
    const { left } = this.#of(who);
    return left > 0 ? 0 : (1 - left) / this.#rate;
  }

  take(who: string, count: number): void {
    if (this.#rate !== Number.POSITIVE_INFINITY) this.#of(who).left -= count;
  }

  #of(who: string): Bucket {
    const now = performance.now();
    const most = this.#rate * BURST;
    let bucket = this.#buckets.get(who);
    if (!bucket) {
      this.#makeRoom(now);
      this.#buckets.set(who, (bucket = { left: most, at: now }));
    }
    bucket.left = Math.min(most, bucket.left + ((now - bucket.at) / 1000) * this.#rate);
    bucket.at = now;
    return bucket;
  }

  /** A full bucket need not be remembered. */
  #makeRoom(now: number): void {
    if (this.#buckets.size < MOST) return;
    if (now - this.#swept > 1000) {
      this.#swept = now;
      for (const [who, { left, at }] of this.#buckets) if (left + ((now - at) / 1000) * this.#rate >= this.#rate * BURST) this.#buckets.delete(who);
    }
    for (const first of this.#buckets.keys()) {
      if (this.#buckets.size < MOST) return;
      this.#buckets.delete(first);
    }
  }
}

export class Rates {
  readonly #limits: Limits;
  readonly #messages: Rate;
  readonly #bytes: Rate;
  readonly #requests: Rate;
  /** Whether writing is limited. */
  readonly writing: boolean;

  constructor(limits: Limits) {
    const { messagesPerSecond, bytesPerSecond, requestsPerSecond } = limits;
    this.#limits = limits;
    this.#messages = new Rate(messagesPerSecond);
    this.#bytes = new Rate(bytesPerSecond);
    this.#requests = new Rate(requestsPerSecond);
    this.writing = messagesPerSecond !== Number.POSITIVE_INFINITY || bytesPerSecond !== Number.POSITIVE_INFINITY;
  }

  /** Before so much is written. @throws ProxyError TOO_MANY_REQUESTS */
  write(identity: Identity, messages: number, bytes: number): void {
    const who = whose(identity);
    const { messagesPerSecond, bytesPerSecond } = this.#limits;
    const many = this.#messages.wait(who);
    const wait = Math.max(many, this.#bytes.wait(who));
    if (wait > 0) {
      const what = many > 0 ? `${messagesPerSecond} messages` : `${bytesPerSecond} bytes`;
      const message = `You write more than ${what} a second; try again in ${Math.ceil(wait)} s.`;
      throw new ProxyError('TOO_MANY_REQUESTS', message, true, CloseCode.TooManyRequests);
    }
    this.#messages.take(who, messages);
    this.#bytes.take(who, bytes);
  }

  /** Before a request is answered. */
  request(identity: Identity): Refusal | undefined {
    const who = whose(identity);
    const wait = Math.ceil(this.#requests.wait(who));
    if (wait > 0)
      return new Refusal(429, `more than ${this.#limits.requestsPerSecond} requests a second; try again in ${wait} s`, { 'Retry-After': String(wait) });
    this.#requests.take(who, 1);
    return undefined;
  }
}

/** Whose share it is. */
export function whose(identity: Identity): string {
  return nameOf(identity) ?? `from ${networkOf(identity.address ?? '')}`;
}
