'use strict';
// Programs that have to be on the machine before anything can be built or tested, and what to install when they are not.

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { NAMES } = require('../deps/chromium');
const { Failure, ROOT } = require('./terminal.js');

/**
 * @typedef {object} Prerequisite
 * @property {string} what as a person calls it, with the oldest version that does
 * @property {() => string | undefined} problem undefined: it is there
 * @property {string} [apt] the packages of Debian and Ubuntu
 * @property {string} [brew] the packages of Homebrew
 * @property {string} [other] how else to get it
 */

const OLDEST_NODE = Number(/\d+/.exec(require('../package.json').engines.node)?.[0]);
const OLDEST_RUST = /^rust-version = "(.*)"/m.exec(fs.readFileSync(path.join(ROOT, 'Cargo.toml'), 'utf8'))?.[1] ?? '';
const OLDEST_JAVA = 17;

const GET_RUST = "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh    (to update one: rustup update stable)";

/** @type {Prerequisite[]} */
const TO_BUILD = [
  {
    what: `Node ${OLDEST_NODE} or newer`,
    problem: () => atLeast(process.versions.node, String(OLDEST_NODE)),
    other: 'https://nodejs.org',
    brew: 'node',
  },
  { what: 'npm', problem: () => said('npm', ['--version']).problem, apt: 'npm', brew: 'node' },
  {
    what: `Rust ${OLDEST_RUST} or newer (rustc)`,
    problem: () => versionOf('rustc', ['--version'], /rustc ([\d.]+)/, OLDEST_RUST),
    other: GET_RUST,
  },
  { what: 'cargo', problem: () => said('cargo', ['--version']).problem, other: GET_RUST },
  {
    what: 'a C compiler with its headers',
    problem: () => compiles(process.env.CC ? [process.env.CC] : ['cc', 'gcc', 'clang'], 'c', '#include <stdlib.h>\n#include <pthread.h>\n'),
    apt: 'build-essential',
    other: 'macOS: xcode-select --install',
  },
  {
    what: 'a C++ compiler with its headers',
    problem: () => compiles(process.env.CXX ? [process.env.CXX] : ['c++', 'g++', 'clang++'], 'c++', '#include <string>\n'),
    apt: 'build-essential',
    other: 'macOS: xcode-select --install',
  },
  { what: 'make', problem: () => said('make', ['--version']).problem, apt: 'build-essential', other: 'macOS: xcode-select --install' },
  {
    // OpenSSL's configure; a minimal perl lacks these modules.
    what: 'perl with its standard modules',
    problem: () => said('perl', ['-MIPC::Cmd', '-MFindBin', '-MData::Dumper', '-e', '1']).problem,
    apt: 'perl',
    brew: 'perl',
  },
];

/** For the real servers that tests and benchmarks start, and the browser. @type {Prerequisite[]} */
const TO_TEST = [
  {
    what: `a JDK ${OLDEST_JAVA} or newer (java; on Ubuntu 22.04: openjdk-17-jdk-headless)`,
    problem: () => {
      const java = process.env.JAVA_HOME ? path.join(process.env.JAVA_HOME, 'bin', 'java') : 'java';
      return versionOf(java, ['-version'], /version "([\d.]+)/, String(OLDEST_JAVA));
    },
    apt: 'default-jdk-headless',
    brew: 'openjdk',
  },
  { what: "Maven (mvn), which fetches Kafka's jars", problem: () => said('mvn', ['-v']).problem, apt: 'maven', brew: 'maven' },
  {
    what: 'Python 3 with venv and pip, which install zig, which makes the packages',
    problem: () => (process.platform === 'linux' ? said('python3', ['-c', 'import venv, ensurepip']).problem : undefined),
    apt: 'python3-venv',
  },
  { what: 'openssl, which makes the certificates of the TLS tests', problem: () => said('openssl', ['version']).problem, apt: 'openssl', brew: 'openssl' },
  {
    what: 'redis-server, beside which socket.io-kafka is tried (or REDIS_SERVER names one)',
    problem: () => said(process.env.REDIS_SERVER || 'redis-server', ['--version']).problem,
    apt: 'redis-server',
    brew: 'redis',
  },
  {
    what: 'Chromium, which shows the pages of examples (or CHROMIUM names one)',
    problem: () => runs(process.env.CHROMIUM ? [process.env.CHROMIUM] : NAMES, ['--version']),
    apt: 'chromium',
    brew: 'chromium',
  },
];

/**
 * Throws a Failure that names everything that is missing, and what to install.
 *
 * @param {{ test: boolean }} options test: what the tests need, too
 */
function checkPrerequisites({ test }) {
  findRust();
  const missing = (test ? [...TO_BUILD, ...TO_TEST] : TO_BUILD)
    .map((prerequisite) => ({ ...prerequisite, reason: prerequisite.problem() }))
    .filter(({ reason }) => reason !== undefined);
  if (missing.length === 0) return;

  const lines = ['These are missing:', ...missing.map(({ what, reason }) => `  - ${what}: ${reason}`), '', 'To install them:'];
  const packages = (/** @type {'apt' | 'brew'} */ manager) => [...new Set(missing.map((one) => one[manager]).filter(Boolean))].join(' ');
  const mac = process.platform === 'darwin';
  if (!mac && packages('apt')) lines.push(`  Debian, Ubuntu: sudo apt-get install ${packages('apt')}`);
  if (mac && packages('brew')) lines.push(`  Homebrew: brew install ${packages('brew')}`);
  const others = missing.filter(({ apt, other }) => other && (mac || !apt));
  for (const other of new Set(others.map((one) => one.other))) {
    lines.push(
      `  ${others
        .filter((one) => one.other === other)
        .map(({ what }) => what)
        .join(', ')}: ${other}`,
    );
  }
  throw new Failure([...lines, '', 'Then run the same command again.'].join('\n'));
}

/** rustup puts Rust where only a new login shell looks for it. */
function findRust() {
  const bin = path.join(process.env.CARGO_HOME ?? path.join(os.homedir(), '.cargo'), 'bin');
  if (said('rustc', ['--version']).problem && fs.existsSync(path.join(bin, 'rustc'))) {
    process.env.PATH = `${bin}${path.delimiter}${process.env.PATH}`;
  }
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {string} [input]
 * @returns {{ text: string, problem?: string }}
 */
function said(command, args, input) {
  const { error, status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', input: input ?? '' });
  if (error) return { text: '', problem: /** @type {any} */ (error).code === 'ENOENT' ? `there is no '${command}'` : error.message };
  const text = `${stdout}${stderr}`.trim();
  return status === 0 ? { text } : { text, problem: `'${[command, ...args].join(' ')}' fails: ${text.split('\n')[0]}` };
}

/** @param {string[]} commands one of them is enough @param {string[]} args */
function runs(commands, args) {
  const problems = commands.map((command) => said(command, args).problem);
  return problems.includes(undefined) ? undefined : problems.join(', ');
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {RegExp} pattern finds the version in what it says
 * @param {string} oldest
 */
function versionOf(command, args, pattern, oldest) {
  const { text, problem } = said(command, args);
  return problem ?? atLeast(pattern.exec(text)?.[1] ?? '0', oldest);
}

/** @param {string} version @param {string} oldest */
function atLeast(version, oldest) {
  const [have, want] = [version, oldest].map((one) => one.split('.').map(Number));
  for (const [i, number] of want.entries()) {
    if ((have[i] ?? 0) > number) return undefined;
    if ((have[i] ?? 0) < number) return `this is version ${version}`;
  }
  return undefined;
}

/**
 * @param {string[]} compilers the first that is there is asked
 * @param {string} language
 * @param {string} program
 */
function compiles(compilers, language, program) {
  const compiler = compilers.find((name) => !said(name, ['--version']).problem);
  if (!compiler) return `there is no ${compilers.map((name) => `'${name}'`).join(' or ')}`;
  const { text, problem } = said(compiler, ['-x', language, '-fsyntax-only', '-'], program);
  return problem && `'${compiler}' cannot compile a program: ${text.split('\n').find((line) => line.includes('error')) ?? text}`;
}

module.exports = { checkPrerequisites };
