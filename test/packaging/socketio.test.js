'use strict';
// What a user of socket.io-kafka gets: its tarball beside kafka-native's, without the work tree.

const { cpSync, writeFileSync } = require('node:fs');
const assert = require('node:assert/strict');
const { join } = require('node:path');
const { after, before, test } = require('node:test');
const { Folder, ROOT } = require('./support.js');

const program = (name) => join(__dirname, 'programs', name);
let folder;

before(async () => {
  folder = new Folder();
  await folder.install();
  folder.installBeside('socket.io-kafka', 'socket.io', 'socket.io-client');
  folder.add(...['socketio.js', 'socketio-require.js', 'socketio-import.mjs'].map(program));
});
after(() => folder.remove());

test('require: servers speak to one another', async () => {
  assert.match((await folder.run(process.execPath, ['socketio-require.js'])).stdout, /^from another server$/m);
});

test('import: the same, and the same copy', async () => {
  assert.match((await folder.run(process.execPath, ['socketio-import.mjs'])).stdout, /^from another server$/m);
});

for (const { what, source, options } of [
  { what: 'node16, CommonJS', source: 'typed.cts', options: { module: 'node16', moduleResolution: 'node16' } },
  { what: 'node16, ESM', source: 'typed.mts', options: { module: 'node16', moduleResolution: 'node16' } },
  { what: 'bundler', source: 'typed.ts', options: { module: 'esnext', moduleResolution: 'bundler' } },
]) {
  test(`TypeScript, moduleResolution ${what}: compiles`, async () => {
    cpSync(program('socketio-typed.ts'), join(folder.path, source));
    const types = { types: ['node'], typeRoots: [join(ROOT, 'node_modules/@types')], skipLibCheck: true };
    writeFileSync(
      join(folder.path, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: { ...options, ...types, target: 'es2022', strict: true, noEmit: true }, files: [source] }),
    );
    await folder.run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', folder.path]);
  });
}
