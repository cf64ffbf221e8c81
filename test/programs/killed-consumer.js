'use strict';
// Consumes, and writes into its journal what it was handed and what it has processed, each before it tells anybody else.
// Lines written survive SIGKILL. Some callbacks return at once, others end later and in another order.
//
// { client, topic, directory, journal, seed }

const fs = require('node:fs');
const { Consumer } = require('kafka-native');
const { options, say } = require('../support/child.js');
const { silent } = require('../support/flow.js');
const { random } = require('../support/random.js');

const { client, topic, directory, journal, seed } = options();
const chance = random(seed);
const file = fs.openSync(journal, 'a');
const done = [];
let batches = 0;

const consumer = new Consumer({
  ...client, topic, offset_directory: directory, logger: silent, max_messages_per_callback: 40,
  receive_callback: ({ messages }) => {
    const batch = ++batches;
    const runs = new Map();
    for (const { partition, offset, payload } of messages) {
      if (Number(payload) !== offset) throw new Error(`message ${payload} has offset ${offset}`);
      if (!runs.has(partition)) runs.set(partition, []);
      runs.get(partition).push(payload);
    }
    const text = [...runs].map(([partition, numbers]) => `${partition}:${numbers}`).join(' ');
    const finish = () => {
      fs.writeSync(file, `done ${batch} ${text}\n`);
      for (const [partition, numbers] of runs) done[partition] = Math.max(done[partition] ?? -1, Number(numbers.at(-1)));
      say('progress', { done });
    };

    fs.writeSync(file, `handed ${batch} ${text}\n`);
    if (batch === 1) say('first');
    if (chance() < 0.3) return finish();
    return new Promise((resolve) => setTimeout(resolve, chance() * 30)).then(finish);
  },
});

consumer.start().catch((error) => {
  console.error(error);
  process.exit(2);
});
process.on('message', async () => {
  // Messages in callbacks are processed and recorded.
  await consumer.stop({ drain: true });
  process.disconnect();
});
