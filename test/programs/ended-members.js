'use strict';
// Ends workers that have a member of a group each, then waits until nothing of them is left: no thread, no file.
//
// { broker, topic, groupId, workers, others, config }; with `others` one member of the group lives on.

const fs = require('node:fs');
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');
const { Kafka } = require('kafka-native');
const { options, say } = require('../support/child.js');
const { eventually } = require('../support/watch.js');

const silent = { error() {}, warn() {}, info() {}, debug() {} };
const threads = () => fs.readdirSync('/proc/self/task').map((id) => fs.readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim()).filter((name) => /^(rdk|kafka)/.test(name));
const files = () => fs.readdirSync('/proc/self/fd').length;

/** A member that has a message of each of its partitions in a handler that never ends. */
async function member({ broker, topic, groupId, config }) {
  const consumer = new Kafka({ brokers: broker.split(','), logger: silent }).consumer({ groupId, sessionTimeout: 6000, heartbeatInterval: 200, rebalanceTimeout: 10_000, ...config });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    eachMessage: async () => {
      parentPort.postMessage('busy');
      await new Promise(() => {});
    },
  });
}

async function main() {
  const { workers, others, ...data } = options();
  // Threads and files that a process makes once are there before anything is counted.
  await end({ ...data, groupId: `${data.groupId}-first` });
  await gone(0);
  if (others) await busy(new Worker(__filename, { workerData: data }));
  const [threadsBefore, filesBefore] = [threads().length, files()];
  // Each in a group of its own, unless there are others: a member that went without a word would be waited for.
  for (let i = 0; i < workers; i++) await end({ ...data, groupId: others ? data.groupId : `${data.groupId}-${i}` });
  await gone(threadsBefore, filesBefore);
  say('gone');
  process.exit();
}

/** Resolves when there are no more of our threads and files than that. */
async function gone(threadsBefore, filesBefore = Infinity) {
  const left = () => `${threads()} and ${files()} files, of ${threadsBefore} and ${filesBefore}`;
  try {
    await eventually(90_000, 'workers leave nothing', () => threads().length <= threadsBefore && files() <= filesBefore);
  } catch (error) {
    throw new Error(`what ended workers left: ${left()}`, { cause: error });
  }
}

const busy = (worker) => new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));

async function end(data) {
  const worker = new Worker(__filename, { workerData: data });
  await busy(worker);
  await worker.terminate();
}

if (isMainThread) main();
else member(workerData);
