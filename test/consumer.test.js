'use strict';
// start(), what receive_callback gets and when, and how a consumer ends.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { KafkaError } = require('kafka-native');
const { onBoth } = require('./support/clusters.js');
const { Inbox, PATIENCE, SOON, consumer, folder, offsets, producer, within } = require('./support/flow.js');
const { Calls, backlog, deferred, eventually, witness } = require('./support/watch.js');

/** A topic with messages `partition/n`. */
async function filled(t, cluster, partitions, each) {
  const topic = await cluster.topic(partitions);
  const sender = producer(t, cluster);
  for (let partition = 0; partition < partitions; partition++) {
    assert.equal(
      sender.send(
        topic,
        partition,
        Array.from({ length: each }, (_, n) => `${partition}/${n}`),
      ).enqueued,
      each,
    );
  }
  await sender.stop();
  return topic;
}

onBoth('a backlog', (cluster) => {
  test('is given one batch a turn of the event loop, so that timers and sockets have theirs', async (t) => {
    const { topic, take, shown } = await backlog(t, cluster());
    const one = consumer(t, cluster(), { topic, offset_directory: folder(t), receive_callback: ({ messages }) => take(messages.length) });
    await one.start();
    await shown();
  });
});

onBoth('start', (cluster) => {
  test('resolves with the partitions of the slot, and pulls from those alone', async (t) => {
    const topic = await filled(t, cluster(), 5, 3);
    for (const [worker_slot, partitions] of [
      [0, [0, 2, 4]],
      [1, [1, 3]],
    ]) {
      const inbox = new Inbox();
      const one = consumer(t, cluster(), { topic, offset_directory: folder(t), num_workers: 2, worker_slot, receive_callback: inbox.receive });
      assert.deepEqual(await one.start(), partitions);
      await inbox.until(3 * partitions.length);
      await one.stop();
      assert.deepEqual(
        inbox.messages.map((m) => m.payload).sort(),
        partitions.flatMap((p) => [0, 1, 2].map((n) => `${p}/${n}`)),
      );
      assert.deepEqual([inbox.misses, inbox.repeats], [0, 0]);
    }
  });

  test('rejects when there are fewer partitions than workers, and says so', async (t) => {
    const topic = await cluster().topic(2);
    const one = consumer(t, cluster(), { topic, offset_directory: folder(t), num_workers: 3, receive_callback() {} });
    await assert.rejects(one.start(), { name: 'KafkaError', code: '_STATE', message: /2 partitions.*3 workers.*num_workers/ });
  });

  test('rejects when the consumer is started or stopped already', async (t) => {
    const topic = await cluster().topic(1);
    const one = consumer(t, cluster(), { topic, offset_directory: folder(t), receive_callback() {} });
    const starting = one.start();
    await assert.rejects(one.start(), { name: 'KafkaError', code: '_STATE', message: /already started/ });
    assert.deepEqual(await starting, [0]);
    await assert.rejects(one.start(), { name: 'KafkaError', code: '_STATE', message: /already started/ });
    await one.stop();
    await assert.rejects(one.start(), { name: 'KafkaError', code: '_STATE', message: /stopped/ });
  });

  test('may be called again after it failed', async (t) => {
    const topic = await filled(t, cluster(), 1, 1);
    const directory = folder(t);
    const inbox = new Inbox();
    const first = consumer(t, cluster(), { topic, offset_directory: directory, receive_callback() {} });
    const second = consumer(t, cluster(), { topic, offset_directory: directory, receive_callback: inbox.receive });
    await first.start();
    await assert.rejects(second.start(), KafkaError);
    await first.stop();
    assert.deepEqual(await second.start(), [0]);
  });

  test('makes the topic where the broker does that', async (t) => {
    const one = consumer(t, cluster(), { topic: `made-by-start-${process.pid}-${Date.now()}`, offset_directory: folder(t), receive_callback() {} });
    assert.deepEqual(await one.start(), [0, 1, 2, 3]);
  });
});

onBoth('receive_callback', (cluster) => {
  test('gets messages with all their parts; key and headers are absent when there are none', async (t) => {
    const topic = await cluster().topic(1);
    const sender = producer(t, cluster());
    sender.send(topic, 0, ['plain', { key: 'k', value: null, timestamp: 1e12, headers: { h: ['1', '2'] } }, { key: '', value: '' }]);
    await sender.stop();
    const inbox = new Inbox();
    const one = consumer(t, cluster(), { topic, offset_directory: folder(t), receive_callback: inbox.receive });
    await one.start();
    const [plain, whole, empty] = await inbox.until(3);
    const { timestamp, ...rest } = plain;
    assert.deepEqual(rest, { topic, partition: 0, offset: 0, payload: 'plain' });
    assert.ok(Number.isInteger(timestamp));
    assert.deepEqual(whole, { topic, partition: 0, offset: 1, payload: null, key: 'k', timestamp: 1e12, headers: { h: [Buffer.from('1'), Buffer.from('2')] } });
    assert.deepEqual([empty.payload, empty.key], ['', '']);
  });

  test('gets Buffers for payload and key where the encoding says so, bytes unharmed', async (t) => {
    const topic = await cluster().topic(1);
    const sender = producer(t, cluster());
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, n) => n));
    sender.send(topic, 0, [
      { key: bytes, value: bytes },
      { key: bytes, value: null },
    ]);
    await sender.stop();
    for (const [payload_encoding, key_encoding] of [
      ['buffer', 'utf8'],
      ['utf8', 'buffer'],
      ['buffer', 'buffer'],
    ]) {
      const inbox = new Inbox();
      const one = consumer(t, cluster(), { topic, offset_directory: folder(t), payload_encoding, key_encoding, receive_callback: inbox.receive });
      await one.start();
      const [first, second] = await inbox.until(2);
      assert.deepEqual(first.payload, payload_encoding === 'buffer' ? bytes : bytes.toString());
      assert.deepEqual(first.key, key_encoding === 'buffer' ? bytes : bytes.toString());
      assert.equal(second.payload, null);
      await one.stop();
    }
  });

  test('never gets more than max_messages_per_callback, and every message in the order of its partition', async (t) => {
    const topic = await filled(t, cluster(), 2, 1000);
    const [inbox, sizes] = [new Inbox(), []];
    const one = consumer(t, cluster(), {
      topic,
      offset_directory: folder(t),
      max_messages_per_callback: 7,
      receive_callback: (batch) => (sizes.push(batch.messages.length), inbox.receive(batch)),
    });
    await one.start();
    await inbox.until(2000);
    assert.ok(
      sizes.every((size) => size >= 1 && size <= 7),
      `${Math.max(...sizes)} in a batch`,
    );
    for (const partition of [0, 1]) {
      const own = inbox.messages.filter((m) => m.partition === partition);
      assert.deepEqual(
        own.map((m) => m.payload),
        Array.from({ length: 1000 }, (_, n) => `${partition}/${n}`),
      );
    }
  });

  test('gets a lone message without waiting for others', async (t) => {
    const topic = await cluster().topic(1);
    const inbox = new Inbox();
    const one = consumer(t, cluster(), { topic, offset_directory: folder(t), receive_callback: inbox.receive });
    await one.start();
    const sender = producer(t, cluster(), { queue_buffering_max_ms: 0 });
    // The original took up to a second for each.
    await within(
      PATIENCE,
      () => `${inbox.messages.length} lone messages`,
      async () => {
        for (let n = 1; n <= 40; n++) {
          sender.send(topic, 0, [`${n}`]);
          await inbox.until(n);
          assert.equal(inbox.calls, n);
        }
      },
    );
  });

  test('is called for the next batch while a promise is pending, and with max_callbacks_in_flight: 1 is not', async (t) => {
    const topic = await filled(t, cluster(), 1, 30);
    for (const max_callbacks_in_flight of [undefined, 1, 3]) {
      let [running, most, received] = [0, 0, 0];
      const [calls, gates] = [new Calls(), []];
      const one = consumer(t, cluster(), {
        topic,
        offset_directory: folder(t),
        max_messages_per_callback: 5,
        max_callbacks_in_flight,
        receive_callback: async ({ messages }) => {
          most = Math.max(most, ++running);
          received += messages.length;
          const gate = deferred();
          gates.push(gate);
          calls.take();
          await gate.promise;
          running--;
        },
      });
      await one.start();
      const limit = max_callbacks_in_flight ?? Infinity;
      // No promise is fulfilled before as many are pending as may be.
      for (let done = 0; received < 30; gates[done++].resolve()) await calls.until(() => received === 30 || gates.length === done + limit);
      for (const gate of gates) gate.resolve();
      await one.stop({ drain: true });
      assert.ok(gates.length >= 6);
      assert.equal(most, Math.min(limit, gates.length));
      assert.equal(received, 30);
    }
  });

  test('that throws or rejects is logged and counted, and its offsets are recorded all the same', async (t) => {
    const topic = await filled(t, cluster(), 1, 10);
    const directory = folder(t);
    const { lines, logger } = witness();
    const inbox = new Inbox();
    const one = consumer(t, cluster(), {
      topic,
      offset_directory: directory,
      logger,
      max_messages_per_callback: 5,
      receive_callback: (batch) => {
        inbox.receive(batch);
        if (batch.messages[0].offset === 0) throw new Error('thrown by the user');
        return Promise.reject(new Error('rejected by the user'));
      },
    });
    await one.start();
    await inbox.until(10);
    await lines.until(([level, line]) => level === 'error' && line.includes('rejected by the user'));
    assert.ok(lines.all.some(([level, line]) => level === 'error' && line.includes('thrown by the user')));
    await one.stop();
    assert.equal(one.failed_callbacks, inbox.calls);
    assert.deepEqual(offsets(directory, topic), { 0: 9 });
  });

  test('with commit_on_error: false gets a failed batch again until it succeeds, unharmed, and nothing meanwhile', async (t) => {
    const topic = await filled(t, cluster(), 1, 20);
    const directory = folder(t);
    const batches = [];
    const inbox = new Inbox();
    let failures = 0;
    const one = consumer(t, cluster(), {
      topic,
      offset_directory: directory,
      max_messages_per_callback: 10,
      commit_on_error: false,
      payload_encoding: 'buffer',
      receive_callback: async (batch) => {
        batches.push(batch.messages.map((m) => String(m.payload)).join());
        for (const { payload } of batch.messages) if (failures < 3) payload.fill('x');
        await null;
        if (failures++ < 3) {
          assert.deepEqual(offsets(directory, topic), {}, 'nothing is recorded of a failed batch');
          throw new Error('not yet');
        }
        inbox.receive(batch);
      },
    });
    await one.start();
    await inbox.until(20);
    await one.stop({ drain: true });
    assert.equal(one.failed_callbacks, 3);
    assert.equal(new Set(batches.slice(0, 4)).size, 1, 'the same batch four times');
    assert.deepEqual(
      inbox.messages.map((m) => m.offset),
      Array.from({ length: 20 }, (_, n) => n),
    );
    assert.deepEqual(offsets(directory, topic), { 0: 19 });
  });

  test('with commit_on_error: false gets what never succeeded after the next start', async (t) => {
    const topic = await filled(t, cluster(), 1, 5);
    const directory = folder(t);
    const calls = new Calls();
    const failing = consumer(t, cluster(), {
      topic,
      offset_directory: directory,
      commit_on_error: false,
      receive_callback: async (batch) => (calls.take(batch), Promise.reject(new Error('never'))),
    });
    await failing.start();
    await calls.count(2);
    await failing.stop();
    assert.deepEqual(offsets(directory, topic), {});
    const inbox = new Inbox();
    const next = consumer(t, cluster(), { topic, offset_directory: directory, receive_callback: inbox.receive });
    await next.start();
    assert.equal((await inbox.until(5))[0].offset, 0);
  });
});

onBoth('stop', (cluster) => {
  test('resolves when what was processed is on disk, and the next consumer goes on behind it', async (t) => {
    const topic = await filled(t, cluster(), 3, 100);
    const directory = folder(t);
    const inbox = new Inbox();
    const one = consumer(t, cluster(), { topic, offset_directory: directory, receive_callback: inbox.receive });
    await one.start();
    await inbox.until(300);
    const stopping = one.stop();
    assert.equal(one.stop({ drain: true }), stopping, 'a second stop is the same promise');
    await stopping;
    assert.deepEqual(offsets(directory, topic), { 0: 99, 1: 99, 2: 99 });

    const sender = producer(t, cluster());
    sender.send(topic, 1, ['new']);
    await sender.stop();
    const rest = new Inbox();
    const two = consumer(t, cluster(), { topic, offset_directory: directory, receive_callback: rest.receive });
    await two.start();
    assert.deepEqual(
      (await rest.until(1)).map((m) => [m.partition, m.offset, m.payload]),
      [[1, 100, 'new']],
    );
  });

  test('does not wait for a running callback, which may be its caller', async (t) => {
    const topic = await filled(t, cluster(), 1, 1);
    const ended = deferred();
    const one = consumer(t, cluster(), { topic, offset_directory: folder(t), receive_callback: () => one.stop().then(ended.resolve, ended.reject) });
    await one.start();
    await within(SOON, 'stop', () => ended.promise);
  });

  test('with drain waits for the running callbacks and records them', async (t) => {
    const topic = await filled(t, cluster(), 1, 10);
    const directory = folder(t);
    const [calls, gate] = [new Calls(), deferred()];
    const one = consumer(t, cluster(), {
      topic,
      offset_directory: directory,
      max_messages_per_callback: 5,
      receive_callback: async (batch) => (calls.take(batch), gate.promise),
    });
    await one.start();
    await calls.until((batch) => batch.messages.at(-1).offset === 9);
    let stopped = false;
    const stopping = one.stop({ drain: true }).then(() => (stopped = true));
    await new Promise(setImmediate);
    assert.equal(stopped, false);
    assert.deepEqual(offsets(directory, topic), {});
    gate.resolve();
    await stopping;
    assert.deepEqual(offsets(directory, topic), { 0: 9 });
  });

  test('with drain and a timeout gives up on a callback that never ends, and says so', async (t) => {
    const topic = await filled(t, cluster(), 1, 1);
    const directory = folder(t);
    const { lines, logger } = witness();
    const calls = new Calls();
    const one = consumer(t, cluster(), { topic, offset_directory: directory, logger, receive_callback: () => (calls.take(), new Promise(() => {})) });
    await one.start();
    await calls.count(1);
    await within(SOON, 'stop', () => one.stop({ drain: true, timeout: 100 }));
    assert.ok(lines.all.some(([level, line]) => level === 'warn' && /1 callbacks? still run/.test(line)));
    assert.deepEqual(offsets(directory, topic), {});
  });

  test('is followed by no callback', async (t) => {
    const topic = await filled(t, cluster(), 1, 5000);
    let [stopped, late] = [false, 0];
    const first = deferred();
    const one = consumer(t, cluster(), {
      topic,
      offset_directory: folder(t),
      max_messages_per_callback: 1,
      receive_callback: () => (first.resolve(), (late += stopped)),
    });
    await one.start();
    await first.promise;
    const stopping = one.stop();
    stopped = true;
    await stopping;
    await new Promise(setImmediate);
    assert.equal(late, 0);
  });

  test('lets a callback that settles later record its offset', async (t) => {
    const topic = await filled(t, cluster(), 1, 3);
    const directory = folder(t);
    const [calls, gate] = [new Calls(), deferred()];
    const one = consumer(t, cluster(), { topic, offset_directory: directory, receive_callback: async (batch) => (calls.take(batch), gate.promise) });
    await one.start();
    await calls.until((batch) => batch.messages.at(-1).offset === 2);
    await one.stop();
    assert.deepEqual(offsets(directory, topic), {});
    gate.resolve();
    await eventually(PATIENCE, 'the late offset', () => offsets(directory, topic)[0] === 2);
  });

  test('lets no late callback overwrite the offset of the next holder: it is dropped with a warning', async (t) => {
    const topic = await filled(t, cluster(), 1, 3);
    const directory = folder(t);
    const [calls, gate] = [new Calls(), deferred()];
    const { lines, logger } = witness();
    const one = consumer(t, cluster(), {
      topic,
      offset_directory: directory,
      logger,
      max_messages_per_callback: 2,
      receive_callback: async (batch) => (calls.take(batch), gate.promise),
    });
    await one.start();
    await calls.count(1);
    await one.stop();
    const inbox = new Inbox();
    const next = consumer(t, cluster(), { topic, offset_directory: directory, receive_callback: inbox.receive });
    await next.start();
    await inbox.until(3);
    await eventually(PATIENCE, 'the offset of the next holder', () => offsets(directory, topic)[0] === 2);
    gate.resolve();
    await lines.until(([level, line]) => level === 'warn' && /after the consumer had stopped/.test(line));
    assert.deepEqual(offsets(directory, topic), { 0: 2 });
  });

  test('before start and while starting ends the consumer', async (t) => {
    const topic = await cluster().topic(1);
    const [never, starting] = [1, 2].map(() => consumer(t, cluster(), { topic, offset_directory: folder(t), receive_callback() {} }));
    await never.stop();
    await assert.rejects(never.start(), { code: '_STATE' });
    const start = assert.rejects(starting.start(), KafkaError);
    await within(SOON, 'stop', () => starting.stop());
    await start;
  });
});

onBoth('pause and resume', (cluster) => {
  test('throw before start; after stop pause throws and resume does nothing', async (t) => {
    const topic = await cluster().topic(1);
    const one = consumer(t, cluster(), { topic, offset_directory: folder(t), receive_callback() {} });
    assert.throws(() => one.pause(), { name: 'KafkaError', code: '_STATE', message: /not started/ });
    assert.throws(() => one.resume(), { name: 'KafkaError', code: '_STATE', message: /not started/ });
    await one.start();
    one.pause();
    one.pause();
    one.resume();
    one.resume();
    await one.stop();
    assert.throws(() => one.pause(), { name: 'KafkaError', code: '_STATE', message: /stopped/ });
    one.resume();
  });
});
