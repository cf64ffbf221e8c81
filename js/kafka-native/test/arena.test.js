'use strict';
const assert = require('node:assert/strict');
const { test } = require('node:test');
require('./support.js'); // chooses the addon
const { Arena } = require('../dist/arena.js');

for (const [name, last] of Object.entries({ 'é': 'é', '日': '日', '🙂': '🙂', 'half a character': '\ud800', 'an ASCII character': 'y' })) {
  test(`a long string is whole wherever its memory ends: ${name} at its end`, (t) => {
    let again = 0;
    for (let free = 0; free <= 6; free++) {
      const arena = new Arena('kafkajs');
      arena.add({ value: Buffer.alloc(240_000) });
      const { bytes } = arena;
      const text = `${'x'.repeat(bytes.length - arena.end - 4 - free - last.length)}${last}`;
      const writes = t.mock.method(bytes, 'write');
      arena.add({ value: text });
      if (arena.bytes !== bytes || writes.mock.callCount() > 1) again++;
      assert.deepEqual(arena.bytes.subarray(240_000, arena.end), Buffer.from(text), `${free} bytes free`);
      assert.equal(arena.index[4], Buffer.byteLength(text));
    }
    // Without one the test would not have tried what it is for.
    if (last !== 'y') assert.ok(again > 0, 'no string was written again');
  });
}
