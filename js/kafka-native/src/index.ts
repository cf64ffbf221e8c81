/**
 * Kafka for Node at the speed of C.
 * @packageDocumentation
 */
export { Producer } from './classic/producer';
export type { PartitionCountOptions, ProducerStopOptions, SendResult } from './classic/producer';
export type { DeliveryReport, ProducerOptions, ProducerStats } from './classic/producer-options';
export { Consumer } from './classic/consumer';
export type { ConsumerStopOptions } from './classic/consumer';
export type { ConsumerOptions, ConsumerStats, ReceivedBatch } from './classic/consumer-options';
export type { OffsetManager, OffsetManagerOption } from './classic/offset-manager';
export type { Statistics } from './classic/stats';
export type { HeaderValue, Payload, ProducerMessage, SendError } from './arena';
export type { Decoded, Encoding, Message } from './batch';
export { Admin } from './admin';
export type { AdminCallOptions, AdminOptions, CreateTopicOptions } from './admin';
export { MockCluster } from './mock-cluster';
export type { MockClientOptions, MockTopicOptions } from './mock-cluster';
export { KafkaError } from './errors';
export type { KafkaErrorDetails } from './errors';
export { Errors, Offsets } from './codes';
export type { Logger } from './logger';
export type { DriverOptions } from './options';
// KafkaJS's names. Where a type of KafkaJS has a name of the classic API (Producer, Consumer, Admin, Message), the name here
// is the classic one; 'kafka-native/kafkajs' has KafkaJS's. Types of what a client gives are those of this one.
export * from './kafkajs';
export { Kafka } from './kafka/kafka';
export type { KafkaTransaction as Transaction } from './kafka/producer/transaction';
export type { ConsumerEvents } from './kafka/consumer/events';
export type { ConsumerRunConfig, EachBatchHandler, EachBatchPayload, EachMessageHandler, EachMessagePayload } from './kafka/consumer/runner';
export { Batch } from './kafka/consumer/lazy-batch';
export type { KafkaMessage } from './kafka/consumer/lazy-batch';
export { BatchFormat } from './kafka/consumer/encode';
export { prometheus } from './kafka/metrics';
