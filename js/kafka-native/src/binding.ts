/**
 * What the addon exports (crates/napi). Internal: nothing of it is re-exported. The layout of a received batch is in
 * layout.ts, which is made from crates/core/src/layout.rs.
 */
import type { AdminRequests } from './admin-requests';
export type { ErrorData as NativeErrorData } from './admin-requests';

/**
 * Everything that a client tells comes through the one function that its constructor was given, on the JavaScript
 * thread, in the order in which it happened: `onEvent(kind, a, b, c, d)`. It must not throw.
 */
export enum Event {
  /** (batchId: number, packed: Uint8Array). Answer with `started`, then `settle` or `drop`. Consumer only. */
  Batch = 0,
  /** (requestId: number, error: NativeErrorData | undefined, value): ends the asynchronous call that was given this id. */
  Reply = 1,
  /** Consumer: (json: string, waitingKafka, waitingLocal, logSize: number). Producer: (json: string, queueLength: number, topics: string[], their queueLengths: number[]). Admin: (json: string). */
  Stats = 2,
  /** (error: NativeErrorData): what has no caller; once per change of state, decided in Rust. */
  Error = 3,
  /** (lines: NativeLog[], dropped: number): since the last one, 1000 at most; of more, the first ones and how many were dropped. */
  Log = 4,
  /** (failures: NativeDeliveryFailure[]): since the last one, coalesced by (errcode, topic, partition). Producer only. */
  Deliveries = 5,
  /** (): nothing is in flight any more. Producer only. */
  Drained = 6,
  /** (requestId: number, partitions: number[]): answer with `offsetsRead`. Only with `offsetManager`. */
  ReadOffsets = 7,
  /** (requestId: number, partitions: number[], offsets: number[]): answer with `offsetsCommitted`. Only with `offsetManager`. */
  CommitOffsets = 8,
  /** (rebalance: NativeRebalance): answer with `rebalanced`. Group only. */
  Rebalance = 9,
  /**
   * (topicId: number, partition: number, epoch: number, offset: number): all messages below the offset were told; it is
   * behind the last of them because of transaction markers and aborted messages, and can be committed. Group only.
   */
  Advanced = 10,
  /** (): a token is wanted; answer with `setToken` or `setTokenFailure`. Only with `tokens`; not again before the answer. */
  Token = 11,
  /**
   * (columns: Float64Array, errors: NativeErrorData[]): tickets that are through since the last one, coalesced. For each:
   * id, place of its first error in `errors` (-1 = none), number of partitions n, then n times partition, smallest offset
   * (-1 = not known), time of appending in milliseconds (-1 = the message has its own). Producer only.
   */
  Receipts = 12,
}
export type OnEvent = (kind: Event, a?: any, b?: any, c?: any, d?: any) => void;

export interface NativeLog {
  level: number; // syslog: 3 error, 4 warning, 6 info, 7 debug
  facility: string;
  message: string;
}

export interface NativeDeliveryFailure {
  errcode: number;
  count: number;
  errstr: string;
  topic: string;
  partition: number;
}

/** Every client that can authenticate with SASL/OAUTHBEARER. */
export interface NativeTokens {
  /** `expiresMs`: milliseconds since 1970; `extensions`: names and values by turns. Neither ever throws; a token that librdkafka does not take is a failure, too. */
  setToken(value: string, expiresMs: number, principal: string, extensions: string[]): void;
  /** There is no token: whoever waits for a connection hears `_AUTHENTICATION` with this reason. */
  setTokenFailure(reason: string): void;
}

export interface NativeProducerOptions {
  broker: string;
  maxMessages: number; // budget: messages in flight
  statisticsIntervalMs: number; // 0 = none
  /** Properties, in order; the values are strings already. */
  properties: [string, string][];
  topicProperties: [string, string][];
  /** Tokens are asked for with `Event.Token`. */
  tokens?: boolean;
}

export interface SendRefusal {
  index: number;
  code: number;
  name: string;
  message: string;
}

export interface NativeProducer extends NativeTokens {
  /**
   * Hands `count` messages to the client's thread; copies before it returns. `index` has three ints a message: key length,
   * value length (-1 = null), length of the header block (0 = none); key, value, header block follow each other in `arena`.
   * `timestamps`: milliseconds a message, 0 = now; null when no message has one.
   */
  send(topic: string, partition: number, arena: Uint8Array, index: Int32Array, count: number,
       timestamps: Float64Array | null): { enqueued: number; queueLength: number; errors?: SendRefusal[] };
  /**
   * The number of a topic, for tickets; the properties are librdkafka's for topics, and count when the producer has not
   * heard of the topic before.
   */
  topic(topic: string, properties: [string, string][]): number;
  /**
   * Like `send`, for many sends at once. `partitions`: one a message, -1 = the partitioner's choice; null when no message has
   * its own. `tickets` has three ints a ticket: its id, the topic's number, how many of the messages, in order, are its own.
   * Every ticket comes back in a Receipts event, also when messages are refused.
   */
  sendTickets(arena: Uint8Array, index: Int32Array, count: number, timestamps: Float64Array | null,
              partitions: Int32Array | null, tickets: Int32Array, ticketCount: number): void;
  /** Replies nothing when a broker has answered. */
  connect(requestId: number, timeoutMs: number): void;
  /** Replies numbers; for each partition: error, id, leader, number of replicas, these, number of those in sync, these. */
  partitions(requestId: number, topic: string, maxTries: number, intervalMs: number): void;
  /*
   * These run one after the other, behind everything that was sent before; each replies nothing. Errors: `retriable`,
   * `txnRequiresAbort` or `fatal`.
   */
  flush(requestId: number, timeoutMs: number): void;
  initTransactions(requestId: number, timeoutMs: number): void;
  beginTransaction(requestId: number): void;
  /** `group`: its id, or the metadata that a member of it wrote. The lists are parallel. */
  sendOffsets(requestId: number, group: string | Uint8Array, topics: string[], partitions: number[], offsets: number[], timeoutMs: number): void;
  commitTransaction(requestId: number, timeoutMs: number): void;
  abortTransaction(requestId: number, timeoutMs: number): void;
  queueLength(): number;
  /** Replies a number. */
  partitionCount(requestId: number, topic: string, maxTries: number, intervalMs: number): void;
  /** Flushes, purges at the deadline, destroys. Replies how many messages were left and purged. */
  stop(requestId: number, timeoutMs: number): void;
}

export interface NativeConsumerOptions {
  broker: string;
  topic: string;
  offsetDirectory?: string;
  /** Offsets are read and committed through the events instead of files. */
  offsetManager: boolean;
  maxMessagesPerBatch: number;
  statisticsIntervalMs: number; // 0 = none
  queuedMaxKbytes: number;
  workers: number;
  slot: number;
  properties: [string, string][];
  topicProperties: [string, string][];
}

export interface NativeConsumer {
  /** Replies the partitions, a number[]. After an error it may be called again. */
  start(requestId: number): void;
  /** Nothing is drained from librdkafka's queue until `resume`. Batches that were posted before still arrive. */
  pause(): void;
  resume(): void;
  /**
   * The callback of a batch begins: gives back its place among the batches under way to JavaScript. Once a batch, also
   * when it is delivered again. This, `settle` and `drop` never throw; `settle` and `drop` may come after `stop` replied.
   */
  started(batchId: number): void;
  /** All messages of the batch are processed: their offsets may be recorded, their bytes are free. */
  settle(batchId: number): void;
  /** The batch will not be processed (stopped before it started or succeeded): frees its bytes, records nothing. */
  drop(batchId: number): void;
  /** Replies when the pending offsets are on disk, the locks released and the client destroyed. */
  stop(requestId: number, timeoutMs: number): void;
  /** `error`: a message, when the manager failed. */
  offsetsRead(requestId: number, offsets: number[] | null, error?: string): void;
  offsetsCommitted(requestId: number, error?: string): void;
}

/** Topics, and how many partitions each has; the arrays are parallel. */
export interface NativeTopics {
  topics: string[];
  counts: number[];
}

/** What a rebalance gives or takes; the arrays are parallel, one element a partition. */
export interface NativeRebalance {
  /** For `rebalanced`. */
  id: number;
  /** 'assign': these come; 'revoke': these go when `rebalanced` was called; 'lost': these are gone already, nothing can be committed. */
  kind: 'assign' | 'revoke' | 'lost';
  topics: string[];
  /** What a run's topic id means; a topic keeps its id as long as the client lives. */
  topicIds: number[];
  partitions: number[];
  /** The assignment epochs that runs of these partitions carry from now on ('assign'); runs of any other epoch are out of date. */
  epochs: number[];
  /** '' without a group. */
  memberId: string;
  /** -1 without a group; with the protocol `consumer` the member's epoch. */
  generation: number;
  /** 'EAGER', 'COOPERATIVE' or 'NONE' (not a member yet, or no group). */
  protocol: string;
}

export interface NativeGroupOptions {
  /** librdkafka's, in order. Without `group.id` there is only `assign`, and nothing can be committed. */
  properties: [string, string][];
  maxMessagesPerBatch: number;
  /** Ceiling in bytes for what is prefetched, and handed over and not freed; each message with 304 bytes of overhead. */
  budgetBytes: number;
  statisticsIntervalMs: number; // 0 = none
  /** Without `group.id`: offsets are committed to files in it, as those of the classic consumer. */
  offsetDirectory?: string;
  /** Tokens are asked for with `Event.Token`. */
  tokens?: boolean;
}

/**
 * A consumer in a group, or with an assignment of its own. Of a batch, each run is processed on its own: free it when it
 * is, or when its epoch is out of date. Replies and batches come in the order in which they happened: what arrives behind
 * the reply of `seek`, `pause` or `resume` was fetched after it. Lists of partitions are parallel arrays.
 */
export interface NativeGroup extends NativeTokens {
  /** Replies nothing when a broker has answered. */
  connect(requestId: number, timeoutMs: number): void;
  /**
   * Replaces the subscription: names, or patterns that begin with '^'. `earliest`: where a partition of the topic begins
   * that has no committed offset, or whose offset the log does not have; true = at its begin, false = at its end. `existing`: the
   * topics that there were when the program subscribed, `counts` how many partitions each had: what is not among them begins at its
   * begin. The first call joins the group; without topics it leaves. Replies nothing.
   */
  subscribe(requestId: number, topics: string[], earliest: boolean[], existing: string[], counts: number[]): void;
  /**
   * Replaces the assignment, without joining. Offsets: the next to be read, -2 = begin, -1 = end, -1000 = committed. Replies
   * nothing; the Rebalance events ('revoke' of what was, 'assign') come before the reply and want no answer.
   */
  assign(requestId: number, topics: string[], partitions: number[], offsets: number[]): void;
  /**
   * Goes on with a rebalance. For 'assign', `offsets` (parallel to its partitions) says where to begin: -1001 = where the
   * group committed. Late answers are ignored.
   */
  rebalanced(rebalance: number, offsets: number[] | null): void;
  /** The batch has arrived: another may be told. Once a batch. */
  started(batchId: number): void;
  /** The run of the batch (its index) needs its bytes no longer. Once a run, also when it is out of date. Never throws. */
  free(batchId: number, run: number): void;
  /** Replies the partition's new epoch; -1 when it is not assigned. Offsets as for `assign`. */
  seek(requestId: number, topic: string, partition: number, offset: number): void;
  /** What was prefetched of them is thrown away. Replies nothing; what is not assigned is left out. Runs that were told before keep their epoch. */
  pause(requestId: number, topics: string[], partitions: number[]): void;
  /**
   * Goes on at these offsets (the next to be read; -1001 = behind the last message that was told). Replies their new epochs,
   * -1 for what is not assigned.
   */
  resume(requestId: number, topics: string[], partitions: number[], offsets: number[]): void;
  /**
   * Commits the next offsets to be read. Replies nothing when the coordinator has them, or the first error. What is no
   * longer assigned is committed all the same as far as the coordinator takes it: leave it out.
   */
  commit(requestId: number, topics: string[], partitions: number[], offsets: number[], metadata: (string | null)[]): void;
  /** Replies the committed offsets, -1 = none. */
  committed(requestId: number, topics: string[], partitions: number[], timeoutMs: number): void;
  /** Replies the offsets of the first messages that are not older than the times (milliseconds), the end's where there is none. */
  offsetsForTimes(requestId: number, topics: string[], partitions: number[], timestamps: number[], timeoutMs: number): void;
  /** Replies {@link NativeTopics}: the cluster's. */
  listTopics(requestId: number, timeoutMs: number): void;
  /** Replies the numbers of a topic's partitions. */
  partitionsOf(requestId: number, topic: string, timeoutMs: number): void;
  /** [low, high] as the last fetch told them, -1001 = not known. Does not ask anybody. */
  watermarks(topic: string, partition: number): [number, number];
  /** Replies the serialised metadata of the group for a transaction, a Buffer (rd_kafka_consumer_group_metadata_write). */
  groupMetadata(requestId: number): void;
  /**
   * Leaves the group and ends the client. A last Rebalance 'revoke' may come, which wants its answer. Replies nothing; it
   * takes the time at most, and half a second.
   */
  stop(requestId: number, timeoutMs: number): void;
}

export interface NativeMockCluster {
  bootstrap(): string;
  createTopic(topic: string, partitions: number, replication: number): void;
  brokerDown(id: number): void;
  brokerUp(id: number): void;
  /** Round-trip latency added to every request of broker `id` (-1 = all), in milliseconds. */
  setLatency(id: number, ms: number): void;
  setLeader(topic: string, partition: number, broker: number): void;
  setFollower(topic: string, partition: number, broker: number): void;
  /** The next requests with this API key fail with these codes, in order. */
  pushErrors(apiKey: number, codes: number[]): void;
  /** Fails every request of a topic with this code; 0 heals it. */
  setTopicError(topic: string, code: number): void;
  close(): void;
}

export interface NativeAdminOptions {
  properties: [string, string][];
  /** Tokens are asked for with `Event.Token`. */
  tokens?: boolean;
}

export interface NativeAdmin extends NativeTokens {
  /** Replies nothing when a broker has answered. */
  connect(requestId: number, timeoutMs: number): void;
  /** `fields` and the reply are JSON (AdminRequests); a request that fails as a whole replies an error. Any number at once. */
  request(requestId: number, name: keyof AdminRequests, fields: string, timeoutMs: number): void;
  close(): void;
}

export interface Binding {
  NativeProducer: new (options: NativeProducerOptions, onEvent: OnEvent) => NativeProducer;
  NativeConsumer: new (options: NativeConsumerOptions, onEvent: OnEvent) => NativeConsumer;
  NativeGroup: new (options: NativeGroupOptions, onEvent: OnEvent) => NativeGroup;
  NativeMockCluster: new (brokers: number) => NativeMockCluster;
  NativeAdmin: new (options: NativeAdminOptions, onEvent: OnEvent) => NativeAdmin;
  /** Every error that librdkafka knows: [number, 'RD_KAFKA_RESP_ERR_...'] */
  errorCodes(): [number, string][];
  librdkafkaVersion(): string;
  /**
   * For `process.on('exit')`: ends every client of this environment, which delivers messages and writes pending offsets. Blocks up
   * to `ms`; returns how many clients have not ended by then.
   */
  shutdown(ms: number): number;
}
