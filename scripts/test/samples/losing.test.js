'use strict';
// Counts one message too few the first time: that is never chance.
const fs = require('node:fs');
const { test } = require('node:test');
const assert = require('node:assert/strict');

test('nothing is lost', () => {
  const first = !fs.existsSync(String(process.env.WITNESS));
  fs.writeFileSync(String(process.env.WITNESS), '');
  assert.equal(first ? 999 : 1000, 1000);
});
