import { RunField } from './layout';
import { PackedColumns } from './packed';

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
/** @internal */
export const utf8: Slice =
  utf8Slice ??
  function (start, end) {
    return this.toString('utf8', start, end);
  };
/** Of ASCII alone. @internal */
export const latin1: Slice = latin1Slice ?? utf8;

/**
 * Makes the message objects of a packed batch (its layout: layout.ts) of one topic.
 *
 * Measured on Node 20, 9000 messages of 100 ASCII characters: 84 ns a message, 163 ns with a key of 12; with Buffers 54
 * and 113 ns. Cutting the strings out of one string of the whole batch would take a third, but then a user who keeps one
 * short value keeps the megabyte it came in.
 */
export function readBatch<P extends Encoding, K extends Encoding>(packed: Uint8Array, topic: string, payloads: P, keys: K): Batch<P, K> {
  const batch = new PackedColumns(packed);
  const { count, doubles, ints, data, offsets, timestamps, positions, keyLengths, valueLengths, headerBlocks } = batch;
  const text = batch.ascii ? latin1 : utf8;
  const payloadText = payloads === 'utf8';
  const keyText = keys === 'utf8';

  const messages = new Array<any>(count);
  for (let run = 0; run < batch.runCount; run++) {
    const partition = batch.run(run, RunField.Partition);
    const end = batch.firstOf(run + 1);
    for (let i = batch.firstOf(run); i < end; i++) {
      const keyLength = ints[keyLengths + i]!;
      const valueLength = ints[valueLengths + i]!;
      const keyAt = ints[positions + i]!;
      const valueAt = keyLength > 0 ? keyAt + keyLength : keyAt;
      const offset = doubles[offsets + i]!;
      const timestamp = doubles[timestamps + i]!;
      const payload = valueLength < 0 ? null : payloadText ? text.call(data, valueAt, valueAt + valueLength) : data.subarray(valueAt, valueAt + valueLength);
      // Two literals, because a property that is added later would cost an allocation of its own.
      const message: any =
        keyLength < 0
          ? { topic, partition, offset, payload, timestamp }
          : { topic, partition, offset, payload, key: keyText ? text.call(data, keyAt, valueAt) : data.subarray(keyAt, valueAt), timestamp };
      if (headerBlocks >= 0 && ints[headerBlocks + i]! >= 0) message.headers = readHeaders(data, ints[headerBlocks + i]!);
      messages[i] = message;
    }
  }
  return { messages, misses: batch.misses, repeats: batch.repeats };
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
