'use strict';
// node scripts/setup.js [--test]: checks what the machine has, installs packages, builds all. Needs nothing but Node.

const fs = require('node:fs');
const path = require('node:path');
const { checkPrerequisites } = require('./prerequisites.js');
const { ROOT, main, run, step } = require('./terminal.js');

/**
 * Does what has not been done yet, so it takes a second when all is there.
 *
 * @param {{ test?: boolean }} [options] test: for the tests, which need more than the build
 */
async function setup({ test = false } = {}) {
  checkPrerequisites({ test });
  await installPackages();
  step('Building the JavaScript package');
  await run('npm', 'run', '--silent', 'build:js');
  step(cBuilt() ? 'Building the addon' : 'Building the addon: librdkafka, OpenSSL and zstd are compiled once, which takes about 4 minutes');
  await run('npm', 'run', '--silent', 'build:addon');
}

async function installPackages() {
  const lock = path.join(ROOT, 'package-lock.json');
  // npm writes it at the end of an installation, so one that was cut off does not count.
  const done = path.join(ROOT, 'node_modules', '.package-lock.json');
  const modified = (/** @type {string} */ file) => fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (modified(done) >= modified(lock)) return;
  step('Installing npm packages');
  await run('npm', modified(done) ? 'install' : 'ci', '--include=dev', '--no-audit', '--no-fund');
  // npm leaves it as it is when nothing was to be done.
  fs.utimesSync(done, new Date(), new Date());
}

/** Whether cargo has built the C libraries once. */
function cBuilt() {
  const folder = path.join(process.env.CARGO_TARGET_DIR ?? path.join(ROOT, 'target'), 'release', 'build');
  if (!fs.existsSync(folder)) return false;
  // A build script's `output` is written when it has succeeded.
  return fs.readdirSync(folder).some((name) => name.startsWith('rdkafka-sys-') && fs.existsSync(path.join(folder, name, 'output')));
}

module.exports = { setup };

if (require.main === module) main(() => setup({ test: process.argv.includes('--test') }));
