/**
 * `require('kafka-native/kafkajs')`: what KafkaJS exports, under its names.
 * @packageDocumentation
 */
import type { DeleteAclResponse, DescribeAclResponse, GroupDescription, IResourceConfig, SeekEntry } from './kafka/admin';
import type { Kafka as KafkaJS } from './kafka/clients';
import { Kafka as Native } from './kafka/kafka';
import type { SASLOptions } from './kafka/security';

/** As `Kafka` of `kafka-native`, but that groups divide by `roundRobin`, as KafkaJS's do, where `partitionAssigners` says nothing. */
export const Kafka: typeof Native = class Kafka extends Native {
  protected static override readonly assigner = 'roundRobin';
};
export type Kafka = KafkaJS;

export type {
  Admin,
  Batch,
  Consumer,
  ConsumerEvents,
  ConsumerRunConfig,
  EachBatchHandler,
  EachBatchPayload,
  EachBatchPayload as ConsumerEachBatchPayload,
  EachMessageHandler,
  EachMessagePayload,
  EachMessagePayload as ConsumerEachMessagePayload,
  KafkaMessage,
  Producer,
  Transaction,
} from './kafka/clients';
export type * from './kafka/engine-types';
export type { BrokersFunction, KafkaConfig } from './kafka/config';
export type { Mechanism, OauthbearerOptions, SASLOptions } from './kafka/security';
export type { OidcOptions } from './kafka/oidc';
export type { OAuthToken, OAuthToken as OauthbearerProviderResponse } from './kafka/tokens';
export type { Statistics } from './kafka/metrics';
export type { RetryOptions } from './kafka/client';
export type { FlushOptions, KafkaProducer, ProducerEvents } from './kafka/producer/producer';
export type { ProducerConfig } from './kafka/producer/config';
export type { ProducerStreamOptions, StreamedMessage } from './kafka/producer/stream';
export { CompressionCodecs } from './kafka/producer/compression-codecs';
export { CompressionTypes } from './kafka/producer/messages';
export type { IHeaders, Message, ProducerBatch, ProducerRecord, RecordMetadata, SendOptions, TopicMessages } from './kafka/producer/messages';
export type { KafkaTransaction, Offsets, OffsetsGroup } from './kafka/producer/transaction';
export { Partitioners } from './kafka/producer/partitioners';
export type { DefaultPartitioner, ICustomPartitioner, LegacyPartitioner, PartitionerArgs } from './kafka/producer/partitioners';
export type { PartitionMetadata, TopicPartition, TopicPartitions } from './kafka/partitions';
export { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ConfigResourceTypes, ConfigSource, ResourcePatternTypes } from './kafka/admin/resource-types';
export type {
  Acl,
  AclEntry,
  AclFilter,
  AclResource,
  AdminCall,
  AdminConfig,
  AdminEvents,
  AlterConfigsResponse,
  ConfigEntries,
  ConfigSynonyms,
  ConsumerGroupState,
  DeleteAclResponse,
  DeleteGroupsResult,
  DescribeAclResponse,
  DescribeConfigResponse,
  ElectedPartition,
  FetchOffsetsPartition,
  GroupDescription,
  GroupOverview,
  IncrementalResourceConfig,
  IResourceConfig,
  ITopicConfig,
  ITopicMetadata,
  ITopicPartitionConfig,
  KafkaAdmin,
  MatchingAcl,
  MemberDescription,
  PartitionReassignment,
  ReplicaAssignment,
  ResourceConfigQuery,
  ScramMechanism,
  SeekEntry,
  UserAlteration,
  UserDescription,
} from './kafka/admin';
export { AssignerProtocol } from './kafka/assigner-protocol';
export type { Assignment, MemberAssignment, MemberMetadata } from './kafka/assigner-protocol';
export { logLevel } from './kafka/logger';
export type { KafkaLogger as Logger, LogEntry, LoggerEntryContent, logCreator } from './kafka/logger';
export type {
  ConnectEvent,
  DisconnectEvent,
  InstrumentationEvent,
  RemoveInstrumentationEventListener,
  RequestEvent,
  RequestQueueSizeEvent,
  RequestTimeoutEvent,
} from './kafka/events';
export type { KafkaConsumer, TopicPartitionOffset, TopicPartitionOffsetAndMetadata } from './kafka/consumer/consumer';
export type { PartitionLag } from './kafka/consumer/lag';
export { PartitionAssigners } from './kafka/consumer/config';
export type { ConsumerConfig, PartitionAssigner } from './kafka/consumer/config';
export type {
  ConsumerCommitOffsetsEvent,
  ConsumerCrashEvent,
  ConsumerEndBatchProcessEvent,
  ConsumerEventPayloads,
  ConsumerFetchEvent,
  ConsumerFetchStartEvent,
  ConsumerGroupJoinEvent,
  ConsumerHeartbeatEvent,
  ConsumerLagEvent,
  ConsumerOffsetsLostEvent,
  ConsumerRebalancingEvent,
  ConsumerReceivedUnsubcribedTopicsEvent,
  ConsumerStartBatchProcessEvent,
  IMemberAssignment,
} from './kafka/consumer/events';
export type { OffsetsByTopicPartition, TopicOffsets } from './kafka/consumer/commits';
export type { BatchColumns } from './kafka/consumer/lazy-batch';
export type { BatchCodec, BatchFormat, EncodedBatch, EncodeOptions, EncodeRange, EncodingName, FieldName, FormatOptions } from './kafka/consumer/encode';
export type { PlainMessage } from './kafka/consumer/pack';
export type { AssignedPosition } from './kafka/consumer/positions';
export type { MessageRule, RuleValue } from './kafka/consumer/rule';
export type { ReadMessage, ReadOptions } from './kafka/consumer/streams';
export type { ConsumerSubscribeTopic, ConsumerSubscribeTopics, ReadStart } from './kafka/consumer/subscription';
export type { Table } from './kafka/table';
export type { TableChange, TableEvents, TableMessageError } from './kafka/table/events';
export type { TableCodec, TableDecoder, TableKey, TableOptions } from './kafka/table/options';
export {
  KafkaJSError,
  KafkaJSNonRetriableError,
  KafkaJSPartialMessageError,
  KafkaJSBrokerNotFound,
  KafkaJSProtocolError,
  KafkaJSConnectionError,
  KafkaJSConnectionClosedError,
  KafkaJSRequestTimeoutError,
  KafkaJSSASLAuthenticationError,
  KafkaJSNumberOfRetriesExceeded,
  KafkaJSOffsetOutOfRange,
  KafkaJSMemberIdRequired,
  KafkaJSGroupCoordinatorNotFound,
  KafkaJSNotImplemented,
  KafkaJSMetadataNotLoaded,
  KafkaJSTopicMetadataNotLoaded,
  KafkaJSStaleTopicMetadataAssignment,
  KafkaJSDeleteGroupsError,
  KafkaJSTimeout,
  KafkaJSLockTimeout,
  KafkaJSServerDoesNotSupportApiKey,
  KafkaJSUnsupportedMagicByteInMessageSet,
  KafkaJSDeleteTopicRecordsError,
  KafkaJSInvariantViolation,
  KafkaJSInvalidVarIntError,
  KafkaJSInvalidLongError,
  KafkaJSCreateTopicError,
  KafkaJSAggregateError,
  KafkaJSFetcherRebalanceError,
  KafkaJSNoBrokerAvailableError,
  KafkaJSAlterPartitionReassignmentsError,
} from './kafka/errors';

/* Names of KafkaJS's for parts of these. */
export type SASLMechanism = SASLOptions['mechanism'];
export type IResourceConfigEntry = IResourceConfig['configEntries'][number];
export type DescribeAclResource = DescribeAclResponse['resources'][number];
export type DeleteAclFilterResponses = DeleteAclResponse['filterResponses'][number];
export type GroupDescriptions = { groups: GroupDescription[] };
export type PartitionOffset = SeekEntry;
