'use strict';
// The cost of a batch as a document, made in Rust, and by JavaScript over its messages: `node bench/encode.js`.

const { encode } = require('@msgpack/msgpack');
const { Batch, BatchFormat } = require('kafka-native');

const COUNT = 1000;
const TIMES = 200;

const text = 'a text of a hundred bytes, as programs write them, with neither a quote nor an accent '.padEnd(100, '.');
const quoted = 'a text of a hundred bytes, with a "quote" and an é in it, as people write them '.padEnd(98, '.');
const json = JSON.stringify({ id: 4711, name: 'somebody', tags: ['one', 'two'], nested: { price: 12.5, open: true }, note: 'x'.repeat(140) });
const headers = { source: 'bench', trace: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' };
const batchOf = (value, more) =>
  Batch.of(
    't',
    0,
    Array.from({ length: COUNT }, (_, i) => ({ offset: 1_000_000 + i, timestamp: 1_700_000_000_000 + i, key: `key-${i}`, value, ...more })),
  );

/** The same objects as `encode` writes. */
const plain = (batch, value) =>
  batch.messages.map((message) => ({
    offset: message.offset,
    timestamp: message.timestamp,
    key: message.key?.toString() ?? null,
    value: message.value === null ? null : value(message.value),
    headers: Object.fromEntries(Object.entries(message.headers).map(([name, each]) => [name, String(each)])),
  }));
const stringified = (batch, value) => Buffer.from(JSON.stringify(plain(batch, value)));
const sparse = (batch) =>
  Buffer.from(
    JSON.stringify(
      batch.messages.map(({ offset, timestamp, key, value }) => ({
        offset: Number(offset),
        timestamp: Number(timestamp),
        key: String(key),
        value: String(value),
      })),
    ),
  );
const packed = (batch) =>
  encode(batch.messages.map(({ offset, timestamp, key, value }) => ({ offset: Number(offset), timestamp: Number(timestamp), key, value })));
const legacy = (batch) => Buffer.from(JSON.stringify(batch.messages.map(({ value, offset }) => ({ message: value.toString(), offset: Number(offset) }))));

const frames = { numbers: true, sparse: true };
const shape = (batch, codec, options, beside) => ({ batch, format: new BatchFormat(codec, options), beside });
const asText = (batch) => stringified(batch, String);
const shapes = {
  'text of 100 bytes': shape(batchOf(text), 'json', {}, asText),
  'the same, with a quote and an accent': shape(batchOf(quoted), 'json', {}, asText),
  'the same with two headers': shape(batchOf(quoted, { headers }), 'json', {}, asText),
  'JSON of 250 bytes': shape(batchOf(json), 'json', { value: 'json' }, (batch) => stringified(batch, (bytes) => JSON.parse(String(bytes)))),
  'base64 of 100 bytes': shape(batchOf(text), 'json', { value: 'base64' }, (batch) => stringified(batch, (bytes) => bytes.toString('base64'))),
  'a frame of numbers, without what is empty': shape(batchOf(text), 'json', frames, sparse),
  '{ message, offset } of 100 bytes': shape(
    batchOf(text),
    'json',
    { names: { value: 'message', offset: 'offset' }, numbers: true, invalid: 'replace' },
    legacy,
  ),
  'msgpack of 100 bytes': shape(batchOf(text), 'msgpack', frames, packed),
  'msgpack text of 100 bytes': shape(batchOf(text), 'msgpack', { ...frames, key: 'text', value: 'text' }, packed),
};

/** Median ns of CPU a message. The event loop turns between two batches, as it does where batches come: their memory is freed by it. */
async function measure(work) {
  const rounds = [];
  for (let round = 0; round < 7; round++) {
    const begun = process.cpuUsage();
    for (let i = 0; i < TIMES; i++) {
      work();
      await new Promise(setImmediate);
    }
    const { user, system } = process.cpuUsage(begun);
    rounds.push((1000 * (user + system)) / TIMES / COUNT);
  }
  return rounds.sort((a, b) => a - b)[3];
}

async function main() {
  console.log(`Node ${process.version}, ${COUNT} messages a batch, median of 7 rounds, ns of CPU a message`);
  for (const [name, { batch, format, beside }] of Object.entries(shapes)) {
    const [made, theirs] = [batch.encode(format), beside(batch)].map(String);
    if (!name.startsWith('msgpack') && JSON.stringify(JSON.parse(made)) !== JSON.stringify(JSON.parse(theirs))) {
      throw new Error(`${name}: they differ: ${made.slice(0, 200)} and ${theirs.slice(0, 200)}`);
    }
    const [rust, javascript] = [await measure(() => batch.encode(format)), await measure(() => beside(batch))];
    console.log(`${name}: encode ${Math.round(rust)}, JavaScript ${Math.round(javascript)}: ${(javascript / rust).toFixed(1)} times`);
  }
}

main();
