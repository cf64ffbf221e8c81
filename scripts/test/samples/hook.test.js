'use strict';
const { before, describe, test } = require('node:test');

describe('a suite', () => {
  before(() => {
    throw new Error('no broker');
  });
  test('never begins', () => {});
});
