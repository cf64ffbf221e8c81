'use strict';
// Alone: it counts lines, and a slow broker adds some.
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { MockCluster, Producer } = require('kafka-native');
const { cleanup } = require('./support/cleanup.js');

test('a storm of log lines takes no more memory than a thousand, and is counted', async (t) => {
  const cluster = new MockCluster();
  let lines = 0;
  let drops = () => {};
  const dropped = new Promise((resolve) => {
    drops = resolve;
  });
  const logger = {
    debug: () => {
      lines += 1;
    },
    info() {},
    error() {},
    warn: (line) => line.includes('more log lines were dropped') && drops({ lines, count: parseInt(line, 10) }),
  };
  // A request a message, and several lines a request.
  const producer = new Producer({
    broker: cluster.options.broker,
    driver_options: { ...cluster.options.driver_options, debug: 'all', 'batch.num.messages': 1 },
    logger,
  });
  cleanup(t, () => producer.stop({ timeout: 0 }).then(() => cluster.close()));
  await producer.partition_count('t');
  producer.send(
    't',
    0,
    Array.from({ length: 2000 }, () => 'x'),
  );
  await new Promise(setImmediate);
  // The JavaScript thread takes nothing for a while.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
  const before = lines;
  const { lines: until, count } = await dropped;
  assert.ok(until - before >= 1000);
  assert.ok(count > 0);
});
