import { isAscii } from 'node:buffer';
import { isUint8Array } from 'node:util/types';
import { copyOfBytes } from '../../arena';
import { Double, DOUBLE_COLUMNS, Flag, Header, HEADER_INTS, Int, INT_COLUMNS, RUN_INTS, RunField, SINCE_DOUBLES } from '../../layout';
import { describe } from '../../options';
import { KafkaJSNonRetriableError } from '../errors';

type Bytes = string | Uint8Array | null;

/** A message that a batch is made of; what is left out is null. */
export interface PlainMessage {
  offset: number | string;
  /** Milliseconds since 1970. Default: none. */
  timestamp?: number | string | undefined;
  key?: Bytes | undefined;
  value?: Bytes | undefined;
  /** A header that is repeated is an array. */
  headers?: { readonly [name: string]: Bytes | readonly Bytes[] | undefined } | undefined;
}

/** A message as it is packed: a copy of what was given. */
interface Read {
  offset: number;
  timestamp: number;
  key: Uint8Array | null;
  value: Uint8Array | null;
  headers: Uint8Array | undefined;
}

/** The lengths of a header's name and value. */
const HEADER_LENGTHS = 8;

/** Packs messages of one partition as the addon does. @internal */
export function packMessages(topic: unknown, partition: unknown, given: unknown): Uint8Array {
  if (typeof topic !== 'string') throw refused('the topic', 'a string', topic);
  if (!Number.isInteger(partition) || (partition as number) < 0 || (partition as number) >= 2 ** 31)
    throw refused('the partition', 'an integer of 0 or more', partition);
  if (!Array.isArray(given) || given.length === 0) throw refused('the messages', 'an array of one or more', given);
  const messages = Array.from(given, (message, i) => readMessage(i, message));
  const count = messages.length;
  let data = 0;
  for (const { key, value, headers } of messages) data += (key?.length ?? 0) + (value?.length ?? 0) + (headers?.length ?? 0);
  const withHeaders = messages.some(({ headers }) => headers !== undefined);

  const intsAt = HEADER_INTS * 4 + (SINCE_DOUBLES + DOUBLE_COLUMNS * count) * 8;
  const runsAt = (INT_COLUMNS + (withHeaders ? 1 : 0)) * count;
  const dataAt = intsAt + (runsAt + RUN_INTS) * 4;
  const packed = new Uint8Array(dataAt + data);
  const header = new Int32Array(packed.buffer, 0, HEADER_INTS);
  header[Header.Messages] = count;
  header[Header.Runs] = 1;
  header[Header.Data] = dataAt;
  const doubles = new Float64Array(packed.buffer, HEADER_INTS * 4 + SINCE_DOUBLES * 8, DOUBLE_COLUMNS * count);
  const ints = new Int32Array(packed.buffer, intsAt, runsAt + RUN_INTS);
  ints[runsAt + RunField.Partition] = partition as number;
  ints[runsAt + RunField.LeaderEpoch] = -1;

  let at = 0;
  const put = (bytes: Uint8Array): void => {
    packed.set(bytes, dataAt + at);
    at += bytes.length;
  };
  for (const [i, { offset, timestamp, key, value }] of messages.entries()) {
    doubles[Double.Offset * count + i] = offset;
    doubles[Double.Timestamp * count + i] = timestamp;
    ints[Int.Position * count + i] = at;
    ints[Int.KeyLength * count + i] = key?.length ?? -1;
    ints[Int.ValueLength * count + i] = value?.length ?? -1;
    if (key) put(key);
    if (value) put(value);
  }
  const ascii = isAscii(packed.subarray(dataAt, dataAt + at));
  header[Header.Flags] = (withHeaders ? Flag.Headers : 0) | (ascii ? Flag.Ascii : 0);
  if (withHeaders) {
    for (const [i, { headers }] of messages.entries()) {
      ints[INT_COLUMNS * count + i] = headers ? at : -1;
      if (headers) put(headers);
    }
  }
  return packed;
}

function readMessage(i: number, given: unknown): Read {
  if (typeof given !== 'object' || given === null) throw refused(`messages[${i}]`, 'an object', given);
  const { offset, timestamp = -1, key, value, headers } = given as PlainMessage;
  return {
    offset: integer(i, 'offset', offset),
    timestamp: integer(i, 'timestamp', timestamp),
    key: read(i, 'key', key),
    value: read(i, 'value', value),
    headers: headerBlock(i, headers),
  };
}

/** Undefined where there are none. */
function headerBlock(i: number, named: unknown): Uint8Array | undefined {
  if (named === undefined || named === null) return undefined;
  if (typeof named !== 'object') throw refused(`messages[${i}].headers`, 'an object', named);
  const all = Object.entries(named).flatMap(([name, given]) =>
    (Array.isArray(given) ? Array.from(given) : [given])
      .filter((each) => each !== undefined)
      .map((each) => [Buffer.from(name), read(i, `headers.${name}`, each)] as const),
  );
  if (all.length === 0) return undefined;
  const block = Buffer.alloc(4 + all.reduce((sum, [name, value]) => sum + HEADER_LENGTHS + name.length + (value?.length ?? 0), 0));
  const lengths = new DataView(block.buffer, block.byteOffset, block.length);
  // The addon's order of bytes is the machine's, and every machine that it is built for is little-endian.
  lengths.setInt32(0, all.length, true);
  let at = 4;
  for (const [name, value] of all) {
    lengths.setInt32(at, name.length, true);
    lengths.setInt32(at + 4, value?.length ?? -1, true);
    block.set(name, at + HEADER_LENGTHS);
    at += HEADER_LENGTHS + name.length;
    if (value) block.set(value, at);
    at += value?.length ?? 0;
  }
  return block;
}

function read(i: number, field: string, given: unknown): Uint8Array | null {
  if (given === undefined || given === null) return null;
  if (typeof given === 'string') return Buffer.from(given);
  if (isUint8Array(given)) {
    try {
      return copyOfBytes(given);
    } catch {
      throw new KafkaJSNonRetriableError(
        `Batch.of: messages[${i}].${field} has no memory any more: its ArrayBuffer is detached (transferred away), or was resized`,
      );
    }
  }
  throw refused(`messages[${i}].${field}`, 'a string, a Buffer or null', given);
}

function integer(i: number, field: string, given: unknown): number {
  const number = typeof given === 'string' && /^-?\d+$/.test(given) ? Number(given) : given;
  if (Number.isSafeInteger(number)) return number as number;
  throw refused(`messages[${i}].${field}`, 'a whole number below 2^53', given);
}

function refused(path: string, wanted: string, got: unknown): Error {
  return new KafkaJSNonRetriableError(`Batch.of: ${path} must be ${wanted}, got ${describe(got)}`);
}
