// Everybody's sockets, and answers that go on: who is among them is audited, and closed when the time is over for which it was let in.

// From the module, not from the globals: fake timers of a test framework must not stop it.
import { clearTimeout, setTimeout } from 'node:timers';
import type { Audit } from './doors/audit';
import { CloseCode } from './errors';
import type { Socket } from './socket';

/** Milliseconds between two looks, at the least and at the most: the clock may be set, and timers are no longer than 24.8 days. */
const SHORTEST = 20;
const LONGEST = 60_000;

export class Sockets extends Set<Socket> {
  readonly #audit: Audit;
  /** One timer for all of those whose time is limited. */
  readonly #limited = new Set<Socket>();
  #timer: NodeJS.Timeout | undefined;
  /** When it looks next. */
  #next = Number.POSITIVE_INFINITY;

  constructor(audit: Audit) {
    super();
    this.#audit = audit;
  }

  override add(socket: Socket): this {
    if (this.has(socket)) return this;
    super.add(socket);
    this.#audit.opened(socket);
    const { expires } = socket.identity;
    if (expires !== undefined) {
      this.#limited.add(socket);
      this.#lookAt(expires);
    }
    return this;
  }

  /** @param code with which it was closed */
  override delete(socket: Socket, code?: number): boolean {
    if (!super.delete(socket)) return false;
    this.#limited.delete(socket);
    this.#audit.closed(socket, code);
    return true;
  }

  #lookAt(time: number): void {
    const now = Date.now();
    const next = Math.min(Math.max(time, now + SHORTEST), now + LONGEST);
    if (this.#timer && this.#next <= next) return;
    clearTimeout(this.#timer);
    this.#next = next;
    this.#timer = setTimeout(() => this.#look(), next - now).unref();
  }

  #look(): void {
    this.#timer = undefined;
    const now = Date.now();
    let next = Number.POSITIVE_INFINITY;
    for (const socket of this.#limited) {
      const expires = socket.identity.expires ?? Number.POSITIVE_INFINITY;
      if (expires > now) {
        next = Math.min(next, expires);
        continue;
      }
      this.#limited.delete(socket);
      socket.close(CloseCode.Unauthorized, 'the time is over for which you were let in; connect again, with a new token');
    }
    if (this.#limited.size > 0) this.#lookAt(next);
  }
}
