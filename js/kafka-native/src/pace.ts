import { Turn, TURN } from './turn';

/** The clock is looked at once in so many questions: a look takes as long as a short handler. */
const EACH = 8;

/** For what goes on and on in microtasks: says when others should have their turn of the event loop. @internal */
export class Pace {
  #left = EACH;
  /** When this turn began, as far as was looked; 0: it was not. */
  #begun = 0;
  #next: Promise<void> | undefined;
  #resolve!: () => void;
  readonly #turn = new Turn(() => {
    this.#next = undefined;
    this.#resolve();
  });
  readonly #end = new Turn(() => void (this.#begun = 0));

  /** Whether this turn has had its time; then {@link turn} is to be awaited. */
  late(): boolean {
    if (--this.#left > 0) return false;
    this.#left = EACH;
    const now = performance.now();
    if (this.#begun === 0) {
      this.#begun = now;
      this.#end.wait();
    }
    const late = now - this.#begun >= TURN;
    if (late) this.#left = 1; // of several that share the turn each looks, and waits, before its next message
    return late;
  }

  /** Resolves in the next turn, of all that wait. */
  turn(): Promise<void> {
    this.#turn.wait();
    return (this.#next ??= new Promise((resolve) => (this.#resolve = resolve)));
  }
}
