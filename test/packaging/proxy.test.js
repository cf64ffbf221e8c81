'use strict';
// What a user of kafka-proxy gets: its tarball beside kafka-native's, without the work tree.

const { cpSync, existsSync, writeFileSync } = require('node:fs');
const assert = require('node:assert/strict');
const { join } = require('node:path');
const { after, before, test } = require('node:test');
const { Folder, ROOT } = require('./support.js');

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

for (const { what, source, options } of [
  { what: 'node16, CommonJS', source: 'typed.cts', options: { module: 'node16', moduleResolution: 'node16' } },
  { what: 'node16, ESM', source: 'typed.mts', options: { module: 'node16', moduleResolution: 'node16' } },
  { what: 'bundler', source: 'typed.ts', options: { module: 'esnext', moduleResolution: 'bundler' } },
]) {
  test(`TypeScript, moduleResolution ${what}: compiles`, async () => {
    cpSync(program('proxy-typed.ts'), join(folder.path, source));
    const types = { types: ['node'], typeRoots: [join(ROOT, 'node_modules/@types')], skipLibCheck: true };
    writeFileSync(
      join(folder.path, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: { ...options, ...types, target: 'es2022', strict: true, noEmit: true }, files: [source] }),
    );
    await folder.run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', folder.path]);
  });
}
