// One-time tickets, for browsers: a page's WebSocket and EventSource send no headers. They are of this process alone.

import { createHash, randomBytes } from 'node:crypto';
import { CloseCode, ProxyError } from '../errors';
import type { Identity } from './identity';
import { whose } from './rates';

/** Tickets that wait: of all, and of one principal. */
const MOST = 10_000;
const MOST_OF_ONE = 100;

export interface Ticket {
  ticket: string;
  /** Milliseconds since 1970. */
  expires: number;
}

interface Kept {
  identity: Identity;
  /** Of whom. */
  key: string;
  expires: number;
}

export class Tickets {
  readonly #lifetime: number;
  /** By the ticket's hash, the oldest first: who reads this memory has no ticket. */
  readonly #kept = new Map<string, Kept>();
  readonly #counts = new Map<string, number>();

  constructor(lifetime: number) {
    this.#lifetime = lifetime;
  }

  /** @throws ProxyError for who came by a ticket, for who was not asked, and for too many */
  issue(identity: Identity): Ticket {
    const { way } = identity;
    if (way === 'ticket') throw refused('A ticket gives no ticket: ask with what you got it by.');
    if (way === 'none') throw refused('Nobody is asked who they are here: connect without a ticket.');
    this.#sweep();
    const key = whose(identity);
    const count = this.#counts.get(key) ?? 0;
    if (count >= MOST_OF_ONE || this.#kept.size >= MOST) {
      const whose = count >= MOST_OF_ONE ? `You have ${count} tickets` : `There are ${MOST} tickets`;
      throw new ProxyError('TOO_MANY_REQUESTS', `${whose} that nobody has used; try again in some seconds.`, true, CloseCode.TooManyRequests);
    }
    const ticket = randomBytes(32).toString('base64url');
    const expires = Math.min(Date.now() + this.#lifetime, identity.expires ?? Number.POSITIVE_INFINITY);
    this.#kept.set(hash(ticket), { identity, key, expires });
    this.#counts.set(key, count + 1);
    return { ticket, expires };
  }

  /** Whose it is, once. */
  take(ticket: string): Identity | undefined {
    const name = hash(ticket);
    const kept = this.#kept.get(name);
    if (!kept) return undefined;
    this.#forget(name, kept);
    if (kept.expires <= Date.now()) return undefined;
    return { ...kept.identity, way: 'ticket', owner: kept.identity.way };
  }

  /** Each has the same lifetime: behind the first that is good all are, but for those whose owner's time ends sooner. */
  #sweep(): void {
    const now = Date.now();
    for (const [name, kept] of this.#kept) {
      if (kept.expires > now) return;
      this.#forget(name, kept);
    }
  }

  #forget(name: string, { key }: Kept): void {
    this.#kept.delete(name);
    const count = (this.#counts.get(key) ?? 0) - 1;
    if (count > 0) this.#counts.set(key, count);
    else this.#counts.delete(key);
  }
}

const hash = (ticket: string): string => createHash('sha256').update(ticket).digest('base64');
const refused = (message: string): ProxyError => new ProxyError('FORBIDDEN', message, false, CloseCode.Forbidden);
