// Batches as the frames that clients get. Each is made by one call of kafka-native, and sent as it is.

import { encode } from '@msgpack/msgpack';
import { Batch, BatchFormat, type EncodingName, type FormatOptions, type MessageRule, type PlainMessage } from 'kafka-native';
import { ProxyError } from './errors';

/** How messages look for a client. */
export interface FrameFormat {
  /** The same text: the same bytes for the same messages. Frames are shared by it. */
  readonly shared: string;
  /** Binary frames; text frames otherwise. */
  readonly binary: boolean;
  readonly messages: BatchFormat;
  /** Bytes before and behind the array of messages. */
  head(topic: string, partition: number, snapshot: boolean): Uint8Array | string;
  readonly tail: string;
}

export interface Frame {
  bytes: Buffer;
  binary: boolean;
  /** Messages in it: those that the format's rule wants. 0: there is nothing to send. */
  count: number;
}

/** The format that a client of protocol 2 asks for. */
export interface FormatWish {
  id: string | number;
  /** Default 'text', and 'binary' in msgpack; so for values and headers. */
  key?: EncodingName | false | undefined;
  value?: EncodingName | false | undefined;
  headers?: EncodingName | false | undefined;
  only?: MessageRule | undefined;
}

/** The messages `begin` to `end` (their places in the batch) as one frame. */
export function frameOf(batch: Batch, format: FrameFormat, begin?: number, end?: number): Frame {
  return frame(batch, format, false, begin, end);
}

/** Bytes of a message besides its key and value, headers above all: the average of the batch. */
export function besidesOf({ bytes, size, columns: { keyLengths, valueLengths } }: Batch): number {
  let left = bytes;
  for (let i = 0; i < size; i++) left -= Math.max(keyLengths[i]!, 0) + Math.max(valueLengths[i]!, 0);
  return Math.max(left / size, 0);
}

/** Entries of a table, at least one, as a frame that looks like any other and has `snapshot: true`. */
export function snapshotOf(topic: string, partition: number, entries: readonly PlainMessage[], format: FrameFormat): Frame {
  return frame(Batch.of(topic, partition, entries), format, true);
}

function frame(batch: Batch, format: FrameFormat, snapshot: boolean, begin?: number, end?: number): Frame {
  const before = format.head(batch.topic, batch.partition, snapshot);
  const bytes = batch.encode(format.messages, { begin, end, before, after: format.tail });
  return { bytes, binary: format.binary, count: bytes.count };
}

/** Formats of late, by what they have in common: thousands of clients ask for the same. */
const formats = new Map<string, FrameFormat>();
const KEPT = 100;

/** The format for these parts of a wish, made by `make` if there is none. */
function known(parts: readonly unknown[], make: () => Omit<FrameFormat, 'shared'>): FrameFormat {
  // A rule is one client's own. And wrong values have to be refused, though their text may be a right one's: NaN is null.
  if (!parts.every(isPlain)) {
    const made = make();
    return { shared: JSON.stringify(parts), ...made };
  }
  const shared = JSON.stringify(parts);
  let format = formats.get(shared);
  if (format) return format;
  format = { shared, ...make() };
  for (const oldest of formats.keys()) if (formats.size >= KEPT) formats.delete(oldest);
  formats.set(shared, format);
  return format;
}

const isPlain = (part: unknown): boolean => part === undefined || part === false || typeof part === 'string' || Number.isSafeInteger(part);

/** `[{ "message": "...", "offset": 7 }]`, byte for byte as kafka-proxy 1.0 wrote it. */
export function legacyFormat(only?: MessageRule): FrameFormat {
  return known(['legacy', only], () => {
    const messages = new BatchFormat('json', { names: { value: 'message', offset: 'offset' }, numbers: true, invalid: 'replace', only });
    return { binary: false, messages, head: () => '', tail: '' };
  });
}

/** A message of HTTP a line: its partition first, then its offset and timestamp. Throws a ProxyError BAD_REQUEST. */
export function linesFormat({ key, value, headers, only }: Omit<FormatWish, 'id'>): FrameFormat {
  return known(['lines', key, value, headers, only], () => {
    const names = { partition: 'partition', offset: 'offset', timestamp: 'timestamp', key: 'key', value: 'value', headers: 'headers' };
    const messages = formatOf('ndjson', { names, key, value, headers, only, numbers: true, sparse: true });
    return { binary: false, messages, head: () => '', tail: '' };
  });
}

/** Of `kafka.v2.json`. Throws a ProxyError BAD_REQUEST. */
export function jsonFormat({ id, key, value, headers, only }: FormatWish): FrameFormat {
  return known(['json', id, key, value, headers, only], () => ({
    messages: formatOf('json', { key, value, headers, only, numbers: true, sparse: true }),
    binary: false,
    head: (...place) => JSON.stringify(head(id, ...place)).slice(0, -'0}'.length),
    tail: '}',
  }));
}

/** Of `kafka.v2.msgpack`. Throws a ProxyError BAD_REQUEST. */
export function msgpackFormat({ id, key, value, headers, only }: FormatWish): FrameFormat {
  return known(['msgpack', id, key, value, headers, only], () => ({
    messages: formatOf('msgpack', { key, value, headers, only, numbers: true, sparse: true }),
    binary: true,
    head: (...place) => encode(head(id, ...place)).subarray(0, -1),
    tail: '',
  }));
}

/** The records are last, and 0 in place of their array. */
function head(id: string | number, topic: string, partition: number, snapshot: boolean): object {
  return { type: 'batch', id, topic, partition, ...(snapshot && { snapshot }), records: 0 };
}

function formatOf(codec: 'json' | 'ndjson' | 'msgpack', options: FormatOptions): BatchFormat {
  try {
    return new BatchFormat(codec, options);
  } catch (error) {
    // It is the client that is told.
    throw new ProxyError('BAD_REQUEST', (error as Error).message.replace(/^BatchFormat: /, ''));
  }
}
