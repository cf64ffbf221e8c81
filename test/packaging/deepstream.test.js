'use strict';
// An installation of deepstream.io-msg-kafka: its tarball and deepstream.io-clusternode-kafka's beside kafka-native's, without the work tree.

const assert = require('node:assert/strict');
const { join } = require('node:path');
const { after, before, test } = require('node:test');
const { Folder } = require('./support.js');

let folder;

before(async () => {
  folder = new Folder();
  await folder.install();
  folder.installBeside('deepstream.io-msg-kafka', '@deepstream/client');
  folder.installBeside('deepstream.io-clusternode-kafka');
  folder.add(...['deepstream.js', 'deepstream-require.js', 'deepstream-import.mjs'].map((name) => join(__dirname, 'programs', name)));
});
after(() => folder.remove());

test('deepstream finds the cluster node by its path and by its name, and servers speak to one another', async () => {
  assert.match((await folder.run(process.execPath, ['deepstream-require.js'])).stdout, /^from another server$/m);
});

test('import gives what require gives', async () => {
  assert.match((await folder.run(process.execPath, ['deepstream-import.mjs'])).stdout, /^the same$/m);
});
