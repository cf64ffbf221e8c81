'use strict';
// An installation of kafka-proxy: its tarball beside kafka-native's, without the work tree.

const { existsSync } = require('node:fs');
const assert = require('node:assert/strict');
const { join } = require('node:path');
const { after, before, test } = require('node:test');
const { Folder, typesCompile } = require('./support.js');

const program = (name) => join(__dirname, 'programs', name);
let folder;

before(async () => {
  folder = new Folder();
  await folder.install();
  folder.installBeside('kafka-proxy');
  folder.add(...['proxy.js', 'proxy-require.js', 'proxy-import.mjs'].map(program));
});
after(() => folder.remove());

test('require: a message goes through a proxy from one client to another', async () => {
  assert.match((await folder.run(process.execPath, ['proxy-require.js'])).stdout, /^through a proxy\nand its page$/m);
});

test('import: the same, and the same copy', async () => {
  assert.match((await folder.run(process.execPath, ['proxy-import.mjs'])).stdout, /^through a proxy$/m);
});

test('the command is there, says its version and teaches', async () => {
  const bin = join(folder.path, 'node_modules', 'kafka-proxy', 'dist', 'cli.js');
  assert.ok(existsSync(bin));
  assert.match((await folder.run(process.execPath, [bin, '--version'])).stdout, /^\d+\.\d+\.\d+$/m);
  assert.match((await folder.run(process.execPath, [bin, '--help'])).stdout, /--brokers[^]*Examples/);
});

typesCompile(() => folder, program('proxy-typed.ts'));
