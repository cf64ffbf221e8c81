/*
 * Types of KafkaJS's own engine and of its errors' arguments, under its names: for programs that are annotated with them. Nothing here
 * takes or gives a value of one of these; an {@link AssignerFactory} is taken, and `roundRobin` stands in its place.
 */
import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { TopicOffsets } from './consumer/commits';
import type { KafkaJSError } from './errors';
import type { KafkaLogger } from './logger';
import type { PartitionMetadata } from './partitions';

export interface ISocketFactoryArgs {
  host: string;
  port: number;
  ssl: ConnectionOptions;
  onConnect: () => void;
}
export type ISocketFactory = (args: ISocketFactoryArgs) => Socket;

export interface Authenticator {
  authenticate: () => Promise<void>;
}
export interface SaslAuthenticateArgs<ParseResult> {
  request: { encode: () => Buffer | Promise<Buffer> };
  response?: { decode: (rawResponse: Buffer) => Buffer | Promise<Buffer>; parse: (data: Buffer) => ParseResult };
}
export interface AuthenticationProviderArgs {
  host: string;
  port: number;
  logger: KafkaLogger;
  saslAuthenticate: <ParseResult>(args: SaslAuthenticateArgs<ParseResult>) => Promise<ParseResult | void>;
}

export interface ISerializer<T> {
  encode(value: T): Buffer;
  decode(buffer: Buffer): T | null;
}
export interface GroupMember {
  memberId: string;
  memberMetadata: Buffer;
}
export interface GroupMemberAssignment {
  memberId: string;
  memberAssignment: Buffer;
}
export interface GroupState {
  name: string;
  metadata: Buffer;
}
/** How KafkaJS's leader of a group divides the partitions. */
export interface Assigner {
  name: string;
  version: number;
  assign(group: { members: GroupMember[]; topics: string[] }): Promise<GroupMemberAssignment[]>;
  protocol(subscription: { topics: string[] }): GroupState;
}
/** A `PartitionAssigner` of KafkaJS's. */
export type AssignerFactory = (config: { cluster: Cluster; groupId: string; logger: KafkaLogger }) => Assigner;

export interface ApiVersions {
  [apiKey: number]: { minVersion: number; maxVersion: number };
}
export interface BrokerMetadata {
  brokers: { nodeId: number; host: string; port: number; rack?: string }[];
  topicMetadata: { topicErrorCode: number; topic: string; partitionMetadata: PartitionMetadata[] }[];
}
export interface CoordinatorMetadata {
  errorCode: number;
  coordinator: { nodeId: number; host: string; port: number };
}
export interface Broker {
  isConnected(): boolean;
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  apiVersions(): Promise<ApiVersions>;
  metadata(topics: string[]): Promise<BrokerMetadata>;
  describeGroups: (options: { groupIds: string[] }) => Promise<any>;
  offsetCommit(request: any): Promise<any>;
  offsetFetch(request: { groupId: string; topics: TopicOffsets[] }): Promise<{ responses: TopicOffsets[] }>;
  fetch(request: any): Promise<any>;
  produce(request: any): Promise<any>;
  alterPartitionReassignments(request: any): Promise<any>;
  listPartitionReassignments(request: any): Promise<ListPartitionReassignmentsResponse>;
}
export interface ConsumerGroup {
  groupId: string;
  generationId: number;
  memberId: string;
  coordinator: Broker;
}
type TopicToLookUp = { topic: string; partitions: { partition: number }[] } & (
  | { fromBeginning: boolean; fromTimestamp?: never }
  | { fromTimestamp: number; fromBeginning?: never }
);
export interface Cluster {
  getNodeIds(): number[];
  metadata(): Promise<BrokerMetadata>;
  removeBroker(options: { host: string; port: number }): void;
  addMultipleTargetTopics(topics: string[]): Promise<void>;
  isConnected(): boolean;
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  refreshMetadata(): Promise<void>;
  refreshMetadataIfNecessary(): Promise<void>;
  addTargetTopic(topic: string): Promise<void>;
  findBroker(node: { nodeId: string }): Promise<Broker>;
  findControllerBroker(): Promise<Broker>;
  findTopicPartitionMetadata(topic: string): PartitionMetadata[];
  findLeaderForPartitions(topic: string, partitions: number[]): { [leader: string]: number[] };
  findGroupCoordinator(group: { groupId: string }): Promise<Broker>;
  findGroupCoordinatorMetadata(group: { groupId: string }): Promise<CoordinatorMetadata>;
  defaultOffset(config: { fromBeginning: boolean }): number;
  fetchTopicsOffset(topics: TopicToLookUp[]): Promise<TopicOffsets[]>;
}

export interface OngoingPartitionReassignment {
  partitionIndex: number;
  replicas: number[];
  addingReplicas?: number[];
  removingReplicas?: number[];
}
export interface OngoingTopicReassignment {
  topic: string;
  partitions: OngoingPartitionReassignment[];
}
export interface ListPartitionReassignmentsResponse {
  topics: OngoingTopicReassignment[];
}

export interface KafkaJSErrorMetadata {
  retriable?: boolean;
  topic?: string;
  partitionId?: number;
  metadata?: PartitionMetadata;
}
export interface KafkaJSOffsetOutOfRangeMetadata {
  topic: string;
  partition: number;
}
export interface KafkaJSNumberOfRetriesExceededMetadata {
  retryCount: number;
  retryTime: number;
}
export interface KafkaJSConnectionErrorMetadata {
  broker?: string;
  code?: string;
}
export interface KafkaJSRequestTimeoutErrorMetadata {
  broker: string;
  clientId: string;
  correlationId: number;
  createdAt: number;
  sentAt: number;
  pendingDuration: number;
}
export interface KafkaJSTopicMetadataNotLoadedMetadata {
  topic: string;
}
export interface KafkaJSStaleTopicMetadataAssignmentMetadata {
  topic: string;
  unknownPartitions: PartitionMetadata[];
}
export interface KafkaJSServerDoesNotSupportApiKeyMetadata {
  apiKey: number;
  apiName: string;
}
export interface KafkaJSDeleteGroupsErrorGroups {
  groupId: string;
  errorCode: number;
  error: KafkaJSError;
}
export interface KafkaJSDeleteTopicRecordsErrorPartition {
  partition: number;
  offset: string;
  error: KafkaJSError;
}
export interface KafkaJSDeleteTopicRecordsErrorTopic {
  topic: string;
  partitions: KafkaJSDeleteTopicRecordsErrorPartition[];
}
