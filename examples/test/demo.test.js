'use strict';
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { onBoth } = require('../../test/support/clusters.js');
const { folder } = require('../../test/support/flow.js');
const { Example } = require('./support.js');

onBoth('the demo of npm start', (cluster) => {
  test('sends, receives in two workers, shows the offset files, and ends by itself', async (t) => {
    const directory = folder(t);
    // The embedded kind is the demo's own.
    const KAFKA_BROKER = cluster().kind === 'real' ? cluster().options().broker : undefined;
    const demo = new Example(t, 'demo', { args: ['--messages', 200_000, '--offsets', directory], env: { KAFKA_BROKER } });
    assert.deepEqual(await demo.exit(), { code: 0, signal: null }, demo.stdout + demo.stderr);
    assert.match(demo.stdout, /^Every message was seen exactly once, in order, in each partition\.$/m);
    assert.match(demo.stdout, /^200,000 messages in [\d.]+ s: [\d,]+ a second, sent and received\.$/m);
    assert.match(demo.stdout, /^sent 200,000 \(100%, .*lag 0$/m);
    const rows = demo.all(/^ +\S+-([0-3])\.offset +49999 +([01]) +50,000$/);
    assert.deepEqual(rows.map(([, partition, slot]) => [Number(partition), Number(slot)]), [[0, 0], [1, 1], [2, 0], [3, 1]]);
    // A machine that is slow may make librdkafka warn of a connection.
    assert.equal(demo.stderr.replace(/^.*_TRANSPORT.*\n/gm, ''), '');
    assert.doesNotMatch(demo.stdout, /CONFWARN/);
  });
});

test('the demo says what is wrong when the Kafka of KAFKA_BROKER cannot be reached', async (t) => {
  const demo = new Example(t, 'demo', { env: { KAFKA_BROKER: '127.0.0.1:1' } });
  assert.deepEqual(await demo.exit(), { code: 1, signal: null });
  assert.match(demo.stderr, /The demo failed: cannot create a topic on the Kafka at 127\.0\.0\.1:1 \(KAFKA_BROKER\)/);
});
