'use strict';
// Watching what clients tell: their log, their errors, their figures, and the messages of a whole topic.

const assert = require('node:assert/strict');
const { EventEmitter, once } = require('node:events');
const { setTimeout: delay } = require('node:timers/promises');
const { cleanup } = require('./cleanup.js');
const { Inbox, PATIENCE, consumer, folder, producer, within } = require('./flow.js');

/** Everything that a callback was called with; `until` resolves with the first call that fits, past or to come. */
class Calls extends EventEmitter {
  all = [];

  constructor() {
    super();
    this.setMaxListeners(0);
  }

  take = (...args) => {
    this.all.push(args.length > 1 ? args : args[0]);
    this.emit('call');
  };

  /** @param {(call: any) => unknown} [fits] @param {number} [ms] @param {unknown} [what] */
  async until(fits = () => true, ms = PATIENCE, what = fits) {
    return within(
      ms,
      () => `${what} never came; the last: ${describe(this.all.slice(-3))}`,
      async () => {
        for (let seen = 0; ; ) {
          for (; seen < this.all.length; seen++) if (fits(this.all[seen])) return this.all[seen];
          await once(this, 'call');
        }
      },
    );
  }

  /** Resolves when there were that many calls. */
  async count(count, ms = PATIENCE) {
    return within(
      ms,
      () => `${this.all.length} of ${count} calls came`,
      async () => {
        while (this.all.length < count) await once(this, 'call');
        return this.all;
      },
    );
  }
}

function describe(calls) {
  return JSON.stringify(calls, (_, value) => (value instanceof Error ? `${'code' in value ? value.code : undefined}: ${value.message}` : value))?.slice(0, 800);
}

/** A logger that remembers its lines as [level, message]. */
function witness() {
  const lines = new Calls();
  const logger = {};
  for (const level of ['error', 'warn', 'info', 'debug']) logger[level] = (message) => lines.take(level, message);
  return { lines, logger };
}

/** For what tells nobody when it happens, such as a file that is written: looks again and again. */
async function eventually(ms, what, look) {
  const end = Date.now() + ms;
  for (let last; ; await delay(5)) {
    try {
      last = await look();
      if (last) return last;
    } catch (error) {
      last = error instanceof Error ? error.message : error;
    }
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}; the last look: ${last}`);
  }
}

/** The first `count` messages of a topic, read from its beginning by a consumer of its own. */
async function received(t, cluster, topic, count, options = {}) {
  const inbox = new Inbox();
  const reader = consumer(t, cluster, { topic, offset_directory: folder(t), receive_callback: inbox.receive, ...options });
  await reader.start();
  await inbox.until(count);
  await reader.stop();
  return inbox.messages;
}

/** A promise and its ends. */
function deferred() {
  let resolve;
  let reject;
  const promise = new Promise((...ends) => ([resolve, reject] = ends));
  return { promise, resolve, reject };
}

/** Counts the turns of the event loop until the test is over: `turns.now` is this one's number. */
function countTurns(t) {
  const turns = { now: 0 };
  let next;
  (function turn() {
    turns.now++;
    next = setImmediate(turn);
  })();
  cleanup(t, () => clearImmediate(next));
  return turns;
}

/** Keeps the event loop busy. */
function block(milliseconds) {
  for (const end = performance.now() + milliseconds; performance.now() < end; );
}

/**
 * A topic with many messages. Their consumer calls `take` with the length of each batch; `shown` resolves when all have come, each large batch in a turn of
 * the event loop of its own, though the handler is slow.
 */
async function backlog(t, cluster, count = 20_000) {
  const topic = await cluster.topic(1);
  const sender = producer(t, cluster);
  const values = Array.from({ length: count }, () => 'x'.repeat(100));
  assert.equal(sender.send(topic, 0, values).enqueued, count);
  await sender.stop();
  const [turns, all] = [countTurns(t), deferred()];
  /** @type {number[]} */ const seen = [];
  const take = (length) => {
    if (length >= 500) seen.push(turns.now);
    block(5); // others arrive meanwhile
    if ((count -= length) === 0) all.resolve();
  };
  const shown = async () => {
    await all.promise;
    assert.ok(seen.length > 5, `${seen.length} large batches`);
    assert.equal(new Set(seen).size, seen.length);
  };
  return { topic, take, shown };
}

module.exports = { Calls, backlog, block, countTurns, deferred, eventually, received, witness };
