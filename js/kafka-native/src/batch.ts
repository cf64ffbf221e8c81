import { FLAG_ASCII, FLAG_HEADERS, HEADER_INTS, RUN_INTS } from './binding';

export type Encoding = 'utf8' | 'buffer';
export type Decoded<E extends Encoding> = E extends 'buffer' ? Buffer : string;

/** A received message. */
export interface Message<P extends Encoding = 'utf8', K extends Encoding = 'utf8'> {
  topic: string;
  partition: number;
  offset: number;
  /** null is a tombstone. A Buffer (`payload_encoding: 'buffer'`) is a view on the batch: see {@link ConsumerOptions}. */
  payload: Decoded<P> | null;
  /** Absent when the message has none. */
  key?: Decoded<K>;
  /** Milliseconds since 1970, -1 when there is none. */
  timestamp: number;
  /** Absent when the message has none. Values are views on the batch; a header that is repeated is an array, in order. */
  headers?: Record<string, Buffer | null | (Buffer | null)[]>;
}

/** The messages of one packed batch, and what was missed or repeated since the one before. */
export interface Batch<P extends Encoding, K extends Encoding> {
  messages: Message<P, K>[];
  misses: number;
  repeats: number;
}

type Slice = (this: Buffer, start: number, end: number) => string;
// What `toString` calls after it has looked at its arguments: 10 ns less each, in Node, Bun and Deno.
const { utf8Slice, latin1Slice } = Buffer.prototype as unknown as { utf8Slice?: Slice; latin1Slice?: Slice };
const utf8: Slice = utf8Slice ?? function (start, end) { return this.toString('utf8', start, end); };
const latin1: Slice = latin1Slice ?? utf8;

/**
 * Makes the message objects of a packed batch (its layout: binding.ts) of one topic.
 *
 * Measured on Node 20, 9000 messages of 100 ASCII characters: 84 ns a message, 163 ns with a key of 12; with Buffers 54
 * and 113 ns. Cutting the strings out of one string of the whole batch would take a third, but then a user who keeps one
 * short value keeps the megabyte it came in.
 */
export function readBatch<P extends Encoding, K extends Encoding>(packed: Uint8Array, topic: string, payloads: P, keys: K): Batch<P, K> {
  if (packed.byteOffset % 8 !== 0) packed = new Uint8Array(packed); // columns must be aligned
  const { buffer, byteOffset } = packed;
  const header = new Int32Array(buffer, byteOffset, HEADER_INTS);
  const count = header[0]!;
  const runCount = header[1]!;
  const flags = header[2]!;
  const data = Buffer.from(buffer, byteOffset + header[3]!, packed.byteLength - header[3]!);

  const doubles = new Float64Array(buffer, byteOffset + 4 * HEADER_INTS, 2 + 2 * count);
  const OFFSET = 2;
  const TIMESTAMP = OFFSET + count;

  const ints = new Int32Array(buffer, doubles.byteOffset + doubles.byteLength, (data.byteOffset - doubles.byteOffset - doubles.byteLength) / 4);
  const POSITION = 0;
  const KEY_LENGTH = POSITION + count;
  const VALUE_LENGTH = KEY_LENGTH + count;
  const HEADERS = VALUE_LENGTH + count;
  const withHeaders = (flags & FLAG_HEADERS) !== 0;
  const RUN = withHeaders ? HEADERS + count : HEADERS;

  const text = (flags & FLAG_ASCII) !== 0 ? latin1 : utf8;
  const payloadText = payloads === 'utf8';
  const keyText = keys === 'utf8';

  const messages = new Array<any>(count);
  for (let run = 0; run < runCount; run++) {
    const at = RUN + run * RUN_INTS;
    const partition = ints[at + 1]!;
    const end = run + 1 < runCount ? ints[at + RUN_INTS + 5]! : count;
    for (let i = ints[at + 5]!; i < end; i++) {
      const keyLength = ints[KEY_LENGTH + i]!;
      const valueLength = ints[VALUE_LENGTH + i]!;
      const keyAt = ints[POSITION + i]!;
      const valueAt = keyLength > 0 ? keyAt + keyLength : keyAt;
      const offset = doubles[OFFSET + i]!;
      const timestamp = doubles[TIMESTAMP + i]!;
      const payload = valueLength < 0 ? null
        : payloadText ? text.call(data, valueAt, valueAt + valueLength)
        : data.subarray(valueAt, valueAt + valueLength);
      // Two literals, because a property that is added later would cost an allocation of its own.
      const message: any = keyLength < 0
        ? { topic, partition, offset, payload, timestamp }
        : { topic, partition, offset, payload, key: keyText ? text.call(data, keyAt, valueAt) : data.subarray(keyAt, valueAt), timestamp };
      if (withHeaders && ints[HEADERS + i]! >= 0) message.headers = readHeaders(data, ints[HEADERS + i]!);
      messages[i] = message;
    }
  }
  return { messages, misses: doubles[0]!, repeats: doubles[1]! };
}

/** @internal */
export function readHeaders(data: Buffer, at: number): NonNullable<Message['headers']> {
  const headers: NonNullable<Message['headers']> = {};
  let count = data.readInt32LE(at);
  for (at += 4; count > 0; count--) {
    const nameAt = at + 8;
    const valueAt = nameAt + data.readInt32LE(at);
    const valueLength = data.readInt32LE(at + 4);
    const name = utf8.call(data, nameAt, valueAt);
    const value = valueLength < 0 ? null : data.subarray(valueAt, valueAt + valueLength);
    at = valueAt + Math.max(valueLength, 0);

    const before = Object.hasOwn(headers, name) ? headers[name] : undefined;
    if (Array.isArray(before)) before.push(value);
    else if (before !== undefined) headers[name] = [before, value];
    else if (name !== '__proto__') headers[name] = value;
    else Object.defineProperty(headers, name, { value, enumerable: true, configurable: true, writable: true });
  }
  return headers;
}
