import { inspect } from 'node:util';
import { type Headers, readHeaders } from '../../headers';
import { RunField } from '../../layout';
import { PackedColumns } from '../../packed';
import { viewOf } from '../../view';
import { KafkaJSError } from '../errors';
import { decimal } from '../decimal';
import { type BatchCodec, BatchFormat, encodeParts, type EncodedBatch, type EncodeOptions, type EncodeRange, readFormat, readRange } from './encode';
import { packMessages, type PlainMessage } from './pack';

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
  headers: Headers;
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

/** Messages that the addon handed over in one go, of one or more partitions. @internal */
export class PackedBatch extends PackedColumns {
  /** @param own keys, values and headers get memory of their own instead of views: for handlers that transfer it away */
  constructor(
    readonly id: number,
    packed: Uint8Array,
    readonly own: boolean,
  ) {
    super(packed);
  }

  /** Its runs; read before any handler can take the memory. */
  runs(): Run[] {
    return Array.from({ length: this.runCount }, (_, index) => {
      const [topic, partition, epoch] = [this.run(index, RunField.Topic), this.run(index, RunField.Partition), this.run(index, RunField.Epoch)];
      return new Run(this, index, topic, partition, epoch, this.firstOf(index), this.firstOf(index + 1));
    });
  }

  /** A handler has transferred the memory away: nothing can be read any more. */
  get gone(): boolean {
    return this.doubles.length === 0;
  }

  offset(i: number): number {
    return this.doubles[this.offsets + i]!;
  }

  offsetText(i: number): string {
    const offset = this.offset(i);
    if (offset === undefined) this.check();
    return decimal(offset);
  }

  timestampText(i: number): string {
    const timestamp = this.doubles[this.timestamps + i];
    if (timestamp === undefined) this.check();
    return decimal(timestamp!);
  }

  key(i: number): Buffer | null {
    const length = this.ints[this.keyLengths + i]!;
    if (!(length >= 0)) return this.#nothing();
    return this.#bytes(this.ints[this.positions + i]!, length);
  }

  value(i: number): Buffer | null {
    const { ints } = this;
    const length = ints[this.valueLengths + i]!;
    if (!(length >= 0)) return this.#nothing();
    const keyAt = ints[this.positions + i]!;
    const keyLength = ints[this.keyLengths + i]!;
    return this.#bytes(keyLength > 0 ? keyAt + keyLength : keyAt, length);
  }

  headers(i: number): KafkaMessage['headers'] {
    const at = this.headerBlocks < 0 ? -1 : this.ints[this.headerBlocks + i]!;
    if (!(at >= 0)) return this.#nothing() ?? {};
    const headers = readHeaders(this, at);
    if (this.own) for (const name of Object.keys(headers)) headers[name] = Array.isArray(headers[name]) ? headers[name].map(copy) : copy(headers[name]!);
    return headers;
  }

  #bytes(at: number, length: number): Buffer {
    const view = viewOf(this.buffer, this.dataAt + at, length);
    return this.own ? copy(view) : view;
  }

  /** A field without a length is null, unless the length itself is gone. */
  #nothing(): null {
    this.check();
    return null;
  }

  check(): void {
    if (!this.gone) return;
    throw new KafkaJSError(
      'The memory of this batch was transferred to somebody else (postMessage, structuredClone, ArrayBuffer.transfer), with everything that was not read yet: what is not resolved is given again. Transfer a copy: new Uint8Array(value).buffer',
    );
  }

  /** Bytes of keys, values and headers, these by their share. */
  size(begin: number, end: number): number {
    const { count, ints, data, positions, keyLengths, valueLengths } = this;
    const after = (i: number): number => ints[positions + i]! + Math.max(ints[keyLengths + i]!, 0) + Math.max(ints[valueLengths + i]!, 0);
    return after(end - 1) - ints[positions + begin]! + ((data.length - after(count - 1)) * (end - begin)) / count;
  }

  /** A message that is read already, for who spreads, compares or keeps it. */
  message(i: number): KafkaMessage {
    return {
      attributes: 0,
      timestamp: this.timestampText(i),
      offset: this.offsetText(i),
      key: this.key(i),
      value: this.value(i),
      headers: this.headers(i),
    };
  }

  /** Puts the messages from `begin` to `end` into the list, from `at` on. One loop over the columns: bench/lazy.js. */
  read(begin: number, end: number, messages: KafkaMessage[], at: number): void {
    this.check();
    const { doubles, timestamps, offsets, headerBlocks } = this;
    let time = NaN;
    let timestamp = '';
    for (let i = begin; i < end; i++) {
      if (doubles[timestamps + i] !== time) timestamp = decimal((time = doubles[timestamps + i]!));
      messages[at++] = {
        attributes: 0,
        timestamp,
        offset: decimal(doubles[offsets + i]!),
        key: this.key(i),
        value: this.value(i),
        headers: headerBlocks < 0 ? {} : this.headers(i),
      };
    }
  }

  columns(begin: number, end: number): BatchColumns {
    const { doubles, ints, data } = this;
    const part = <A extends Float64Array | Int32Array>(column: A, at: number): A => column.subarray(at + begin, at + end) as A;
    return {
      offsets: part(doubles, this.offsets),
      timestamps: part(doubles, this.timestamps),
      positions: part(ints, this.positions),
      keyLengths: part(ints, this.keyLengths),
      valueLengths: part(ints, this.valueLengths),
      data,
    };
  }
}

function copy<B extends Buffer | null>(bytes: B): B {
  if (bytes === null) return bytes;
  // Not of Node's pool, whose memory is never transferred.
  const own = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(own);
  return own as B;
}

/** One beside the other, in memory of their own. */
function joined(all: readonly BatchColumns[]): BatchColumns {
  const count = all.reduce((sum, { offsets }) => sum + offsets.length, 0);
  const columns = {
    offsets: new Float64Array(count),
    timestamps: new Float64Array(count),
    positions: new Int32Array(count),
    keyLengths: new Int32Array(count),
    valueLengths: new Int32Array(count),
  };
  const data: Uint8Array[] = [];
  let at = 0;
  let bytes = 0;
  for (const part of all) {
    const last = part.positions.length - 1;
    const [begin, end] = [part.positions[0]!, part.positions[last]! + Math.max(part.keyLengths[last]!, 0) + Math.max(part.valueLengths[last]!, 0)];
    for (const name of ['offsets', 'timestamps', 'keyLengths', 'valueLengths'] as const) columns[name].set(part[name], at);
    for (const position of part.positions) columns.positions[at++] = position - begin + bytes;
    data.push(part.data.subarray(begin, end));
    bytes += end - begin;
  }
  return { ...columns, data: Buffer.concat(data) };
}

/** The messages of one partition in a packed batch, from `begin` to `end`. Progress is kept in plain numbers: a handler can take the columns away. @internal */
export class Run {
  /** The next offset to be read behind it; more than the last message's + 1 when transaction markers follow, or what a rule leaves out. */
  next: number;
  /** Of the first message that is not processed. */
  firstOffset: number;
  lastOffset: number;

  constructor(
    readonly packed: PackedBatch,
    readonly index: number,
    readonly topicId: number,
    readonly partition: number,
    readonly epoch: number,
    /** The first message that is not processed. */
    public begin: number,
    public end: number,
  ) {
    this.firstOffset = packed.offset(begin);
    this.lastOffset = packed.offset(end - 1);
    this.next = this.lastOffset + 1;
  }

  get count(): number {
    return this.end - this.begin;
  }

  /** Of keys, values and headers. */
  get bytes(): number {
    return this.packed.size(this.begin, this.end);
  }

  /** Leaves out the messages below the offset; whether any is left. */
  skipTo(offset: number): boolean {
    const { packed } = this;
    if (offset > this.lastOffset) return false;
    if (offset <= this.firstOffset) return true;
    if (packed.gone) {
      this.firstOffset = offset; // it is fetched again from here
      return true;
    }
    this.begin = this.#find(offset);
    this.firstOffset = packed.offset(this.begin);
    return true;
  }

  /** Leaves out the messages from the offset on; whether any is left. */
  endAt(offset: number): boolean {
    if (offset <= this.firstOffset) return false;
    if (offset < this.next) this.next = offset;
    if (offset > this.lastOffset) return true;
    this.end = this.#find(offset);
    this.lastOffset = this.packed.offset(this.end - 1);
    return true;
  }

  /** The first message from this offset on. */
  #find(offset: number): number {
    let low = this.begin;
    for (let high = this.end; low < high; ) {
      const middle = (low + high) >>> 1;
      if (this.packed.offset(middle) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/**
 * A message that is read when it is asked: with its value it takes two thirds of a plain object's CPU (bench/lazy.js). The price:
 * the fields are not its own, so `{ ...message }` is empty; `message.toJSON()` is a plain object. `JSON.stringify` and
 * `console.log` show the fields. A field that is assigned becomes the message's own.
 */
export class LazyMessage implements KafkaMessage {
  readonly #packed: PackedBatch;
  readonly #index: number;

  /** @internal */
  constructor(packed: PackedBatch, index: number) {
    this.#packed = packed;
    this.#index = index;
  }

  get attributes(): number {
    return 0;
  }
  get timestamp(): string {
    return this.#packed.timestampText(this.#index);
  }
  get offset(): string {
    return this.#packed.offsetText(this.#index);
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

/** Messages that a batch has of a packed one. */
interface Part {
  readonly packed: PackedBatch;
  readonly begin: number;
  readonly end: number;
}

/** Messages of one partition, in order, as KafkaJS gives them; at least one. */
export class Batch {
  readonly topic: string;
  readonly partition: number;
  readonly #parts: readonly Part[];
  readonly #firstOffset: number;
  readonly #last: Run;
  readonly #askHighWatermark: () => number;
  #highWatermark: string | undefined;
  #messages: KafkaMessage[] | undefined;
  #lazyMessages: LazyMessage[] | undefined;
  #columns: BatchColumns | undefined;
  /** How many messages. */
  readonly size: number;

  /** @param runs in order, at least one @internal */
  constructor(topic: string, runs: readonly Run[], askHighWatermark: () => number) {
    this.topic = topic;
    this.partition = runs[0]!.partition;
    this.#askHighWatermark = askHighWatermark;
    this.#parts = runs.map(({ packed, begin, end }) => ({ packed, begin, end }));
    this.#firstOffset = runs[0]!.firstOffset;
    this.#last = runs.at(-1)!;
    this.size = runs.reduce((sum, { count }) => sum + count, 0);
    Object.defineProperties(this, Batch.#own);
  }

  /** A batch's own, as in KafkaJS: `{ ...batch, messages: some }` keeps what it does not replace. */
  static readonly #own = Object.fromEntries(
    ['highWatermark', 'messages'].map((name) => [name, { ...Object.getOwnPropertyDescriptor(Batch.prototype, name), enumerable: true }]),
  );

  /**
   * A batch of messages that came from elsewhere: kept ones, or those of a test. They are copied; keys, values and headers may be text.
   * Its high watermark is not known.
   */
  static of(topic: string, partition: number, messages: readonly PlainMessage[]): Batch {
    return new Batch(topic, new PackedBatch(0, packMessages(topic, partition, messages), false).runs(), () => -1);
  }

  /** The offset behind the partition's last message, as the last fetch before the first look told it; '-1' when that is not known. */
  get highWatermark(): string {
    return (this.#highWatermark ??= String(Math.max(this.#askHighWatermark(), -1)));
  }

  /** The messages, read at the first look. Messages that a program puts in their place stay there, and change nothing of what is resolved. */
  get messages(): KafkaMessage[] {
    if (!this.#messages) {
      const messages = (this.#messages = new Array<KafkaMessage>(this.size));
      let at = 0;
      for (const { packed, begin, end } of this.#parts) {
        packed.read(begin, end, messages, at);
        at += end - begin;
      }
    }
    return this.#messages;
  }

  set messages(messages: KafkaMessage[]) {
    this.#messages = messages;
  }

  /**
   * The same, each read when it is asked: for who looks at few fields of many messages. Their fields are getters, not their own:
   * `{ ...message }` is empty, `message.toJSON()` is a plain object.
   */
  get lazyMessages(): LazyMessage[] {
    if (!this.#lazyMessages) {
      const messages = (this.#lazyMessages = new Array<LazyMessage>(this.size));
      let at = 0;
      for (const { packed, begin, end } of this.#parts) for (let i = begin; i < end; i++) messages[at++] = new LazyMessage(packed, i);
    }
    return this.#lazyMessages;
  }

  /** Bytes of memory that it takes as long as somebody keeps it: its share of what came from the addon in one go. */
  get bytes(): number {
    let bytes = 0;
    for (const { packed, begin, end } of this.#parts) bytes += (packed.bytes.length * (end - begin)) / packed.count;
    return Math.ceil(bytes);
  }

  /** Every key and value is ASCII. @internal */
  get ascii(): boolean {
    return this.#parts.every(({ packed }) => packed.ascii);
  }

  /** A handler has transferred memory of it away. @internal */
  get gone(): boolean {
    return this.#parts.some(({ packed }) => packed.gone);
  }

  /** The same, and with it what {@link messages} still showed: they are empty. @internal */
  get emptied(): boolean {
    return this.#messages !== undefined && this.gone;
  }

  /** The same without objects. */
  get columns(): BatchColumns {
    if (this.#columns) return this.#columns;
    const all = this.#parts.map(({ packed, begin, end }) => {
      packed.check();
      return packed.columns(begin, end);
    });
    const alone = all.length === 1 && !this.#parts[0]!.packed.own;
    return (this.#columns = alone ? all[0]! : joined(all));
  }

  /**
   * The messages as JSON or msgpack, made without an object a message: one array, or one object a line.
   *
   * ```js
   * response.end(batch.encode('ndjson', { value: 'json' }));
   * ```
   *
   * A message has the fields of {@link KafkaMessage}: `offset`, `timestamp`, `key`, `value`, `headers`. A key, value or header
   * value that is not as its encoding wants it counts in `errors`; the document is whole in any case.
   */
  encode(format: BatchFormat, range?: EncodeRange): EncodedBatch;
  encode(format: BatchCodec, options?: EncodeOptions): EncodedBatch;
  encode(format: BatchCodec | BatchFormat, options: EncodeOptions = {}): EncodedBatch {
    for (const { packed } of this.#parts) packed.check();
    const native = format instanceof BatchFormat ? format.native : readFormat('Batch.encode', format, options);
    const { begin, end, before, after } = readRange(options, this.size);
    return encodeParts(native, this.#between(begin, end), this.topic, this.partition, before, after);
  }

  #between(begin: number, end: number): readonly Part[] {
    if (begin === 0 && end === this.size) return this.#parts;
    let at = 0; // of the part's first message, in the batch
    return this.#parts.flatMap((part) => {
      const first = part.begin + Math.max(begin - at, 0);
      const last = Math.min(part.begin + end - at, part.end);
      at += part.end - part.begin;
      return first < last ? [{ packed: part.packed, begin: first, end: last }] : [];
    });
  }

  /** Its messages as plain objects, as long as their memory is there. @internal */
  *read(): Generator<KafkaMessage, void, void> {
    for (const { packed, begin, end } of this.#parts) {
      for (let i = begin; i < end; i++) {
        if (packed.gone) return;
        yield packed.message(i);
      }
    }
  }

  isEmpty(): boolean {
    return false;
  }

  firstOffset(): string {
    return String(this.#firstOffset);
  }

  /** Of the last message, or of what follows it and is not for the handler: transaction markers, what a rule leaves out. */
  lastOffset(): string {
    return String(this.#last.next - 1);
  }

  /** How many offsets the partition has behind this batch. */
  offsetLag(): string {
    return this.#lag(this.#last.next - 1);
  }

  /** How many offsets the partition has behind the first message of this batch. */
  offsetLagLow(): string {
    return this.#lag(this.#firstOffset);
  }

  #lag(offset: number): string {
    return String(Math.max(Number(this.highWatermark) - 1 - offset, 0));
  }

  toJSON(): object {
    return { topic: this.topic, partition: this.partition, highWatermark: this.highWatermark, messages: this.messages };
  }
}
