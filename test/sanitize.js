'use strict';
// npm run sanitize: the core's tests under valgrind's memcheck: invalid reads and writes, uninitialised values, double frees,
// and memory that is definitely lost. Not a part of npm test: it takes some minutes.
//
//   npm run sanitize -- embedded       only the test binaries whose name contains this

const { spawnSync } = require('node:child_process');
const path = require('node:path');

const root = path.join(__dirname, '..');
const only = process.argv[2];

if (spawnSync('valgrind', ['--version']).status !== 0) {
  console.error('npm run sanitize needs valgrind: apt-get install valgrind (Debian, Ubuntu), dnf install valgrind (Fedora)');
  process.exit(1);
}

// The same profile as everything else: another one would build OpenSSL and librdkafka again.
const built = spawnSync('cargo', ['test', '--release', '-p', 'kafka-native', '--tests', '--no-run', '--message-format=json'],
  { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 28, stdio: ['ignore', 'pipe', 'inherit'] });
if (built.status !== 0) process.exit(built.status ?? 1);
const binaries = built.stdout.split('\n')
  .filter((line) => line.startsWith('{'))
  .map((line) => JSON.parse(line))
  .filter(({ executable, profile }) => executable && profile.test && (!only || path.basename(executable).includes(only)))
  .map(({ executable }) => executable);
if (binaries.length === 0) {
  console.error(`no test binary${only ? ` with '${only}' in its name` : ''}`);
  process.exit(1);
}

let failed = 0;
for (const binary of binaries) {
  console.log(`valgrind ${path.relative(root, binary)}`);
  const { status, signal } = spawnSync('valgrind', [
    '--error-exitcode=99', '--leak-check=full', '--errors-for-leak-kinds=definite', '--show-leak-kinds=definite',
    '--num-callers=30', '--fair-sched=yes', `--suppressions=${path.join(__dirname, 'sanitize.supp')}`,
    binary, '--test-threads=1',
  ], { cwd: path.join(root, 'crates', 'core'), stdio: 'inherit' });
  if (status === 0) continue;
  failed++;
  console.error(status === 99 ? `${binary}: valgrind found errors` : `${binary}: ended with ${status ?? signal}`);
}
console.log(failed === 0 ? 'nothing found' : `${failed} of ${binaries.length} failed`);
process.exit(failed === 0 ? 0 : 1);
