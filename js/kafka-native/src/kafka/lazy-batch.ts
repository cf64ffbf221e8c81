import { inspect } from 'node:util';
import { readHeaders } from '../batch';
import { FLAG_HEADERS, HEADER_INTS, RUN_INTS } from '../binding';

/** A received message, as KafkaJS gives it. */
export interface KafkaMessage {
  /** Always 0: Kafka has not given it a meaning. */
  attributes: number;
  /** Milliseconds since 1970, as text; '-1' when there is none. */
  timestamp: string;
  offset: string;
  /** A view on the batch that it came in (up to 192 KiB, or one larger message): who keeps it keeps the batch. `Buffer.from(key)` is a copy. */
  key: Buffer | null;
  /** null is a tombstone. A view on the batch, as `key` is. */
  value: Buffer | null;
  /** Values are views on the batch; a header that is repeated is an array, in order. */
  headers: Record<string, Buffer | null | (Buffer | null)[]>;
}

/** The columns of a batch, without an object a message: element i of each belongs to its message i. Read-only. */
export interface BatchColumns {
  /** Exact: offsets stay below 2^53. */
  offsets: Float64Array;
  /** Milliseconds since 1970, -1 = none. */
  timestamps: Float64Array;
  /** Where in `data` the key begins; the value follows it. */
  positions: Int32Array;
  /** Bytes; -1 = null. */
  keyLengths: Int32Array;
  /** Bytes; -1 = null. */
  valueLengths: Int32Array;
  /** Keys and values of this batch, and of others: use the positions. */
  data: Buffer;
}

const OFFSET = 2;

/** What the addon handed over in one go (its layout: binding.ts): messages of one or more partitions. @internal */
export class PackedBatch {
  readonly count: number;
  readonly runCount: number;
  readonly doubles: Float64Array;
  readonly ints: Int32Array;
  readonly data: Buffer;
  /** Where in `ints` the header column and the runs begin; -1: nothing here has headers. */
  readonly #headers: number;
  readonly #runs: number;

  constructor(readonly id: number, packed: Uint8Array) {
    if (packed.byteOffset % 8 !== 0) packed = new Uint8Array(packed); // columns must be aligned
    const { buffer, byteOffset } = packed;
    const header = new Int32Array(buffer, byteOffset, HEADER_INTS);
    const count = (this.count = header[0]!);
    this.runCount = header[1]!;
    this.data = Buffer.from(buffer, byteOffset + header[3]!, packed.byteLength - header[3]!);
    this.doubles = new Float64Array(buffer, byteOffset + 4 * HEADER_INTS, OFFSET + 2 * count);
    const intsAt = this.doubles.byteOffset + this.doubles.byteLength;
    this.ints = new Int32Array(buffer, intsAt, (this.data.byteOffset - intsAt) / 4);
    const withHeaders = (header[2]! & FLAG_HEADERS) !== 0;
    this.#headers = withHeaders ? 3 * count : -1;
    this.#runs = withHeaders ? 4 * count : 3 * count;
  }

  run(index: number): Run {
    const at = this.#runs + index * RUN_INTS;
    const end = index + 1 < this.runCount ? this.ints[at + RUN_INTS + 5]! : this.count;
    return new Run(this, index, this.ints[at]!, this.ints[at + 1]!, this.ints[at + 2]!, this.ints[at + 5]!, end);
  }

  offset(i: number): number {
    return this.doubles[OFFSET + i]!;
  }

  timestamp(i: number): number {
    return this.doubles[OFFSET + this.count + i]!;
  }

  key(i: number): Buffer | null {
    const length = this.ints[this.count + i]!;
    if (length < 0) return null;
    const at = this.ints[i]!;
    return this.data.subarray(at, at + length);
  }

  value(i: number): Buffer | null {
    const { count, ints } = this;
    const length = ints[2 * count + i]!;
    if (length < 0) return null;
    const keyLength = ints[count + i]!;
    const at = keyLength > 0 ? ints[i]! + keyLength : ints[i]!;
    return this.data.subarray(at, at + length);
  }

  headers(i: number): KafkaMessage['headers'] {
    const at = this.#headers < 0 ? -1 : this.ints[this.#headers + i]!;
    return at < 0 ? {} : readHeaders(this.data, at);
  }

  /** A message that is read already, for who spreads, compares or keeps it. */
  message(i: number): KafkaMessage {
    return {
      attributes: 0,
      timestamp: String(this.timestamp(i)),
      offset: String(this.offset(i)),
      key: this.key(i),
      value: this.value(i),
      headers: this.headers(i),
    };
  }

  columns(begin: number, end: number): BatchColumns {
    const { count, doubles, ints, data } = this;
    return {
      offsets: doubles.subarray(OFFSET + begin, OFFSET + end),
      timestamps: doubles.subarray(OFFSET + count + begin, OFFSET + count + end),
      positions: ints.subarray(begin, end),
      keyLengths: ints.subarray(count + begin, count + end),
      valueLengths: ints.subarray(2 * count + begin, 2 * count + end),
      data,
    };
  }
}

/** The messages of one partition in a packed batch, from `begin` to `end`. @internal */
export class Run {
  /** The next offset to be read behind it; more than the last message's + 1 when transaction markers follow. */
  next: number;

  constructor(
    readonly packed: PackedBatch,
    readonly index: number,
    readonly topicId: number,
    readonly partition: number,
    readonly epoch: number,
    /** The first message that is not processed. */
    public begin: number,
    readonly end: number,
  ) {
    this.next = packed.offset(end - 1) + 1;
  }

  get firstOffset(): number {
    return this.packed.offset(this.begin);
  }

  get lastOffset(): number {
    return this.packed.offset(this.end - 1);
  }

  /** Leaves out the messages below the offset; whether any is left. */
  skipTo(offset: number): boolean {
    const { packed } = this;
    if (offset > this.lastOffset) return false;
    let low = this.begin;
    for (let high = this.end; low < high; ) {
      const middle = (low + high) >>> 1;
      if (packed.offset(middle) < offset) low = middle + 1;
      else high = middle;
    }
    this.begin = low;
    return true;
  }
}

/**
 * A message that is read when it is asked: 72 ns of CPU with its value where a plain object takes 143 (bench/lazy.js). The price:
 * the fields are not its own, so `{ ...message }` is empty; `message.toJSON()` is a plain object. `JSON.stringify` and
 * `console.log` show the fields. A field that is assigned becomes the message's own.
 */
class LazyMessage {
  readonly #packed: PackedBatch;
  readonly #index: number;

  constructor(packed: PackedBatch, index: number) {
    this.#packed = packed;
    this.#index = index;
  }

  get attributes(): number {
    return 0;
  }
  get timestamp(): string {
    return String(this.#packed.timestamp(this.#index));
  }
  get offset(): string {
    return String(this.#packed.offset(this.#index));
  }
  get key(): Buffer | null {
    return this.#packed.key(this.#index);
  }
  get value(): Buffer | null {
    return this.#packed.value(this.#index);
  }
  get headers(): KafkaMessage['headers'] {
    return this.#packed.headers(this.#index);
  }
  toJSON(): KafkaMessage {
    return { ...this.#packed.message(this.#index), ...this };
  }
  [inspect.custom](): KafkaMessage {
    return this.toJSON();
  }
}
for (const name of ['attributes', 'timestamp', 'offset', 'key', 'value', 'headers'] as const) {
  const { get } = Object.getOwnPropertyDescriptor(LazyMessage.prototype, name)!;
  Object.defineProperty(LazyMessage.prototype, name, {
    get: get!,
    set(value: unknown) {
      Object.defineProperty(this, name, { value, writable: true, enumerable: true, configurable: true });
    },
    enumerable: true,
    configurable: true,
  });
}

/** Messages of one partition, in order, as KafkaJS gives them; at least one. */
export class Batch {
  readonly topic: string;
  readonly partition: number;
  readonly #run: Run;
  readonly #begin: number;
  readonly #askHighWatermark: () => number;
  #highWatermark: string | undefined;
  #messages: KafkaMessage[] | undefined;

  /** @internal */
  constructor(topic: string, run: Run, askHighWatermark: () => number) {
    this.topic = topic;
    this.partition = run.partition;
    this.#askHighWatermark = askHighWatermark;
    this.#run = run;
    this.#begin = run.begin;
  }

  /** The offset behind the partition's last message, as the last fetch before the first look told it; '-1' when that is not known. */
  get highWatermark(): string {
    return (this.#highWatermark ??= String(Math.max(this.#askHighWatermark(), -1)));
  }

  /** The messages; each is read when it is asked: its fields are getters, `toJSON()` makes a plain object of it. */
  get messages(): KafkaMessage[] {
    if (!this.#messages) {
      const { packed, end } = this.#run;
      const messages = (this.#messages = new Array<KafkaMessage>(end - this.#begin));
      for (let i = this.#begin; i < end; i++) messages[i - this.#begin] = new LazyMessage(packed, i);
    }
    return this.#messages;
  }

  /** The same without objects. */
  get columns(): BatchColumns {
    return this.#run.packed.columns(this.#begin, this.#run.end);
  }

  /** @internal */
  get size(): number {
    return this.#run.end - this.#begin;
  }

  /** Its message i as a plain object. @internal */
  read(i: number): KafkaMessage {
    return this.#run.packed.message(this.#begin + i);
  }

  isEmpty(): boolean {
    return false;
  }

  firstOffset(): string {
    return String(this.#run.packed.offset(this.#begin));
  }

  /** Of the last message, or of the transaction marker behind it. */
  lastOffset(): string {
    return String(this.#run.next - 1);
  }

  /** How many offsets the partition has behind this batch. */
  offsetLag(): string {
    return this.#lag(this.#run.next - 1);
  }

  /** How many offsets the partition has behind the first message of this batch. */
  offsetLagLow(): string {
    return this.#lag(this.#run.packed.offset(this.#begin));
  }

  #lag(offset: number): string {
    return String(Math.max(Number(this.highWatermark) - 1 - offset, 0));
  }

  toJSON(): object {
    return { topic: this.topic, partition: this.partition, highWatermark: this.highWatermark, messages: this.messages };
  }
}
