import type { NativeErrorData } from './binding';
import { fromData, fromThrown } from './errors';
import { hold, release } from './lifetime';

interface Pending {
  resolve(value: any): void;
  reject(error: unknown): void;
  onReply: ((value: any) => void) | undefined;
}

/** The asynchronous calls of one client: promises of JavaScript, ended by the reply that names their id. */
export class Calls {
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #onIdle: (() => void) | undefined;

  /**
   * The process stays alive until the reply.
   *
   * @param onReply called with the value before anything that the addon tells behind the reply; the promise is later
   */
  start<T>(begin: (requestId: number) => void, onReply?: (value: T) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      this.#pending.set(id, { resolve, reject, onReply });
      hold();
      try {
        begin(id);
      } catch (thrown) {
        this.#take(id)?.reject(fromThrown(thrown));
      }
    });
  }

  finish(id: number, error: NativeErrorData | undefined | null, value: unknown): void {
    const call = this.#take(id);
    if (error) return call?.reject(fromData(error));
    call?.onReply?.(value);
    call?.resolve(value);
  }

  /** Calls `then` when no call is pending any more: now, or with the last reply. */
  whenIdle(then: () => void): void {
    if (this.#pending.size === 0) then();
    else this.#onIdle = then;
  }

  #take(id: number): Pending | undefined {
    const call = this.#pending.get(id);
    if (call && this.#pending.delete(id)) release();
    if (this.#pending.size === 0) this.#onIdle?.();
    return call;
  }
}
