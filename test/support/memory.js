'use strict';
// How much memory a consumer takes whose callback is slow.

const assert = require('node:assert/strict');
const { after, before, test } = require('node:test');
const { Child } = require('./child.js');
const { cleanup } = require('./cleanup.js');
const { real } = require('./clusters.js');
const { folder, producer, within } = require('./flow.js');

/** Sizes in KiB, as `queued_max_messages_kbytes` is. */
const MiB = 1024;

/**
 * Defines tests: a callback that takes a second, or blocks the loop, and a producer at full speed.
 *
 * @param {{ size: number, slow: 'promise' | 'sync', payloads?: string, until: number }[]} cases until: how many messages are settled
 */
function boundedMemory(cases) {
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

  for (const { size, slow, payloads = 'utf8', until } of cases) {
    const name = `${size} bytes as ${payloads}, ${slow === 'sync' ? 'the loop blocked' : 'a promise'}`;
    test(`memory stays under queued_max_messages_kbytes and a fixed overhead: ${name}`, async (t) => {
      const overhead = payloads === 'utf8' ? OVERHEAD + TEXT : OVERHEAD;
      const topic = await cluster.topic(4);
      const sender = producer(t, cluster, { queue_buffering_max_messages: Math.ceil((32 * MiB * 1024) / size) });
      let sent = 0;
      let over = false;
      cleanup(t, () => (over = true));
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
      await within(90_000, () => `${sent} messages were produced`, () => sending);
      const inMiB = (kib) => `${Math.round(kib / MiB)} MiB`;
      t.diagnostic(`${inMiB(peak - before)} over the ${inMiB(before)} at the start; at most ${most} messages (${inMiB((most * size) / 1024)}) in callbacks`);
      // librdkafka's overhead of a message counts, too. (While the loop is blocked it is one batch, and those on their way.)
      assert.ok((most * (size + 304)) / 1024 < BUDGET, `${most} messages were in callbacks at once, more than the budget`);
      assert.ok(peak - before < BUDGET + overhead, `${inMiB(peak - before)} more than at the start, allowed are ${inMiB(BUDGET)} + ${inMiB(overhead)}`);
    });
  }
}

module.exports = { MiB, boundedMemory };
