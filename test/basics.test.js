'use strict';
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { onBoth } = require('./support/clusters.js');
const { Inbox, consumer, folder, offsets, producer } = require('./support/flow.js');

onBoth('the main job', (cluster) => {
  test('messages go through Kafka and come back, and their offsets are recorded on disk', async (t) => {
    const topic = await cluster().topic(2);
    const sender = producer(t, cluster());
    assert.equal(await sender.partition_count(topic), 2);
    const report = sender.send(topic, 0, ['one', Buffer.from('two'), { key: 'k', value: 'three', headers: { h: 'v' } }]);
    assert.equal(report.enqueued, 3);
    assert.equal(sender.send(topic, 1, ['four']).enqueued, 1);
    await sender.stop();

    const directory = folder(t);
    const inbox = new Inbox();
    const receiver = consumer(t, cluster(), { topic, offset_directory: directory, receive_callback: inbox.receive });
    assert.deepEqual(await receiver.start(), [0, 1]);
    const messages = await inbox.until(4);
    await receiver.stop();
    const first = messages.filter((m) => m.partition === 0);
    assert.deepEqual(
      first.map((m) => m.payload),
      ['one', 'two', 'three'],
    );
    assert.deepEqual(
      first.map((m) => m.offset),
      [0, 1, 2],
    );
    assert.equal(first[2].key, 'k');
    assert.deepEqual(first[2].headers, { h: Buffer.from('v') });
    assert.deepEqual(offsets(directory, topic), { 0: 2, 1: 0 });
  });
});
