import { type Headers, readHeaders } from './headers';
import { RunField } from './layout';
import { PackedColumns } from './packed';
import { latin1, utf8 } from './text';
import { viewOf } from './view';

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
  /** Absent when the message has none. */
  headers?: Headers;
}

/** The messages of one packed batch, and what was missed or repeated since the one before. */
export interface Batch<P extends Encoding, K extends Encoding> {
  messages: Message<P, K>[];
  misses: number;
  repeats: number;
}

/**
 * Makes the message objects of a packed batch (its layout: layout.ts) of one topic.
 *
 * Measured on Node 20, 9000 messages of 100 ASCII characters: 84 ns a message, 163 ns with a key of 12; with Buffers 54
 * and 113 ns. Cutting the strings out of one string of the whole batch would take a third, but then a user who keeps one
 * short value keeps the megabyte it came in.
 */
export function readBatch<P extends Encoding, K extends Encoding>(packed: Uint8Array, topic: string, payloads: P, keys: K): Batch<P, K> {
  const batch = new PackedColumns(packed);
  const { count, doubles, ints, data, buffer, dataAt, offsets, timestamps, positions, keyLengths, valueLengths, headerBlocks } = batch;
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
      const payload = valueLength < 0 ? null : payloadText ? text.call(data, valueAt, valueAt + valueLength) : viewOf(buffer, dataAt + valueAt, valueLength);
      // Two literals, because a property that is added later would cost an allocation of its own.
      const message: any =
        keyLength < 0
          ? { topic, partition, offset, payload, timestamp }
          : { topic, partition, offset, payload, key: keyText ? text.call(data, keyAt, valueAt) : viewOf(buffer, dataAt + keyAt, keyLength), timestamp };
      if (headerBlocks >= 0 && ints[headerBlocks + i]! >= 0) message.headers = readHeaders(batch, ints[headerBlocks + i]!);
      messages[i] = message;
    }
  }
  return { messages, misses: batch.misses, repeats: batch.repeats };
}
