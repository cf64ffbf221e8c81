import { clearTimeout, setTimeout } from '../../clock';
import type { NativeGroup } from '../../binding';
import type { Calls } from '../../calls';
import { BEGIN, UNKNOWN } from '../../logical';
import { partitionsByTopic, type TopicPartition, type TopicPartitions } from '../partitions';
import type { Run } from './lazy-batch';
import { PauseList } from './pause-list';

/** Milliseconds before a move that failed is tried again, doubled with each. */
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5000;

/** The first `count` runs of a partition, which a handler has; `stale` when the partition was moved meanwhile. @internal */
export interface Delivery {
  stale: boolean;
  readonly count: number;
}

/** A partition as long as this member has it, from one rebalance to another. @internal */
export class AssignedPartition implements TopicPartition {
  /** Runs of any other epoch are out of date. -1: moved, what comes next is not known yet. */
  epoch: number;
  /** The next offset to be processed; UNKNOWN until something was told of this epoch. `sought`: where it has to go, be it the log's begin or end. */
  next = UNKNOWN;
  /** Without a group: where it was to begin; librdkafka's BEGIN where it began at the log's. */
  begins = BEGIN;
  /** `next` is where a program wants it, and librdkafka was not told. */
  sought = false;
  /** Everything below it was told, and there was no more when the broker was asked; -1 = not known of this epoch. */
  told = -1;
  /** Something was told since it was put where it begins. */
  heard = false;
  /** The next offset after what is resolved, as KafkaJS counts; -1 = nothing since it came. */
  resolved = -1;
  /** The offset committed last; -1 = nothing since it came. */
  committed = -1;
  /** The offset resolved when the program committed a later one: see {@link overrule}; -1 = nothing. */
  overruled = -1;
  /** The first offset that was told since it came; -1 = nothing. */
  begin = -1;
  /** In order, not processed; a handler has the first ones when there is a `delivery`. */
  readonly runs: Run[] = [];
  paused = false;
  /** Not paused any more, and librdkafka has not confirmed that. */
  resuming = false;
  /** Revoked or lost: nothing of it starts any more. */
  gone = false;
  /** Others may have it already: nothing of it is committed any more. */
  lost = false;
  delivery: Delivery | undefined;
  /** In the runner's line. */
  queued = false;
  /** Of handlers, since the partition came. */
  failures = 0;
  retryTime = 0;
  /** How many it waits for: a retry, the hook that hears of it, a handler that still has it from before. */
  waits = 0;
  readonly #onIdle: (() => void)[] = [];
  /** How often it was moved. */
  moves = 0;
  /** A move is under way: the next waits for its answer. */
  moving = false;

  constructor(
    readonly topic: string,
    readonly partition: number,
    readonly topicId: number,
    epoch: number,
  ) {
    this.epoch = epoch;
  }

  get ready(): boolean {
    return this.runs.length > 0 && !this.delivery && !this.paused && !this.gone && this.waits === 0;
  }

  /** Messages and ends that came so far are of the old place. */
  outdate(): void {
    this.epoch = this.told = -1;
    this.heard = false;
  }

  /** `call` is called when the handler that has it lets go. */
  whenIdle(call: () => void): void {
    this.#onIdle.push(call);
  }

  /** No handler has it any more. */
  idle(): void {
    for (const call of this.#onIdle.splice(0)) call();
  }

  /** The offset behind what a handler has, or has left to be given again. */
  get behind(): number {
    const { delivery, runs, next } = this;
    return runs.length > 0 && !delivery?.stale ? runs.at(-1)!.next : next;
  }

  /** The program commits this offset: what is resolved, if it is less, is not committed over it, unless what is returned is called. */
  overrule(offset: number): (() => void) | undefined {
    const { resolved, overruled } = this;
    if (offset <= resolved) return undefined;
    this.overruled = resolved;
    return () => {
      if (this.overruled === resolved) this.overruled = overruled;
    };
  }

  get uncommitted(): boolean {
    return this.resolved >= 0 && this.resolved !== this.committed && this.resolved !== this.overruled && !this.lost;
  }
}

/** This member's partitions, which of them are paused, and where they were moved. @internal */
export class Assignment {
  readonly #native: NativeGroup;
  readonly #calls: Calls;
  readonly #pausedNatively: Set<string>;
  readonly #failed: (message: string) => void;
  readonly #byName = new Map<string, AssignedPartition>();
  readonly #byId = new Map<number, Map<number, AssignedPartition>>();
  readonly #pauses = new PauseList();
  /** Of partitions that are not assigned: `topic/partition` to the offset where they begin when they are. */
  readonly #seeks = new Map<string, number>();
  /** Gone, and a handler still has it. */
  readonly #leaving = new Map<string, AssignedPartition>();
  readonly #retries = new Set<NodeJS.Timeout>();
  #ended = false;

  /**
   * @param pausedNatively names of what librdkafka has paused
   * @param failed hears why a move failed
   */
  constructor(native: NativeGroup, calls: Calls, pausedNatively: Set<string>, failed: (message: string) => void) {
    this.#native = native;
    this.#calls = calls;
    this.#pausedNatively = pausedNatively;
    this.#failed = failed;
  }

  [Symbol.iterator](): Iterator<AssignedPartition> {
    return this.#byName.values();
  }

  get size(): number {
    return this.#byName.size;
  }

  byId(topicId: number, partition: number): AssignedPartition | undefined {
    return this.#byId.get(topicId)?.get(partition);
  }

  /** @param named topic/partition */
  has(named: string): boolean {
    return this.#byName.has(named);
  }

  find(topic: string, partition: number): AssignedPartition | undefined {
    return this.#byName.get(name(topic, partition));
  }

  byTopic(): Record<string, number[]> {
    return group(this);
  }

  /** Where a partition that comes was sought to; UNKNOWN if it was not. */
  takeSeek(topic: string, partition: number): number {
    const offset = this.#seeks.get(name(topic, partition)) ?? UNKNOWN;
    this.#seeks.delete(name(topic, partition));
    return offset;
  }

  /** Comes; `ready` is called when a handler that has it from before lets go. */
  add(assigned: AssignedPartition, ready: (assigned: AssignedPartition) => void): void {
    const key = name(assigned.topic, assigned.partition);
    this.#byName.set(key, assigned);
    let partitions = this.#byId.get(assigned.topicId);
    if (!partitions) this.#byId.set(assigned.topicId, (partitions = new Map()));
    partitions.set(assigned.partition, assigned);
    assigned.paused = this.#pauses.has(assigned.topic, assigned.partition);
    const before = this.#leaving.get(key);
    if (!before) return;
    assigned.waits++;
    before.whenIdle(() => {
      assigned.waits--;
      ready(assigned);
    });
  }

  /** Goes. */
  remove(assigned: AssignedPartition): void {
    const key = name(assigned.topic, assigned.partition);
    assigned.gone = true;
    this.#dropWaiting(assigned);
    if (this.#byName.get(key) !== assigned) return; // removed before
    this.#byName.delete(key);
    this.#byId.get(assigned.topicId)?.delete(assigned.partition);
    if (!assigned.delivery) return;
    this.#leaving.set(key, assigned);
    assigned.whenIdle(() => this.#leaving.delete(key));
  }

  /** Frees the partition's runs from this one on. */
  drop(assigned: AssignedPartition, from: number): void {
    for (const run of assigned.runs.splice(from)) this.#native.free(run.packed.id, run.index);
  }

  /** Frees the partition's first runs. */
  dropFirst(assigned: AssignedPartition, count: number): void {
    for (const run of assigned.runs.splice(0, count)) this.#native.free(run.packed.id, run.index);
  }

  /** Frees what no handler has. It is fetched again from where it began, which can be below what came before: the log may have begun anew. */
  #dropWaiting(assigned: AssignedPartition): void {
    const { delivery, runs } = assigned;
    const count = delivery ? delivery.count : 0;
    const first = runs[count];
    if (!first) return;
    const last = runs[count - 1];
    if (!last) assigned.next = first.firstOffset;
    else if (!delivery!.stale && first.firstOffset < last.next) last.next = first.firstOffset;
    this.drop(assigned, count);
  }

  /** The next messages are from this offset on; BEGIN and END are the log's. Not assigned: when it is. */
  seek(topic: string, partition: number, offset: number): AssignedPartition | undefined {
    const assigned = this.find(topic, partition);
    if (!assigned || assigned.gone) {
      this.#seeks.set(name(topic, partition), offset);
      return undefined;
    }
    // Offsets that the handler resolves from now on are of the old place; its runs are freed when it ends.
    if (assigned.delivery) assigned.delivery.stale = true;
    this.drop(assigned, assigned.delivery ? assigned.delivery.count : 0);
    assigned.next = assigned.begins = offset;
    assigned.sought = true;
    assigned.resolved = assigned.overruled = -1;
    // Messages that come until then are of the old place. A paused partition goes to its offset when it is resumed.
    assigned.outdate();
    if (!assigned.paused) this.#move([assigned]);
    return assigned;
  }

  /** The bytes of what waits are gone: it is fetched again. */
  fetchAgain(assigned: AssignedPartition): void {
    this.#dropWaiting(assigned);
    if (!assigned.paused) this.#move([assigned]);
  }

  pause(topics: readonly { topic: string; partitions?: number[] }[]): void {
    this.#pauses.pause(topics);
    const changed = [...this].filter((assigned) => !assigned.paused && this.#pauses.has(assigned.topic, assigned.partition));
    for (const assigned of changed) {
      assigned.paused = true;
      assigned.told = -1;
      // The rest is fetched again: a long pause must not hold memory. Runs that a handler has are looked at when it ends.
      this.#dropWaiting(assigned);
    }
    this.pauseNative(changed);
  }

  pauseNative(partitions: readonly AssignedPartition[]): void {
    if (partitions.length === 0) return;
    for (const { topic, partition } of partitions) this.#pausedNatively.add(name(topic, partition));
    void this.#calls
      .start<void>((id) =>
        this.#native.pause(
          id,
          partitions.map(({ topic }) => topic),
          partitions.map(({ partition }) => partition),
        ),
      )
      .catch((error: unknown) =>
        this.#failed(`Partitions could not be paused in librdkafka, what it fetches of them is thrown away: ${(error as Error).message}`),
      );
  }

  /** Of partitions that come, those that were paused when they went, and are not any more. */
  resumeNative(come: readonly AssignedPartition[]): void {
    const stuck = come.filter(({ topic, partition, paused }) => !paused && this.#pausedNatively.has(name(topic, partition)));
    for (const assigned of stuck) assigned.resuming = true;
    this.#move(stuck);
  }

  /** Returns those that go on. */
  resume(topics: readonly { topic: string; partitions?: number[] }[]): AssignedPartition[] {
    this.#pauses.resume(topics);
    const changed = [...this].filter((assigned) => assigned.paused && !this.#pauses.has(assigned.topic, assigned.partition));
    for (const assigned of changed) {
      assigned.paused = false;
      assigned.resuming = true;
    }
    this.#move(changed);
    return changed;
  }

  /** The session is over: no move is tried again. */
  end(): void {
    this.#ended = true;
    for (const timer of this.#retries) clearTimeout(timer);
    this.#retries.clear();
  }

  paused(): TopicPartitions[] {
    return Object.entries(group([...this].filter(({ paused }) => paused))).map(([topic, partitions]) => ({ topic, partitions }));
  }

  /** Librdkafka goes on where these have to: at what they want when it is told, which is once what it was told before is answered. */
  #move(partitions: readonly AssignedPartition[]): void {
    for (const assigned of partitions) {
      assigned.outdate();
      assigned.moves++;
    }
    const free = partitions.filter(({ moving }) => !moving);
    if (free.length > 0) void this.#tell(free, FIRST_RETRY_MS);
  }

  /** @param delay milliseconds before those that failed are tried again */
  async #tell(partitions: readonly AssignedPartition[], delay: number): Promise<void> {
    const told = partitions.map((assigned) => {
      const { moves, sought, behind: offset } = assigned;
      assigned.moving = true;
      assigned.sought = false;
      if (assigned.next < 0) assigned.next = UNKNOWN;
      return { assigned, moves, sought, offset, done: false };
    });
    // On the stack of the reply: the runs behind it have the new epochs already.
    const replied = (epochs: number | number[]): void => {
      for (const [i, epoch] of [epochs].flat().entries()) {
        const each = told[i]!;
        each.done = epoch >= 0;
        if (!each.done || each.assigned.moves !== each.moves) continue;
        each.assigned.epoch = epoch;
        each.assigned.resuming = false;
      }
    };
    const topics = partitions.map(({ topic }) => topic);
    const numbers = partitions.map(({ partition }) => partition);
    const offsets = told.map(({ offset }) => offset);
    const soughts = told.map(({ sought }) => sought);
    const resume = partitions.some(({ resuming }) => resuming);
    if (resume) for (const { topic, partition } of partitions) this.#pausedNatively.delete(name(topic, partition));
    let reason = 'librdkafka has not got them';
    try {
      await this.#calls.start((id) => {
        if (resume) this.#native.resume(id, topics, numbers, offsets, soughts);
        else this.#native.seek(id, topics[0]!, numbers[0]!, offsets[0]!, soughts[0]!);
      }, replied);
    } catch (error) {
      reason = (error as Error).message;
    }
    const again: AssignedPartition[] = [];
    for (const { assigned, moves, sought, offset, done } of told) {
      assigned.moving = false;
      if (!done && resume) this.#pausedNatively.add(name(assigned.topic, assigned.partition));
      if (!done && sought && !assigned.sought) {
        assigned.sought = true;
        assigned.next = offset;
      }
      // A paused partition is moved when it is resumed.
      if (assigned.gone || assigned.paused || this.#ended) continue;
      if (assigned.moves !== moves) this.#move([assigned]);
      else if (!done) again.push(assigned);
    }
    if (again.length === 0) return;
    this.#failed(
      `Partitions could not be moved, tried again in ${delay} ms: ${again.map(({ topic, partition }) => name(topic, partition)).join(', ')}: ${reason}`,
    );
    for (const assigned of again) this.#tellLater(assigned, delay);
  }

  /** One at a time: who cannot be moved must not be in the way of the others. */
  #tellLater(assigned: AssignedPartition, delay: number): void {
    const { moves } = assigned;
    const timer = setTimeout(() => {
      this.#retries.delete(timer);
      if (assigned.moves === moves && !assigned.gone && !assigned.paused) void this.#tell([assigned], Math.min(2 * delay, LAST_RETRY_MS));
    }, delay);
    this.#retries.add(timer);
  }
}

/** A topic's name has no slash. */
function name(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}

function group(partitions: Iterable<TopicPartition>): Record<string, number[]> {
  const topics = partitionsByTopic(partitions);
  for (const list of topics.values()) list.sort((a, b) => a - b);
  return Object.fromEntries(topics);
}
