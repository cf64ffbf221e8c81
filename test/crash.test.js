'use strict';
// A consuming process is killed with SIGKILL, again and again, while messages keep coming: nothing is skipped.
//
//   KILLS=1000 node --test crash.test.js     a longer run

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { Worker } = require('node:worker_threads');
const { cleanup } = require('./support/cleanup.js');
const { real } = require('./support/clusters.js');
const { Child } = require('./support/child.js');
const { PATIENCE, folder, offsets, producer, within } = require('./support/flow.js');
const { random, seed } = require('./support/random.js');

const KILLS = Number(process.env.KILLS ?? 15);
const PARTITIONS = 3;

test('a killed consumer never skips a message', async (t) => {
  const chance = random(seed);
  const cluster = await real();
  cleanup(t, () => cluster.close());
  const topic = await cluster.topic(PARTITIONS);
  const directory = folder(t);
  const journals = folder(t);

  // Message n of a partition says n, and is its offset: the producer is idempotent.
  const sender = producer(t, cluster, { driver_options: { 'enable.idempotence': true } });
  const sent = new Array(PARTITIONS).fill(0);
  const sending = setInterval(() => {
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const numbers = Array.from({ length: 50 }, () => String(sent[partition]++));
      assert.equal(sender.send(topic, partition, numbers).enqueued, numbers.length);
    }
  }, 10);
  cleanup(t, () => clearInterval(sending));

  const watcher = new Worker(path.join(__dirname, 'programs', 'watch-offsets.js'), { workerData: { directory, topic } });
  cleanup(t, () => watcher.terminate());

  const book = new Book();
  const start = (life) =>
    new Child(t, 'killed-consumer.js', { client: cluster.options(), topic, directory, journal: path.join(journals, `${life}`), seed: seed + life });

  let midTraffic = 0;
  for (let life = 1; life <= KILLS; life++) {
    const child = start(life);
    // One in five is killed at any moment of its start, the others once messages flow.
    const early = chance() < 0.2;
    if (!early) await child.says('first');
    await new Promise((resolve) => setTimeout(resolve, chance() * (early ? 250 : 150)));
    const { signal } = await child.kill();
    assert.equal(signal, 'SIGKILL', `life ${life}, SEED=${seed}: ${child.stderr}`);
    if (book.enter(`life ${life}, SEED=${seed}`, path.join(journals, `${life}`), offsets(directory, topic))) midTraffic++;
  }
  clearInterval(sending);
  await sender.stop();

  // The last life works off the rest and stops in peace.
  const last = start(KILLS + 1);
  await within(
    PATIENCE,
    () => `after the last kill ${last.last} of ${sent}`,
    () =>
      new Promise((resolve) => {
        last.on('progress', ({ done }) => {
          // Of a partition that it has nothing of yet there is no entry.
          if (sent.every((count, partition) => done[partition] === count - 1)) resolve();
        });
      }),
  );
  last.tell('stop');
  await last.exits();
  book.enter(`the last life, SEED=${seed}`, path.join(journals, `${KILLS + 1}`), offsets(directory, topic));
  assert.deepEqual(
    Object.values(offsets(directory, topic)),
    sent.map((count) => count - 1),
    'everything is recorded in the end',
  );

  for (let partition = 0; partition < PARTITIONS; partition++) {
    for (let n = 0; n < sent[partition]; n++) {
      assert.ok(book.processed(partition).has(n), `SEED=${seed}: message ${n} of partition ${partition} (of ${sent[partition]}) was never processed`);
    }
  }

  const watched = await new Promise((resolve) => {
    watcher.once('message', resolve);
    watcher.postMessage('end');
  });
  assert.deepEqual(watched.wrong, [], 'an offset file was always absent or a number that does not fall');

  // Or all of this would have shown nothing.
  assert.ok(midTraffic > KILLS / 5, `only ${midTraffic} of ${KILLS} were killed with messages handed over and not recorded`);
  assert.ok(book.duplicates > 0, 'no kill made a duplicate');
  assert.ok(book.outOfOrder > KILLS / 5, `only ${book.outOfOrder} batches ended before an earlier one`);
  assert.ok(watched.values > KILLS / 5, `only ${watched.values} different offsets were seen in ${watched.reads} reads`);
  t.diagnostic(
    `${KILLS} kills, ${midTraffic} in the middle of work; ${sent.reduce((a, b) => a + b)} messages, ${book.duplicates} duplicates of ${book.bound} allowed; ` +
      `${book.outOfOrder} batches ended out of order; ${watched.reads} reads of offset files saw ${watched.values} values; SEED=${seed}`,
  );
});

/** Reports of the lives, checked against each other and against what was recorded when each ended. */
class Book {
  /** Recorded when the life before ended. @type {Record<number, number>} */
  #recorded = {};
  #processed = Array.from({ length: PARTITIONS }, () => new Set());
  duplicates = 0;
  bound = 0;
  outOfOrder = 0;

  processed(partition) {
    return this.#processed[partition];
  }

  /** Reads the journal of a life that ended with these offsets recorded; returns whether work was lost. */
  enter(life, file, recorded) {
    const handedOver = Array.from({ length: PARTITIONS }, () => []);
    let repeated = 0;
    let open = [];
    // The last line may have been cut by the kill: then its batch had not begun, or its callback had not returned.
    const lines = fs.existsSync(file) ? fs.readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];
    for (const line of lines) {
      const [kind, batch, ...runs] = line.split(' ');
      assert.ok(kind === 'handed' || kind === 'done', `${life}: ${line}`);
      for (const run of runs) {
        const [partition, numbers] = run.split(':');
        for (const n of numbers.split(',').map(Number)) {
          if (kind === 'handed') handedOver[partition].push(n);
          else if (this.#processed[partition].has(n)) repeated++;
          else this.#processed[partition].add(n);
        }
      }
      if (kind === 'handed') open.push(batch);
      else {
        if (open[0] !== batch) this.outOfOrder++;
        open = open.filter((other) => other !== batch);
      }
    }

    let lost = 0;
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const where = `${life}, partition ${partition}`;
      const before = this.#recorded[partition] ?? -1;
      const after = recorded[partition] ?? -1;
      const given = handedOver[partition];
      // It begins right behind what is recorded: no gap, and no more repeats than must be.
      assert.deepEqual(
        given,
        given.map((_, i) => before + 1 + i),
        `${where}: recorded was ${before}, handed over from ${given[0]}`,
      );
      assert.ok(after >= before, `${where}: the recorded offset fell from ${before} to ${after}`);
      // The heart of it: what is recorded was processed, however its batches finished.
      for (let n = before + 1; n <= after; n++) {
        assert.ok(this.#processed[partition].has(n), `${where}: ${after} is recorded, and ${n} was not processed`);
      }
      lost += Math.max((given.at(-1) ?? before) - after, 0);
    }
    assert.ok(
      repeated <= this.bound - this.duplicates,
      `${life}: ${repeated} repeats, but only ${this.bound - this.duplicates} were handed over and not recorded`,
    );
    this.duplicates += repeated;
    this.bound += lost;
    this.#recorded = recorded;
    return lost > 0;
  }
}
