import type { TopicOffsets } from './commits';
import type { PartitionLag } from './lag';
import type { InstrumentationEvent, RequestEvent, RequestQueueSizeEvent, RequestTimeoutEvent } from '../events';

/** KafkaJS's names of what `consumer.on` tells. */
export const CONSUMER_EVENTS = {
  /** While the consumer is a member, every `heartbeatInterval`: the heartbeats themselves are librdkafka's, in the background. */
  HEARTBEAT: 'consumer.heartbeat',
  COMMIT_OFFSETS: 'consumer.commit_offsets',
  GROUP_JOIN: 'consumer.group_join',
  /** A packed batch has arrived. */
  FETCH: 'consumer.fetch',
  /** The consumer waits for the next packed batch. */
  FETCH_START: 'consumer.fetch_start',
  START_BATCH_PROCESS: 'consumer.start_batch_process',
  END_BATCH_PROCESS: 'consumer.end_batch_process',
  CONNECT: 'consumer.connect',
  DISCONNECT: 'consumer.disconnect',
  STOP: 'consumer.stop',
  CRASH: 'consumer.crash',
  REBALANCING: 'consumer.rebalancing',
  RECEIVED_UNSUBSCRIBED_TOPICS: 'consumer.received_unsubscribed_topics',
  /** Every 5 s, where somebody listens: what `lag()` resolves with. KafkaJS has no such event. */
  LAG: 'consumer.lag',
  /** Messages were deleted before this consumer read them, as retention does: some are missing. KafkaJS has no such event. */
  OFFSETS_LOST: 'consumer.offsets_lost',
  /** A broker has answered a request. */
  REQUEST: 'consumer.network.request',
  /** Never. */
  REQUEST_TIMEOUT: 'consumer.network.request_timeout',
  /** Never. */
  REQUEST_QUEUE_SIZE: 'consumer.network.request_queue_size',
} as const;
export type ConsumerEvents = typeof CONSUMER_EVENTS;

interface BatchProcess {
  topic: string;
  partition: number;
  highWatermark: string;
  offsetLag: string;
  offsetLagLow: string;
  batchSize: number;
  firstOffset: string;
  lastOffset: string;
}

/** The payload of each event. */
export interface ConsumerEventPayloads {
  'consumer.heartbeat': { groupId: string; memberId: string; groupGenerationId: number };
  'consumer.commit_offsets': { groupId: string; memberId: string; groupGenerationId: number; topics: TopicOffsets[] };
  'consumer.group_join': {
    /** Milliseconds since the rebalance, or `run`, began. */
    duration: number;
    groupId: string;
    /** Always false: librdkafka does not tell. */
    isLeader: boolean;
    /** Always '': librdkafka does not tell. */
    leaderId: string;
    /** librdkafka's names of the assigners; '' with `groupProtocol: 'consumer'`, where the broker divides. */
    groupProtocol: string;
    memberId: string;
    /** All that the consumer has now. */
    memberAssignment: Record<string, number[]>;
  };
  /** `nodeId` is -1: messages of several brokers arrive together. `duration`: milliseconds since FETCH_START. */
  'consumer.fetch': { numberOfBatches: number; duration: number; nodeId: number };
  'consumer.fetch_start': { nodeId: number };
  'consumer.start_batch_process': BatchProcess;
  'consumer.end_batch_process': BatchProcess & { duration: number };
  'consumer.connect': null;
  'consumer.disconnect': null;
  'consumer.stop': null;
  'consumer.crash': { error: Error; groupId: string; restart: boolean };
  'consumer.rebalancing': { groupId: string; memberId: string };
  'consumer.received_unsubscribed_topics': {
    groupId: string;
    generationId: number;
    memberId: string;
    assignedTopics: string[];
    topicsSubscribed: string[];
    topicsNotSubscribed: string[];
  };
  'consumer.lag': { groupId: string | null; memberId: string; partitions: PartitionLag[] };
  /**
   * The messages at `from` and up to `to`, which is there, are lost. Messages from before `from` may still be on their way to the handler. It is seen by
   * a consumer that reads: what was deleted while no member of the group did, is not.
   */
  'consumer.offsets_lost': { groupId: string | null; topic: string; partition: number; from: string; to: string };
  'consumer.network.request': RequestEvent['payload'];
  'consumer.network.request_timeout': RequestTimeoutEvent['payload'];
  'consumer.network.request_queue_size': RequestQueueSizeEvent['payload'];
}

export type ConsumerLagEvent = InstrumentationEvent<ConsumerEventPayloads['consumer.lag']>;
export type ConsumerOffsetsLostEvent = InstrumentationEvent<ConsumerEventPayloads['consumer.offsets_lost']>;
type Told<E extends keyof ConsumerEventPayloads> = InstrumentationEvent<ConsumerEventPayloads[E]>;
export type ConsumerHeartbeatEvent = Told<'consumer.heartbeat'>;
export type ConsumerCommitOffsetsEvent = Told<'consumer.commit_offsets'>;
export type ConsumerGroupJoinEvent = Told<'consumer.group_join'>;
export type ConsumerFetchStartEvent = Told<'consumer.fetch_start'>;
export type ConsumerFetchEvent = Told<'consumer.fetch'>;
export type ConsumerStartBatchProcessEvent = Told<'consumer.start_batch_process'>;
export type ConsumerEndBatchProcessEvent = Told<'consumer.end_batch_process'>;
export type ConsumerCrashEvent = Told<'consumer.crash'>;
export type ConsumerRebalancingEvent = Told<'consumer.rebalancing'>;
/** KafkaJS spells it so. */
export type ConsumerReceivedUnsubcribedTopicsEvent = Told<'consumer.received_unsubscribed_topics'>;
export type IMemberAssignment = ConsumerEventPayloads['consumer.group_join']['memberAssignment'];
