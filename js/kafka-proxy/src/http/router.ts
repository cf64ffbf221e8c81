// Which route a request takes.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Context } from '../context';
import type { Identity } from '../doors/identity';
import type { StreamSocket } from './stream-socket';

/** A request that was let in. */
export interface Ask {
  /** Values of the names in the route's path, decoded. */
  readonly names: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** The prefix of all paths: `/kafka`, or nothing. */
  readonly base: string;
  /** Where sockets are opened: a path, as the option says it. */
  readonly door: string;
  readonly identity: Identity;
  readonly context: Context;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The body. Rejects with a ProxyError TOO_LARGE when it is larger than `limits.payload`. */
  body(): Promise<Buffer>;
  /** Aborted when the answer is complete, the client has gone, or the proxy ends. */
  readonly gone: AbortSignal;
  /** The answer goes on: from now on it is one of the proxy's sockets, until it is closed. For routes that say `socket`. */
  socket(protocol: string): StreamSocket;
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** `/topics/:topic/events`: each name is one part of the path. A `*` at the end is all the rest, by the name `rest`. */
  readonly path: string;
  /** Nobody is asked who they are. */
  readonly open?: boolean;
  /** Its answer goes on, and counts as a socket. */
  readonly socket?: boolean;
  /** Its result is sent as JSON; undefined: it has answered, or will. Errors that it throws are answered as such. */
  readonly answer: (ask: Ask) => unknown;
}

interface Found {
  route: Route;
  names: Record<string, string>;
}

export class Router {
  readonly #routes: readonly { route: Route; parts: readonly string[] }[];

  constructor(routes: readonly Route[]) {
    this.#routes = routes.map((route) => ({ route, parts: route.path.split('/').slice(1) }));
  }

  /** The route; else the methods that this path has, none if there is no such path. HEAD is GET. */
  find(method: string, path: string): Found | string[] {
    const given = path.split('/').slice(1);
    const fitting = this.#routes.flatMap(({ route, parts }): Found[] => {
      const names = namesOf(parts, given);
      return names ? [{ route, names }] : [];
    });
    const wanted = method === 'HEAD' ? 'GET' : method;
    return fitting.find(({ route }) => route.method === wanted) ?? [...new Set(fitting.map(({ route }) => route.method))];
  }
}

/** Values of the names; undefined: the path is another. */
function namesOf(parts: readonly string[], given: readonly string[]): Record<string, string> | undefined {
  const open = parts.at(-1) === '*';
  if (open ? given.length < parts.length : given.length !== parts.length) return undefined;
  const names: Record<string, string> = {};
  for (const [i, part] of parts.entries()) {
    if (open && i === parts.length - 1) {
      names.rest = given.slice(i).join('/');
      return names;
    }
    if (!part.startsWith(':')) {
      if (part !== given[i]) return undefined;
      continue;
    }
    try {
      names[part.slice(1)] = decodeURIComponent(given[i]!);
    } catch {
      return undefined; // a broken %
    }
    if (names[part.slice(1)] === '') return undefined;
  }
  return names;
}
