'use strict';
// The CPU that a message costs JavaScript, by the way in which eachBatch and eachMessage give it: `node bench/lazy.js`.

const { Batch, PackedBatch } = require('../js/kafka-native/dist/kafka/consumer/lazy-batch.js');
const { pack } = require('../js/kafka-native/test/pack.js');

const COUNT = 2000;
const BATCHES = 200;

/** One run, no keys, values of 100 bytes. */
const value = Buffer.alloc(100);
const messages = Array.from({ length: COUNT }, (_, i) => ({ offset: 10_000_000_000 + i, timestamp: 1_700_000_000_000 + (i >> 5), value }));
const packed = pack([{ partition: 0, messages }]);

const ways = {
  'lazy, nothing read': (batch) => batch.lazyMessages.length,
  'lazy, value': (batch) => {
    let sum = 0;
    for (const message of batch.lazyMessages) sum += message.value.length;
    return sum;
  },
  'lazy, value and offset': (batch) => {
    let sum = 0;
    for (const message of batch.lazyMessages) sum += message.value.length + message.offset.length;
    return sum;
  },
  'lazy, every field': (batch) => {
    let sum = 0;
    for (const { key, value, offset, timestamp, headers } of batch.lazyMessages)
      sum += value.length + offset.length + timestamp.length + (key ? 1 : 0) + (headers.a ? 1 : 0);
    return sum;
  },
  'plain, value': (batch) => {
    let sum = 0;
    for (const message of batch.messages) sum += message.value.length;
    return sum;
  },
  'plain, value and offset': (batch) => {
    let sum = 0;
    for (const message of batch.messages) sum += message.value.length + message.offset.length;
    return sum;
  },
  'plain, every field': (batch) => {
    let sum = 0;
    for (const { key, value, offset, timestamp, headers } of batch.messages)
      sum += value.length + offset.length + timestamp.length + (key ? 1 : 0) + (headers.a ? 1 : 0);
    return sum;
  },
  'one by one, value': (batch) => {
    let sum = 0;
    for (const message of batch.read()) sum += message.value.length;
    return sum;
  },
  'columns, lengths': (batch) => {
    let sum = 0;
    for (const length of batch.columns.valueLengths) sum += length;
    return sum;
  },
};

const measured = Object.fromEntries(Object.keys(ways).map((name) => [name, []]));
for (let round = 0; round < 7; round++) {
  for (const [name, way] of Object.entries(ways)) {
    const begun = process.cpuUsage();
    for (let i = 0; i < BATCHES; i++) way(new Batch('t', new PackedBatch(i, packed, false).runs(), () => 5));
    const { user, system } = process.cpuUsage(begun);
    measured[name].push((1000 * (user + system)) / BATCHES / COUNT);
  }
}
for (const [name, each] of Object.entries(measured)) console.log(`${name}: ${Math.round(each.sort((a, b) => a - b)[3])} ns of CPU a message`);
