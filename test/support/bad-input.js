'use strict';
// Mistakes of a user, as a table: each row says what is done and which error, that names what is wrong, must come of it.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { Admin, Consumer, KafkaError, MockCluster, Producer } = require('kafka-native');

const silent = { error() {}, warn() {}, info() {}, debug() {} };

/** Fails as TypeError, RangeError or KafkaError whose message fits. */
const fails = (message, kinds = [TypeError, RangeError, KafkaError]) => ({ message, kinds });
const fine = undefined;

const detached = () => {
  const bytes = new Uint8Array(8);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
};
const throwing = (what) => ({
  get value() {
    throw what;
  },
});
const throwsEverywhere = () =>
  new Proxy(
    {},
    {
      get() {
        throw new Error('trap');
      },
      has() {
        throw new Error('trap');
      },
      ownKeys() {
        throw new Error('trap');
      },
    },
  );

/** [what is wrong, what comes of it, option and its value or options of a whole] for a constructor. */
const notStrings = [1, true, {}, [], () => {}, Symbol('s'), 1n, ''];
const notFunctions = [1, 'x', {}, true, []];
const notObjects = [1, 'x', true, []];
const notCounts = [-1, 1.5, NaN, Infinity, -Infinity, 2 ** 53, '5', true, {}, [], 1n];

function* constructors(make, owner, required) {
  for (const options of [undefined, null, 1, 'x', [], true])
    yield [`${owner}(${String(options)})`, () => make.whole(options), fails(/options must be an object|options/)];
  for (const name of required) {
    yield [`${owner} without ${name}`, () => make({ [name]: undefined }), fails(new RegExp(name))];
    yield [`${owner} with ${name}: null`, () => make({ [name]: null }), fails(new RegExp(name))];
  }
  const rows = {
    broker: notStrings,
    stats_callback: notFunctions,
    error_callback: notFunctions,
    statistics_interval_ms: [...notCounts, 86_400_001],
    driver_options: notObjects,
    topic_options: notObjects,
    logger: [1, 'x', true],
  };
  for (const [name, values] of Object.entries(rows))
    for (const value of values) yield [`${owner} with ${name}: ${show(value)}`, () => make({ [name]: value }), fails(new RegExp(name))];
  for (const options of ['driver_options', 'topic_options']) {
    yield [`${owner} with an unknown property in ${options}`, () => make({ [options]: { 'no.such.property': 1 } }), fails(/no\.such\.property/, [KafkaError])];
    for (const value of [null, {}, [], NaN, Infinity, () => {}, Symbol('s'), 1n])
      yield [`${owner} with ${options}['client.id']: ${show(value)}`, () => make({ [options]: { 'client.id': value } }), fails(/client\.id/)];
  }
  yield [`${owner} with a property out of range`, () => make({ driver_options: { 'message.max.bytes': 1 } }), fails(/message\.max\.bytes/)];
  yield [`${owner} with a property of no number`, () => make({ driver_options: { 'socket.timeout.ms': 'soon' } }), fails(/socket\.timeout\.ms/)];
  yield [`${owner} with a wrong enumeration`, () => make({ driver_options: { 'security.protocol': 'none' } }), fails(/security\.protocol/)];
  yield [`${owner} with a NUL in a property`, () => make({ driver_options: { 'client.id': 'a\0b' } }), fails(/client\.id|NUL/)];
  yield [`${owner} with a NUL in a property's name`, () => make({ driver_options: { 'client.id\0': 'a' } }), fails(/client\.id|NUL/)];
  yield [`${owner} with a NUL in broker`, () => make({ broker: 'a\0b' }), fails(/broker|bootstrap\.servers|NUL/)];
  yield [
    `${owner} with a certificate that is not there`,
    () => make({ driver_options: { 'security.protocol': 'ssl', 'ssl.ca.location': '/no/such/file' } }),
    fails(/ssl\.ca\.location|\/no\/such\/file/),
  ];
  yield [`${owner} with options that throw`, () => make.whole(throwsEverywhere()), fails(/trap/, [Error])];
  yield [
    `${owner} with null callbacks and properties`,
    () => make({ stats_callback: null, error_callback: null, driver_options: null, topic_options: null, logger: null, statistics_interval_ms: null }),
    fine,
  ];
  yield [`${owner} with an undefined property`, () => make({ driver_options: { 'client.id': undefined } }), fine];
  yield [`${owner} with what the engine owns`, () => make({ driver_options: { 'enable.auto.commit': true, 'log.queue': false } }), fine];
}

function show(value) {
  return typeof value === 'object' && value !== null
    ? Array.isArray(value)
      ? '[]'
      : '{}'
    : typeof value === 'function'
      ? 'a function'
      : `${typeof value} ${String(value)}`;
}

/** Runs the table against an embedded cluster; returns a line for each row that is not as it should be. */
async function run({ rows = Infinity } = {}) {
  const cluster = new MockCluster();
  const given = cluster.options;
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'kafka-native-bad-'));
  const inside = path.join(directory, 'inside');
  const clients = [];
  const keep = (client) => (clients.push(client), client);

  const producer = (options) => keep(new Producer({ ...given, logger: silent, ...options }));
  producer.whole = (options) => keep(new Producer(options));
  const consumer = (options) => keep(new Consumer({ ...given, topic: 'topic', offset_directory: inside, logger: silent, receive_callback() {}, ...options }));
  consumer.whole = (options) => keep(new Consumer(options));

  cluster.createTopic('topic', { partitions: 2 });
  const sender = producer({ queue_buffering_max_ms: 1, driver_options: given.driver_options });
  await sender.partition_count('topic');
  const refused = (payload, code, message) => [
    `send of ${show(payload)} (${message})`,
    () => {
      const { enqueued, errors } = sender.send('topic', 0, ['before', payload, 'after']);
      if (enqueued !== 2 || errors?.length !== 1 || errors[0].index !== 1 || errors[0].code !== code || !message.test(errors[0].message))
        throw new Error(`${enqueued} enqueued, ${JSON.stringify(errors)}`);
    },
    fine,
  ];
  const taken = (what, payload) => [
    `send of ${what}`,
    () => {
      const { enqueued, errors } = sender.send('topic', 0, [payload]);
      if (enqueued !== 1) throw new Error(`${enqueued} enqueued, ${JSON.stringify(errors)}`);
    },
    fine,
  ];

  function* table() {
    yield* constructors(producer, 'Producer', ['broker']);
    yield* constructors(consumer, 'Consumer', ['broker', 'topic', 'offset_directory', 'receive_callback']);
    for (const value of [...notCounts, 2 ** 31])
      yield [`queue_buffering_max_messages: ${show(value)}`, () => producer({ queue_buffering_max_messages: value }), fails(/queue_buffering_max_messages/)];
    for (const value of [-1, NaN, Infinity, 900_001, '5', true, {}])
      yield [`queue_buffering_max_ms: ${show(value)}`, () => producer({ queue_buffering_max_ms: value }), fails(/queue_buffering_max_ms/)];
    for (const value of notFunctions)
      yield [`delivery_report_callback: ${show(value)}`, () => producer({ delivery_report_callback: value }), fails(/delivery_report_callback/)];
    yield ['delivery_report_callback: null', () => producer({ delivery_report_callback: null }), fine];

    for (const name of ['max_messages_per_callback', 'queued_max_messages_kbytes', 'num_workers', 'worker_slot', 'max_callbacks_in_flight']) {
      for (const value of [
        ...notCounts.filter((value) => !(value === Infinity && name === 'max_callbacks_in_flight')),
        ...(name === 'worker_slot' ? [] : [0]),
      ]) {
        yield [`${name}: ${show(value)}`, () => consumer({ [name]: value }), fails(new RegExp(name))];
      }
    }
    yield ['worker_slot: 2 of 2', () => consumer({ num_workers: 2, worker_slot: 2 }), fails(/worker_slot.*num_workers/)];
    for (const name of ['payload_encoding', 'key_encoding'])
      for (const value of ['latin1', '', 1, {}, true]) yield [`${name}: ${show(value)}`, () => consumer({ [name]: value }), fails(new RegExp(name))];
    for (const value of [0, 1, 'false', {}]) yield [`commit_on_error: ${show(value)}`, () => consumer({ commit_on_error: value }), fails(/commit_on_error/)];
    for (const value of ['never', '', 'EARLIEST', 5])
      yield [`auto.offset.reset: ${show(value)}`, () => consumer({ topic_options: { 'auto.offset.reset': value } }), fails(/auto\.offset\.reset/)];
    for (const value of [0, 'x', -1, 1.5])
      yield [
        `queued.max.messages.kbytes: ${show(value)}`,
        () => consumer({ driver_options: { 'queued.max.messages.kbytes': value } }),
        fails(/queued\.max\.messages\.kbytes/),
      ];
    yield ["group.id: ''", () => consumer({ driver_options: { 'group.id': '' } }), fails(/group\.id/)];
    // An offset file never leaves its directory.
    for (const topic of ['../topic', 'a/b', '/etc/passwd', '..', '.', 'a\\b', 'a\0b', 'a b', '\u00e4', '\ud800', 'x'.repeat(250)])
      yield [`topic: ${JSON.stringify(topic).slice(0, 20)}`, () => consumer({ topic }), fails(/topic/)];
    yield ['offset_directory with a NUL', async () => consumer({ offset_directory: 'a\0b' }).start(), fails(/a.*b/)];

    for (const topic of [undefined, null, 1, {}, [], '', Symbol('s')])
      yield [`send to the topic ${show(topic)}`, () => sender.send(topic, 0, ['x']), fails(/topic/)];
    yield ['send to a topic with a NUL', () => sender.send('a\0b', 0, ['x']), fails(/topic/)];
    for (const partition of [-2, 0.5, NaN, Infinity, -Infinity, 2 ** 31, 2 ** 53, '0', null, undefined, {}, 1n, true])
      yield [`send to the partition ${show(partition)}`, () => sender.send('topic', partition, ['x']), fails(/partition/)];
    for (const payloads of [undefined, null, 'x', 1, {}, new Set(['x']), Buffer.from('x'), new Uint8Array(3), { length: 1, 0: 'x' }])
      yield [`send of the payloads ${show(payloads)}`, () => sender.send('topic', 0, payloads), fails(/payloads must be an array/)];
    for (const payload of [undefined, null, 1, true, () => {}, Symbol('s'), 1n, NaN]) yield refused(payload, '_INVALID_ARG', /message must be/);
    yield refused([], '_INVALID_ARG', /value/);
    yield refused({}, '_INVALID_ARG', /value/);
    yield refused(new Date(), '_INVALID_ARG', /value/);
    yield refused(new ArrayBuffer(3), '_INVALID_ARG', /value|message/);
    yield refused(new Float64Array(3), '_INVALID_ARG', /value|message/);
    yield refused(new DataView(new ArrayBuffer(3)), '_INVALID_ARG', /value|message/);
    for (const value of [1, true, {}, [], new ArrayBuffer(1), Symbol('s'), 1n]) {
      yield refused({ value }, '_INVALID_ARG', /the value must be/);
      yield refused({ key: value, value: 'v' }, '_INVALID_ARG', /the key must be/);
      if (!Array.isArray(value)) yield refused({ value: 'v', headers: { name: value } }, '_INVALID_ARG', /header 'name'/);
      yield refused({ value: 'v', headers: { name: ['x', value] } }, '_INVALID_ARG', /header 'name'/);
    }
    for (const headers of [1, 'x', true, () => {}]) yield refused({ value: 'v', headers }, '_INVALID_ARG', /headers must be/);
    for (const timestamp of [-1, 0.5, NaN, Infinity, 2 ** 60, '0', {}, new Date(), 1n]) yield refused({ value: 'v', timestamp }, '_INVALID_ARG', /timestamp/);
    yield refused(throwing(new Error('of a getter')), '_INVALID_ARG', /of a getter/);
    for (const thrown of [null, undefined, 'text', 7, Object.create(null)]) yield refused(throwing(thrown), '_INVALID_ARG', /getter.*threw/);
    yield refused(throwsEverywhere(), '_INVALID_ARG', /trap/);
    yield refused({ value: 'v', headers: throwsEverywhere() }, '_INVALID_ARG', /trap/);
    yield refused(Buffer.alloc(10_000_000), 'MSG_SIZE_TOO_LARGE', /message\.max\.bytes/);
    yield refused('x'.repeat(10_000_000), 'MSG_SIZE_TOO_LARGE', /message\.max\.bytes/);
    yield refused({ key: Buffer.alloc(10_000_000), value: 'v' }, 'MSG_SIZE_TOO_LARGE', /message\.max\.bytes/);
    yield refused(detached(), '_INVALID_ARG', /detached/);
    yield refused({ value: 'v', key: detached() }, '_INVALID_ARG', /detached/);
    yield refused(new Proxy(new Uint8Array(3), {}), '_INVALID_ARG', /./);

    yield taken('lone surrogates', '\ud800 and \udc00');
    yield taken('lone surrogates in key and headers', { key: '\udfff', value: 'v', headers: { '\ud800': '\udc00' } });
    yield taken('a zero-length Uint8Array', new Uint8Array(0));
    yield taken('shared memory', new Uint8Array(new SharedArrayBuffer(5)));
    yield taken('a Proxy of a message', new Proxy({ value: 'v', headers: { a: 'b' } }, {}));
    yield taken('a NUL in key, value and header', { key: '\0', value: 'a\0b', headers: { h: '\0' } });
    yield taken('an object with more to it', { value: 'v', key: null, headers: null, timestamp: null, partition: 7, topic: 'other' });
    yield [
      'send of an empty array',
      () => {
        if (sender.send('topic', 0, []).enqueued !== 0) throw new Error('enqueued');
      },
      fine,
    ];
    yield [
      'send of a sparse array',
      () => {
        if (sender.send('topic', 0, new Array(3)).errors.length !== 3) throw new Error('enqueued');
      },
      fine,
    ];
    yield [
      'send of a Proxy of an array',
      () => {
        if (sender.send('topic', 0, new Proxy(['a', 'b'], {})).enqueued !== 2) throw new Error('not enqueued');
      },
      fine,
    ];
    yield [
      'send of an array that shrinks meanwhile',
      () => {
        const payloads = [
          {
            get value() {
              payloads.length = 1;
              return 'x';
            },
          },
          'a',
          'b',
        ];
        sender.send('topic', 0, payloads);
      },
      fine,
    ];
    yield [
      'a payload whose getter sends and stops',
      () => {
        const other = producer();
        other.send('topic', 0, [
          'a',
          {
            get value() {
              other.send('topic', 0, ['inner']);
              void other.stop().catch(() => {});
              return 'x';
            },
          },
          'b',
        ]);
      },
      fails(/stopped/),
    ];

    for (const options of [1, 'x', null, []]) {
      yield [`partition_count with ${show(options)}`, () => sender.partition_count('topic', options), fails(/options/)];
      yield [`stop of a producer with ${show(options)}`, () => producer().stop(options), fails(/options/)];
      yield [`stop of a consumer with ${show(options)}`, () => consumer().stop(options), fails(/options/)];
    }
    for (const topic of [undefined, 1, '', null]) yield [`partition_count of ${show(topic)}`, () => sender.partition_count(topic), fails(/topic/)];
    yield ['partition_count of a topic with a NUL', () => sender.partition_count('a\0b'), fails(/topic/)];
    for (const value of [-1, 0.5, NaN, '5', 0])
      yield [`max_tries: ${show(value)}`, () => sender.partition_count('topic', { max_tries: value }), fails(/max_tries/)];
    for (const value of [-1, 0.5, NaN, '5', 2 ** 31]) {
      yield [`interval: ${show(value)}`, () => sender.partition_count('topic', { interval: value }), fails(/interval/)];
      yield [`timeout: ${show(value)}`, () => producer().stop({ timeout: value }), fails(/timeout/)];
      yield [`timeout of a consumer: ${show(value)}`, () => consumer().stop({ timeout: value }), fails(/timeout/)];
    }
    for (const drain of [1, 'x', {}]) yield [`drain: ${show(drain)}`, () => consumer().stop({ drain }), fails(/drain/)];

    yield ['pause before start', () => consumer().pause(), fails(/not started/)];
    yield ['resume before start', () => consumer().resume(), fails(/not started/)];
    yield ['stop before start', () => consumer().stop(), fine];
    yield [
      'start after stop',
      async () => {
        const one = consumer();
        await one.stop();
        await one.start();
      },
      fails(/stopped/),
    ];
    yield [
      'start twice',
      async () => {
        const one = consumer({ offset_directory: path.join(inside, 'twice') });
        await one.start();
        try {
          await one.start();
        } finally {
          await one.stop();
        }
      },
      fails(/already started/),
    ];
    yield [
      'send after stop',
      async () => {
        const one = producer();
        await one.stop();
        one.send('topic', 0, ['x']);
      },
      fails(/stopped/),
    ];
    yield [
      'partition_count after stop',
      async () => {
        const one = producer();
        await one.stop();
        await one.partition_count('topic');
      },
      fails(/stopped/),
    ];
    yield [
      'stop three times',
      async () => {
        const one = producer();
        await Promise.all([one.stop(), one.stop(), one.stop()]);
      },
      fine,
    ];
    yield ['Producer without new', () => /** @type {any} */ (Producer)({ ...given }), fails(/new/)];
    yield ['a method without its object', () => (0, sender.send)('topic', 0, ['x']), fails(/./)];
    yield ['a method of another object', () => Producer.prototype.send.call({}, 'topic', 0, ['x']), fails(/./)];
    yield ['a mock cluster with no broker', () => new MockCluster({ brokers: 0 }), fails(/brokers/)];
    yield ['a topic that is there already', () => cluster.createTopic('topic'), fails(/./)];
    yield ['an admin without broker', () => new Admin(/** @type {any} */ ({})), fails(/broker/)];

    yield [
      'options changed after construction',
      async () => {
        const callbacks = [];
        const driver_options = { ...given.driver_options };
        const options = {
          ...given,
          driver_options,
          topic: 'topic',
          logger: { ...silent },
          offset_directory: path.join(inside, 'changed'),
          receive_callback: () => callbacks.push('ours'),
        };
        const one = keep(new Consumer(options));
        for (const name of Object.keys(options)) options[name] = null;
        for (const name of Object.keys(driver_options)) Object.assign(driver_options, { [name]: {} });
        await one.start();
        sender.send('topic', 0, ['x']);
        while (callbacks.length === 0) await new Promise(setImmediate);
        await one.stop();
      },
      fine,
    ];
    yield [
      'callbacks that throw, whatever they throw',
      async () => {
        let calls = 0;
        const thrown = [
          new Error('x'),
          null,
          undefined,
          7,
          Object.create(null),
          new Proxy(
            {},
            {
              get() {
                throw new Error('trap');
              },
            },
          ),
        ];
        const bad = () => {
          throw thrown[calls++ % thrown.length];
        };
        const rejecting = () => Promise.reject(thrown[calls++ % thrown.length]);
        const evil = () => ({
          get then() {
            calls++;
            throw new Error('a getter of then');
          },
        });
        let receives = 0;
        const one = consumer({
          offset_directory: path.join(inside, 'throwing'),
          max_messages_per_callback: 1,
          receive_callback: () => [bad, rejecting, evil][receives++ % 3](),
          stats_callback: [bad, rejecting][calls % 2],
          statistics_interval_ms: 5,
          logger: { error: bad, warn: bad, info: bad, debug: bad },
        });
        await one.start();
        const two = producer({ stats_callback: rejecting, statistics_interval_ms: 5, logger: { error: bad } });
        two.send(
          'topic',
          1,
          Array.from({ length: 30 }, () => 'x'),
        );
        while (receives < 30 || calls < 60) await new Promise(setImmediate);
        await Promise.all([one.stop(), two.stop()]);
      },
      fine,
    ];
  }

  const wrong = [];
  // Errors of a logger that throws go to the console, which is no part of the test.
  const error = console.error;
  console.error = () => {};
  let count = 0;
  for (const [what, act, expected] of /** @type {Iterable<[string, () => unknown, ReturnType<typeof fails> | undefined]>} */ (table())) {
    if (count++ >= rows) break;
    try {
      await act();
      if (expected) wrong.push(`${what}: no error`);
    } catch (caught) {
      const thrown = /** @type {Error | undefined} */ (caught);
      if (!expected) wrong.push(`${what}: ${thrown?.stack ?? thrown}`);
      else if (!expected.kinds.some((kind) => thrown instanceof kind)) wrong.push(`${what}: ${thrown?.name}: ${thrown?.message}`);
      else if (!expected.message.test(String(thrown?.message))) wrong.push(`${what}: the message is '${thrown?.message}'`);
    }
  }
  const stops = await Promise.allSettled(clients.map((client) => client.stop({ timeout: 5000 })));
  for (const stop of stops) if (stop.status === 'rejected') wrong.push(`stop: ${stop.reason}`);
  console.error = error;
  cluster.close();
  const escaped = fs.readdirSync(directory).filter((name) => name !== 'inside');
  if (escaped.length > 0) wrong.push(`outside of the offset directory: ${escaped}`);
  fs.rmSync(directory, { recursive: true, force: true });
  if (count < 300 && rows === Infinity) wrong.push(`only ${count} rows`);
  return wrong;
}

module.exports = { run };
