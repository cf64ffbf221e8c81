// Credentials of a connection: a token or a ticket, which a function gives anew for each.

import { KafkaProxyError } from './errors';
import type { WebSocketClass } from './link';

export interface CredentialOptions {
  /** Of the HTTP request that opens the socket, such as `authorization`. With a WebSocket class whose third argument has them (`ws`); a browser's has none. */
  headers?: Record<string, string>;
  /**
   * A token, or what gives one: it is asked at each connection, again after close code 4401, and has 10 s. It goes as the header `authorization` where the
   * WebSocket class takes headers (`ws`), else as the subprotocol `bearer.TOKEN`, which has no `/` and `=`.
   */
  token?: string | (() => string | Promise<string>);
  /** Gives a ticket of `POST /tickets`, which opens one connection: asked as a `token` that is a function is. */
  ticket?: () => string | Promise<string>;
}

/** Arguments of a WebSocket. */
export interface Opening {
  url: string;
  /** Beside the client's own. */
  protocols: string[];
  options: object | undefined;
}

export class Credentials {
  readonly #url: string;
  readonly #headers: Record<string, string> | undefined;
  readonly #kind: 'token' | 'ticket';
  readonly #given: string | (() => string | Promise<string>) | undefined;
  readonly #inHeader: boolean;

  /** @throws TypeError */
  constructor(url: string, WebSocket: WebSocketClass, { headers, token, ticket }: CredentialOptions) {
    if (headers && WebSocket === globalThis.WebSocket)
      throw new TypeError('KafkaProxyClient: the global WebSocket sends no headers: give the WebSocket class of ws, too');
    if (token !== undefined && typeof token !== 'string' && typeof token !== 'function')
      throw new TypeError('KafkaProxyClient: token must be a string, or a function that gives one');
    if (ticket !== undefined && typeof ticket !== 'function')
      throw new TypeError('KafkaProxyClient: ticket must be a function: a ticket opens one connection only');
    const authorized = Object.keys(headers ?? {}).some((name) => name.toLowerCase() === 'authorization');
    if ([token !== undefined, ticket !== undefined, authorized].filter(Boolean).length > 1)
      throw new TypeError('KafkaProxyClient: give one of token, ticket and the header authorization');
    this.#url = url;
    this.#headers = headers;
    this.#kind = ticket ? 'ticket' : 'token';
    this.#given = ticket ?? token;
    // Of other classes nobody knows; all take subprotocols.
    this.#inHeader = WebSocket.length > 2;
  }

  /** A refused one may be followed by a better one. */
  get renewable(): boolean {
    return typeof this.#given === 'function';
  }

  /** Rejects when there is none within so many milliseconds. */
  async ask(milliseconds: number): Promise<string> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${milliseconds} ms`)), milliseconds);
    });
    try {
      return await Promise.race([(this.#given as () => Promise<string>)(), late]);
    } catch (error) {
      throw new Error(`the option ${this.#kind} gave none: ${(error as Error)?.message ?? error}`);
    } finally {
      clearTimeout(timer);
    }
  }

  /** @param asked what `ask` gave. @throws KafkaProxyError for what is no token, without a word of it */
  opening(asked?: unknown): Opening {
    const headers = this.#headers && { headers: this.#headers };
    if (this.#given === undefined) return { url: this.#url, protocols: [], options: headers };
    const secret = this.renewable ? asked : this.#given;
    const fits = this.#inHeader || this.#kind === 'ticket' ? /^[\w.~+/-]+=*$/ : /^[\w.~+-]+$/;
    if (typeof secret !== 'string' || !fits.test(secret))
      throw new KafkaProxyError('BAD_TOKEN', `The ${this.#kind} is not text of the characters that one may have: base64url and dots, without spaces.`);
    if (this.#kind === 'ticket') {
      const url = this.#url.replace(/#.*$/s, '');
      return { url: `${url}${url.includes('?') ? '&' : '?'}ticket=${encodeURIComponent(secret)}`, protocols: [], options: headers };
    }
    if (!this.#inHeader) return { url: this.#url, protocols: [`bearer.${secret}`], options: headers };
    return { url: this.#url, protocols: [], options: { headers: { ...this.#headers, authorization: `Bearer ${secret}` } } };
  }
}
