// Messages of client and proxy, as objects (docs/protocol.md), and how these become frames.

import type { ProduceResult } from './errors';

export interface TopicPartition {
  topic: string;
  partition: number;
}
/** `offset`: of the next message. */
export interface Place extends TopicPartition {
  offset: number;
}
export interface Lag extends Place {
  /** The offset behind the partition's last message. */
  end: number;
  /** Messages still to get (without a group) or to acknowledge (in one). */
  lag: number;
}

export type Headers = Record<string, unknown>;

export interface WireRecord {
  offset: number;
  timestamp: number;
  key?: string | Uint8Array | null;
  keyBase64?: string;
  value?: string | Uint8Array | null;
  valueBase64?: string;
  headers?: Headers;
  headersBase64?: Headers;
}

export interface Hello {
  type: 'hello';
  protocol: number;
  version: string;
  limits: { payload?: number; framesPerSecond?: number };
}

export type FromServer =
  | Hello
  | { type: 'assigned'; id: number; partitions: Place[] }
  | { type: 'revoked'; id: number; partitions: TopicPartition[] }
  | { type: 'batch'; id: number; topic: string; partition: number; records: WireRecord[] }
  | { type: 'caughtUp'; id: number }
  | { type: 'lag'; id: number; partitions: Lag[] }
  | ({ type: 'committed'; id: number } & Place)
  | { type: 'unsubscribed'; id: number }
  | { type: 'produced'; id: number; results: ProduceResult[] }
  | ErrorMessage;

export interface ErrorMessage extends Partial<TopicPartition> {
  type: 'error';
  id?: number;
  request?: string;
  code: string;
  message: string;
  retriable: boolean;
  fatal: boolean;
}

/** Objects and msgpack: `@msgpack/msgpack` has both functions. */
export interface Codec {
  encode(document: unknown): Uint8Array;
  decode(bytes: Uint8Array): unknown;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Bytes that are no UTF-8 have U+FFFD in their place. */
export function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

export function bytesOf(text: string): Uint8Array {
  return encoder.encode(text);
}

export function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}

export function toBase64(bytes: Uint8Array): string {
  let binary = '';
  // In pieces: a call has not arguments without end.
  for (let i = 0; i < bytes.length; i += 4096) binary += String.fromCharCode(...bytes.subarray(i, i + 4096));
  return btoa(binary);
}

/** How one socket's frames look. */
export interface Wire {
  readonly protocol: 'kafka.v2.json' | 'kafka.v2.msgpack';
  encode(document: object): string | Uint8Array;
  /** @throws when it is none */
  decode(data: unknown): FromServer;
  /** The wire's encoding for what is wanted as text, and as bytes. */
  readonly text: 'text' | 'binary';
  readonly bytes: 'base64' | 'binary';
}

export const jsonWire: Wire = {
  protocol: 'kafka.v2.json',
  encode: (document) => JSON.stringify(document),
  decode: (data) => JSON.parse(data as string),
  text: 'text',
  bytes: 'base64',
};

export function msgpackWire(codec: Codec): Wire {
  return {
    protocol: 'kafka.v2.msgpack',
    encode: (document) => codec.encode(document),
    decode: (data) => codec.decode(new Uint8Array(data as ArrayBuffer)) as FromServer,
    // Bytes become text here, whatever the codec makes of a msgpack text.
    text: 'binary',
    bytes: 'binary',
  };
}

/** Bytes that the proxy counts for a frame. */
export function sizeOf(data: unknown): number {
  if (typeof data === 'string') return bytesOf(data).length;
  return (data as ArrayBuffer | Uint8Array).byteLength;
}
