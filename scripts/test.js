'use strict';
// npm test: what must hold before anything is handed over. npm test -- WORD...: only the files with a WORD in their names.
//
// One real Kafka is started and shared by all that does not destroy it; with KAFKA_BROKER set, that cluster is used.

const { spawnSync } = require('node:child_process');
const { binary, compile, documentation } = require('./testing/cargo.js');
const { single } = require('./testing/job.js');
const { kafka } = require('./testing/kafka.js');
const { testFiles } = require('./testing/node.js');
const { typesOfPackages } = require('./testing/packages.js');
const { Suite } = require('./testing/suite.js');
const { Failure, main } = require('./terminal.js');
const { setup } = require('./setup.js');

/** What is random is the same in every run, unless SEED says otherwise: a change is judged by what it changes. */
const SEED = '14';

main(async () => {
  const suite = new Suite(process.argv.slice(2));
  const { KAFKA_BROKER, KAFKA_CLUSTER_JSON, ...outside } = process.env;
  const env = { SEED, ...outside };
  const strict = { env, strict: true };
  if (!(await suite.part('Set-up', () => setup({ test: true }).then(() => [])))) return suite.end();

  await suite.part('Form, rules and types', () => [
    ...(spawnSync('cargo', ['fmt', '--version']).status === 0 ? [single('the form of the Rust code', ['cargo', 'fmt', '--all', '--check'], strict)] : []),
    single('the rules and types of the JavaScript code', ['npm', 'run', '--silent', 'lint:js'], strict),
    ...typesOfPackages(strict),
  ]);
  await suite.part('The result of npm test', () => testFiles('scripts/test', strict));
  await suite.part('kafka-native without a Kafka', () => testFiles('js/kafka-native/test', strict));
  await suite.part('The launchers of Kafka, Redis and Chromium', () =>
    ['kafka', 'redis', 'chromium'].flatMap((name) => testFiles(`deps/${name}/test`, { env })),
  );

  const cluster = kafka();
  try {
    await suite.part('The Rust crates', async () => {
      const built = compile(env);
      if (!built) throw new Failure('The Rust tests do not compile, see above');
      const withKafka = { env: { ...env, ...(await cluster.env()) } };
      return [...built.map((each) => binary(each, withKafka)), documentation(withKafka.env)];
    });
    const flows = async (/** @type {string} */ folder) => testFiles(folder, { env: { ...env, ...(await cluster.env()) } });
    await suite.part('Flows across the packages, on the embedded and the real Kafka', () => flows('test'));
    await suite.part('The examples', () => flows('examples/test'));
    await suite.part('The benchmarks: that they run, not how fast', () => flows('bench/test'));
    await suite.part('Fuzzing', () => [single('fuzz', ['npm', 'run', '--silent', 'fuzz'], { env: { ...env, SEED: '21', ROUNDS: '20' } })]);
    await suite.part('The packages, installed without network', () => [
      single('making the packages', ['npm', 'run', '--silent', 'package', '--', '--built'], { env }),
      ...testFiles('test/packaging', { env }),
    ]);
    return await suite.end();
  } finally {
    await cluster.stop();
  }
});
