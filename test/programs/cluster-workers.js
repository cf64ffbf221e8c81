'use strict';
// A primary with workers by slot, as in the README: SIGTERM is passed on, every worker stops its consumer and ends by itself.
//
// { client, topic, directory, workers }

const cluster = require('node:cluster');
const { Consumer, Producer } = require('kafka-native');
const { options, say } = require('../support/child.js');
const { silent } = require('../support/flow.js');

const { client, topic, directory, workers } = options();

if (cluster.isPrimary) {
  const exits = [];
  const busy = new Set();
  for (let slot = 0; slot < workers; slot++) {
    const worker = cluster.fork({ SLOT: slot });
    worker.on('message', () => {
      if (busy.add(slot).size === workers) say('working');
    });
  }
  cluster.on('exit', (_worker, code, signal) => {
    exits.push({ code, signal });
    if (exits.length === workers) {
      say('exits', { exits });
      process.disconnect();
    }
  });
  process.on('SIGTERM', () => {
    for (const worker of Object.values(cluster.workers)) worker.process.kill('SIGTERM');
  });
} else {
  const slot = Number(process.env.SLOT);
  const producer = new Producer({ ...client, logger: silent, queue_buffering_max_ms: 1 });
  const timer = setInterval(() => producer.send(topic, slot, ['one', 'two', 'three']), 5);
  let told = false;
  const consumer = new Consumer({
    ...client, topic, offset_directory: directory, num_workers: workers, worker_slot: slot, logger: silent,
    receive_callback: async () => {
      if (!told) process.send('busy');
      told = true;
      await new Promise((resolve) => setTimeout(resolve, 20));
    },
  });
  consumer.start();
  process.once('SIGTERM', async () => {
    clearInterval(timer);
    await Promise.all([consumer.stop(), producer.stop()]);
    // A cluster worker's channel keeps it alive; nothing of the clients does.
    process.disconnect();
  });
}
