'use strict';
// npm test: every test there is. Stops behind the first part with a failure; the last line has the sum.
//
// One real Kafka is started and shared by all that does not destroy it; with KAFKA_BROKER set, that cluster is used.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const { Failure, ROOT, exitOf, green, main, red, step, tell } = require('./terminal.js');
const { setup } = require('./setup.js');

/**
 * @typedef {{ passed: number, failed: number, skipped: number }} Sum
 * @typedef {(env: NodeJS.ProcessEnv) => Promise<Sum>} Part
 */

/** Milliseconds for a file of tests: one that hangs is named, and does not hold up the rest until everything is given up. */
const PATIENCE = 15 * 60_000;

/**
 * The test files of a folder, each in a process of its own, one after another: they measure time, and start brokers.
 *
 * @param {string} folder
 * @returns {Part}
 */
const nodeTests = (folder) => async (env) => {
  const files = fs
    .readdirSync(path.join(ROOT, folder))
    .filter((name) => name.endsWith('.test.js'))
    .map((name) => path.join(folder, name));
  if (files.length === 0) throw new Failure(`${folder} has no tests`);
  const counts = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'kafka-native-')), 'counts.json');
  try {
    const reporters = [
      '--test-reporter=spec',
      '--test-reporter-destination=stdout',
      '--test-reporter=./scripts/count.mjs',
      `--test-reporter-destination=${counts}`,
    ];
    const code = await exitOf(process.execPath, ['--test', '--test-concurrency=1', `--test-timeout=${PATIENCE}`, ...reporters, ...files], { env });
    const text = fs.existsSync(counts) ? fs.readFileSync(counts, 'utf8') : '';
    return checked(code, text ? JSON.parse(text) : { passed: 0, failed: 0, skipped: 0 });
  } finally {
    fs.rmSync(path.dirname(counts), { recursive: true, force: true });
  }
};

/** @type {Part} */
async function cargoTests(env) {
  let output = '';
  const code = await exitOf('cargo', ['test', '--workspace', '--release', '--no-fail-fast'], { env, onOutput: (text) => (output += text) });
  const sum = { passed: 0, failed: 0, skipped: 0 };
  for (const [, passed, failed, ignored] of output.matchAll(/^test result: .* (\d+) passed; (\d+) failed; (\d+) ignored/gm)) {
    sum.passed += Number(passed);
    sum.failed += Number(failed);
    sum.skipped += Number(ignored);
  }
  return checked(code, sum);
}

/**
 * A command that is one test.
 *
 * @param {string} command
 * @param {string[]} args
 * @returns {Part}
 */
const single =
  (command, ...args) =>
  async (env) =>
    checked(await exitOf(command, args, { env }), { passed: 0, failed: 0, skipped: 0 }, 1);

/**
 * What is random in a part is the same in every run, unless SEED says otherwise: a change is judged by what it changes. By hand
 * each run has another.
 *
 * @param {number} seed
 * @param {Part} part
 * @returns {Part}
 */
const seeded = (seed, part) => (env) => part({ SEED: String(seed), ...env });

/**
 * A runner that failed without naming a test counts as a failure of its own.
 *
 * @param {number} code
 * @param {Sum} sum
 * @param {number} [passed] how many tests a success without a count is
 */
function checked(code, sum, passed = 0) {
  if (code !== 0 && sum.failed === 0) sum.failed = 1;
  if (code === 0) sum.passed += passed;
  return sum;
}

/** @type {Record<string, Part>} */
const WITHOUT_KAFKA = {
  ...(spawnSync('cargo', ['fmt', '--version']).status === 0 && { 'The form of the Rust code': single('cargo', 'fmt', '--all', '--check') }),
  'The rules and types of the JavaScript code': single('npm', 'run', '--silent', 'lint:js'),
  'The package kafka-native': nodeTests('js/kafka-native/test'),
  ...Object.fromEntries(
    fs
      .readdirSync(path.join(ROOT, 'js'))
      .filter((name) => fs.existsSync(path.join(ROOT, 'js', name, 'test/types')))
      .map((name) => [`The types of ${name}, as users see them`, single(process.execPath, 'node_modules/typescript/bin/tsc', '-p', `js/${name}/test/types`)]),
  ),
  'The launcher of the real Kafka': nodeTests('deps/kafka/test'),
  'The launcher of Redis': nodeTests('deps/redis/test'),
  'The launcher of Chromium': nodeTests('deps/chromium/test'),
};

/** @type {Record<string, Part>} */
const WITH_KAFKA = {
  'The Rust crates': seeded(14, cargoTests),
  'Flows across the packages, on the embedded and the real Kafka': seeded(14, nodeTests('test')),
  'Fuzzing, for two minutes': seeded(21, single('npm', 'run', '--silent', 'fuzz')),
  'The examples': nodeTests('examples/test'),
  'The benchmarks: that they run, not how fast': nodeTests('bench/test'),
};

/** @type {Record<string, Part>} */
const FAULTS = {
  'Chaos: brokers and clients are killed, and KafkaJS judges the log': seeded(2026, single('npm', 'run', '--silent', 'chaos')),
};

/** @type {Record<string, Part>} */
const PACKAGES = {
  'Making the packages: the addon is compiled again, for glibc 2.28, which takes about 4 minutes the first time': single('npm', 'run', '--silent', 'package'),
  'The packages: what is in them, installed without network, on every runtime': nodeTests('test/packaging'),
};

async function all() {
  const total = { passed: 0, failed: 0, skipped: 0 };
  /** @param {Record<string, Part>} parts @param {NodeJS.ProcessEnv} env */
  const go = async (parts, env) => {
    for (const [name, part] of Object.entries(parts)) {
      if (total.failed > 0) return;
      step(name);
      const sum = await part(env);
      for (const key of /** @type {(keyof Sum)[]} */ (Object.keys(total))) total[key] += sum[key];
    }
  };

  try {
    await setup({ test: true });
    const { KAFKA_BROKER, KAFKA_CLUSTER_JSON, ...env } = process.env;
    await go(WITHOUT_KAFKA, env);
    if (total.failed > 0) return total;
    const { KafkaCluster } = require('../deps/kafka');
    step(KAFKA_BROKER ? `Using the Kafka at ${KAFKA_BROKER}` : 'Starting a real Kafka for the tests');
    const cluster = KAFKA_BROKER ? undefined : await KafkaCluster.start();
    try {
      await go(WITH_KAFKA, { ...env, ...(cluster?.env ?? { KAFKA_BROKER }) });
    } finally {
      await cluster?.stop();
    }
    await go({ ...FAULTS, ...PACKAGES }, env);
  } catch (error) {
    // What is missing or does not start is a failure like any other.
    tell(error);
    total.failed++;
  }
  return total;
}

main(async () => {
  const began = Date.now();
  const { passed, failed, skipped } = await all();
  const minutes = ((Date.now() - began) / 60_000).toFixed(1);
  console.log(`\n${failed > 0 ? red('There are failures, see above.') : green('All is well.')} ${skipped} skipped; it took ${minutes} minutes.`);
  console.log(`${passed} passed, ${failed} failed`);
  return failed > 0 ? 1 : 0;
});
