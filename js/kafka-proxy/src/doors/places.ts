// How many sockets there are: in all, of an address, of a principal.

import type { Limits } from '../options';
import type { Identity } from './identity';
import { networkOf } from './network';
import { whose } from './rates';
import { Refusal } from './refusal';

export class Places {
  #sockets = 0;
  readonly #addresses = new Map<string, number>();
  readonly #principals = new Map<string, number>();
  readonly #limits: Limits;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** A place for a connection of this address, whose network is counted; `leave` it once. */
  take(from: string): Refusal | { leave: () => void } {
    const { sockets, socketsPerAddress } = this.#limits;
    const address = networkOf(from);
    if (this.#sockets >= sockets) return new Refusal(503, 'the proxy has as many sockets as it may have; try again later', { 'Retry-After': '5' });
    if ((this.#addresses.get(address) ?? 0) >= socketsPerAddress) return new Refusal(429, 'too many sockets of this address', { 'Retry-After': '5' });
    this.#sockets++;
    add(this.#addresses, address, 1);
    return {
      leave: () => {
        this.#sockets--;
        add(this.#addresses, address, -1);
      },
    };
  }

  /** The same for a principal, for those of an address where it has no name; undefined, if there is none. */
  takeFor(identity: Identity): Refusal | { leave: () => void } | undefined {
    if (identity.principal === undefined) return undefined;
    const who = whose(identity);
    if ((this.#principals.get(who) ?? 0) >= this.#limits.socketsPerPrincipal) return new Refusal(429, 'too many sockets of this user', { 'Retry-After': '5' });
    add(this.#principals, who, 1);
    return { leave: () => add(this.#principals, who, -1) };
  }
}

function add(counts: Map<string, number>, key: string, by: number): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}
