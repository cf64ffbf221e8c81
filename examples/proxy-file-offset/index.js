'use strict';
// A client of kafka-proxy that keeps its offset in a file, and so can be killed at any moment: it may print a frame again, and skips nothing.
//
// This is the protocol of kafka-proxy 1.0: the URL says what is read, frames are JSON. Any WebSocket client in any language does the same.
//
//   KAFKA_PROXY=ws://host:port node examples/proxy-file-offset [topic] [file]

const fs = require('node:fs');
const WebSocket = require('ws');

const proxy = process.env.KAFKA_PROXY ?? 'ws://localhost:9999';
const topic = process.argv[2] ?? 'clicks';
const file = process.argv[3] ?? `${topic}.offset`;

/**
 * Of the next message. Before the first it is 0, not empty: the proxy would begin where the consumerGroup has committed, and it commits
 * what this process has received, also when it dies before it has printed that.
 */
const offset = () => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '0');

/** A file that is replaced as a whole has the old offset or the new one, whenever the process dies. */
function record(next) {
  fs.writeFileSync(`${file}.new`, String(next));
  fs.renameSync(`${file}.new`, file);
}

/** @type {WebSocket} */ let socket;
let again;
let over = false;

function connect() {
  socket = new WebSocket(`${proxy}/?${new URLSearchParams({ topic, consumerGroup: 'proxy-file-offset', offset: offset() })}`);
  socket.on('open', () => console.log(`connected; next offset: ${offset()}`));
  socket.on('message', (frame) => {
    const batch = JSON.parse(String(frame));
    for (const { offset, message } of batch) console.log(`${offset}: ${message}`); // the work
    record(batch.at(-1).offset + 1);
  });
  socket.on('error', (error) => console.error(error.message));
  socket.on('close', (code, reason) => {
    if (over) return;
    // 4400 to 4499: what was asked for is wrong, and will be the next time; the reason says what to change.
    if (code >= 4400) {
      console.error(`closed with ${code}: ${reason}`);
      process.exitCode = 1;
    } else again = setTimeout(connect, 1000);
  });
}

function stop() {
  over = true;
  clearTimeout(again);
  socket.close();
}
process.once('SIGINT', stop);
process.once('SIGTERM', stop);
connect();
