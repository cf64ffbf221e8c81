// When an alarm is told.

/** Milliseconds between two calls. */
const MINUTE = 60_000;

/**
 * Tells one listener that something fires, and that it is over. Not more than once a minute: what changes meanwhile and changes back is not
 * told, what stays changed is told when the minute is over. A call that failed is made again then, if it is still so.
 */
export class Teller {
  readonly #call: (firing: boolean) => Promise<void>;
  /** The state that the other side knows: nothing fires, if it heard nothing. */
  #told = false;
  #calling = false;
  #called = Number.NEGATIVE_INFINITY;

  /** @param call rejects when it was not told */
  constructor(call: (firing: boolean) => Promise<void>) {
    this.#call = call;
  }

  /** The state now. @param now milliseconds of a clock that never goes back */
  look(firing: boolean, now: number): void {
    if (firing === this.#told || this.#calling || now - this.#called < MINUTE) return;
    this.#called = now;
    this.#calling = true;
    this.#call(firing)
      .then(
        () => {
          this.#told = firing;
        },
        () => {},
      )
      .finally(() => {
        this.#calling = false;
      });
  }
}
