import { decode, encode } from '@msgpack/msgpack';

/**
 * Types of records. Up to 13 they are socket.io-adapter's own messages, about one namespace, with their numbers; what follows is
 * between the servers.
 */
export enum RecordType {
  /** To read one's own record back. */
  Echo = 20,
  /** A server begins, with these namespaces: who is there? */
  Hello = 21,
  /** The answer: all namespaces of this server. */
  Here = 22,
  /** This server lives, and has so many namespaces. */
  Alive = 23,
  /** It has made one more. */
  Made = 24,
  /** To one server: which namespaces has it? */
  Who = 25,
  /** It has closed its last namespace, and is no more. */
  Gone = 26,
  /** The newest state of a connection, for its recovery. */
  Session = 30,
  /** A connection that cannot be recovered any more. */
  SessionEnd = 31,
  /** A client has come back: the first claim of a session in the log gets it. */
  Claim = 32,
}

/** A record of the log as it is read: `[type, uid, number, created, data, replies]`. */
export interface LogRecord {
  type: number;
  /** The server that wrote it. */
  uid: string;
  /** Of its records, one for each; the same however often it is sent. */
  number: number;
  /** When it was written: milliseconds since 1970, by the clock of its server. */
  created: number;
  data: unknown;
  /** The partition of the replies that its server reads; -1: it did not know yet. */
  replies: number;
  /** How many it has as it is in the log. */
  bytes: number;
}

/** So deep a record may be. */
const DEEPEST = 1000;

/** The bytes of a record: JSON, or msgpack where there are bytes in it. */
export type Body = string | Uint8Array;

export function bytesOf(body: Body): number {
  return typeof body === 'string' ? Buffer.byteLength(body) : body.length;
}

/** The name of senders that are no servers: socket.io-adapter counts it as none. */
export const EMITTER = 'emitter';

/** The headers, by which records are left out before they reach JavaScript. */
export const Header = {
  /** The server that wrote it. */
  From: 'f',
  /** The only server that it is for. */
  To: 't',
  /** Its own server reads it, too. */
  Echo: 'e',
  /** Written by a server that speaks over another adapter, too. */
  Bridged: 'b',
} as const;

/** @throws TypeError for what has no form as JSON: a circle, a BigInt without `toJSON` */
export function encodeRecord({ type, uid, number, created, data, replies }: Omit<LogRecord, 'bytes'>): Body {
  if (hasBytes(data)) return encode(plain([type, uid, number, created, data ?? null, replies]), { maxDepth: DEEPEST + 1 });
  return JSON.stringify([type, uid, number, created, data ?? null, replies]);
}

/** A socket, or its session, without those of its fields that have no form as JSON: a timer in its `data`, a session in its handshake. */
export function sendable<T extends object>(socket: T): T {
  return Object.fromEntries(
    Object.entries(socket).map(([name, field]) => {
      try {
        encodeRecord({ type: 0, uid: '', number: 0, created: 0, data: field, replies: 0 });
        return [name, field];
      } catch {
        return [name, {}];
      }
    }),
  ) as T;
}

/** @throws Error for what is no record */
export function decodeRecord(value: Buffer | string): LogRecord {
  // An array of msgpack with six elements begins with 0x96, which begins no text.
  const array: unknown = typeof value !== 'string' && value[0] === 0x96 ? owned(decode(value)) : JSON.parse(value.toString());
  if (!Array.isArray(array) || array.length < 6) throw new Error('it is no array of six');
  const [type, uid, number, created, data, replies] = array;
  if (typeof type !== 'number' || typeof uid !== 'string' || typeof number !== 'number' || typeof created !== 'number' || typeof replies !== 'number')
    throw new Error('its fields have other types');
  return { type, uid, number, created, data, replies, bytes: bytesOf(value) };
}

/** The type of a record without the rest of it; NaN for what is none. */
export function typeOf(value: Buffer): number {
  // JSON: '[', then one or two digits and a comma. msgpack: the array's head, then a small number.
  if (value[0] === 0x96) return value[1]! < 0x80 ? value[1]! : NaN;
  if (value[0] !== 0x5b) return NaN;
  const first = value[1]! - 48;
  return value[2] === 0x2c ? first : first * 10 + value[2]! - 48;
}

function isBytes(value: object): value is ArrayBuffer | ArrayBufferView {
  return ArrayBuffer.isView(value) || value instanceof ArrayBuffer;
}

function hasBytes(value: unknown, depth = 0): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (isBytes(value)) return true;
  if (depth === DEEPEST) throw new TypeError(`It is a circle, or deeper than ${DEEPEST} objects in one another`);
  if (Array.isArray(value)) return value.some((element) => hasBytes(element, depth + 1));
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return hasBytes((value as { toJSON(): unknown }).toJSON(), depth + 1);
  for (const key in value) if (Object.hasOwn(value, key) && hasBytes((value as Record<string, unknown>)[key], depth + 1)) return true;
  return false;
}

/** As JSON has it, but for bytes: what other servers get does not depend on whether there are bytes in a packet. */
function plain(value: unknown): unknown {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (value === null || value === undefined || typeof value === 'string' || typeof value === 'boolean') return value;
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (Array.isArray(value)) return value.map((element) => plain(element) ?? null);
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return plain((value as { toJSON(): unknown }).toJSON());
  if (typeof value === 'bigint') throw new TypeError('A BigInt has no form as JSON');
  if (typeof value !== 'object') return undefined;
  const copy: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(value)) {
    const own = plain(field);
    if (own !== undefined) copy[key] = own;
  }
  return copy;
}

/** Bytes with memory of their own, as Buffers: what is decoded are views on a whole batch of records. */
function owned(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return Buffer.from(value);
  for (const [key, field] of Object.entries(value)) (value as Record<string, unknown>)[key] = owned(field);
  return value;
}
