/** Asks the same question for many, one round after the other: who comes while one is under way shares the next. @internal */
export class Rounds<T> {
  readonly #ask: () => Promise<T>;
  #underWay: Promise<unknown> = Promise.resolve();
  #next: Promise<T> | undefined;

  constructor(ask: () => Promise<T>) {
    this.#ask = ask;
  }

  /** The answer of a round that has not begun yet. */
  next(): Promise<T> {
    return (this.#next ??= this.#underWay.then(() => {
      this.#next = undefined;
      const answer = this.#ask();
      this.#underWay = answer.catch(() => {});
      return answer;
    }));
  }
}
