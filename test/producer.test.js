'use strict';
// Messages that send() takes, its answers, and what arrives.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { onBoth } = require('./support/clusters.js');
const { PATIENCE, SOON, producer, within } = require('./support/flow.js');
const { Calls, eventually, received } = require('./support/watch.js');

/** Nothing is sent until stop() ends the wait: the queue is what the test put into it. */
const HELD = { queue_buffering_max_ms: 60_000 };
const BUFFERS = { payload_encoding: 'buffer', key_encoding: 'buffer' };

/** Java's Utils.murmur2, word for word. */
function murmur2(data) {
  const m = 0x5bd1e995;
  let h = 0x9747b28c ^ data.length;
  const words = data.length >> 2;
  for (let i = 0; i < words; i++) {
    let k = Math.imul(data.readInt32LE(i * 4), m);
    k ^= k >>> 24;
    h = Math.imul(h, m) ^ Math.imul(k, m);
  }
  const rest = words * 4;
  switch (data.length % 4) {
    case 3:
      h ^= data[rest + 2] << 16; // falls through
    case 2:
      h ^= data[rest + 1] << 8; // falls through
    case 1:
      h = Math.imul(h ^ data[rest], m);
  }
  h = Math.imul(h ^ (h >>> 13), m);
  return h ^ (h >>> 15);
}

test('the partitioner of this test is the one of Java', () => {
  // From org.apache.kafka.common.utils.UtilsTest.
  const known = {
    21: -973932308,
    foobar: -790332482,
    'a-little-bit-long-string': -985981536,
    'a-little-bit-longer-string': -1486304829,
    lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8: -58897971,
    abc: 479470107,
  };
  for (const [key, hash] of Object.entries(known)) assert.equal(murmur2(Buffer.from(key)), hash, key);
});

onBoth('send', (cluster) => {
  test('says how many messages were enqueued and how many are under way', async (t) => {
    const [one, two] = [await cluster().topic(1), await cluster().topic(1)];
    const sender = producer(t, cluster(), HELD);
    assert.deepEqual(sender.send(one, 0, ['a', 'b', 'c']), { enqueued: 3, send_queue_length: 3 });
    assert.deepEqual(sender.send(two, 0, ['d']), { enqueued: 1, send_queue_length: 4 });
    assert.deepEqual(sender.send(two, 0, []), { enqueued: 0, send_queue_length: 4 });
    await sender.stop();
    assert.deepEqual(
      (await received(t, cluster(), one, 3)).map((m) => m.payload),
      ['a', 'b', 'c'],
    );
  });

  test('takes strings, Buffers, any Uint8Array and objects, and null and empty arrive as what they are', async (t) => {
    const topic = await cluster().topic(1);
    const sender = producer(t, cluster());
    const shared = new Uint8Array(new SharedArrayBuffer(4)).fill(9);
    const sent = [
      ['text', 'text'],
      ['', ''],
      ['\u00e4\u{1f600}\0', '\u00e4\u{1f600}\0'],
      [Buffer.from([0, 255, 128]), [0, 255, 128]],
      [Buffer.alloc(0), ''],
      [new Uint8Array([1, 2, 3]).subarray(1), [2, 3]],
      [shared, [9, 9, 9, 9]],
      [{ value: 'v' }, 'v'],
      [{ value: null }, null],
      [{ value: '', key: '' }, '', ''],
      [{ value: null, key: null }, null],
      [{ value: Buffer.from([254]), key: new Uint8Array([253]) }, [254], [253]],
      [{ key: 'k\u00e4y', value: 'v' }, 'v', 'k\u00e4y'],
    ];
    assert.equal(
      sender.send(
        topic,
        0,
        sent.map(([payload]) => payload),
      ).enqueued,
      sent.length,
    );
    await sender.stop();
    const messages = await received(t, cluster(), topic, sent.length, BUFFERS);
    const bytes = (wanted) => (wanted === null ? null : Buffer.from(wanted));
    for (const [i, [, value, key]] of sent.entries()) {
      assert.deepEqual(messages[i].payload, bytes(value), `value ${i}`);
      assert.deepEqual('key' in messages[i] ? messages[i].key : 'absent', key === undefined ? 'absent' : bytes(key), `key ${i}`);
      assert.deepEqual([messages[i].topic, messages[i].partition, messages[i].offset], [topic, 0, i]);
    }
  });

  test('has copied the payloads when it returns', async (t) => {
    const topic = await cluster().topic(1);
    const sender = producer(t, cluster(), HELD);
    const [bytes, key, header] = [Buffer.from('value'), Buffer.from('key'), Buffer.from('header')];
    const payloads = [bytes, { key, value: bytes, headers: { header } }];
    sender.send(topic, 0, payloads);
    for (const buffer of [bytes, key, header]) buffer.fill('x');
    payloads.fill('gone');
    await sender.stop();
    const [first, second] = await received(t, cluster(), topic, 2);
    assert.deepEqual([first.payload, second.payload, second.key, String(second.headers.header)], ['value', 'value', 'key', 'header']);
  });

  test('keeps the order of the messages of one call and of calls one after the other, with and without headers', async (t) => {
    const topic = await cluster().topic(1);
    const sender = producer(t, cluster());
    // More than one packing of the arena holds, and each kind next to each other kind.
    const kinds = [
      (n) => `${n}`,
      (n) => Buffer.from(`${n}`),
      (n) => ({ value: `${n}`, headers: { n: `${n}` } }),
      (n) => ({ value: `${n}`, timestamp: 1e12 + n }),
      (n) => ({ key: `${n}`, value: `${n}` }),
      (n) => `${n}`,
    ];
    const make = (n) => kinds[(n + Math.floor(n / 6)) % 6](n);
    const total = 20_000;
    sender.send(
      topic,
      0,
      Array.from({ length: total - 1000 }, (_, n) => make(n)),
    );
    for (let n = total - 1000; n < total; n += 10)
      sender.send(
        topic,
        0,
        Array.from({ length: 10 }, (_, i) => make(n + i)),
      );
    await sender.stop();
    const messages = await received(t, cluster(), topic, total);
    const wrong = messages.findIndex((message, n) => message.payload !== `${n}`);
    assert.equal(wrong, -1, `message ${wrong} is ${messages[wrong]?.payload}`);
    assert.equal(messages.length, total);
  });

  test('carries headers: repeated ones in order, null, empty and binary values, any name', async (t) => {
    const topic = await cluster().topic(1);
    const sender = producer(t, cluster());
    const headers = { one: 'x', many: ['1', Buffer.from([255]), null, ''], none: null, empty: Buffer.alloc(0), '\u00fcber': 'u', ['__proto__']: 'p' };
    sender.send(topic, 0, [
      { value: 'v', headers },
      { value: 'none', headers: {} },
      { value: 'no repeats', headers: { a: [] } },
    ]);
    await sender.stop();
    const [first, second, third] = await received(t, cluster(), topic, 3);
    const expected = {
      one: Buffer.from('x'),
      many: [Buffer.from('1'), Buffer.from([255]), null, Buffer.alloc(0)],
      none: null,
      empty: Buffer.alloc(0),
      '\u00fcber': Buffer.from('u'),
      ['__proto__']: Buffer.from('p'),
    };
    assert.deepEqual(Object.entries(first.headers), Object.entries(expected));
    assert.ok(!('headers' in second) && !('headers' in third));
  });

  test('carries timestamps, and gives the time of sending where none is given', async (t) => {
    const topic = await cluster().topic(1);
    const sender = producer(t, cluster());
    const before = Date.now();
    sender.send(topic, 0, [
      { value: 'then', timestamp: 1_500_000_000_123 },
      'now',
      { value: 'now', timestamp: null },
      { value: 'now', timestamp: 0 },
      { value: 'early', timestamp: 1 },
    ]);
    await sender.stop();
    const times = (await received(t, cluster(), topic, 5)).map((m) => m.timestamp);
    assert.deepEqual([times[0], times[4]], [1_500_000_000_123, 1]);
    for (const time of times.slice(1, 4)) assert.ok(time >= before && time <= Date.now(), `${time} is not now`);
  });

  test('chooses the partition of a key as Java does', async (t) => {
    const partitions = 7;
    const topic = await cluster().topic(partitions);
    const sender = producer(t, cluster());
    const keys = ['', 'a', 'ab', 'abc', '21', 'foobar', '\u00e4\u{1f600}', ...Array.from({ length: 300 }, (_, n) => `user-${n * n}`)].map((key) =>
      Buffer.from(key),
    );
    keys.push(...Array.from({ length: 50 }, (_, n) => Buffer.from([255 - n, 128, n, 200]).subarray(0, 1 + (n % 4))));
    // With headers messages go another way to librdkafka.
    sender.send(
      topic,
      -1,
      keys.map((key, n) => ({ key, value: `${n}`, ...(n % 5 === 0 && { headers: { h: '' } }) })),
    );
    sender.send(
      topic,
      -1,
      keys.map((key, n) => ({ key, value: `${n}` })),
    );
    await sender.stop();
    for (const { key, partition } of await received(t, cluster(), topic, 2 * keys.length, BUFFERS)) {
      assert.equal(partition, (murmur2(key) & 0x7fffffff) % partitions, `key ${key.toString('hex')}`);
    }
  });

  test('spreads messages without a key over the partitions', async (t) => {
    const topic = await cluster().topic(3);
    // A request a partition: the partitioner stays with one while it gathers.
    const sender = producer(t, cluster(), { driver_options: { 'sticky.partitioning.linger.ms': 0 } });
    sender.send(
      topic,
      -1,
      Array.from({ length: 300 }, (_, n) => `${n}`),
    );
    await sender.stop();
    const messages = await received(t, cluster(), topic, 300);
    assert.deepEqual([...new Set(messages.map((m) => m.partition))].sort(), [0, 1, 2]);
    assert.deepEqual(
      messages.map((m) => Number(m.payload)).sort((a, b) => a - b),
      Array.from({ length: 300 }, (_, n) => n),
    );
  });

  test('refuses a message that is larger than message.max.bytes, and no other', async (t) => {
    const topic = await cluster().topic(1);
    const reports = new Calls();
    const sender = producer(t, cluster(), { driver_options: { 'message.max.bytes': 1000 }, delivery_report_callback: reports.take });
    const result = sender.send(topic, 0, [
      'small',
      'x'.repeat(1001),
      Buffer.alloc(900),
      { key: 'k'.repeat(600), value: 'v'.repeat(600) },
      { value: 'x', headers: { h: 'h'.repeat(2000) } },
      'small',
    ]);
    assert.equal(result.enqueued, 3);
    assert.deepEqual(
      result.errors.map(({ index, code, errno }) => ({ index, code, errno })),
      [1, 3, 4].map((index) => ({ index, code: 'MSG_SIZE_TOO_LARGE', errno: 10 })),
    );
    assert.match(result.errors[0].message, /1001.*message\.max\.bytes.*1000/);
    await sender.stop();
    assert.equal((await received(t, cluster(), topic, 3)).length, 3);
    assert.deepEqual(reports.all, []);
  });

  test('refuses a partition that the topic does not have, once the count is known; before, the delivery report tells', async (t) => {
    const topic = await cluster().topic(2);
    const reports = new Calls();
    const sender = producer(t, cluster(), { delivery_report_callback: reports.take });
    assert.equal(sender.send(topic, 7, ['too early to know']).enqueued, 1);
    const report = await reports.until();
    assert.equal(report.errors, 1);
    const [{ errstr, ...info }] = report.rdkafka_errinfo;
    assert.deepEqual(info, { errcode: -190, count: 1, topic, partition: 7 });
    assert.match(errstr, /unknown partition/i);

    assert.equal(await sender.partition_count(topic), 2);
    const result = sender.send(topic, 2, ['a', 'b']);
    assert.equal(result.enqueued, 0);
    assert.deepEqual(
      result.errors.map(({ index, code, errno }) => ({ index, code, errno })),
      [0, 1].map((index) => ({ index, code: '_UNKNOWN_PARTITION', errno: -190 })),
    );
    assert.match(result.errors[0].message, /2 partitions/);
    assert.equal(sender.send(topic, 1, ['c']).enqueued, 1);
    await sender.stop();
    assert.deepEqual(
      (await received(t, cluster(), topic, 1)).map((m) => m.payload),
      ['c'],
    );
    assert.equal(reports.all.length, 1);
  });

  test('asks again how many partitions there are when it refuses one, and a storm of refusals holds nothing up', async (t) => {
    const topic = await cluster().topic(2);
    const sender = producer(t, cluster());
    await sender.partition_count(topic);
    for (let n = 0; n < 100_000; n++) assert.equal(sender.send(topic, 3, ['x']).enqueued, 0);
    assert.equal(await within(SOON, 'partition_count', () => sender.partition_count(topic)), 2);
    if (!cluster().admin) return;
    await cluster().admin.createPartitions(topic, 4);
    await eventually(PATIENCE, 'the new partition', () => sender.send(topic, 3, ['x']).enqueued === 1);
    await sender.stop();
    assert.deepEqual(
      (await received(t, cluster(), topic, 1)).map((m) => m.partition),
      [3],
    );
  });

  test('refuses the rest of a call when the queue is full, and counts what it refused neither as enqueued nor as under way', async (t) => {
    const topic = await cluster().topic(1);
    const sender = producer(t, cluster(), { ...HELD, queue_buffering_max_messages: 9_000 }); // fewer than librdkafka gathers into a request
    const numbers = (from, count) => Array.from({ length: count }, (_, n) => `${from + n}`);
    assert.deepEqual(sender.send(topic, 0, numbers(0, 8_997)), { enqueued: 8_997, send_queue_length: 8_997 });
    // Over several packings of the arena, and no small message slips in behind the refused ones.
    const result = sender.send(topic, 0, numbers(8_997, 20_000));
    assert.equal(result.enqueued, 3);
    assert.equal(result.send_queue_length, 9_000);
    assert.equal(result.errors.length, 19_997);
    for (const [i, { index, code, errno }] of result.errors.entries()) assert.deepEqual([index, code, errno], [i + 3, '_QUEUE_FULL', -184]);
    assert.equal(sender.send(topic, 0, ['none']).enqueued, 0);
    await sender.stop();
    assert.deepEqual(
      (await received(t, cluster(), topic, 9_000)).map((m) => m.payload),
      numbers(0, 9_000),
    );
  });

  test('has room again when messages were delivered', async (t) => {
    const topic = await cluster().topic(1);
    const sender = producer(t, cluster(), { queue_buffering_max_messages: 2 });
    assert.equal(sender.send(topic, 0, ['a', 'b', 'c']).enqueued, 2);
    await eventually(PATIENCE, 'room for another one', () => sender.send(topic, 0, ['d']).enqueued === 1);
    await sender.stop();
    assert.deepEqual(
      (await received(t, cluster(), topic, 3)).map((m) => m.payload),
      ['a', 'b', 'd'],
    );
  });

  test('bounds bytes, too', async (t) => {
    const topic = await cluster().topic(1);
    const sender = producer(t, cluster(), { ...HELD, driver_options: { 'queue.buffering.max.kbytes': 10 } });
    const result = sender.send(
      topic,
      0,
      Array.from({ length: 30 }, () => Buffer.alloc(1000)),
    );
    assert.ok(result.enqueued >= 10 && result.enqueued <= 11, `${result.enqueued} enqueued`);
    assert.ok(result.errors.every(({ code }) => code === '_QUEUE_FULL'));
    assert.equal(result.enqueued + result.errors.length, 30);
  });

  test('the value 0 of an option is no default: no limit of messages, no linger', async (t) => {
    const topic = await cluster().topic(1);
    const sender = producer(t, cluster(), { queue_buffering_max_messages: 0, queue_buffering_max_ms: 0 });
    const many = Array.from({ length: 600_000 }, () => '');
    assert.equal(sender.send(topic, 0, many).enqueued, many.length);
    await sender.stop({ timeout: 60_000 });
  });
});
