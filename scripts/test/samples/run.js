'use strict';
// One suite with the samples that are named; DEADLINE in milliseconds.
const { testFile } = require('../../testing/node.js');
const { Suite } = require('../../testing/suite.js');

const suite = new Suite();
const how = { env: process.env, deadline: Number(process.env.DEADLINE ?? 60_000) };
suite
  .part('Samples', () => process.argv.slice(2).map((name) => testFile(`scripts/test/samples/${name}.test.js`, how)))
  .then(() => suite.end())
  .then((code) => (process.exitCode = code));
