const TELL_MS = 10_000;

/** Of each kind of trouble the first is told, then at most one in ten seconds, with the number of those between. */
export class Troubles {
  readonly #told = new Map<string, { at: number; more: number }>();

  tell(kind: string, message: string, say: (message: string) => void): void {
    const now = performance.now();
    const told = this.#told.get(kind);
    if (told && now - told.at < TELL_MS) {
      told.more++;
      return;
    }
    this.#told.set(kind, { at: now, more: 0 });
    try {
      say(told?.more ? `${message} (and ${told.more} more in the last seconds)` : message);
    } catch {
      // A logger that throws has nobody to tell.
    }
  }
}
