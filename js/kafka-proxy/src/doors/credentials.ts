// Credentials of the header Authorization. Everything is compared in constant time.

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** Of this process: who measures times learns nothing about the digests. */
const KEY = randomBytes(32);
const digest = (text: string): Buffer => createHmac('sha256', KEY).update(text).digest();
/** The digest of no password. */
const NOBODY = randomBytes(32);

/** The secret of kafka-proxy 1.0, which is not empty: the header is `basic <secret>`, the secret as it is. */
export class Secret {
  readonly #digests: Buffer[];

  constructor(secret: string) {
    // Node reads headers as latin1; some clients send them as UTF-8.
    this.#digests = [secret, Buffer.from(secret).toString('latin1')].map(digest);
  }

  fits(authorization: string | undefined): boolean {
    const given = digest(afterBasic(authorization) ?? '');
    let fits = false;
    for (const each of this.#digests) fits = timingSafeEqual(each, given) || fits;
    return fits;
  }
}

/** Names and passwords, none of them empty, of HTTP's Basic authentication (RFC 7617), UTF-8. */
export class Users {
  /** By the name's digest. */
  readonly #passwords: Map<string, Buffer>;

  constructor(users: Record<string, string>) {
    this.#passwords = new Map(Object.entries(users).map(([name, password]) => [digest(name).toString('hex'), digest(password)]));
  }

  /** The name, if the password is right. */
  named(authorization: string | undefined): string | undefined {
    const text = Buffer.from(afterBasic(authorization) ?? '', 'base64').toString();
    const colon = text.indexOf(':');
    const name = text.slice(0, Math.max(colon, 0));
    const password = digest(text.slice(colon + 1));
    const known = this.#passwords.get(digest(name).toString('hex')) ?? NOBODY;
    return timingSafeEqual(known, password) ? name : undefined;
  }
}

function afterBasic(authorization: string | undefined): string | undefined {
  return authorization && /^basic /i.test(authorization) ? authorization.slice(6) : undefined;
}
