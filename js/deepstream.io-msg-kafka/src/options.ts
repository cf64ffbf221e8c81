import { inspect } from 'node:util';
import type { Logger } from 'kafka-native';
import { Kafka, logLevel, type ConsumerConfig, type KafkaConfig, type ProducerConfig } from 'kafka-native';

/** How Kafka is reached: as kafka-native's `Kafka` takes it, or brokers as text. */
export interface ConnectionOptions extends Omit<Partial<KafkaConfig>, 'clientId'> {
  /** `host:port`, several separated by commas; `kafka://` before it is left out, the port is 9092 unless it is given. */
  connectionString?: string;
  /** How Kafka's logs name this client, a text or a number; default `'deepstream'`. */
  clientId?: string | number | null;
}

/** Options that the cluster node and the message connector share. */
export interface SharedOptions extends ConnectionOptions {
  /** Whether topics that are missing are made; default true. */
  createTopics?: boolean;
  /** Of topics that are made; default as the brokers have it. */
  replicationFactor?: number;
  /** Of topics that are made: milliseconds for which Kafka keeps a message, from 60 000; default 600 000. */
  retention?: number;
  /** Options of kafka-native's producer. */
  producer?: ProducerConfig;
  /** Options of kafka-native's consumer. */
  consumer?: Omit<ConsumerConfig, 'groupId'>;
  /** Bytes of messages that wait for Kafka; beyond them nothing more is sent, and that is told. Default 67 108 864. */
  maxQueuedBytes?: number;
}

/** Of the cluster node. */
export interface ClusterNodeOptions extends SharedOptions {
  /** The topic that all servers of a cluster share; default `'deepstream'`. */
  topic?: string;
}

/** With the defaults in place. */
export interface ReadOptions {
  kafka: Kafka;
  /** The brokers, for errors. */
  where: string;
  createTopics: boolean;
  replicationFactor: number;
  retention: number;
  producer: ProducerConfig;
  consumer: Omit<ConsumerConfig, 'groupId'>;
  maxQueuedBytes: number;
}

export interface ReadClusterNodeOptions extends ReadOptions {
  topic: string;
}

const DAY = 86_400_000;

/**
 * @param logger gets what kafka-native's clients say, where `logger` and `logCreator` are not given
 * @throws URIError when nothing says where Kafka is, or when it is ZooKeeper's port
 * @throws TypeError, RangeError naming the option
 */
export function readOptions(given: SharedOptions, logger: Logger): ReadOptions {
  const { connectionString, clientId, createTopics = true, replicationFactor = -1, retention = 600_000, ...others } = given;
  const { producer = {}, consumer = {}, maxQueuedBytes, ...config } = others;
  if (clientId !== undefined && clientId !== null && typeof clientId !== 'string' && !Number.isFinite(clientId))
    throw new TypeError(`deepstream.io-msg-kafka: clientId must be text or a number, got ${inspect(clientId)}`);
  const brokers = brokersOf(connectionString, config.brokers);
  if (typeof createTopics !== 'boolean') throw new TypeError(`deepstream.io-msg-kafka: createTopics must be true or false, got ${inspect(createTopics)}`);
  return {
    kafka: new Kafka({ logLevel: logLevel.WARN, ...(config.logCreator ? {} : { logger }), ...config, clientId: String(clientId || 'deepstream'), brokers }),
    where: Array.isArray(brokers) ? brokers.join(',') : 'the brokers',
    createTopics,
    replicationFactor: integer('replicationFactor', replicationFactor, -1, 32_767),
    retention: integer('retention', retention, 60_000, 365 * DAY),
    producer: object('producer', producer),
    consumer: object('consumer', consumer),
    maxQueuedBytes: integer('maxQueuedBytes', maxQueuedBytes ?? 64 * 1024 * 1024, 1, Number.MAX_SAFE_INTEGER),
  };
}

/** @throws what {@link readOptions} throws */
export function readClusterNodeOptions({ topic = 'deepstream', ...shared }: ClusterNodeOptions, logger: Logger): ReadClusterNodeOptions {
  if (typeof topic !== 'string' || !/^[\w.-]{1,249}$/.test(topic) || topic === '.' || topic === '..')
    throw new TypeError(`deepstream.io-msg-kafka: topic must be a topic's name (letters, digits, '.', '_', '-', at most 249), got ${inspect(topic)}`);
  return { ...readOptions(shared, logger), topic };
}

function brokersOf(connectionString: unknown, brokers: KafkaConfig['brokers'] | undefined): KafkaConfig['brokers'] {
  if (typeof brokers === 'function') return brokers;
  if (connectionString !== undefined && typeof connectionString !== 'string')
    throw new TypeError(`deepstream.io-msg-kafka: connectionString must be text such as 'localhost:9092', got ${inspect(connectionString)}`);
  const list = [brokers ?? connectionString ?? []].flat().flatMap((text) => String(text).split(','));
  const read = list.map(address).filter((broker) => broker !== '');
  if (read.length === 0) throw new URIError("deepstream.io-msg-kafka: where is Kafka? Give a connectionString ('localhost:9092'), or brokers");
  return read;
}

/** `host:port` of what people write: with a scheme, a slash, without a port. */
function address(broker: string): string {
  const text = broker
    .trim()
    .replace(/^\w+:\/\//, '')
    .replace(/\/.*$/, '');
  if (text === '') return '';
  const [, host, port = '9092'] = /^(\[[\da-fA-F:.]+\]|[\w.-]+)(?::(\d+))?$/.exec(text) ?? [];
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535)
    throw new URIError(`deepstream.io-msg-kafka: ${inspect(text)} is no address of a broker; write host:port, such as localhost:9092`);
  if (port === '2181') throw new URIError(`deepstream.io-msg-kafka: ${text} is ZooKeeper's port; give Kafka's brokers, such as ${host}:9092, not ZooKeeper`);
  return `${host}:${port}`;
}

function integer(name: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number') throw new TypeError(`deepstream.io-msg-kafka: ${name} must be a number, got ${inspect(value)}`);
  if (!Number.isInteger(value) || value < min || value > max)
    throw new RangeError(`deepstream.io-msg-kafka: ${name} must be a whole number from ${min} to ${max}, got ${inspect(value)}`);
  return value;
}

function object<T>(name: string, value: T): T {
  if (typeof value !== 'object' || value === null) throw new TypeError(`deepstream.io-msg-kafka: ${name} must be options, got ${inspect(value)}`);
  return value;
}
