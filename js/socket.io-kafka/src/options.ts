import { inspect } from 'node:util';
import type { Logger } from 'kafka-native';
import { Kafka, logLevel, type KafkaConsumer, type ConsumerConfig, type KafkaConfig, type KafkaProducer, type ProducerConfig } from 'kafka-native';

/** Of an adapter. Times are milliseconds. */
export interface AdapterOptions {
  /** The topic that has everything; `<key>-replies` has the answers. Default `'socket.io'`. */
  key?: string;
  /** The partition of the log for all namespaces. Default: each namespace has one, by its name. All servers must say the same. */
  partition?: number;
  /** Whether topics that are missing are made; default true. */
  createTopics?: boolean;
  /** Of topics that are made: partitions of the log, default 1. */
  partitions?: number;
  /** Of topics that are made: default as the brokers have it. */
  replicationFactor?: number;
  /** Options of kafka-native's producer, or one that is connected: its owner ends it, after the adapter. */
  producer?: ProducerConfig | KafkaProducer;
  /** Options of kafka-native's consumer, or one with `groupId: null` that is connected and does not run: its owner ends it, after the adapter. */
  consumer?: Omit<ConsumerConfig, 'groupId'> | KafkaConsumer;
  /** Which brokers must have a record before it counts as written: -1 (all in sync; the default), 1 or 0. With 1 or 0 the producer is not idempotent. */
  acks?: -1 | 0 | 1;
  /** One of kafka-native's `CompressionTypes`; default: none. */
  compression?: number;
  /** Between two signs of life of a server; default 5000. */
  heartbeatInterval?: number;
  /** After which a server that is silent counts as gone; default 10 000. */
  heartbeatTimeout?: number;
  /** With connection state recovery: how long local clients wait for a packet's place in the log; default 1000. */
  publishTimeout?: number;
  /** Bytes of records that wait for Kafka; beyond them the oldest are dropped. Default 67 108 864. */
  maxQueuedBytes?: number;
  /** With connection state recovery: bytes of packets and sessions that are kept; default 67 108 864. A client whose packets had to go gets them from the log. */
  maxRecoveryBytes?: number;
  /** Gets what has no other listener; default console. */
  logger?: Logger;
}

/** How Kafka is reached: as kafka-native's `Kafka` takes it, or brokers as text, or a host and a port. */
export interface ConnectionOptions extends Partial<KafkaConfig> {
  /** `host:port`, several separated by commas; `kafka://` before it is left out. */
  uri?: string;
  host?: string;
  port?: number | string;
}

/** With the defaults in place. */
export interface ReadOptions {
  kafka: Kafka | undefined;
  key: string;
  partition: number | undefined;
  createTopics: boolean;
  partitions: number;
  replicationFactor: number;
  producer: ProducerConfig | KafkaProducer;
  consumer: Omit<ConsumerConfig, 'groupId'> | KafkaConsumer;
  acks: -1 | 0 | 1 | undefined;
  compression: number | undefined;
  heartbeatInterval: number;
  heartbeatTimeout: number;
  publishTimeout: number;
  maxQueuedBytes: number;
  maxRecoveryBytes: number;
  logger: Logger;
}

const OWN = [
  'key',
  'partition',
  'createTopics',
  'partitions',
  'replicationFactor',
  'producer',
  'consumer',
  'acks',
  'compression',
  'heartbeatInterval',
  'heartbeatTimeout',
  'publishTimeout',
  'maxQueuedBytes',
  'maxRecoveryBytes',
] as const;

/**
 * @throws URIError when nothing says where Kafka is, or when it is ZooKeeper's port
 * @throws TypeError, RangeError naming the option
 */
export function readOptions(
  target: string | Kafka | (ConnectionOptions & AdapterOptions) | undefined,
  more: AdapterOptions & ConnectionOptions = {},
): ReadOptions {
  const given: Record<string, unknown> = { ...(typeof target === 'object' && !isKafka(target) && target), ...more };
  if (typeof target === 'string') given.uri = target;
  const own: Record<string, unknown> = {};
  const connection: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) ((OWN as readonly string[]).includes(name) ? own : connection)[name] = value;
  const read = new Reader(own);
  const acks = own.acks as ReadOptions['acks'];
  if (acks !== undefined && acks !== -1 && acks !== 0 && acks !== 1) throw new RangeError(`socket.io-kafka: acks must be -1, 0 or 1, got ${inspect(acks)}`);
  const heartbeatInterval = read.integer('heartbeatInterval', 5000, 1, 3_600_000);
  return {
    kafka: isKafka(target) ? target : kafkaOf(connection, own),
    key: read.topic('key', 'socket.io'),
    partition: own.partition == null ? undefined : read.integer('partition', 0, 0, 1_000_000),
    createTopics: read.boolean('createTopics', true),
    partitions: Math.max(read.integer('partitions', 1, 1, 1_000_000), own.partition == null ? 1 : Number(own.partition) + 1),
    replicationFactor: read.integer('replicationFactor', -1, -1, 32_767),
    producer: read.object('producer') as ReadOptions['producer'],
    consumer: read.object('consumer') as ReadOptions['consumer'],
    acks,
    // kafka-native's CompressionTypes: None, GZIP, Snappy, LZ4, ZSTD.
    compression: own.compression == null ? undefined : read.integer('compression', 0, 0, 4),
    heartbeatInterval,
    heartbeatTimeout: read.integer('heartbeatTimeout', Math.max(10_000, heartbeatInterval * 2), heartbeatInterval + 1, 86_400_000),
    publishTimeout: read.integer('publishTimeout', 1000, 1, 3_600_000),
    maxQueuedBytes: read.integer('maxQueuedBytes', 64 * 1024 * 1024, 1, Number.MAX_SAFE_INTEGER),
    maxRecoveryBytes: read.integer('maxRecoveryBytes', 64 * 1024 * 1024, 1, Number.MAX_SAFE_INTEGER),
    logger: (connection.logger as Logger | undefined) ?? console,
  };
}

function kafkaOf(connection: Record<string, unknown>, own: Record<string, unknown>): Kafka | undefined {
  const { uri, host, port, ...config } = connection as ConnectionOptions;
  let brokers: KafkaConfig['brokers'] | undefined = config.brokers;
  if (!brokers && uri) brokers = String(uri).split(',');
  if (!brokers && host) brokers = [`${host}:${port ?? 9092}`];
  if (Array.isArray(brokers)) brokers = brokers.map(address).filter((broker) => broker !== '');
  if (!brokers || brokers.length === 0) {
    if (isClient(own.producer) && isClient(own.consumer)) return undefined;
    throw new URIError("socket.io-kafka: where is Kafka? Give a uri ('localhost:9092'), host and port, brokers, or a Kafka of kafka-native");
  }
  return new Kafka({ clientId: 'socket.io', logLevel: logLevel.WARN, ...config, brokers });
}

/** `host:port` of what people write: with a scheme, a slash, without a port. */
function address(broker: string): string {
  const text = String(broker)
    .trim()
    .replace(/^\w+:\/\//, '')
    .replace(/\/.*$/, '');
  if (/:2181$/.test(text))
    throw new URIError(`socket.io-kafka: ${text} is ZooKeeper's port; give Kafka's brokers, such as ${text.replace(/2181$/, '9092')}, not ZooKeeper`);
  return text === '' || /:\d+$/.test(text) ? text : `${text}:9092`;
}

/** Not by its class: a program may have two copies of kafka-native. */
function isKafka(target: unknown): target is Kafka {
  const { producer, consumer } = (target ?? {}) as Kafka;
  return typeof producer === 'function' && typeof consumer === 'function';
}

/** Whether it is a client, not the options of one. */
export function isClient(given: unknown): given is KafkaProducer | KafkaConsumer {
  return typeof given === 'object' && given !== null && typeof (given as KafkaProducer).connect === 'function';
}

class Reader {
  readonly #given: Record<string, unknown>;

  constructor(given: Record<string, unknown>) {
    this.#given = given;
  }

  integer(name: string, fallback: number, min: number, max: number): number {
    const value = this.#given[name] ?? fallback;
    if (typeof value !== 'number') throw new TypeError(`socket.io-kafka: ${name} must be a number, got ${inspect(value)}`);
    if (!Number.isInteger(value) || value < min || value > max)
      throw new RangeError(`socket.io-kafka: ${name} must be a whole number from ${min} to ${max}, got ${inspect(value)}`);
    return value;
  }

  boolean(name: string, fallback: boolean): boolean {
    const value = this.#given[name] ?? fallback;
    if (typeof value !== 'boolean') throw new TypeError(`socket.io-kafka: ${name} must be true or false, got ${inspect(value)}`);
    return value;
  }

  object(name: string): object {
    const value = this.#given[name] ?? {};
    const classic = typeof value === 'object' && !isClient(value) && typeof (value as { stop?: unknown }).stop === 'function';
    if (typeof value !== 'object' || classic)
      throw new TypeError(
        `socket.io-kafka: ${name} must be options, or a client that kafka.${name}() of kafka-native made; got ${classic ? 'another client' : inspect(value)}`,
      );
    return value;
  }

  topic(name: string, fallback: string): string {
    const value = this.#given[name] ?? fallback;
    if (typeof value !== 'string' || !/^[\w.-]{1,241}$/.test(value))
      throw new TypeError(`socket.io-kafka: ${name} must be a topic's name (letters, digits, '.', '_', '-', at most 241), got ${inspect(value)}`);
    return value;
  }
}
