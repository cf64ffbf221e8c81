'use strict';
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { onBoth } = require('../../test/support/clusters.js');
const { folder, offsets, producer } = require('../../test/support/flow.js');
const { Example } = require('./support.js');

const PARTITIONS = 4;
const EACH = 1500;

onBoth('examples/node-cluster', (cluster) => {
  test('replaces a killed worker in its slot, skips nothing, and ends with code 0 on SIGTERM', async (t) => {
    const topic = await cluster().topic(PARTITIONS);
    const directory = folder(t);
    const sender = producer(t, cluster());
    const send = () => {
      for (let partition = 0; partition < PARTITIONS; partition++) {
        const { enqueued } = sender.send(topic, partition, Array.from({ length: EACH }, (_, i) => `number ${i}`));
        assert.equal(enqueued, EACH);
      }
    };
    send();

    const { broker } = cluster().options();
    const example = new Example(t, 'node-cluster', { args: [topic, '2'], env: { KAFKA_BROKER: broker, OFFSETS: directory } });
    const done = () => new Set(example.all(/^done (\d+\/\d+)$/).map(([, place]) => place));

    const starts = () => example.all(/^slot 0: receives the partitions 0, 2$/).length;
    for (let round = 1; round <= 3; round++) {
      // Killed at work, not before it could say that it has begun, while the other slot does all that was waited for.
      await example.until(() => starts() === round && done().size > 300 * round, 'some work done', 30_000);
      const pid = Number(example.all(/^slot 0: process (\d+)$/).at(-1)?.[1]);
      process.kill(pid, 'SIGKILL');
      await example.until(() => example.stdout.includes(`slot 0: process ${pid} died (SIGKILL)`), 'the death is noticed');
    }
    await example.until(() => starts() === 4, 'the slot is taken again', 30_000);
    send();
    await sender.stop();
    await example.until(() => done().size === PARTITIONS * EACH * 2, 'all is done');
    assert.deepEqual(await example.kill('SIGTERM'), { code: 0, signal: null }, example.stderr);

    const last = EACH * 2 - 1;
    assert.deepEqual(offsets(directory, topic), { 0: last, 1: last, 2: last, 3: last });
    // Nothing that was recorded was repeated: slot 1 has never died.
    const places = example.all(/^done ([13]\/\d+)$/).map(([, place]) => place);
    assert.equal(places.length, EACH * 2 * 2);
  });
});
