import { inspect } from 'node:util';
import { clearTimeout, setTimeout } from '../clock';
import { readBatch, type Encoding } from '../batch';
import { type ToldConsumerStats, Event, type NativeConsumer, type Told } from '../binding';
import { Calls } from '../calls';
import { fromData, native, stateError } from '../errors';
import { hold, keep, letGo, release, watchExit, weakly } from '../lifetime';
import { binding } from '../loader';
import { SafeLogger } from '../logger';
import { OptionReader } from '../options';
import { countOf } from '../packed';
import { Turn } from '../turn';
import { readConsumerOptions, type ConsumerOptions, type ReadConsumerOptions } from './consumer-options';
import { readOffsets } from './offset-manager';
import { withStatistics } from './stats';

export interface ConsumerStopOptions {
  /** Wait for the running callbacks. Not from inside one: it would wait for itself. Default false. */
  drain?: boolean;
  /**
   * Milliseconds for the whole; default 15 000. When it passes while callbacks run, that is logged and their batches
   * count as not processed; at least a second is kept for writing offsets.
   */
  timeout?: number;
}

/** A batch as the addon gave it: decoded when it is delivered, anew each time. */
interface Waiting {
  readonly id: number;
  packed: Uint8Array;
  readonly large: boolean;
  attempts: number;
}

const NOTHING = new Uint8Array(0);
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 10_000;

/**
 * Receives the messages of a topic, in batches, and records what is processed.
 *
 * ```js
 * const consumer = new Consumer({
 *   broker: 'localhost:9092',
 *   topic: 'clicks',
 *   offset_directory: './offsets',
 *   receive_callback: async ({ messages }) => {
 *     for (const { offset, payload } of messages) console.log(offset, payload);
 *   },
 * });
 * await consumer.start();
 * ```
 *
 * A started consumer keeps the process and itself alive until `stop()` is done. One that is not started, and that you no longer
 * refer to, ends when it is collected; `error_callback` and `stats_callback` keep it.
 */
export class Consumer<P extends Encoding = 'utf8', K extends Encoding = 'utf8'> {
  readonly #options: ReadConsumerOptions;
  readonly #native: NativeConsumer;
  readonly #calls = new Calls(this);
  readonly #log: SafeLogger;

  #state: 'new' | 'starting' | 'started' = 'new';
  #stopping: Promise<void> | undefined;
  #paused = false;
  /** Arrived and not started: in order, and few, since the addon waits for `started`. */
  #waiting: Waiting[] = [];
  /** The callback has not returned, or its promise is pending. */
  #running = 0;
  /** Failed, waits to be delivered again (`commit_on_error: false`); nothing else starts meanwhile. */
  #retry: { batch: Waiting; timer: NodeJS.Timeout } | undefined;
  /** Nothing starts until it has come. */
  readonly #turn = new Turn(() => this.#startNext());
  #failures = 0;
  #onIdle: (() => void) | undefined;

  /** @throws TypeError, RangeError naming the option; KafkaError with librdkafka's words for its properties. */
  constructor(options: ConsumerOptions<P, K>) {
    const read = readConsumerOptions(options);
    this.#options = read;
    this.#log = new SafeLogger(read.logger, read.native.properties);
    if (read.unknown.length > 0) this.#log.warn(`Consumer: unknown options are ignored: ${read.unknown.join(', ')}`);
    this.#native = native(() => new binding.NativeConsumer(read.native, weakly(this.#onEvent)));
    if (read.onStats || read.onError) keep(this);
    watchExit();
  }

  /** How often `receive_callback` threw or rejected. */
  get failed_callbacks(): number {
    return this.#failures;
  }

  /**
   * Begins to pull messages. Resolves with the partitions that are pulled: those of the topic with
   * `partition % num_workers === worker_slot`; later ones are picked up within 30 s.
   *
   * Rejects when the topic has no partitions or fewer than there are workers, when an offset file cannot be read or
   * another consumer holds it, and with code `_STATE` when it was started or stopped before. After another failure it
   * may be called again.
   */
  async start(): Promise<number[]> {
    if (this.#stopping) throw stateError('start: the consumer is already stopped');
    if (this.#state !== 'new') throw stateError('start: the consumer is already started');
    this.#state = 'starting';
    let partitions: number[];
    try {
      partitions = await this.#calls.start<number[]>((id) => this.#native.start(id));
    } catch (error) {
      this.#state = 'new';
      this.#paused = false;
      throw error;
    }
    if (this.#stopping) throw stateError('start: the consumer was stopped meanwhile');
    this.#state = 'started';
    hold(this);
    if (this.#paused) this.#native.pause();
    this.#schedule();
    return partitions;
  }

  /**
   * No `receive_callback` starts after this returned. Fetched messages are kept.
   * @throws KafkaError `_STATE` before `start()` and after `stop()`
   */
  pause(): void {
    if (this.#stopping) throw stateError('pause: the consumer is stopped');
    if (this.#state === 'new') throw stateError('pause: the consumer is not started');
    if (this.#paused) return;
    this.#paused = true;
    if (this.#state === 'started') this.#native.pause();
  }

  /**
   * Goes on where `pause()` stopped; the next callback starts after this returned. Does nothing after `stop()`.
   * @throws KafkaError `_STATE` before `start()`
   */
  resume(): void {
    if (this.#stopping) return;
    if (this.#state === 'new') throw stateError('resume: the consumer is not started');
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#state === 'started') this.#native.resume();
    this.#schedule();
  }

  /**
   * No `receive_callback` starts after this was called. Resolves when the pending offsets are on disk and the client has
   * ended; the process can exit then. It does not wait for running callbacks, unless `drain` says so: one that ends
   * later is recorded if the offset can still be written, else its messages come again.
   *
   * A second call returns the same promise.
   */
  stop(options: ConsumerStopOptions = {}): Promise<void> {
    if (this.#stopping) return this.#stopping;
    let drain: boolean;
    let timeout: number;
    try {
      const read = new OptionReader('Consumer.stop', options);
      drain = read.boolean('drain', false);
      timeout = read.integer('timeout', 15_000, 0, 2 ** 31 - 1);
    } catch (error) {
      return Promise.reject(error);
    }
    // Its first step runs after this assignment: `#stopping` is what everything else looks at.
    return (this.#stopping = Promise.resolve().then(() => this.#stop(drain, timeout)));
  }

  async #stop(drain: boolean, timeout: number): Promise<void> {
    const deadline = Date.now() + timeout;
    try {
      if (this.#retry) {
        clearTimeout(this.#retry.timer);
        this.#native.drop(this.#retry.batch.id);
        this.#retry = undefined;
      }
      for (const batch of this.#waiting.splice(0)) this.#native.drop(batch.id);
      if (drain && this.#running > 0) {
        if (!this.#paused) this.#native.pause();
        await this.#idle(timeout);
      }
      await this.#calls.start<void>((id) => this.#native.stop(id, drain ? Math.max(deadline - Date.now(), 1000) : timeout));
    } finally {
      if (this.#state === 'started') release(this);
      letGo(this);
    }
  }

  /** Waits until no callback runs, or for the deadline. */
  async #idle(timeout: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.#log.warn(`stop: ${this.#running} callbacks still run after ${timeout} ms and are not waited for`);
        resolve();
      }, timeout);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Everything that the addon tells; must not throw. */
  readonly #onEvent = (...told: Told): void => {
    switch (told[0]) {
      case Event.Batch:
        if (this.#stopping) return this.#native.drop(told[1]);
        return this.#arrived(told[1], told[2]);
      case Event.Reply:
        return this.#calls.finish(told[1], told[2], told[3]);
      case Event.Stats: {
        if (!this.#options.onStats) return;
        const [, json, waiting_kafka, waiting_local, kafka_log_size] = told as ToldConsumerStats;
        return this.#log.guard('stats_callback', this.#options.onStats, withStatistics({ waiting_kafka, waiting_local, kafka_log_size }, json));
      }
      case Event.Error:
        return this.#log.report(this.#options.onError, fromData(told[1]));
      case Event.Log:
        return this.#log.native(told[1], told[2]);
      case Event.ReadOffsets:
        return void this.#readOffsets(told[1], told[2]);
      case Event.CommitOffsets:
        return void this.#commitOffsets(told[1], told[2], told[3]);
    }
  };

  /** The last one in line starts at once, on the stack of the event; a large one goes behind those of other clients. A queue is worked off one batch a turn. */
  #arrived(id: number, packed: Uint8Array): void {
    const large = Turn.isLarge(countOf(packed), packed.byteLength);
    this.#waiting.push({ id, packed, large, attempts: 0 });
    if (large && this.#mayStart) this.#turn.queue();
    if (!this.#turn.waiting) this.#startNext();
  }

  get #mayStart(): boolean {
    return (
      this.#waiting.length > 0 &&
      this.#state === 'started' &&
      !this.#paused &&
      !this.#stopping &&
      this.#retry === undefined &&
      this.#running < this.#options.maxInFlight
    );
  }

  /** Never on the stack of the user's call, and one batch a turn: what a promise of the user does next comes first. */
  #schedule(): void {
    if (this.#mayStart) this.#turn.wait();
  }

  #startNext(): void {
    if (!this.#mayStart) return;
    const batch = this.#waiting.shift()!;
    // Of a backlog one batch comes behind the other, on and on in one turn: timers and sockets would starve.
    if (batch.large) this.#turn.wait();
    this.#deliver(batch);
    this.#schedule();
  }

  #deliver(batch: Waiting): void {
    const {
      native: { topic },
      payloads,
      keys,
      receive,
      commitOnError,
    } = this.#options;
    if (batch.attempts === 0) this.#native.started(batch.id);
    this.#running++;
    let result: unknown;
    try {
      // A batch that may be delivered again must not have been changed through its Buffers.
      const packed = commitOnError ? batch.packed : new Uint8Array(batch.packed);
      // Decoded as text it is needed no more: while the callback's promise is pending it would double what a batch takes.
      if (commitOnError) batch.packed = NOTHING;
      result = receive(readBatch(packed, topic, payloads, keys));
      if (typeof (result as PromiseLike<unknown> | null)?.then !== 'function') return this.#succeeded(batch);
    } catch (error) {
      return this.#failed(batch, error);
    }
    Promise.resolve(result).then(
      () => this.#succeeded(batch),
      (error: unknown) => this.#failed(batch, error),
    );
  }

  #succeeded(batch: Waiting): void {
    this.#native.settle(batch.id);
    this.#ended();
  }

  #failed(batch: Waiting, error: unknown): void {
    this.#failures++;
    const { commitOnError } = this.#options;
    const delay = Math.min(FIRST_RETRY_MS * 2 ** batch.attempts++, LAST_RETRY_MS);
    const next = commitOnError ? '' : this.#stopping ? ', its messages come again after the next start' : `, delivered again in ${delay} ms`;
    this.#log.error(`receive_callback failed (failure ${this.#failures}${next}): ${inspect(error)}`);
    if (commitOnError) {
      this.#native.settle(batch.id);
    } else if (this.#stopping) {
      this.#native.drop(batch.id);
    } else {
      const timer = setTimeout(() => {
        this.#retry = undefined;
        this.#waiting.unshift(batch);
        this.#startNext();
      }, delay);
      this.#retry = { batch, timer };
    }
    this.#ended();
  }

  #ended(): void {
    if (--this.#running === 0) this.#onIdle?.();
    this.#schedule();
  }

  async #readOffsets(requestId: number, partitions: number[]): Promise<void> {
    try {
      this.#native.offsetsRead(requestId, await readOffsets(this.#options.manager!, partitions));
    } catch (error) {
      this.#native.offsetsRead(requestId, null, message(error));
    }
  }

  async #commitOffsets(requestId: number, partitions: number[], offsets: number[]): Promise<void> {
    try {
      await this.#options.manager!.commit(Object.fromEntries(partitions.map((partition, i) => [partition, offsets[i]!])));
      this.#native.offsetsCommitted(requestId);
    } catch (error) {
      this.#native.offsetsCommitted(requestId, message(error));
    }
  }
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : inspect(error);
}
