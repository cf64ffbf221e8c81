'use strict';
// npm run test:long: all that is large, with random seeds. npm run test:long -- chaos memory: these parts; -- --list: their names.
//
// A part is a folder of test/long, tests of `npm test` with larger numbers, or both. SEED=... repeats a run.

const fs = require('node:fs');
const path = require('node:path');
const { binary, compile } = require('./testing/cargo.js');
const { single } = require('./testing/job.js');
const { kafka } = require('./testing/kafka.js');
const { testFile, testFiles } = require('./testing/node.js');
const { Suite } = require('./testing/suite.js');
const { Failure, ROOT, main } = require('./terminal.js');
const { setup } = require('./setup.js');

const SEED = process.env.SEED ?? String(Math.floor(Math.random() * 2 ** 31));
const env = { ...process.env, SEED };
/** Milliseconds for a job. */
const DEADLINE = 60 * 60_000;
const cluster = kafka();

/** @param {string} name @param {string[]} command @param {NodeJS.ProcessEnv} [more] */
const command = (name, command, more) => single(name, command, { env: { ...env, ...more }, deadline: DEADLINE });
/** @param {string} file @param {NodeJS.ProcessEnv} more larger numbers */
const larger = async (file, more) => testFile(file, { env: { ...env, ...(await cluster.env()), ...more }, deadline: DEADLINE });

/** A binary of the core's tests with larger numbers. @param {string} name @param {NodeJS.ProcessEnv} more */
async function largerRust(name, more) {
  const built = compile(env)?.find(({ file }) => path.basename(file) === name);
  if (!built) throw new Failure(`crates/core/tests/${name} does not compile, or is not there`);
  return { ...binary(built, { env: { ...env, ...(await cluster.env()), ...more } }), deadline: DEADLINE };
}

/** Jobs that a part has besides its folder of test/long. @type {Record<string, () => Promise<import('./testing/job.js').Job[]>>} */
const MORE = {
  benchmarks: async () => testFiles('bench/test', { env: { ...env, ...(await cluster.env()) }, deadline: DEADLINE }),
  chaos: async () => [command('chaos', ['npm', 'run', '--silent', 'chaos'], { SECONDS: '300' })],
  fuzz: async () => [command('fuzz', ['npm', 'run', '--silent', 'fuzz'], { SECONDS: '600' })],
  models: async () => [
    await largerRust('group_model.rs', { STEPS: '20000' }),
    await larger('test/kafka-model.test.js', { STEPS: '20000' }),
    await larger('test/socketio-order.test.js', { STEPS: '15000' }),
    await larger('test/deepstream-connector-model.test.js', { STEPS: '3000' }),
    await larger('test/crash.test.js', { KILLS: '100' }),
    await larger('test/exit.test.js', { ROUNDS: '12' }),
    await larger('test/idempotence.test.js', {}),
  ],
  outages: async () => [
    await larger('test/table.test.js', { ROUNDS: '6' }),
    await larger('test/kafka-producer.test.js', { ROUNDS: '3' }),
    await larger('test/socketio-rolling.test.js', { NODES: '3', SERVERS: '3', CLIENTS: '50' }),
  ],
  packages: async () => [
    // Compiles the addon again, for glibc 2.28: 4 minutes the first time.
    command('making the packages', ['npm', 'run', '--silent', 'package']),
    ...testFiles('test/packaging', { env, deadline: DEADLINE }),
  ],
  sanitize: async () => [command('sanitize', ['npm', 'run', '--silent', 'sanitize'])],
};

/** @param {string} part */
const folderOf = (part) => path.join('test/long', part);
const PARTS = [...new Set([...Object.keys(MORE), ...fs.readdirSync(path.join(ROOT, 'test/long'))])].sort();

main(async () => {
  const wanted = process.argv.slice(2);
  if (wanted.includes('--list')) return console.log(PARTS.join('\n'));
  const unknown = wanted.filter((name) => !PARTS.includes(name));
  if (unknown.length > 0) throw new Failure(`no part is called ${unknown.join(', ')}; there are ${PARTS.join(', ')}`);

  const suite = new Suite();
  console.log(`SEED=${SEED}`);
  try {
    const ready = await suite.part('Set-up', () => setup({ test: true }).then(() => []));
    for (const part of !ready ? [] : wanted.length > 0 ? wanted : PARTS)
      await suite.part(part, async () => {
        const more = (await MORE[part]?.()) ?? [];
        if (!fs.existsSync(path.join(ROOT, folderOf(part)))) return more;
        return [...more, ...testFiles(folderOf(part), { env: { ...env, ...(await cluster.env()) }, deadline: DEADLINE })];
      });
    return await suite.end();
  } finally {
    await cluster.stop();
  }
});
