'use strict';
// Memory stays bounded when the user or the broker is slow, and a thousand clients leave nothing behind.

const assert = require('node:assert/strict');
const net = require('node:net');
const { once } = require('node:events');
const { after, before, describe, test } = require('node:test');
const { embedded, real } = require('./support/clusters.js');
const { Child } = require('./support/child.js');
const { folder, producer, within } = require('./support/flow.js');

/** Sizes in KiB, as `queued_max_messages_kbytes` is. */
const MiB = 1024;

describe('a callback that takes a second, and a producer at full speed', () => {
  const BUDGET = 64 * MiB;
  // On top of the budget comes what is none of the messages: one decompressed fetch response, the message objects, what malloc
  // has not given back.
  const OVERHEAD = 128 * MiB;
  // Payloads as text are strings in V8's heap, which it lets grow to about four times of what is alive, 32 MiB here,
  // before it collects what was.
  const TEXT = 96 * MiB;
  // So much is produced: what would happen without a bound.
  const VOLUME = 512 * MiB;

  /** @type {any} */ let cluster;
  before(async () => (cluster = await real()));
  after(() => cluster?.close());

  for (const { size, slow, payloads = 'utf8', until } of [
    { size: 100, slow: 'promise', until: 400_000 },
    { size: 100, slow: 'promise', payloads: 'buffer', until: 400_000 },
    { size: 100 * 1024, slow: 'promise', until: 1300 },
    { size: 100 * 1024, slow: 'promise', payloads: 'buffer', until: 1300 },
    { size: 100, slow: 'sync', until: 30_000 },
    { size: 100 * 1024, slow: 'sync', until: 40 },
  ]) {
    const name = `${size} bytes as ${payloads}, ${slow === 'sync' ? 'the loop blocked' : 'a promise'}`;
    test(`memory stays under queued_max_messages_kbytes and a fixed overhead: ${name}`, async (t) => {
      const overhead = payloads === 'utf8' ? OVERHEAD + TEXT : OVERHEAD;
      const topic = await cluster.topic(4);
      const sender = producer(t, cluster, { queue_buffering_max_messages: Math.ceil((32 * MiB * 1024) / size) });
      let sent = 0;
      let over = false;
      t.after(() => (over = true));
      const payload = Buffer.alloc(size, 'x');
      async function send() {
        for (let call = 0; sent * size < VOLUME * 1024 && !over; call++) {
          const { enqueued } = sender.send(topic, call % 4, new Array(Math.ceil(MiB * 256 / size)).fill(payload));
          sent += enqueued;
          await new Promise(enqueued > 0 ? setImmediate : (resolve) => setTimeout(resolve, 5));
        }
      }
      const sending = send();

      const options = { client: cluster.options(), topic, directory: folder(t), budget: BUDGET, slow, payloads, until };
      const child = new Child(t, 'slow-consumer.js', options);
      const { before } = await child.says('started');
      const { peak, most } = await child.says('peak', 90_000);
      await child.exits();
      await within(60_000, () => `${sent} messages were produced`, () => sending);
      const inMiB = (kib) => `${Math.round(kib / MiB)} MiB`;
      t.diagnostic(`${inMiB(peak - before)} over the ${inMiB(before)} at the start; at most ${most} messages (${inMiB((most * size) / 1024)}) in callbacks`);
      // librdkafka's overhead of a message counts, too. (While the loop is blocked it is one batch, and those on their way.)
      assert.ok((most * (size + 304)) / 1024 < BUDGET, `${most} messages were in callbacks at once, more than the budget`);
      assert.ok(peak - before < BUDGET + overhead, `${inMiB(peak - before)} more than at the start, allowed are ${inMiB(BUDGET)} + ${inMiB(overhead)}`);
    });
  }
});

test('the producer holds no more than its budget while there is no broker', async (t) => {
  // Nobody listens there: the port was free a moment ago.
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const broker = `127.0.0.1:${server.address().port}`;
  await new Promise((resolve) => server.close(resolve));

  const messages = 50_000;
  const size = 1000;
  // librdkafka's own part of a message, and the copies that are on their way between the threads.
  const EACH = size + 600;
  const OVERHEAD = 64 * MiB;
  const child = new Child(t, 'broker-gone.js', { client: { broker }, topic: 'nowhere', messages, size });
  const { before, peak, enqueued, refused } = await child.says('peak');
  await child.exits();
  t.diagnostic(`${Math.round((peak - before) / MiB)} MiB more for ${enqueued} messages, ${refused} refused`);
  assert.equal(enqueued, messages);
  assert.equal(refused, 9 * messages);
  assert.ok(peak - before < (messages * EACH) / 1024 + OVERHEAD, `${peak - before} KiB more, without a bound it would be 500 000`);
});

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
    t.after(() => cluster.close());
    await grow(t, cluster, { warmUp: 600, clients: 1000 });
  });

  test('200 clients over TLS on the real cluster', async (t) => {
    const cluster = await real({ own: true, security: true });
    t.after(() => cluster.close());
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
