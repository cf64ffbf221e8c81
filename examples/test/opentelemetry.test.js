'use strict';
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { onBoth } = require('../../test/support/clusters.js');
const { Example } = require('./support.js');

onBoth('examples/opentelemetry', (cluster) => {
  test('one trace goes from the send through the headers to the handler and what it does', async (t) => {
    const topic = await cluster().topic(1);
    const example = new Example(t, 'opentelemetry', { args: [topic], env: { KAFKA_BROKER: cluster().options().broker } });
    assert.deepEqual(await example.exit(), { code: 0, signal: null }, example.stderr);

    // The console exporter prints objects of JavaScript.
    const spans = example.stdout.split(/^(?=\{$)/m).map((text) => ({
      name: /^ {2}name: '(.*)'/m.exec(text)?.[1],
      trace: /^ {2}traceId: '(.*)'/m.exec(text)?.[1],
      id: /^ {2}id: '(.*)'/m.exec(text)?.[1],
      parent: /^ {4}spanId: '(.*)'/m.exec(text)?.[1],
    }));
    const span = (name) => spans.find((one) => one.name === name) ?? assert.fail(`no span ${name} in ${example.stdout}`);
    const [checkout, send, handled, ship] = [span('checkout'), span(`send ${topic}`), span(`process ${topic}`), span('ship')];
    assert.deepEqual([send.parent, handled.parent, ship.parent], [checkout.id, send.id, handled.id], example.stdout);
    assert.equal(new Set([checkout, send, handled, ship].map((one) => one.trace)).size, 1);
  });
});
