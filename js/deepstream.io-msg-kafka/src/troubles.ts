const TELL_MS = 10_000;
/** So many kinds are remembered however old they are, for the number of those between. */
const FEW = 100;
/** No more are, however new. */
const MANY = 1000;

/** Of each kind of trouble the first is told, then at most one in ten seconds, with the number of those between. */
export class Troubles {
  /** In the order in which they were told. */
  readonly #told = new Map<string, { at: number; more: number }>();

  tell(kind: string, message: string, say: (message: string) => void): void {
    const now = performance.now();
    const told = this.#told.get(kind);
    if (told && now - told.at < TELL_MS) {
      told.more++;
      return;
    }
    this.#told.delete(kind);
    this.#told.set(kind, { at: now, more: 0 });
    this.#forget(now);
    try {
      say(told?.more ? `${message} (and ${told.more} more in the last seconds)` : message);
    } catch {
      // A logger that throws has nobody to tell.
    }
  }

  #forget(now: number): void {
    for (const [oldest, { at }] of this.#told) {
      const most = now - at < TELL_MS ? MANY : FEW;
      if (this.#told.size <= most) return;
      this.#told.delete(oldest);
    }
  }
}

/** For people; `to` is there. */
export function lostOffsets(from: string, to: string): string {
  return `messages were deleted before they were read, as retention does: those from offset ${from} to ${Number(to) - 1} are lost`;
}
