'use strict';
// Brokers live no longer than the process that started them, however it ends.

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { lives, until } = require('../../../deps/kafka/test/support.js');

/** A process that starts three nodes, prints where, and then does `next`. @param {string} next */
async function starter(next) {
  const script = `
    const { KafkaCluster } = require(${JSON.stringify(path.join(__dirname, '../../../deps/kafka/index.js'))});
    KafkaCluster.start({ nodes: 3 }).then((cluster) => {
      console.log(JSON.stringify({ dir: cluster.dir, pids: cluster.nodes.map(({ pid }) => pid) }));
      ${next}
    });`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(child.stdout, 'data');
  /** @type {{ dir: string, pids: number[] }} */
  const { dir, pids } = JSON.parse(line);
  return { child, dir, pids };
}

for (const [how, next, end] of /** @type {const} */ ([
  ['is SIGKILLed', 'setInterval(() => {}, 1000);', 'SIGKILL'],
  ['is SIGTERMed', 'setInterval(() => {}, 1000);', 'SIGTERM'],
  ['throws', 'setImmediate(() => { throw new Error("on purpose"); });', undefined],
  ['forgets the cluster', '', undefined],
])) {
  test(`the brokers die and their folder goes when the process that started them ${how}`, async () => {
    const { child, dir, pids } = await starter(next);
    assert.equal(pids.length, 3);
    if (end) {
      assert.ok(pids.every(lives));
      child.kill(end);
    }
    await until(() => !pids.some(lives));
    await until(() => !fs.existsSync(dir));
  });
}
