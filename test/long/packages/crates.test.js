'use strict';
// Contents of the crates.

const assert = require('node:assert/strict');
const { execFileSync, spawnSync } = require('node:child_process');
const { test } = require('node:test');
const { ROOT } = require('../../packaging/support.js');

test('the crates can be published, and each carries both', () => {
  // Without building them from what would be uploaded: that compiles every C library once more, and the release workflow does it.
  const args = ['publish', '--workspace', '--dry-run', '--no-verify', '--allow-dirty', '--target-dir', 'target/packaging/publish'];
  const { status, stderr } = spawnSync('cargo', args, { cwd: ROOT, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  assert.deepEqual([...stderr.matchAll(/Uploading (\S+)/g)].map(([, name]) => name).sort(), ['kafka-native', 'kafka-native-librdkafka']);
  for (const crate of ['kafka-native-librdkafka', 'kafka-native']) {
    const files = execFileSync('cargo', ['package', '--list', '--allow-dirty', '-p', crate], { cwd: ROOT, encoding: 'utf8' }).split('\n');
    for (const name of ['LICENSE', 'THIRD-PARTY-NOTICES', 'README.md', 'src/lib.rs']) assert.ok(files.includes(name), `${crate} has no ${name}`);
  }
});
