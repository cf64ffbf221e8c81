// The commits of one consumer.

// From the module, not from the globals: fake timers of a test framework must not stop it.
import { clearTimeout, setTimeout } from 'node:timers';
import type { KafkaConsumer } from 'kafka-native';
import { ProxyError } from '../errors';
import type { Log } from '../options';
import type { Acked, GroupPartition } from './partition';

/** Milliseconds before a commit that failed is tried again, doubled with each. */
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 2000;

interface Snapshot {
  partition: GroupPartition;
  offset: number;
  waiting: Acked[];
}

/** It may succeed `later`, or never; a topic is not there, or not known yet to the coordinator. */
type Failure = 'later' | 'refused' | 'unknown';

/** Commits what is acknowledged: one request at a time, and what is acknowledged meanwhile goes with the next. */
export class Commits {
  readonly #consumer: KafkaConsumer;
  readonly #log: Log;
  readonly #dirty = new Set<GroupPartition>();
  #running = false;
  #ended = false;
  #attempts: (() => void)[] = [];

  constructor(consumer: KafkaConsumer, log: Log) {
    this.#consumer = consumer;
    this.#log = log;
  }

  add(partition: GroupPartition): void {
    if (!partition.dirty) return;
    this.#dirty.add(partition);
    if (this.#running || this.#ended) return;
    this.#running = true;
    void this.#run();
  }

  /** Resolves when what these have is committed, cannot be, or the time is over. */
  async flush(partitions: readonly GroupPartition[], ms: number): Promise<void> {
    let late = false;
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        late = true;
        resolve();
      }, ms);
    });
    while (!late && !this.#ended && partitions.some(({ dirty }) => dirty)) {
      const attempt = new Promise<void>((resolve) => this.#attempts.push(resolve));
      for (const partition of partitions) this.add(partition);
      await Promise.race([attempt, over]);
    }
    clearTimeout(timer);
  }

  /** No more is tried. */
  end(): void {
    this.#ended = true;
    this.#tried();
  }

  async #run(): Promise<void> {
    let pause = FIRST_RETRY_MS;
    while (!this.#ended) {
      const partitions = [...this.#dirty].filter(({ dirty }) => dirty);
      this.#dirty.clear();
      if (partitions.length === 0) break;
      let again = false;
      // A commit that fails for good, or as long as its topic is not there, is found alone: it must not keep the others.
      const failed = await this.#commit(partitions);
      if (failed && failed !== 'later' && partitions.length > 1) {
        for (const partition of partitions) if (partition.dirty && stays(await this.#commit([partition]))) again = true;
      } else {
        again = stays(failed);
      }
      this.#tried();
      if (again) {
        await new Promise((resolve) => setTimeout(resolve, pause));
        pause = Math.min(2 * pause, LAST_RETRY_MS);
      } else {
        pause = FIRST_RETRY_MS;
      }
      // Commits that failed, and offsets that were acknowledged meanwhile.
      for (const partition of partitions) if (partition.dirty) this.#dirty.add(partition);
    }
    // On the stack of the last look: what is added from now on begins anew.
    this.#running = false;
  }

  #tried(): void {
    const waiting = this.#attempts;
    this.#attempts = [];
    for (const resolve of waiting) resolve();
  }

  /** Never rejects; returns how it failed. */
  async #commit(partitions: readonly GroupPartition[]): Promise<Failure | undefined> {
    const snapshots = partitions.map((partition): Snapshot => {
      const { waiting } = partition;
      partition.waiting = [];
      const offset = partition.acked!;
      // A seek has gone back, and this commit takes the group below what it had committed: acks up to there are not committed any more.
      if (partition.committed !== undefined && offset < partition.committed) partition.committed = undefined;
      return { partition, offset, waiting };
    });
    try {
      await this.#consumer.commitOffsets(snapshots.map(({ partition: { topic, partition }, offset }) => ({ topic, partition, offset: String(offset) })));
    } catch (error) {
      const told = ProxyError.of(error);
      for (const { partition, waiting } of snapshots) if (!partition.ended) for (const each of waiting) partition.wait(each);
      if (told.retriable) {
        this.#log.debug('Offsets were not committed, it is tried again', { error: told.message });
        return told.code === 'UNKNOWN_TOPIC_OR_PARTITION' ? 'unknown' : 'later';
      }
      if (snapshots.length === 1) this.#refuse(snapshots[0]!, told);
      return 'refused';
    }
    for (const { partition, offset, waiting } of snapshots) {
      // The member that has it now may have begun before the coordinator had this.
      if (partition.ended) continue;
      partition.committed = offset;
      const { topic, partition: number, acked } = partition;
      // A seek back has taken back what was acknowledged.
      for (const { reader, offset: own } of waiting) if (own < acked!) reader.committed({ topic, partition: number, offset: own });
      settle(partition);
    }
    return undefined;
  }

  #refuse({ partition, offset }: Snapshot, error: ProxyError): void {
    if (partition.ended) return;
    partition.refused = offset;
    this.#log.warn(`${partition.key} was not committed: ${error.message}`);
    for (const reader of new Set(partition.waiting.map((each) => each.reader))) reader.warn(error, partition);
    partition.waiting = [];
    settle(partition);
  }
}

/** It is tried again. */
function stays(failed: Failure | undefined): boolean {
  return failed === 'later' || failed === 'unknown';
}

/** It is committed where it begins: its reader may have it. */
function settle(partition: GroupPartition): void {
  if (partition.settled) return;
  partition.settled = true;
  partition.reader?.offer(partition);
}
