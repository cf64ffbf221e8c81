'use strict';
// A cluster worker of the demo: receives the partitions of its slot and tells the primary how it gets on.

const { Consumer } = require('kafka-native');

const { topic, client, directory, slot, workers } = JSON.parse(process.env.DEMO_WORKER ?? '{}');

let received = 0;
let lag = 0;
/** Messages that are not the next one of their partition. */
let misplaced = 0;
/** How many came, by partition: this is also the number of the next one. */
const places = {};

const consumer = new Consumer({
  ...client,
  topic,
  offset_directory: directory,
  num_workers: workers,
  worker_slot: slot,
  statistics_interval_ms: 100,
  receive_callback: ({ messages }) => {
    for (const { partition, payload } of messages) {
      const next = places[partition] ?? 0;
      if (Number.parseInt(payload ?? '', 10) !== next) misplaced++;
      places[partition] = next + 1;
    }
    received += messages.length;
  },
  stats_callback: ({ waiting_kafka, waiting_local }) => (lag = waiting_kafka + waiting_local),
  error_callback: (error) => process.send?.({ error: error.message }),
});

const tell = (more = {}) => process.send?.({ received, lag, misplaced, places, ...more });
let told = '';
const timer = setInterval(() => {
  const news = `${received} ${lag}`;
  if (news !== told) tell();
  told = news;
}, 20);

consumer.start().then(
  (partitions) => tell({ partitions, started: true }),
  (error) => process.send?.({ error: error.message }),
);

process.once('message', async () => {
  clearInterval(timer);
  await consumer.stop({ drain: true });
  process.disconnect(); // now nothing keeps this process alive
});
// The primary is gone: so are we.
process.once('disconnect', () => consumer.stop());
