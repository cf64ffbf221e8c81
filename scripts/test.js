'use strict';
// npm test: what must hold before anything is handed over. npm test -- WORD...: only the files with a WORD in their names.
//
// One real Kafka is started and shared by all that does not destroy it; with KAFKA_BROKER set, that cluster is used.

const { spawnSync } = require('node:child_process');
const { rust } = require('./testing/cargo.js');
const { single } = require('./testing/job.js');
const { kafka } = require('./testing/kafka.js');
const { testFiles } = require('./testing/node.js');
const { typesOfPackages } = require('./testing/packages.js');
const { Suite } = require('./testing/suite.js');
const { main } = require('./terminal.js');
const { setup } = require('./setup.js');

/** Random values are the same in every run, unless SEED says otherwise: a change is judged by what it changes. */
const SEED = '14';

/** Most tests wait, so as many run at a time. More are slower together, and some fail beside a program that takes a core. */
const ABREAST = 4;

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
  const cluster = kafka();
  try {
    await suite.part(
      'Rust, launchers, flows on the embedded and the real Kafka, examples, fuzzing',
      async () => {
        const withKafka = { env: { ...env, ...(await cluster.env()) } };
        const launchers = ['kafka', 'redis', 'chromium'].flatMap((name) => testFiles(`deps/${name}/test`, { env }));
        const flows = ['test', 'examples/test'].flatMap((folder) => testFiles(folder, withKafka));
        const fuzz = single('fuzz', ['npm', 'run', '--silent', 'fuzz'], { env: { ...env, SEED: '21', ROUNDS: '6' } });
        // The compiler first: the Rust tests come when it is done.
        return [rust(withKafka), ...flows, fuzz, ...launchers];
      },
      ABREAST,
    );
    await suite.part('The packages, installed without network', () => [
      single('making the packages', ['npm', 'run', '--silent', 'package', '--', '--built'], { env }),
      ...testFiles('test/packaging', { env }),
    ]);
    return await suite.end();
  } finally {
    await cluster.stop();
  }
});
