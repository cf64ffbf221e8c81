// Bearer tokens: JWTs (RFC 7519), judged by jose.

import type { Log } from '../log';
import { claimOf, textOf } from './claims';
import type { Identity } from './identity';
import { keysOf, PublishedKeys } from './jwks';
import { ALGORITHMS, fitting, publicKey, secretKey, type Jwk, type Key } from './keys';
import { isLoopback } from './network';

type OneOrMore<T> = T | T[];

/** Which tokens open the door. At least one of `jwks`, `key` and `secret` must be there. Times are milliseconds. */
export interface JwtOptions {
  /** Where the keys are published (a URL), or the set itself. */
  jwks?: string | { keys: Jwk[] };
  /** Public keys: PEM or JWK. */
  key?: OneOrMore<string | Uint8Array | Jwk>;
  /** Secrets of HS256, HS384 and HS512, of at least 32 bytes. */
  secret?: OneOrMore<string | Uint8Array>;
  /** The claim `iss` must be this, or one of these. */
  issuer?: OneOrMore<string>;
  /** The claim `aud` must have this, or one of these. */
  audience?: OneOrMore<string>;
  /** Default: those that the keys are for. */
  algorithms?: string[];
  /** How far clocks may be apart, for `exp` and `nbf`. Default 5000. */
  clockTolerance?: number;
  /** The claim that is the name. Default `sub`. A token without it is refused. */
  principal?: string;
  /** Claims that a token must have, such as `exp`: without it, it lasts for ever. */
  required?: string[];
  /** When published keys are fetched anew. Default 600 000. */
  refresh?: number;
  /** Between two fetches because of a key that is not known. Default 30 000. */
  cooldown?: number;
}

/** Why a token is refused. */
export class Unfit {
  constructor(
    /** For its owner: nothing of the token is in it. */
    readonly reason: string,
    /** Nobody who has a key has signed it. */
    readonly forged: boolean,
  ) {}
}

/** Of those without a name so many keys are tried. */
const TRIES = 20;
/** The latest time that there is. */
const NEVER = 8.64e15;

// jose is a module for `import` alone, and takes 20 ms.
let jose: Promise<typeof import('jose', { with: { 'resolution-mode': 'import' }})> | undefined;

export class Tokens {
  readonly #options: JwtOptions;
  readonly #algorithms: readonly string[];
  readonly #keys: readonly Key[];
  readonly #published: PublishedKeys | undefined;

  /** @throws TypeError naming the option */
  constructor(options: JwtOptions, log: Log) {
    const { jwks, refresh = 600_000, cooldown = 30_000 } = options;
    this.#options = options;
    this.#keys = staticKeys(options);
    this.#algorithms = options.algorithms ?? ALGORITHMS;
    if (typeof jwks !== 'string') return;
    this.#published = new PublishedKeys(jwks, refresh, cooldown, log);
  }

  /** Points that its owner should think about. */
  *warnings(): Generator<string> {
    const { jwks, issuer, audience } = this.#options;
    if (issuer === undefined && audience === undefined && jwks !== undefined)
      yield 'jwt has neither issuer nor audience: a token that these keys have signed for any other service opens this door, too';
    if (typeof jwks === 'string' && jwks.startsWith('http:') && !isLoopback(new URL(jwks).hostname))
      yield 'jwt.jwks is fetched without TLS: who can change the answer on its way lets in whom they like';
  }

  /** The owner of this token. Rejects with KeysAway when that cannot be found out. */
  async named(token: string): Promise<Identity | Unfit> {
    const { decodeProtectedHeader } = await (jose ??= import('jose'));
    let header: { alg?: unknown; kid?: unknown };
    try {
      header = decodeProtectedHeader(token);
    } catch {
      return new Unfit('it is no token', true);
    }
    const { alg } = header;
    if (typeof alg !== 'string' || !this.#algorithms.includes(alg)) return new Unfit('its algorithm is not allowed', true);
    // All else in the header, such as where to find a key, is the word of whoever made it.
    const kid = typeof header.kid === 'string' ? header.kid : undefined;
    const own = await this.#judged(token, alg, fitting(this.#keys, alg, kid));
    if (own || !this.#published) return own ?? UNKNOWN;
    return (await this.#judged(token, alg, await this.#published.find(alg, kid))) ?? UNKNOWN;
  }

  /** undefined: none of these keys has signed it. */
  async #judged(token: string, alg: string, keys: readonly Key[]): Promise<Identity | Unfit | undefined> {
    const { jwtVerify, errors } = await (jose ??= import('jose'));
    const { issuer, audience, required, clockTolerance = 5000 } = this.#options;
    const wanted = { algorithms: [alg], clockTolerance: clockTolerance / 1000, ...(issuer && { issuer }), ...(audience && { audience }) };
    for (const { key } of keys.slice(0, TRIES)) {
      try {
        const { payload } = await jwtVerify(token, key, { ...wanted, requiredClaims: required ?? [] });
        return this.#identity(payload, clockTolerance);
      } catch (error) {
        if (error instanceof errors.JWTExpired) return new Unfit('it has expired', false);
        if (error instanceof errors.JWTClaimValidationFailed) return new Unfit(`its claim ${nameIn(error.claim)} is missing or does not fit`, false);
        if (error instanceof errors.JWTInvalid) return new Unfit('it has no claims', false);
      }
    }
    return undefined;
  }

  #identity(payload: Record<string, unknown>, tolerance: number): Identity | Unfit {
    const { principal = 'sub' } = this.#options;
    const name = textOf(claimOf(payload, principal));
    if (name === undefined) return new Unfit(`its claim ${principal} is missing or is no name`, false);
    const { exp } = payload;
    const expires = typeof exp === 'number' ? Math.min(exp * 1000 + tolerance, NEVER) : undefined;
    return { way: 'token', principal: payload, name, claims: payload, expires };
  }
}

const UNKNOWN = new Unfit('no known key has signed it', true);

function nameIn(claim: string): string {
  return /^[\w:./-]{1,60}$/.test(claim) ? claim : 'of it';
}

function staticKeys({ jwks, key, secret }: JwtOptions): Key[] {
  return [
    ...list(secret).map((each, i) => named(secret, 'secret', i, () => secretKey(each))),
    ...list(key).map((each, i) => named(key, 'key', i, () => publicKey(each))),
    ...(typeof jwks === 'object' ? named(jwks, 'jwks', 0, () => keysOf(jwks)) : []),
  ];
}

function named<T>(given: unknown, option: string, at: number, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw new TypeError(`kafka-proxy: jwt.${option}${Array.isArray(given) ? `[${at}]` : ''} ${(error as Error).message}`);
  }
}

function list<T>(given: OneOrMore<T> | undefined): T[] {
  return given === undefined ? [] : Array.isArray(given) ? given : [given];
}

const BEARER = 'bearer.';

/** The token of a request: in the header Authorization, or, from browsers, beside the subprotocols. undefined: none, or several. */
export function tokenOf(authorization: string | undefined, subprotocols: string | undefined): string | undefined {
  const tokens = [
    ...(authorization && /^bearer /i.test(authorization) ? [authorization.slice(7).trim()] : []),
    ...(subprotocols ?? '')
      .split(',')
      .map((each) => each.trim())
      .filter((each) => each.startsWith(BEARER))
      .map((each) => each.slice(BEARER.length)),
  ];
  return tokens.length === 1 ? tokens[0] : undefined;
}
