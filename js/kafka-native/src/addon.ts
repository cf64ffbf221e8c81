// Generated from crates/napi by napi-derive. Do not edit.

import type { NativeAdminOptions, NativeConsumerOptions, NativeEncoded, NativeFormatOptions, NativeGroupOptions, NativePlaces, NativeProducerOptions, NativeRule, NativeTopics, Properties, SendResult } from './addon-data';
import type { AdminRequests } from './admin-requests';
import type { OnEvent } from './events';

/**
 * A consumer in a group, or with an assignment of its own. Of a batch, each run is processed on its own: free it when it
 * is, or when its epoch is out of date. Replies and batches come in the order in which they happened: what arrives behind
 * the reply of `seek`, `pause` or `resume` was fetched after it. Lists of partitions are parallel arrays.
 */
export declare class NativeGroup {
  constructor(options: NativeGroupOptions, onEvent: OnEvent);
  /** Replies nothing when a broker has answered. */
  connect(request: number, timeoutMs: number): void;
  /**
   * Replaces the subscription: names, or patterns that begin with '^'. `earliest`: where a partition of the topic begins
   * that has no committed offset, or whose offset the log does not have; true = at its begin, false = at its end. `existing`: the
   * topics that there were when the program subscribed, `counts` how many partitions each had: what is not among them begins at its
   * begin. The first call joins the group; without topics it leaves. Replies nothing.
   */
  subscribe(request: number, topics: Array<string>, earliest: Array<boolean>, existing: Array<string>, counts: Array<number>): void;
  /**
   * Replaces the assignment, without joining. Offsets: the next to be read, -2 = begin, -1 = end, -1000 = committed. Replies
   * nothing; the Rebalance events ('revoke' of what was, 'assign') come before the reply and want no answer.
   */
  assign(request: number, topics: Array<string>, partitions: Array<number>, offsets: Array<number>): void;
  /**
   * Reads all partitions of these, without joining: names, or patterns that begin with '^'; what is made later, too. `from`, parallel
   * to them: -2 = the begin, -1 = the end, otherwise a time in milliseconds; `places` are the offsets of partitions where `from` is -2.
   * `ids`, parallel, too: of topics that were read before (`topicId`), one of another id begins at its begin; '' = any.
   * Replies nothing when it is settled where each partition begins; Rebalance events as those of `assign`, now and later.
   */
  read(request: number, topics: Array<string>, from: Array<number>, ids: Array<string>, placeTopics: Array<string>, placePartitions: Array<number>, placeOffsets: Array<number>): void;
  /** Kafka's id of a topic that is read. */
  topicId(topic: string): string | null;
  /**
   * Goes on with a rebalance. For 'assign', `offsets` (parallel to its partitions) says where to begin: -1001 = where the
   * group committed. Late answers are ignored.
   */
  rebalanced(rebalance: number, offsets?: Array<number> | undefined | null): void;
  /** The batch has arrived: another may be told. Once a batch. */
  started(batch: number): void;
  /** The run of the batch (its index) needs its bytes no longer. Once a run, also when it is out of date. Never throws. */
  free(batch: number, run: number): void;
  /**
   * Replies the partition's new epoch; -1 when it is not assigned. Offsets as for `assign`. `sought`: by the program; otherwise what was
   * told is wanted again, and rules decide it as before.
   */
  seek(request: number, topic: string, partition: number, offset: number, sought: boolean): void;
  /**
   * Replaces the rule by which messages are told; none: all are. `offsets`: what lies below is processed, and not asked for again but by
   * the program. Replies {@link NativePlaces}: from where on the new rule decides each partition, -2 = from its begin.
   */
  setRule(request: number, rule: NativeRule | undefined | null, topics: Array<string>, partitions: Array<number>, offsets: Array<number>): void;
  /** Pauses these partitions, and throws away their prefetched messages. Replies nothing; what is not assigned is left out. Runs that were told before keep their epoch. */
  pause(request: number, topics: Array<string>, partitions: Array<number>): void;
  /**
   * Goes on at these offsets (the next to be read; -1001 = behind the last message that was told). Replies their new epochs,
   * -1 for what is not assigned. `sought` as for `seek`, each.
   */
  resume(request: number, topics: Array<string>, partition: Array<number>, offsets: Array<number>, sought: Array<boolean>): void;
  /**
   * Commits the next offsets to be read. Replies nothing when the coordinator has them, or the first error. A partition no
   * longer assigned is committed all the same as far as the coordinator takes it: leave it out.
   */
  commit(request: number, topics: Array<string>, partitions: Array<number>, offsets: Array<number>, metadata: Array<string | undefined | null>): void;
  /** Replies the committed offsets, -1 = none. */
  committed(request: number, topics: Array<string>, partitions: Array<number>, timeoutMs: number): void;
  /** Replies the offsets of the first messages that are not older than the times (milliseconds), the end's where there is none. */
  offsetsForTimes(request: number, topics: Array<string>, partitions: Array<number>, timestamps: Array<number>, timeoutMs: number): void;
  /** Replies the ends of these: high watermarks, or with `read_committed` the last stable offsets. */
  ends(request: number, topics: Array<string>, partitions: Array<number>, readCommitted: boolean, timeoutMs: number): void;
  /** Replies the numbers of a topic's partitions. */
  partitionsOf(request: number, topic: string, timeoutMs: number): void;
  /** Replies {@link NativeTopics}: the cluster's. */
  listTopics(request: number, timeoutMs: number): void;
  /** [low, high] as the last fetch told them, -1001 = not known. Does not ask anybody. */
  watermarks(topic: string, partition: number): [number, number];
  /** Replies the serialised metadata of the group for a transaction, a Buffer (rd_kafka_consumer_group_metadata_write). */
  groupMetadata(request: number): void;
  /** Whether `Event.Request` tells of each request that a broker has answered. */
  watchRequests(wanted: boolean): void;
  /** `expiresMs`: milliseconds since 1970; `extensions`: names and values by turns. Neither ever throws; a token that librdkafka does not take is a failure, too. */
  setToken(value: string, expiresMs: number, principal: string, extensions: Array<string>): void;
  /** There is no token: whoever waits for a connection hears `_AUTHENTICATION` with this reason. */
  setTokenFailure(reason: string): void;
  /**
   * Leaves the group and ends the client. A last Rebalance 'revoke' may come, which wants its answer. Replies nothing; it
   * takes the time at most, and half a second.
   */
  stop(request: number, timeoutMs: number): void;
}

/**
 * For `process.on('exit')`: ends every client of this environment, which delivers messages and writes pending offsets. Blocks up
 * to `ms`; returns how many clients have not ended by then.
 */
export declare function shutdown(ms: number): number;

/** Every error that librdkafka knows: its number and full name. */
export declare function errorCodes(): Array<[number, string]>;

/** How batches become documents. */
export declare class NativeFormat {
  constructor(options: NativeFormatOptions);
  /** Messages of one partition in packed batches: of batch i those from `begins[i]` to `ends[i]`. `before` and `after` stand around them. */
  encode(packed: Array<Uint8Array>, begins: Array<number>, ends: Array<number>, topic: string, partition: number, before?: Uint8Array | undefined | null, after?: Uint8Array | undefined | null): NativeEncoded;
}

/** The version of the vendored librdkafka. */
export declare function librdkafkaVersion(): string;

export declare class NativeAdmin {
  constructor(options: NativeAdminOptions, onEvent: OnEvent);
  /** Replies nothing when a broker has answered. */
  connect(request: number, timeoutMs: number): void;
  /** `fields` and the reply are JSON (AdminRequests); a request that fails as a whole replies an error. Any number at once. */
  request(request: number, name: keyof AdminRequests, fields: string, timeoutMs: number): void;
  /** Whether `Event.Request` tells of each request that a broker has answered. */
  watchRequests(wanted: boolean): void;
  /** `expiresMs`: milliseconds since 1970; `extensions`: names and values by turns. Neither ever throws; a token that librdkafka does not take is a failure, too. */
  setToken(value: string, expiresMs: number, principal: string, extensions: Array<string>): void;
  /** There is no token: whoever waits for a connection hears `_AUTHENTICATION` with this reason. */
  setTokenFailure(reason: string): void;
  /** Ends on a thread of its own: what blocks is waited for. */
  close(): void;
}

export declare class NativeConsumer {
  constructor(options: NativeConsumerOptions, onEvent: OnEvent);
  /** Replies the partitions, a number[]. After an error it may be called again. */
  start(request: number): void;
  /** Nothing is drained from librdkafka's queue until `resume`. Batches that were posted before still arrive. */
  pause(): void;
  resume(): void;
  /**
   * The callback of a batch begins: gives back its place among the batches under way to JavaScript. Once a batch, also
   * when it is delivered again. This, `settle` and `drop` never throw; `settle` and `drop` may come after `stop` replied.
   */
  started(batch: number): void;
  /** All messages of the batch are processed: their offsets may be recorded, their bytes are free. */
  settle(batch: number): void;
  /** The batch will not be processed (stopped before it started or succeeded): frees its bytes, records nothing. */
  drop(batch: number): void;
  /** Replies when the pending offsets are on disk, the locks released and the client destroyed. */
  stop(request: number, timeoutMs: number): void;
  /** `error`: a message, when the manager failed. */
  offsetsRead(request: number, offsets?: Array<number> | undefined | null, error?: string | undefined | null): void;
  offsetsCommitted(request: number, error?: string | undefined | null): void;
}

export declare class NativeMockCluster {
  constructor(brokers: number);
  bootstrap(): string;
  createTopic(topic: string, partitions: number, replication: number): void;
  brokerDown(id: number): void;
  brokerUp(id: number): void;
  /** Round-trip latency added to every request of broker `id` (-1 = all), in milliseconds. */
  setLatency(id: number, ms: number): void;
  setLeader(topic: string, partition: number, broker: number): void;
  setFollower(topic: string, partition: number, broker: number): void;
  /** The next requests with this API key fail with these codes, in order. */
  pushErrors(apiKey: number, codes: Array<number>): void;
  /** Fails every request of a topic with this code; 0 heals it. */
  setTopicError(topic: string, code: number): void;
  /** The cluster's threads end on a thread of their own: joining them takes a moment. */
  close(): void;
}

export declare class NativeProducer {
  constructor(options: NativeProducerOptions, onEvent: OnEvent);
  /**
   * Hands `count` messages to the client's thread; copies before it returns. `index` has three ints a message: key length,
   * value length (-1 = null), length of the header block (0 = none); key, value, header block follow each other in `arena`.
   * `timestamps`: milliseconds a message, 0 = now; null when no message has one.
   */
  send(topic: string, partition: number, arena: Uint8Array, index: Int32Array, count: number, timestamps?: Float64Array | undefined | null): SendResult;
  /**
   * The number of a topic, for tickets; the properties are librdkafka's for topics, and count when the producer has not
   * heard of the topic before.
   */
  topic(topic: string, properties: Properties): number;
  /**
   * Like `send`, for many sends at once. `partitions`: one a message, -1 = the partitioner's choice; null when no message has
   * its own. `tickets` has three ints a ticket: its id, the topic's number, how many of the messages, in order, are its own.
   * Every ticket comes back in a Receipts event, also when messages are refused.
   */
  sendTickets(arena: Uint8Array, index: Int32Array, count: number, timestamps: Float64Array | undefined | null, partitions: Int32Array | undefined | null, tickets: Int32Array, ticketCount: number): void;
  /** Replies nothing when a broker has answered. */
  connect(request: number, timeoutMs: number): void;
  /** Replies numbers; for each partition: error, id, leader, number of replicas, these, number of those in sync, these. */
  partitions(request: number, topic: string, maxTries: number, intervalMs: number): void;
  /**
   * This and the calls about transactions run one after the other, behind everything that was sent before; each replies nothing.
   * Errors: `retriable`, `txnRequiresAbort` or `fatal`.
   */
  flush(request: number, timeoutMs: number): void;
  initTransactions(request: number, timeoutMs: number): void;
  beginTransaction(request: number): void;
  /** `group`: its id, or the metadata that a member of it wrote. The lists are parallel. */
  sendOffsets(request: number, group: string | Uint8Array, topics: Array<string>, partitions: Array<number>, offsets: Array<number>, timeoutMs: number): void;
  commitTransaction(request: number, timeoutMs: number): void;
  abortTransaction(request: number, timeoutMs: number): void;
  queueLength(): number;
  /** Replies a number. */
  partitionCount(request: number, topic: string, maxTries: number, intervalMs: number): void;
  /** Whether `Event.Request` tells of each request that a broker has answered. */
  watchRequests(wanted: boolean): void;
  /** `expiresMs`: milliseconds since 1970; `extensions`: names and values by turns. Neither ever throws; a token that librdkafka does not take is a failure, too. */
  setToken(value: string, expiresMs: number, principal: string, extensions: Array<string>): void;
  /** There is no token: whoever waits for a connection hears `_AUTHENTICATION` with this reason. */
  setTokenFailure(reason: string): void;
  /** Flushes, purges at the deadline, destroys. Replies how many messages were left and purged. */
  stop(request: number, timeoutMs: number): void;
}
