// Clients that came in, were refused or left, and what was changed: a line each.

import type { IncomingMessage } from 'node:http';
import { printable, type Log } from '../log';
import type { Socket } from '../socket';
import { withoutSecrets } from './hooks';
import { wayOf, type Identity, type Way } from './identity';
import { addressOf } from './network';
import type { Refusal } from './refusal';

interface Who {
  /** null: nobody was asked, or it is not known. */
  name: string | null;
  /** How they said who they are; of a ticket, how its owner did. null: it is not known. */
  way: Way | null;
  address: string;
}

/** An event of the audit. It has no secret and no query string, and steers no terminal. */
export type AuditEvent =
  /** A socket, or an answer that goes on, is let in. */
  | (Who & { event: 'open'; socket: string; protocol: string; path: string | null; ticket: boolean })
  /** It is closed. `code`: with which; null: none was said. Counted are messages and their bytes, to the client and from it. */
  | (Who & {
      event: 'close';
      socket: string;
      protocol: string;
      code: number | null;
      milliseconds: number;
      sent: { messages: number; bytes: number };
      received: { messages: number; bytes: number };
    })
  /** An upgrade, or a request of HTTP, is refused with that status. `missed`: so many lines were left out before this one. */
  | (Who & { event: 'refused'; status: number; reason: string; path: string | null; origin: string | null; missed?: number })
  /** Somebody did what `admin` is needed for, such as setting the offsets of a group. */
  | (Who & { event: 'admin'; action: string; details: object });

/** Lines about who was refused, a second: who is refused fast does not fill the disk. */
const REFUSED = 100;
const LONGEST = 200;

export class Audit {
  readonly #log: Log;
  readonly #hook: ((event: AuditEvent) => unknown) | undefined;
  #second = 0;
  #refused = 0;
  #missed = 0;

  constructor(log: Log, hook: ((event: AuditEvent) => unknown) | undefined) {
    this.#log = log;
    this.#hook = hook;
  }

  opened(socket: Socket): void {
    const { identity, address, id, protocol, path } = socket;
    this.#tell({
      event: 'open',
      ...who(identity, address),
      socket: id,
      protocol,
      path: path === undefined ? null : short(path),
      ticket: identity.way === 'ticket',
    });
  }

  closed(socket: Socket, code: number | undefined): void {
    const { identity, address, id, protocol, since, traffic } = socket;
    const { sent, received } = traffic;
    this.#tell({
      event: 'close',
      ...who(identity, address),
      socket: id,
      protocol,
      code: code ?? null,
      milliseconds: Math.max(Date.now() - since, 0),
      sent: { messages: sent.messages, bytes: sent.bytes },
      received: { messages: received.messages, bytes: received.bytes },
    });
  }

  /** @param path undefined: it is none that the proxy knows */
  refused(request: IncomingMessage, { status, reason }: Refusal, path: string | undefined): void {
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#refused = 0;
    }
    if (++this.#refused > REFUSED) {
      this.#missed++;
      return;
    }
    const { origin } = request.headers;
    const event: AuditEvent = {
      event: 'refused',
      name: null,
      way: null,
      address: addressOf(request),
      status,
      reason,
      path: path === undefined ? null : short(path),
      origin: origin === undefined ? null : short(origin),
      ...(this.#missed > 0 && { missed: this.#missed }),
    };
    this.#missed = 0;
    this.#tell(event);
  }

  /** @param details nothing secret: a group's name, offsets */
  acted(identity: Identity, action: string, details: object): void {
    this.#tell({ event: 'admin', ...who(identity, identity.address ?? ''), action, details });
  }

  #tell(event: AuditEvent): void {
    this.#log.info(`audit ${JSON.stringify(event)}`);
    if (!this.#hook) return;
    const failed = (error: unknown): void => this.#log.error(`audit failed: ${withoutSecrets(error, [])}`);
    try {
      Promise.resolve(this.#hook(event)).catch(failed);
    } catch (error) {
      failed(error);
    }
  }
}

function who(identity: Identity, address: string): Who {
  return { name: identity.name === undefined ? null : short(identity.name), way: wayOf(identity), address };
}

function short(text: string): string {
  return printable(text.slice(0, LONGEST));
}
