'use strict';
// A thousand clients leave nothing behind.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { Child } = require('../../support/child.js');
const { cleanup } = require('../../support/cleanup.js');
const { embedded, real } = require('../../support/clusters.js');
const { folder, producer } = require('../../support/flow.js');
const { MiB } = require('../../support/memory.js');

describe('clients that are made and closed leave threads, files and memory where they were', () => {
  async function grow(t, cluster, { warmUp, clients }) {
    // V8's heap and malloc's arenas breathe. A client that is never collected takes 70 KiB.
    const tolerance = clients * 24 + 4 * MiB;
    const topic = await cluster.topic(1);
    const sender = producer(t, cluster);
    sender.send(topic, 0, ['first']);
    await sender.stop();
    const child = new Child(t, 'many-clients.js', { client: cluster.options(), topic, directory: folder(t), warmUp, clients }, { execArgv: ['--expose-gc'] });
    const { before, after } = await child.says('left', 110_000);
    await child.exits();
    t.diagnostic(`${before.threads.length} threads, ${before.files.length} files, ${(before.rss / MiB).toFixed(1)} MiB; ` +
      `after ${clients} clients ${after.threads.length}, ${after.files.length}, ${(after.rss / MiB).toFixed(1)} MiB`);
    assert.deepEqual(after.threads, before.threads, 'threads');
    assert.equal(after.files.length, before.files.length, `files: ${after.files}`);
    assert.ok(after.rss - before.rss < tolerance, `${after.rss - before.rss} KiB more after ${clients} clients, tolerated are ${tolerance}`);
  }

  test('1000 clients', async (t) => {
    const cluster = await embedded();
    cleanup(t, () => cluster.close());
    await grow(t, cluster, { warmUp: 600, clients: 1000 });
  });

  test('200 clients over TLS on the real cluster', async (t) => {
    const cluster = await real({ own: true, security: true });
    cleanup(t, () => cluster.close());
    const secure = {
      ...cluster,
      options: () => ({
        broker: cluster.kafka.listeners.ssl,
        driver_options: { 'security.protocol': 'ssl', 'ssl.ca.location': cluster.kafka.tls.ca },
      }),
    };
    await grow(t, secure, { warmUp: 100, clients: 200 });
  });
});
