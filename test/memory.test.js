'use strict';
// Memory stays bounded when the user or the broker is slow.
// Alone: it asserts how much memory a process takes.

const assert = require('node:assert/strict');
const net = require('node:net');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { Child } = require('./support/child.js');
const { MiB, boundedMemory } = require('./support/memory.js');

describe('a callback that takes a second, and a producer at full speed', () => {
  boundedMemory([
    { size: 100, slow: 'promise', until: 400_000 },
    { size: 100, slow: 'promise', payloads: 'buffer', until: 400_000 },
  ]);
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
