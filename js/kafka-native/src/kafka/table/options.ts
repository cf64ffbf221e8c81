import { isUtf8 } from 'node:buffer';
import { utf8 } from '../../text';
import { describe, isTopicName, OptionReader, TOPIC_NAMES } from '../../options';
import type { ConsumerConfig } from '../consumer/config';
import type { KafkaMessage } from '../consumer/lazy-batch';
import { KafkaJSNonRetriableError } from '../errors';
import type { KafkaLogger } from '../logger';
import type { KafkaProducer } from '../producer/producer';

/** Types of a key: values that are equal where they look equal. */
export type TableKey = string | number | bigint | boolean;

/**
 * Makes a key or a value of its bytes, at once: it must return no promise, and not undefined. Its errors are reported, and the entry is left
 * as it was.
 *
 * @param bytes a view on the batch's memory: who keeps it keeps the batch; `Buffer.from(bytes)` is a copy
 * @param message the whole message, for its headers
 */
export type TableDecoder<T> = (bytes: Buffer, message: KafkaMessage) => T;

/** Both ways. */
export interface TableCodec<T> {
  decode: TableDecoder<T>;
  /** For `set` and `delete`: what is written. */
  encode: (value: T) => string | Uint8Array;
}

/** How `kafka.table` makes a table. */
export interface TableOptions<K extends TableKey = string, V = any> {
  /** The topic; it must be there, and should have `cleanup.policy=compact`. */
  topic: string;
  /** Default: text, in UTF-8. With a decoder alone `set` and `delete` take keys that are strings or bytes, and write them as they are. */
  key?: TableDecoder<K> | TableCodec<K>;
  /** Default: JSON. With a decoder alone `set` takes values that are strings or bytes, and writes them as they are. */
  value?: TableDecoder<V> | TableCodec<V>;
  /** Entries that it may have at any time, also while it is loaded; one more ends it. Default: any number. */
  maxEntries?: number;
  /** Bytes that the keys and values of its entries may have in the log, at any time; more end it. In memory they are more. Default: any number. */
  maxBytes?: number;
  /** Ends the loading: the promise rejects with its reason. When the table is loaded it has no effect. */
  signal?: AbortSignal;
  /** The producer of `set` and `delete`; connected and disconnected by its owner. Default: an idempotent one, made by the first of them, ended by `close`. */
  producer?: Pick<KafkaProducer, 'send'>;
  /** Options of the consumer that reads, such as `readUncommitted`, `rackId`, `maxBufferedBytes` or `properties`. */
  consumer?: Omit<
    ConsumerConfig,
    | 'groupId'
    | 'groupInstanceId'
    | 'groupProtocol'
    | 'offsetDirectory'
    | 'allowAutoTopicCreation'
    | 'onPartitionsAssigned'
    | 'onPartitionsRevoked'
    | 'onPartitionsLost'
  >;
}

/** @internal */
export interface Side<T> {
  /** Absent: the default one. */
  decode: TableDecoder<T> | undefined;
  encode: (value: T) => string | Uint8Array;
}

/** @internal */
export interface ReadTableOptions<K, V> {
  topic: string;
  key: Side<K>;
  value: Side<V>;
  maxEntries: number;
  maxBytes: number;
  signal: AbortSignal | undefined;
  producer: Pick<KafkaProducer, 'send'> | undefined;
  consumer: object;
}

/** @internal */
export function readTableOptions<K, V>(options: unknown, log: KafkaLogger): ReadTableOptions<K, V> {
  const read = new OptionReader('Kafka.table', options, true);
  const topic = read.requiredString('topic');
  if (!isTopicName(topic)) throw new KafkaJSNonRetriableError(`Kafka.table: invalid topic ${describe(topic)}: ${TOPIC_NAMES}`);
  const most = (name: string): number => (read.any(name) === undefined ? Infinity : read.integer(name, 0, 1, Number.MAX_SAFE_INTEGER));
  const signal = read.any('signal') as AbortSignal | undefined;
  if (signal !== undefined && typeof signal?.addEventListener !== 'function') throw wrong('signal', 'an AbortSignal', signal);
  const producer = read.any('producer') as Pick<KafkaProducer, 'send'> | undefined;
  if (producer !== undefined && typeof producer?.send !== 'function') throw wrong('producer', 'a producer of kafka.producer()', producer);
  const consumer = read.any('consumer') ?? {};
  if (typeof consumer !== 'object') throw wrong('consumer', "an object of a consumer's options", consumer);
  for (const name of [
    'groupId',
    'groupInstanceId',
    'groupProtocol',
    'offsetDirectory',
    'allowAutoTopicCreation',
    'onPartitionsAssigned',
    'onPartitionsRevoked',
    'onPartitionsLost',
  ]) {
    if (Object.hasOwn(consumer, name)) throw new KafkaJSNonRetriableError(`Kafka.table: the consumer's option ${name} is the table's: leave it out`);
  }
  const made = {
    topic,
    key: sideOf<K>('key', read.any('key'), asText),
    value: sideOf<V>('value', read.any('value'), asJson),
    maxEntries: most('maxEntries'),
    maxBytes: most('maxBytes'),
    signal,
    producer,
    consumer,
  };
  const unknown = read.unknown();
  if (unknown.length > 0) log.warn(`Unknown options are ignored: ${unknown.join(', ')}`);
  return made;
}

function wrong(name: string, expected: string, got: unknown): Error {
  return new TypeError(`Kafka.table: the option ${name} must be ${expected}, got ${describe(got)}`);
}

function sideOf<T>(name: 'key' | 'value', given: unknown, byDefault: (what: string, value: unknown) => string | Uint8Array): Side<T> {
  const side = (decode: unknown, encode: (value: T) => unknown): Side<T> => ({
    decode: decode as TableDecoder<T> | undefined,
    encode: (value) => {
      const bytes = encode(value);
      if (typeof bytes === 'string') return bytes;
      if (bytes instanceof Uint8Array) return Buffer.from(bytes); // as it is now
      throw new TypeError(`Kafka.table: encode of ${name} must return a string or bytes, got ${describe(bytes)}`);
    },
  });
  if (given === undefined) return side(undefined, (value) => byDefault(name, value));
  if (typeof given === 'function') return side(given, (value) => asItIs(name, value));
  const { decode, encode } = given as Partial<TableCodec<T>>;
  if (typeof decode !== 'function' || typeof encode !== 'function') throw wrong(name, 'a function that decodes, or { decode, encode }', given);
  return side(decode, encode);
}

function asText(what: string, value: unknown): string {
  if (typeof value === 'string') return value;
  throw new TypeError(`Table: the ${what} must be a string, got ${describe(value)}; for others give the option ${what}: { decode, encode }`);
}

function asJson(_what: string, value: unknown): string {
  const text = JSON.stringify(value) as string | undefined;
  if (text !== undefined) return text;
  throw new TypeError(`Table.set: ${describe(value)} is no JSON; delete(key) takes an entry away`);
}

function asItIs(what: string, value: unknown): string | Uint8Array {
  if (typeof value === 'string' || value instanceof Uint8Array) return value;
  throw new TypeError(
    `Table: the ${what} must be a string or bytes, got ${describe(value)}: the option ${what} has no encode; give ${what}: { decode, encode }`,
  );
}

/** Text of UTF-8, and of nothing else: two keys must not become the same one. @internal */
export function textOf(data: Buffer, begin: number, end: number): string {
  const text = utf8.call(data, begin, end);
  if (text.includes('\ufffd') && !isUtf8(data.subarray(begin, end))) throw new TypeError('it is no UTF-8');
  return text;
}

/** @throws for what cannot be a key @internal */
export function checkKey(key: unknown): void {
  const type = typeof key;
  if (type === 'string' || type === 'number' || type === 'bigint' || type === 'boolean') return;
  throw new TypeError(`a key must be a string, a number, a bigint or a boolean, got ${describe(key)}: two others that look equal are not equal`);
}

/** @throws for what cannot be a value @internal */
export function checkValue(value: unknown): void {
  if (value === undefined) throw new TypeError('the decoder returned undefined, which is what an entry has that is not there');
  if (typeof (value as PromiseLike<unknown> | null)?.then === 'function') throw new TypeError('the decoder returned a promise: it has to decode at once');
}
