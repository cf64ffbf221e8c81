'use strict';
// latency BROKER TOPIC COUNT: one message at a time, from `send` to the callback. The topic has one partition.
const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { Consumer, Producer } = require('kafka-native');
const { now, percentiles, report } = require('./measure.js');

const [broker, topic, count] = [process.argv[2], process.argv[3], Number(process.argv[4])];
const WARM_UP = 100;
const PAUSE = 2; // ms between two messages, as in the C loop

(async () => {
  const offset_directory = mkdtempSync(join(tmpdir(), 'bench-'));
  let arrived;
  const producer = new Producer({ broker, queue_buffering_max_ms: 0 });
  const consumer = new Consumer({ broker, topic, offset_directory, receive_callback: () => arrived() });
  await consumer.start();
  const times = [];
  const value = 'v'.repeat(100);
  for (let i = 0; i < count + WARM_UP; i++) {
    const arrival = new Promise((resolve) => (arrived = resolve));
    const begin = now();
    producer.send(topic, 0, [value]);
    await arrival;
    if (i >= WARM_UP) times.push((now() - begin) * 1000);
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
  await Promise.all([producer.stop(), consumer.stop()]);
  rmSync(offset_directory, { recursive: true });
  report('latency', { messages: count, ...percentiles(times) });
})();
