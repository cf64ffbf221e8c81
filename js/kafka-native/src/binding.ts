/**
 * What the addon exports (crates/napi), and the layout of what crosses. Internal: nothing of it is re-exported.
 *
 * A received batch is ONE buffer, native byte order, in this order:
 *
 *   i32 header[8]        0 message count n, 1 run count r, 2 flags (FLAG_*), 3 byte position of the data,
 *                        4 batch bytes charged against the budget (saturating), 5-7 zero
 *   f64 misses, repeats  since the batch before
 *   f64 offset[n]
 *   f64 timestamp[n]     milliseconds, -1 = none
 *   i32 position[n]      of the key in the data; the value follows the key
 *   i32 keyLength[n]     -1 = null
 *   i32 valueLength[n]   -1 = null
 *   i32 headers[n]       only with FLAG_HEADERS: position in the data of the message's header block, -1 = none
 *   i32 run[r * 6]       topic id, partition, assignment epoch, leader epoch (-1 = none), timestamp type
 *                        (0 = none, 1 = created, 2 = appended), index of the run's first message
 *   u8  data[]
 *
 * A header block, in both directions (not aligned, read it with readInt32LE): i32 count, then for each header
 * i32 nameLength, i32 valueLength (-1 = null), name, value.
 */
export const HEADER_INTS = 8;
export const RUN_INTS = 6;
export const FLAG_HEADERS = 1;
/** Every key and value of the batch is ASCII, so latin1 decodes them. */
export const FLAG_ASCII = 2;

/**
 * An error as data; `KafkaError` is made of it in JavaScript. Kind 'timeout' becomes the code 'ETIMEDOUT', whatever the
 * name. What a call throws at once (constructors, the mock cluster, `send` after `stop`) is an Error whose `code` is
 * librdkafka's name: '_INVALID_ARG'.
 */
export interface NativeErrorData {
  kind: string; // 'config' | 'state' | 'kafka' | 'offsets' | 'timeout'
  code: number; // librdkafka's number
  name: string; // librdkafka's name: '_TIMED_OUT'
  message: string;
  retriable: boolean;
  fatal: boolean;
  topic?: string;
  partition?: number;
  broker?: string;
  /** The error behind this one; at most one. */
  causes?: NativeErrorData[];
}

/**
 * Everything that a client tells comes through the one function that its constructor was given, on the JavaScript
 * thread, in the order in which it happened: `onEvent(kind, a, b, c, d)`. It must not throw.
 */
export enum Event {
  /** (batchId: number, packed: Uint8Array). Answer with `started`, then `settle` or `drop`. Consumer only. */
  Batch = 0,
  /** (requestId: number, error: NativeErrorData | undefined, value): ends the asynchronous call that was given this id. */
  Reply = 1,
  /** Consumer: (json: string, waitingKafka, waitingLocal, logSize: number). Producer: (json: string, queueLength: number, byTopic: Record<string, number>). */
  Stats = 2,
  /** (error: NativeErrorData): what has no caller; once per change of state, decided in Rust. */
  Error = 3,
  /** (log: NativeLog) */
  Log = 4,
  /** (failures: NativeDeliveryFailure[]): since the last one, coalesced by (errcode, topic, partition). Producer only. */
  Deliveries = 5,
  /** (): nothing is in flight any more. Producer only. */
  Drained = 6,
  /** (requestId: number, partitions: number[]): answer with `offsetsRead`. Only with `offsetManager`. */
  ReadOffsets = 7,
  /** (requestId: number, partitions: number[], offsets: number[]): answer with `offsetsCommitted`. Only with `offsetManager`. */
  CommitOffsets = 8,
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

export interface NativeProducerOptions {
  broker: string;
  maxMessages: number; // budget: messages in flight
  statisticsIntervalMs: number; // 0 = none
  /** Properties, in order; the values are strings already. */
  properties: [string, string][];
  topicProperties: [string, string][];
}

export interface SendRefusal {
  index: number;
  code: number;
  name: string;
  message: string;
}

export interface NativeProducer {
  /**
   * Hands `count` messages to the client's thread; copies before it returns. `index` has three ints a message: key length,
   * value length (-1 = null), length of the header block (0 = none); key, value, header block follow each other in `arena`.
   * `timestamps`: milliseconds a message, 0 = now; null when no message has one.
   */
  send(topic: string, partition: number, arena: Uint8Array, index: Int32Array, count: number,
       timestamps: Float64Array | null): { enqueued: number; queueLength: number; errors?: SendRefusal[] };
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

export interface NativeAdmin {
  /** Replies nothing, or the first error. */
  createTopic(requestId: number, topic: string, partitions: number, replication: number, config: [string, string][], timeoutMs: number): void;
  deleteTopic(requestId: number, topic: string, timeoutMs: number): void;
  createPartitions(requestId: number, topic: string, total: number, timeoutMs: number): void;
  /** Deletes what is below `offset` (-1 = all); replies the new low watermark. */
  deleteRecords(requestId: number, topic: string, partition: number, offset: number, timeoutMs: number): void;
  /** Replies [low, high]. */
  watermarks(requestId: number, topic: string, partition: number, timeoutMs: number): void;
  close(): void;
}

export interface Binding {
  NativeProducer: new (options: NativeProducerOptions, onEvent: OnEvent) => NativeProducer;
  NativeConsumer: new (options: NativeConsumerOptions, onEvent: OnEvent) => NativeConsumer;
  NativeMockCluster: new (brokers: number) => NativeMockCluster;
  NativeAdmin: new (broker: string, properties: [string, string][], onEvent: OnEvent) => NativeAdmin;
  /** Every error that librdkafka knows: [number, 'RD_KAFKA_RESP_ERR_...'] */
  errorCodes(): [number, string][];
  librdkafkaVersion(): string;
  /** For `process.on('exit')`: marks every client of this environment closed and writes pending offsets. Blocks up to `ms`. */
  shutdown(ms: number): void;
}
