import { Turn } from './turn';

/** The clock is looked at once in so many questions: a look takes as long as a short handler. */
const EACH = 8;

/** For work that goes on and on in microtasks: says when others should have their turn of the event loop. @internal */
export class Pace {
  #left = EACH;
  #next: Promise<void> | undefined;
  #resolve!: () => void;
  readonly #turn = new Turn(() => {
    this.#next = undefined;
    this.#resolve();
  });

  /** Whether the clients have had their time of this turn; then {@link turn} is to be awaited. */
  late(): boolean {
    if (--this.#left > 0) return false;
    const late = Turn.look();
    this.#left = late ? 1 : EACH; // of several that share the turn each looks, and waits, before its next message
    return late;
  }

  /** Resolves when the line has come to it: in the next turn, or a later one. */
  turn(): Promise<void> {
    this.#turn.wait();
    return (this.#next ??= new Promise((resolve) => (this.#resolve = resolve)));
  }
}
