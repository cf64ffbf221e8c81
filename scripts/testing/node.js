'use strict';
// Files of node:test, each a job.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { Failure, ROOT } = require('../terminal.js');
const { crashed } = require('./job.js');

/**
 * @typedef {import('./job.js').Job} Job
 * @typedef {import('./job.js').Failure} TestFailure
 */

/** Milliseconds that a file of tests may take. */
const DEADLINE = 8 * 60_000;

/** Where the reporter writes; gone with this process. */
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'kafka-native-tests-'));
process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }));
let files = 0;

/** Words of tests that count messages, and of child processes that crashed: a failure of these is never chance. */
const COUNTED = /\b(lost|losing|loses?|doubled|duplicates?|twice|skip(s|ped)?|missed|missing|exactly once)\b/i;
const BROKEN = /\bcrashed; it said last\b|Segmentation fault|Check failed:|double free|stack smashing/;

/**
 * Whether a failure counts, also if it does not come again: a crash, and a comparison that failed in a test that counts messages.
 * A wait that was too short says nothing of them.
 *
 * @param {string} test
 * @param {{ text: string, code?: string }} error
 */
const isFinal = (test, { text, code }) => BROKEN.test(text) || (code === 'ERR_ASSERTION' && COUNTED.test(`${test} ${text.split('\n')[0]}`));

/**
 * The test files right in a folder.
 *
 * @param {string} in_ a folder of the repository
 * @param {{ env: NodeJS.ProcessEnv, strict?: boolean, deadline?: number }} how
 * @returns {Job[]}
 */
function testFiles(in_, how) {
  const names = fs.readdirSync(path.join(ROOT, in_)).filter((name) => name.endsWith('.test.js'));
  if (names.length === 0) throw new Failure(`${in_} has no tests`);
  return names.map((name) => testFile(path.join(in_, name), how));
}

/** A file that starts several brokers, or a browser. */
const [BROKERS, BROWSER] = [/\bnodes: [23]/, /chromium/i];
/** In a file's first lines: it is right only when nothing else runs, and says why. */
const ALONE = /^\/\/ Alone: ./m;

/**
 * @param {string} file
 * @param {{ env: NodeJS.ProcessEnv, strict?: boolean, deadline?: number }} how
 * @returns {Job}
 */
function testFile(file, { env, strict, deadline = DEADLINE }) {
  const events = path.join(folder, `${++files}.jsonl`);
  const reporters = ['spec', 'stdout', './scripts/testing/reporter.mjs', events];
  const source = fs.readFileSync(path.join(ROOT, file), 'utf8');
  const flags = reporters.map((value, i) => `--test-reporter${i % 2 ? '-destination' : ''}=${value}`);
  return {
    name: file,
    command: process.execPath,
    args: ['--test', ...flags, file],
    env,
    deadline,
    strict,
    heavy: BROKERS.test(source) ? 'brokers' : BROWSER.test(source) ? 'browser' : undefined,
    alone: ALONE.test(source),
    read: (end) => read(file, events, deadline, end),
  };
}

/** @param {string} file @param {string} events @param {number} deadline @param {import('./job.js').End} end */
function read(file, events, deadline, { code, signal, late, output }) {
  const lines = fs.existsSync(events) ? fs.readFileSync(events, 'utf8').split('\n') : [];
  fs.rmSync(events, { force: true });
  /** @type {string[]} */
  const running = [];
  const results = [];
  for (const text of lines) {
    // The last one may be cut off.
    if (!text.endsWith('}')) continue;
    const event = JSON.parse(text);
    if (event.begun) running.push(event.begun);
    else if (event.ended) running.splice(running.indexOf(event.ended), 1);
    // A suite, and a file, is no test, but may fail by itself: in its hooks, or with its process.
    else if (event.how === 'failed' ? event.error.because !== 'subtestsFailed' : !event.suite && !event.test.endsWith(file)) results.push(event);
  }
  const count = (/** @type {string} */ how) => results.filter((each) => each.how === how).length;
  const failed = results.filter(({ how }) => how === 'failed');
  const causes = failed.filter(({ error }) => error.because !== 'cancelledByParent');
  /** @type {TestFailure[]} */
  const failures = (causes.length > 0 ? causes : failed).map(({ test, error }) => ({
    test: test.endsWith(file) ? 'the file' : test,
    text: `${error.text}${error.signal || error.exitCode ? `\nits process ended with ${error.signal ?? error.exitCode}` : ''}`,
    final: crashed({ code: error.exitCode, signal: error.signal }) || isFinal(test, error),
  }));
  if (late) {
    const names = running.filter((name) => !name.endsWith(file)).join(', ');
    failures.push({ test: 'the file', text: `was ended after ${deadline / 1000} s; had not ended: ${names || 'the process, behind its tests'}`, final: false });
  } else if (code !== 0 && failures.length === 0) {
    failures.push({
      test: 'the file',
      text: `ended with ${signal ?? code}\n${output.trim().split('\n').slice(-20).join('\n')}`,
      final: crashed({ code, signal }),
    });
  } else if (results.length === 0) {
    failures.push({ test: 'the file', text: 'has no tests', final: true });
  }
  const tests = results.filter(({ how }) => how !== 'skipped').map(({ test, ms }) => ({ test, seconds: ms / 1000 }));
  return { passed: count('passed'), skipped: count('skipped'), failures, tests };
}

module.exports = { COUNTED, testFile, testFiles };
