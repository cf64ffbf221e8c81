const TELL_MS = 10_000;

/** Tells the first trouble, then at most one in ten seconds, with the number of those between. */
export class Troubles {
  readonly #say: (error: Error) => void;
  #at = -Infinity;
  #more = 0;

  constructor(say: (error: Error) => void) {
    this.#say = say;
  }

  tell(error: Error): void {
    const now = performance.now();
    if (now - this.#at < TELL_MS) {
      this.#more++;
      return;
    }
    if (this.#more > 0) error.message += ` (and ${this.#more} more in the last seconds)`;
    this.#at = now;
    this.#more = 0;
    try {
      this.#say(error);
    } catch {
      // A logger that throws has nobody to tell.
    }
  }
}
