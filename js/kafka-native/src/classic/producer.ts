import { Arena, type Payload, type SendError } from '../arena';
import { Event, type NativeDeliveryFailure, type NativeProducer, type Told, type ToldProducerStats } from '../binding';
import { Calls } from '../calls';
import { fromData, fromThrown, invalidType, invalidValue, native, outOfRange, stateError, timeoutError, type KafkaError } from '../errors';
import { hold, keep, letGo, release, watchExit, weakly } from '../lifetime';
import { binding } from '../loader';
import { SafeLogger } from '../logger';
import { MAX_PARTITION } from '../numbers';
import { describe, isTopicName, OptionReader, TOPIC_NAMES } from '../options';
import { readProducerOptions, type DeliveryReport, type ProducerOptions, type ProducerStats } from './producer-options';
import { withStatistics } from './stats';

/** The result of `send`. */
export interface SendResult {
  /** How many of the messages were accepted. */
  enqueued: number;
  /** Messages accepted, now and before, and neither delivered nor failed. */
  send_queue_length: number;
  /** The messages that were not accepted; absent when all were. */
  errors?: SendError[];
}

export interface PartitionCountOptions {
  /** Default 15. */
  max_tries?: number;
  /** Milliseconds between two tries; default 1000. */
  interval?: number;
}

export interface ProducerStopOptions {
  /** Milliseconds for what is under way; default `max_tries * interval`. */
  timeout?: number;
  /** Default 15. */
  max_tries?: number;
  /** Milliseconds; default 1000. */
  interval?: number;
}

const MAX_MS = 2 ** 31 - 1;
/** Of `partition_count`; `stop` takes as long as all of them. */
const TRIES = 15;
const INTERVAL_MS = 1000;

/** Of every producer: `send` runs to its end. Taken away meanwhile, because a getter of a payload may call `send`. */
let freeArena: Arena | undefined;

/**
 * Sends messages to Kafka.
 *
 * ```js
 * const producer = new Producer({ broker: 'localhost:9092' });
 * producer.send('clicks', -1, ['one', 'two', { key: 'user-1', value: 'three' }]);
 * await producer.stop();
 * ```
 *
 * The process stays alive while messages are under way or a promise of the producer is pending. A producer that you no longer
 * refer to ends when it is collected; messages under way, a pending promise, `error_callback` and `stats_callback` keep it.
 */
export class Producer {
  readonly #native: NativeProducer;
  readonly #calls = new Calls(this);
  readonly #log: SafeLogger;
  readonly #onStats: ((stats: ProducerStats) => unknown) | undefined;
  readonly #onDeliveries: ((report: DeliveryReport) => unknown) | undefined;
  readonly #onError: ((error: KafkaError) => unknown) | undefined;
  /** Messages are under way, as far as this thread has heard, and the process is kept alive for them. */
  #busy = false;
  #stopping: Promise<void> | undefined;
  /** Of the last send: it has been checked. */
  #lastTopic: string | undefined;

  /** @throws TypeError, RangeError naming the option; KafkaError with librdkafka's words for its properties. */
  constructor(options: ProducerOptions) {
    const read = readProducerOptions(options);
    this.#log = new SafeLogger(read.logger, read.native.properties);
    if (read.unknown.length > 0) this.#log.warn(`Producer: unknown options are ignored: ${read.unknown.join(', ')}`);
    this.#onStats = read.onStats;
    this.#onDeliveries = read.onDeliveries;
    this.#onError = read.onError;
    this.#native = native(() => new binding.NativeProducer(read.native, weakly(this.#onEvent)));
    if (read.onStats || read.onError) keep(this);
    watchExit();
  }

  /**
   * Hands messages over, in their order, and returns at once; the payloads are copied. A later failure, in librdkafka
   * or on the broker, reaches `delivery_report_callback`.
   *
   * @param partition 0 to 2 147 483 647, or -1: by the key (property `partitioner`)
   * @throws TypeError or RangeError naming the argument; KafkaError `_STATE` after `stop()`. A single bad message does
   * not throw: it is in `errors`, and the others are sent.
   */
  send(topic: string, partition: number, payloads: readonly Payload[]): SendResult {
    if (this.#stopping) throw stateError('send: the producer is stopped');
    if (typeof topic !== 'string' || topic !== this.#lastTopic) {
      checkTopic('send', topic);
      if (!isTopicName(topic)) throw invalidValue(`send: the topic ${describe(topic)} is not a topic's name: ${TOPIC_NAMES}`);
      this.#lastTopic = topic;
    }
    checkPartition(partition);
    if (!Array.isArray(payloads)) throw invalidType(`send: payloads must be an array, got ${describe(payloads)}`);

    const given = listOf(payloads);
    let enqueued = 0;
    let queueLength = -1;
    const errors: SendError[] = [];
    const arena = freeArena ?? new Arena('classic');
    freeArena = undefined;
    try {
      for (let next = 0; next < given.length; ) {
        next = arena.pack(given, next, errors);
        if (arena.count === 0) continue;
        const result = this.#native.send(topic, partition, arena.bytes, arena.index, arena.count, arena.timestamps);
        enqueued += result.enqueued;
        queueLength = result.queueLength;
        for (const { index, code, name, message } of result.errors ?? []) {
          const error = { index: arena.origin[index]!, code: name, errno: code, message };
          errors.push(error);
          // Nothing may overtake what was refused: a full queue refuses the rest, even if it has room again by now.
          if (name === '_QUEUE_FULL') for (; next < given.length; next++) errors.push({ ...error, index: next });
        }
      }
    } catch (thrown) {
      throw fromThrown(thrown);
    } finally {
      arena.shrink();
      freeArena = arena;
    }
    if (enqueued > 0 && !this.#busy) {
      this.#busy = true;
      hold(this);
    }
    const result: SendResult = { enqueued, send_queue_length: queueLength < 0 ? this.#native.queueLength() : queueLength };
    if (errors.length > 0) result.errors = errors.sort((a, b) => a.index - b.index);
    return result;
  }

  /**
   * The number of partitions of a topic; creates it where the broker does that (`auto.create.topics.enable`). It tries
   * again after an error that can heal.
   *
   * Rejects with code `ETIMEDOUT` and the true `cause` after the last try; at once, with its own code, for
   * authentication, TLS, authorisation and an invalid topic name.
   */
  async partition_count(topic: string, options: PartitionCountOptions = {}): Promise<number> {
    checkTopic('partition_count', topic);
    const read = new OptionReader('Producer.partition_count', options);
    const maxTries = read.integer('max_tries', TRIES, 1, MAX_MS);
    const interval = read.integer('interval', INTERVAL_MS, 0, MAX_MS);
    if (this.#stopping) throw stateError('partition_count: the producer is stopped');
    return this.#calls.start((id) => this.#native.partitionCount(id, topic, maxTries, interval));
  }

  /**
   * Takes no more messages, waits until those under way are delivered or failed, and ends the client.
   *
   * Rejects with code `ETIMEDOUT` when the deadline (15 s) passes: the rest is purged, and `delivery_report_callback`
   * has heard of it. A second call returns the same promise.
   */
  stop(options: ProducerStopOptions = {}): Promise<void> {
    if (this.#stopping) return this.#stopping;
    let timeout: number;
    try {
      const read = new OptionReader('Producer.stop', options);
      const tries = read.integer('max_tries', TRIES, 0, MAX_MS);
      timeout = read.integer('timeout', Math.min(tries * read.integer('interval', INTERVAL_MS, 0, MAX_MS), MAX_MS), 0, MAX_MS);
    } catch (error) {
      return Promise.reject(error);
    }
    return (this.#stopping = this.#stop(timeout));
  }

  async #stop(timeout: number): Promise<void> {
    try {
      const left = await this.#calls.start<number>((id) => this.#native.stop(id, timeout));
      if (left > 0) throw timeoutError(`stop: ${left} messages were not delivered within ${timeout} ms and are purged`);
    } finally {
      this.#idle();
      letGo(this);
    }
  }

  #idle(): void {
    if (!this.#busy) return;
    this.#busy = false;
    release(this);
  }

  /** Everything that the addon tells; must not throw. */
  readonly #onEvent = (...told: Told): void => {
    switch (told[0]) {
      case Event.Reply:
        return this.#calls.finish(told[1], told[2], told[3]);
      case Event.Drained:
        // More may have been sent since it was posted: then another one follows.
        if (this.#stopping || this.#native.queueLength() === 0) this.#idle();
        return;
      case Event.Deliveries:
        return this.#deliveriesFailed(told[1]);
      case Event.Stats: {
        if (!this.#onStats) return;
        const [, json, send_queue_length, topics, lengths] = told as ToldProducerStats;
        return this.#log.guard(
          'stats_callback',
          this.#onStats,
          withStatistics({ send_queue_length, send_queue_length_by_topic: byTopic(topics, lengths) }, json),
        );
      }
      case Event.Error:
        return this.#log.report(this.#onError, fromData(told[1]));
      case Event.Log:
        return this.#log.native(told[1], told[2]);
    }
  };

  #deliveriesFailed(failures: NativeDeliveryFailure[]): void {
    if (this.#onDeliveries) {
      const errors = failures.reduce((sum, { count }) => sum + count, 0);
      this.#log.guard('delivery_report_callback', this.#onDeliveries, { errors, rdkafka_errinfo: failures });
      return;
    }
    for (const { count, errstr, topic, partition } of failures) {
      this.#log.error(`${count} messages for ${topic}[${partition}] were not delivered: ${errstr}`);
    }
  }
}

/** The payloads that the array has now: getters of objects among them may change it. */
function listOf(payloads: readonly unknown[]): readonly unknown[] {
  const { length } = payloads;
  for (let i = 0; i < length; i++) if (typeof payloads[i] !== 'string') return Array.from({ length }, (_, n) => payloads[n]);
  return payloads;
}

function checkTopic(call: string, topic: unknown): void {
  if (typeof topic !== 'string' || topic === '') {
    throw invalidType(`${call}: topic must be a string that is not empty, got ${describe(topic)}`);
  }
}

function checkPartition(partition: unknown): void {
  if (typeof partition !== 'number') throw invalidType(`send: partition must be an integer, got ${describe(partition)}`);
  if (!Number.isInteger(partition) || partition < -1 || partition > MAX_PARTITION) {
    throw outOfRange(`send: partition must be -1 or an integer from 0 to ${MAX_PARTITION}, got ${partition}`);
  }
}

/** As properties of its own: a topic may be named `__proto__`. */
function byTopic(topics: string[], lengths: number[]): Record<string, number> {
  return Object.fromEntries(topics.map((topic, i) => [topic, lengths[i]!]));
}
