'use strict';
// A consumer whose callback takes a second, and what memory it takes meanwhile.
//
// { client, topic, directory, budget (KiB), slow: 'promise' | 'sync', payloads: 'utf8' | 'buffer', until } ends when `until` messages are settled.

const { Consumer } = require('kafka-native');
const { options, peakMemory, say } = require('../support/child.js');
const { silent } = require('../support/flow.js');

const { client, topic, directory, budget, slow, payloads, until } = options();
const nobody = new Int32Array(new SharedArrayBuffer(4));
let settled = 0;
let held = 0;
let most = 0;

const consumer = new Consumer({
  ...client, topic, offset_directory: directory, queued_max_messages_kbytes: budget, payload_encoding: payloads, logger: silent,
  receive_callback: async ({ messages }) => {
    held += messages.length;
    most = Math.max(most, held);
    if (slow === 'sync') Atomics.wait(nobody, 0, 0, 1000);
    else await new Promise((resolve) => setTimeout(resolve, 1000));
    // Still in use after the wait, as the messages of a real callback are.
    for (const { payload } of messages) if (payload.length === 0) throw new Error('empty');
    held -= messages.length;
    settled += messages.length;
    say('progress', { settled, held, rss: Math.round(process.memoryUsage.rss() / 1024) });
    if (settled >= until) finish();
  },
});

let finishing = false;
async function finish() {
  if (finishing) return;
  finishing = true;
  const peak = peakMemory();
  await consumer.stop();
  say('peak', { peak, settled, most });
  process.disconnect();
}

const before = peakMemory();
consumer.start().then(() => say('started', { before }));
