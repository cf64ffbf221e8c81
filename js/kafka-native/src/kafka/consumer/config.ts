import type { NativeGroupOptions } from '../../binding';
import { describe, OptionReader, type DriverOptions, type Properties } from '../../options';
import { RETRY, type AssignerName, type ClientContext, type RetryOptions } from '../client';
import type { AssignerFactory } from '../engine-types';
import { KafkaJSNonRetriableError } from '../errors';
import type { TopicPartitions } from '../partitions';

/** How a group divides partitions, by librdkafka's names; KafkaJS programs pass `[PartitionAssigners.roundRobin]`. */
export const PartitionAssigners = { roundRobin: 'roundRobin', range: 'range', cooperativeSticky: 'cooperativeSticky' } as const satisfies Record<
  AssignerName,
  string
>;
/** A function, as KafkaJS has them, cannot be run: `roundRobin` stands in its place, and the log says so. */
export type PartitionAssigner = AssignerName | AssignerFactory;

const STRATEGIES: Record<AssignerName, string> = { roundRobin: 'roundrobin', range: 'range', cooperativeSticky: 'cooperative-sticky' };

/** How `kafka.consumer` makes a consumer: KafkaJS's options, and some more. Times are milliseconds. */
export interface ConsumerConfig {
  /** The group. `null`: none; then `subscribe` reads every partition of its topics, `assign` single ones, and nothing can be committed but to `offsetDirectory`. */
  groupId: string | null;
  /** Without a group: offsets are committed to files in it, one for each partition, as those of the classic consumer. */
  offsetDirectory?: string;
  /**
   * In order of preference; all members of a group need one in common. Default `['cooperativeSticky']`, and of `kafka-native/kafkajs`
   * `['roundRobin']`, as KafkaJS has it: each topic is spread over the members. With `cooperativeSticky` partitions stay where they are as
   * far as possible, whatever their topic, and what was fetched of those that stay is handed out during a rebalance, too; librdkafka
   * fetches nothing new until the hooks of this member are through. It cannot be mixed with the other two, in one list or in
   * one group: a member that meets a group of another assigner waits until the last of its members has left.
   * docs/migrating-from-kafkajs.md has the ways from one to another without a gap.
   */
  partitionAssigners?: readonly PartitionAssigner[];
  /** `'consumer'` is the protocol of KIP-848: the broker (4.0 or newer) divides, and rebalances stop nobody. Default `'classic'`. */
  groupProtocol?: 'classic' | 'consumer';
  /** Static membership: a member that comes back under this name within `sessionTimeout` gets its partitions without a rebalance. */
  groupInstanceId?: string;
  /** How long the group waits for a member that is silent; default 30 000. Heartbeats are sent in the background, however long a handler runs. */
  sessionTimeout?: number;
  /** How long a rebalance waits for running handlers, their commits and the hooks below; default 60 000, at least `sessionTimeout`. */
  rebalanceTimeout?: number;
  /** Between two heartbeats; default 3000; must be below `sessionTimeout`. */
  heartbeatInterval?: number;
  /** Milliseconds after which topics and partitions are looked up again, so that new ones are found; default 5000, which is also the most. */
  metadataMaxAge?: number;
  /** Bytes a partition and request; default 524 288. Raise it where the round trip to the broker is long. */
  maxBytesPerPartition?: number;
  /** Bytes for which the broker waits before it answers; default 1. */
  minBytes?: number;
  /** Bytes of a broker's answer; default: a quarter of `maxBufferedBytes`. */
  maxBytes?: number;
  /** How long a broker waits for `minBytes`; default 500. */
  maxWaitTimeInMs?: number;
  /** For failed handlers and commits; default: those of the `Kafka`, `retries` 5. */
  retry?: RetryOptions;
  /** Whether a topic that is subscribed to, or assigned, is made where the broker does that; default true in a group, false without one. */
  allowAutoTopicCreation?: boolean;
  /** Requests under way to one broker; default: any number. */
  maxInFlightRequests?: number;
  /** Whether messages of transactions that are open or aborted are given, too; default false. */
  readUncommitted?: boolean;
  /** Where this consumer is, so that it reads from a replica nearby. */
  rackId?: string;
  /** Bytes that are fetched and not yet processed, each message with 304 bytes of overhead; default 67 108 864. */
  maxBufferedBytes?: number;
  /** Messages of a batch, 1 to 1 000 000; a batch also ends with 192 KiB of data, and never waits to fill. Default 2000. */
  maxMessagesPerBatch?: number;
  /** librdkafka's properties; they win over the options above. Properties that the engine owns are refused. */
  properties?: DriverOptions;
  /** Awaited before the first message of these partitions is fetched; `consumer.seek` in it says where they begin. */
  onPartitionsAssigned?: (partitions: TopicPartitions[]) => unknown;
  /** Awaited before these partitions go to others, after their running handlers ended and were committed; may commit. */
  onPartitionsRevoked?: (partitions: TopicPartitions[]) => unknown;
  /** Awaited after these partitions were lost (the group took this member for dead): others may have them, nothing can be committed. */
  onPartitionsLost?: (partitions: TopicPartitions[]) => unknown;
}

type Hook = ((partitions: TopicPartitions[]) => unknown) | undefined;

/** @internal */
export interface ReadConsumerConfig {
  groupId: string | null;
  /** Whether only what is committed is read. */
  readCommitted: boolean;
  /** Whether topics are made that are asked for. */
  createsTopics: boolean;
  /** Whether there is where to commit to. */
  commits: boolean;
  native: Omit<NativeGroupOptions, 'properties'>;
  /** To follow those of the `Kafka`. */
  properties: Properties;
  /** The group's protocol in GROUP_JOIN. */
  assigner: string;
  sessionTimeout: number;
  rebalanceTimeout: number;
  heartbeatInterval: number;
  metadataMaxAge: number;
  retry: RetryOptions;
  hooks: { assign: Hook; revoke: Hook; lost: Hook };
  /** Options that are none. */
  unknown: string[];
  /** An assigner was a function. */
  replaced: boolean;
}

/** Why each of them is the engine's. */
const OWNED: Record<string, string> = {
  'group.id': 'use groupId',
  'enable.auto.commit': 'commits follow what was processed: run({ autoCommit })',
  'auto.commit.interval.ms': 'use run({ autoCommitInterval })',
  'enable.auto.offset.store': 'only what was processed is committed',
  'auto.offset.reset': 'use subscribe({ fromBeginning })',
  'enable.partition.eof': 'the engine needs it to commit past transaction markers',
  'queued.max.messages.kbytes': 'use maxBufferedBytes',
  'queued.min.messages': 'use maxBufferedBytes',
  'log.queue': 'log lines go to the logger',
};

const MAX_INT = 2 ** 31 - 1;

/**
 * Milliseconds between two looks for topics and partitions that are made later. It costs a request about the topics that are subscribed
 * to, or, where there is a pattern, about all.
 */
const LOOKS_MS = 5000;
/** librdkafka's least. */
const LEAST_AGE_MS = 10;
/** librdkafka wants an answer's size to be that of a message at least, of which this is its default. */
const MESSAGE_BYTES = 1_000_000;
/** And its least of that. */
const LEAST_MESSAGE_BYTES = 1000;

/** Checks the options and says them in librdkafka's words. @internal */
export function readConsumerConfig(config: unknown, { requestTimeout, assigner: standard }: ClientContext): ReadConsumerConfig {
  const read = new OptionReader('Kafka.consumer', config ?? {}, true);
  const groupId = (config as ConsumerConfig | undefined)?.groupId;
  if (groupId !== null && (typeof groupId !== 'string' || groupId === '')) {
    throw new KafkaJSNonRetriableError('Consumer groupId must be a non-empty string.');
  }
  read.any('groupId');
  const sessionTimeout = read.integer('sessionTimeout', 30_000, 1, 3_600_000);
  const rebalanceTimeout = Math.max(read.integer('rebalanceTimeout', 60_000, 1, 86_400_000), sessionTimeout);
  // KafkaJS takes 0 for as often as possible, here and below.
  const heartbeatInterval = Math.max(read.integer('heartbeatInterval', 3000, 0, 3_600_000), 1);
  if (heartbeatInterval >= sessionTimeout) {
    throw new KafkaJSNonRetriableError(
      `Consumer heartbeatInterval (${heartbeatInterval}) must be lower than sessionTimeout (${sessionTimeout}). It is recommended to set heartbeatInterval to approximately a third of the sessionTimeout.`,
    );
  }
  const maxAge = read.integer('metadataMaxAge', LOOKS_MS, 0, 3_600_000);
  const metadataMaxAge = Math.min(Math.max(maxAge, LEAST_AGE_MS), LOOKS_MS);
  const readCommitted = !read.boolean('readUncommitted', false);
  const createsTopics = read.boolean('allowAutoTopicCreation', groupId !== null);
  const properties: Properties = [
    ['max.poll.interval.ms', String(rebalanceTimeout)],
    ['topic.metadata.refresh.interval.ms', String(metadataMaxAge)],
    ['allow.auto.create.topics', String(createsTopics)],
    ['isolation.level', readCommitted ? 'read_committed' : 'read_uncommitted'],
  ];
  if (groupId !== null) properties.push(['group.id', groupId]);

  const protocol = read.oneOf('groupProtocol', ['classic', 'consumer']);
  const assigners = read.any('partitionAssigners');
  const strategies = readAssigners(assigners);
  let assigner = '';
  if (protocol === 'classic') {
    assigner = (strategies ?? [STRATEGIES[standard]]).join(',');
    properties.push(
      ['session.timeout.ms', String(sessionTimeout)],
      ['heartbeat.interval.ms', String(heartbeatInterval)],
      ['partition.assignment.strategy', assigner],
    );
  } else {
    for (const [name, instead] of [
      ['sessionTimeout', 'group.consumer.session.timeout.ms'],
      ['heartbeatInterval', 'group.consumer.heartbeat.interval.ms'],
      ['partitionAssigners', 'group.consumer.assignors'],
    ] as const) {
      if (read.any(name) !== undefined)
        throw new KafkaJSNonRetriableError(`Kafka.consumer: with groupProtocol 'consumer' the broker decides (${instead}): leave out ${name}`);
    }
    properties.push(['group.protocol', 'consumer']);
  }

  const pass = (property: string, value: string | number | undefined): void => {
    if (value !== undefined && value !== '') properties.push([property, String(value)]);
  };
  const integer = (name: string, min: number): number | undefined => (read.any(name) === undefined ? undefined : read.integer(name, 0, min, MAX_INT));
  pass('group.instance.id', read.string('groupInstanceId'));
  pass('max.partition.fetch.bytes', integer('maxBytesPerPartition', 1));
  const minBytes = integer('minBytes', 0);
  pass('fetch.min.bytes', minBytes === 0 ? 1 : minBytes);
  const maxBytes = integer('maxBytes', 0);
  if (maxBytes !== undefined) {
    const most = Math.max(maxBytes, LEAST_MESSAGE_BYTES);
    pass('fetch.max.bytes', most);
    if (most < MESSAGE_BYTES) pass('message.max.bytes', most);
  }
  const maxWait = integer('maxWaitTimeInMs', 0);
  pass('fetch.wait.max.ms', maxWait);
  // librdkafka's rule: a request may take a second longer than the broker may wait for data, by default 500 ms.
  const fetchTimeout = (maxWait ?? 500) + 1000;
  if (requestTimeout < fetchTimeout) pass('socket.timeout.ms', fetchTimeout);
  pass('max.in.flight.requests.per.connection', integer('maxInFlightRequests', 1));
  const rackId = read.any('rackId');
  pass('client.rack', rackId === '' ? undefined : read.string('rackId'));

  const own = read.properties('properties');
  for (const [name] of own) {
    if (Object.hasOwn(OWNED, name)) throw new KafkaJSNonRetriableError(`Kafka.consumer: the property ${name} is the engine's: ${OWNED[name]}`);
  }
  const offsetDirectory = read.string('offsetDirectory');
  if (groupId !== null && offsetDirectory !== undefined)
    throw new KafkaJSNonRetriableError('Kafka.consumer: a group keeps its offsets in the brokers: offsetDirectory is for groupId null');
  const hook = (name: string): Hook => read.callback<(partitions: TopicPartitions[]) => unknown>(name);
  return {
    groupId,
    readCommitted,
    createsTopics,
    commits: groupId !== null || offsetDirectory !== undefined,
    native: {
      maxMessagesPerBatch: read.integer('maxMessagesPerBatch', 2000, 1, 1_000_000),
      budgetBytes: read.integer('maxBufferedBytes', 64 * 1024 * 1024, 1, Number.MAX_SAFE_INTEGER),
      statisticsIntervalMs: 0,
      ...(offsetDirectory !== undefined && { offsetDirectory }),
    },
    properties: [...properties, ...own],
    assigner,
    sessionTimeout,
    rebalanceTimeout,
    heartbeatInterval,
    metadataMaxAge,
    retry: { retries: RETRY.retries, ...(read.any('retry') as RetryOptions | undefined) },
    hooks: { assign: hook('onPartitionsAssigned'), revoke: hook('onPartitionsRevoked'), lost: hook('onPartitionsLost') },
    unknown: read.unknown(),
    replaced: Array.isArray(assigners) && assigners.some((each) => typeof each === 'function'),
  };
}

function readAssigners(given: unknown): string[] | undefined {
  if (given === undefined) return undefined;
  if (!Array.isArray(given) || given.length === 0) {
    throw new KafkaJSNonRetriableError(`Kafka.consumer: partitionAssigners must be an array of names, got ${describe(given)}`);
  }
  const read = given.map((assigner: unknown) => {
    // librdkafka divides: it cannot run what KafkaJS's leader would.
    if (typeof assigner === 'function') return STRATEGIES.roundRobin;
    if (typeof assigner === 'string' && Object.hasOwn(STRATEGIES, assigner)) return STRATEGIES[assigner as AssignerName];
    const known = Object.keys(STRATEGIES)
      .map((name) => `'${name}'`)
      .join(', ');
    throw new KafkaJSNonRetriableError(`Kafka.consumer: partitionAssigners takes ${known}, got ${describe(assigner)}`);
  });
  const names = [...new Set(read)];
  if (names.length > 1 && names.includes('cooperative-sticky')) {
    throw new KafkaJSNonRetriableError("Kafka.consumer: 'cooperativeSticky' cannot be mixed with 'roundRobin' or 'range': name it alone, or leave it out");
  }
  return names;
}
