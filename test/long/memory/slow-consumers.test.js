'use strict';
// Memory stays bounded also with large messages, and while the loop is blocked.

const { describe } = require('node:test');
const { boundedMemory } = require('../../support/memory.js');

describe('a slow callback, and a producer at full speed', () => {
  boundedMemory([
    { size: 100 * 1024, slow: 'promise', until: 1300 },
    { size: 100 * 1024, slow: 'promise', payloads: 'buffer', until: 1300 },
    { size: 100, slow: 'sync', until: 30_000 },
    { size: 100 * 1024, slow: 'sync', until: 40 },
  ]);
});
