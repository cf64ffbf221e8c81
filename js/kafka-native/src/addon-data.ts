// Generated from crates/napi by napi-derive. Do not edit.

/**
 * An error as data; `KafkaError` is made of it in JavaScript. Kind 'timeout' becomes the code 'ETIMEDOUT', whatever the
 * name. An exception that a call throws at once (constructors, the mock cluster, `send` after `stop`) is an Error whose `code` is
 * librdkafka's name: '_INVALID_ARG'.
 */
export interface NativeErrorData {
  /** 'config' | 'state' | 'kafka' | 'offsets' | 'timeout' */
  kind: string;
  /** librdkafka's number */
  code: number;
  /** librdkafka's name: '_TIMED_OUT' */
  name: string;
  message: string;
  retriable: boolean;
  fatal: boolean;
  /** The transaction can only be aborted. */
  txnRequiresAbort: boolean;
  topic?: string;
  partition?: number;
  broker?: string;
  /** The error behind this one; at most one. */
  causes: Array<NativeErrorData>;
}

/** A batch as a document. */
export interface NativeEncoded {
  bytes: Buffer;
  /** How many messages are in it. */
  count: number;
  /** How much was not as its encoding wants it. */
  errors: number;
}

/** A document's format: what it has of each message. */
export interface NativeFormatOptions {
  /** 'json', 'ndjson' or 'msgpack'. */
  codec: string;
  /** In order. */
  fields: Array<NativeField>;
  /** Whether offset and timestamp are numbers in JSON. */
  numbers: boolean;
  /** Whether a key that is null, and headers where there are none, are left out. */
  sparse: boolean;
  /** The treatment of what cannot be encoded: 'base64', 'null' or 'replace'. */
  invalid: string;
  /** Which messages are in it. */
  only?: NativeRule;
}

/** A field that a message has in the document. */
export interface NativeField {
  field: 'topic' | 'partition' | 'offset' | 'timestamp' | 'key' | 'value' | 'headers';
  name: string;
  /** Of 'key', 'value' and 'headers': 'text', 'base64', 'json' or 'binary'. */
  encoding?: string;
}

/** Offsets of partitions; the arrays are parallel. */
export interface NativePlaces {
  topics: Array<string>;
  partitions: Array<number>;
  offsets: Array<number>;
}

/** Partitions that a rebalance gives or takes; the arrays are parallel, one element a partition. */
export interface NativeRebalance {
  /** For `rebalanced`. */
  id: number;
  /** 'assign': these come; 'revoke': these go when `rebalanced` was called; 'lost': these are gone already, nothing can be committed. */
  kind: 'assign' | 'revoke' | 'lost';
  topics: Array<string>;
  /** The meaning of a run's topic id; a topic keeps its id as long as the client lives. */
  topicIds: Array<number>;
  partitions: Array<number>;
  /** The assignment epochs that runs of these partitions carry from now on ('assign'); runs of any other epoch are out of date. */
  epochs: Array<number>;
  /** '' without a group. */
  memberId: string;
  /** -1 without a group; with the protocol `consumer` the member's epoch. */
  generation: number;
  /** 'EAGER', 'COOPERATIVE' or 'NONE' (not a member yet, or no group). */
  protocol: string;
}

/** Topics, and how many partitions each has; the arrays are parallel. */
export interface NativeTopics {
  topics: Array<string>;
  counts: Array<number>;
}

/** Which messages are wanted. */
export interface NativeRule {
  kind: 'header' | 'absent' | 'key' | 'all' | 'any' | 'not';
  /** Of 'header' and 'absent'. */
  name?: string;
  /** The values that a 'header' or a 'key' may have. */
  values?: Array<Uint8Array | undefined | null>;
  /** Of 'all', 'any', and 'not', which has one. */
  rules?: Array<NativeRule>;
}

/** librdkafka's properties as JavaScript gives them: pairs of strings. */
export type Properties = Array<[string, string]>;

export interface NativeAdminOptions {
  properties: Properties;
  /** Tokens are asked for with `Event.Token`. */
  tokens?: boolean;
}

export interface NativeConsumerOptions {
  broker: string;
  topic: string;
  offsetDirectory?: string;
  /** Offsets are read and committed through the events instead of files. */
  offsetManager: boolean;
  maxMessagesPerBatch: number;
  /** 0 = none. */
  statisticsIntervalMs: number;
  queuedMaxKbytes: number;
  workers: number;
  slot: number;
  properties: Properties;
  topicProperties: Properties;
}

export interface NativeDeliveryFailure {
  errcode: number;
  count: number;
  errstr: string;
  topic: string;
  partition: number;
}

export interface NativeGroupOptions {
  /** librdkafka's, in order. Without `group.id` there are `assign` and `read` only. */
  properties: Properties;
  maxMessagesPerBatch: number;
  /** Ceiling in bytes for what is prefetched, and handed over and not freed; each message with 304 bytes of overhead. */
  budgetBytes: number;
  /** 0 = none. */
  statisticsIntervalMs: number;
  /** Without `group.id`: offsets are committed to files in it, as those of the classic consumer. */
  offsetDirectory?: string;
  /** Tokens are asked for with `Event.Token`. */
  tokens?: boolean;
}

export interface NativeLog {
  /** syslog: 3 error, 4 warning, 6 info, 7 debug */
  level: number;
  facility: string;
  message: string;
}

export interface NativeProducerOptions {
  broker: string;
  /** The budget: messages in flight. */
  maxMessages: number;
  /** 0 = none. */
  statisticsIntervalMs: number;
  /** Properties, in order; the values are strings already. */
  properties: Properties;
  topicProperties: Properties;
  /** Tokens are asked for with `Event.Token`. */
  tokens?: boolean;
}

export interface SendRefusal {
  index: number;
  code: number;
  name: string;
  message: string;
}

export interface SendResult {
  enqueued: number;
  queueLength: number;
  errors?: Array<SendRefusal>;
}
