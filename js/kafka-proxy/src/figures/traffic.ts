// Messages and bytes, counted, and how many a second.

import type { Counted, Rate } from '../http/api';

export class Traffic {
  messages = 0;
  bytes = 0;
  /** Made when somebody wants to know the rate. */
  #meter: Meter | undefined;

  add(messages: number, bytes: number): void {
    this.messages += messages;
    this.bytes += bytes;
  }

  /** Messages that another has counted before: no rate comes of them. */
  take({ messages, bytes }: Counted): void {
    this.add(messages, bytes);
    this.#meter?.shift(messages, bytes);
  }

  /** Once a second or so; of what nobody looks at, not at all. */
  tick(now: number): void {
    this.#meter ??= new Meter();
    this.#meter.tick(now, this.messages, this.bytes);
  }

  rate(now: number): Rate {
    return this.#meter?.rate(now) ?? UNKNOWN;
  }
}

/** Of a client, or of a topic: `sent` to clients, `received` from them. */
export class Exchange {
  readonly sent = new Traffic();
  readonly received = new Traffic();

  tick(now: number): void {
    this.sent.tick(now);
    this.received.tick(now);
  }

  /** Changes whenever something is counted. */
  get messages(): number {
    return this.sent.messages + this.received.messages;
  }

  /** Takes what another has counted. */
  add({ sent, received }: Exchange): void {
    this.sent.take(sent);
    this.received.take(received);
  }
}

export const UNKNOWN: Rate = { messages: null, bytes: null };

/** So many ticks make an average. */
const TICKS = 6;
/** Milliseconds after which what was counted before says nothing about now. */
const OLD = 10_000;

/** The last ticks of one counter. */
class Meter {
  /** Time, messages and bytes of each, in turn. */
  readonly #ticks = new Float64Array(3 * TICKS);
  #count = 0;

  tick(now: number, messages: number, bytes: number): void {
    const ticks = this.#ticks;
    if (this.#count > 0 && now - ticks[3 * ((this.#count - 1) % TICKS)]! > OLD) this.#count = 0;
    const begin = 3 * (this.#count++ % TICKS);
    ticks[begin] = now;
    ticks[begin + 1] = messages;
    ticks[begin + 2] = bytes;
  }

  /** As if so much had been there at every tick. */
  shift(messages: number, bytes: number): void {
    for (let i = 0; i < TICKS; i++) {
      this.#ticks[3 * i + 1]! += messages;
      this.#ticks[3 * i + 2]! += bytes;
    }
  }

  rate(now: number): Rate | undefined {
    if (this.#count < 2) return undefined;
    const [last, messages, bytes] = this.#at(this.#count - 1);
    const [first, from, fromBytes] = this.#at(Math.max(0, this.#count - TICKS));
    const seconds = (last - first) / 1000;
    if (now - last > OLD || seconds <= 0) return undefined;
    return { messages: (messages - from) / seconds, bytes: (bytes - fromBytes) / seconds };
  }

  #at(index: number): [number, number, number] {
    const begin = 3 * (index % TICKS);
    return [this.#ticks[begin]!, this.#ticks[begin + 1]!, this.#ticks[begin + 2]!];
  }
}
