import { clearTimeout, setTimeout } from '../../clock';
import { KafkaError } from '../../errors';
import type { NativeGroup } from '../../binding';
import type { Calls } from '../../calls';
import type { AssignedPartition, Assignment } from './assignment';
import { KafkaJSProtocolError, toKafkaJSError } from '../errors';
import { failureOf } from '../protocol-codes';
import type { Instrumentation } from '../events';
import type { KafkaLogger } from '../logger';
import { trace } from '../tracing';

/** Offsets of one topic, as KafkaJS lists them: the next to be read. */
export interface TopicOffsets {
  topic: string;
  partitions: { partition: number; offset: string; metadata?: string | null }[];
}
export interface OffsetsByTopicPartition {
  topics: TopicOffsets[];
}

/** The core has waited for the rebalance, and it took partitions away, or lasts for too long. @internal */
export const REBALANCING = new Set([
  'REBALANCE_IN_PROGRESS',
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'FENCED_MEMBER_EPOCH',
  'STALE_MEMBER_EPOCH',
  '_ASSIGNMENT_LOST',
  '_NO_OFFSET',
]);
const RETRY_MS = 500;

/** @internal */
export interface TopicOffset {
  topic: string;
  partition: number;
  /** The next to be read. */
  offset: number;
}

/** @internal */
export interface CommitOptions {
  autoCommit: boolean;
  /** To files, not to a group. */
  files: boolean;
  /** Milliseconds; null: after each batch only. */
  autoCommitInterval: number | null;
  /** Messages; null: after each batch only. */
  autoCommitThreshold: number | null;
}

/** Whose offsets are committed. @internal */
export interface CommitsOwner {
  readonly native: NativeGroup;
  readonly calls: Calls;
  readonly events: Instrumentation;
  readonly log: KafkaLogger;
  readonly assignment: Assignment;
  /** Group, member and generation, in the words of KafkaJS's events. */
  names(): { groupId: string | null; memberId: string; groupGenerationId: number };
  crash(error: Error): void;
}

/** Commits what is resolved: one request at a time, and what was resolved meanwhile goes with the next. @internal */
export class Commits {
  readonly #owner: CommitsOwner;
  readonly #options: CommitOptions;
  /** Whether `ifNecessary` has something to look at: asked once a message. */
  readonly watched: boolean;
  #lastCommit = Date.now();
  #underWay: Promise<void> | undefined;
  #again = false;
  #retry: NodeJS.Timeout | undefined;

  constructor(owner: CommitsOwner, options: CommitOptions) {
    this.#owner = owner;
    this.#options = options;
    this.watched = options.autoCommit && (options.autoCommitInterval !== null || options.autoCommitThreshold !== null);
  }

  /** Commits what is resolved, soon, unless the program does that itself. */
  auto(): void {
    if (!this.#options.autoCommit) return;
    if (this.#underWay || this.#retry) this.#again = true;
    else this.#underWay = this.#run();
  }

  async #run(): Promise<void> {
    try {
      do {
        this.#again = false;
        await this.commit(this.uncommitted());
      } while (this.#again);
    } catch (error) {
      this.#failed(error as Error);
    } finally {
      this.#underWay = undefined;
    }
  }

  #failed(error: Error): void {
    const cause = error.cause instanceof KafkaError ? error.cause : undefined;
    if (cause && REBALANCING.has(cause.code)) return this.#owner.log.debug(`Not committed, the group is rebalancing: ${error.message}`, this.#owner.names());
    if ((error as { retriable?: boolean }).retriable === false) return this.#owner.crash(error);
    this.#owner.log.warn(`Offsets were not committed, tried again in ${RETRY_MS} ms: ${error.message}`, this.#owner.names());
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.auto();
    }, RETRY_MS);
  }

  /** Commits if the interval or the threshold of `run` says so. */
  async ifNecessary(): Promise<void> {
    const { autoCommitInterval, autoCommitThreshold } = this.#options;
    const late = autoCommitInterval !== null && Date.now() >= this.#lastCommit + autoCommitInterval;
    if (late || (autoCommitThreshold !== null && this.#resolvedCount() >= autoCommitThreshold)) await this.commit(this.uncommitted());
  }

  #resolvedCount(): number {
    let count = 0;
    for (const assigned of this.#owner.assignment) {
      if (assigned.uncommitted) count += assigned.resolved - Math.max(assigned.committed, assigned.begin);
    }
    return count;
  }

  /** Offsets that are resolved and not committed. */
  uncommitted(of: Iterable<AssignedPartition> = this.#owner.assignment): TopicOffsets[] {
    const topics = new Map<string, TopicOffsets>();
    for (const { topic, partition, resolved, uncommitted } of of) {
      if (!uncommitted) continue;
      if (!topics.has(topic)) topics.set(topic, { topic, partitions: [] });
      topics.get(topic)!.partitions.push({ partition, offset: String(resolved) });
    }
    return [...topics.values()];
  }

  /** A transaction has these: they count as committed until what is returned is called. */
  sent(offsets: readonly TopicOffset[]): () => void {
    const undo = offsets.map(({ topic, partition, offset }) => {
      const assigned = this.#owner.assignment.find(topic, partition);
      if (!assigned) return undefined;
      const before = assigned.committed;
      const takeBack = assigned.overrule(offset);
      assigned.committed = offset;
      return () => {
        if (assigned.committed === offset) assigned.committed = before;
        takeBack?.();
      };
    });
    return () => undo.forEach((takeBack) => takeBack?.());
  }

  /**
   * One that meets a rebalance waits for its end. Rejects with KafkaJS's error: REBALANCE_IN_PROGRESS, retriable, when a partition
   * has gone meanwhile.
   */
  async commit(topics: TopicOffsets[]): Promise<void> {
    const flat = topics.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, ...partition })));
    this.#lastCommit = Date.now();
    if (flat.length === 0) return;
    const names = this.#owner.names();
    const held = flat.map(({ topic, partition }) => this.#owner.assignment.find(topic, Number(partition)));
    // At once: an automatic commit that begins before the answer would come behind this one.
    const undo = held.map((assigned, i) => assigned?.overrule(Number(flat[i]!.offset)));
    try {
      await trace('commit', { ...names, topics }, () =>
        this.#owner.calls.start<void>((id) =>
          this.#owner.native.commit(
            id,
            flat.map(({ topic }) => topic),
            flat.map(({ partition }) => Number(partition)),
            flat.map(({ offset }) => Number(offset)),
            flat.map(({ metadata }) => metadata ?? null),
          ),
        ),
      );
    } catch (error) {
      for (const takeBack of undo) takeBack?.();
      throw error instanceof KafkaError && REBALANCING.has(error.code) ? rebalancing(error.message, error) : toKafkaJSError(error);
    }
    for (const [i, { offset }] of flat.entries()) {
      const assigned = held[i];
      if (assigned) assigned.committed = Number(offset);
    }
    this.#lastCommit = Date.now();
    this.#owner.events.emit('consumer.commit_offsets', { ...names, topics });
  }

  /** Nothing is processed of these, which is committed whoever else commits; not of a group. */
  begin(partitions: readonly AssignedPartition[]): void {
    if (partitions.length === 0 || !this.#options.files) return;
    const { calls, native, log } = this.#owner;
    const topics = partitions.map(({ topic }) => topic);
    const numbers = partitions.map(({ partition }) => partition);
    const none = partitions.map(() => null);
    calls
      .start<void>((id) =>
        native.commit(
          id,
          topics,
          numbers,
          partitions.map(() => 0),
          none,
        ),
      )
      .catch((error: Error) => log.warn(`Offset files of topics that were made anew are not written: ${error.message}`, this.#owner.names()));
  }

  /** Before partitions go: what they have is committed when this resolves, or logged that it is not within `patience` milliseconds. */
  async flush(patience: number, of?: readonly AssignedPartition[]): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`the coordinator has not answered within ${patience} ms`)), patience);
    });
    try {
      await Promise.race([this.#last(of), late]);
    } catch (error) {
      this.#owner.log.warn(
        `Offsets of partitions that go were not committed, their last messages come again: ${(error as Error).message}`,
        this.#owner.names(),
      );
    } finally {
      clearTimeout(timer);
    }
  }

  async #last(of?: readonly AssignedPartition[]): Promise<void> {
    await this.#underWay;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    if (this.#options.autoCommit) await this.commit(this.uncommitted(of));
  }
}

/** The error that KafkaJS programs look for: a handler that ends with it does not end the consumer. @internal */
export function rebalancing(message: string, cause?: KafkaError): KafkaJSProtocolError {
  return new KafkaJSProtocolError({ ...failureOf('REBALANCE_IN_PROGRESS', message), retriable: true }, { cause });
}
