/**
 * `require('kafka-native/kafkajs')`: what KafkaJS exports, under its names.
 * @packageDocumentation
 */
export { Kafka } from './kafka/kafka';
export type { BrokersFunction, KafkaConfig } from './kafka/config';
export type { Mechanism, OauthbearerOptions, SASLOptions } from './kafka/security';
export type { OidcOptions } from './kafka/oidc';
export type { OAuthToken } from './kafka/tokens';
export type { Statistics } from './kafka/metrics';
export type { RetryOptions } from './kafka/client';
export { logLevel } from './kafka/logger';
export type { KafkaLogger as Logger, LogEntry, LoggerEntryContent, logCreator } from './kafka/logger';
export type { InstrumentationEvent, RemoveInstrumentationEventListener } from './kafka/events';
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
