'use strict';
// An installation of socket.io-kafka: its tarball beside kafka-native's, without the work tree.

const assert = require('node:assert/strict');
const { join } = require('node:path');
const { after, before, test } = require('node:test');
const { Folder, typesCompile } = require('./support.js');

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

typesCompile(() => folder, program('socketio-typed.ts'));
