'use strict';
// Makes clients, moves a message through each and closes them, over and over; what the process has of threads, files and
// memory before and after.
//
// { client, topic, directory, warmUp, clients }

const fs = require('node:fs');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { Consumer, Producer } = require('kafka-native');
const { options, say } = require('../support/child.js');
const { Inbox, silent } = require('../support/flow.js');

const { client, topic, directory, warmUp, clients } = options();
const AT_ONCE = 10;

async function produceOne() {
  const producer = new Producer({ ...client, logger: silent, queue_buffering_max_ms: 1 });
  if (producer.send(topic, 0, ['one']).enqueued !== 1) throw new Error('not enqueued');
  await producer.stop();
}

/** Begins at the first message, that everybody finds. */
async function consumeOne(n) {
  const inbox = new Inbox();
  const own = path.join(directory, String(n));
  const consumer = new Consumer({ ...client, topic, offset_directory: own, logger: silent, receive_callback: inbox.receive });
  await consumer.start();
  await inbox.until(1);
  await consumer.stop();
  fs.rmSync(own, { recursive: true });
}

async function make(count) {
  for (let made = 0; made < count; made += 2 * AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => Promise.all([produceOne(), consumeOne(made + i)])));
    // Garbage that V8 has not collected yet is no leak, and its high tide would stay in malloc's arenas.
    global.gc();
    say('made', { made });
  }
}

const list = (folder) => fs.readdirSync(`/proc/self/${folder}`);
const threadNames = () => list('task').map((id) => {
  try {
    return fs.readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim();
  } catch {
    return undefined; // ended meanwhile
  }
}).filter((name) => name !== undefined);
const fileNames = () => list('fd').map((id) => {
  try {
    return fs.readlinkSync(`/proc/self/fd/${id}`);
  } catch {
    return undefined; // the one that listed the folder
  }
}).filter((name) => name !== undefined);

/** Threads, files and memory, when garbage is collected and threads that were ending have ended. */
async function left() {
  let found;
  for (let quiet = 0, tries = 0; quiet < 5 && tries < 200; tries++) {
    global.gc();
    const now = { threads: threadNames().sort(), files: fileNames().sort(), rss: Math.round(process.memoryUsage.rss() / 1024) };
    quiet = found && now.threads.length >= found.threads.length && now.files.length >= found.files.length ? quiet + 1 : 0;
    found = now;
    await sleep(20);
  }
  return found;
}

async function main() {
  await make(warmUp);
  const before = await left();
  await make(clients);
  say('left', { before, after: await left() });
  process.disconnect();
}

main().catch((error) => {
  console.error(error);
  process.exit(2);
});
