'use strict';
const { describe, test } = require('node:test');
const assert = require('node:assert/strict');

describe('a suite', () => {
  test('fails always', () => assert.equal(1, 2));
  test('passes', () => {});
});
