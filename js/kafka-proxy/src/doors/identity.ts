// The identity of somebody, and how it is known.

import type { Principal } from '../socket';

/** How somebody said who they are; `none`: nobody was asked. */
export type Way = 'none' | 'secret' | 'password' | 'token' | 'certificate' | 'ticket' | 'hook';

export interface Identity {
  readonly way: Way;
  /** For `authorize`: 'auth', the user's name, a token's claims, a certificate's name, or what `authenticate` gave. */
  readonly principal: Principal;
  /** For people, rules and limits; undefined: nobody was asked, or `authenticate` gave what has no name. */
  readonly name: string | undefined;
  /** Claims for the conditions of rules: a token's, or the fields of the object that `authenticate` gave. */
  readonly claims: Readonly<Record<string, unknown>>;
  /** Milliseconds since 1970: a socket is closed then. undefined: never. */
  readonly expires?: number | undefined;
  /** Of a ticket: how its owner had said it. */
  readonly owner?: Way | undefined;
  /** Where the request comes from; IPv4 in its own form. */
  readonly address?: string | undefined;
  /** Nobody was asked, and others than this machine may come in. */
  readonly stranger?: boolean | undefined;
}

/** Somebody who was not asked. */
export const ANYBODY: Identity = { way: 'none', principal: undefined, name: undefined, claims: {} };

/** Somebody by their name alone. */
export function named(way: Way, name: string): Identity {
  return { way, principal: name, name, claims: { sub: name } };
}

/** A principal that `authenticate` gave: an object's `id`, `name` or `sub` is its name. */
export function given(principal: Principal): Identity {
  const object = typeof principal === 'object' && principal !== null ? (principal as Record<string, unknown>) : undefined;
  const name = object ? (object.id ?? object.name ?? object.sub) : principal;
  const text = ['string', 'number', 'bigint'].includes(typeof name) ? String(name) : undefined;
  return { way: 'hook', principal, name: text, claims: object ?? (text === undefined ? {} : { sub: text }) };
}

/** The way by which it is known: of a ticket its owner's. */
export function wayOf({ owner, way }: Identity): Way {
  return owner ?? way;
}

/** The text that tells those apart who have a name. The same name said in two ways may be two people. */
export function nameOf(identity: Identity): string | undefined {
  return identity.name === undefined ? undefined : `${wayOf(identity)} ${identity.name}`;
}
