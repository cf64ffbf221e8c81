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
  readonly #client: object;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;

  /** @param client which hears the replies */
  constructor(client: object) {
    this.#client = client;
  }

  /**
   * The process and the client stay alive until the reply.
   *
   * @param onReply called with the value before anything that the addon tells behind the reply; the promise is later
   */
  start<T>(begin: (requestId: number) => void, onReply?: (value: T) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      this.#pending.set(id, { resolve, reject, onReply });
      hold(this.#client);
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

  #take(id: number): Pending | undefined {
    const call = this.#pending.get(id);
    if (call && this.#pending.delete(id)) release(this.#client);
    return call;
  }
}
