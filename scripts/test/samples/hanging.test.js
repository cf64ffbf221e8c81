'use strict';
const { test } = require('node:test');

test('ends', () => {});
test('never ends', async () => {
  setInterval(() => {}, 1000);
  await new Promise(() => {});
});
