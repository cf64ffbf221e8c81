'use strict';
// Four cluster workers share a topic by their slots; the primary has the embedded cluster and produces.
const assert = require('node:assert/strict');
const cluster = require('node:cluster');
const { once } = require('node:events');
const { mkdtempSync, rmSync } = require('node:fs');
const { join } = require('node:path');
const { Consumer, MockCluster, Producer } = require('kafka-native');

const WORKERS = 4;
const EACH = 500;

async function primary() {
  const kafka = new MockCluster({ brokers: 3 });
  kafka.createTopic('shared', { partitions: 2 * WORKERS, replication: 3 });
  const folder = mkdtempSync(join(__dirname, 'offsets-'));
  const workers = Array.from({ length: WORKERS }, (_, slot) => cluster.fork({ SLOT: slot, OFFSETS: folder, OPTIONS: JSON.stringify(kafka.options) }));
  const ends = workers.map((worker) => once(worker, 'exit'));
  const partitions = await Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0].started));
  assert.deepEqual(partitions, [
    [0, 4],
    [1, 5],
    [2, 6],
    [3, 7],
  ]);

  const producer = new Producer({ ...kafka.options, queue_buffering_max_ms: 1 });
  for (let n = 0; n < WORKERS * EACH; n++) producer.send('shared', n % (2 * WORKERS), [`${n}`]);
  const counts = await Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0].received));
  await producer.stop();
  const codes = (await Promise.all(ends)).map(([code]) => code);
  assert.deepEqual(codes, [0, 0, 0, 0]);
  kafka.close();
  rmSync(folder, { recursive: true });
  console.log(`${counts.join(' + ')} there and back`);
}

async function worker() {
  let received = 0;
  const consumer = new Consumer({
    ...JSON.parse(process.env.OPTIONS),
    topic: 'shared',
    offset_directory: process.env.OFFSETS,
    num_workers: WORKERS,
    worker_slot: Number(process.env.SLOT),
    receive_callback: ({ messages }) => {
      received += messages.length;
      if (received >= EACH) setImmediate(finish);
    },
  });
  async function finish() {
    await consumer.stop();
    process.send({ received }, () => process.disconnect());
  }
  process.send({ started: await consumer.start() });
}

if (cluster.isPrimary) primary();
else worker();
