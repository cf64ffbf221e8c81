// Generated from crates/napi/src/events.rs by its tests. Do not edit.

import type { NativeDeliveryFailure, NativeErrorData, NativeLog, NativeRebalance } from './addon-data';

/**
 * Everything that a client tells comes through the one function that its constructor was given, on the JavaScript thread,
 * in the order in which it happened: `onEvent(kind, ...)`. It must not throw.
 */
export const enum Event {
  /** Answer with `started`, then `settle` or `drop`; a group's runs with `free`. Consumers only. */
  Batch = 0,
  /** Ends the asynchronous call that was given this id. */
  Reply = 1,
  /** librdkafka's statistics, and a producer's and a classic consumer's own. */
  Stats = 2,
  /** Errors without a caller; once per change of state, decided in Rust. */
  Error = 3,
  /** Since the last one, 1000 at most; of more, the first ones and how many were dropped. */
  Log = 4,
  /** Since the last one, coalesced by (errcode, topic, partition). Producer only. */
  Deliveries = 5,
  /** Nothing is in flight any more. Producer only. */
  Drained = 6,
  /** Answer with `offsetsRead`. Only with `offsetManager`. */
  ReadOffsets = 7,
  /** Answer with `offsetsCommitted`. Only with `offsetManager`. */
  CommitOffsets = 8,
  /** Answer with `rebalanced`. Group only. */
  Rebalance = 9,
  /**
   * All messages below the offset were told; it is behind the last of them because of a rule, transaction markers and aborted
   * messages, and can be committed. Group only.
   */
  Advanced = 10,
  /** All messages below the offset were told, and there was no more when the broker was asked. Group only. */
  End = 11,
  /** Messages at `from` and up to `to`, which is there, were deleted before they were read. Group only. */
  OffsetsLost = 12,
  /**
   * A broker has answered a request of the client: `host:port`; Kafka's number of the request and its version, bytes of the answer,
   * milliseconds from sending until then. Only while `watchRequests(true)`.
   */
  Request = 13,
  /** A token is wanted; answer with `setToken` or `setTokenFailure`. Only with `tokens`; not again before the answer. */
  Token = 14,
  /**
   * Tickets that are through since the last one, coalesced. For each: id, place of its first error in `errors` (-1 = none),
   * number of partitions n, then n times partition, smallest offset (-1 = not known), time of appending in milliseconds (-1 =
   * the message has its own). Producer only.
   */
  Receipts = 15,
}

export type ToldBatch = [kind: Event.Batch, batchId: number, packed: Buffer];

export type ToldAnswer = [kind: Event.Reply, requestId: number, error: NativeErrorData | undefined, value: any];

export type ToldConsumerStats = [kind: Event.Stats, json: string, waitingKafka: number, waitingLocal: number, logSize: number];

export type ToldProducerStats = [kind: Event.Stats, json: string, queueLength: number, topics: string[], queueLengths: number[]];

export type ToldStats = [kind: Event.Stats, json: string];

export type ToldTrouble = [kind: Event.Error, error: NativeErrorData];

export type ToldLog = [kind: Event.Log, lines: NativeLog[], dropped: number];

export type ToldDeliveries = [kind: Event.Deliveries, failures: NativeDeliveryFailure[]];

export type ToldDrained = [kind: Event.Drained];

export type ToldReadOffsets = [kind: Event.ReadOffsets, requestId: number, partitions: number[]];

export type ToldCommitOffsets = [kind: Event.CommitOffsets, requestId: number, partitions: number[], offsets: number[]];

export type ToldRebalance = [kind: Event.Rebalance, rebalance: NativeRebalance];

export type ToldAdvanced = [kind: Event.Advanced, topicId: number, partition: number, epoch: number, offset: number];

export type ToldEnd = [kind: Event.End, topicId: number, partition: number, epoch: number, offset: number];

export type ToldOffsetsLost = [kind: Event.OffsetsLost, topicId: number, partition: number, from: number, to: number];

export type ToldRequest = [kind: Event.Request, broker: string, figures: number[]];

export type ToldToken = [kind: Event.Token];

export type ToldReceipts = [kind: Event.Receipts, columns: Float64Array, errors: NativeErrorData[]];

/** An event: its kind, and what comes with it. */
export type Told = ToldBatch | ToldAnswer | ToldConsumerStats | ToldProducerStats | ToldStats | ToldTrouble | ToldLog | ToldDeliveries | ToldDrained | ToldReadOffsets | ToldCommitOffsets | ToldRebalance | ToldAdvanced | ToldEnd | ToldOffsetsLost | ToldRequest | ToldToken | ToldReceipts;
export type OnEvent = (...told: Told) => void;
