import { isUint8Array } from 'node:util/types';
import { copyOfBytes } from '../../arena';
import { describe } from '../../options';
import { KafkaJSNonRetriableError } from '../errors';

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
  /** Brokers that must have the messages: -1 (default) all replicas in sync, 1 the leader, 0 nobody, and then nothing is known of them. */
  acks?: number;
  /** How long the broker may wait for the replicas, milliseconds; default 30 000. librdkafka: `request.timeout.ms`. */
  timeout?: number;
  /** Default: the property `compression.type`, else none. */
  compression?: CompressionTypes;
  /** Rejects the call with its reason. Messages that wait for room are not sent then; messages on their way may still be written. */
  signal?: AbortSignal;
}

/** Defaults of {@link SendOptions}, as librdkafka has them by itself. @internal */
export const SEND = { acks: -1, timeout: 30_000, compression: CompressionTypes.None } as const;

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

/** @internal */
export function checkTopic(topic: unknown): asserts topic is string {
  if (typeof topic !== 'string' || topic === '') throw new KafkaJSNonRetriableError('Invalid topic');
}

/** The messages that the array has now. @internal */
export function listOf(topic: string, messages: unknown): Message[] {
  if (Array.isArray(messages)) return copyOf(messages);
  const shown = typeof messages === 'object' || typeof messages === 'function' ? describe(messages) : String(messages);
  throw new KafkaJSNonRetriableError(`Invalid messages array [${shown}] for topic "${topic}"`);
}

/** Each element is read once, whatever a getter does to the array. @internal */
export function copyOf<T>(array: readonly T[]): T[] {
  const { length } = array;
  if (length === 1) return [array[0]!];
  const copy = new Array<T>(length);
  for (let i = 0; i < length; i++) copy[i] = array[i]!;
  return copy;
}

/** With every field that is sent, read once: getters, and fields of a prototype, too. @internal */
export function ownMessage(message: Message): Message {
  if (typeof message !== 'object' || message === null) return message; // which is refused
  const own: Message = { ...message };
  for (const field of ['key', 'value', 'partition', 'headers', 'timestamp'] as const) {
    if (!Object.hasOwn(own, field) && field in message) Object.assign(own, { [field]: message[field] });
  }
  if (typeof own.headers === 'object' && own.headers !== null) own.headers = { ...own.headers };
  return own;
}

/** So that others can add some. @internal */
export function withHeaders(message: Message): Message {
  if (typeof message === 'object' && message !== null) message.headers ??= {};
  return message;
}

/** Copies bytes, which the caller may change. @internal */
export function keepBytes(message: Message): void {
  const keep = <T>(value: T): T => (isUint8Array(value) ? (copyOfBytes(value) as T) : value);
  if (message.key != null) message.key = keep(message.key);
  message.value = keep(message.value);
  if (message.headers == null) return;
  message.headers = Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name, Array.isArray(value) ? value.map(keep) : keep(value)]));
}
