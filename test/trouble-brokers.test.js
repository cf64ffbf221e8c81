'use strict';
// Three brokers that lose one.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { cleanup } = require('./support/cleanup.js');
const { real } = require('./support/clusters.js');
const { Inbox, PATIENCE, consumer, folder } = require('./support/flow.js');
const { Traffic, whole } = require('./support/traffic.js');
const { Calls, eventually, witness } = require('./support/watch.js');

describe('three brokers', () => {
  test('lose a leader while both sides run: nothing acknowledged is lost, and a single lost broker is a warning', async (t) => {
    const cluster = await real({ own: true, nodes: 3 });
    cleanup(t, () => cluster.close());
    const topic = await cluster.topic(3, { replication: 3 }); // each of the brokers leads one
    const directory = folder(t);
    const [inbox, errors, { lines, logger }] = [new Inbox(), new Calls(), witness()];
    const receiver = consumer(t, cluster, { topic, offset_directory: directory, logger, receive_callback: inbox.receive, error_callback: errors.take });
    await receiver.start();
    const traffic = new Traffic(t, cluster, topic, 3);
    await inbox.until(150);
    await cluster.kafka.nodes[1].kill();
    await traffic.more(300);
    // All partitions go on without it.
    const from = inbox.messages.length;
    await eventually(PATIENCE, 'messages of each partition', () => new Set(inbox.messages.slice(from).map((m) => m.partition)).size === 3);
    await cluster.kafka.nodes[1].start();
    await traffic.more(100);
    await traffic.end();
    await eventually(PATIENCE, 'every acknowledged message', () => whole(inbox.messages, traffic.sent));
    assert.deepEqual([inbox.misses, inbox.repeats], [0, 0]);
    assert.deepEqual([...errors.all, ...traffic.errors.all].map(String), []);
    await lines.until(([level, line]) => level === 'warn' && /_TRANSPORT/.test(line));
  });
});
