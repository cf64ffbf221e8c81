'use strict';
// Headers as they are read: names are kept, and what was kept must not show.

const test = require('node:test');
const assert = require('node:assert/strict');
const { readHeaders } = require('../dist/headers.js');

/** A block as the addon packs it. */
function blockOf(headers) {
  const parts = [int(headers.length)];
  for (const [name, value] of headers) parts.push(int(Buffer.byteLength(name)), int(value === null ? -1 : value.length), Buffer.from(name), value ?? Buffer.alloc(0));
  return Buffer.concat(parts);
}

const int = (number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(number);
  return bytes;
};

/** At a place that is no multiple of anything, as in a batch. */
function read(headers) {
  const block = blockOf(headers);
  const bytes = Buffer.concat([Buffer.alloc(13, 0xff), block]);
  const copy = new Uint8Array(bytes).buffer;
  return readHeaders({ data: Buffer.from(copy, 5), buffer: copy, dataAt: 5 }, 8);
}

/** The same without anything kept. */
function expected(headers) {
  const all = new Map();
  for (const [name, value] of headers) all.set(name, [...(all.get(name) ?? []), value]);
  const result = {};
  for (const [name, values] of all) {
    Object.defineProperty(result, name, { value: values.length === 1 ? values[0] : values, enumerable: true, configurable: true, writable: true });
  }
  return result;
}

test('headers are what was sent: repeated, null, empty, long, with names that every object has, and names that take the place of one another', () => {
  const names = ['', 'a', 'trace-id', 'source', 'toString', '__proto__', 'constructor', 'hasOwnProperty', '1', 'é', 'n'.repeat(64), 'n'.repeat(65)];
  // Of one length, with the same first and last letter: of a cache's one place, whatever it looks at.
  for (let i = 0; i < 40; i++) names.push(`x${String(i).padStart(2, '0')}y`);
  for (let i = 0; i < 400; i++) names.push(`name-${i}`);
  let random = 1;
  const next = (below) => (random = (Math.imul(random, 1_103_515_245) + 12_345) & 0x7fffffff) % below;
  for (let round = 0; round < 3000; round++) {
    // Few names, so that they are repeated and come again, or all.
    const some = round % 3 === 0 ? names.length : 1 + next(6);
    const from = next(names.length);
    const headers = Array.from({ length: next(8) }, () => [names[(from + next(some)) % names.length], next(9) === 0 ? null : Buffer.alloc(next(20), next(256))]);
    const found = read(headers);
    assert.deepEqual(found, expected(headers));
    assert.deepEqual(Object.keys(found), Object.keys(expected(headers)));
    assert.equal(Object.getPrototypeOf(found), Object.prototype);
  }
});

test('a value is a Buffer like any other, over the memory of its batch', () => {
  const headers = read([['a', Buffer.from('value')]]);
  assert.equal(Object.getPrototypeOf(headers.a), Buffer.prototype);
  assert.equal(headers.a.toString(), 'value');
  assert.ok(headers.a.buffer.byteLength > 5);
});
