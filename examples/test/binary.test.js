'use strict';
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { onBoth } = require('../../test/support/clusters.js');
const { folder, offsets } = require('../../test/support/flow.js');
const { Example } = require('./support.js');

onBoth('examples/binary', (cluster) => {
  test('gets back what it sent, byte for byte, in the order of each key, and ends by itself', async (t) => {
    const topic = await cluster().topic(2);
    const directory = folder(t);
    const { broker } = cluster().options();
    const example = new Example(t, 'binary', { args: [topic], env: { KAFKA_BROKER: broker, OFFSETS: directory } });
    assert.deepEqual(await example.exit(), { code: 0, signal: null }, example.stderr);

    const samples = example.all(/^([0-9a-f]{32}): ((?:\d+\.\d ){4}celsius|is gone)$/);
    const sensors = [...new Set(samples.map(([, sensor]) => sensor))];
    assert.equal(sensors.length, 3, example.stdout);
    for (const sensor of sensors) {
      const [first, second, third, ...more] = samples.filter((sample) => sample[1] === sensor).map(([, , what]) => what);
      assert.match(first, /celsius$/);
      assert.match(second, /celsius$/);
      assert.equal(third, 'is gone');
      assert.deepEqual(more, []);
    }
    assert.match(example.stdout, /^without a key: 0 bytes$/m);
    assert.equal(Object.values(offsets(directory, topic)).reduce((sum, last) => sum + last + 1, 0), 10);
  });
});
