// msgpack, with headers of any name.

import { Decoder, encode } from '@msgpack/msgpack';

const PROTO = '__proto__';
/** In place of that name, which the decoder refuses. It begins with half a character, which no text on a wire has. */
const STAND_IN = `\ud800${PROTO}`;
const utf8 = new TextDecoder();

const decoder = new Decoder({
  keyDecoder: {
    canBeCached: (length) => length === PROTO.length,
    decode: (bytes, from, length) => {
      const name = utf8.decode(bytes.subarray(from, from + length));
      return name === PROTO ? STAND_IN : name;
    },
  },
});

export const codec = { encode, decode: (bytes: Uint8Array): unknown => decoder.decode(bytes) };

/** A header's name, as it was written. */
export const nameOf = (name: string): string => (name === STAND_IN ? PROTO : name);
