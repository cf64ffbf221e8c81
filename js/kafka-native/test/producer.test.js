'use strict';
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { kafka, fake, Event, makeProducer, turn } = require('./support.js');

const texts = (native) => native.sent.map(({ value }) => value && value.toString());

for (const [name, payloads] of Object.entries({
  'ASCII strings': ['one', '', 'three'],
  'strings of every width': ['plain', 'Grüße', '日本語', '🙂', 'a lone \ud800 surrogate', ''],
  'long strings of every width': Array.from({ length: 300 }, (_, i) => `${'x'.repeat(20_000 + i)}${['', 'é', '日', '🙂', '\ud800'][i % 5]}`),
  'a long string whose characters are all wide': ['日'.repeat(70_000), '🙂'.repeat(66_000), 'y'],
  'a large string': ['x'.repeat(3_000_000), 'ü'.repeat(1_000_000), 'y'],
  'more messages than one call of the addon carries': Array.from({ length: 20_000 }, (_, i) => `message ${i}`),
  'more bytes than one call of the addon carries': Array.from({ length: 2000 }, (_, i) => `${i}`.padEnd(1000, i % 2 ? 'é' : 'e')),
})) {
  test(`${name} are sent whole and in order`, () => {
    const { producer, native } = makeProducer();
    assert.deepEqual(producer.send('t', 3, payloads), { enqueued: payloads.length, send_queue_length: payloads.length });
    assert.deepEqual(texts(native), payloads.map((payload) => Buffer.from(payload).toString()));
    assert.ok(native.sent.every(({ key, headers, timestamp }) => key === null && headers.length === 0 && timestamp === null));
    assert.deepEqual(native.last('send').slice(0, 2), ['t', 3]);
  });
}

test('strings, Buffers, typed arrays and message objects of one call keep their order', () => {
  const { producer, native } = makeProducer();
  const bytes = Buffer.from([0, 255, 10, 128]);
  producer.send('t', -1, [
    'text',
    bytes,
    new Uint8Array(bytes.buffer, bytes.byteOffset + 1, 2),
    { key: 'k', value: 'v' },
    { key: bytes, value: bytes, headers: { a: '1', many: ['x', null, Buffer.from('y')], none: null }, timestamp: 1234 },
    { value: null },
    { value: '', key: '' },
    'end',
  ]);
  const none = { key: null, headers: [], timestamp: 0 };
  assert.deepEqual(native.sent, [
    { ...none, value: Buffer.from('text') },
    { ...none, value: bytes },
    { ...none, value: bytes.subarray(1, 3) },
    { ...none, key: Buffer.from('k'), value: Buffer.from('v') },
    { key: bytes, value: bytes, headers: [['a', '1'], ['many', 'x'], ['many', null], ['many', 'y'], ['none', null]], timestamp: 1234 },
    { ...none, value: null },
    { ...none, key: Buffer.alloc(0), value: Buffer.alloc(0) },
    { ...none, value: Buffer.from('end') },
  ]);
});

test('one bad message never stops the others and is told with its place in the array', () => {
  const { producer, native } = makeProducer();
  native.refuse = ({ value }) => value?.toString() === 'large' && { code: 10, name: 'MSG_SIZE_TOO_LARGE', message: 'too large' };
  const thrower = { get value() { throw new Error('no value today'); } };
  const result = producer.send('t', 0, ['a', 7, 'large', { value: undefined }, null, { key: 1, value: 'x' }, { value: 'x', headers: { h: 5 } }, { value: 'x', timestamp: 1.5 }, thrower, ['x'], 'b']);
  assert.equal(result.enqueued, 2);
  assert.deepEqual(texts(native), ['a', 'b']);
  assert.deepEqual(result.errors.map(({ index, code }) => [index, code]), [
    [1, '_INVALID_ARG'], [2, 'MSG_SIZE_TOO_LARGE'], [3, '_INVALID_ARG'], [4, '_INVALID_ARG'], [5, '_INVALID_ARG'],
    [6, '_INVALID_ARG'], [7, '_INVALID_ARG'], [8, '_INVALID_ARG'], [9, '_INVALID_ARG'],
  ]);
  assert.match(result.errors[0].message, /a message must be .* got 7/);
  assert.match(result.errors[5].message, /the header 'h' must be/);
  assert.equal(result.errors[7].message, 'no value today');
});

test('a getter that throws refuses its own message only', () => {
  const { producer, native } = makeProducer();
  const result = producer.send('t', 0, ['a', { get value() { throw new Error('no value today'); } }, { key: 'k', get headers() { throw new Error('nor headers'); }, value: 'x' }, 'b']);
  assert.deepEqual(texts(native), ['a', 'b']);
  assert.deepEqual(result.errors.map(({ index, message }) => [index, message]), [[1, 'no value today'], [2, 'nor headers']]);
});

test('objects of key and value alone keep keys, nulls and order', () => {
  const { producer, native } = makeProducer();
  producer.send('t', 0, [{ key: 'a', value: '1' }, { value: '2' }, 'three', { key: null, value: '' }, { key: '', value: '5', headers: null, timestamp: undefined }]);
  producer.send('t', 0, [{ key: 'ä', value: '1' }, { key: 'b', value: 'ö' }]);
  assert.deepEqual(native.sent.map(({ key, value }) => [key && key.toString(), value.toString()]), [['a', '1'], [null, '2'], [null, 'three'], [null, ''], ['', '5'], ['ä', '1'], ['b', 'ö']]);
});

test('a full queue refuses the rest, so that nothing overtakes', () => {
  const { producer, native } = makeProducer();
  let room = 3;
  native.refuse = () => (room-- > 0 ? undefined : { code: -184, name: '_QUEUE_FULL', message: 'full' });
  const payloads = Array.from({ length: 10_000 }, (_, i) => `${i}`);
  const result = producer.send('t', 0, payloads);
  assert.equal(result.enqueued, 3);
  assert.deepEqual(result.errors.map(({ index }) => index), payloads.map((_, i) => i).slice(3));
  assert.equal(native.calls.length, 1);
});

test('a getter of a payload may itself send', () => {
  const { producer, native } = makeProducer();
  producer.send('t', 0, [{ value: 'first' }, { get value() { producer.send('t', 0, ['inner']); return 'second'; } }, 'third']);
  assert.deepEqual(texts(native), ['inner', 'first', 'second', 'third']);
});

test('an empty array enqueues nothing and tells the queue length', () => {
  const { producer } = makeProducer();
  producer.send('t', 0, ['x']);
  assert.deepEqual(producer.send('t', 0, []), { enqueued: 0, send_queue_length: 1 });
});

test('wrong arguments of send throw and name the argument', () => {
  const { producer } = makeProducer();
  const type = 'ERR_INVALID_ARG_TYPE';
  const range = 'ERR_OUT_OF_RANGE';
  for (const topic of ['', null, undefined, 5, {}]) assert.throws(() => producer.send(topic, 0, []), { name: 'TypeError', code: type, message: /topic/ });
  for (const topic of ['.', '..', 'a b', 'a/b', 'topic\n', 'x'.repeat(250)]) assert.throws(() => producer.send(topic, 0, []), { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE', message: /topic/ });
  for (const partition of ['0', null, undefined, {}]) assert.throws(() => producer.send('t', partition, []), { name: 'TypeError', code: type, message: /partition/ });
  for (const partition of [-2, 0.5, NaN, Infinity, 2 ** 31]) assert.throws(() => producer.send('t', partition, []), { name: 'RangeError', code: range, message: /partition/ });
  for (const payloads of ['x', null, undefined, { length: 1 }, Buffer.from('x')]) assert.throws(() => producer.send('t', 0, payloads), { name: 'TypeError', code: type, message: /payloads/ });
});

test('partition_count replies the number, and a final failure is ETIMEDOUT with the true cause', async () => {
  const { producer, native } = makeProducer();
  const count = producer.partition_count('t');
  assert.deepEqual(native.last('partitionCount').slice(1), ['t', 15, 1000]);
  native.reply('partitionCount', 4);
  assert.equal(await count, 4);

  const failing = producer.partition_count('t', { max_tries: 2, interval: 0 });
  assert.deepEqual(native.last('partitionCount').slice(1), ['t', 2, 0]);
  const cause = { kind: 'kafka', code: -195, name: '_TRANSPORT', message: 'down', retriable: true, fatal: false };
  native.reply('partitionCount', undefined, { kind: 'timeout', code: -185, name: '_TIMED_OUT', message: 'no answer', retriable: true, fatal: false, causes: [cause] });
  await assert.rejects(failing, (error) => error instanceof kafka.KafkaError && error.code === 'ETIMEDOUT' && error.cause.code === '_TRANSPORT');

  const forbidden = producer.partition_count('t');
  native.reply('partitionCount', undefined, { kind: 'kafka', code: 29, name: 'TOPIC_AUTHORIZATION_FAILED', message: 'no', retriable: false, fatal: false, topic: 't' });
  await assert.rejects(forbidden, { code: 'TOPIC_AUTHORIZATION_FAILED', errno: 29, topic: 't' });
  await assert.rejects(producer.partition_count(''), { code: 'ERR_INVALID_ARG_TYPE' });
  await assert.rejects(producer.partition_count('t', { max_tries: 0 }), { code: 'ERR_OUT_OF_RANGE', message: /max_tries/ });
});

test('stop has one promise, a deadline of 15 s unless told, and says how many messages were left', async () => {
  const { producer, native } = makeProducer();
  await assert.rejects(producer.stop({ timeout: -1 }), { code: 'ERR_OUT_OF_RANGE' });
  const stopped = producer.stop();
  assert.equal(producer.stop({ timeout: 5 }), stopped);
  assert.equal(native.last('stop')[1], 15_000);
  native.reply('stop', 3);
  await assert.rejects(stopped, { code: 'ETIMEDOUT', message: /3 messages/ });

  const other = makeProducer();
  const done = other.producer.stop({ max_tries: 3, interval: 10 });
  assert.equal(other.native.last('stop')[1], 30);
  other.native.reply('stop', 0);
  assert.equal(await done, undefined);
});

test('calls after stop fail with _STATE', async () => {
  const { producer } = makeProducer();
  producer.stop();
  assert.throws(() => producer.send('t', 0, ['x']), { code: '_STATE' });
  await assert.rejects(producer.partition_count('t'), { code: '_STATE' });
});

test('delivery failures reach the callback, or the log when there is none', () => {
  const failure = { errcode: -195, count: 2, errstr: 'down', topic: 't', partition: 1 };
  const reports = [];
  const told = makeProducer({ delivery_report_callback: (report) => reports.push(report) });
  told.native.emit(Event.Deliveries, [failure, { ...failure, partition: 2, count: 3 }]);
  assert.deepEqual(reports, [{ errors: 5, rdkafka_errinfo: [failure, { ...failure, partition: 2, count: 3 }] }]);
  assert.deepEqual(told.logger.lines, []);

  const untold = makeProducer({ delivery_report_callback: null });
  untold.native.emit(Event.Deliveries, [failure]);
  assert.deepEqual(untold.logger.lines, ['error: 2 messages for t[1] were not delivered: down']);
});

test('statistics are asked for only when somebody listens, and parsed once, when first read', () => {
  assert.equal(makeProducer().native.options.statisticsIntervalMs, 0);
  assert.equal(makeProducer({ stats_callback: null, statistics_interval_ms: 10 }).native.options.statisticsIntervalMs, 0);
  let stats;
  const { native } = makeProducer({ stats_callback: (given) => (stats = given), statistics_interval_ms: 10 });
  assert.equal(native.options.statisticsIntervalMs, 10);
  native.emit(Event.Stats, '{"a":{}}', 7, ['t'], [7]);
  assert.equal(stats.send_queue_length, 7);
  assert.deepEqual(Object.keys(stats), ['send_queue_length', 'send_queue_length_by_topic', 'rdkafka_stats']);
  assert.equal(stats.rdkafka_stats, stats.rdkafka_stats);
  assert.deepEqual(stats.rdkafka_stats, { a: {} });
});

test('callbacks that throw or reject, and a logger that throws, break nothing', async (t) => {
  const { native, logger } = makeProducer({
    stats_callback() { throw new Error('stats broke'); },
    async delivery_report_callback() { throw new Error('report broke'); },
    error_callback() { throw new Error('error broke'); },
  });
  native.emit(Event.Stats, '{}', 0, [], []);
  native.emit(Event.Deliveries, [{ errcode: -195, count: 1, errstr: '', topic: 't', partition: 0 }]);
  native.emit(Event.Error, { kind: 'kafka', code: -195, name: '_TRANSPORT', message: 'down', retriable: true, fatal: false });
  await turn();
  assert.deepEqual(logger.lines.map((line) => line.split('\n')[0]), [
    'error: stats_callback failed: Error: stats broke',
    'error: error_callback failed: Error: error broke',
    'error: delivery_report_callback failed: Error: report broke',
  ]);

  const shown = t.mock.method(console, 'error', () => {});
  const broken = makeProducer({ logger: { error() { throw new Error('full disk'); } } });
  broken.native.emit(Event.Log, [{ level: 3, facility: 'FAIL', message: 'lost' }], 0);
  assert.match(shown.mock.calls[0].arguments[0], /full disk.*FAIL: lost/s);
});

test('errors without a caller are KafkaErrors for error_callback, else a line of the log', () => {
  const data = { kind: 'kafka', code: -195, name: '_TRANSPORT', message: 'down', retriable: true, fatal: false, broker: 'b:1/1' };
  let error;
  const told = makeProducer({ error_callback: (given) => (error = given) });
  told.native.emit(Event.Error, data);
  assert.ok(error instanceof kafka.KafkaError && error instanceof Error);
  assert.deepEqual({ ...error }, { code: '_TRANSPORT', errno: -195, retriable: true, fatal: false, broker: 'b:1/1' });
  const untold = makeProducer();
  untold.native.emit(Event.Error, data);
  assert.deepEqual(untold.logger.lines, ['error: _TRANSPORT: down']);
});

test('librdkafka\'s log levels become the logger\'s, and missing methods fall back to the console', (t) => {
  const { native, logger } = makeProducer();
  native.emit(Event.Log, [0, 3, 4, 5, 6, 7].map((level) => ({ level, facility: 'F', message: `${level}` })), 0);
  assert.deepEqual(logger.lines, ['error: F: 0', 'error: F: 3', 'warn: F: 4', 'info: F: 5', 'info: F: 6', 'debug: F: 7']);
  const shown = t.mock.method(console, 'warn', () => {});
  makeProducer({ logger: {} }).native.emit(Event.Log, [{ level: 4, facility: 'F', message: 'w' }], 0);
  assert.deepEqual(shown.mock.calls[0].arguments, ['F: w']);
});

test('the console shows debug lines only when librdkafka is asked for them', (t) => {
  const shown = t.mock.method(console, 'debug', () => {});
  const line = { level: 7, facility: 'F', message: 'd' };
  makeProducer({ logger: undefined }).native.emit(Event.Log, [line], 0);
  assert.equal(shown.mock.callCount(), 0);
  makeProducer({ logger: undefined, driver_options: { debug: 'broker' } }).native.emit(Event.Log, [line], 0);
  assert.deepEqual(shown.mock.calls.map((call) => call.arguments), [['F: d']]);
});

test('options become librdkafka properties that driver_options and topic_options override', () => {
  assert.deepEqual(makeProducer().native.options, {
    broker: 'b',
    maxMessages: 500_000,
    statisticsIntervalMs: 0,
    properties: [['linger.ms', '250']],
    topicProperties: [['partitioner', 'murmur2_random']],
  });
  const { options } = makeProducer({
    queue_buffering_max_ms: 0,
    queue_buffering_max_messages: 10,
    driver_options: { 'linger.ms': 1.5, 'enable.idempotence': true, 'client.id': 'me', 'ssl.ca.location': undefined, 'queue.buffering.max.messages': 20 },
    topic_options: { partitioner: 'random' },
  }).native;
  assert.deepEqual(options.properties, [
    ['linger.ms', '0'],
    ['linger.ms', '1.5'], ['enable.idempotence', 'true'], ['client.id', 'me'], ['queue.buffering.max.messages', '20'],
  ]);
  assert.equal(options.maxMessages, 10); // the core has the property win
  assert.deepEqual(options.topicProperties.at(-1), ['partitioner', 'random']);
});

test('every wrong option throws and is named, with what is expected', () => {
  const wrong = (options, name, message) => assert.throws(() => new kafka.Producer({ broker: 'b', ...options }), { name, message });
  for (const options of [undefined, null, 'b', []]) assert.throws(() => new kafka.Producer(options), { name: 'TypeError', message: /options must be an object/ });
  wrong({ broker: undefined }, 'TypeError', /broker must be a string that is not empty, it is missing/);
  wrong({ broker: '' }, 'TypeError', /broker/);
  for (const name of ['stats_callback', 'delivery_report_callback', 'error_callback']) wrong({ [name]: 5 }, 'TypeError', new RegExp(`${name} must be a function, got 5`));
  for (const name of ['statistics_interval_ms', 'queue_buffering_max_messages', 'queue_buffering_max_ms']) {
    wrong({ [name]: '5' }, 'TypeError', new RegExp(name));
    for (const value of [-1, NaN, Infinity, 1e12]) wrong({ [name]: value }, 'RangeError', new RegExp(`${name} must be .* from 0 to`));
  }
  wrong({ queue_buffering_max_messages: 1.5 }, 'RangeError', /integer/);
  for (const name of ['driver_options', 'topic_options']) {
    wrong({ [name]: 'x' }, 'TypeError', new RegExp(name));
    for (const value of [null, {}, [], NaN, () => {}, 5n]) wrong({ [name]: { 'sasl.password': value } }, 'TypeError', new RegExp(`${name}\\['sasl.password'\\]`));
  }
  wrong({ logger: 'x' }, 'TypeError', /logger/);
});

test('null options are as if absent', () => {
  const nulls = Object.fromEntries(['stats_callback', 'delivery_report_callback', 'error_callback', 'statistics_interval_ms', 'driver_options', 'topic_options'].map((name) => [name, null]));
  assert.deepEqual(makeProducer(nulls).native.options, makeProducer().native.options);
});

test('what the addon throws is a KafkaError', () => {
  assert.throws(() => new kafka.Producer({ broker: 'refused' }), (error) => error instanceof kafka.KafkaError && error.code === '_INVALID_ARG' && error.errno === -186 && /No such configuration/.test(error.message));
});

test('unknown options are warned of once, in one line', () => {
  const { logger } = makeProducer({ quue_size: 1, other: 2 });
  assert.deepEqual(logger.lines, ['warn: Producer: unknown options are ignored: quue_size, other']);
});

test('one exit listener serves all clients', () => {
  const before = process.listenerCount('exit');
  for (let i = 0; i < 20; i++) makeProducer();
  assert.equal(process.listenerCount('exit'), before);
  process.listeners('exit').at(-1)();
  assert.deepEqual(fake.made.shutdowns.splice(0), [500]);
});
