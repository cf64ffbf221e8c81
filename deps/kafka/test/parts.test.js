'use strict';

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { withLock } = require('../lock.js');
const { releasePorts, reserve, reservePorts } = require('../ports.js');
const { temporaryFolder } = require('./support.js');

test('a lock has one holder at a time', async (t) => {
  const file = path.join(temporaryFolder(t), 'lock');
  let holders = 0;
  await Promise.all(
    [1, 2, 3].map(() =>
      withLock(file, async () => {
        assert.equal(++holders, 1);
        await new Promise(setImmediate);
        holders--;
      }),
    ),
  );
});

test("a dead process's lock is taken over", async (t) => {
  const file = path.join(temporaryFolder(t), 'lock');
  fs.symlinkSync(String(spawnSync('true').pid), file);
  assert.equal(await withLock(file, async () => 'mine'), 'mine');
});

test('ports lie below the ephemeral range and are nobody else\'s, until the folder that holds them is gone', async (t) => {
  const [one, two] = [temporaryFolder(t), temporaryFolder(t)];
  const ports = await reservePorts(one, 8);
  assert.ok(ports.every((port) => port >= 20000 && port < 32768));
  assert.equal(await reserve(two, ports[0]), false);
  releasePorts(ports.slice(1));
  assert.equal(await reserve(two, ports[1]), true);
  fs.rmSync(one, { recursive: true });
  assert.equal(await reserve(two, ports[0]), true);
  releasePorts(ports.slice(0, 2));
});
