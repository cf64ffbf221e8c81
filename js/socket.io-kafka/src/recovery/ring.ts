import type { Room } from 'socket.io-adapter';
import type { Place } from '../bus';
import { checkMessage, isRecoverable, type BroadcastData } from '../messages';
import { Queue } from '../queue';
import { bytesOf, type Body, type LogRecord } from '../record';

/** A packet that clients can have missed. */
export interface Entry {
  namespace: string;
  partition: number;
  offset: number;
  /** As clients have it. */
  id: string;
  /** The server that sent it, and its number among that server's records. */
  uid: string;
  number: number;
  rooms: readonly Room[];
  except: readonly Room[];
  body: Body;
  /** Milliseconds since 1970 by which it grows old. */
  at: number;
  bytes: number;
}

/** Bytes that an entry takes beside its body, roughly. */
const OVERHEAD = 250;

/** Stands for the rooms of a packet that is for all. */
const EVERYBODY = Symbol('everybody');

/** The newest packets of all namespaces, as long as clients may come back for them, and as many as there is room for. */
export class Ring {
  /** In the order in which they were read, and the same by namespace and room: who comes back looks at what is for him only. */
  readonly #all = new Queue<Entry>();
  readonly #byNamespace = new Map<string, Map<Room | symbol, Queue<Entry>>>();
  /** By namespace: up to `offset` packets are gone that clients may still want; up to `moved` some are in another partition. */
  readonly #gone = new Map<string, { partition: number; offset: number; moved: number }>();
  /** By namespace, of its newest packet; those of the newest packets are the last. */
  readonly #newest = new Map<string, { partition: number; at: number }>();
  /** By partition: below this offset places are of no use here, and since when. */
  readonly #unread = new Map<number, { offset: number; at: number }>();
  bytes = 0;

  static bytesOf(body: Body): number {
    return bytesOf(body) + OVERHEAD;
  }

  get length(): number {
    return this.#all.length;
  }

  add(entry: Entry): void {
    const { namespace, partition, offset, at } = entry;
    // The topic has more partitions than before, and not all servers know it at one time: an offset tells nothing of the other partition.
    if ((this.#newest.get(namespace)?.partition ?? partition) !== partition) this.#gone.set(namespace, { partition, offset, moved: offset });
    this.#newest.delete(namespace);
    this.#newest.set(namespace, { partition, at });
    this.#all.push(entry);
    let lists = this.#byNamespace.get(entry.namespace);
    if (!lists) this.#byNamespace.set(entry.namespace, (lists = new Map()));
    for (const room of listsOf(entry)) {
      const entries = lists.get(room);
      if (entries) entries.push(entry);
      else lists.set(room, new Queue<Entry>(entry));
    }
    this.bytes += entry.bytes;
  }

  /** Nobody comes back for what is older. */
  expire(before: number): void {
    for (let first = this.#all.first; first && first.at < before; first = this.#all.first) this.#shift(first);
    // Of a namespace in which nothing came since then nobody has missed anything.
    for (const [namespace, { at }] of this.#newest) {
      if (at >= before) break;
      this.#newest.delete(namespace);
      this.#gone.delete(namespace);
    }
    for (const [partition, { at }] of this.#unread) if (at < before) this.#unread.delete(partition);
  }

  /** A client whose place is below this offset is to look elsewhere. */
  lose(partition: number, offset: number, at: number): void {
    this.#unread.set(partition, { offset, at });
  }

  /** Makes room; false when there is nothing left. */
  evict(): boolean {
    const first = this.#all.first;
    if (!first) return false;
    const { namespace, partition, offset } = first;
    const gone = this.#gone.get(namespace);
    if (this.#newest.has(namespace) && (gone?.partition ?? partition) === partition) this.#gone.set(namespace, { partition, offset, moved: gone?.moved ?? -1 });
    this.#shift(first);
    return true;
  }

  /** The packets for any of these rooms behind an offset, in order; undefined where some are gone. */
  after(namespace: string, partition: number, offset: number, rooms: Iterable<Room>): Entry[] | undefined {
    if (offset < (this.#unread.get(partition)?.offset ?? 0)) return undefined;
    const gone = this.#gone.get(namespace);
    if ((this.#newest.get(namespace)?.partition ?? partition) !== partition) return undefined;
    if (gone && (gone.partition !== partition || offset < gone.offset)) return undefined;
    const lists = this.#byNamespace.get(namespace);
    const found = new Set<Entry>();
    const isBehind = (entry: Entry): boolean => entry.partition === partition && entry.offset > offset;
    for (const room of [EVERYBODY, ...rooms]) for (const entry of lists?.get(room)?.tail(isBehind) ?? []) found.add(entry);
    return [...found].sort((a, b) => a.offset - b.offset);
  }

  /** Whether of what is behind an offset some had to go, and nothing else keeps it from being known: the log may have it. */
  hadNoRoom(namespace: string, partition: number, offset: number): boolean {
    if (offset < (this.#unread.get(partition)?.offset ?? 0) || (this.#newest.get(namespace)?.partition ?? partition) !== partition) return false;
    const gone = this.#gone.get(namespace);
    return gone !== undefined && gone.partition === partition && offset >= gone.moved;
  }

  #shift(first: Entry): void {
    this.#all.shift();
    this.bytes -= first.bytes;
    const lists = this.#byNamespace.get(first.namespace)!;
    for (const room of listsOf(first)) {
      const entries = lists.get(room)!;
      entries.shift();
      if (entries.length === 0) lists.delete(room);
    }
    if (lists.size === 0) this.#byNamespace.delete(first.namespace);
  }
}

/** Of a broadcast; undefined for one that nobody can have missed. @throws Error for what is none */
export function entryOf(namespace: string, record: LogRecord, { partition, offset, id, body }: Place, at: number): Entry | undefined {
  checkMessage(record);
  const data = record.data as BroadcastData;
  if (!isRecoverable(data)) return undefined;
  const { rooms, except } = data.opts;
  const { uid, number } = record;
  return { namespace, partition, offset, id, uid, number, rooms, except, body, at, bytes: Ring.bytesOf(body) };
}

function listsOf({ rooms }: Entry): Iterable<Room | symbol> {
  return rooms.length === 0 ? [EVERYBODY] : new Set(rooms);
}
