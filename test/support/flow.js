'use strict';
// Small things that most flows need.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { EventEmitter, once } = require('node:events');
const { Consumer, Producer } = require('kafka-native');
const { cleanup } = require('./cleanup.js');

/** For what must come, in milliseconds: a slow machine has time. */
const PATIENCE = 90_000;
/** For what must come without a wait of its own: the wrong behaviour takes longer. */
const SOON = 15_000;

const folders = [];
process.on('exit', () => folders.forEach((made) => fs.rmSync(made, { recursive: true, force: true })));

/** A folder that is gone when the process is: a consumer that a test leaves running still writes its offsets when it is stopped. */
function folder(_t) {
  folders.push(fs.mkdtempSync(path.join(os.tmpdir(), 'kafka-native-')));
  return folders.at(-1);
}

/** Collects what a consumer receives; `until(count)` resolves when that many messages came. */
class Inbox extends EventEmitter {
  messages = [];
  calls = 0;
  misses = 0;
  repeats = 0;

  receive = ({ messages, misses, repeats }) => {
    this.calls++;
    this.misses += misses;
    this.repeats += repeats;
    for (const message of messages) this.messages.push(message);
    this.emit('batch');
  };

  /** Rejects after `ms` with how far it came, so that a test that hangs says where. */
  async until(count, ms = PATIENCE) {
    await within(
      ms,
      () => `${this.messages.length} of ${count} messages came`,
      async () => {
        while (this.messages.length < count) await once(this, 'batch');
      },
    );
    return this.messages;
  }
}

/** Awaits `work`, but not for longer than `ms`; Infinity keeps no timer, for what may never be awaited. */
async function within(ms, describe, work) {
  if (ms === Infinity) return work();
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${typeof describe === 'function' ? describe() : describe}`)), ms);
  });
  try {
    return await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A consumer that is stopped when the test is over. Silent, unless the test brings a logger. */
function consumer(t, cluster, options) {
  const { driver_options, ...given } = cluster.options();
  const made = new Consumer({ logger: silent, ...given, ...options, driver_options: { ...driver_options, ...options.driver_options } });
  cleanup(t, () => made.stop().catch(() => {}));
  return made;
}

/** A producer that is stopped when the test is over. */
function producer(t, cluster, options = {}) {
  const { driver_options, ...given } = cluster.options();
  const made = new Producer({
    logger: silent,
    queue_buffering_max_ms: 1,
    ...given,
    ...options,
    driver_options: { ...driver_options, ...options.driver_options },
  });
  cleanup(t, () => made.stop({ timeout: 1000 }).catch(() => {}));
  return made;
}

const silent = { error() {}, warn() {}, info() {}, debug() {} };

/** Offsets in the offset files of a topic: { partition: offset }; -1: nothing is processed. Throws on anything that is not a number. */
function offsets(directory, topic) {
  const found = {};
  for (const file of fs.readdirSync(directory)) {
    const match = file.startsWith(`${topic}-`) && /^(\d+)\.offset$/.exec(file.slice(topic.length + 1));
    if (!match) continue;
    const content = fs.readFileSync(path.join(directory, file), 'utf8');
    if (!/^(\d+|-1)\n$/.test(content)) throw new Error(`${file} holds ${JSON.stringify(content)}`);
    found[match[1]] = Number(content);
  }
  return found;
}

/** The same form for a list with an offset, or -1, per partition. */
function byPartition(list) {
  return Object.fromEntries([...list.entries()].filter(([, offset]) => offset >= 0));
}

module.exports = { Inbox, PATIENCE, SOON, byPartition, consumer, folder, offsets, producer, silent, within };
