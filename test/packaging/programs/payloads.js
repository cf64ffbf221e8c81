'use strict';
// Every kind of payload, as strings and as Buffers: runtimes differ in how they store strings and encode them.
const assert = require('node:assert/strict');
const { mkdtempSync, rmSync } = require('node:fs');
const { join } = require('node:path');
const { Consumer, MockCluster, Producer } = require('kafka-native');

const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, n) => (n * 31) & 255));
const payloads = [
  'ascii',
  '',
  { value: null },
  'caf\u00e9',
  '\u6f22\u5b57 \u{1f389}',
  'lone \ud800 surrogate',
  'x'.repeat(700_000),
  '\u00fc'.repeat(300_000),
  bytes,
  new Uint8Array([0, 255]),
];
const asBytes = payloads.map((payload) => (payload.value === null ? null : Buffer.from(payload)));

async function consume(cluster, encoding) {
  const folder = mkdtempSync(join(__dirname, 'offsets-'));
  const received = [];
  let consumer;
  await new Promise((complete, failed) => {
    consumer = new Consumer({
      ...cluster.options,
      topic: 'payloads',
      offset_directory: folder,
      payload_encoding: encoding,
      statistics_interval_ms: 50,
      stats_callback: ({ rdkafka_stats }) => {
        assert.equal(rdkafka_stats.type, 'consumer');
        if (received.length === payloads.length) complete();
      },
      receive_callback: ({ messages }) => void received.push(...messages.map(({ payload }) => payload)),
    });
    consumer.start().catch(failed);
  });
  await consumer.stop();
  rmSync(folder, { recursive: true });
  return received;
}

async function main() {
  const cluster = new MockCluster();
  cluster.createTopic('payloads', { partitions: 1 });
  const producer = new Producer({ ...cluster.options, queue_buffering_max_ms: 1 });
  assert.equal(producer.send('payloads', 0, payloads).enqueued, payloads.length);
  await producer.stop();

  assert.deepEqual(
    await consume(cluster, 'utf8'),
    asBytes.map((each) => each && each.toString('utf8')),
  );
  const buffers = await consume(cluster, 'buffer');
  for (const [n, each] of asBytes.entries()) assert.ok(each === null ? buffers[n] === null : each.equals(buffers[n]), `payload ${n}`);
  cluster.close();
  console.log(`${payloads.length} payloads as they were`);
}

main();
