// One socket's subscription to a group.

import { ProxyError } from '../errors';
import type { SlowSockets } from '../slow';
import type { Lag, Notice, Outlet, Seek, Subscription, TopicPartition } from '../subscription';
import type { GroupPartition } from './partition';

/** The group's consumer, as a reader needs it. */
export interface ReaderOwner {
  readonly slow: SlowSockets;
  /** The partitions that the reader had are given to others; resolves when what it acknowledged is committed, as far as that goes. */
  leave(reader: Reader): Promise<void>;
  /** The offset that a seek means. Rejects with a ProxyError. */
  find(where: TopicPartition, to: Seek): Promise<number>;
  /** Where the partitions of a topic begin and end. Rejects with a ProxyError. */
  ends(topic: string): Promise<Map<number, { low: number; high: number }>>;
}

export class Reader implements Subscription {
  /** By topic/partition. */
  readonly partitions = new Map<string, GroupPartition>();
  /** It was told what it has. */
  told = false;
  /** Whoever asked for it has it. */
  open = false;
  readonly #owner: ReaderOwner;
  /** Those that have something to send, in turn: each sends one frame, then it is the next one's. */
  readonly #ready = new Set<GroupPartition>();
  readonly #paused = new Set<GroupPartition>();
  /** Also what comes. */
  #allPaused = false;
  #waiting = false;
  #sending = false;
  #over = false;
  #seeking: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(
    readonly outlet: Outlet,
    owner: ReaderOwner,
  ) {
    this.#owner = owner;
    outlet.flow.socket.closed.hear(this.#dies);
  }

  get over(): boolean {
    return this.#over;
  }

  /** The partition has, perhaps, something to send. */
  offer(partition: GroupPartition): void {
    this.#ready.add(partition);
    this.#send();
  }

  #send(): void {
    // Calls from here may offer something: it is in the line.
    if (this.#sending) return;
    this.#sending = true;
    const { flow } = this.outlet;
    try {
      for (const partition of this.#ready) {
        if (this.#over) break;
        if (!this.#wants(partition)) {
          this.#ready.delete(partition);
          continue;
        }
        const room = flow.room();
        if (!room) {
          this.#wait();
          break;
        }
        // Behind the others.
        this.#ready.delete(partition);
        this.#ready.add(partition);
        partition.send(this, room);
      }
    } catch (error) {
      this.fail(ProxyError.of(error));
    } finally {
      this.#sending = false;
    }
  }

  #wants(partition: GroupPartition): boolean {
    return partition.reader === this && partition.sendable && !this.#paused.has(partition) && !this.#allPaused;
  }

  /** One at a time: each call of `changed` is remembered until something changes. */
  #wait(): void {
    if (this.#waiting) return;
    this.#waiting = true;
    const { flow } = this.outlet;
    // Not the client's credit, but its socket is why: its partitions wait for it.
    if (flow.credit) this.#owner.slow.watch(flow.socket);
    void flow.changed().then(() => {
      this.#waiting = false;
      if (flow.ended) void this.close();
      else this.#send();
    });
  }

  /** It has these from now on. */
  assigned(partitions: readonly GroupPartition[]): void {
    this.told = true;
    this.#notice({ type: 'assigned', partitions: partitions.map(({ place }) => place) });
  }

  revoked(partitions: readonly GroupPartition[]): void {
    for (const partition of partitions) this.#paused.delete(partition);
    this.#notice({ type: 'revoked', partitions: partitions.map(({ topic, partition }) => ({ topic, partition })) });
  }

  /** Also when it has closed: what it acknowledged before is committed then. */
  committed(where: { topic: string; partition: number; offset: number }): void {
    this.outlet.notice({ type: 'committed', ...where });
  }

  warn(error: ProxyError, where?: TopicPartition): void {
    if (!this.#over) this.outlet.warn(error, where && { topic: where.topic, partition: where.partition });
  }

  /** The subscription has ended by itself; before it is open its promise says so. */
  fail(error: ProxyError): void {
    if (this.#over) return;
    if (this.open) this.outlet.fail(error);
    void this.close();
  }

  #notice(notice: Notice): void {
    if (!this.#over) this.outlet.notice(notice);
  }

  pause(where: readonly TopicPartition[]): void {
    const these = where.map((each) => this.#mine('pause', each));
    if (where.length === 0) this.#allPaused = true;
    for (const partition of these) this.#paused.add(partition);
  }

  resume(where: readonly TopicPartition[]): void {
    const these = where.map((each) => this.#mine('resume', each));
    if (where.length === 0) {
      this.#allPaused = false;
      this.#paused.clear();
    }
    for (const partition of these) this.#paused.delete(partition);
    for (const partition of this.partitions.values()) this.offer(partition);
  }

  async seek(where: TopicPartition, to: Seek): Promise<void> {
    const partition = this.#mine('seek', where);
    if (typeof to === 'number' && !(Number.isSafeInteger(to) && to >= 0))
      throw new ProxyError('INVALID_OFFSET', `seek: the offset must be an integer from 0, got ${to}`);
    // One after another: the last one counts, however long the question of one takes.
    const sought = this.#seeking.then(async () => {
      const offset = await this.#owner.find(partition, to);
      if (this.#mine('seek', where) !== partition) throw this.#foreign('seek', where);
      partition.seek(offset);
      this.assigned([partition]);
    });
    this.#seeking = sought.catch(() => {});
    return sought;
  }

  ack(where: TopicPartition, offset: number): void {
    this.#mine('ack', where).ack(this, offset);
  }

  nack(where: TopicPartition, offset: number, delay: number): void {
    const { topic, partition } = where;
    this.#mine('nack', where).nack(offset, delay);
    // Now, before it is sent again: what is on its way to the client is from before.
    this.#notice({ type: 'assigned', partitions: [{ topic, partition, offset }] });
  }

  async lag(): Promise<void> {
    const topics = [...new Set([...this.partitions.values()].map(({ topic }) => topic))];
    const ends = new Map(await Promise.all(topics.map(async (topic) => [topic, await this.#owner.ends(topic)] as const)));
    const partitions = [...this.partitions.values()].flatMap(({ topic, partition, acked }): Lag[] => {
      const end = ends.get(topic)?.get(partition);
      if (!end) return []; // it has come meanwhile
      const offset = acked ?? end.low;
      return [{ topic, partition, offset, end: end.high, lag: Math.max(end.high - offset, 0) }];
    });
    this.#notice({ type: 'lag', partitions });
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#over = true;
    this.outlet.flow.socket.closed.forget(this.#dies);
    this.#ready.clear();
    await this.#owner.leave(this);
  }

  readonly #dies = (): void => void this.close();

  #mine(call: string, where: TopicPartition): GroupPartition {
    const partition = this.partitions.get(`${where.topic}/${where.partition}`);
    if (!partition) throw this.#foreign(call, where);
    return partition;
  }

  #foreign(call: string, { topic, partition }: TopicPartition): ProxyError {
    return new ProxyError('NOT_ASSIGNED', `${call}: ${topic}/${partition} is not assigned to this subscription; 'assigned' and 'revoked' say which are`, true);
  }
}
