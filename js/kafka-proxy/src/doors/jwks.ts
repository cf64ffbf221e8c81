// Keys that somebody else publishes, and changes (RFC 7517: a JWKS).

import type { Log } from '../log';
import { fitting, publicKey, type Jwk, type Key } from './keys';

/** Milliseconds that an answer may take, and its bytes. */
const PATIENCE = 5000;
const LARGEST = 512 * 1024;
/** Keys that a set may have. */
const MOST = 100;
/** Milliseconds until it is asked again after it failed. */
const AGAIN = 5000;

/** The keys cannot be had, and none that is known fits. */
export class KeysAway extends Error {}

/**
 * Published keys replace known ones: a key that is withdrawn opens nothing any more, at the latest `refresh` milliseconds later. When
 * nobody answers, the known ones go on.
 */
export class PublishedKeys {
  readonly #url: URL;
  readonly #refresh: number;
  readonly #cooldown: number;
  readonly #log: Log;
  #keys: readonly Key[] = [];
  /** When they came, and when they were asked for. */
  #came = Number.NEGATIVE_INFINITY;
  #asked = Number.NEGATIVE_INFINITY;
  #failed = false;
  #asking: Promise<void> | undefined;

  constructor(url: string, refresh: number, cooldown: number, log: Log) {
    this.#url = new URL(url);
    this.#refresh = refresh;
    this.#cooldown = cooldown;
    this.#log = log;
  }

  /** Those that may have signed a token with this header. Rejects with {@link KeysAway}. */
  async find(alg: string, kid: string | undefined): Promise<Key[]> {
    if (performance.now() - this.#came > this.#refresh) await this.#renew();
    let found = this.#fitting(alg, kid);
    if (found.length === 0) {
      // Somebody may have a new key; or made up a name, which asks no more often than the cooldown says.
      await this.#renew();
      found = this.#fitting(alg, kid);
    }
    if (found.length === 0 && this.#failed) throw new KeysAway();
    return found;
  }

  /** A key that has a name signs under it only. */
  #fitting(alg: string, kid: string | undefined): Key[] {
    return fitting(this.#keys, alg, kid).filter((key) => kid === undefined || key.kid === kid);
  }

  #renew(): Promise<void> {
    if (this.#asking) return this.#asking;
    const pause = this.#failed ? Math.min(AGAIN, this.#cooldown) : this.#cooldown;
    if (performance.now() - this.#asked < pause) return Promise.resolve();
    this.#asked = performance.now();
    this.#asking = this.#ask().finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  async #ask(): Promise<void> {
    const { origin, pathname } = this.#url;
    try {
      const keys = await fetched(this.#url);
      this.#keys = keys;
      this.#came = performance.now();
      if (this.#failed) this.#log.info(`the keys of tokens come again from ${origin}${pathname}`);
      this.#failed = false;
    } catch (error) {
      const why = `${(error as Error).message}${causeOf(error)}`;
      const then = this.#keys.length > 0 ? 'those that are known go on' : 'nobody comes in by a token';
      this.#log.warn(`the keys of tokens cannot be had from ${origin}${pathname}: ${why}; ${then}, and they are asked for again`);
      this.#failed = true;
    }
  }
}

function causeOf(error: unknown): string {
  const { cause } = error as Error;
  return cause instanceof Error ? ` (${(cause as NodeJS.ErrnoException).code ?? cause.message})` : '';
}

async function fetched(url: URL): Promise<Key[]> {
  const response = await fetch(url, { signal: AbortSignal.timeout(PATIENCE), redirect: 'error', headers: { accept: 'application/json' } });
  if (!response.ok) {
    await response.body?.cancel();
    throw new Error(`the answer is ${response.status}`);
  }
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    length += part.length;
    if (length > LARGEST) throw new Error(`the answer has more than ${LARGEST} bytes`);
    parts.push(part);
  }
  const document = documentOf(Buffer.concat(parts));
  try {
    return keysOf(document);
  } catch (error) {
    throw new Error(`the answer ${(error as Error).message}`);
  }
}

function documentOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    throw new Error('the answer is no JSON');
  }
}

/** Those that can be used: a set may have others, for other uses. @throws Error for what is no set */
export function keysOf(document: unknown): Key[] {
  const { keys } = (document ?? {}) as { keys?: unknown };
  if (!Array.isArray(keys)) throw new Error("is no set of keys: it has no array 'keys'");
  if (keys.length > MOST) throw new Error(`has more than ${MOST} keys`);
  return keys.flatMap((jwk: Jwk): Key[] => {
    try {
      return [publicKey(jwk)];
    } catch {
      return [];
    }
  });
}
