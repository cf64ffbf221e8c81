'use strict';
// The binaries of cargo's tests, each a job.

const path = require('node:path');
const { spawnSync } = require('node:child_process');
const { Failure, ROOT } = require('../terminal.js');
const { crashed, single } = require('./job.js');
const { COUNTED } = require('./node.js');

/**
 * @typedef {import('./job.js').Job} Job
 * @typedef {{ file: string, binary: string, cwd: string }} Built
 */

/** Milliseconds that a binary may take. */
const DEADLINE = 10 * 60_000;
/** The same for the compiler, which has what the tests beside it leave. */
const COMPILED = 40 * 60_000;

/**
 * Compiles the tests and the examples of all crates.
 *
 * @param {NodeJS.ProcessEnv} env
 * @returns {Built[] | undefined} undefined: it does not compile, and cargo has said why
 */
function compile(env) {
  const args = ['test', '--workspace', '--release', '--no-run', '--message-format=json-render-diagnostics'];
  const { status, stdout } = spawnSync('cargo', args, { cwd: ROOT, env, encoding: 'utf8', maxBuffer: 2 ** 28, stdio: ['ignore', 'pipe', 'inherit'] });
  if (status !== 0) return undefined;
  const built = stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))
    .filter(({ executable, profile }) => executable && profile.test);
  return built.map(({ executable, target, manifest_path }) => ({
    file: path.relative(ROOT, target.src_path),
    binary: executable,
    cwd: path.dirname(manifest_path),
  }));
}

/**
 * Compiles the tests; then each binary is a job, and the documentation is one.
 *
 * @param {{ env: NodeJS.ProcessEnv }} how
 * @returns {Job}
 */
function rust({ env }) {
  // The tests beside it come first: they watch the clock.
  const command = ['nice', '-n', '10', 'cargo', 'test', '--workspace', '--release', '--no-run'];
  const job = single('compiling the Rust tests', command, { env, deadline: COMPILED, strict: true });
  return {
    ...job,
    next() {
      const built = compile(env);
      if (!built) throw new Failure('The Rust tests do not compile, see above');
      return [...built.map((each) => binary(each, { env })), documentation(env)];
    },
  };
}

/**
 * @param {Built} built
 * @param {{ env: NodeJS.ProcessEnv }} how
 * @returns {Job}
 */
function binary({ file, binary, cwd }, { env }) {
  /** @param {string[]} args @returns {Job} */
  const job = (args) => ({
    name: file,
    command: binary,
    args,
    cwd,
    env: { ...env, CARGO_MANIFEST_DIR: cwd },
    deadline: DEADLINE,
    read,
    again: (failures) => job([...failures.map(({ test }) => test).filter((test) => test !== WHOLE), '--exact', '--test-threads=1']),
  });
  return job([]);
}

/** A failure that has no test's name. */
const WHOLE = 'the binary';

/** @param {import('./job.js').End} end */
function read({ code, signal, late, output, seconds }) {
  const [, passed = 0, ignored = 0] = /^test result: .*? (\d+) passed; \d+ failed; (\d+) ignored/m.exec(output) ?? [];
  const names = new Set([...output.matchAll(/^test (.+?) \.\.\. FAILED$/gm)].map(([, test]) => test));
  const failures = [...names].map((test) => {
    // Between its heading and the next one.
    const from = output.indexOf(`---- ${test} stdout ----`);
    const text =
      from < 0
        ? 'failed'
        : output
            .slice(from)
            .split('\n')
            .slice(1)
            .join('\n')
            .split(/^(?:---- .* stdout ----|failures:)$/m)[0]
            .trim();
    return { test, text, final: COUNTED.test(test.replaceAll('_', ' ')) && /assertion .*failed/.test(text) };
  });
  if (code !== 0 && failures.length === 0) {
    const slow = [...output.matchAll(/^test (.+?) has been running for over/gm)].map(([, test]) => test);
    const ended = new Set([...output.matchAll(/^test (.+?) \.\.\. /gm)].map(([, test]) => test));
    const how = late
      ? `was ended after ${DEADLINE / 1000} s; had not ended: ${slow.filter((test) => !ended.has(test)).join(', ') || 'unknown'}`
      : `ended with ${signal ?? code}\n${output.trim().split('\n').slice(-20).join('\n')}`;
    failures.push({ test: WHOLE, text: how, final: !late || crashed({ code, signal: null }) });
  }
  return { passed: Number(passed), skipped: Number(ignored), failures, tests: [{ test: 'all of it', seconds }] };
}

/**
 * The tests in pages and comments.
 *
 * @param {NodeJS.ProcessEnv} env
 * @returns {Job}
 */
function documentation(env) {
  const job = single('the documentation of the crates', ['cargo', 'test', '--workspace', '--release', '--doc'], { env });
  return { ...job, read: (end) => sum(job.read(end), end.output) };
}

/** @param {import('./job.js').Report} report @param {string} output */
function sum(report, output) {
  const results = [...output.matchAll(/^test result: .*? (\d+) passed; \d+ failed; (\d+) ignored/gm)];
  const total = (/** @type {number} */ column) => results.reduce((all, result) => all + Number(result[column]), 0);
  return { ...report, passed: total(1), skipped: total(2) };
}

module.exports = { binary, compile, rust };
