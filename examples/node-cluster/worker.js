'use strict';
// Receives the partitions of its slot.

const { setTimeout: sleep } = require('node:timers/promises');
const { Consumer } = require('kafka-native');

const slot = Number(process.env.SLOT);

const consumer = new Consumer({
  broker: process.env.KAFKA_BROKER ?? 'localhost:9092',
  topic: process.argv[2] ?? 'clicks',
  offset_directory: process.env.OFFSETS ?? './offsets',
  num_workers: Number(process.env.WORKERS),
  worker_slot: slot,
  max_messages_per_callback: 100,
  receive_callback: async ({ messages }) => {
    await sleep(5); // your work
    const lines = messages.map(({ partition, offset }) => `done ${partition}/${offset}\n`).join('');
    // Written, not waiting in this process: what is not done when the offsets are recorded would be lost with it.
    await new Promise((written) => process.stdout.write(lines, written));
    // Only now, as this promise is fulfilled, are the offsets recorded: who dies before repeats the batch.
  },
});

consumer.start().then(
  (partitions) => console.log(`slot ${slot}: receives the partitions ${partitions.join(', ')}`),
  (error) => {
    console.error(`slot ${slot}: ${error.message}`);
    process.exit(1);
  },
);

let stopped;
// A second signal, or the channel's end that we cause here, finds it under way.
const stop = () => (stopped ??= consumer.stop({ drain: true }).then(() => process.connected && process.disconnect()));
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
process.on('disconnect', stop); // the primary is gone
