import { clearTimeout, setTimeout } from '../../clock';
import type { NativeGroup } from '../../binding';
import { integerOf } from '../../numbers';
import { describe } from '../../options';
import { Pace } from '../../pace';
import { Turn } from '../../turn';
import type { AssignedPartition, Assignment, Delivery } from './assignment';
import type { ClientContext } from '../client';
import { rebalancing, type Commits, type OffsetsByTopicPartition } from './commits';
import { KafkaJSError, KafkaJSNonRetriableError, KafkaJSNumberOfRetriesExceeded } from '../errors';
import type { Instrumentation } from '../events';
import { Handled } from './handled';
import { Batch, type KafkaMessage, type Run } from './lazy-batch';
import type { KafkaLogger } from '../logger';
import type { MessageRule } from './rule';
import { trace, traced } from '../tracing';
import { checkCommit, checkOffset } from '../given';

export interface EachMessagePayload {
  topic: string;
  partition: number;
  message: KafkaMessage;
  /** Resolves at once: heartbeats are sent in the background. */
  heartbeat(): Promise<void>;
  /** Pauses this partition: no message of it follows until the function that is returned was called. */
  pause(): () => void;
}

export interface EachBatchPayload {
  batch: Batch;
  /** The message with this offset and those before are processed: may be committed, are not given again. */
  resolveOffset(offset: string): void;
  /** Resolves at once: heartbeats are sent in the background. */
  heartbeat(): Promise<void>;
  /** Pauses this partition: no batch of it follows until the function that is returned was called. */
  pause(): () => void;
  /** Commits what is given; without it what is resolved, if `autoCommitInterval` or `autoCommitThreshold` say so. */
  commitOffsetsIfNecessary(offsets?: OffsetsByTopicPartition): Promise<void>;
  /** Offsets that are resolved and not committed, of all partitions. */
  uncommittedOffsets(): OffsetsByTopicPartition;
  /** false when the consumer stops: the rest of the batch is better left. */
  isRunning(): boolean;
  /** true when the partition was sought elsewhere, or goes to another member: the rest of the batch is better left. */
  isStale(): boolean;
}

export type EachMessageHandler = (payload: EachMessagePayload) => unknown;
export type EachBatchHandler = (payload: EachBatchPayload) => unknown;

/** Of `consumer.run`; KafkaJS's options. */
export interface ConsumerRunConfig {
  /** Whether what is resolved is committed after each batch, before partitions go, and at the end. Default true. */
  autoCommit?: boolean;
  /** Milliseconds: commits inside a batch, too, so often. */
  autoCommitInterval?: number | null;
  /** Messages: commits inside a batch, too, after so many. */
  autoCommitThreshold?: number | null;
  /** Whether a batch is resolved when `eachBatch` returns; default true. Not where it calls `resolveOffset` and left because `isRunning` or `isStale` said so. */
  eachBatchAutoResolve?: boolean;
  /** How many partitions have a handler at the same time; default 1. Messages of one partition always follow one another. */
  partitionsConsumedConcurrently?: number;
  /**
   * `'end'`: the consumer stops by itself when everything is processed that lay in the topics when it was run, as far as its isolation
   * reads (without `readUncommitted` the last stable offset); `run` resolves then, and rejects where the consumer ends with an error. A
   * member of a group ends when that is so of the partitions that it has.
   */
  until?: 'end';
  /** Which messages the handler gets; without it all. `consumer.only()` replaces it. */
  only?: MessageRule | null;
  /** A promise that it returns is waited for. An error that it throws is reported, and the batch tried again: see `retry`. */
  eachBatch?: EachBatchHandler | null;
  /** The same for single messages. */
  eachMessage?: EachMessageHandler | null;
}

/** The names of the above. @internal */
export const RUN_OPTIONS = {
  autoCommit: true,
  autoCommitInterval: true,
  autoCommitThreshold: true,
  eachBatchAutoResolve: true,
  partitionsConsumedConcurrently: true,
  until: true,
  only: true,
  eachBatch: true,
  eachMessage: true,
} satisfies Record<keyof ConsumerRunConfig, true>;

/** Bytes: what comes together in one batch from the addon, and what is joined to one. */
const DATA = 192 * 1024;

/** @internal */
export type Retry = ClientContext['retry'];

/** How many batches a reader has asked for and not got: no handler begins beyond them. @internal */
export class Demand {
  asked = 0;
  onAsked: () => void = () => {};

  ask(): void {
    this.asked++;
    this.onAsked();
  }
}

/** Whose partitions the runner works off. @internal */
export interface RunnerOwner {
  readonly native: NativeGroup;
  readonly events: Instrumentation;
  readonly log: KafkaLogger;
  readonly assignment: Assignment;
  readonly commits: Commits;
  readonly maxMessagesPerBatch: number;
  /** A handler has taken the memory of what waits. */
  fetchAgain(assigned: AssignedPartition): void;
  seek(topic: string, partition: number, offset: number): void;
  pause(topics: readonly { topic: string; partitions?: number[] }[]): void;
  resume(topics: readonly { topic: string; partitions?: number[] }[]): void;
  /** Something was processed. */
  progress(): void;
  crash(error: Error): void;
}

/** Gives batches to the handlers: fair between partitions, in order within one; tries again what failed, as KafkaJS does. @internal */
export class Runner {
  readonly handled = new Handled();
  readonly log: KafkaLogger;
  readonly #owner: RunnerOwner;
  readonly #options: ConsumerRunConfig;
  readonly #retry: Retry;
  readonly #concurrency: number;
  readonly #demand: Demand | undefined;
  /** Partitions with something to do, each once. */
  readonly #line: AssignedPartition[] = [];
  /** The program calls `resolveOffset`. */
  #resolvesItself = false;
  readonly #retries = new Set<NodeJS.Timeout>();
  #underWay = 0;
  /** Nothing starts until it has come. */
  readonly #turn = new Turn(() => this.#pump());
  /** Of `eachMessage`: one whose promises are resolved already goes on in microtasks. */
  readonly #pace = new Pace();
  #onIdle: (() => void) | undefined;
  running = true;

  /** @param demand a reader's: then nothing starts that it did not ask for */
  constructor(owner: RunnerOwner, options: ConsumerRunConfig, retry: Retry, demand: Demand | undefined) {
    this.log = owner.log.namespace('Runner');
    this.#owner = owner;
    this.#options = options;
    this.#retry = retry;
    this.#concurrency = concurrencyOf(options);
    this.#demand = demand;
    if (demand) demand.onAsked = () => this.#pump();
  }

  /** The partition has, perhaps, something to do. A lone message starts on the stack of its arrival, a large batch behind those of other clients. */
  offer(assigned: AssignedPartition): void {
    this.#enqueue(assigned);
    const { ready, runs } = assigned;
    if (ready && this.#underWay < this.#concurrency && Turn.isLarge(runs[0]!.count, runs[0]!.bytes)) this.#turn.queue();
    if (!this.#turn.waiting) this.#pump();
  }

  /** No handler starts any more; resolves when none runs. */
  async stop(): Promise<void> {
    this.running = false;
    for (const timer of this.#retries) clearTimeout(timer);
    this.#retries.clear();
    if (this.#underWay > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve));
  }

  #enqueue(assigned: AssignedPartition): void {
    // Without a handler messages wait, and the consumer is a member all the same.
    if (!assigned.ready || assigned.queued || !this.running || !(this.#options.eachMessage || this.#options.eachBatch)) return;
    assigned.queued = true;
    this.#line.push(assigned);
  }

  /** At most one batch a place and turn: what else the program does comes in between. */
  #pump(): void {
    let places = this.#concurrency - this.#underWay;
    while (places > 0 && this.#line.length > 0 && this.running && this.#demand?.asked !== 0) {
      const assigned = this.#line.shift()!;
      assigned.queued = false;
      if (!assigned.ready) continue;
      if (assigned.runs[0]!.packed.gone) {
        // the handler of another partition has taken its memory away
        this.#owner.fetchAgain(assigned);
        continue;
      }
      places--;
      if (this.#demand) this.#demand.asked--;
      void this.#deliver(assigned);
    }
  }

  #schedule(): void {
    if (this.#line.length > 0) this.#turn.wait();
  }

  /** Waiting runs of a partition make one batch: the first, and those behind it as long as they fit. */
  #take({ runs }: AssignedPartition): { runs: Run[]; bytes: number } {
    const first = runs[0]!;
    const taken = [first];
    let { count, bytes } = first;
    for (let last = first, i = 1; i < runs.length; i++) {
      const run = runs[i]!;
      // A run that begins below: the log has begun anew.
      if ((count += run.count) > this.#owner.maxMessagesPerBatch || bytes + run.bytes > DATA || run.firstOffset < last.next || run.packed.gone) break;
      bytes += run.bytes;
      taken.push((last = run));
    }
    return { runs: taken, bytes };
  }

  /** Never rejects. */
  async #deliver(assigned: AssignedPartition): Promise<void> {
    const { native, events, commits } = this.#owner;
    const { topic, partition } = assigned;
    const { runs, bytes } = this.#take(assigned);
    const { firstOffset } = runs[0]!;
    const delivery = (assigned.delivery = { stale: false, count: runs.length });
    this.#underWay++;
    assigned.next = firstOffset;
    const batch = new Batch(topic, runs, () => (assigned.gone ? -1 : native.watermarks(topic, partition)[1]));
    // Of a backlog one batch comes behind the other, on and on in one turn: timers and sockets would starve.
    if (Turn.isLarge(batch.size, bytes)) this.#turn.wait();
    const begun = Date.now();
    const listened = events.listened('consumer.start_batch_process') || events.listened('consumer.end_batch_process');
    const about = listened && {
      topic,
      partition,
      highWatermark: batch.highWatermark,
      offsetLag: batch.offsetLag(),
      offsetLagLow: batch.offsetLagLow(),
      batchSize: batch.size,
      firstOffset: batch.firstOffset(),
      lastOffset: batch.lastOffset(),
    };
    let failure: unknown;
    let failed = false;
    try {
      if (about) events.emit('consumer.start_batch_process', about);
      await this.handled.run(() =>
        this.#options.eachMessage ? this.#eachMessage(assigned, runs, delivery) : this.#eachBatch(assigned, runs, delivery, batch),
      );
      if (about) events.emit('consumer.end_batch_process', { ...about, duration: Date.now() - begun });
    } catch (error) {
      failure = error;
      failed = true;
    }
    this.#delivered(assigned, runs, delivery, firstOffset);
    commits.auto();
    if (failed) this.#failed(assigned, failure);
    assigned.idle();
    this.#owner.progress();
    this.#enqueue(assigned);
    if (--this.#underWay === 0) this.#onIdle?.();
    this.#schedule();
  }

  /** Puts the partition where it goes on: behind what is resolved. */
  #delivered(assigned: AssignedPartition, runs: readonly Run[], delivery: Delivery, begun: number): void {
    const { assignment } = this.#owner;
    const last = runs.at(-1)!;
    assigned.delivery = undefined;
    if (delivery.stale) {
      // It was sought elsewhere: what came since is of the new place.
      assignment.dropFirst(assigned, runs.length);
    } else if (assigned.gone) {
      assignment.drop(assigned, 0);
    } else if (assigned.next !== last.next && (assigned.next < begun || assigned.next > last.next)) {
      // Resolved outside of the batch: the program wants to have it again, or to leave some out.
      this.#owner.seek(assigned.topic, assigned.partition, assigned.next);
    } else {
      if (assigned.next === last.lastOffset + 1 && last.next > assigned.next) this.#resolve(assigned, runs, delivery, last.lastOffset);
      const left = assigned.next === last.next ? -1 : runs.findIndex((run) => run.skipTo(assigned.next));
      assignment.dropFirst(assigned, left < 0 ? runs.length : left);
      if (assigned.paused) assignment.drop(assigned, 0);
      else if (left >= 0 && runs[left]!.packed.gone) this.#owner.fetchAgain(assigned);
    }
  }

  #resolve(assigned: AssignedPartition, runs: readonly Run[], delivery: Delivery, offset: number): void {
    if (delivery.stale) return;
    const last = runs.at(-1)!;
    // Behind the last message are, perhaps, transaction markers, which no handler sees.
    assigned.next = assigned.resolved = offset === last.lastOffset ? last.next : offset + 1;
    this.#owner.progress();
  }

  async #eachMessage(assigned: AssignedPartition, runs: readonly Run[], delivery: Delivery): Promise<void> {
    const { commits } = this.#owner;
    const pace = this.#pace;
    const { topic, partition } = assigned;
    const { heartbeat, pause } = this.#tools(assigned);
    const handler = this.#options.eachMessage!;
    const handle = traced('batch')
      ? (payload: EachMessagePayload) => trace('batch', { topic, partition, message: payload.message }, async () => handler(payload))
      : handler;
    let offset = assigned.next;
    try {
      for (const { packed, begin, end } of runs) {
        for (let i = begin; i < end; i++) {
          if (!this.running || delivery.stale || assigned.gone || packed.gone) return;
          offset = packed.offset(i);
          const result = handle({ topic, partition, message: packed.message(i), heartbeat, pause });
          if (typeof (result as PromiseLike<unknown> | undefined)?.then === 'function') await result;
          this.#resolve(assigned, runs, delivery, offset);
          if (commits.watched) await commits.ifNecessary();
          // Behind the others' turn: one of them may have paused it.
          if (pace.late()) await pace.turn();
          if (assigned.paused) return;
        }
      }
    } catch (error) {
      this.#log('eachMessage', assigned, offset, error);
      throw error;
    }
  }

  async #eachBatch(assigned: AssignedPartition, runs: readonly Run[], delivery: Delivery, batch: Batch): Promise<void> {
    const { commits } = this.#owner;
    const { topic, partition } = assigned;
    const handler = this.#options.eachBatch!;
    let told = false;
    const payload: EachBatchPayload = {
      batch,
      // '-1': the batch comes again from offset 0.
      resolveOffset: (offset) => {
        this.#resolvesItself = true;
        this.#resolve(assigned, runs, delivery, Math.max(checkOffset(offset), -1));
      },
      ...this.#tools(assigned),
      commitOffsetsIfNecessary: async (offsets) => {
        if (!offsets) return commits.ifNecessary();
        if (assigned.lost) throw rebalancing(`${topic}/${partition} is not this consumer's any more: its offsets are not committed`);
        for (const { partitions } of offsets.topics) for (const { offset } of partitions) checkCommit(offset);
        return commits.commit(offsets.topics);
      },
      uncommittedOffsets: () => ({ topics: commits.uncommitted() }),
      isRunning: () => this.running || !(told = true),
      isStale: () => (delivery.stale || assigned.gone) && (told = true),
    };
    try {
      await (traced('batch') ? trace('batch', { topic, partition, messages: batch.messages }, async () => handler(payload)) : handler(payload));
    } catch (error) {
      this.#log('eachBatch', assigned, runs[0]!.firstOffset, error);
      throw error;
    }
    // One that resolves message by message, and was told to leave, has left: the rest comes again.
    const left = told && this.#resolvesItself;
    // Messages that the handler had not looked at are empty: it gets them again.
    if (this.#options.eachBatchAutoResolve !== false && !left && !batch.emptied) this.#resolve(assigned, runs, delivery, runs.at(-1)!.lastOffset);
  }

  #tools({ topic, partition }: AssignedPartition): Pick<EachBatchPayload, 'heartbeat' | 'pause'> {
    const owner = this.#owner;
    const these = [{ topic, partitions: [partition] }];
    return {
      heartbeat: async () => {},
      pause: () => {
        owner.pause(these);
        return () => owner.resume(these);
      },
    };
  }

  #log(what: string, { topic, partition }: AssignedPartition, offset: number, error: unknown): void {
    if (error instanceof KafkaJSError) return;
    this.log.error(`Error when calling ${what}`, { topic, partition, offset: String(offset), stack: (error as Error | undefined)?.stack, error });
  }

  /**
   * As KafkaJS counts: the failures of a partition since it came; what succeeds in between does not set them back. Others
   * go on meanwhile.
   */
  #failed(assigned: AssignedPartition, thrown: unknown): void {
    if (assigned.gone || !this.running) return;
    const error = thrown instanceof Error ? thrown : new KafkaJSError(String(thrown));
    const { retries, initialRetryTime, maxRetryTime, multiplier, factor } = this.#retry;
    const around = (ms: number): number => Math.ceil(ms * (1 + factor * (2 * Math.random() - 1)));
    if (!isRetriable(error)) return this.#owner.crash(new KafkaJSNonRetriableError(error, { cause: error.cause ?? error }));
    const retryTime = assigned.failures === 0 ? around(initialRetryTime) : Math.min(around(assigned.retryTime) * multiplier, maxRetryTime);
    if (assigned.failures >= retries) {
      return this.#owner.crash(new KafkaJSNumberOfRetriesExceeded(error, { retryCount: assigned.failures, retryTime }));
    }
    assigned.failures++;
    assigned.retryTime = retryTime;
    assigned.waits++;
    const timer = setTimeout(() => {
      this.#retries.delete(timer);
      assigned.waits--;
      this.offer(assigned);
    }, retryTime);
    this.#retries.add(timer);
  }
}

/** How many handlers run at the same time. @internal */
export function concurrencyOf({ partitionsConsumedConcurrently: given = 1 }: ConsumerRunConfig): number {
  const concurrency = integerOf(given);
  if (concurrency !== undefined && concurrency >= 1) return concurrency;
  throw new KafkaJSNonRetriableError(`Consumer.run: partitionsConsumedConcurrently must be an integer from 1, got ${describe(given)}`);
}

/** Errors of sendOffsets() and commitOffsets() in a rebalance: when it is over the partition has gone, or is ours as before. */
const REBALANCING = new Set<unknown>([
  'REBALANCE_IN_PROGRESS',
  'ILLEGAL_GENERATION',
  'NOT_COORDINATOR_FOR_GROUP',
  'UNKNOWN_MEMBER_ID',
  'FENCED_MEMBER_EPOCH',
  'STALE_MEMBER_EPOCH',
]);

/** KafkaJS's rule: programming errors are not tried again. */
function isRetriable(error: Error): boolean {
  if (REBALANCING.has((error as { type?: unknown }).type)) return true;
  return (error as { retriable?: boolean }).retriable !== false && !['RangeError', 'ReferenceError', 'SyntaxError', 'TypeError'].includes(error.name);
}
