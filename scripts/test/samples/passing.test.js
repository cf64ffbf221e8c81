'use strict';
const { describe, test } = require('node:test');

describe('a suite', () => {
  test('passes', () => {});
  test('is skipped', { skip: 'on purpose' }, () => {});
});
