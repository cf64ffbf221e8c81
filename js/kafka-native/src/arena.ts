import { isUint8Array } from 'node:util/types';
import { codeOf } from './codes';
import { partitionOf } from './numbers';
import { describe } from './options';

/** A message as `send` takes it; a bare string or Uint8Array is its value. */
export interface ProducerMessage {
  /** Chooses the partition when that is -1. Absent and null: no key. */
  key?: string | Uint8Array | null | undefined;
  /** null is a tombstone: it deletes the key from a compacted topic. */
  value: string | Uint8Array | null;
  /** An array repeats the header, in order. */
  headers?: Record<string, HeaderValue | readonly HeaderValue[]> | null | undefined;
  /** Milliseconds since 1970, an integer; absent (and 0): when it is sent. */
  timestamp?: number | null | undefined;
}
export type HeaderValue = string | Uint8Array | null;
export type Payload = string | Uint8Array | ProducerMessage;

/** Why one message was not taken. */
export interface SendError {
  /** Of the message in the array that `send` was given. */
  index: number;
  /** librdkafka's name: `MSG_SIZE_TOO_LARGE`, `_UNKNOWN_PARTITION`, `_QUEUE_FULL`, `_INVALID_ARG` (a payload of a wrong type). */
  code: string;
  /** librdkafka's number. */
  errno: number;
  message: string;
}

/** An arena takes at most this many messages, or the message with which its data reaches this size. */
const MAX_MESSAGES = 8192;
const MAX_BYTES = 256 * 1024;
/** Room behind that: the message that reaches it mostly needs no new memory. */
const SLACK = 16 * 1024;
/** Memory that a large message has made larger than this is not kept. */
const KEEP_BYTES = 8 * MAX_BYTES;
/** The largest `message.max.bytes` that librdkafka takes: beyond it nothing needs to be copied to be refused. */
const LARGEST_MESSAGE = 1_000_000_000;
/** Strings up to this length are given room for the worst case. Measuring a longer one takes as long as writing it: so it is written as if it were ASCII first. */
const MEASURE_FROM = 16 * 1024;
/** UTF-8 takes at most 3 bytes for a UTF-16 unit, and 4 for a surrogate pair. A write that stopped early leaves fewer than 4. */
const WIDEST = 3;
const PAIR = 4;
/** Strings up to this length are written character by character, as long as they are ASCII. */
const SHORT = 16;

const INVALID_ARG = codeOf('_INVALID_ARG');
const TOO_LARGE = codeOf('MSG_SIZE_TOO_LARGE');
const NO_VALUE = { ...INVALID_ARG };

/** The true length, whatever `length` somebody has given the array. */
const lengthOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), 'length')!.get as (this: Uint8Array) => number;

/** Whatever the bytes say of themselves. @internal */
export function copyOfBytes(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafe(lengthOf.call(bytes));
  copy.set(bytes);
  return copy;
}

/** Thrown for one message; without a stack, since a caller may send a million wrong ones. @internal */
export class Refusal {
  constructor(
    readonly reason: { code: string; errno: number },
    readonly message: string,
  ) {}

  get tooLarge(): boolean {
    return this.reason === TOO_LARGE;
  }

  /** A message of the KafkaJS form has no value. */
  get withoutValue(): boolean {
    return this.reason === NO_VALUE;
  }
}

function wrongType(what: string, expected: string, value: unknown): Refusal {
  return new Refusal(INVALID_ARG, `${what} must be ${expected}, got ${describe(value)}`);
}

/**
 * Where messages are packed for the addon, in the form that `NativeProducer.send` asks for: a string array costs no
 * object and no call per message. The addon copies before it returns.
 *
 * Getters of messages are programs: they may send with the same producer. So who packs has the arena for itself, and reads
 * everything once.
 *
 * Measured for 8000 messages of 100 ASCII characters, each written by itself: 80 ns on Node 20, 57 ns on Node 24. One string
 * made of many and written once is 73 ns on Node 20, and 250 ns since Node 24, whose V8 remembers every part of a string
 * that it makes one.
 * @internal
 */
export class Arena {
  bytes = Buffer.allocUnsafeSlow(MAX_BYTES + SLACK);
  /** How many of the bytes are used. */
  end = 0;
  /** For each message: key length, value length (-1 = null), length of the header block. */
  readonly index = new Int32Array(3 * MAX_MESSAGES);
  count = 0;
  /** null when no message has one. */
  timestamps: Float64Array | null = null;
  /** -1 = none of its own; null when no message has one. */
  partitions: Int32Array | null = null;
  /** Of the messages that {@link pack} took, in the payloads. */
  readonly origin: Int32Array;
  /** How many need what is in it, besides who packs: counted by the packer. */
  users = 0;

  readonly #kafkajs: boolean;
  readonly #timestamps = new Float64Array(MAX_MESSAGES);
  readonly #partitions: Int32Array;

  /**
   * @param form 'kafkajs': messages are objects and may have a partition, headers that are undefined are left out, timestamps
   * are text
   */
  constructor(form: 'classic' | 'kafkajs') {
    this.#kafkajs = form === 'kafkajs';
    this.origin = new Int32Array(this.#kafkajs ? 0 : MAX_MESSAGES);
    this.#partitions = new Int32Array(this.#kafkajs ? MAX_MESSAGES : 0);
  }

  /** Packs payloads from `from` on, until there is enough for one call; returns where to go on. */
  pack(payloads: readonly unknown[], from: number, refused: SendError[]): number {
    this.clear();
    let i = from;
    for (; i < payloads.length && i < from + MAX_MESSAGES && !this.full; i++) {
      const start = this.end;
      try {
        this.add(payloads[i]);
        this.origin[this.count - 1] = i;
      } catch (error) {
        this.end = start;
        // Besides a Refusal: what a getter of the payload threw, or memory that is not to be had.
        const { code, errno } = error instanceof Refusal ? error.reason : INVALID_ARG;
        const message = error instanceof Refusal || error instanceof Error ? String(error.message) : `a getter of the message threw ${describe(error)}`;
        refused.push({ index: i, code, errno, message });
      }
    }
    return i;
  }

  get full(): boolean {
    return this.end >= MAX_BYTES || this.count === MAX_MESSAGES;
  }

  /** Appends a message. When it throws, {@link cut} what was written of it. */
  add(payload: unknown): void {
    let keyLength = -1;
    let valueLength: number;
    let headersLength = 0;
    let timestamp = 0;
    let partition = -1;
    const start = this.end;
    if (typeof payload === 'object' && payload !== null && (this.#kafkajs || !isUint8Array(payload))) {
      const { key, value, headers, timestamp: time } = payload as ProducerMessage;
      if (this.#kafkajs && value === undefined) throw new Refusal(NO_VALUE, 'a message must have a value');
      keyLength = this.#writeField('the key', key ?? null);
      valueLength = this.#writeField('the value', value);
      if (headers != null) headersLength = this.#writeHeaders(headers);
      if (time != null) timestamp = this.#kafkajs ? timestampOfText(time) : checkedTimestamp(time);
      if (this.#kafkajs) partition = checkedPartition((payload as { partition?: unknown }).partition);
    } else if (this.#kafkajs) {
      throw wrongType('it', 'an object with a value', payload);
    } else if (typeof payload === 'string') {
      valueLength = this.#writeString(payload);
    } else if (isUint8Array(payload)) {
      valueLength = this.#writeBytes('the value', payload);
    } else {
      throw wrongType('a message', 'a string, a Buffer, a Uint8Array or an object with a value', payload);
    }
    if (this.end - start > LARGEST_MESSAGE) throw tooLarge();

    const slot = this.count++;
    if (timestamp !== 0 && this.timestamps === null) this.timestamps = this.#timestamps.fill(0, 0, slot);
    if (this.timestamps !== null) this.timestamps[slot] = timestamp;
    if (partition >= 0 && this.partitions === null) this.partitions = this.#partitions.fill(-1, 0, slot);
    if (this.partitions !== null) this.partitions[slot] = partition;
    this.index[3 * slot] = keyLength;
    this.index[3 * slot + 1] = valueLength;
    this.index[3 * slot + 2] = headersLength;
  }

  /** Takes back what is behind these messages and bytes. */
  cut(count: number, end: number): void {
    this.count = count;
    this.end = end;
  }

  clear(): void {
    this.count = this.end = 0;
    this.timestamps = null;
    this.partitions = null;
  }

  /** Gives a message that is packed its partition. */
  place(slot: number, partition: number): void {
    this.partitions ??= this.#partitions.fill(-1, 0, this.count);
    this.partitions[slot] = partition;
  }

  /** Gives back what a large message took. */
  shrink(): void {
    if (this.bytes.length > KEEP_BYTES) this.bytes = Buffer.allocUnsafeSlow(MAX_BYTES + SLACK);
  }

  /** Returns the bytes written, -1 for null. */
  #writeField(what: string, value: unknown): number {
    if (typeof value === 'string') return this.#writeString(value);
    if (value === null) return -1;
    if (isUint8Array(value)) return this.#writeBytes(what, value);
    throw wrongType(what, this.#kafkajs ? 'a string, a Buffer or null' : 'a string, a Buffer, a Uint8Array or null', value);
  }

  #writeString(text: string): number {
    if (text.length > LARGEST_MESSAGE) throw tooLarge();
    this.#reserve(text.length <= MEASURE_FROM ? WIDEST * text.length : text.length + PAIR);
    if (text.length <= SHORT) {
      // Names and keys: for so few characters the call costs more than the work.
      let i = 0;
      for (let code; i < text.length && (code = text.charCodeAt(i)) < 128; i++) this.bytes[this.end + i] = code;
      if (i === text.length) {
        this.end += i;
        return i;
      }
    }
    let written = this.bytes.write(text, this.end);
    if (this.bytes.length - this.end - written < PAIR) {
      // The end of it may have had no room.
      this.#reserve(Buffer.byteLength(text));
      written = this.bytes.write(text, this.end);
    }
    this.end += written;
    return written;
  }

  #writeBytes(what: string, bytes: Uint8Array): number {
    const length = lengthOf.call(bytes);
    if (length > LARGEST_MESSAGE) throw tooLarge();
    this.#reserve(length);
    try {
      this.bytes.set(bytes, this.end);
    } catch {
      throw new Refusal(INVALID_ARG, `${what} has no memory any more: its ArrayBuffer is detached (transferred away), or was resized`);
    }
    this.end += length;
    return length;
  }

  /** The block is: count, then for each header the lengths of name and value, name, value. Returns its length. */
  #writeHeaders(headers: object): number {
    if (typeof headers !== 'object') throw wrongType('headers', 'an object', headers);
    const start = this.end;
    this.#skip(4);
    let count = 0;
    // `Object.entries` makes an array of each, which takes as long as all the rest.
    for (const name in headers) {
      if (!Object.hasOwn(headers, name)) continue;
      const values = (headers as Record<string, unknown>)[name];
      if (!Array.isArray(values)) count += this.#writeHeader(name, values);
      else for (let i = 0, { length } = values; i < length; i++) count += this.#writeHeader(name, values[i]);
    }
    if (count === 0) {
      this.end = start;
      return 0;
    }
    this.#writeInt(count, start);
    return this.end - start;
  }

  /** Returns how many headers that is: none where the value is left out. */
  #writeHeader(name: string, value: unknown): number {
    if (value === undefined && this.#kafkajs) return 0;
    const lengths = this.end;
    this.#skip(8);
    const nameLength = this.#writeString(name);
    const valueLength = typeof value === 'string' ? this.#writeString(value) : this.#writeField(`the header '${name}'`, value);
    // Behind the writing, which may have moved the bytes.
    this.#writeInt(nameLength, lengths);
    this.#writeInt(valueLength, lengths + 4);
    return 1;
  }

  /** In place of `writeInt32LE`, which looks at its arguments. */
  #writeInt(value: number, at: number): void {
    const { bytes } = this;
    bytes[at] = value;
    bytes[at + 1] = value >> 8;
    bytes[at + 2] = value >> 16;
    bytes[at + 3] = value >> 24;
  }

  #skip(length: number): void {
    this.#reserve(length);
    this.end += length;
  }

  #reserve(length: number): void {
    const needed = this.end + length;
    if (needed <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.bytes.length));
    this.bytes.copy(larger, 0, 0, this.end);
    this.bytes = larger;
  }
}

function tooLarge(): Refusal {
  return new Refusal(TOO_LARGE, `the message is larger than the ${LARGEST_MESSAGE} bytes that librdkafka can carry`);
}

function checkedTimestamp(timestamp: unknown): number {
  if (Number.isSafeInteger(timestamp) && (timestamp as number) >= 0) return timestamp as number;
  throw wrongType('the timestamp', 'an integer, milliseconds since 1970', timestamp);
}

/** '' is none. */
function timestampOfText(timestamp: unknown): number {
  let time = NaN;
  try {
    time = Number(timestamp);
  } catch {
    // a symbol, or an object that is no number
  }
  if (Number.isSafeInteger(time) && time >= 0) return time;
  throw wrongType('the timestamp', 'milliseconds since 1970, as text', timestamp);
}

function checkedPartition(given: unknown): number {
  if (given == null) return -1;
  const partition = partitionOf(given);
  if (partition === undefined) throw wrongType('the partition', 'an integer of 0 or more', given);
  return partition;
}
