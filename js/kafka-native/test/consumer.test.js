'use strict';
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { setTimeout: sleep } = require('node:timers/promises');
const { kafka, fake, Event, makeConsumer, startedConsumer, turn, deferred, work } = require('./support.js');

const values = ({ messages }) => messages.map(({ payload }) => payload).join();

test('messages carry everything of their record', async () => {
  const received = [];
  const { native } = await startedConsumer({ receive_callback: (batch) => { received.push(batch); } });
  native.emit(Event.Batch, 1, fake.pack([
    { partition: 2, messages: [{ offset: 5, timestamp: 1700000000000, key: 'k', value: 'v' }, { offset: 2 ** 40, key: '', value: '' }] },
    { partition: 7, messages: [{ offset: 0, value: null }] },
  ], { misses: 3, repeats: 1 }));
  assert.deepEqual(received, [{
    messages: [
      { topic: 't', partition: 2, offset: 5, payload: 'v', key: 'k', timestamp: 1700000000000 },
      { topic: 't', partition: 2, offset: 2 ** 40, payload: '', key: '', timestamp: -1 },
      { topic: 't', partition: 7, offset: 0, payload: null, timestamp: -1 },
    ],
    misses: 3,
    repeats: 1,
  }]);
});

test('text that is not ASCII is decoded as UTF-8, wherever the batch lies in memory', async () => {
  const received = [];
  const { native } = await startedConsumer({ receive_callback: (batch) => { received.push(values(batch)); } });
  const packed = fake.pack([{ partition: 0, messages: [{ offset: 0, value: 'Grüße' }, { offset: 1, value: '🙂' }] }]);
  native.emit(Event.Batch, 1, packed);
  const shifted = new Uint8Array(packed.length + 3);
  shifted.set(packed, 3);
  native.emit(Event.Batch, 2, shifted.subarray(3));
  assert.deepEqual(received, ['Grüße,🙂', 'Grüße,🙂']);
});

test('the encoding buffer gives the bytes, and null and empty are told apart', async () => {
  const bytes = Buffer.from([0, 255, 254, 128]);
  let messages;
  const { native } = await startedConsumer({ payload_encoding: 'buffer', key_encoding: 'buffer', receive_callback: (batch) => { messages = batch.messages; } });
  native.emit(Event.Batch, 1, fake.pack([{ partition: 0, messages: [{ offset: 0, key: bytes, value: bytes }, { offset: 1, value: '' }, { offset: 2, key: '', value: null }] }]));
  assert.deepEqual(messages.map(({ key, payload }) => [key, payload]), [[bytes, bytes], [undefined, Buffer.alloc(0)], [Buffer.alloc(0), null]]);
  assert.ok(!('key' in messages[1]));
});

test('headers keep names, nulls and repeats in order', async () => {
  let messages;
  const { native } = await startedConsumer({ receive_callback: (batch) => { messages = batch.messages; } });
  native.emit(Event.Batch, 1, fake.pack([{ partition: 0, messages: [
    { offset: 0, value: 'a', headers: [['x', '1'], ['größe', 'ü'], ['x', null], ['x', '3'], ['n', null], ['n', null], ['constructor', 'c'], ['__proto__', 'p']] },
    { offset: 1, value: 'b' },
    { offset: 2, value: 'c', headers: [] },
  ] }]));
  const b = Buffer.from;
  assert.deepEqual(Object.entries(messages[0].headers), [
    ['x', [b('1'), null, b('3')]], ['größe', b('ü')], ['n', [null, null]], ['constructor', b('c')], ['__proto__', b('p')],
  ]);
  assert.ok(!('headers' in messages[1]));
  assert.deepEqual(messages[2].headers, {});
});

test('start replies the partitions, once', async () => {
  const { consumer, native } = makeConsumer();
  const started = consumer.start();
  await assert.rejects(consumer.start(), { code: '_STATE', message: /already started/ });
  native.reply('start', [0, 2]);
  assert.deepEqual(await started, [0, 2]);
  await assert.rejects(consumer.start(), { code: '_STATE', message: /already started/ });
  consumer.stop();
  await assert.rejects(consumer.start(), { code: '_STATE', message: /already stopped/ });
});

test('a start that failed can be tried again', async () => {
  const { consumer, native } = makeConsumer();
  const failed = consumer.start();
  native.reply('start', undefined, { kind: 'offsets', code: -189, name: '_FS', message: '/d/t-0.offset: bad file format', retriable: false, fatal: false });
  await assert.rejects(failed, { code: '_FS', message: /bad file format/ });
  const started = consumer.start();
  native.reply('start', [0]);
  assert.deepEqual(await started, [0]);
});

test('no message comes before start has resolved', async () => {
  const order = [];
  const { consumer, native, arrive } = makeConsumer({ receive_callback: (batch) => { order.push(values(batch)); } });
  const started = consumer.start().then(() => order.push('started'));
  native.reply('start', [0]);
  arrive('a');
  arrive('b');
  await started;
  await turn();
  assert.deepEqual(order, ['started', 'a', 'b']);
});

test('a batch is settled when its callback returned or its promise is settled, in whatever order', async () => {
  const first = deferred();
  const second = deferred();
  const results = [first.promise, second.promise, undefined];
  const { native, arrive } = await startedConsumer({ receive_callback: () => results.shift() });
  arrive('a');
  arrive('b');
  arrive('c');
  assert.deepEqual(native.calls.slice(1), [['started', 1], ['started', 2], ['started', 3], ['settle', 3]]);
  second.resolve();
  await turn();
  first.resolve();
  await turn();
  assert.deepEqual(native.calls.slice(-2), [['settle', 2], ['settle', 1]]);
});

test('a callback that throws or rejects is logged, counted and settled', async () => {
  const { consumer, native, arrive, logger } = await startedConsumer({
    receive_callback: ({ messages: [{ payload }] }) => {
      if (payload === 'throw') throw new Error('thrown');
      return Promise.reject(payload === 'undefined' ? undefined : new Error('rejected'));
    },
  });
  arrive('throw');
  arrive('reject');
  arrive('undefined');
  await turn();
  assert.deepEqual(native.calls.filter(([name]) => name === 'settle'), [['settle', 1], ['settle', 2], ['settle', 3]]);
  assert.equal(consumer.failed_callbacks, 3);
  assert.match(logger.lines[0], /receive_callback failed \(failure 1\): Error: thrown/);
  assert.match(logger.lines[1], /failure 2\): Error: rejected/);
});

test('pause and resume throw before start; after stop pause throws and resume does nothing', async () => {
  const { consumer, native } = makeConsumer();
  assert.throws(() => consumer.pause(), { code: '_STATE' });
  assert.throws(() => consumer.resume(), { code: '_STATE' });
  const started = consumer.start();
  native.reply('start', [0]);
  await started;
  consumer.stop();
  assert.throws(() => consumer.pause(), { code: '_STATE' });
  consumer.resume();
  assert.deepEqual(native.names().filter((name) => name !== 'start' && name !== 'stop'), []);
});

test('a pause while start is pending holds from the first message on', async () => {
  const received = [];
  const { consumer, native, arrive } = makeConsumer({ receive_callback: (batch) => { received.push(values(batch)); } });
  const started = consumer.start();
  consumer.pause();
  native.reply('start', [0]);
  arrive('a');
  await started;
  await turn();
  assert.deepEqual([received, native.names()], [[], ['start', 'pause']]);
  consumer.resume();
  await turn();
  assert.deepEqual([received, native.names()], [['a'], ['start', 'pause', 'resume', 'started', 'settle']]);
});

test('no callback starts after pause returned, and nothing is lost or re-ordered', async () => {
  const received = [];
  const { consumer, native, arrive } = await startedConsumer({
    receive_callback: (batch) => {
      received.push(values(batch));
      if (values(batch) === 'b') consumer.pause();
    },
  });
  arrive('a');
  consumer.pause();
  arrive('b');
  arrive('c');
  arrive('d');
  await turn();
  assert.deepEqual(received, ['a']);
  consumer.resume();
  assert.deepEqual(received, ['a'], 'resume starts nothing on the stack of its caller');
  await turn();
  assert.deepEqual(received, ['a', 'b'], 'paused again from inside a callback');
  consumer.resume();
  consumer.pause();
  await turn();
  assert.deepEqual(received, ['a', 'b']);
  consumer.resume();
  arrive('e');
  await turn();
  await turn();
  assert.deepEqual(received, ['a', 'b', 'c', 'd', 'e']);
  assert.deepEqual(native.calls.filter(([name]) => name === 'started').map(([, id]) => id), [1, 2, 3, 4, 5]);
  assert.deepEqual(native.names().filter((name) => name === 'pause').length, 3);
});

test('a promise that pauses after its first await takes effect before the next queued batch', async () => {
  const received = [];
  const { consumer, arrive } = await startedConsumer({
    receive_callback: async (batch) => {
      received.push(values(batch));
      await null;
      if (values(batch) === 'a') consumer.pause();
    },
  });
  consumer.pause();
  arrive('a');
  arrive('b');
  consumer.resume();
  await turn();
  await turn();
  assert.deepEqual(received, ['a']);
});

test('consumers that have very much share each turn of the event loop, and come in their order', async () => {
  const [order, inTurn] = [[], [0]];
  let counting = true;
  const next = () => counting && (inTurn.push(0), setImmediate(next));
  const large = Array.from({ length: 40 }, () => 'v'.repeat(1000));
  const consumers = await Promise.all(['a', 'b', 'c', 'd'].map((name) => startedConsumer({
    receive_callback() {
      order.push(name);
      inTurn[inTurn.length - 1]++;
      work(3);
    },
  })));
  setImmediate(next);
  for (let i = 0; i < 3; i++) for (const { arrive } of consumers) arrive(...large);
  while (order.length < 12) await turn();
  counting = false;
  // The first one starts at once, in the turn in which it comes, when nobody else has any.
  assert.equal(order.join(''), `a${'abcdabcd'}bcd`);
  assert.ok(inTurn.filter((batches) => batches > 0).length >= 8, `batches of 3 ms in each turn: ${inTurn.join(' ')}`);
});

test('max_callbacks_in_flight holds back the next batch until a promise is settled', async () => {
  const ends = [];
  const { native, arrive } = await startedConsumer({ max_callbacks_in_flight: 2, receive_callback: () => { const end = deferred(); ends.push(end); return end.promise; } });
  for (const value of ['a', 'b', 'c', 'd']) arrive(value);
  await turn();
  assert.equal(ends.length, 2);
  ends[1].resolve();
  await turn();
  assert.equal(ends.length, 3);
  assert.deepEqual(native.calls.slice(1), [['started', 1], ['started', 2], ['settle', 2], ['started', 3]]);
});

test('with commit_on_error: false a batch comes again, unharmed, until it succeeds, and nothing overtakes it', async () => {
  const received = [];
  const times = [];
  const { consumer, native, arrive, logger } = await startedConsumer({
    commit_on_error: false,
    payload_encoding: 'buffer',
    receive_callback: async (batch) => {
      received.push(values(batch));
      times.push(Date.now());
      batch.messages[0].payload.fill('x');
      if (received.length < 3) throw new Error('not yet');
    },
  });
  arrive('a');
  arrive('b');
  await turn();
  assert.deepEqual(native.calls.slice(1), [['started', 1]]);
  while (received.length < 4) await sleep(10);
  await turn();
  assert.deepEqual(received, ['a', 'a', 'a', 'b']);
  assert.deepEqual(native.calls.slice(1), [['started', 1], ['settle', 1], ['started', 2], ['settle', 2]]);
  assert.ok(times[1] - times[0] >= 99 && times[2] - times[1] >= 199, `after ${times[1] - times[0]} and ${times[2] - times[1]} ms`);
  assert.equal(consumer.failed_callbacks, 2);
  assert.match(logger.lines[1], /delivered again in 200 ms/);
});

test('a batch that waits to come again respects pause, and stop drops it', async () => {
  let calls = 0;
  const { consumer, native, arrive } = await startedConsumer({ commit_on_error: false, receive_callback: () => { calls++; throw new Error('never'); } });
  arrive('a');
  arrive('b');
  consumer.pause();
  await sleep(150);
  assert.equal(calls, 1);
  consumer.resume();
  await turn();
  assert.equal(calls, 2);
  const stopped = consumer.stop();
  await turn();
  assert.deepEqual(native.calls.slice(-3).map((call) => call.slice(0, 2)), [['drop', 1], ['drop', 2], ['stop', native.last('stop')[0]]]);
  native.reply('stop');
  await stopped;
  await sleep(250);
  assert.equal(calls, 2);
});

test('stop starts no callback, drops what had not started, and does not wait for what runs', async () => {
  const end = deferred();
  const received = [];
  const { consumer, native, arrive } = await startedConsumer({ receive_callback: (batch) => { received.push(values(batch)); return end.promise; } });
  arrive('a');
  consumer.pause();
  arrive('b');
  const stopped = consumer.stop();
  assert.equal(consumer.stop({ drain: true }), stopped);
  arrive('c');
  await turn();
  native.reply('stop');
  await stopped;
  end.resolve();
  await turn();
  assert.deepEqual(received, ['a']);
  assert.deepEqual(native.calls.filter(([name]) => name === 'drop').map(([, id]) => id).sort(), [2, 3]);
  assert.deepEqual(native.calls.at(-1), ['settle', 1], 'a callback that ends later is still told to the core');
  assert.equal(native.last('stop')[1], 15_000);
});

test('stop from inside a callback works', async () => {
  const { consumer, native, arrive } = await startedConsumer({ receive_callback: () => consumer.stop() });
  arrive('a');
  arrive('b');
  await turn();
  assert.deepEqual(native.names(), ['start', 'started', 'drop', 'stop']);
  native.reply('stop');
  await turn();
  assert.deepEqual(native.calls.at(-1), ['settle', 1]);
});

test('stop before start, and while starting, ends the client', async () => {
  const fresh = makeConsumer();
  const stopped = fresh.consumer.stop();
  await turn();
  fresh.native.reply('stop');
  await stopped;

  const starting = makeConsumer();
  const started = starting.consumer.start();
  const ended = starting.consumer.stop();
  starting.native.reply('start', [0]);
  await assert.rejects(started, { code: '_STATE', message: /stopped meanwhile/ });
  starting.native.reply('stop');
  await ended;
});

test('stop({drain}) waits for the running callbacks before it ends the client', async () => {
  const end = deferred();
  const { consumer, native, arrive } = await startedConsumer({ receive_callback: () => end.promise });
  arrive('a');
  arrive('b');
  const stopped = consumer.stop({ drain: true });
  arrive('c');
  await turn();
  assert.ok(!native.names().includes('stop'));
  end.resolve();
  await turn();
  assert.deepEqual(native.names().slice(-3), ['settle', 'settle', 'stop']);
  native.reply('stop');
  await stopped;
});

test('stop({drain, timeout}) gives up at the deadline and says so', async () => {
  const { consumer, native, arrive, logger } = await startedConsumer({ receive_callback: () => new Promise(() => {}) });
  arrive('a');
  const stopped = consumer.stop({ drain: true, timeout: 50 });
  while (!native.names().includes('stop')) await sleep(5);
  assert.match(logger.lines[0], /warn: stop: 1 callbacks still run after 50 ms/);
  assert.equal(native.last('stop')[1], 1000);
  native.reply('stop');
  await stopped;
});

test('an offset manager reads and commits, made of a class with the options of the consumer', async () => {
  const committed = [];
  let given;
  class Manager {
    constructor(options) { given = options; }
    async read(partitions) { return partitions.map((partition) => (partition === 0 ? -1 : partition * 10)); }
    async commit(offsets) { committed.push(offsets); }
  }
  const { native } = makeConsumer({ offset_manager: Manager, offset_directory: undefined });
  assert.equal(given.topic, 't');
  assert.equal(native.options.offsetManager, true);
  assert.ok(!('offsetDirectory' in native.options));
  native.emit(Event.ReadOffsets, 5, [0, 2]);
  await turn();
  native.emit(Event.CommitOffsets, 6, [0, 2], [7, 8]);
  await turn();
  assert.deepEqual(native.calls, [['offsetsRead', 5, [-1, 20]], ['offsetsCommitted', 6]]);
  assert.deepEqual(committed, [{ 0: 7, 2: 8 }]);
});

test('an offset manager that fails, throws or answers nonsense is told to the core, never guessed', async () => {
  const answers = [[1], undefined, [1, 'x'], [1, -2], [1, 1.5]];
  const { native } = makeConsumer({
    offset_manager: {
      read() { if (answers.length > 0) return answers.shift(); throw new Error('no database'); },
      commit() { return Promise.reject(new Error('disk full')); },
    },
  });
  for (let i = 1; i <= 6; i++) {
    native.emit(Event.ReadOffsets, i, [0, 2]);
    await turn();
  }
  native.emit(Event.CommitOffsets, 7, [0], [1]);
  await turn();
  const errors = native.calls.filter(([name]) => name === 'offsetsRead').map(([, , offsets, error]) => [offsets, error]);
  assert.ok(errors.every(([offsets]) => offsets === null));
  assert.match(errors[0][1], /each of the partitions 0, 2, got 1/);
  assert.match(errors[2][1], /gave 'x' for partition 2/);
  assert.equal(errors[5][1], 'no database');
  assert.deepEqual(native.last('offsetsCommitted'), [7, 'disk full']);
  assert.throws(() => makeConsumer({ offset_manager: {} }), { name: 'TypeError', message: /offset_manager/ });
});

test('statistics of the consumer', async () => {
  let stats;
  const { native } = makeConsumer({ stats_callback: (given) => { stats = given; } });
  assert.equal(native.options.statisticsIntervalMs, 5000);
  native.emit(Event.Stats, '{"x":1}', 3, 2, 10);
  assert.deepEqual(JSON.parse(JSON.stringify(stats)), { waiting_kafka: 3, waiting_local: 2, kafka_log_size: 10, rdkafka_stats: { x: 1 } });
});

test('defaults of the consumer', () => {
  assert.deepEqual(makeConsumer().native.options, {
    broker: 'b', topic: 't', offsetDirectory: '/nowhere', offsetManager: false, maxMessagesPerBatch: 10_000, statisticsIntervalMs: 0,
    queuedMaxKbytes: 1_000_000, workers: 1, slot: 0, properties: [['allow.auto.create.topics', 'true']], topicProperties: [],
  });
});

test('every wrong option throws and is named', () => {
  const valid = { broker: 'b', topic: 't', offset_directory: 'd', receive_callback() {} };
  const wrong = (options, name, message) => assert.throws(() => new kafka.Consumer({ ...valid, ...options }), { name, message });
  for (const name of ['broker', 'topic', 'offset_directory']) {
    wrong({ [name]: undefined }, 'TypeError', new RegExp(`${name} must be a string`));
    wrong({ [name]: 5 }, 'TypeError', new RegExp(`${name} must be a string`));
  }
  for (const value of [undefined, null, 'f']) wrong({ receive_callback: value }, 'TypeError', /receive_callback must be a function/);
  for (const name of ['max_messages_per_callback', 'queued_max_messages_kbytes', 'num_workers', 'max_callbacks_in_flight']) {
    wrong({ [name]: 0 }, 'RangeError', new RegExp(`${name} must be an integer from 1`));
    wrong({ [name]: 1.5 }, 'RangeError', new RegExp(name));
    wrong({ [name]: 'x' }, 'TypeError', new RegExp(name));
  }
  wrong({ worker_slot: 1 }, 'RangeError', /worker_slot must be below num_workers \(1\), got 1/);
  wrong({ worker_slot: -1, num_workers: 3 }, 'RangeError', /worker_slot/);
  for (const name of ['payload_encoding', 'key_encoding']) wrong({ [name]: 'latin1' }, 'TypeError', new RegExp(`${name} must be 'utf8' or 'buffer', got 'latin1'`));
  wrong({ commit_on_error: 0 }, 'TypeError', /commit_on_error must be true or false/);
});
