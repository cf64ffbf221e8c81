// An end, and who waits for it.

/** An AbortSignal would do, but it takes a kilobyte, and each of ten thousand sockets has one. */
export class Ending {
  #over = false;
  #waiting: Set<() => void> | undefined;

  get over(): boolean {
    return this.#over;
  }

  /** Calls it once, when the end comes: now, if it has come. */
  hear(listener: () => void): void {
    if (this.#over) listener();
    else (this.#waiting ??= new Set()).add(listener);
  }

  forget(listener: () => void): void {
    this.#waiting?.delete(listener);
  }

  /** Said by whose end it is. Only the first call counts. */
  come(): void {
    if (this.#over) return;
    this.#over = true;
    for (const listener of this.#waiting ?? []) listener();
    this.#waiting = undefined;
  }
}
