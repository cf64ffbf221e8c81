'use strict';
// The same tarballs on every runtime: Node 20, 22, 24 and the newest, Bun and Deno. docs/runtimes.md says what holds where;
// the versions are in test/runtimes/package.json. Only linux-x64 has them all on npm.

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync } = require('node:fs');
const { join } = require('node:path');
const { after, before, describe, test } = require('node:test');
const { Folder, ROOT } = require('../../packaging/support.js');
const { platformName } = require('../../../js/kafka-native/dist/platform.js');

const programs = join(ROOT, 'test/packaging/programs');
const source = join(ROOT, 'test/runtimes');
const cache = join(ROOT, 'target/runtimes');
const program = (...path) => join(cache, 'node_modules', ...path);

const runtimes = {
  'Node 20': { command: [program('node-20/bin/node')] },
  'Node 22': { command: [program('node-22/bin/node')] },
  'Node 24': { command: [program('node-24/bin/node')] },
  'the newest Node': { command: [program('node-newest/bin/node')] },
  Bun: { command: [program('bun/bin/bun')], env: { DO_NOT_TRACK: '1' } },
  Deno: { command: [program('deno/deno'), 'run', '--allow-all', '--quiet'], env: { DENO_NO_UPDATE_CHECK: '1' } },
};

/** Installs the runtimes below target/, when that has not been done for this lock file. */
function install() {
  const lock = join(cache, 'package-lock.json');
  const done = join(cache, 'node_modules/.package-lock.json');
  if (existsSync(done) && existsSync(lock) && readFileSync(lock).equals(readFileSync(join(source, 'package-lock.json')))) return;
  mkdirSync(cache, { recursive: true });
  for (const name of ['package.json', 'package-lock.json']) copyFileSync(join(source, name), join(cache, name));
  const { status, stderr } = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: cache, encoding: 'utf8' });
  if (status !== 0) throw new Error(`the runtimes cannot be installed:\n${stderr}`);
}

describe('one binary for every runtime', { skip: platformName() !== 'linux-x64-gnu' && 'the runtimes are those for linux-x64-gnu' }, () => {
  let folder;
  before(async () => {
    install();
    folder = new Folder();
    await folder.install();
    folder.add(...readdirSync(programs).map((name) => join(programs, name)));
  });
  after(() => folder?.remove());

  for (const [name, { command, env }] of Object.entries(runtimes)) {
    const run = (args, how) => folder.run(command[0], [...command.slice(1), ...args], { env, ...how });

    describe(name, () => {
      test('require, import: a round trip', async () => {
        assert.match((await run(['require.js'])).stdout, /^1000 there and back$/m);
        assert.match((await run(['import.mjs'])).stdout, /^1000 there and back$/m);
      });

      test('every kind of payload, as strings and as Buffers', async () => {
        assert.match((await run(['payloads.js'])).stdout, /^10 payloads as they were$/m);
      });

      test('worker threads', async () => {
        assert.match((await run(['worker.js'])).stdout, /^1000 \+ 1000 \+ 1000 there and back$/m);
      });

      test('four cluster workers', async () => {
        assert.match((await run(['cluster.js'])).stdout, /^500 \+ 500 \+ 500 \+ 500 there and back$/m);
      });

      test('process.exit() and an uncaught exception in the middle of traffic', async () => {
        assert.match((await run(['endings.js', 'exit'], { code: 7 })).stdout, /^recorded true$/m);
        const { stdout, stderr } = await run(['endings.js', 'exception'], { code: 1 });
        assert.match(stdout, /^flowing$/m);
        assert.match(stderr, /on purpose/);
      });

      test('workers that are terminated in the middle of traffic', async () => {
        assert.match((await run(['endings.js', 'terminate'])).stdout, /^5 terminated, then 1000 there and back$/m);
      });

      test('a consumer keeps the process, an idle producer does not', async () => {
        assert.match((await run(['endings.js', 'alive'])).stdout, /^received a late message$/m);
        assert.match((await run(['endings.js', 'idle'])).stdout, /^ended by itself$/m);
      });
    });
  }

  // The page's claims for each alone.
  test('Bun and Deno run TypeScript as it is', async () => {
    for (const name of ['Bun', 'Deno']) {
      const { command, env } = runtimes[name];
      assert.match((await folder.run(command[0], [...command.slice(1), 'typed.ts'], { env })).stdout, /^1000 there and back$/m);
    }
  });

  test('Deno with no more permissions than it needs', async () => {
    const permissions = ['--allow-ffi=node_modules/@kafka-native', '--allow-env=KAFKA_NATIVE_ADDON', '--allow-read=.', '--allow-write=.'];
    const run = (...args) => folder.run(program('deno/deno'), ['run', '--quiet', '--no-prompt', ...args, 'require.js'], { env: runtimes.Deno.env });
    assert.match((await run(...permissions)).stdout, /^1000 there and back$/m);
    for (const permission of permissions.slice(0, 2)) {
      await assert.rejects(run(...permissions.filter((each) => each !== permission)), /NotCapable|Requires|denied|not granted/i);
    }
  });
});
