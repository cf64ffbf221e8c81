// The proxy's HTTP: who asks is let in as a socket is, and takes a route.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { version } from '../../package.json';
import type { Context } from '../context';
import type { Doors } from '../doors/doors';
import { addressOf } from '../doors/network';
import { ANYBODY } from '../doors/identity';
import { Refusal } from '../doors/refusal';
import { CloseCode, ProxyError } from '../errors';
import type { ReadOptions } from '../options';
import type { Owner } from '../ws-socket';
import { failure, json } from './answer';
import { leadsToPage, PAGE_ROUTES } from './page';
import { IDENTITY } from './identity';
import { FIGURES } from './figures';
import { bodyOf } from './body';
import { offer, refusesForeign, share } from './cross';
import { events } from './events';
import { groups } from './groups';
import { messages } from './messages';
import { produce } from './produce';
import { resets } from './resets';
import { Router, type Ask, type Route } from './router';
import { StreamSocket } from './stream-socket';
import { topics } from './topics';

/** All routes. */
const ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: '/',
    open: true,
    answer: (ask) => (leadsToPage(ask) ? undefined : { name: 'kafka-proxy', version, docs: 'docs/http.md and docs/protocol.md of the package kafka-proxy' }),
  },
  ...PAGE_ROUTES,
  ...IDENTITY,
  ...FIGURES,
  ...topics,
  ...messages,
  ...events,
  ...produce,
  ...groups,
  ...resets,
];

const ENDING = new ProxyError('CLOSING', 'The proxy ends; ask again.', true, CloseCode.GoingAway);
const NOWHERE = new ProxyError('NOT_FOUND', 'There is nothing at this path; docs/http.md has those that there are.', false, CloseCode.UnknownTopic);

export class Http {
  readonly #router = new Router(ROUTES);
  readonly #context: Context;
  readonly #doors: Doors;
  readonly #options: ReadOptions;
  readonly #base: string;
  readonly #owner: Owner;
  readonly #welcome: (socket: StreamSocket) => void;
  /** Of the requests under way. */
  readonly #asking = new Set<AbortController>();
  #ending = false;

  /** @param welcome is told of answers that go on */
  constructor(context: Context, doors: Doors, options: ReadOptions, owner: Owner, welcome: (socket: StreamSocket) => void) {
    this.#base = baseOf(options.path);
    this.#context = context;
    this.#doors = doors;
    this.#options = options;
    this.#owner = owner;
    this.#welcome = welcome;
  }

  /**
   * Answers a request whose path, below the proxy's own, is `path`; undefined: it is elsewhere. Never rejects.
   *
   * @param hosts names and addresses on which the proxy listens
   */
  async handle(request: IncomingMessage, response: ServerResponse, path: string | undefined, query: URLSearchParams, hosts: readonly string[]): Promise<void> {
    request.on('error', ignore);
    response.on('error', ignore);
    if (!this.#options.http) return onlySockets(response);
    const gone = new AbortController();
    const leave = (): void => {
      this.#asking.delete(gone);
      gone.abort();
    };
    response.once('close', leave);
    // A response that waits behind another one of the connection does not hear of the connection's end.
    const { socket } = request;
    const cut = (): void => void response.emit('close');
    socket.setMaxListeners(0).once('close', cut);
    response.once('close', () => socket.off('close', cut));
    this.#asking.add(gone);
    if (response.destroyed || socket.destroyed) leave();
    const answered = this.#answer(request, response, path, query, hosts, gone.signal).catch((error: unknown) => {
      const told = ProxyError.of(error);
      // Kafka's errors are for who asks.
      if (told.code === 'INTERNAL' && !gone.signal.aborted) this.#context.log.error(`${request.method} ${path}: ${(error as Error)?.stack ?? error}`);
      failure(response, told);
    });
    // Writes under way are answered before the proxy ends.
    this.#owner.ended(answered);
    return answered;
  }

  /** The proxy ends: what is new is refused, and what waits for messages gives what it has. */
  end(): void {
    this.#ending = true;
    for (const each of this.#asking) each.abort();
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    path: string | undefined,
    query: URLSearchParams,
    hosts: readonly string[],
    gone: AbortSignal,
  ): Promise<void> {
    if (path === undefined) throw NOWHERE;
    const method = request.method ?? 'GET';
    const found = this.#router.find(method, path);
    if (Array.isArray(found)) {
      if (found.length === 0) throw NOWHERE;
      const methods = [...found.flatMap((each) => (each === 'GET' ? ['GET', 'HEAD'] : [each])), 'OPTIONS'];
      if (method === 'OPTIONS') return this.#offer(request, response, path, methods, hosts);
      const allow = methods.join(', ');
      return json(response, 405, { code: 'METHOD_NOT_ALLOWED', message: `Only ${allow} is known here.`, retriable: false }, { Allow: allow });
    }
    const { route, names } = found;
    // The process is healthy until it has ended, and says that it is not ready.
    if (this.#ending && !route.open) throw ENDING;
    // An answer that goes on has a place, as sockets have, until it ends.
    const enter = async () => (route.socket ? this.#doors.enter(request, response, hosts) : this.#doors.ask(request, hosts));
    const identity = route.open ? ANYBODY : (refusesForeign(request, this.#options.origins) ?? (await enter()));
    if (identity instanceof Refusal) return this.#refuse(request, response, path, identity);
    if (!route.open) share(request, response, this.#options.origins);
    if (this.#ending && !route.open) throw ENDING;
    const ask: Ask = {
      names,
      query,
      base: this.#base,
      door: this.#options.path ?? '/',
      identity,
      context: this.#context,
      request,
      response,
      gone,
      body: () => bodyOf(request, this.#context.limits.payload, gone),
      socket: (protocol) => {
        const socket = new StreamSocket(request, response, identity, addressOf(request), protocol, `${this.#base}${path}`, this.#owner);
        this.#welcome(socket);
        return socket;
      },
    };
    const document = await route.answer(ask);
    if (document !== undefined) json(response, 200, document);
  }

  #offer(request: IncomingMessage, response: ServerResponse, path: string, methods: readonly string[], hosts: readonly string[]): void {
    // Browsers ask without saying who: only the page is looked at.
    const refusal = this.#doors.page(request, hosts);
    if (refusal) return this.#refuse(request, response, path, refusal);
    share(request, response, this.#options.origins);
    offer(request, response, methods);
  }

  #refuse(request: IncomingMessage, response: ServerResponse, path: string, refusal: Refusal): void {
    const { status, reason } = refusal;
    this.#context.figures.refuse(status);
    // Not as the client wrote it: there may be a password before the host.
    this.#context.audit.refused(request, refusal, `${this.#base}${path}`);
    const { 'WWW-Authenticate': ways, ...headers } = refusal.headers;
    // A page that has a form says so: the browser's own window would come before it.
    if (ways !== undefined && request.headers['x-requested-with'] === undefined) headers['WWW-Authenticate'] = ways;
    // A page that may ask is told why it is not answered; where `origins` has failed it is not known whether it may.
    if (status !== 403 && status !== 500) share(request, response, this.#options.origins);
    json(response, status, { code: CODES[status] ?? 'REFUSED', message: reason, retriable: status === 429 || status === 503 }, headers);
  }
}

const ignore = (): void => {};
const CODES: Record<number, string> = { 401: 'UNAUTHORIZED', 403: 'FORBIDDEN', 429: 'TOO_MANY_REQUESTS', 503: 'UNAVAILABLE' };

/** The prefix of the paths of HTTP. */
export function baseOf(path = ''): string {
  return path.replace(/\/$/, '');
}

/** With the option `http: false`. */
function onlySockets(response: ServerResponse): void {
  response.writeHead(426, { Upgrade: 'websocket', Connection: 'close', 'Content-Type': 'text/plain; charset=utf-8' });
  response.end('This is a door to Kafka for WebSockets; connect with a WebSocket client.\n');
}
