'use strict';
const assert = require('node:assert/strict');
const { test } = require('node:test');
require('./support.js'); // chooses the addon
const { Arena } = require('../dist/arena.js');

for (const [name, last] of Object.entries({ 'é': 'é', '日': '日', '🙂': '🙂', 'half a character': '\ud800', 'an ASCII character': 'y' })) {
  for (const times of [1, 3, 6]) {
    test(`a long string is whole wherever its memory ends: ${name} ${times} times at its end`, () => {
      for (let free = 0; free <= 6; free++) {
        const arena = new Arena('kafkajs');
        arena.add({ value: Buffer.alloc(240_000) });
        const end = last.repeat(times);
        const text = 'x'.repeat(arena.bytes.length - arena.end - 4 - free - end.length) + end;
        arena.add({ value: text });
        assert.deepEqual(arena.bytes.subarray(240_000, arena.end), Buffer.from(text), `${free} bytes free`);
        assert.equal(arena.index[4], Buffer.byteLength(text));
      }
    });
  }
}
