'use strict';
// Every program of the pages runs as printed, and does what the page says.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { Writable } = require('node:stream');
const { after, before, test } = require('node:test');
const { makeTls } = require('@kafka-native/kafka-for-tests/tls.js');
const native = require('kafka-native');
const kafkajs = require('kafka-native/kafkajs');
const { cleanup } = require('./support/cleanup.js');
const { real } = require('./support/clusters.js');
const { folder } = require('./support/flow.js');
const { client, committed, member } = require('./support/groups.js');
const { Process, pages, plays, printed } = require('./support/pages.js');
const { adminOf, producerOf } = require('./support/proxy-http.js');
const { Calls } = require('./support/watch.js');

const { Kafka } = native;
process.env.KAFKAJS_LOG_LEVEL = 'NOTHING';

/** @type {any} */ let cluster;
before(async () => (cluster = await real({ own: true })));
after(() => cluster?.close());

const broker = () => cluster.options().broker;

/** A Kafka of the test's own: for a program, and to look at what it has done. */
const own = () => client(cluster);

async function send(t, topic, ...values) {
  const producer = await producerOf(t, cluster);
  await producer.send({ topic, messages: values.map((value) => ({ value: JSON.stringify(value), key: 'key', partition: 0 })) });
}

const made = (topic, partitions = 1) => cluster.admin.createTopic(topic, { partitions, replication: 1 });

async function reader(t, groupId, topics) {
  const consumer = await member(t, cluster, { groupId });
  await consumer.subscribe({ topics, fromBeginning: true });
  return consumer;
}

plays('docs/kafka.md', broker, {
  "const { Kafka } = require('kafka-native');": async (_, run) => {
    const { kafka } = await run({}, ['kafka']);
    assert.ok(kafka instanceof Kafka);
  },

  'const producer = kafka.producer({ idempotent: true });': async (t, run) => {
    await made('orders');
    const { partition, baseOffset } = await run({ kafka: own(), CompressionTypes: native.CompressionTypes }, ['partition', 'baseOffset']);
    assert.deepEqual([partition, baseOffset], [0, '0']);
    const seen = new Calls();
    const consumer = await reader(t, 'seen', ['orders']);
    await consumer.run({ eachMessage: async ({ message }) => seen.take(message) });
    const [one, two, three] = await seen.count(3);
    assert.deepEqual([`${one.value}`, one.headers.tags.map(String), two.value, three.value], ['one', ['a', 'b'], Buffer.from([1, 2, 3]), null]);
  },

  "const producer = kafka.producer({ transactionalId: 'shop-7' }); // one id a producer, the same after a restart": async (t, run) => {
    await made('invoices');
    const consumer = await reader(t, 'invoicing', ['orders']);
    const { producer } = await run({ kafka: own(), consumer, invoice: ({ key }) => ({ key, value: 'invoice' }) }, ['producer']);
    cleanup(t, () => producer.disconnect());
    const invoices = new Calls();
    const seen = await reader(t, 'accounting', ['invoices']);
    await seen.run({ eachMessage: async ({ message }) => invoices.take(`${message.key}`) });
    assert.deepEqual(await invoices.count(3), ['user-1', 'user-2', 'user-3']);
    await consumer.disconnect();
    assert.deepEqual(await committed(await adminOf(t, cluster), 'invoicing', 'orders'), { 0: 3 });
  },

  "const consumer = kafka.consumer({ groupId: 'billing' });": async (t, run) => {
    const bills = new Calls();
    const { consumer } = await run({ kafka: own(), bill: async (value) => bills.take(value) }, ['consumer']);
    cleanup(t, () => consumer.disconnect());
    assert.equal((await bills.count(3)).length, 3);
    await consumer.disconnect();
  },

  'for await (const { topic, partition, offset, value } of consumer.messages({ signal })) await bill(value);': async (t, run) => {
    const [bills, written, stop] = [/** @type {any[]} */ ([]), new Calls(), new AbortController()];
    const consumer = await reader(t, 'streaming', ['orders']);
    const bill = async (value) => {
      if (bills.push(value) === 3) stop.abort();
    };
    const destination = new Writable({ objectMode: true, highWaterMark: 1, write: (message, _, done) => done(void written.take(message)) });
    await run({ consumer, signal: stop.signal, bill, destination });
    await send(t, 'orders', 'four');
    // A signal ends the loop between two messages: none comes again.
    assert.equal(`${(await written.until()).value}`, '"four"');
    await consumer.disconnect();
    destination.destroy();
  },

  'for await (const { topic, partition, offset, value } of consumer.messages()) {': async (t, run) => {
    const consumer = await reader(t, 'counting', ['orders']);
    let count = 0;
    await run({ consumer, bill: async () => count++, enough: () => count === 2 });
    await consumer.disconnect();
    assert.equal(count, 2);
    assert.deepEqual(await committed(await adminOf(t, cluster), 'counting', 'orders'), { 0: 2 });
  },

  "const forMe = { any: [{ header: 'to', is: [node, 'everybody'] }, { header: 'to', absent: true }] };": async (t, run) => {
    await made('letters');
    const producer = await producerOf(t, cluster);
    const letters = [{ to: 'me' }, { to: 'you' }, { to: 'everybody' }, {}, { to: 'me', from: 'me' }, { to: 'me', last: 'yes' }];
    await producer.send({ topic: 'letters', messages: letters.map((headers, at) => ({ value: `${at}`, headers })) });
    const seen = new Calls();
    await run({ consumer: await reader(t, 'me', ['letters']), node: 'me', eachMessage: async ({ message }) => seen.take(`${message.value}`) });
    await seen.until((value) => value === '5');
    assert.deepEqual(seen.all, ['0', '2', '3', '5']);
  },

  'const consumer = kafka.consumer({ groupId: null });': async (_, run) => {
    await made('rooms.1');
    const { consumer } = await run({ kafka: own() }, ['consumer']);
    assert.deepEqual(
      consumer
        .assignment()
        .map(({ topic }) => topic)
        .sort(),
      ['orders', 'rooms.1'],
    );
    await consumer.disconnect();
  },

  "for await (const message of consumer.messages({ until: 'end' })) rows.push(message.value);": async (t, run) => {
    const rows = [];
    const consumer = await member(t, cluster, { groupId: null });
    await consumer.subscribe({ topics: ['orders'], from: 'beginning' });
    await run({ consumer, rows });
    assert.deepEqual(
      rows.map((row) => row && `${row}`),
      ['one', '\x01\x02\x03', null, '"four"'],
    );
  },

  "await consumer.assign([{ topic: 'orders', partition: 0, offset: '42' }, { topic: 'orders', partition: 1, timestamp: Date.now() - 60_000 }]);": async (
    t,
    run,
  ) => {
    await cluster.grow('orders', 2);
    const consumer = await member(t, cluster, { groupId: null });
    await run({ consumer });
    await consumer.run({ eachMessage() {} });
    assert.deepEqual(consumer.assignment(), [
      { topic: 'orders', partition: 0 },
      { topic: 'orders', partition: 1 },
    ]);
  },

  "const handlers = new Map([['orders', onOrder], ['prices', onPrice]]);": async (t, run) => {
    await made('prices');
    const [orders, prices] = [new Calls(), new Calls()];
    const consumer = await member(t, cluster, { groupId: null });
    await run({ consumer, onOrder: async ({ value }) => orders.take(`${value}`), onPrice: async ({ value }) => prices.take(`${value}`) });
    await send(t, 'prices', 1);
    await send(t, 'orders', 'five');
    assert.equal(await orders.until(), '"five"');
    assert.deepEqual(prices.all, []);
    consumer.resume([{ topic: 'prices' }]);
    assert.equal(await prices.until(), '1');
  },

  "const users = await kafka.table({ topic: 'users' });": async (t, run) => {
    await made('users');
    const producer = await producerOf(t, cluster);
    await producer.send({ topic: 'users', messages: [{ key: 'ann', value: '{"name":"Ann"}' }] });
    const changes = new Calls();
    await run({ kafka: own(), console: { log: changes.take } });
    assert.deepEqual(changes.all, [
      ['bob', undefined, { name: 'Bob' }],
      ['ann', { name: 'Ann' }, undefined],
    ]);
  },

  'const admin = kafka.admin();': async (_, run) => {
    const lines = new Calls();
    await run({ kafka: own(), console: { log: lines.take } });
    const [[first]] = lines.all;
    assert.deepEqual([first.partition, first.low], [0, '0']);
  },

  "new Kafka({ brokers, ssl: true });                                                        // the system's authorities": async (t, run) => {
    const there = path.join(folder(t), 'tls');
    await makeTls(there);
    const readFileSync = (name) => fs.readFileSync(path.join(there, name));
    await configured(run, { fs: { readFileSync }, ca: readFileSync('ca.pem'), cert: readFileSync('client.pem'), key: readFileSync('client.key') }, 4);
  },

  "new Kafka({ brokers, ssl: true, sasl: { mechanism: 'scram-sha-512', username: 'shop', password } }); // also plain, scram-sha-256": (t, run) =>
    configured(run, { password: 'secret', token: async () => 'token', clientSecret: 'secret' }, 3),

  'async function end() {': async (t, run) => {
    const [producer, consumer, signals] = [await producerOf(t, cluster), await reader(t, 'ending', ['orders']), new Process()];
    await consumer.run({ eachMessage() {} });
    const ended = Promise.all([producer, consumer].map((client) => new Promise((resolve) => client.on(client.events.DISCONNECT, resolve))));
    await run({ producer, consumer, process: signals });
    signals.emit('SIGTERM');
    await ended;
  },

  "const { Kafka, MockCluster } = require('kafka-native');": (_, run) => run(),

  'try {': async (_, run) => {
    const errors = new Calls();
    const producer = new Kafka({ brokers: ['127.0.0.1:1'], connectionTimeout: 100, retry: { retries: 0 }, logLevel: 0 }).producer();
    await run({ ...native, producer, rotatePassword: assert.fail, console: { error: errors.take } });
    assert.match(errors.all[0].join(' '), /^nobody answered: .*127\.0\.0\.1:1/);
    await producer.disconnect();
  },

  'let ended = false;': async (t, run) => {
    const producer = await producerOf(t, cluster);
    const consumer = await reader(t, 'probed', ['orders']);
    await consumer.run({ eachMessage() {} });
    const web = listener(t);
    await run({ producer, consumer, http: web });
    const status = async (url) => (await fetch(`${await web.address}${url}`)).status;
    assert.deepEqual([await status('/live'), await status('/ready'), await status('/else')], [200, 200, 503]);
  },

  "http.createServer((_, response) => response.setHeader('content-type', 'text/plain; version=0.0.4').end(kafka.metrics())).listen(9100);": async (t, run) => {
    const web = listener(t);
    await run({ kafka: own(), http: web });
    assert.equal((await fetch(await web.address)).headers.get('content-type'), 'text/plain; version=0.0.4');
  },
});

plays('README.md', broker, {
  "const { Consumer, Producer } = require('kafka-native');": async (t, run) => {
    await made('greetings');
    const [lines, signals] = [new Calls(), new Process()];
    const { producer, consumer } = await inFolder(t, () => run({ console: { log: lines.take }, process: signals }, ['producer', 'consumer']));
    cleanup(t, () => Promise.all([producer.stop(), consumer.stop()]));
    assert.deepEqual(await lines.count(2), ['0/0: hello', '0/1: world']);
    signals.emit('SIGINT');
  },

  "const { Kafka } = require('kafka-native');": async (_, run) => {
    const [lines, signals] = [new Calls(), new Process()];
    await run({ console: { log: lines.take }, process: signals });
    await lines.count(3);
    signals.emit('SIGINT');
  },

  'const producer = new Producer(options);': async (_, run) => {
    const { producer } = await run({ Producer: native.Producer, options: cluster.options() }, ['producer']);
    assert.equal(await producer.partition_count('greetings'), 1);
    await producer.stop();
  },

  'const consumer = new Consumer(options);': async (t, run) => {
    const calls = new Calls();
    const options = { ...cluster.options(), topic: 'greetings', offset_directory: folder(t), receive_callback: calls.take };
    const { consumer } = await run({ Consumer: native.Consumer, options }, ['consumer']);
    await consumer.start();
    await calls.until();
    await consumer.stop();
  },

  'new Consumer({ ...options, num_workers: 4, worker_slot: slot }); // in each worker, with a slot of its own': async (t, run) =>
    run({ Consumer: native.Consumer, options: { ...cluster.options(), topic: 'greetings', offset_directory: folder(t), receive_callback() {} }, slot: 3 }),

  "const { Consumer, MockCluster } = require('kafka-native');": async (t, run) => {
    const messages = new Calls();
    const { consumer, cluster: mock } = await run({ offset_directory: folder(t), receive_callback: messages.take }, ['consumer', 'cluster']);
    const producer = new native.Producer(mock.options);
    cleanup(t, async () => {
      await Promise.all([consumer.stop(), producer.stop()]);
      mock.close();
    });
    await consumer.start();
    producer.send('clicks', 0, ['one']);
    assert.equal((await messages.until()).messages[0].payload, 'one');
  },

  'const driver_options = {': async (_, run) => {
    const { driver_options } = await run({}, ['driver_options']);
    const here = { ...driver_options, 'sasl.password': 'secret', 'ssl.ca.location': 'probe' };
    const producer = new native.Producer({ broker: '127.0.0.1:1', driver_options: here, logger: {}, error_callback() {} });
    await producer.stop();
  },
});

plays('js/kafka-native/README.md', broker, {
  "const { Kafka } = require('kafka-native'); // or: import { Kafka } from 'kafka-native'": async (t, run) => {
    await made('clicks');
    const lines = new Calls();
    const { producer, consumer } = await run({ console: { log: (...line) => lines.take(line.map(String).join(' ')) } }, ['producer', 'consumer']);
    cleanup(t, () => Promise.all([producer.disconnect(), consumer.disconnect()]));
    assert.equal(await lines.until(), '0 0 one');
  },

  "const { Producer, Consumer } = require('kafka-native'); // or: import { Producer, Consumer } from 'kafka-native'": async (t, run) => {
    const lines = new Calls();
    const log = (...line) => lines.take(line.map(String).join(' '));
    const { consumer } = await inFolder(t, () => run({ console: { log } }, ['consumer']));
    cleanup(t, () => consumer.stop());
    assert.deepEqual((await lines.count(3)).slice(1), ['0 1 one', '0 2 two']);
  },
});

plays('docs/migrating-from-kafkajs.md', broker, {
  "const { Kafka } = require('kafka-native/kafkajs'); // was: require('kafkajs')": async (_, run) => {
    assert.equal((await run({}, ['Kafka'])).Kafka, kafkajs.Kafka);
  },

  "// KafkaJS's round robin under the name that librdkafka and Java know. All members need both until none has only the old one.": async (_, run) => {
    const kafka = new (require('kafkajs').Kafka)({ brokers: ['127.0.0.1:1'], logLevel: 0 });
    const { roundrobin } = await run({ kafka, groupId: 'both', PartitionAssigners: require('kafkajs').PartitionAssigners }, ['roundrobin']);
    assert.equal(roundrobin({ cluster: {} }).name, 'roundrobin');
  },
});

plays('js/kafka-native-kafkajs/README.md', broker, {
  "const { Kafka } = require('kafkajs');": async (_, run) => {
    const installed = { kafkajs: require('kafka-native-kafkajs') }; // under the other's name, as package.json says there
    assert.equal((await run({ require: (name) => installed[name] }, ['Kafka'])).Kafka, kafkajs.Kafka);
  },
});

test('every page with a program is tried', () => {
  const tried = ['pages.test.js', 'pages-integrations.test.js', 'long/launchers/kafka-cluster.test.js'].flatMap((name) =>
    [...fs.readFileSync(path.join(__dirname, name), 'utf8').matchAll(/^plays\('(.*?)'/gm)].map(([, page]) => page),
  );
  assert.deepEqual(pages().sort(), tried.sort());
});

test("the README's Rust is that of the crate's page, which is compiled as its documentation", () => {
  const [[ours], [its]] = ['README.md', 'crates/core/README.md'].map((page) => printed(page, 'rust'));
  assert.equal(ours, its);
});

test('what package.json has to say for kafkajs is the same on both pages', () => {
  const [[one], [other]] = ['docs/migrating-from-kafkajs.md', 'js/kafka-native-kafkajs/README.md'].map((page) => printed(page, 'json'));
  assert.deepEqual(JSON.parse(one), JSON.parse(other));
});

/** In a folder of its own, for './offsets'. */
async function inFolder(t, call) {
  const before = process.cwd();
  process.chdir(folder(t));
  try {
    return await call();
  } finally {
    process.chdir(before);
  }
}

/** Programs that make a `Kafka` a line: each is one that `new Kafka` takes, and whose properties can be made. */
async function configured(run, given, count) {
  const kafkas = [];
  class Watched extends Kafka {
    constructor(config) {
      super({ ...config, logLevel: 0 });
      kafkas.push(this);
    }
  }
  await run({ Kafka: Watched, brokers: ['127.0.0.1:1'], ...given });
  assert.equal(kafkas.length, count);
}

/** A stand-in for node:http, whose server listens where there is room. */
function listener(t) {
  let found;
  const address = new Promise((resolve) => (found = resolve));
  const createServer = (handler) => {
    const server = http.createServer(handler);
    cleanup(t, () => server.close());
    const listen = () => server.listen(0, '127.0.0.1', () => found(`http://127.0.0.1:${server.address().port}`));
    return { listen };
  };
  return { createServer, address };
}
