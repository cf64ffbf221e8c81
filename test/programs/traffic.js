'use strict';
// Produces and consumes at full speed, in the main thread or a worker, until it is ended in the middle of it.
//
// { client, topic, directory, ending, delay }: ending is 'exit', 'exception' or 'none' (somebody else ends it).

const fs = require('node:fs');
const { isMainThread, parentPort, workerData } = require('node:worker_threads');
const { Consumer, Producer } = require('kafka-native');
const { byPartition, silent } = require('../support/flow.js');

const { client, topic, directory, ending, delay, settled: shared } = isMainThread ? JSON.parse(process.argv[2]) : workerData;
// Outside of the heap when somebody else ends it: what was settled must be known afterwards.
const settled = new Float64Array(shared ?? new SharedArrayBuffer(8 * 16)).fill(-1);

const producer = new Producer({ ...client, logger: silent, queue_buffering_max_ms: 1 });
const payloads = Array.from({ length: 1000 }, (_, i) => `message ${i}`);
function produce() {
  producer.send(topic, -1, payloads);
  setImmediate(produce);
}

let received = 0;
const consumer = new Consumer({
  ...client, topic, offset_directory: directory, logger: silent,
  receive_callback: ({ messages }) => {
    for (const { partition, offset } of messages) settled[partition] = offset;
    if (received === 0) setTimeout(end, delay);
    if (received === 0 && !isMainThread) parentPort.postMessage('traffic');
    received += messages.length;
  },
});

// Not in a callback: every callback that has begun has returned, so all of this is settled.
function end() {
  if (ending === 'none') return;
  if (isMainThread) fs.writeSync(1, JSON.stringify(byPartition(settled)));
  if (ending === 'exit') process.exit(0);
  throw new Error('uncaught on purpose');
}

produce();
consumer.start().catch((error) => {
  console.error(error);
  process.exit(3);
});
