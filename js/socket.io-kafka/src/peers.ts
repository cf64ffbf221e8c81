import type { Bus } from './bus';
import { EMITTER, RecordType, type LogRecord } from './record';

interface Peer {
  namespaces: Set<string>;
  /** Namespaces that it has closed lately, and the numbers of the records that said so: what it said before may be read behind them. */
  closed: Map<string, { number: number; at: number }>;
  /** The partition of the replies that it reads. */
  replies: number;
  /** When it was heard last. */
  seen: number;
  /** It has not said which namespaces it has, and counts as having all. */
  presumed: boolean;
  /** It is no more: what it said before may be read behind that. */
  gone: boolean;
}

/** Beside heartbeats, for clocks that differ. */
const SLACK_MS = 5000;
/** For how long the servers that are there may take to say so. */
const MEET_MS = 1000;

/**
 * The other servers, and which namespaces they have. One sign of life is for all of them: so thousands of namespaces cost nothing.
 * When a server is silent for too long its namespaces forget it, each by itself.
 */
export class Peers {
  readonly #bus: Bus;
  readonly #peers = new Map<string, Peer>();
  /** Servers whose records are in the log's past, and when the newest was written; -Infinity: it has closed. Only until `meet`. */
  readonly #past = new Map<string, number>();
  /** Servers whose answers `meet` waits for. */
  readonly #unmet = new Set<string>();
  #met: (() => void) | undefined;

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  /** How far back the log is read for the servers that live: each has written in this time. */
  get history(): number {
    const { heartbeatInterval, heartbeatTimeout } = this.#bus.options;
    return Math.min(heartbeatTimeout, 2 * heartbeatInterval) + SLACK_MS;
  }

  /** Of the past: whether a record says who lives. */
  static tells(type: number): boolean {
    return type === RecordType.Echo || type === RecordType.Hello || type === RecordType.Alive || type === RecordType.Gone;
  }

  /** A record of the past. */
  onPast({ type, uid }: LogRecord, timestamp: number): void {
    if (type === RecordType.Gone) this.#past.set(uid, -Infinity);
    else if (uid !== EMITTER && this.#past.get(uid) !== -Infinity) this.#past.set(uid, timestamp);
  }

  /**
   * At the beginning: everybody answers. Resolves when the servers that were there have; from then on these know this one, and it knows them. One that
   * does not answer in time counts as there, with every namespace, until it does or has been silent for `heartbeatTimeout`.
   */
  async meet(): Promise<void> {
    const since = Date.now() - this.history;
    for (const [uid, { gone }] of this.#peers) if (!gone && this.#past.get(uid) !== -Infinity) this.#unmet.add(uid);
    for (const [uid, at] of this.#past) if (at > since) this.#unmet.add(uid);
    this.#past.clear();
    this.#all((data) => this.#bus.send('', RecordType.Hello, data));
    if (this.#unmet.size === 0) return;
    await new Promise<void>((resolve) => {
      const late = setTimeout(resolve, MEET_MS);
      this.#met = () => {
        clearTimeout(late);
        resolve();
      };
    });
    for (const uid of this.#unmet) this.#presume(uid);
    this.#unmet.clear();
  }

  /** Nobody is waited for any more. */
  stop(): void {
    this.#unmet.clear();
    this.#met?.();
  }

  #presume(uid: string): void {
    const peer = this.#peers.get(uid) ?? this.#add(uid, this.#bus.repliesOf(uid));
    peer.presumed = true;
    for (const member of this.#bus.members.values()) member.onPeer(uid);
  }

  /** It has said all, or is no more. */
  #isMet(uid: string): void {
    if (this.#unmet.delete(uid) && this.#unmet.size === 0) this.#met?.();
  }

  /** A namespace is there from now on. It is said in the order of what is said in it; resolves when that was read. */
  made(namespace: string): Promise<void> {
    for (const [uid, { namespaces, presumed }] of this.#peers) if (presumed || namespaces.has(namespace)) this.#bus.members.get(namespace)?.onPeer(uid);
    return this.#bus.begun ? this.#bus.readBack(namespace, RecordType.Made) : Promise.resolve();
  }

  alive(): void {
    this.#bus.alive({ namespaces: this.#bus.members.size });
    const silent = performance.now() - this.#bus.options.heartbeatTimeout;
    for (const [uid, { closed, seen }] of this.#peers) {
      if (seen < silent) this.#peers.delete(uid);
      for (const [namespace, { at }] of closed) if (at < silent) closed.delete(namespace);
    }
  }

  get count(): number {
    const silent = performance.now() - this.#bus.options.heartbeatTimeout;
    return [...this.#peers.values()].filter(({ namespaces, seen }) => namespaces.size > 0 && seen >= silent).length;
  }

  /** Where a server reads its answers. */
  repliesOf(uid: string): number {
    return this.#peers.get(uid)?.replies ?? this.#bus.repliesOf(uid);
  }

  /** A server has closed a namespace. */
  closed({ uid, number }: LogRecord, namespace: string): void {
    const peer = this.#peers.get(uid);
    peer?.namespaces.delete(namespace);
    peer?.closed.set(namespace, { number, at: performance.now() });
  }

  /** Any record is a sign of life. */
  heard({ uid, replies }: LogRecord): void {
    const peer = this.#peers.get(uid) ?? this.#add(uid, this.#bus.repliesOf(uid));
    if (peer.gone) return;
    peer.seen = performance.now();
    if (replies >= 0) peer.replies = replies;
  }

  #add(uid: string, replies: number): Peer {
    const peer = { namespaces: new Set<string>(), closed: new Map(), replies, seen: performance.now(), presumed: false, gone: false };
    this.#peers.set(uid, peer);
    return peer;
  }

  onRecord(namespace: string, { type, uid, number, data }: LogRecord): void {
    const peer = this.#peers.get(uid)!;
    if (peer.gone) return;
    if (type === RecordType.Made) return this.#has(uid, number, peer, [namespace]);
    if (type === RecordType.Gone) {
      peer.namespaces.clear();
      Object.assign(peer, { gone: true, presumed: false });
      this.#lacks(uid, () => true);
      return this.#isMet(uid);
    }
    if (type === RecordType.Alive) {
      this.#has(uid, number, peer, peer.namespaces);
      // This server came later, or had forgotten it, or heard of two namespaces in another order.
      if ((data as { namespaces?: unknown } | null)?.namespaces !== peer.namespaces.size) this.#bus.reply('', RecordType.Who, null, uid);
      return;
    }
    if (type !== RecordType.Who) {
      const { namespaces, first, last } = (data ?? {}) as { namespaces?: unknown; first?: unknown; last?: unknown };
      if (!Array.isArray(namespaces)) throw new Error('it names no namespaces');
      if (first) peer.namespaces.clear();
      this.#has(uid, number, peer, namespaces as string[]);
      if (last && peer.presumed) {
        peer.presumed = false;
        this.#lacks(uid, (name) => !peer.namespaces.has(name));
      }
      if (last && type === RecordType.Here) this.#isMet(uid);
    }
    if (type !== RecordType.Here) this.#all((answer) => this.#bus.reply('', RecordType.Here, answer, uid));
  }

  #has(uid: string, number: number, peer: Peer, namespaces: Iterable<string>): void {
    for (const namespace of namespaces) {
      if (number < (peer.closed.get(namespace)?.number ?? 0)) continue;
      peer.closed.delete(namespace);
      peer.namespaces.add(namespace);
      this.#bus.members.get(namespace)?.onPeer(uid);
    }
  }

  #lacks(uid: string, which: (namespace: string) => boolean): void {
    for (const [name, member] of this.#bus.members) if (which(name)) member.onPeerGone(uid);
  }

  /** So that no record is too large, however many namespaces there are. */
  #all(say: (data: { namespaces: string[]; first: boolean; last: boolean }) => void): void {
    const names = [...this.#bus.members.keys()];
    for (let at = 0; at === 0 || at < names.length; at += 1000)
      say({ namespaces: names.slice(at, at + 1000), first: at === 0, last: at + 1000 >= names.length });
  }
}
