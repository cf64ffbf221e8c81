// Sockets that are full.

import { CloseCode } from '../errors';
import { LOW, type Socket } from '../socket';

export class SlowSockets {
  readonly #watched = new WeakSet<Socket>();
  readonly #limit: number;

  /** @param limit milliseconds that a full socket has to take some of it */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The socket is full: it is closed unless it takes something, time after time, until it has drained. */
  watch(socket: Socket): void {
    if (this.#watched.has(socket)) return;
    this.#watched.add(socket);
    let least = socket.buffered;
    const timer = setInterval(() => {
      const { buffered } = socket;
      if (buffered < least) least = buffered;
      else socket.close(CloseCode.TooSlow, `the client has not read for ${this.#limit} ms: read faster, give credit, or subscribe with slow: 'newest'`);
    }, this.#limit);
    void socket.drained(LOW).then(() => {
      clearInterval(timer);
      this.#watched.delete(socket);
    });
  }
}
