'use strict';
// node endings.js <how>: how a process ends, and what keeps it alive. Each says what it did before.
const assert = require('node:assert/strict');
const { existsSync, mkdtempSync, readFileSync, rmSync } = require('node:fs');
const { join } = require('node:path');
const { once } = require('node:events');
const { Worker, isMainThread, parentPort } = require('node:worker_threads');
const { Consumer, MockCluster, Producer } = require('kafka-native');
const { roundTrip } = require('./round-trip.js');

/** Producer and consumer in full flow; resolves when some batches are done. */
async function traffic(folder) {
  const cluster = new MockCluster();
  cluster.createTopic('flow', { partitions: 1 });
  const producer = new Producer({ ...cluster.options, queue_buffering_max_ms: 1, logger: {} });
  setInterval(
    () =>
      producer.send(
        'flow',
        0,
        Array.from({ length: 200 }, (_, n) => `message ${n}`),
      ),
    2,
  );
  let batches = 0;
  let flowing;
  const running = new Promise((resolve) => (flowing = resolve));
  const consumer = new Consumer({
    ...cluster.options,
    topic: 'flow',
    offset_directory: folder,
    receive_callback: () => void (++batches === 20 && flowing()),
  });
  await consumer.start();
  await running;
}

const endings = {
  /** Offsets of what is done are written on the way out. */
  async exit() {
    const folder = mkdtempSync(join(__dirname, 'offsets-'));
    await traffic(folder);
    process.on('exit', () => {
      const file = join(folder, 'flow-0.offset');
      console.log(`recorded ${existsSync(file) && Number(readFileSync(file, 'utf8')) > 0}`);
      rmSync(folder, { recursive: true });
    });
    process.exit(7);
  },

  async exception() {
    const folder = mkdtempSync(join(__dirname, 'offsets-'));
    await traffic(folder);
    process.on('exit', () => rmSync(folder, { recursive: true }));
    console.log('flowing');
    setTimeout(() => {
      throw new Error('on purpose');
    }, 1);
  },

  /** Workers that are ended in the middle of everything; this thread goes on. */
  async terminate() {
    const folders = [];
    for (let round = 0; round < 5; round++) {
      const folder = mkdtempSync(join(__dirname, 'offsets-'));
      folders.push(folder);
      const worker = new Worker(__filename, { workerData: null, argv: [folder] });
      await once(worker, 'message');
      await worker.terminate();
    }
    console.log(`${folders.length} terminated, then ${await roundTrip({ Consumer, MockCluster, Producer })} there and back`);
    for (const folder of folders) rmSync(folder, { recursive: true });
  },

  /** A producer that is not stopped holds nothing up. */
  async idle() {
    const cluster = new MockCluster();
    const producer = new Producer({ ...cluster.options, queue_buffering_max_ms: 1 });
    assert.equal(producer.send('idle', -1, ['one']).enqueued, 1);
    process.on('exit', () => console.log('ended by itself'));
  },

  /** A started consumer keeps the process, though nothing else does. */
  async alive() {
    const folder = mkdtempSync(join(__dirname, 'offsets-'));
    const cluster = new MockCluster();
    cluster.createTopic('late', { partitions: 1 });
    const producer = new Producer({ ...cluster.options, queue_buffering_max_ms: 1 });
    const consumer = new Consumer({
      ...cluster.options,
      topic: 'late',
      offset_directory: folder,
      receive_callback: ({ messages }) => {
        console.log(`received ${messages[0].payload}`);
        consumer.stop().then(() => rmSync(folder, { recursive: true }));
      },
    });
    await consumer.start();
    setTimeout(() => producer.send('late', 0, ['a late message']), 1000).unref();
  },
};

if (isMainThread) endings[process.argv[2]]();
else traffic(process.argv.at(-1)).then(() => parentPort.postMessage('flowing'));
