'use strict';
// Sends ten times as much as the producer's budget takes while there is no broker, and what memory that takes.
//
// { client, topic, messages, size }

const { Producer } = require('kafka-native');
const { options, peakMemory, say } = require('../support/child.js');
const { silent } = require('../support/flow.js');

const { client, topic, messages, size } = options();
const producer = new Producer({ ...client, logger: silent, error_callback() {}, delivery_report_callback() {}, queue_buffering_max_messages: messages });
const payloads = Array.from({ length: 1000 }, () => Buffer.alloc(size, 'x'));
const before = peakMemory();
let enqueued = 0;
let refused = 0;
let calls = 0;

function send() {
  for (let i = 0; i < 10 && calls < (10 * messages) / payloads.length; i++, calls++) {
    const { enqueued: taken, errors = [] } = producer.send(topic, 0, payloads);
    enqueued += taken;
    refused += errors.filter(({ code }) => code === '_QUEUE_FULL').length;
  }
  // The client's thread gets its time between the calls.
  if (calls < (10 * messages) / payloads.length) return void setImmediate(send);
  setTimeout(async () => {
    say('peak', { before, peak: peakMemory(), enqueued, refused });
    await producer.stop({ timeout: 0 }).catch(() => {});
    process.disconnect();
  }, 500);
}
send();
