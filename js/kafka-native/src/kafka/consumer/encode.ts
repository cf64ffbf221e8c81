import { isSharedArrayBuffer, isUint8Array } from 'node:util/types';
import type { NativeField, NativeFormat } from '../../binding';
import { binding } from '../../loader';
import { describe } from '../../options';
import { KafkaJSNonRetriableError } from '../errors';
import { readRule, type MessageRule } from './rule';

/** `'json'`: one array. `'ndjson'`: one JSON object a line. `'msgpack'`: one array of maps. */
export type BatchCodec = 'json' | 'ndjson' | 'msgpack';

/**
 * How keys, values or headers are written. `'text'`: a string of what is UTF-8; `'base64'`: a string; `'json'`: the JSON that they are, not
 * in msgpack; `'binary'`: their bytes, in msgpack only.
 */
export type EncodingName = 'text' | 'base64' | 'json' | 'binary';

/** Fields that a message can have. */
export type FieldName = 'topic' | 'partition' | 'offset' | 'timestamp' | 'key' | 'value' | 'headers';

/** Parts of each message that {@link Batch.encode} writes. */
export interface FormatOptions {
  /** Default `'text'`, in msgpack `'binary'`; false leaves keys out. */
  key?: EncodingName | false | undefined;
  /** Default `'text'`, in msgpack `'binary'`; false leaves values out. */
  value?: EncodingName | false | undefined;
  /** Of the headers' values. Default `'text'`, in msgpack `'binary'`; false leaves headers out. */
  headers?: EncodingName | false | undefined;
  /** Whether `timestamp` is there. Default true. */
  timestamp?: boolean | undefined;
  /** Whether `topic` and `partition` are there. Default false: they are the batch's. */
  topicPartition?: boolean | undefined;
  /**
   * Only these fields, in this order and under these names, in place of `timestamp` and `topicPartition`: `{ value: 'message', offset: 'at' }`
   * writes `{"message":"...","at":"7"}`.
   */
  names?: { readonly [field in FieldName]?: string } | undefined;
  /** Whether offset and timestamp are numbers in JSON: exact, as offsets stay below 2^53. Default false: text. In msgpack they always are. */
  numbers?: boolean | undefined;
  /** Whether a key that is null, and headers where there are none, are left out. Default false: null and `{}`. */
  sparse?: boolean | undefined;
  /**
   * Treatment of bytes that are no UTF-8 (`'text'`) or no JSON (`'json'`). `'base64'` puts them into `keyBase64`, `valueBase64` or
   * `headersBase64` instead; in msgpack they are a bin under their own name. `'null'` makes them null. `'replace'` puts U+FFFD in place of
   * what is no UTF-8, as `buffer.toString()` does, and null in place of what is no JSON. Default `'base64'`.
   */
  invalid?: 'base64' | 'null' | 'replace' | undefined;
  /** Only the messages that the rule wants; a copy is taken. Default: all. */
  only?: MessageRule | null | undefined;
}

/** Which messages {@link Batch.encode} writes, and what around them. */
export interface EncodeRange {
  /** The first message: its place in the batch. Default 0. */
  begin?: number | undefined;
  /** The place behind the last one. Default: the batch's end. */
  end?: number | undefined;
  /** Stands before the document, so that a frame is made in one piece. A string is written as UTF-8. */
  before?: string | Uint8Array | undefined;
  /** Stands behind it. */
  after?: string | Uint8Array | undefined;
}

/** Of {@link Batch.encode}. */
export interface EncodeOptions extends FormatOptions, EncodeRange {}

/** UTF-8 or msgpack. */
export type EncodedBatch = Buffer & {
  /** How many messages are in it: those that the rule wants. */
  readonly count: number;
  /** How many keys, values and header values were not as their encoding wants them. */
  readonly errors: number;
};

/** Messages of one partition in packed batches: of each those from `begin` to `end`. @internal */
export interface PackedPart {
  readonly packed: { readonly bytes: Uint8Array };
  readonly begin: number;
  readonly end: number;
}

const FIELDS: readonly FieldName[] = ['topic', 'partition', 'offset', 'timestamp', 'key', 'value', 'headers'];
const ENCODINGS: Record<BatchCodec, readonly EncodingName[]> = {
  json: ['text', 'base64', 'json'],
  ndjson: ['text', 'base64', 'json'],
  msgpack: ['text', 'base64', 'binary'],
};

/**
 * How batches are written, for who writes many: the options are read and the rule is built once.
 *
 * ```js
 * const format = new BatchFormat('json', { value: 'json', only: { key: 'red' } });
 * for await (const batch of consumer.batches()) socket.send(batch.encode(format));
 * ```
 */
export class BatchFormat {
  /** @internal */
  readonly native: NativeFormat;

  constructor(codec: BatchCodec, options: FormatOptions = {}) {
    this.native = readFormat('BatchFormat', codec, options);
  }
}

/** @internal */
export function encodeParts(
  format: NativeFormat,
  parts: readonly PackedPart[],
  topic: string,
  partition: number,
  before?: Uint8Array,
  after?: Uint8Array,
): EncodedBatch {
  const { bytes, count, errors } = format.encode(
    parts.map(({ packed }) => packed.bytes),
    parts.map(({ begin }) => begin),
    parts.map(({ end }) => end),
    topic,
    partition,
    before,
    after,
  );
  return Object.assign(bytes, { count, errors });
}

/** @internal */
export function readRange(options: EncodeRange, size: number): { begin: number; end: number; before: Uint8Array | undefined; after: Uint8Array | undefined } {
  if (typeof options !== 'object' || options === null) throw wrong('the options', 'an object', options);
  const { begin = 0, end = size, before, after } = options;
  if (!Number.isInteger(begin) || begin < 0 || begin > size) throw wrong('begin', `a place in the batch of ${size} messages`, begin);
  if (!Number.isInteger(end) || end < begin || end > size) throw wrong('end', `a place from ${begin} to ${size}`, end);
  return { begin, end, before: readBytes('before', before), after: readBytes('after', after) };
}

/** The format for the addon; `call` is who is wrong. @internal */
export function readFormat(call: string, codec: BatchCodec, options: FormatOptions): NativeFormat {
  const refused = (what: string, wanted: string, got: unknown): Error =>
    new KafkaJSNonRetriableError(`${call}: ${what} must be ${wanted}, got ${describe(got)}`);
  if (typeof codec !== 'string' || !Object.hasOwn(ENCODINGS, codec)) throw refused('the format', "'json', 'ndjson' or 'msgpack'", codec);
  if (typeof options !== 'object' || options === null) throw refused('the options', 'an object', options);

  const encodings = ENCODINGS[codec];
  const encoding = (name: 'key' | 'value' | 'headers'): EncodingName | false => {
    const value = options[name] ?? (codec === 'msgpack' ? 'binary' : 'text');
    if (value === false || encodings.includes(value)) return value;
    throw refused(name, `${encodings.map((each) => `'${each}'`).join(', ')} or false in '${codec}'`, value);
  };
  const flag = (name: 'timestamp' | 'topicPartition' | 'numbers' | 'sparse', otherwise: boolean): boolean => {
    const value = options[name] ?? otherwise;
    if (typeof value !== 'boolean') throw refused(name, 'true or false', value);
    return value;
  };
  const { invalid = 'base64', names } = options;
  const only = readRule(call, options.only);
  if (!['base64', 'null', 'replace'].includes(invalid)) throw refused('invalid', "'base64', 'null' or 'replace'", invalid);

  const encoded: Partial<Record<FieldName, EncodingName | false>> = { key: encoding('key'), value: encoding('value'), headers: encoding('headers') };
  const there = { topic: flag('topicPartition', false), partition: flag('topicPartition', false), timestamp: flag('timestamp', true) } as Partial<
    Record<FieldName, boolean>
  >;
  let fields = FIELDS.filter((field) => there[field] !== false).map((field) => [field, field as string] as const);
  if (names !== undefined) {
    if (typeof names !== 'object' || names === null) throw refused('names', 'an object', names);
    for (const each of ['timestamp', 'topicPartition'] as const) {
      if (options[each] !== undefined) throw new KafkaJSNonRetriableError(`${call}: names says which fields there are: leave out ${each}`);
    }
    fields = Object.entries(names).map(([field, name]) => {
      if (!FIELDS.includes(field as FieldName)) throw refused('names', `of ${FIELDS.join(', ')}`, field);
      if (typeof name !== 'string') throw refused(`names.${field}`, 'a string', name);
      return [field as FieldName, name];
    });
    if (new Set(fields.map(([, name]) => name)).size < fields.length) throw refused('names', 'different from one another', Object.values(names).join());
  }
  return new binding.NativeFormat({
    codec,
    fields: fields.flatMap(([field, name]): NativeField[] => {
      const how = encoded[field];
      return how === false ? [] : [{ field, name, ...(how && { encoding: how }) }];
    }),
    numbers: flag('numbers', false),
    sparse: flag('sparse', false),
    invalid,
    ...(only && { only }),
  });
}

function readBytes(what: string, given: unknown): Uint8Array | undefined {
  if (given === undefined) return undefined;
  if (typeof given === 'string') return Buffer.from(given);
  // Memory that is shared with other threads may change while it is read.
  if (isUint8Array(given)) return isSharedArrayBuffer(given.buffer) ? new Uint8Array(given) : given;
  throw wrong(what, 'a string or a Uint8Array', given);
}

function wrong(what: string, wanted: string, got: unknown): Error {
  return new KafkaJSNonRetriableError(`Batch.encode: ${what} must be ${wanted}, got ${describe(got)}`);
}
