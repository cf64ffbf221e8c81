// Batches as the frames that clients get. Each is made by one call of kafka-native, and sent as it is.

import { encode } from '@msgpack/msgpack';
import { Batch, BatchFormat, type EncodingName, type FormatOptions, type MessageRule, type PlainMessage } from 'kafka-native';
import { ProxyError } from './errors';

/** How messages look for a client. Protocols make it, once for each subscription. */
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

/** `[{ "message": "...", "offset": 7 }]`, byte for byte as kafka-proxy 1.0 wrote it. */
export function legacyFormat(only?: MessageRule): FrameFormat {
  const messages = new BatchFormat('json', { names: { value: 'message', offset: 'offset' }, numbers: true, invalid: 'replace', only });
  return { shared: `legacy${only ? JSON.stringify(only) : ''}`, binary: false, messages, head: () => '', tail: '' };
}

/** A message of HTTP a line: its partition first, then its offset and timestamp. Throws a ProxyError BAD_REQUEST. */
export function linesFormat({ key, value, headers, only }: Omit<FormatWish, 'id'>): FrameFormat {
  const names = { partition: 'partition', offset: 'offset', timestamp: 'timestamp', key: 'key', value: 'value', headers: 'headers' };
  const messages = formatOf('ndjson', { names, key, value, headers, only, numbers: true, sparse: true });
  return { shared: JSON.stringify(['lines', key, value, headers, only]), binary: false, messages, head: () => '', tail: '' };
}

/** Of `kafka.v2.json`. Throws a ProxyError BAD_REQUEST. */
export function jsonFormat(wish: FormatWish): FrameFormat {
  return {
    ...asked('json', wish),
    binary: false,
    head: (...place) => JSON.stringify(head(wish.id, ...place)).slice(0, -'0}'.length),
    tail: '}',
  };
}

/** Of `kafka.v2.msgpack`. Throws a ProxyError BAD_REQUEST. */
export function msgpackFormat(wish: FormatWish): FrameFormat {
  return {
    ...asked('msgpack', wish),
    binary: true,
    head: (...place) => encode(head(wish.id, ...place)).subarray(0, -1),
    tail: '',
  };
}

/** The records are last, and 0 in place of their array. */
function head(id: string | number, topic: string, partition: number, snapshot: boolean): object {
  return { type: 'batch', id, topic, partition, ...(snapshot && { snapshot }), records: 0 };
}

function asked(codec: 'json' | 'msgpack', { id, key, value, headers, only }: FormatWish): Pick<FrameFormat, 'messages' | 'shared'> {
  const options: FormatOptions = { key, value, headers, only, numbers: true, sparse: true };
  return { messages: formatOf(codec, options), shared: JSON.stringify([codec, id, key, value, headers, only]) };
}

function formatOf(codec: 'json' | 'ndjson' | 'msgpack', options: FormatOptions): BatchFormat {
  try {
    return new BatchFormat(codec, options);
  } catch (error) {
    // It is the client that is told.
    throw new ProxyError('BAD_REQUEST', (error as Error).message.replace(/^BatchFormat: /, ''));
  }
}
