import type { Bus } from './bus';
import { RecordType, type LogRecord } from './record';

interface Peer {
  namespaces: Set<string>;
  /** Namespaces that it has closed lately, and the numbers of the records that said so: what it said before may be read behind them. */
  closed: Map<string, { number: number; at: number }>;
  /** The partition of the replies that it reads. */
  replies: number;
  /** When it was heard last. */
  seen: number;
}

/**
 * The other servers, and which namespaces they have. One sign of life is for all of them: so thousands of namespaces cost nothing.
 * When a server is silent for too long its namespaces forget it, each by itself.
 */
export class Peers {
  readonly #bus: Bus;
  readonly #peers = new Map<string, Peer>();

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  /** At the beginning: everybody answers. */
  hello(): void {
    this.#all((data) => this.#bus.send('', RecordType.Hello, data));
  }

  /** A namespace is there from now on. It is said in the order of what is said in it. */
  made(namespace: string): void {
    for (const [uid, { namespaces }] of this.#peers) if (namespaces.has(namespace)) this.#bus.members.get(namespace)?.onPeer(uid);
    if (this.#bus.ready) this.#bus.send(namespace, RecordType.Made, null);
  }

  alive(): void {
    this.#bus.send('', RecordType.Alive, { namespaces: this.#bus.members.size });
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
    return this.#peers.get(uid)?.replies ?? 0;
  }

  /** A server has closed a namespace. */
  gone({ uid, number }: LogRecord, namespace: string): void {
    const peer = this.#peers.get(uid);
    peer?.namespaces.delete(namespace);
    peer?.closed.set(namespace, { number, at: performance.now() });
  }

  /** Any record is a sign of life. */
  heard({ uid, replies }: LogRecord): void {
    const seen = performance.now();
    const peer = this.#peers.get(uid);
    if (peer) Object.assign(peer, { replies, seen });
    else this.#peers.set(uid, { namespaces: new Set(), closed: new Map(), replies, seen });
  }

  onRecord(namespace: string, { type, uid, number, data }: LogRecord): void {
    const peer = this.#peers.get(uid)!;
    if (type === RecordType.Made) return this.#has(uid, number, peer, [namespace]);
    if (type === RecordType.Alive) {
      this.#has(uid, number, peer, peer.namespaces);
      // This server came later, or had forgotten it, or heard of two namespaces in another order.
      if ((data as { namespaces?: unknown } | null)?.namespaces !== peer.namespaces.size) this.#bus.reply('', RecordType.Who, null, uid);
      return;
    }
    if (type !== RecordType.Who) {
      const { namespaces, first } = (data ?? {}) as { namespaces?: unknown; first?: unknown };
      if (!Array.isArray(namespaces)) throw new Error('it names no namespaces');
      if (first) peer.namespaces.clear();
      this.#has(uid, number, peer, namespaces as string[]);
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

  /** So that no record is too large, however many namespaces there are. */
  #all(say: (data: { namespaces: string[]; first: boolean }) => void): void {
    const names = [...this.#bus.members.keys()];
    for (let at = 0; at === 0 || at < names.length; at += 1000) say({ namespaces: names.slice(at, at + 1000), first: at === 0 });
  }
}
