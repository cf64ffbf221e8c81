'use strict';
// Bad input gives an error that names it, and never ends the process.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Child } = require('./support/child.js');
const { run } = require('./support/bad-input.js');

test('every kind of bad input is refused by name, or taken for what it is', async () => {
  assert.deepEqual(await run(), []);
});

test('and a process that did all of it ends by itself with exit code 0', async (t) => {
  const child = new Child(t, 'bad-input.js', {});
  const { wrong } = await child.says('done', 60_000);
  assert.deepEqual(wrong, []);
  await child.exits({ code: 0 });
});
