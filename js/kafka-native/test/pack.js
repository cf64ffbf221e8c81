'use strict';
// Packs a batch as the addon does, by the layout that it declares (dist/layout.js is made of crates/core/src/layout.rs).

const layout = require('../dist/layout.js');

/** The names of a table, in the order of their places, as a message or run of these tests has them: keyLength, first. */
const names = (table) => Object.keys(table).filter((name) => Number.isNaN(Number(name)));
const camel = (name) => name[0].toLowerCase() + name.slice(1);

/** Values of the fields that a message or run leaves out. */
const UNSAID = { timestamp: -1, topic: 0, epoch: 1, leaderEpoch: -1, timestampType: 1 };

/**
 * @typedef {{ offset: number, timestamp?: number, key?: string | Uint8Array | null, value?: string | Uint8Array | null, headers?: [string, string | Uint8Array | null][] }} Message
 * @typedef {{ topic?: number, partition: number, epoch?: number, leaderEpoch?: number, timestampType?: number, messages: Message[] }} Run
 * @param {Run[]} runs
 * @param {{ misses?: number, repeats?: number, ascii?: boolean }} [since]
 */
function pack(runs, { misses = 0, repeats = 0, ascii } = {}) {
  const bytes = (value) => (value == null ? null : Buffer.from(value));
  const given = runs.flatMap((run) => run.messages);
  const pieces = [];
  let end = 0;
  const put = (piece) => {
    pieces.push(piece);
    end += piece.length;
    return end - piece.length;
  };
  const messages = given.map((message) => {
    const [key, value] = [bytes(message.key), bytes(message.value)];
    const position = end;
    for (const part of [key, value]) if (part) put(part);
    return { ...message, position, keyLength: key?.length ?? -1, valueLength: value?.length ?? -1 };
  });
  const blocks = given.map(({ headers }) => (headers ? put(headerBlock(headers, bytes)) : -1));
  const withHeaders = blocks.some((at) => at >= 0);

  let first = 0;
  const described = runs.map((run) => {
    first += run.messages.length;
    return { ...run, first: first - run.messages.length };
  });
  const column = (of) => (name) => of.map((one) => one[camel(name)] ?? UNSAID[camel(name)]);
  const doubles = [misses, repeats, ...names(layout.Double).flatMap(column(messages))];
  const runFields = described.flatMap((run) => names(layout.RunField).map((name) => column([run])(name)[0]));
  const ints = [...names(layout.Int).flatMap(column(messages)), ...(withHeaders ? blocks : []), ...runFields];

  const intsAt = 4 * layout.HEADER_INTS + 8 * doubles.length;
  const dataAt = intsAt + 4 * ints.length;
  const allAscii = given.every(({ key, value }) => [key, value].every((field) => field == null || bytes(field).every((byte) => byte < 128)));
  const flags = (withHeaders ? layout.Flag.Headers : 0) | ((ascii ?? allAscii) ? layout.Flag.Ascii : 0);
  const header = { messages: messages.length, runs: runs.length, flags, data: dataAt, charge: end };

  const packed = new Uint8Array(dataAt + end);
  new Int32Array(packed.buffer, 0, layout.HEADER_INTS).set(names(layout.Header).map((name) => header[camel(name)]));
  new Float64Array(packed.buffer, 4 * layout.HEADER_INTS, doubles.length).set(doubles);
  new Int32Array(packed.buffer, intsAt, ints.length).set(ints);
  packed.set(Buffer.concat(pieces), dataAt);
  return packed;
}

function headerBlock(headers, bytes) {
  const int = (value) => {
    const buffer = Buffer.alloc(4);
    buffer.writeInt32LE(value);
    return buffer;
  };
  const each = headers.flatMap(([name, header]) => {
    const value = bytes(header);
    return [int(Buffer.byteLength(name)), int(value?.length ?? -1), Buffer.from(name), value ?? Buffer.alloc(0)];
  });
  return Buffer.concat([int(headers.length), ...each]);
}

module.exports = { pack };
