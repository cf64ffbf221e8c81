/*
 * The clients under KafkaJS's names: what KafkaJS's have, so that a stand-in that a program wrote for KafkaJS is one here, too.
 * `KafkaProducer`, `KafkaConsumer`, `KafkaAdmin` and `KafkaTransaction` have everything.
 */
import type { AdminConfig, KafkaAdmin } from './admin';
import type { KafkaConsumer } from './consumer/consumer';
import type { ConsumerConfig } from './consumer/config';
import type { ConsumerEvents as AllConsumerEvents } from './consumer/events';
import type { Batch as BatchClass } from './consumer/lazy-batch';
import type { ConsumerRunConfig as RunConfig, EachBatchPayload as BatchPayload, EachMessagePayload as MessagePayload } from './consumer/runner';
import type { KafkaLogger } from './logger';
import type { ProducerConfig } from './producer/config';
import type { IHeaders } from './producer/messages';
import type { KafkaProducer } from './producer/producer';
import type { KafkaTransaction } from './producer/transaction';

type Always = 'connect' | 'disconnect' | 'on' | 'logger';

export interface Kafka {
  producer(config?: ProducerConfig): Producer;
  consumer(config: ConsumerConfig): Consumer;
  admin(config?: AdminConfig): Admin;
  logger(): KafkaLogger;
}
export interface Transaction extends Pick<KafkaTransaction, 'send' | 'sendBatch' | 'sendOffsets' | 'commit' | 'abort' | 'isActive'> {}
export interface Producer extends Pick<KafkaProducer, Always | 'events' | 'send' | 'sendBatch' | 'isIdempotent'> {
  transaction(): Promise<Transaction>;
}
export interface Consumer
  extends Pick<KafkaConsumer, Always | 'subscribe' | 'stop' | 'commitOffsets' | 'seek' | 'describeGroup' | 'pause' | 'paused' | 'resume'> {
  readonly events: ConsumerEvents;
  run(config?: ConsumerRunConfig): Promise<void>;
}
export type ConsumerEvents = Omit<AllConsumerEvents, 'LAG'>;
export interface Admin
  extends Pick<
    KafkaAdmin,
    | Always
    | 'events'
    | 'listTopics'
    | 'createTopics'
    | 'deleteTopics'
    | 'createPartitions'
    | 'fetchTopicMetadata'
    | 'fetchOffsets'
    | 'fetchTopicOffsets'
    | 'fetchTopicOffsetsByTimestamp'
    | 'describeCluster'
    | 'setOffsets'
    | 'resetOffsets'
    | 'describeConfigs'
    | 'alterConfigs'
    | 'listGroups'
    | 'deleteGroups'
    | 'describeGroups'
    | 'describeAcls'
    | 'deleteAcls'
    | 'createAcls'
    | 'deleteTopicRecords'
    | 'alterPartitionReassignments'
    | 'listPartitionReassignments'
  > {}

/** A message as a handler gets it; the client gives `headers` with each, and never `size`. */
export interface KafkaMessage {
  key: Buffer | null;
  /** null is a tombstone. */
  value: Buffer | null;
  /** Milliseconds since 1970, as text; '-1' when there is none. */
  timestamp: string;
  attributes: number;
  offset: string;
  headers?: IHeaders;
  size?: number;
}
export interface Batch extends Pick<BatchClass, 'topic' | 'partition' | 'highWatermark' | 'isEmpty' | 'lastOffset' | 'offsetLag' | 'offsetLagLow'> {
  messages: KafkaMessage[];
  /** null: the batch is empty, which none is that the client gives. */
  firstOffset(): string | null;
}
export interface EachMessagePayload extends Omit<MessagePayload, 'message'> {
  message: KafkaMessage;
}
export interface EachBatchPayload extends Omit<BatchPayload, 'batch'> {
  batch: Batch;
}
export type EachMessageHandler = (payload: EachMessagePayload) => Promise<void>;
export type EachBatchHandler = (payload: EachBatchPayload) => Promise<void>;
export interface ConsumerRunConfig extends Omit<RunConfig, 'eachMessage' | 'eachBatch'> {
  eachMessage?: EachMessageHandler | null;
  eachBatch?: EachBatchHandler | null;
}
