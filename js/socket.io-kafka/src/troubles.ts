const TELL_MS = 10_000;

/** Tells the first trouble of a kind, then at most one in ten seconds, with the number of those between. */
export class Troubles {
  readonly #say: (error: Error) => void;
  /** By kind, when one was told, and how many were not since. */
  readonly #told = new Map<string, { at: number; more: number }>();

  constructor(say: (error: Error) => void) {
    this.#say = say;
  }

  tell(error: Error, kind = ''): void {
    const now = performance.now();
    const before = this.#told.get(kind);
    if (before && now - before.at < TELL_MS) {
      before.more++;
      return;
    }
    if (before?.more) error.message += ` (and ${before.more} more in the last seconds)`;
    this.#told.set(kind, { at: now, more: 0 });
    try {
      this.#say(error);
    } catch {
      // A logger that throws has nobody to tell.
    }
  }
}
