'use strict';
// What a message costs JavaScript in CPU, by the way in which eachBatch and eachMessage give it: `node bench/lazy.js`.

const { Batch, PackedBatch } = require('../js/kafka-native/dist/kafka/consumer/lazy-batch.js');

const COUNT = 2000;
const BATCHES = 200;

/** A batch as the addon packs it (js/kafka-native/src/binding.ts): one run, no keys, values of 100 bytes. */
function pack() {
  const dataAt = 32 + 16 + 16 * COUNT + 12 * COUNT + 24;
  const packed = new Uint8Array(dataAt + 100 * COUNT);
  new Int32Array(packed.buffer, 0, 8).set([COUNT, 1, 0, dataAt, packed.length, 0, 0, 0]);
  const doubles = new Float64Array(packed.buffer, 32, 2 + 2 * COUNT);
  const ints = new Int32Array(packed.buffer, 48 + 16 * COUNT, 3 * COUNT + 6);
  for (let i = 0; i < COUNT; i++) {
    doubles[2 + i] = 1_000_000 + i;
    doubles[2 + COUNT + i] = 1_700_000_000_000 + (i >> 5);
    ints[i] = 100 * i;
    ints[COUNT + i] = -1;
    ints[2 * COUNT + i] = 100;
  }
  ints.set([0, 0, 1, -1, 1, 0], 3 * COUNT);
  return packed;
}

const ways = {
  'lazy, nothing read': (batch) => batch.messages.length,
  'lazy, value': (batch) => { let sum = 0; for (const message of batch.messages) sum += message.value.length; return sum; },
  'lazy, value and offset': (batch) => { let sum = 0; for (const message of batch.messages) sum += message.value.length + message.offset.length; return sum; },
  'lazy, every field': (batch) => { let sum = 0; for (const { key, value, offset, timestamp, headers } of batch.messages) sum += value.length + offset.length + timestamp.length + (key ? 1 : 0) + (headers.a ? 1 : 0); return sum; },
  'plain objects, value': (batch) => { let sum = 0; for (const message of Array.from({ length: batch.size }, (_, i) => batch.read(i))) sum += message.value.length; return sum; },
  'columns, lengths': (batch) => { let sum = 0; for (const length of batch.columns.valueLengths) sum += length; return sum; },
};

const packed = pack();
const measured = Object.fromEntries(Object.keys(ways).map((name) => [name, []]));
for (let round = 0; round < 7; round++) {
  for (const [name, way] of Object.entries(ways)) {
    const begun = process.cpuUsage();
    for (let i = 0; i < BATCHES; i++) way(new Batch('t', new PackedBatch(i, packed).run(0), () => 5));
    const { user, system } = process.cpuUsage(begun);
    measured[name].push((1000 * (user + system)) / BATCHES / COUNT);
  }
}
for (const [name, each] of Object.entries(measured)) console.log(`${name}: ${Math.round(each.sort((a, b) => a - b)[3])} ns of CPU a message`);
