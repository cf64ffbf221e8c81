'use strict';
// consume BROKER TOPIC COUNT: a backlog through receive_callback, every payload a string that is looked at.
const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { monitorEventLoopDelay } = require('node:perf_hooks');
const { Consumer } = require('kafka-native');
const { cpu, now, report } = require('./measure.js');

const [broker, topic, count] = [process.argv[2], process.argv[3], Number(process.argv[4])];
const offset_directory = mkdtempSync(join(tmpdir(), 'bench-'));
const delay = monitorEventLoopDelay({ resolution: 1 });
let received = 0;
let first;
const cpuBegin = cpu();
const begin = now();
const consumer = new Consumer({ broker, topic, offset_directory, receive_callback });

function receive_callback({ messages }) {
  if (first === undefined) {
    first = now();
    delay.enable();
  }
  for (const message of messages) if (message.payload.length !== 100) throw new Error('a payload of the wrong size');
  received += messages.length;
  if (received === count) {
    const figures = { messages: count, seconds: now() - first, cpu: cpu() - cpuBegin, start: first - begin, delay: delay.percentile(99) / 1e6 };
    consumer.stop().then(() => {
      rmSync(offset_directory, { recursive: true });
      report('consume', figures);
    });
  }
}
consumer.start();
