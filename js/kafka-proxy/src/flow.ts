// How much a subscription may be sent now: its credit, whether it is paused, and what its socket still has to write.

import { HIGH, type Socket } from './socket';

export interface Room {
  messages: number;
  bytes: number;
}

/**
 * Credit is counted down by what was sent, and given anew by the client; who never gave any has no limit. A frame may exceed the bytes
 * that are left, so that a message larger than any credit is not stuck.
 */
export class Flow {
  #messages = Number.POSITIVE_INFINITY;
  #bytes = Number.POSITIVE_INFINITY;
  #paused = false;
  #waiting: (() => void)[] = [];
  #ended = false;

  constructor(readonly socket: Socket) {
    socket.closed.hear(this.end);
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** The socket or the subscription is gone: nothing is sent any more. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Room that the client's credit allows, whatever the socket has waiting; undefined: nothing. */
  get credit(): Room | undefined {
    if (this.#ended || this.#paused || this.#messages <= 0 || this.#bytes <= 0) return undefined;
    return { messages: this.#messages, bytes: this.#bytes };
  }

  /** The same, and nothing while more than `high` bytes wait in the socket. */
  room(high = HIGH): Room | undefined {
    return this.socket.buffered >= high ? undefined : this.credit;
  }

  /** Adds to the credit; the first call for messages, or for bytes, makes a limit of it. */
  give({ messages, bytes }: { messages?: number | undefined; bytes?: number | undefined }): void {
    if (messages !== undefined) this.#messages = finite(this.#messages) + messages;
    if (bytes !== undefined) this.#bytes = finite(this.#bytes) + bytes;
    this.#wake();
  }

  took(messages: number, bytes: number): void {
    this.#messages -= messages;
    this.#bytes -= bytes;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#wake();
  }

  /** A subscription that ends leaves nothing behind in its socket. */
  readonly end = (): void => {
    this.#ended = true;
    this.socket.closed.forget(this.end);
    this.#wake();
  };

  /** Resolves when there may be room again, or it has ended. Look again then: others may have taken it. */
  async changed(): Promise<void> {
    if (this.#ended) return;
    if (this.credit) await this.socket.drained();
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

function finite(credit: number): number {
  return credit === Number.POSITIVE_INFINITY ? 0 : credit;
}
