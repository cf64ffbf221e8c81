// Consumer groups: one consumer of Kafka a group, whose partitions are dealt to the group's sockets.

import type { Context } from '../context';
import { nameOf, wayOf } from '../doors/identity';
import { CloseCode, ProxyError } from '../errors';
import type { Socket } from '../socket';
import type { Outlet, Subscription } from '../subscription';
import { Member } from './member';

export interface GroupWish {
  group: string;
  topics: string[];
  /** A regular expression; topics that are made later are found, too. */
  pattern?: RegExp;
  /** Where a partition begins of which the group has no offset. Where sockets share a consumer, the first one's counts. */
  from: 'earliest' | 'latest';
}

/** One holder has at most this part of the consumers, so that others have some, too. */
const PART = 4;

/** Whose share a socket's consumers are: the principal's; where nobody has a name, or all know the same secret, the socket's own. */
export function holderOf({ id, identity }: Socket): string {
  const name = wayOf(identity) === 'secret' ? undefined : nameOf(identity);
  return name ?? `socket ${id}`;
}

/**
 * Sockets of a group that wish the same share a consumer. Others have one of their own: a second member of the group, to which Kafka deals
 * the topics that it wishes. It costs a client of Kafka more; in exchange no topic is ever held by a consumer none of whose sockets wants it.
 */
export class Groups {
  readonly #context: Context;
  readonly #members = new Map<string, Member>();
  /** Those that have not left their group yet. */
  readonly #leaving = new Set<Member>();
  #closed = false;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Joins the group. Rejects with a ProxyError. */
  async subscribe(wish: GroupWish, outlet: Outlet): Promise<Subscription> {
    if (this.#closed) throw new ProxyError('CLOSING', 'The proxy ends: connect again, to another if there is one', true, CloseCode.GoingAway);
    try {
      return await this.#member({ ...wish, topics: [...new Set(wish.topics)].sort() }, holderOf(outlet.flow.socket)).join(outlet);
    } catch (error) {
      throw ProxyError.of(error);
    }
  }

  #member(wish: GroupWish, holder: string): Member {
    const { group, topics, pattern } = wish;
    // Not by where fresh partitions begin: Kafka would deal them among two members, and it would be chance which of the two counts.
    const key = JSON.stringify([group, topics, pattern?.source, pattern?.flags]);
    const known = this.#members.get(key);
    if (!known?.heldBy(holder)) this.#checkShare(holder);
    if (known) return known;
    const most = this.#context.limits.readers;
    // A member that leaves is still a client of Kafka: subscribing and unsubscribing makes no more of them.
    if (this.#members.size + this.#leaving.size >= most)
      throw new ProxyError('LIMIT', `The proxy is in ${most} groups already: try again later`, true, CloseCode.Internal);
    const member: Member = new Member(this.#context, wish, () => {
      // A reader that comes now joins as another member: Kafka gives it what this one leaves.
      this.#members.delete(key);
      this.#leaving.add(member);
      void member.left!.then(() => this.#leaving.delete(member));
    });
    this.#members.set(key, member);
    return member;
  }

  #checkShare(holder: string): void {
    const share = Math.ceil(this.#context.limits.readers / PART);
    const held = [...this.#members.values(), ...this.#leaving].filter((member) => member.heldBy(holder)).length;
    if (held < share) return;
    const why = `You have all ${share} of the proxy's group consumers that one may have, one for each group, topics and pattern: unsubscribe from some first`;
    throw new ProxyError('LIMIT', why, true, CloseCode.Internal);
  }

  /** Members of groups: each is a client of Kafka. */
  get readers(): number {
    return this.#members.size;
  }

  /** The groups, and the topics that are wished by name. */
  *wished(): Iterable<{ group: string; topics: readonly string[] }> {
    for (const { wish } of this.#members.values()) yield wish;
  }

  /** Acknowledged messages are committed. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#members.values()].map((member) => member.shut()));
    await Promise.all(Array.from(this.#leaving, (member) => member.left));
  }
}
