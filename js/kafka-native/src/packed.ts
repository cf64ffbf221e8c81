import { Double, DOUBLE_COLUMNS, Flag, Header, HEADER_INTS, Int, INT_COLUMNS, RUN_INTS, RunField, Since, SINCE_DOUBLES } from './layout';
import { viewOf } from './view';

/** How many messages a packed batch has. @internal */
export function countOf({ buffer, byteOffset }: Uint8Array): number {
  return new DataView(buffer, byteOffset).getInt32(4 * Header.Messages, true); // not aligned, perhaps; all platforms are little-endian
}

/** The columns of a packed batch, and where in `doubles` and `ints` each begins. @internal */
export class PackedColumns {
  readonly count: number;
  readonly runCount: number;
  readonly misses: number;
  readonly repeats: number;
  /** Every key and value is ASCII. */
  readonly ascii: boolean;
  readonly doubles: Float64Array;
  readonly ints: Int32Array;
  readonly data: Buffer;
  /** Where `data` lies. */
  readonly buffer: ArrayBufferLike;
  readonly dataAt: number;
  readonly offsets: number;
  readonly timestamps: number;
  readonly positions: number;
  readonly keyLengths: number;
  readonly valueLengths: number;
  /** -1: nothing here has headers. */
  readonly headerBlocks: number;
  /** All of it. */
  readonly bytes: Uint8Array;
  readonly #runs: number;

  constructor(packed: Uint8Array) {
    if (packed.byteOffset % 8 !== 0) packed = new Uint8Array(packed); // columns must be aligned
    this.bytes = packed;
    const { buffer, byteOffset } = packed;
    const header = new Int32Array(buffer, byteOffset, HEADER_INTS);
    const count = (this.count = header[Header.Messages]!);
    this.runCount = header[Header.Runs]!;
    const flags = header[Header.Flags]!;
    this.ascii = (flags & Flag.Ascii) !== 0;
    this.buffer = buffer;
    this.dataAt = byteOffset + header[Header.Data]!;
    this.data = viewOf(buffer, this.dataAt, packed.byteLength - header[Header.Data]!);

    this.doubles = new Float64Array(buffer, byteOffset + 4 * HEADER_INTS, SINCE_DOUBLES + DOUBLE_COLUMNS * count);
    this.misses = this.doubles[Since.Misses]!;
    this.repeats = this.doubles[Since.Repeats]!;
    this.offsets = SINCE_DOUBLES + Double.Offset * count;
    this.timestamps = SINCE_DOUBLES + Double.Timestamp * count;

    const intsAt = this.doubles.byteOffset + this.doubles.byteLength;
    this.ints = new Int32Array(buffer, intsAt, (this.data.byteOffset - intsAt) / 4);
    this.positions = Int.Position * count;
    this.keyLengths = Int.KeyLength * count;
    this.valueLengths = Int.ValueLength * count;
    const end = INT_COLUMNS * count;
    this.headerBlocks = (flags & Flag.Headers) !== 0 ? end : -1;
    this.#runs = this.headerBlocks < 0 ? end : end + count;
  }

  run(index: number, field: RunField): number {
    return this.ints[this.#runs + index * RUN_INTS + field]!;
  }

  /** The first message of a run; behind the last one the count. */
  firstOf(run: number): number {
    return run < this.runCount ? this.run(run, RunField.First) : this.count;
  }
}
