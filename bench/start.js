'use strict';
// start BROKER TOPIC ROUNDS: from `start()` to the first callback, without recorded offsets and with them.
const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { Consumer } = require('kafka-native');
const { now, percentiles, report } = require('./measure.js');

const [broker, topic, rounds] = [process.argv[2], process.argv[3], Number(process.argv[4])];

/** Starts a consumer, waits for its first batch of every partition's worth or just one, and stops it. */
async function once(offset_directory) {
  let consumer;
  const begin = now();
  const first = await new Promise((resolve, reject) => {
    consumer = new Consumer({ broker, topic, offset_directory, max_messages_per_callback: 100, receive_callback: () => resolve(now()) });
    consumer.start().catch(reject);
  });
  await consumer.stop();
  return (first - begin) * 1000;
}

(async () => {
  const times = { fresh: [], recorded: [] };
  for (let i = 0; i < rounds; i++) {
    const offset_directory = mkdtempSync(join(tmpdir(), 'bench-'));
    times.fresh.push(await once(offset_directory));
    times.recorded.push(await once(offset_directory));
    rmSync(offset_directory, { recursive: true });
  }
  report('start', { rounds, fresh: percentiles(times.fresh), recorded: percentiles(times.recorded) });
})();
