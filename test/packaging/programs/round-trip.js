'use strict';
// The work of every program here with the kafka-native that it got: messages out, messages back, offsets on disk.

const assert = require('node:assert/strict');
const { mkdtempSync, readdirSync, readFileSync, rmSync } = require('node:fs');
const { join } = require('node:path');

/** @param {typeof import('kafka-native')} kafka */
async function roundTrip({ Consumer, MockCluster, Producer }, count = 1000) {
  const folder = mkdtempSync(join(__dirname, 'offsets-'));
  const cluster = new MockCluster();
  cluster.createTopic('round-trip', { partitions: 4 });

  const seen = new Set();
  let complete;
  const received = new Promise((resolve) => (complete = resolve));
  const consumer = new Consumer({
    ...cluster.options,
    topic: 'round-trip',
    offset_directory: folder,
    receive_callback: async ({ messages }) => {
      for (const { payload, key, headers } of messages) {
        assert.equal(key, `key ${payload}`);
        assert.deepEqual([...headers.bytes], [0, 255, Number(payload) & 255]);
        seen.add(Number(payload));
      }
      if (seen.size === count) complete();
    },
  });
  assert.deepEqual(await consumer.start(), [0, 1, 2, 3]);

  const producer = new Producer({ ...cluster.options, queue_buffering_max_ms: 1 });
  const messages = Array.from({ length: count }, (_, n) => ({ key: `key ${n}`, value: `${n}`, headers: { bytes: Buffer.from([0, 255, n & 255]) } }));
  assert.equal(producer.send('round-trip', -1, messages).enqueued, count);
  await received;
  await producer.stop();
  await consumer.stop();

  // A file has the offset of the last message that is done.
  const done = readdirSync(folder)
    .filter((name) => name.endsWith('.offset'))
    .map((name) => Number(readFileSync(join(folder, name), 'utf8')) + 1);
  assert.equal(
    done.reduce((sum, each) => sum + each, 0),
    count,
  );
  cluster.close();
  rmSync(folder, { recursive: true });
  return seen.size;
}

module.exports = { roundTrip };
