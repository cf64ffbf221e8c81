'use strict';
// Makes workers in the middle of traffic end, round after round, in one process; then ends by itself.
//
// { client, topic, directory, rounds, seed }. A failed assertion here fails the process.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { Worker } = require('node:worker_threads');
const { options, say } = require('../support/child.js');
const { PATIENCE, byPartition, offsets, within } = require('../support/flow.js');
const { random } = require('../support/random.js');

const { client, topic, directory, rounds, seed } = options();
const chance = random(seed);

async function round(n, ending) {
  const where = `round ${n}, ${ending}`;
  const own = path.join(directory, `${n}-${ending}`);
  const settled = new SharedArrayBuffer(8 * 16);
  const delay = Math.floor(chance() * 60);
  const workerData = { client, topic, directory: own, settled, delay, ending: ending === 'terminate' ? 'none' : ending };
  const worker = new Worker(path.join(__dirname, 'traffic.js'), { workerData, stdout: true, stderr: true });
  let failure;
  worker.on('error', (error) => (failure = error));
  const traffic = new Promise((resolve) => worker.once('message', resolve));
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  await within(
    20_000,
    () => `${where}: no traffic, ${failure?.stack}`,
    () => Promise.race([traffic, ended]),
  );
  await within(PATIENCE, `${where}: the worker does not end`, async () => {
    if (ending === 'terminate') {
      await new Promise((resolve) => setTimeout(resolve, delay));
      await worker.terminate();
    }
    await ended;
  });
  if (ending === 'exception') assert.match(failure.message, /on purpose/, where);
  else assert.equal(failure, undefined, where);

  // The files were written when the worker ended: the end of an environment waits for them. Terminated between a
  // callback's last line and its settling a worker has recorded less than was processed, and never more.
  const processed = new Float64Array(settled);
  const recorded = offsets(own, topic);
  for (const [partition, offset] of Object.entries(recorded)) {
    assert.ok(offset <= processed[partition], `${where}: partition ${partition} is recorded to ${offset}, processed to ${processed[partition]}`);
  }
  if (ending !== 'terminate') {
    assert.deepEqual(recorded, byPartition(processed), `${where}: what was settled is on disk`);
  }
  fs.rmSync(own, { recursive: true });
}

/** Names of this process's threads that belong to clients. */
function clientThreads() {
  const names = fs.readdirSync('/proc/self/task').map((id) => {
    try {
      return fs.readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim();
    } catch {
      return ''; // it has ended meanwhile
    }
  });
  return names.filter((name) => /^(kafka|rdk)/.test(name));
}

async function main() {
  for (let n = 1; n <= rounds; n++) {
    // Two at a time: one environment ends while the other is in the middle of its traffic.
    await Promise.all(['terminate', 'exit', 'exception'].map((ending) => round(n, ending)));
    say('round', { n });
  }
  // A client that had more to do than its half second ends a moment behind its worker.
  const end = performance.now() + 20_000;
  let threads = clientThreads();
  while (threads.length > 0 && performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    threads = clientThreads();
  }
  say('done', { rounds: rounds * 3, threads });
  process.disconnect();
}

main().catch((error) => {
  console.error(error);
  process.exit(2);
});
