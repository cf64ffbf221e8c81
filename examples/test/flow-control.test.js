'use strict';
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { onBoth } = require('../../test/support/clusters.js');
const { folder, offsets, producer } = require('../../test/support/flow.js');
const { Example } = require('./support.js');

const MESSAGES = 5000;

onBoth('examples/flow-control', (cluster) => {
  test('does all the work, and never holds more than its bound and one batch', async (t) => {
    const topic = await cluster().topic(1);
    const directory = folder(t);
    const sender = producer(t, cluster());
    sender.send(topic, 0, Array.from({ length: MESSAGES }, (_, i) => (i === MESSAGES - 1 ? 'last' : `job ${i}`)));
    await sender.stop();

    const { broker } = cluster().options();
    const example = new Example(t, 'flow-control', { args: [topic], env: { KAFKA_BROKER: broker, OFFSETS: directory } });
    const [, done, highest] = await example.writes(/^done (\d+), never more than (\d+) waiting$/m);
    assert.ok(Number(done) > MESSAGES - 10, `${done} of ${MESSAGES}, the last ones run together`);
    assert.ok(Number(highest) >= 200 && Number(highest) < 300, `${highest} were waiting`);
    assert.deepEqual(await example.kill('SIGTERM'), { code: 0, signal: null }, example.stderr);
    assert.deepEqual(offsets(directory, topic), { 0: MESSAGES - 1 });
  });
});
