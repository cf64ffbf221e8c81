'use strict';
// The result of npm test can be trusted: each kind of failure is said, at the end of the log.

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const assert = require('node:assert/strict');

/** The last output of a run of these samples, and its code. */
function run(t, names, env = {}) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'kafka-native-suite-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  const { NODE_TEST_CONTEXT, ...outside } = process.env;
  const { status, stdout } = spawnSync(process.execPath, [path.join(__dirname, 'samples/run.js'), ...names], {
    encoding: 'utf8',
    env: { ...outside, WITNESS: path.join(folder, 'witness'), ...env },
  });
  return { code: status, end: stdout.slice(stdout.indexOf('\nMinutes')), last: stdout.trim().split('\n').at(-1) };
}

test('what passes is counted', (t) => {
  const { code, last } = run(t, ['passing']);
  assert.deepEqual([code, last], [0, '1 passed, 0 failed, 1 skipped']);
});

test('a failure is named with its file and first lines, and what is behind it runs', (t) => {
  const { code, end, last } = run(t, ['failing', 'passing']);
  assert.match(end, /^Failed\n {2}scripts\/test\/samples\/failing\.test\.js: a suite › fails always\n.*Expected values to be strictly equal/m);
  assert.deepEqual([code, last], [1, '2 passed, 1 failed, 1 skipped']);
});

test('a failure that does not come again is flaky: named, counted, and the run is green', (t) => {
  const { code, end, last } = run(t, ['flaky']);
  assert.match(end, /^Flaky.*\n {2}scripts\/test\/samples\/flaky\.test\.js: fails once\n.*too slow, this time/m);
  assert.doesNotMatch(end, /^Failed/m);
  assert.deepEqual([code, last], [0, '1 passed, 0 failed, 0 skipped']);
});

test('a lost message is no chance', (t) => {
  const { code, end } = run(t, ['losing']);
  assert.match(end, /^Failed\n.*losing\.test\.js: nothing is lost/m);
  assert.equal(code, 1);
});

test('nor is a crash', (t) => {
  const { code, end } = run(t, ['crashing']);
  assert.match(end, /^Failed\n.*crashing\.test\.js: the file\n[^]*SIGABRT/m);
  assert.equal(code, 1);
});

test('a file that hangs is ended, and what had not ended is named', (t) => {
  const { code, end } = run(t, ['hanging'], { DEADLINE: '3000' });
  assert.match(end, /^Failed\n.*hanging\.test\.js: the file\n.*had not ended: never ends$/m);
  assert.equal(code, 1);
});

test('a hook that fails is the failure, not the tests that it kept from beginning', (t) => {
  const { code, end, last } = run(t, ['hook']);
  assert.match(end, /^Failed\n.*hook\.test\.js: a suite\n.*no broker/m);
  assert.deepEqual([code, last], [1, '0 passed, 1 failed, 0 skipped']);
});
