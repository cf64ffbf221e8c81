'use strict';
// Reads the offset files of a topic over and over, until told to end; answers with what was ever wrong.

const { parentPort, receiveMessageOnPort, workerData } = require('node:worker_threads');
const { offsets } = require('../support/flow.js');

const { directory, topic } = workerData;
const wrong = [];
const before = {};
let values = 0;
let reads = 0;
const nobody = new Int32Array(new SharedArrayBuffer(4));

while (!receiveMessageOnPort(parentPort)) {
  try {
    // Throws on a file that is empty or anything but a number and a line feed.
    for (const [partition, offset] of Object.entries(offsets(directory, topic))) {
      if (offset !== before[partition]) values++;
      if (offset < before[partition]) wrong.push(`partition ${partition} fell from ${before[partition]} to ${offset}`);
      before[partition] = offset;
    }
  } catch (error) {
    wrong.push(error.message);
  }
  reads++;
  // Leaves the machine to those who are watched.
  Atomics.wait(nobody, 0, 0, 1);
}
parentPort.postMessage({ wrong: wrong.slice(0, 20), values, reads });
