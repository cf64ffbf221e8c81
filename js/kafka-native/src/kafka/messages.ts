import { isUint8Array } from 'node:util/types';
import { describe } from '../options';
import { KafkaJSNonRetriableError } from './errors';

/** A message to be sent. */
export interface Message {
  /** Chooses the partition. Absent and null: no key. */
  key?: Buffer | Uint8Array | string | null;
  /** null is a tombstone: it deletes the key from a compacted topic. */
  value: Buffer | Uint8Array | string | null;
  /** In place of the partitioner's choice. */
  partition?: number;
  headers?: IHeaders;
  /** Milliseconds since 1970 as text; absent (and 0): when it is sent. */
  timestamp?: string;
}

/** An array repeats the header, in order; undefined leaves it out. */
export interface IHeaders {
  [key: string]: Buffer | Uint8Array | string | null | (Buffer | Uint8Array | string | null)[] | undefined;
}

export enum CompressionTypes {
  None = 0,
  GZIP = 1,
  Snappy = 2,
  LZ4 = 3,
  ZSTD = 4,
}

/** How messages are sent; a topic that is sent to in several ways takes one connection more for each. */
export interface SendOptions {
  /** Who must have the messages: -1 (default) all replicas in sync, 1 the leader, 0 nobody, and then nothing is known of them. */
  acks?: number;
  /** How long the broker may wait for the replicas, milliseconds; default 30 000. librdkafka: `request.timeout.ms`. */
  timeout?: number;
  /** Default: the property `compression.type`, else none. */
  compression?: CompressionTypes;
  /** Rejects the call with its reason. What waits for room is not sent then; what is on its way may still be written. */
  signal?: AbortSignal;
}

export interface ProducerRecord extends SendOptions {
  topic: string;
  messages: Message[];
}

export interface TopicMessages {
  topic: string;
  messages: Message[];
}

export interface ProducerBatch extends SendOptions {
  topicMessages?: TopicMessages[];
}

/** Where the messages of one call were written in one partition. */
export type RecordMetadata = {
  topicName: string;
  partition: number;
  /** 0: failures reject. */
  errorCode: number;
  /** Not known to KafkaJS either; declared for its types. */
  offset?: string;
  /** As `offset`. */
  timestamp?: string;
  /** The offset of the first of them. */
  baseOffset?: string;
  /** Milliseconds since 1970; '-1' where messages keep the time that the producer gave. */
  logAppendTime?: string;
  /** '-1': librdkafka does not tell. */
  logStartOffset?: string;
};

/** Refuses what cannot be sent before any of it is. @internal */
export function checkMessages(topic: string, messages: Message[]): void {
  if (!Array.isArray(messages)) throw new KafkaJSNonRetriableError(`Invalid messages array [${String(messages)}] for topic "${topic}"`);
  for (const message of messages) {
    if (typeof message?.value === 'string' && message.key == null && message.headers == null && message.partition == null && message.timestamp == null) continue;
    checkMessage(topic, message);
  }
}

function checkMessage(topic: string, message: Message): void {
  const refuse = (field: string, expected: string, value: unknown): never => {
    throw new KafkaJSNonRetriableError(`Invalid message for topic "${topic}": ${field} must be ${expected}, got ${describe(value)}`);
  };
  if (typeof message !== 'object' || message === null) return refuse('it', 'an object with a value', message);
  const { key, value, partition, headers, timestamp } = message;
  if (value === undefined) throw new KafkaJSNonRetriableError(`Invalid message without value for topic "${topic}": ${JSON.stringify(message)}`);
  if (!isField(value)) refuse('the value', 'a string, a Buffer or null', value);
  if (key !== undefined && !isField(key)) refuse('the key', 'a string, a Buffer or null', key);
  if (partition != null && (!Number.isInteger(partition) || partition < 0 || partition > 2 ** 31 - 1)) {
    refuse('the partition', 'an integer of 0 or more', partition);
  }
  if (timestamp != null && timestamp !== '' && !(Number.isSafeInteger(Number(timestamp)) && Number(timestamp) >= 0)) {
    refuse('the timestamp', 'milliseconds since 1970, as text', timestamp);
  }
  if (headers == null) return;
  if (typeof headers !== 'object') refuse('headers', 'an object', headers);
  for (const [name, values] of Object.entries(headers)) {
    for (const value of Array.isArray(values) ? values : [values]) {
      if (value !== undefined && !isField(value)) refuse(`the header '${name}'`, 'a string, a Buffer, or an array of them', value);
    }
  }
}

function isField(value: unknown): boolean {
  return typeof value === 'string' || value === null || isUint8Array(value);
}
