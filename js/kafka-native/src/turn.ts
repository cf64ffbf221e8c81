// From the module, not from the globals: fake timers of a test framework must not stop the clients.
import { setImmediate } from 'node:timers';

/**
 * Milliseconds for which the clients of a thread, all together, may keep its event loop in one turn. What is under way then goes on to its end: a
 * batch, or a handler.
 */
export const TURN = 2;

/** All who wait on this thread, in the order in which they began to; for each a callback of the event loop is asked for. */
const line: Turn[] = [];
/** When this turn began, as far as it is the clients'. */
let begun = 0;
let beginning = false;

/** Before all other callbacks of the next turn. */
function begin(): void {
  beginning = false;
  begun = performance.now();
}

function next(): void {
  if (!beginning) {
    beginning = true;
    setImmediate(begin);
  }
  setImmediate(come);
}

function come(): void {
  if (performance.now() - begun >= TURN) next();
  else line.shift()!.come();
}

/** Waits until others have had their turn of the event loop. @internal */
export class Turn {
  /** Asked for, and not come yet. */
  waiting = false;
  readonly #next: () => void;

  /** @param next called once for each turn that was waited for */
  constructor(next: () => void) {
    this.#next = next;
  }

  /** Whether anybody waits on this thread: work that comes now and is not small belongs behind theirs. */
  static get asked(): boolean {
    return line.length > 0;
  }

  /** However often it is asked for, it comes once. */
  wait(): void {
    if (this.waiting) return;
    this.waiting = true;
    line.push(this);
    next();
  }

  /** @internal */
  come(): void {
    this.waiting = false;
    this.#next();
  }
}
