// The sockets of the old protocol in one proxy: which of them reads what, and how much.

import type { Context } from '../context';
import { Questions } from '../log/questions';
import { CommitTurns } from './commits';
import type { LegacyWish } from './wish';

/** A socket that reads for a group from a partition. */
export interface Holder {
  /** Another one comes: nothing more is read; resolves when its last commit is settled. Never rejects. */
  replaced(): Promise<void>;
}

const places = new WeakMap<Context, Places>();

/** One a proxy. */
export class Places {
  readonly turns = new CommitTurns();
  readonly questions: Questions;
  readonly #holders = new Map<string, Holder>();
  #sockets = 0;
  #messages = 0;
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;

  private constructor(readonly context: Context) {
    this.questions = new Questions(() => context.admin());
  }

  static of(context: Context): Places {
    let found = places.get(context);
    if (!found) places.set(context, (found = new Places(context)));
    return found;
  }

  /** The place is the newcomer's at once; it reads when this resolves: who had it before has settled what it committed. */
  async take({ topic, partition, group }: LegacyWish, newcomer: Holder): Promise<void> {
    const key = JSON.stringify([group, topic, partition]);
    const before = this.#holders.get(key);
    this.#holders.set(key, newcomer);
    await before?.replaced();
  }

  /** Does nothing when another one has taken it. */
  leave({ topic, partition, group }: LegacyWish, holder: Holder): void {
    const key = JSON.stringify([group, topic, partition]);
    if (this.#holders.get(key) === holder) this.#holders.delete(key);
  }

  /** A socket comes: while there is one, figures are logged. */
  come(): void {
    if (this.#sockets++ > 0) return;
    this.#timer = setInterval(() => this.#record(), this.context.legacy.recordInterval);
    this.#timer.unref();
  }

  go(): void {
    if (--this.#sockets === 0) clearInterval(this.#timer);
  }

  sent(messages: number, bytes: number): void {
    this.#messages += messages;
    this.#bytes += bytes;
  }

  #record(): void {
    this.context.log.debug('Sockets of the old protocol, and what they were sent since the line before', {
      sockets: this.#sockets,
      messages: this.#messages,
      bytes: this.#bytes,
    });
    this.#messages = 0;
    this.#bytes = 0;
  }
}
