'use strict';
const { test } = require('node:test');

test('passes', () => {});
test('breaks its process', () => process.abort());
