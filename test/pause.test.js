'use strict';
// pause() is strict: no callback starts after it returned; resume() loses and repeats nothing.
// Alone: it asserts that nothing comes in a time.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { cleanup } = require('./support/cleanup.js');
const { onBoth } = require('./support/clusters.js');
const { PATIENCE, consumer, folder, producer, within } = require('./support/flow.js');
const { random, seed } = require('./support/random.js');

const MESSAGES = 100_000;
const PARTITIONS = 4;
const EACH = MESSAGES / PARTITIONS;

/** So small that all of them stay below the 5 MiB that the embedded cluster keeps of a partition. */
async function fill(t, cluster) {
  const topic = await cluster.topic(PARTITIONS);
  // Idempotent: otherwise a batch that is retried on a topic seconds old may come behind the next one.
  const sender = producer(t, cluster, { driver_options: { 'enable.idempotence': true } });
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const payloads = Array.from({ length: EACH }, (_, n) => `${partition}/${n}`);
    assert.equal(sender.send(topic, partition, payloads).enqueued, EACH);
  }
  await sender.stop();
  return topic;
}

/** Checks every start of a callback, and that each message came once, in the order of its partition. */
class Witness {
  paused = false;
  starts = 0;
  pauses = 0;
  received = 0;
  next = new Array(PARTITIONS).fill(0);
  /** The test has ended, however it did. */
  over = false;
  /** The first fault: a callback that throws would only be logged. */
  wrong;

  started(messages) {
    this.starts++;
    if (this.paused) this.wrong ??= `callback ${this.starts} started after pause ${this.pauses} had returned`;
    for (const { partition, payload } of messages) {
      const expected = `${partition}/${this.next[partition]++}`;
      if (payload !== expected) this.wrong ??= `${payload} came, expected ${expected}`;
    }
    this.received += messages.length;
  }

  pause(receiver) {
    receiver.pause();
    this.paused = true;
    this.pauses++;
  }

  /** After a while in which a callback that should not start would. */
  resumeLater(receiver, turns, done) {
    if (turns > 0) return void setTimeout(() => this.resumeLater(receiver, turns - 1, done), 0);
    this.paused = false;
    receiver.resume();
    done?.();
  }
}

onBoth('with 100 000 messages flowing no callback starts after pause() returned', (cluster) => {
  async function flow(t, options, begin) {
    const topic = await fill(t, cluster());
    const witness = new Witness();
    let whole;
    const all = new Promise((resolve) => (whole = resolve));
    const receiver = consumer(t, cluster(), {
      topic,
      offset_directory: folder(t),
      max_messages_per_callback: 100,
      ...options,
      receive_callback: ({ messages }) => {
        witness.started(messages);
        if (witness.received >= MESSAGES || witness.wrong) whole();
        return witness.work?.();
      },
    });
    cleanup(t, () => (witness.over = true));
    begin(receiver, witness);
    await receiver.start();
    await within(
      PATIENCE,
      () => `${witness.received} of ${MESSAGES} messages, ${witness.pauses} pauses, paused: ${witness.paused}, SEED=${seed}`,
      () => all,
    );
    assert.equal(witness.wrong, undefined, `SEED=${seed}`);
    assert.deepEqual(witness.next, new Array(PARTITIONS).fill(EACH), 'each message once');
    assert.ok(witness.pauses > 10, `only ${witness.pauses} pauses`);
    await receiver.stop();
  }

  test('called inside a callback', async (t) => {
    const chance = random(seed);
    await flow(t, {}, (receiver, witness) => {
      witness.work = () => {
        if (witness.paused || chance() > 0.1) return;
        witness.pause(receiver);
        witness.resumeLater(receiver, Math.floor(chance() * 4));
      };
    });
  });

  test('called from a callback that awaited something', async (t) => {
    const chance = random(seed);
    await flow(t, {}, (receiver, witness) => {
      witness.work = async () => {
        if (chance() > 0.1) return;
        // A promise's turn, the loop's, or a timer's.
        const kind = chance();
        if (kind < 0.4) await null;
        else if (kind < 0.7) await new Promise(setImmediate);
        else await new Promise((resolve) => setTimeout(resolve, chance() * 5));
        if (witness.paused) return;
        witness.pause(receiver);
        await new Promise((resolve) => witness.resumeLater(receiver, Math.floor(chance() * 4), resolve));
      };
    });
  });

  test('called from elsewhere, many times at random', async (t) => {
    const chance = random(seed);
    await flow(t, {}, (receiver, witness) => {
      // Callbacks that take some turns keep batches waiting everywhere on the way.
      witness.work = () => (chance() < 0.5 ? new Promise(setImmediate) : undefined);
      const later = (action) => void (chance() < 0.5 ? setImmediate(action) : setTimeout(action, chance() * 3));
      const next = () => {
        if (witness.received >= MESSAGES || witness.wrong || witness.over) return;
        witness.pause(receiver);
        witness.resumeLater(receiver, Math.floor(chance() * 3), () => later(next));
      };
      setImmediate(function untilItFlows() {
        if (witness.starts > 0) next();
        else if (!witness.over) setImmediate(untilItFlows);
      });
    });
  });

  test('called twice, resumed twice, and paused while a failed batch waits to come again', async (t) => {
    const chance = random(seed);
    let failures = 0;
    await flow(t, { commit_on_error: false }, (receiver, witness) => {
      const started = witness.started.bind(witness);
      witness.started = (messages) => {
        // A batch that comes again is the same one: its messages count when it succeeds.
        if (witness.paused) witness.wrong ??= `a callback started after pause ${witness.pauses} had returned`;
        if (failures < 11 && chance() < 0.05) {
          failures++;
          witness.pause(receiver);
          receiver.pause();
          // Before the batch would come again, after 100 ms, or when it has been waiting for the resume.
          setTimeout(() => witness.resumeLater(receiver, 2, () => receiver.resume()), chance() < 0.5 ? 0 : 130);
          throw new Error('comes again');
        }
        started(messages);
      };
    });
    assert.ok(failures > 0);
  });
});
