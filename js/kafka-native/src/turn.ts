// From the module, not from the globals: fake timers of a test framework must not stop the clients.
import { setImmediate } from 'node:timers';

/** Waits until others have had their turn of the event loop. @internal */
export class Turn {
  /** Asked for, and not come yet. */
  waiting = false;
  readonly #come: () => void;

  /** @param next called once for each turn that was waited for */
  constructor(next: () => void) {
    this.#come = () => {
      this.waiting = false;
      next();
    };
  }

  /** However often it is asked for, it comes once. */
  wait(): void {
    if (this.waiting) return;
    this.waiting = true;
    setImmediate(this.#come);
  }
}
