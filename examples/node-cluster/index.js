'use strict';
// One worker process for each slot, all on one topic. A worker that dies is replaced by one with the same slot, which
// goes on behind what the dead one has recorded. Ctrl-C or SIGTERM: every worker finishes what it has begun, and stops.
//
//   KAFKA_BROKER=host:port node examples/node-cluster [topic] [workers]

const cluster = require('node:cluster');

const WORKERS = Number(process.argv[3] ?? 2);
/** A worker that dies at once is not replaced at once. */
const PAUSE_MS = 1000;

if (cluster.isWorker) require('./worker.js');
else primary();

function primary() {
  let stopping = false;
  const start = (slot) => {
    const began = Date.now();
    const worker = cluster.fork({ SLOT: slot, WORKERS });
    console.log(`slot ${slot}: process ${worker.process.pid}`);
    worker.on('exit', (code, signal) => {
      if (stopping) {
        if (code !== 0) process.exitCode = 1;
        return;
      }
      console.log(`slot ${slot}: process ${worker.process.pid} died (${signal ?? `code ${code}`})`);
      // Killed workers' locks died with them: the same slot can start again at once.
      setTimeout(() => stopping || start(slot), Math.max(0, began + PAUSE_MS - Date.now()));
    });
  };

  for (let slot = 0; slot < WORKERS; slot++) start(slot);

  const stop = () => {
    if (stopping) return;
    stopping = true;
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGTERM');
    // Nothing else keeps this process: it ends behind its last worker.
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}
