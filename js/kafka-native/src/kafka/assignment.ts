import type { NativeGroup } from '../binding';
import type { Calls } from '../calls';
import type { TopicPartitions } from './consumer-config';
import type { Run } from './lazy-batch';
import { PauseList } from './pause-list';

/** librdkafka's: nothing was told of the partition yet, it begins where the group committed, or its topic's reset says. @internal */
export const UNKNOWN = -1001;

/** @internal */
export interface TopicPartition {
  topic: string;
  partition: number;
}

/** A partition as long as this member has it, from one rebalance to another. @internal */
export class AssignedPartition implements TopicPartition {
  /** Runs of any other epoch are out of date. -1: moved, what comes next is not known yet. */
  epoch: number;
  /** The next offset to be processed; below 0 when nothing was told yet, or moved to the log's begin or end. */
  next = UNKNOWN;
  /** The next offset after what is resolved, as KafkaJS counts; -1 = nothing since it came. */
  resolved = -1;
  /** What was committed last; -1 = nothing since it came. */
  committed = -1;
  /** The first offset that was told since it came; -1 = nothing. */
  begin = -1;
  /** In order, not processed; a handler has the first when there is a `delivery`. */
  readonly runs: Run[] = [];
  paused = false;
  /** Revoked or lost: nothing of it starts any more. */
  gone = false;
  /** Others may have it already: nothing of it is committed any more. */
  lost = false;
  /** A handler has it; `stale` when what it got was moved away from under it. */
  delivery: { stale: boolean } | undefined;
  /** In the runner's line. */
  queued = false;
  /** Of handlers, since the partition came. */
  failures = 0;
  retryTime = 0;
  /** Waits for a retry, or for a handler that still has it from before. */
  waiting = false;
  /** Called when no handler has it any more. */
  onIdle: (() => void) | undefined;
  /** How often it was moved. */
  moves = 0;

  constructor(readonly topic: string, readonly partition: number, readonly topicId: number, epoch: number) {
    this.epoch = epoch;
  }

  get ready(): boolean {
    return this.runs.length > 0 && !this.delivery && !this.paused && !this.gone && !this.waiting;
  }

  get uncommitted(): boolean {
    return this.resolved >= 0 && this.resolved !== this.committed && !this.lost;
  }
}

/** What this member has, which of it is paused, and where it was moved. @internal */
export class Assignment {
  readonly #native: NativeGroup;
  readonly #calls: Calls;
  readonly #failed: (error: unknown) => void;
  readonly #byName = new Map<string, AssignedPartition>();
  readonly #byId = new Map<number, Map<number, AssignedPartition>>();
  readonly #pauses = new PauseList();
  /** Of partitions that are not assigned: `topic/partition` to the offset where they begin when they are. */
  readonly #seeks = new Map<string, number>();
  /** Gone, and a handler still has it. */
  readonly #leaving = new Map<string, AssignedPartition>();

  /** @param failed hears what a move could not do */
  constructor(native: NativeGroup, calls: Calls, failed: (error: unknown) => void) {
    this.#native = native;
    this.#calls = calls;
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
    assigned.waiting = true;
    before.onIdle = () => {
      this.#leaving.delete(key);
      assigned.waiting = false;
      ready(assigned);
    };
  }

  /** Goes. */
  remove(assigned: AssignedPartition): void {
    const key = name(assigned.topic, assigned.partition);
    assigned.gone = true;
    this.drop(assigned, assigned.delivery ? 1 : 0);
    this.#byName.delete(key);
    this.#byId.get(assigned.topicId)?.delete(assigned.partition);
    if (!assigned.delivery) return;
    this.#leaving.set(key, assigned);
    assigned.onIdle = () => this.#leaving.delete(key);
  }

  /** Frees the partition's runs from this one on. */
  drop(assigned: AssignedPartition, from: number): void {
    for (const run of assigned.runs.splice(from)) this.#native.free(run.packed.id, run.index);
  }

  /** Frees the partition's first run. */
  dropFirst(assigned: AssignedPartition): void {
    const run = assigned.runs.shift();
    if (run) this.#native.free(run.packed.id, run.index);
  }

  /** The next messages are from this offset on; -2 = the log's begin, -1 = its end. Not assigned: when it is. */
  seek(topic: string, partition: number, offset: number): AssignedPartition | undefined {
    const assigned = this.find(topic, partition);
    if (!assigned || assigned.gone) {
      this.#seeks.set(name(topic, partition), offset);
      return undefined;
    }
    // What the handler resolves from now on is of the old place; its run is freed when it ends.
    if (assigned.delivery) assigned.delivery.stale = true;
    this.drop(assigned, assigned.delivery ? 1 : 0);
    assigned.next = offset;
    assigned.resolved = -1;
    // A paused partition goes to its offset when it is resumed.
    if (!assigned.paused) this.#moved([assigned], (id) => this.#native.seek(id, topic, partition, offset));
    return assigned;
  }

  pause(topics: readonly { topic: string; partitions?: number[] }[]): void {
    this.#pauses.pause(topics);
    const changed = [...this].filter((assigned) => !assigned.paused && this.#pauses.has(assigned.topic, assigned.partition));
    for (const assigned of changed) {
      assigned.paused = true;
      // The rest is fetched again: a long pause must not hold memory. What a handler has is looked at when it ends.
      this.drop(assigned, assigned.delivery ? 1 : 0);
    }
    this.pauseNative(changed);
  }

  pauseNative(partitions: readonly AssignedPartition[]): void {
    if (partitions.length === 0) return;
    void this.#calls.start<void>((id) => this.#native.pause(id, partitions.map(({ topic }) => topic), partitions.map(({ partition }) => partition))).catch(this.#failed);
  }

  /** Returns those that go on. */
  resume(topics: readonly { topic: string; partitions?: number[] }[]): AssignedPartition[] {
    this.#pauses.resume(topics);
    const changed = [...this].filter((assigned) => assigned.paused && !this.#pauses.has(assigned.topic, assigned.partition));
    if (changed.length === 0) return changed;
    const offsets = changed.map((assigned) => {
      assigned.paused = false;
      // A handler that goes on with its run, or a run that is left of it: fetching goes on behind it.
      return assigned.runs.length > 0 && !assigned.delivery?.stale ? assigned.runs[0]!.next : assigned.next;
    });
    this.#moved(changed, (id) => this.#native.resume(id, changed.map(({ topic }) => topic), changed.map(({ partition }) => partition), offsets));
    return changed;
  }

  paused(): TopicPartitions[] {
    return Object.entries(group([...this].filter(({ paused }) => paused))).map(([topic, partitions]) => ({ topic, partitions }));
  }

  #moved(partitions: readonly AssignedPartition[], begin: (requestId: number) => void): void {
    const moves = partitions.map((assigned) => {
      assigned.epoch = -1;
      return ++assigned.moves;
    });
    // On the stack of the reply: the runs behind it have the new epochs already.
    const replied = (epochs: number | number[]): void => {
      for (const [i, epoch] of [epochs].flat().entries()) {
        if (partitions[i]!.moves === moves[i]) partitions[i]!.epoch = epoch;
      }
    };
    void this.#calls.start(begin, replied).catch(this.#failed);
  }
}

/** A topic's name has no slash. */
function name(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}

function group(partitions: Iterable<TopicPartition>): Record<string, number[]> {
  const topics: Record<string, number[]> = {};
  for (const { topic, partition } of partitions) (topics[topic] ??= []).push(partition);
  for (const list of Object.values(topics)) list.sort((a, b) => a - b);
  return topics;
}
