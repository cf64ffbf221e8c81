import type { Batch, Encoding, Message } from '../batch';
import type { NativeConsumerOptions } from '../binding';
import { outOfRange, type KafkaError } from '../errors';
import type { Logger } from '../logger';
import { OptionReader, type DriverOptions } from '../options';
import { makeOffsetManager, type OffsetManager, type OffsetManagerOption } from './offset-manager';
import { statisticsInterval, type Statistics } from './stats';

/**
 * `P` and `K` are the encodings of payload and key: strings by default.
 *
 * **Buffers are views.** With the encoding `'buffer'`, and in `headers`, a Buffer shows a part of the batch that it came
 * in (up to 192 KiB, or one larger message): who keeps one keeps the batch. `Buffer.from(payload)` makes a copy that stands alone.
 */
export interface ConsumerOptions<P extends Encoding = 'utf8', K extends Encoding = 'utf8'> {
  /** `host:port`, or several separated by commas: where the cluster is first asked. librdkafka: `bootstrap.servers`. */
  broker: string;
  topic: string;
  /** Where the offsets are recorded, a file for each partition. Made with its parents. Not needed with `offset_manager`. */
  offset_directory?: string | null;
  /**
   * Gets the messages. Their offsets are recorded when it returns, or when the promise it returned is settled, be it
   * rejected: that is logged and counted (`failed_callbacks`). `commit_on_error: false` changes this. Batches start in
   * order; a pending promise does not hold back the next, unless `max_callbacks_in_flight` says so.
   */
  receive_callback: (batch: ReceivedBatch<P, K>) => unknown;
  /** Gets the figures of this consumer's partitions and librdkafka's statistics every `statistics_interval_ms`. */
  stats_callback?: ((stats: ConsumerStats) => unknown) | null;
  /**
   * Gets what has no caller: fatal errors, authentication, TLS, authorisation, all brokers down, offsets that cannot be
   * written, a deleted topic; once per change of state, not per retry. Without it they are logged as errors.
   */
  error_callback?: ((error: KafkaError) => unknown) | null;
  /** 1 to 1 000 000; default 10 000. A batch is also full with 192 KiB of data, and never waits to fill. */
  max_messages_per_callback?: number;
  /** Milliseconds, 0 to 86 400 000, 0 = none; default 5000. librdkafka: `statistics.interval.ms`. */
  statistics_interval_ms?: number;
  /**
   * KiB, 1 to 2 097 151, default 1 000 000: a ceiling for the messages that are fetched, and those handed over and not
   * yet settled, overhead included.
   */
  queued_max_messages_kbytes?: number;
  /** How many consumers share the topic; default 1. Partition p belongs to the one with `worker_slot` p % num_workers. */
  num_workers?: number;
  /** 0 to `num_workers` - 1; default 0. */
  worker_slot?: number;
  /** Replaces the offset directory. */
  offset_manager?: OffsetManagerOption | null;
  /** `'utf8'` (default) or `'buffer'`. */
  payload_encoding?: P;
  /** `'utf8'` (default) or `'buffer'`. */
  key_encoding?: K;
  /** How many promises of `receive_callback` may be pending before it is called again; default: any number. */
  max_callbacks_in_flight?: number;
  /**
   * false: when `receive_callback` throws or rejects, nothing is recorded and the same batch is delivered again after
   * 100 ms, doubling to 10 s, until it succeeds or `stop()`. Then `max_callbacks_in_flight` is 1. Default true.
   */
  commit_on_error?: boolean;
  /** Global properties of librdkafka (its CONFIGURATION.md lists them); they win over the options above. */
  driver_options?: DriverOptions | null;
  /** Topic properties of librdkafka. `auto.offset.reset` says where a partition without an offset starts: at the beginning unless given. */
  topic_options?: DriverOptions | null;
  /** Default: console. */
  logger?: Logger | null;
}

/** The batch for `receive_callback`. */
export interface ReceivedBatch<P extends Encoding = 'utf8', K extends Encoding = 'utf8'> extends Batch<P, K> {
  messages: Message<P, K>[];
  /** Messages that the broker deleted before they were read, since the batch before. */
  misses: number;
  /** How often an offset came back below the one expected (the topic was made anew), since the batch before. */
  repeats: number;
}

/** Figures for `stats_callback`; over this consumer's partitions, in messages. */
export interface ConsumerStats {
  /** Not fetched yet. */
  waiting_kafka: number;
  /** Fetched and not handed over. */
  waiting_local: number;
  /** In the log, from its start to its end. */
  kafka_log_size: number;
  /** librdkafka's statistics, parsed when first read. */
  readonly rdkafka_stats: Statistics;
}

/** @internal */
export interface ReadConsumerOptions {
  native: NativeConsumerOptions;
  receive: (batch: ReceivedBatch<any, any>) => unknown;
  onStats: ((stats: ConsumerStats) => unknown) | undefined;
  onError: ((error: KafkaError) => unknown) | undefined;
  payloads: Encoding;
  keys: Encoding;
  maxInFlight: number;
  commitOnError: boolean;
  manager: OffsetManager | undefined;
  logger: Logger | undefined;
  unknown: string[];
}

const ENCODINGS = ['utf8', 'buffer'] as const;
const MAX_INT = 2 ** 31 - 1;

/** Checks the options and says them in librdkafka's words. @internal */
export function readConsumerOptions(options: unknown): ReadConsumerOptions {
  const read = new OptionReader('Consumer', options);
  const broker = read.requiredString('broker');
  const topic = read.requiredString('topic');
  const receive = read.requiredCallback<(batch: ReceivedBatch<any, any>) => unknown>('receive_callback');
  const managerOption = read.any('offset_manager');
  const offsetDirectory = managerOption === undefined ? read.requiredString('offset_directory') : read.string('offset_directory');
  const onStats = read.callback<(stats: ConsumerStats) => unknown>('stats_callback');
  const statisticsIntervalMs = statisticsInterval(read);
  const workers = read.integer('num_workers', 1, 1, MAX_INT);
  const slot = read.integer('worker_slot', 0, 0, MAX_INT);
  if (slot >= workers) throw outOfRange(`Consumer: the option worker_slot must be below num_workers (${workers}), got ${slot}`);
  const commitOnError = read.boolean('commit_on_error', true);
  const maxInFlight = read.any('max_callbacks_in_flight') === Infinity ? Infinity : read.integer('max_callbacks_in_flight', Infinity, 1, MAX_INT);
  return {
    native: {
      broker,
      topic,
      ...(managerOption === undefined && { offsetDirectory: offsetDirectory! }),
      offsetManager: managerOption !== undefined,
      maxMessagesPerBatch: read.integer('max_messages_per_callback', 10_000, 1, 1_000_000),
      statisticsIntervalMs: onStats ? statisticsIntervalMs : 0,
      queuedMaxKbytes: read.integer('queued_max_messages_kbytes', 1_000_000, 1, 2_097_151),
      workers,
      slot,
      // A consumer makes the topic it asks for where the broker allows, as it always did.
      properties: [['allow.auto.create.topics', 'true'], ...read.properties('driver_options')],
      topicProperties: read.properties('topic_options'),
    },
    receive,
    onStats,
    onError: read.callback('error_callback'),
    payloads: read.oneOf('payload_encoding', ENCODINGS),
    keys: read.oneOf('key_encoding', ENCODINGS),
    maxInFlight: commitOnError ? maxInFlight : 1,
    commitOnError,
    manager: makeOffsetManager(managerOption, options),
    logger: read.logger(),
    unknown: read.unknown(),
  };
}
