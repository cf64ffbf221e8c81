// Sockets that are full.

import { CloseCode } from './errors';
import { LOW, type Socket } from './socket';

export class SlowSockets {
  readonly #watched = new WeakSet<Socket>();
  readonly #limit: number;

  /** @param limit milliseconds that a full socket has to take some of it */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** There is more than the socket may have waiting: it is closed unless it takes something, time after time, until it has drained. */
  watch(socket: Socket): void {
    if (this.#watched.has(socket)) return;
    this.#watched.add(socket);
    // Not what waits: others may send meanwhile.
    let { taken } = socket;
    const timer = setInterval(() => {
      if (socket.taken > taken) ({ taken } = socket);
      else socket.close(CloseCode.TooSlow, `the client has not read for ${this.#limit} ms: read faster, give credit, or subscribe with slow: 'newest'`);
    }, this.#limit);
    void socket.drained(LOW).then(() => {
      clearInterval(timer);
      this.#watched.delete(socket);
    });
  }
}
