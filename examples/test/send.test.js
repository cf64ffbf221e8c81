'use strict';
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { onBoth } = require('../../test/support/clusters.js');
const { Inbox, consumer, folder } = require('../../test/support/flow.js');
const { Example } = require('./support.js');

onBoth('examples/send', (cluster) => {
  test('sends what it says', async (t) => {
    const topic = await cluster().topic(2);
    const { broker } = cluster().options();
    const example = new Example(t, 'send', { args: [topic, '2500'], env: { KAFKA_BROKER: broker } });
    assert.deepEqual(await example.exit(), { code: 0, signal: null }, example.stderr);
    assert.equal(example.stdout, `2500 messages are in ${topic}\n`);

    const inbox = new Inbox();
    await consumer(t, cluster(), { topic, offset_directory: folder(t), receive_callback: inbox.receive }).start();
    const messages = await inbox.until(2500);
    for (const { key, payload } of messages) assert.equal(JSON.parse(payload).account, key);
  });
});
