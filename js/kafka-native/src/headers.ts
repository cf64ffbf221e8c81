import type { PackedColumns } from './packed';
import { utf8 } from './text';
import { viewOf } from './view';

/** Headers of a received message. Values are views on the batch; a header that is repeated is an array, in order. */
export type Headers = Record<string, Buffer | null | (Buffer | null)[]>;

/** A header's name. */
interface Name {
  readonly bytes: Uint8Array;
  readonly text: string;
  /** Every object has it, as `toString`. */
  readonly inherited: boolean;
  /** The number of the block that had it last. */
  block: number;
}

/** Bytes: longer names are not kept. */
const LONG = 64;
const PLACES = 256;

/** Names that came, each in its place: messages have few different ones, and a new string of each takes five times as long. */
const names: (Name | undefined)[] = new Array(PLACES).fill(undefined);
/** The number of the block that is read. */
let block = 0;

/** The headers of a message, whose block begins `at` these bytes of the data. @internal */
export function readHeaders({ data, buffer, dataAt }: PackedColumns, at: number): Headers {
  const headers: Headers = {};
  block = (block + 1) | 0;
  let left = data.readInt32LE(at);
  for (at += 4; left-- > 0; ) {
    const nameAt = at + 8;
    const valueAt = nameAt + data.readInt32LE(at);
    const valueLength = data.readInt32LE(at + 4);
    const value = valueLength < 0 ? null : viewOf(buffer, dataAt + valueAt, valueLength);
    at = valueAt + Math.max(valueLength, 0);

    const name = find(data, nameAt, valueAt);
    if (name === undefined) put(headers, keep(data, nameAt, valueAt), value);
    else if (name.inherited || name.block === block) put(headers, name.text, value);
    else {
      headers[name.text] = value;
      name.block = block;
    }
  }
  return headers;
}

const place = (data: Uint8Array, at: number, end: number): number => (data[at]! + 7 * data[end - 1]! + 31 * (end - at)) % PLACES;

function find(data: Uint8Array, at: number, end: number): Name | undefined {
  if (at === end) return undefined;
  const name = names[place(data, at, end)];
  const length = end - at;
  if (name?.bytes.length !== length) return undefined;
  const { bytes } = name;
  for (let i = 0; i < length; i++) if (bytes[i] !== data[at + i]) return undefined;
  return name;
}

/** The text of a name, which is known from now on, in place of another. */
function keep(data: Buffer, at: number, end: number): string {
  const length = end - at;
  const text = Object.keys({ [utf8.call(data, at, end)]: 0 })[0]!; // as V8 keeps names of properties
  if (length > 0 && length <= LONG) {
    names[place(data, at, end)] = { bytes: Uint8Array.prototype.slice.call(data, at, end), text, inherited: text in {}, block };
  }
  return text;
}

/** A header whose name may be there already, or is one that every object has. */
function put(headers: Headers, name: string, value: Buffer | null): void {
  const before = Object.hasOwn(headers, name) ? headers[name] : undefined;
  if (Array.isArray(before)) before.push(value);
  else if (before !== undefined) headers[name] = [before, value];
  else Object.defineProperty(headers, name, { value, enumerable: true, configurable: true, writable: true });
}
