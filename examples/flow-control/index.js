'use strict';
// Work that takes longer than receiving: a queue that pauses the consumer while it is full, and resumes it when it is
// nearly empty, so that this process never holds more than HIGH jobs and one batch.
//
//   KAFKA_BROKER=host:port node examples/flow-control [topic]

const { setTimeout: sleep } = require('node:timers/promises');
const { Consumer } = require('kafka-native');
const { WorkQueue } = require('./queue.js');

const HIGH = 200;
const LOW = 50;

let paused = false;
let highest = 0;
let done = 0;

const queue = new WorkQueue({
  concurrency: 10,
  work: async (message) => {
    await sleep(2); // a call to a slow service, say
    done++;
    if (message.payload === 'last') console.log(`done ${done}, never more than ${highest} waiting`);
  },
  onSize: (size) => {
    highest = Math.max(highest, size);
    if (!paused && size >= HIGH) {
      paused = true;
      consumer.pause(); // no receive_callback starts from here on
    } else if (paused && size <= LOW) {
      paused = false;
      consumer.resume();
    }
  },
});

const consumer = new Consumer({
  broker: process.env.KAFKA_BROKER ?? 'localhost:9092',
  topic: process.argv[2] ?? 'clicks',
  offset_directory: process.env.OFFSETS ?? './offsets',
  max_messages_per_callback: 100,
  // Fulfilled when every job of the batch is done or has failed: only then are its offsets recorded. Promise.all would
  // give up at the first failure, while others still run.
  receive_callback: ({ messages }) => Promise.allSettled(messages.map((message) => queue.push(message))),
});

consumer.start().then(
  (partitions) => console.log(`receiving the partitions ${partitions.join(', ')}`),
  (error) => {
    console.error(error.message);
    process.exitCode = 1;
  },
);

// Waits for the jobs in the queue; what is still waiting at the deadline comes again after the next start.
const stop = () => consumer.stop({ drain: true, timeout: 10_000 });
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
