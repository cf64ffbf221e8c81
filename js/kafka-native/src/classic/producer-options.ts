import type { NativeProducerOptions } from '../binding';
import type { KafkaError } from '../errors';
import type { Logger } from '../logger';
import { OptionReader, type DriverOptions } from '../options';
import { statisticsInterval, type Statistics } from './stats';

export interface ProducerOptions {
  /** `host:port`, or several separated by commas: where the cluster is first asked. librdkafka: `bootstrap.servers`. */
  broker: string;
  /** Gets the figures of the queue and librdkafka's statistics every `statistics_interval_ms`. */
  stats_callback?: ((stats: ProducerStats) => unknown) | null;
  /**
   * Gets the messages that finally were not delivered since the call before; never a success. Without it they are
   * logged as errors.
   */
  delivery_report_callback?: ((report: DeliveryReport) => unknown) | null;
  /**
   * Gets what has no caller: fatal errors, authentication, TLS, authorisation, all brokers down; once per change of
   * state, not per retry. Without it they are logged as errors.
   */
  error_callback?: ((error: KafkaError) => unknown) | null;
  /** Milliseconds, 0 to 86 400 000, 0 = none; default 5000. librdkafka: `statistics.interval.ms`. */
  statistics_interval_ms?: number;
  /**
   * Messages that may be under way, 0 to 2 147 483 647, 0 = no limit but bytes (`queue.buffering.max.kbytes`); default
   * 500 000. `send` refuses what is beyond. librdkafka: `queue.buffering.max.messages`.
   */
  queue_buffering_max_messages?: number;
  /** Milliseconds that a message may wait for others to share its request, 0 to 900 000; default 250. librdkafka: `linger.ms`. */
  queue_buffering_max_ms?: number;
  /** Global properties of librdkafka (its CONFIGURATION.md lists them); they win over the options above. */
  driver_options?: DriverOptions | null;
  /** Topic properties of librdkafka. `partitioner` is `murmur2_random`, as in Java, unless given. */
  topic_options?: DriverOptions | null;
  /** Default: console. */
  logger?: Logger | null;
}

/** Figures for `stats_callback`. */
export interface ProducerStats {
  /** Messages accepted and neither delivered nor failed. */
  send_queue_length: number;
  /** The same by topic. */
  send_queue_length_by_topic: Record<string, number>;
  /** librdkafka's statistics, parsed when first read. */
  readonly rdkafka_stats: Statistics;
}

/** The report for `delivery_report_callback`. */
export interface DeliveryReport {
  /** How many messages failed. */
  errors: number;
  /** Why, by error, topic and partition. */
  rdkafka_errinfo: { errcode: number; count: number; errstr: string; topic: string; partition: number }[];
}

const MAX_INT = 2 ** 31 - 1;

/** @internal */
export interface ReadProducerOptions {
  native: NativeProducerOptions;
  onStats: ((stats: ProducerStats) => unknown) | undefined;
  onDeliveries: ((report: DeliveryReport) => unknown) | undefined;
  onError: ((error: KafkaError) => unknown) | undefined;
  logger: Logger | undefined;
  unknown: string[];
}

/** Checks the options and says them in librdkafka's words. @internal */
export function readProducerOptions(options: unknown): ReadProducerOptions {
  const read = new OptionReader('Producer', options);
  const broker = read.requiredString('broker');
  const onStats = read.callback<(stats: ProducerStats) => unknown>('stats_callback');
  const statisticsIntervalMs = statisticsInterval(read);
  const maxMessages = read.integer('queue_buffering_max_messages', 500_000, 0, MAX_INT);
  const lingerMs = read.number('queue_buffering_max_ms', 250, 0, 900_000);
  return {
    native: {
      broker,
      // The property of the same meaning, if the program gives it, wins in the core.
      maxMessages: maxMessages === 0 ? Number.MAX_SAFE_INTEGER : maxMessages,
      statisticsIntervalMs: onStats ? statisticsIntervalMs : 0,
      properties: [['linger.ms', String(lingerMs)], ...read.properties('driver_options')],
      topicProperties: [['partitioner', 'murmur2_random'], ...read.properties('topic_options')],
    },
    onStats,
    onDeliveries: read.callback('delivery_report_callback'),
    onError: read.callback('error_callback'),
    logger: read.logger(),
    unknown: read.unknown(),
  };
}
