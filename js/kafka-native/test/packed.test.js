'use strict';
// The packed batch: what the core's own test decodes (crates/core/src/batch.rs) is decoded, and packed, here.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { readBatch } = require('../dist/batch.js');
const { PackedBatch } = require('../dist/kafka/consumer/lazy-batch.js');
const { pack } = require('./pack.js');

const folder = path.join(__dirname, '../../../crates/core/tests');
const golden = JSON.parse(fs.readFileSync(path.join(folder, 'golden-batch.json'), 'utf8'));
const file = path.join(folder, 'golden-batch.bin');
// UPDATE=1 writes it anew, when the layout has changed on purpose.
if (process.env.UPDATE) fs.writeFileSync(file, pack(golden.runs, golden));
const bytes = new Uint8Array(fs.readFileSync(file));

const utf8 = (buffer) => buffer && buffer.toString();
const values = (value) => (Array.isArray(value) ? value.map(utf8) : utf8(value));
const texts = (headers) => Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name, values(value)]));
const grouped = (headers = []) => {
  const all = {};
  for (const [name, value] of headers) all[name] = name in all ? [all[name], value].flat() : value;
  return all;
};

test('the batch of these tests is the golden one, byte for byte', () => {
  assert.deepEqual(pack(golden.runs, golden), bytes);
});

test('the classic reader finds in the golden batch what was packed', () => {
  const { messages, misses, repeats } = readBatch(bytes, 't', 'utf8', 'utf8');
  assert.deepEqual([misses, repeats], [golden.misses, golden.repeats]);
  const found = messages.map(({ partition, offset, timestamp, key, payload, headers }) => ({ partition, offset, timestamp, key: key ?? null, value: payload, headers: texts(headers) }));
  const packed = golden.runs.flatMap(({ partition, messages }) => messages.map(({ headers, ...message }) => ({ partition, ...message, headers: grouped(headers) })));
  assert.deepEqual(found, packed);
});

test('lazy batches find in the golden batch what was packed', () => {
  const batch = new PackedBatch(1, bytes, false);
  assert.deepEqual([batch.misses, batch.repeats], [golden.misses, golden.repeats]);
  const found = batch.runs().map(({ topicId, partition, epoch, begin, end }) => ({
    topic: topicId, partition, epoch,
    messages: Array.from({ length: end - begin }, (_, i) => batch.message(begin + i)).map(({ offset, timestamp, key, value, headers }) => ({
      offset: Number(offset), timestamp: Number(timestamp), key: utf8(key), value: utf8(value), headers: texts(headers),
    })),
  }));
  const packed = golden.runs.map(({ topic, partition, epoch, messages }) => ({
    topic, partition, epoch, messages: messages.map(({ headers, ...message }) => ({ ...message, headers: grouped(headers) })),
  }));
  assert.deepEqual(found, packed);
});
