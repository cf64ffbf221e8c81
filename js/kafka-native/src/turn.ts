// From the modules, not from the globals: fake timers of a test framework must not stop the clients, nor their clock.
import { performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers';

/**
 * Milliseconds for which the clients of a thread, all together, keep its event loop in one turn. A batch or a handler that is under way then
 * goes on to its end, and work that is small starts where it arrives: both come on top.
 */
const TURN = 2;
/** Where others keep a turn for longer, the clients may keep it for this part of that: a busy program would starve them. */
const PART = 1 / 4;
const LONGEST = 10;

/** Messages and bytes: work of so many is large, others have their turn behind it. */
const LARGE = 100;
const LARGE_BYTES = 16 * 1024;

/** All who wait on this thread, in the order in which they began to. */
const line: Turn[] = [];
/** How many of them have their turn in this one; who waits again has the next. */
let left = 0;
/** When the clients began to work in this turn; 0: they have not. */
let begun = 0;
/** When they were last seen at work. */
let seen = 0;
let limit = TURN;

/** The clients work: from here to {@link next} it is one turn. */
function begin(now: number): void {
  if (begun > 0) return;
  begun = now;
  setImmediate(next);
}

function next(): void {
  begun = 0;
  limit = TURN;
  if ((left = line.length) === 0) return;
  // While somebody waits the loop does not sleep: others worked all this time.
  const now = performance.now();
  limit = Math.min(Math.max(TURN, PART * (now - seen)), LONGEST);
  begin((seen = now));
  come();
}

function come(): void {
  if (Turn.isOver()) return;
  const turn = line.shift()!;
  if (--left > 0) void done.then(later);
  turn.come();
  seen = performance.now();
}

/** Behind the promises, and the promises of those, that the work before it has resolved. */
const later = (): void => nextTick(come);
const done = Promise.resolve();
const { nextTick } = process;

/** Waits until others have had their turn of the event loop. @internal */
export class Turn {
  /** Asked for, and not come yet. */
  waiting = false;
  readonly #onCome: () => void;

  /** @param onCome called once for each turn that was waited for */
  constructor(onCome: () => void) {
    this.#onCome = onCome;
  }

  /** Whether the clients have had their time of this turn. */
  static isOver(): boolean {
    seen = performance.now();
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
    if (line.push(this) === 1) begin((seen = performance.now()));
  }

  /** For large work that arrives: it goes behind those that wait. */
  queue(): void {
    if (line.length > 0) this.wait();
  }

  /** @internal */
  come(): void {
    this.waiting = false;
    this.#onCome();
  }
}
