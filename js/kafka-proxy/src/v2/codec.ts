// How protocol 2's objects become frames.

import { Decoder, Encoder } from '@msgpack/msgpack';

export interface Codec {
  readonly name: 'json' | 'msgpack';
  /** @throws what the frame has wrong */
  decode(data: Buffer, binary: boolean): unknown;
  encode(document: object): Buffer | string;
  readonly binary: boolean;
}

export const json: Codec = {
  name: 'json',
  binary: false,
  decode: (data) => JSON.parse(data.toString('utf8')),
  encode: (document) => JSON.stringify(document),
};

// Shared: each call begins anew.
const encoder = new Encoder({ ignoreUndefined: true });
const decoder = new Decoder();

export const msgpack: Codec = {
  name: 'msgpack',
  binary: true,
  decode(data, binary) {
    if (!binary) throw new Error('a text frame, where msgpack is binary');
    return decoder.decode(data);
  },
  encode: (document) => Buffer.from(encoder.encode(document)),
};
