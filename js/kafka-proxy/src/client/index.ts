// kafka-proxy/client: Kafka for browsers and Node, through kafka-proxy.

export { type ClientEvents, type ClientOptions, KafkaProxyClient } from './client';
export { KafkaProxyError, ProduceError, type ProduceResult } from './errors';
export type { WebSocketClass, WebSocketLike } from './link';
export type { Message } from './message';
export type { Batch, MessageRule, RuleValue, SubscribeOptions, Subscription, SubscriptionEvents } from './subscription';
export type { Change, Table, TableEvents, TableOptions } from './table';
export type { NewMessage, ValueForm, Writable } from './values';
export type { Codec, Lag, Place, TopicPartition } from './wire';
