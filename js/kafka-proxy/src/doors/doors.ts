// Checks at the door: everything that is asked before an upgrade, or a request, in this order, the cheap first.

import { ServerResponse, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ReadOptions } from '../options';
import { Late, within } from '../within';
import { certified } from './certificates';
import { Secret, Users } from './credentials';
import { Guesses } from './guesses';
import { withoutSecrets } from './hooks';
import { ANYBODY, given, named, type Identity } from './identity';
import { KeysAway } from './jwks';
import { addressOf, isLoopback } from './network';
import { refusesPage } from './origins';
import { Places } from './places';
import type { Rates } from './rates';
import { Refusal } from './refusal';
import type { Tickets } from './tickets';
import { tokenOf, Unfit } from './tokens';

const GONE = new Refusal(401, 'unauthorized');
const ASK_LATER = new Refusal(503, 'the proxy cannot find out who you are; try again later', { 'Retry-After': '5' });
const KEYS_AWAY = new Refusal(503, 'the keys of tokens cannot be had just now; try again later', { 'Retry-After': '5' });
const HOOK_FAILED = new Refusal(500, 'the proxy cannot find out who you are');

export class Doors {
  readonly #options: ReadOptions;
  readonly #places: Places;
  readonly #guesses: Guesses;
  readonly #rates: Rates;
  readonly #tickets: Tickets;
  readonly #secret: Secret | undefined;
  readonly #users: Users | undefined;

  constructor(options: ReadOptions, { rates, tickets }: { rates: Rates; tickets: Tickets }) {
    const { auth, users, tokens, limits, log } = options;
    this.#options = options;
    this.#places = new Places(limits);
    this.#guesses = new Guesses(limits.failedLogins);
    this.#rates = rates;
    this.#tickets = tickets;
    this.#secret = auth === undefined ? undefined : new Secret(auth);
    this.#users = users && new Users(users);
    for (const warning of tokens?.warnings() ?? []) log.warn(warning);
  }

  /** Whether anybody is asked who they are. */
  static asks({ auth, users, tokens, certificates, authenticate }: ReadOptions): boolean {
    return [auth, users, tokens, certificates, authenticate].some((way) => way !== undefined);
  }

  /**
   * Whether this upgrade, or an answer that goes on, may begin, and whose socket it is. Its places are free again when the connection is closed.
   *
   * @param hosts names and addresses on which the proxy listens
   */
  async enter(request: IncomingMessage, connection: Duplex | ServerResponse, hosts: readonly string[]): Promise<Refusal | Identity> {
    const address = addressOf(request);
    const refused = this.page(request, hosts) ?? this.#guesses.refuses(address);
    if (refused) return refused;
    // A program may hand upgrades on too late: a closed connection would never give its place back.
    if (connection.destroyed) return GONE;
    const place = this.#places.take(address);
    if (place instanceof Refusal) return place;
    connection.once('close', place.leave);
    const identity = await this.#identity(request, hosts, true);
    if (identity instanceof Refusal || connection.destroyed) return identity instanceof Refusal ? identity : GONE;
    const often = connection instanceof ServerResponse ? this.#rates.request(identity) : undefined;
    if (often) return often;
    const own = this.#places.takeFor(identity);
    if (own instanceof Refusal) return own;
    if (own) connection.once('close', own.leave);
    return identity;
  }

  /** Whether this request of HTTP is answered, and who asks. It takes no place, and no ticket opens it. */
  async ask(request: IncomingMessage, hosts: readonly string[]): Promise<Refusal | Identity> {
    const refused = this.page(request, hosts) ?? this.#guesses.refuses(addressOf(request));
    if (refused) return refused;
    const identity = await this.#identity(request, hosts, false);
    return identity instanceof Refusal ? identity : (this.#rates.request(identity) ?? identity);
  }

  /** Whether the page that asks, if one does, is one that may not. */
  page(request: IncomingMessage, hosts: readonly string[]): Refusal | undefined {
    try {
      return refusesPage(request, this.#options.origins, Doors.asks(this.#options), hosts);
    } catch (error) {
      return this.#failed('origins', error, request);
    }
  }

  async #identity(request: IncomingMessage, hosts: readonly string[], byTicket: boolean): Promise<Refusal | Identity> {
    const address = addressOf(request);
    if (!Doors.asks(this.#options)) return { ...ANYBODY, address, stranger: !(hosts.length > 0 && hosts.every(isLoopback)) };
    const identity = await this.#asked(request, byTicket);
    if (identity instanceof Refusal) return identity;
    // An identity may be over when a hook or a server of keys took long to say it.
    if (identity.expires !== undefined && identity.expires <= Date.now()) return this.#unauthorized('it has expired');
    return { ...identity, address };
  }

  /** Credentials that are said in words count more than the certificate, which a browser shows by itself. */
  async #asked(request: IncomingMessage, byTicket: boolean): Promise<Refusal | Identity> {
    const { tokens, certificates, authenticate, hookTimeout } = this.#options;
    const { authorization, cookie, 'sec-websocket-protocol': subprotocols } = request.headers;
    const ticket = byTicket ? ticketOf(request.url) : undefined;
    const owner = ticket === undefined ? undefined : this.#tickets.take(ticket);
    if (owner) return owner;
    if (this.#secret?.fits(authorization)) return named('secret', 'auth');
    const user = this.#users?.named(authorization);
    if (user !== undefined) return named('password', user);
    const token = tokens && tokenOf(authorization, subprotocols);
    const bearer = tokens && token !== undefined ? await tokens.named(token).catch(refusalOf) : undefined;
    if (bearer && !(bearer instanceof Unfit) && !(bearer instanceof Refusal)) return bearer;
    const certificate = certificates && certified(request.socket, certificates);
    if (certificate) return certificate;
    if (authenticate) {
      try {
        const principal = await within(hookTimeout, () => authenticate(request));
        // Many that come at once are asked before the first of them has failed.
        const late = this.#guesses.refuses(addressOf(request));
        if (late) return late;
        if (principal !== null && principal !== undefined && principal !== false) return given(principal);
      } catch (error) {
        return this.#failed('authenticate', error, request);
      }
    }
    if (bearer instanceof Refusal) return bearer;
    // A token that somebody of ours has signed is no guess, nor is who has said nothing.
    const said = authorization !== undefined || ticket !== undefined || token !== undefined || (authenticate !== undefined && cookie !== undefined);
    if (said && (bearer === undefined || bearer.forged)) this.#guesses.failed(addressOf(request));
    return this.#unauthorized(bearer?.reason);
  }

  /** @param why what is wrong with the token */
  #unauthorized(why: string | undefined): Refusal {
    const { auth, users, tokens, authenticate } = this.#options;
    const ways = [
      ...([auth, users, authenticate].some((way) => way !== undefined) || !tokens ? ['Basic realm="kafka-proxy", charset="UTF-8"'] : []),
      ...(tokens ? [`Bearer realm="kafka-proxy"${why === undefined ? '' : `, error="invalid_token", error_description="${why}"`}`] : []),
    ];
    return new Refusal(401, why === undefined ? 'unauthorized' : `unauthorized: the token is refused: ${why}`, { 'WWW-Authenticate': ways.join(', ') });
  }

  #failed(hook: string, error: unknown, { headers, url }: IncomingMessage): Refusal {
    const protocols = headers['sec-websocket-protocol'];
    const token = tokenOf(headers.authorization, protocols);
    const secrets = [headers.authorization, headers.cookie, protocols, token, url?.split('?').slice(1).join('?')];
    this.#options.log.error(`${hook} failed: ${withoutSecrets(error, secrets)}`);
    return error instanceof Late ? ASK_LATER : HOOK_FAILED;
  }
}

function refusalOf(error: unknown): Refusal {
  if (error instanceof KeysAway) return KEYS_AWAY;
  throw error;
}

/** One ticket; several are none. */
function ticketOf(url = ''): string | undefined {
  const begin = url.indexOf('?');
  if (begin < 0) return undefined;
  const tickets = new URLSearchParams(url.slice(begin + 1).replace(/#.*$/s, '')).getAll('ticket');
  return tickets.length === 1 && tickets[0] !== '' ? tickets[0] : undefined;
}
