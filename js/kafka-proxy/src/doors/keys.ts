// Keys that tokens are signed with. Which algorithms a key is for is the key's matter, never the token's.

import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';

/** A public key, or a secret. */
export interface Key {
  readonly kid: string | undefined;
  readonly key: KeyObject;
  readonly algorithms: readonly string[];
}

/** A key as JSON (RFC 7517). */
export type Jwk = {
  kty?: string | undefined;
  kid?: string | undefined;
  alg?: string | undefined;
  use?: string | undefined;
  key_ops?: string[] | undefined;
} & Record<string, unknown>;

/** Bytes of a secret: of a shorter one a token gives enough to find it by trying. */
export const SHORTEST_SECRET = 32;
const SHORTEST_RSA = 2048;
const HMAC = ['HS256', 'HS384', 'HS512'];
const RSA = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
const CURVES: ReadonlyMap<string, readonly string[]> = new Map([
  ['P-256', ['ES256']],
  ['P-384', ['ES384']],
  ['P-521', ['ES512']],
  ['Ed25519', ['EdDSA', 'Ed25519']],
]);

/** All that there are. `none` is not. */
export const ALGORITHMS: readonly string[] = [...HMAC, ...RSA, ...[...CURVES.values()].flat()];

/** @throws Error saying what is wrong with it, and nothing of what is in it */
export function secretKey(secret: string | Uint8Array): Key {
  const bytes = Buffer.from(secret);
  if (bytes.length < SHORTEST_SECRET) throw new Error(`must have at least ${SHORTEST_SECRET} bytes: a shorter one can be found by trying`);
  return { kid: undefined, key: createSecretKey(bytes), algorithms: HMAC };
}

/**
 * A public key, of PEM (also of a certificate, or of a private key) or JSON.
 *
 * @throws Error saying what is wrong with it, and nothing of what is in it
 */
export function publicKey(given: string | Uint8Array | Jwk): Key {
  if (typeof given === 'string' || given instanceof Uint8Array) {
    const text = Buffer.from(given).toString().trim();
    return text.startsWith('{') ? ofJwk(parsed(text)) : made(() => createPublicKey(text), {});
  }
  return ofJwk(given);
}

function parsed(text: string): Jwk {
  try {
    return JSON.parse(text) as Jwk;
  } catch {
    throw new Error('must be PEM or JSON');
  }
}

function ofJwk(jwk: Jwk): Key {
  if (jwk.kty === 'oct') throw new Error('is a secret: give it as jwt.secret');
  if (jwk.use !== undefined && jwk.use !== 'sig') throw new Error('is not for signatures');
  if (Array.isArray(jwk.key_ops) && !jwk.key_ops.includes('verify') && !jwk.key_ops.includes('sign')) throw new Error('is not for signatures');
  return made(() => createPublicKey({ key: jwk as never, format: 'jwk' }), jwk);
}

function made(make: () => KeyObject, { kid, alg }: Jwk): Key {
  let key: KeyObject;
  try {
    key = make();
  } catch {
    throw new Error('must be a key as PEM or JSON (JWK)');
  }
  const fitting = algorithmsOf(key);
  const algorithms = alg === undefined ? fitting : fitting.filter((each) => each === alg || (alg === 'EdDSA' && each === 'Ed25519'));
  if (algorithms.length === 0) throw new Error('is no key for any algorithm that is known here');
  return { kid: typeof kid === 'string' ? kid : undefined, key, algorithms };
}

/** @throws Error for keys that are too short */
function algorithmsOf(key: KeyObject): readonly string[] {
  if (key.asymmetricKeyType === 'rsa') {
    if ((key.asymmetricKeyDetails?.modulusLength ?? 0) < SHORTEST_RSA) throw new Error(`is an RSA key of less than ${SHORTEST_RSA} bits`);
    return RSA;
  }
  if (key.asymmetricKeyType !== 'ec' && key.asymmetricKeyType !== 'ed25519') return [];
  return CURVES.get(key.export({ format: 'jwk' }).crv ?? '') ?? [];
}

/** Those that may have signed a token with this header. */
export function fitting(keys: readonly Key[], alg: string, kid: string | undefined): Key[] {
  return keys.filter((key) => key.algorithms.includes(alg) && (kid === undefined || key.kid === undefined || key.kid === kid));
}
