// Whose turn it is: what is done at the same time takes so much at the most, bytes or places.

import { CloseCode, ProxyError } from '../errors';

interface Turn {
  readonly who: string;
  readonly own: number;
  readonly begin: () => void;
}

export class Turns {
  readonly #most: number;
  readonly #mostOfOne: number;
  #taken = 0;
  readonly #takenBy = new Map<string, number>();
  readonly #waiting: Turn[] = [];

  /** @param mostOfOne that one asker has at the same time: who does not give it back keeps nobody else out */
  constructor(most: number, mostOfOne = most) {
    this.#most = most;
    this.#mostOfOne = mostOfOne;
  }

  /** Resolves with what gives it back, when it is one's turn; the second call does nothing. A wish beyond one's share takes the whole share. Rejects when `gone` is aborted before. */
  async take(who: string, wanted: number, gone: AbortSignal): Promise<() => void> {
    const own = Math.min(wanted, this.#mostOfOne);
    await this.#wait(who, own, gone);
    let given = false;
    return () => {
      if (given) return;
      given = true;
      this.#add(who, -own);
      this.#next();
    };
  }

  #wait(who: string, own: number, gone: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        const at = this.#waiting.indexOf(turn);
        if (at < 0) return;
        this.#waiting.splice(at, 1);
        reject(new ProxyError('CLOSING', 'The proxy ends, or the client has gone; nothing was written.', true, CloseCode.GoingAway));
        this.#next();
      };
      const begin = (): void => {
        gone.removeEventListener('abort', leave);
        resolve();
      };
      const turn = { who, own, begin };
      gone.addEventListener('abort', leave, { once: true });
      this.#waiting.push(turn);
      this.#next();
      if (gone.aborted) leave();
    });
  }

  /** In their order; who has all that one may have lets others pass. */
  #next(): void {
    for (let at = 0; at < this.#waiting.length; ) {
      const { who, own, begin } = this.#waiting[at]!;
      if ((this.#takenBy.get(who) ?? 0) + own > this.#mostOfOne) {
        at++;
        continue;
      }
      if (this.#taken + own > this.#most) return;
      this.#waiting.splice(at, 1);
      this.#add(who, own);
      begin();
    }
  }

  #add(who: string, own: number): void {
    this.#taken += own;
    const its = (this.#takenBy.get(who) ?? 0) + own;
    if (its > 0) this.#takenBy.set(who, its);
    else this.#takenBy.delete(who);
  }
}
