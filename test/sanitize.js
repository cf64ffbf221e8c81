'use strict';
// npm run sanitize: the core's tests under valgrind's memcheck: invalid reads and writes, uninitialised values, double frees,
// and memory that is definitely lost. Not a part of npm test: it takes some minutes.
//
//   npm run sanitize -- embedded       only the test binaries whose name contains this

const { spawnSync } = require('node:child_process');
const path = require('node:path');
const { ROOT } = require('../scripts/terminal.js');
const { compile } = require('../scripts/testing/cargo.js');

const only = process.argv[2];

if (spawnSync('valgrind', ['--version']).status !== 0) {
  console.error('npm run sanitize needs valgrind: apt-get install valgrind (Debian, Ubuntu), dnf install valgrind (Fedora)');
  process.exit(1);
}

// The same profile as everything else: another one would build OpenSSL and librdkafka again.
const built = compile(process.env);
if (!built) process.exit(1);
const core = path.join(ROOT, 'crates', 'core');
const binaries = built.filter(({ cwd, binary }) => cwd === core && (!only || path.basename(binary).includes(only))).map(({ binary }) => binary);
if (binaries.length === 0) {
  console.error(`no test binary${only ? ` with '${only}' in its name` : ''}`);
  process.exit(1);
}

let failed = 0;
for (const binary of binaries) {
  console.log(`valgrind ${path.relative(ROOT, binary)}`);
  const { status, signal } = spawnSync('valgrind', [
    '--error-exitcode=99', '--leak-check=full', '--errors-for-leak-kinds=definite', '--show-leak-kinds=definite',
    '--num-callers=30', '--fair-sched=yes', `--suppressions=${path.join(__dirname, 'sanitize.supp')}`,
    binary, '--test-threads=1',
  ], { cwd: core, stdio: 'inherit' });
  if (status === 0) continue;
  failed++;
  console.error(status === 99 ? `${binary}: valgrind found errors` : `${binary}: ended with ${status ?? signal}`);
}
console.log(failed === 0 ? 'nothing found' : `${failed} of ${binaries.length} failed`);
process.exit(failed === 0 ? 0 : 1);
