import { AsyncResource } from 'node:async_hooks';
import { nextTick, now, setImmediate } from './clock';

/**
 * Milliseconds for which the consumers of a thread, all together, keep its event loop in one turn. A batch or a handler that is under way then
 * goes on to its end, and work that is small starts where it arrives: both come on top.
 */
const TURN = 2;
/** Where others keep a turn for longer, the consumers may keep it for this part of that: a busy program would starve them. */
const PART = 1 / 4;
const LONGEST = 10;

/** Messages and bytes: work of so many is large, others have their turn behind it. */
const LARGE = 100;
const LARGE_BYTES = 16 * 1024;

/** All who wait on this thread, in the order in which they began to. */
const line: Turn[] = [];
/** How many of them have their turn in this one; one that waits again comes in the next. */
let left = 0;
/** When the consumers began to work in this turn; 0: they have not. */
let begun = 0;
/** When they were last seen at work. */
let seen = 0;
let limit = TURN;

/** The consumers work: from here to {@link next} it is one turn. */
function begin(time: number): void {
  if (begun > 0) return;
  begun = time;
  setImmediate(next);
}

function next(): void {
  begun = 0;
  limit = TURN;
  if ((left = line.length) === 0) return;
  // While somebody waits the loop does not sleep. Work of the consumers that was not seen counts as others', too.
  const time = now();
  limit = Math.min(Math.max(TURN, PART * (time - seen)), LONGEST);
  begin((seen = time));
  come();
}

function come(): void {
  // After an exception `next` may come before the tick that was asked for; the tick then finds nobody.
  if (left === 0 || Turn.look()) return;
  const turn = line.shift()!;
  if (--left > 0) void done.then(later);
  turn.come();
  seen = now();
}

/** Behind the promises that the one before has resolved, and theirs: a tick that is asked for in a microtask comes behind all of them. */
const later = (): void => nextTick(come);
const done = Promise.resolve();

/** Waits until others have had their turn of the event loop. @internal */
export class Turn {
  /** Asked for, and not come yet. */
  waiting = false;
  readonly #onCome: () => void;
  /** Of the program that made it: one callback of the event loop serves all that wait. */
  readonly #context = new AsyncResource('kafka-native.Turn');

  /** @param onCome called once for each turn that was waited for */
  constructor(onCome: () => void) {
    this.#onCome = onCome;
  }

  /** For consumers at work: whether they have had their time of this turn, which begins with the first look. */
  static look(): boolean {
    seen = now();
    begin(seen);
    return seen - begun >= limit;
  }

  static isLarge(messages: number, bytes: number): boolean {
    return messages >= LARGE || bytes >= LARGE_BYTES;
  }

  /** However often it is asked for, it comes once. */
  wait(): void {
    if (this.waiting) return;
    this.waiting = true;
    if (line.push(this) === 1) begin((seen = now()));
  }

  /** For large work that arrives: it goes behind those that wait. */
  queue(): void {
    if (line.length > 0) this.wait();
  }

  /** @internal */
  come(): void {
    this.waiting = false;
    this.#context.runInAsyncScope(this.#onCome);
  }
}
