'use strict';
// The main thread and two worker threads at the same time, each with its own cluster and clients.
const { once } = require('node:events');
const { Worker, isMainThread, parentPort } = require('node:worker_threads');
const kafka = require('kafka-native');
const { roundTrip } = require('./round-trip.js');

async function main() {
  const workers = [new Worker(__filename), new Worker(__filename)];
  const answers = workers.map((worker) => once(worker, 'message'));
  const ends = workers.map((worker) => once(worker, 'exit'));
  const counts = [await roundTrip(kafka), ...(await Promise.all(answers)).flat()];
  // A worker whose clients are stopped ends by itself.
  const codes = (await Promise.all(ends)).flat();
  if (codes.some((code) => code !== 0)) throw new Error(`workers ended with ${codes}`);
  console.log(`${counts.join(' + ')} there and back`);
}

if (isMainThread) main();
else roundTrip(kafka).then((count) => parentPort.postMessage(count));
