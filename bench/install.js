'use strict';
// Installs the other clients below `contenders/`, on demand and once: they are no part of the project, and two are compiled for
// minutes.

const { spawnSync } = require('node:child_process');
const { createHash } = require('node:crypto');
const { existsSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { CONTENDERS } = require('./contenders.js');

const FOLDER = join(__dirname, 'contenders');
const MODULES = join(FOLDER, 'node_modules');
/** The result of the installation: the lock file that it was of, and why contenders could not be built. */
const STAMP = join(MODULES, '.installed.json');
/** kafka-crab-js and @platformatic/kafka ask for it; on npm it is only there for Linux x64. */
const NODE_24 = join(MODULES, 'node-24');

/** The one Node that all contenders run on: that of `contenders/` if it is there, else this one. */
const node = () => (existsSync(NODE_24) ? join(NODE_24, 'bin/node') : process.execPath);

const lock = () =>
  createHash('sha256')
    .update(readFileSync(join(FOLDER, 'package-lock.json')))
    .digest('hex');

/** @returns {{ lock?: string, problems: Record<string, string> }} */
const stamp = () => (existsSync(STAMP) ? JSON.parse(readFileSync(STAMP, 'utf8')) : { problems: {} });

/** Runs npm on the contenders' Node; returns why it failed. */
function npm(args, env = {}) {
  const cli = process.env.npm_execpath ?? join(spawnSync('npm', ['root', '--global'], { encoding: 'utf8' }).stdout.trim(), 'npm/bin/npm-cli.js');
  // With `jobs` in the environment node-gyp of these two fails; `nodedir` has the headers of the Node that they will run on.
  const inherited = Object.entries(process.env).filter(([name]) => !/^npm_config_(jobs|nodedir)$/i.test(name));
  const path = `${join(node(), '..')}:${process.env.PATH}`;
  const { status, stderr, stdout } = spawnSync(node(), [cli, ...args, '--no-audit', '--no-fund'], {
    cwd: FOLDER,
    encoding: 'utf8',
    env: { ...Object.fromEntries(inherited), PATH: path, ...(existsSync(NODE_24) && { npm_config_nodedir: NODE_24 }), ...env },
    maxBuffer: 2 ** 28,
  });
  return status === 0 ? undefined : `npm ${args.join(' ')} failed: ${`${stdout}${stderr}`.trim().split('\n').slice(-8).join('\n')}`;
}

/** @param {(text: string) => void} say */
function install(say) {
  if (stamp().lock === lock()) return;
  rmSync(MODULES, { recursive: true, force: true });
  say('Installing the contenders');
  // Twice: the second time on the Node that the first one brought, because an npm passes over what its own Node cannot run.
  const problem = npm(['ci', '--ignore-scripts']) ?? npm(['install', '--ignore-scripts', '--no-save']);
  if (problem) throw new Error(problem);
  const problems = {};
  for (const [name, { package: id, build }] of Object.entries(CONTENDERS)) {
    if (build === undefined) continue;
    say(`Compiling ${id}, which takes some minutes`);
    const problem = npm(['rebuild', id], build);
    if (problem) problems[name] = problem;
  }
  writeFileSync(STAMP, JSON.stringify({ lock: lock(), problems }));
}

/**
 * Whether a contender can run.
 *
 * @returns {{ version?: string, problem?: string }} problem: why not
 */
function installed(name) {
  const { package: id } = CONTENDERS[name];
  if (id === undefined) return {};
  const manifest = join(MODULES, id, 'package.json');
  if (!existsSync(manifest)) return { problem: 'not installed' };
  const { version } = JSON.parse(readFileSync(manifest, 'utf8'));
  return { version: version.replace(/^v/, ''), problem: stamp().problems[name] };
}

module.exports = { install, installed, node };
