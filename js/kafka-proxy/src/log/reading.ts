// One subscription: its cursors, and what its socket and its credit let it send.

import { ProxyError } from '../errors';
import { frameOf } from '../frames';
import type { SlowSockets } from '../slow';
import { FULL } from '../socket';
import type { Outlet, Place, Seek, Subscription, TopicPartition } from '../subscription';
import { Cursor, type CursorOwner } from './cursor';
import type { Room } from '../flow';
import type { Page } from './page';
import type { Answer, Past } from './past';
import type { PartitionLog } from './partition-log';
import { Snapshot } from './snapshot';
import type { TablePart } from './table';

/** The owner of all subscriptions, as one needs it. */
export interface ReadingOwner {
  readonly past: Past;
  readonly slow: SlowSockets;
  /** Where partitions are to go. */
  seek(cursor: Cursor, to: Seek): Promise<{ offset: number; warning?: ProxyError | undefined }>;
  lag(reading: Reading): Promise<void>;
  closed(reading: Reading): void;
}

/** Partitions whose past is asked for at the same time. */
const ASKING = 4;
/** Pages in one go; then others have their turn. */
const TURN = 16;

export class Reading implements Subscription, CursorOwner {
  readonly #owner: ReadingOwner;
  readonly outlet: Outlet;
  readonly #newest: boolean;
  /** By topic, and partition. */
  readonly cursors = new Map<string, Map<number, Cursor>>();
  /** Those that are behind and may have something to send. */
  readonly #line: Cursor[] = [];
  #asking = 0;
  /** Those that ask the past when one of these has its answer. */
  readonly #unasked: Cursor[] = [];
  /** It is waited for room. */
  #waiting = false;
  #pumping = false;
  /** Entries of these parts, to be sent before anything else. */
  #snapshot: Snapshot | undefined;
  #parts: TablePart[] = [];
  #table = false;
  /** Cursors that have not reached their targets; -1: `caughtUp` was told. */
  #behind = 0;
  #seeking: Promise<void> = Promise.resolve();
  #closed: Promise<void> | undefined;

  constructor(owner: ReadingOwner, outlet: Outlet, newest: boolean) {
    this.#owner = owner;
    this.outlet = outlet;
    this.#newest = newest;
  }

  /** Called when it is closed. */
  onClose = (): void => {};

  get closed(): boolean {
    return this.#closed !== undefined || this.outlet.flow.ended;
  }

  /** Entries come first: {@link add} has their places. */
  addTables(parts: readonly TablePart[]): void {
    this.#table = true;
    this.#parts = [...parts];
    this.#snapshot = new Snapshot(parts);
  }

  /** Partitions come. Nothing is sent before {@link begin}. */
  add(places: readonly { log: PartitionLog; offset: number; target: number }[]): void {
    for (const { log, offset, target } of places) {
      let topic = this.cursors.get(log.topic);
      if (!topic) this.cursors.set(log.topic, (topic = new Map()));
      const cursor = new Cursor(this, log, offset, -1);
      topic.set(log.partition, cursor);
      this.#aim(cursor, target);
      this.#enqueue(cursor);
    }
    this.outlet.notice({
      type: 'assigned',
      partitions: places.map(({ log: { topic, partition }, offset }): Place => ({ topic, partition, offset })),
    });
  }

  /** It is not caught up before it is there. */
  #aim(cursor: Cursor, target: number): void {
    if (this.#behind < 0 || cursor.next >= target) return;
    if (cursor.target < 0) this.#behind++;
    cursor.target = Math.max(cursor.target, target);
  }

  /** Sends what there is. */
  begin(): void {
    this.#pump();
    this.#caughtUp();
  }

  /** A topic is gone. */
  remove(topic: string): void {
    const cursors = this.cursors.get(topic);
    if (!cursors) return;
    this.cursors.delete(topic);
    this.#snapshot?.remove(topic);
    for (const cursor of cursors.values()) {
      cursor.gone = true;
      this.#rest(cursor);
      if (cursor.target >= 0) this.#behind--;
    }
    this.outlet.notice({ type: 'revoked', partitions: Array.from(cursors.keys(), (partition) => ({ topic, partition })) });
    this.begin();
  }

  *[Symbol.iterator](): Generator<Cursor, void, void> {
    for (const topic of this.cursors.values()) yield* topic.values();
  }

  /** A page behind which the cursor follows. */
  follow(cursor: Cursor, page: Page): void {
    const { socket } = this.outlet.flow;
    const full = socket.buffered >= FULL;
    const credit = full ? undefined : this.outlet.flow.credit;
    if (credit && cursor.next <= page.first && page.count <= credit.messages && page.size <= credit.bytes) {
      this.#send(cursor, page, credit);
      return;
    }
    cursor.log.leave(cursor);
    if (full) cursor.fell = true;
    this.#enqueue(cursor);
    this.#pump();
  }

  advanced(cursor: Cursor): void {
    const { topic, partition } = cursor.log;
    this.outlet.passed?.(topic, partition, cursor.next);
    this.moved(cursor);
  }

  moved(cursor: Cursor): void {
    const { target } = cursor;
    if (target < 0 || cursor.next < target) return;
    cursor.target = -1;
    this.#behind--;
    this.#caughtUp();
  }

  #caughtUp(): void {
    if (this.#behind !== 0 || this.#snapshot || this.closed) return;
    this.#behind = -1;
    this.outlet.notice({ type: 'caughtUp' });
  }

  #enqueue(cursor: Cursor): void {
    if (cursor.queued || cursor.paused || cursor.gone || cursor.asking || cursor.slot >= 0) return;
    cursor.queued = true;
    this.#line.push(cursor);
  }

  #rest(cursor: Cursor): void {
    if (cursor.asking) this.#asked();
    cursor.rest();
    if (!cursor.queued) return;
    cursor.queued = false;
    this.#line.splice(this.#line.indexOf(cursor), 1);
  }

  /** Sends what there is as long as there is room, one page of each that is behind. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    let left = TURN;
    try {
      while ((this.#snapshot || this.#line.length > 0) && !this.closed) {
        const { flow } = this.outlet;
        const room = flow.room();
        if (!room) {
          // Not the client's credit, but its socket is why.
          if (flow.credit && !this.#newest) this.#owner.slow.watch(flow.socket);
          return this.#wait(flow.changed());
        }
        if (left-- === 0) return this.#wait(new Promise(setImmediate));
        if (this.#snapshot) {
          if (this.#sendEntries(this.#snapshot, room)) continue;
          return;
        }
        const cursor = this.#line.shift()!;
        cursor.queued = false;
        this.#step(cursor, room);
      }
      // An empty array keeps the memory of those that were in it, unless this is said.
      if (this.#line.length === 0) this.#line.length = 0;
    } finally {
      this.#pumping = false;
    }
  }

  /** False: what is left is paused. */
  #sendEntries(snapshot: Snapshot, room: Room): boolean {
    if (snapshot.done) {
      this.#snapshot = undefined;
      // Entries that changed meanwhile are in the log.
      for (const { log, next } of this.#parts) {
        const cursor = this.cursors.get(log.topic)?.get(log.partition);
        if (cursor?.log === log) this.#aim(cursor, next);
      }
      this.#parts = [];
      this.#caughtUp();
      return true;
    }
    const sent = snapshot.next(this.outlet.format, room, ({ topic, partition }) => this.cursors.get(topic)?.get(partition)?.paused === true);
    if (!sent) return false;
    const { where, frame, next } = sent;
    if (frame) this.outlet.batch(where.topic, where.partition, frame, next);
    return true;
  }

  #wait(until: Promise<unknown>): void {
    if (this.#waiting) return;
    this.#waiting = true;
    void until.then(() => {
      this.#waiting = false;
      this.#pump();
    });
  }

  #step(cursor: Cursor, room: Room): void {
    const { log } = cursor;
    cursor.find();
    if (cursor.fell) {
      cursor.fell = false;
      if (this.#newest) this.#skip(cursor);
    }
    if (cursor.next >= log.next) {
      log.follow(cursor);
      return;
    }
    const page = log.find(cursor.next);
    if (page) {
      this.#send(cursor, page, room);
      this.#enqueue(cursor);
    } else if (this.#asking < ASKING) {
      this.#asking++;
      cursor.asking = this.#owner.past.ask(log, cursor.next, (answer) => this.#answered(cursor, answer));
    } else {
      this.#unasked.push(cursor);
    }
  }

  /** The place of one who asks is free. */
  #asked(): void {
    this.#asking--;
    for (const each of this.#unasked.splice(0)) this.#enqueue(each);
  }

  #answered(cursor: Cursor, answer: Answer | Error): void {
    cursor.asking = undefined;
    this.#asked();
    if (answer instanceof Error || this.closed) return;
    for (const page of answer.pages) {
      while (cursor.next < page.next && !cursor.paused && !this.closed) {
        const room = this.outlet.flow.room();
        if (!room) break;
        this.#send(cursor, page, room);
      }
    }
    if (answer.pages.length === 0 && cursor.next < answer.next) {
      this.missed(cursor, Math.min(answer.deleted, answer.next) - cursor.next, answer.next);
      cursor.next = answer.next;
      this.advanced(cursor);
    }
    this.#enqueue(cursor);
    this.#pump();
  }

  #send(cursor: Cursor, page: Page, room: Room): void {
    const { format } = this.outlet;
    if (page.deleted > cursor.next) this.missed(cursor, Math.min(page.deleted, page.first) - cursor.next, page.first);
    const begin = cursor.next <= page.first ? 0 : page.placeOf(cursor.next);
    const count = page.count - begin;
    let most = Math.min(count, room.messages);
    if (room.bytes < page.size) most = page.fitting(begin, most, room.bytes);
    const whole = most === page.count;
    const frame = whole ? page.frame(format) : frameOf(page.batch, format, begin, begin + most);
    // Whoever is called below may seek.
    const next = (cursor.next = page.nextOf(begin + most));
    const { topic, partition } = cursor.log;
    if (frame.count > 0) this.outlet.batch(topic, partition, frame, next);
    else this.outlet.passed?.(topic, partition, next);
    if (cursor.target >= 0) this.moved(cursor);
  }

  /** Retention was faster. */
  missed({ log: { topic, partition } }: Cursor, count: number, next: number): void {
    if (count <= 0 || this.closed) return;
    this.outlet.warn(new ProxyError('OFFSET_OUT_OF_RANGE', gone(count, topic, partition, next)), { topic, partition });
  }

  #skip(cursor: Cursor): void {
    const { topic, partition, next } = cursor.log;
    const count = next - cursor.next;
    if (count <= 0) return;
    cursor.next = next;
    this.outlet.warn(new ProxyError('SKIPPED', `${count} messages of ${topic}/${partition} were left out: the client reads too slowly`), { topic, partition });
    this.moved(cursor);
  }

  /** Those that are named; all, if none is. */
  #named(where: TopicPartition[]): Cursor[] {
    if (where.length === 0) return [...this];
    return where.map((each) => this.#find(each));
  }

  #find({ topic, partition }: TopicPartition): Cursor {
    const cursor = this.cursors.get(topic)?.get(partition);
    if (cursor) return cursor;
    throw new ProxyError('NOT_ASSIGNED', `this subscription does not have ${topic}/${partition}: name one that 'assigned' told`);
  }

  pause(where: TopicPartition[]): void {
    for (const cursor of this.#named(where)) {
      cursor.paused = true;
      this.#rest(cursor);
    }
    this.#pump();
  }

  resume(where: TopicPartition[]): void {
    for (const cursor of this.#named(where)) {
      if (!cursor.paused) continue;
      cursor.paused = false;
      this.#enqueue(cursor);
    }
    this.#pump();
  }

  seek(where: TopicPartition, to: Seek): Promise<void> {
    if (this.#table) throw new ProxyError('BAD_REQUEST', 'a table has entries, not places to seek to: subscribe to the topic without table');
    this.#find(where);
    // One after another: the last one counts.
    const sought = this.#seeking.then(async () => {
      if (this.closed) return;
      const { offset, warning } = await this.#owner.seek(this.#find(where), to);
      if (this.closed) return;
      const cursor = this.#find(where);
      this.#rest(cursor);
      cursor.next = offset;
      cursor.fell = false;
      this.outlet.notice({ type: 'assigned', partitions: [{ topic: where.topic, partition: where.partition, offset }] });
      if (warning) this.outlet.warn(warning, where);
      this.moved(cursor);
      this.#enqueue(cursor);
      this.#pump();
    });
    this.#seeking = sought.catch(() => {});
    return sought;
  }

  async lag(): Promise<void> {
    await this.#owner.lag(this);
  }

  close(): Promise<void> {
    this.#closed ??= Promise.resolve();
    for (const cursor of this) {
      cursor.gone = true;
      this.#rest(cursor);
    }
    this.cursors.clear();
    this.onClose();
    this.#owner.closed(this);
    return this.#closed;
  }
}

/** A warning of messages that retention has taken. */
export function gone(count: number, topic: string, partition: number, next: number): string {
  return `${count} messages of ${topic}/${partition} were deleted by retention before they were sent: it goes on at offset ${next}`;
}
