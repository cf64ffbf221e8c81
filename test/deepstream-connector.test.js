'use strict';
// The message connector of deepstream 2 and 3, on the real Kafka: its interface, its topics, its wire.

const { after, before, test } = require('node:test');
const assert = require('node:assert/strict');
const { EventEmitter, once } = require('node:events');
const { MessageConnector } = require('deepstream.io-msg-kafka');
const { Kafka } = require('kafka-native');
const { deepstreamTopic, kafkaTopic } = require('../js/deepstream.io-msg-kafka/dist/connector/names.js');
const { Places } = require('../js/deepstream.io-msg-kafka/dist/connector/places.js');
const { readOptions } = require('../js/deepstream.io-msg-kafka/dist/options.js');
const { Child } = require('./support/child.js');
const { cleanup } = require('./support/cleanup.js');
const { real, topicName } = require('./support/clusters.js');
const { kafkaClients, topicOf } = require('./support/deepstream.js');
const { connect, hear, ready } = require('./support/deepstream-connector.js');
const { PATIENCE, SOON, within } = require('./support/flow.js');
const { oracle, readWithKafkaJS } = require('./support/kafkajs.js');
const { random, seed } = require('./support/random.js');
const { Calls, eventually, witness } = require('./support/watch.js');

/** @type {any} */ let cluster;
before(async () => (cluster = await real()));
after(() => cluster?.close());

/** The clock, on whose milliseconds order rests here, goes on. */
const turned = (since = Date.now()) => eventually(PATIENCE, 'the clock goes on', () => Date.now() > since + 1);

/** The topics of each request to make some, until the test is over. */
function countTopicRequests(t) {
  const requests = /** @type {string[][]} */ ([]);
  const { admin } = Kafka.prototype;
  t.mock.method(Kafka.prototype, 'admin', function (...args) {
    const made = admin.apply(this, args);
    const { createTopics } = made;
    made.createTopics = (request) => {
      requests.push(request.topics.map(({ topic }) => topic));
      return createTopics(request);
    };
    return made;
  });
  return requests;
}

/** Nothing listens there. */
const nobody = { options: () => ({ broker: '127.0.0.1:1' }) };

test('a connector is the EventEmitter that deepstream knows', async (t) => {
  const connector = connect(t, cluster);
  assert.ok(connector instanceof EventEmitter);
  assert.equal(connector.isReady, false);
  assert.equal(connector.name, 'deepstream.io-msg-kafka');
  assert.match(connector.version, /^\d+\.\d+\.\d+$/);
  await once(connector, 'ready');
  assert.equal(connector.isReady, true);
});

test('the class is also where programs and specs of 0.1.2 load it from', () => {
  for (const file of ['message-connector', 'message-connector.js']) assert.equal(require(`deepstream.io-msg-kafka/src/${file}`), MessageConnector);
});

test('a connectionString that is missing or wrong throws', () => {
  for (const options of [
    undefined,
    null,
    'gibberish',
    {},
    { connectionString: 9092 },
    { connectionString: '' },
    { connectionString: 'localhost:2181' },
    { connectionString: 'a b' },
  ])
    assert.throws(() => new MessageConnector(/** @type {any} */ (options)), /deepstream\.io-msg-kafka: .*(connectionString|broker)/);
  assert.throws(() => new MessageConnector(/** @type {any} */ ({ connectionString: 'localhost', clientId: {} })), /clientId/);
});

test('the options that configured 0.1.2 do no harm', async (t) => {
  const old = /** @type {any} */ ({ clientId: null, zkOptions: {}, noAckBatchOptions: {} });
  const [a, b] = await Promise.all([1, 2].map(() => ready(t, cluster, old)));
  const topic = topicName('options');
  const heard = await hear(a, topic);
  b.publish(topic, 'of another, although both have no clientId');
  await heard.count(1);
  assert.deepEqual([...a.errors.all, ...b.errors.all], []);
});

test('options of kafka-native pass through', async (t) => {
  const connector = connect(t, cluster, { properties: { 'no.such.property': '1' } });
  await connector.errors.until(({ text }) => /no\.such\.property/.test(text));
});

test('every other subscriber hears a message, once, and its sender never does', async (t) => {
  const connectors = await Promise.all([1, 2, 3].map(() => ready(t, cluster)));
  const topic = topicName('all');
  const heard = await Promise.all(connectors.map((connector) => hear(connector, topic)));
  for (const [i, connector] of connectors.entries()) for (let n = 0; n < 20; n++) connector.publish(topic, { from: i, n });
  for (const [i, calls] of heard.entries()) {
    await calls.count(40);
    for (const from of [0, 1, 2]) {
      const numbers = calls.all.filter((message) => message.from === from).map(({ n }) => n);
      assert.deepEqual(numbers, i === from ? [] : Array.from({ length: 20 }, (_, n) => n), `of ${from} at ${i}`);
    }
  }
});

test('a connector that stood still until its topic had lost messages says which', async (t) => {
  const topic = topicName('still');
  const a = await ready(t, cluster);
  const child = new Child(t, 'deepstream-connector.js', { connectionString: cluster.options().broker, topics: [topic] });
  await child.says('reading');
  const heard = child.says('heard');
  a.publish(topic, 'before');
  await heard;
  child.process.kill('SIGSTOP');
  const high = async () => (await cluster.admin.watermarks(topic, 0)).high;
  // At most those of one fetch are with it already.
  for (let n = 1; n <= 20; n++) {
    const before = await high();
    a.publish(topic, n);
    await eventually(PATIENCE, 'it is written', async () => (await high()) > before);
  }
  await cluster.admin.deleteRecords(topic, 0, await high());
  const told = child.says('trouble');
  child.process.kill('SIGCONT');
  a.publish(topic, 'behind');
  assert.match((await told).text, new RegExp(`${topic}/0: messages were deleted before they were read, as retention does: those from offset \\d+ to \\d+ are lost`));
});

test('a connector has one writer and one reader, whatever its topics', async (t) => {
  const a = await ready(t, cluster);
  const topics = Array.from({ length: 12 }, () => topicName('many'));
  const heard = await Promise.all(topics.map((topic) => hear(a, topic)));
  const child = new Child(t, 'deepstream-connector.js', { connectionString: cluster.options().broker, topics });
  const all = child.says('heard');
  await child.says('reading');
  for (const topic of topics) a.publish(topic, 'there');
  await all;
  // Before a reader that comes reads, the one that goes has stopped; its end may take longer.
  const pid = /** @type {number} */ (child.process.pid);
  await eventually(PATIENCE, 'one of each', () => JSON.stringify(kafkaClients(pid)) === JSON.stringify({ producers: 1, consumers: 1, admins: 1 }));
  for (const calls of heard) await calls.count(1);
  const written = await Promise.all(topics.map((topic) => readWithKafkaJS(t, cluster, topic, (messages) => messages.length >= 2)));
  const writers = new Set(written.flat().map(({ batchContext }) => String(batchContext.producerId)));
  assert.equal(writers.size, 2, `of two connectors: ${[...writers]}`);
});

test('the topic that a subscribe makes is read from its beginning, for all who subscribed in that moment', async (t) => {
  const [a, b, c] = await Promise.all([1, 2, 3].map(() => ready(t, cluster)));
  const topic = topicName('new');
  const heard = [new Calls(), new Calls()];
  a.subscribe(topic, heard[0].take);
  b.subscribe(topic, heard[1].take);
  c.publish(topic, 'early');
  for (const calls of heard) assert.equal(await calls.until(), 'early');
});

test('each topic that comes to those that are read is heard at once, one after the other', async (t) => {
  const [a, b] = await Promise.all([1, 2].map(() => ready(t, cluster)));
  await within(SOON, 'all are heard', async () => {
    for (let n = 0; n < 22; n++) {
      const topic = topicName('next');
      const heard = await hear(a, topic);
      b.publish(topic, n);
      assert.equal(await heard.until(), n);
    }
  });
});

test('60 new topics subscribed to in one turn, and 60 published to, are made with a request a turn, and every message arrives', async (t) => {
  const requests = countTopicRequests(t);
  const [a, b] = await Promise.all([1, 2].map(() => ready(t, cluster)));
  const topics = Array.from({ length: 60 }, () => topicName('turn'));
  const heard = topics.map(() => new Calls());
  const published = topics.map(async (topic, i) => {
    await a.subscribe(topic, heard[i].take);
    b.publish(topic, i);
  });
  await Promise.all(published);
  for (const [i, calls] of heard.entries()) assert.equal(await calls.until(), i);
  const others = topics.map((topic) => `${topic}-p`);
  for (const topic of others) b.publish(topic, 'first');
  await b.close();
  for (const topic of others) assert.equal((await readWithKafkaJS(t, cluster, topic, (messages) => messages.length === 1)).length, 1);
  assert.deepEqual(
    requests.map((made) => made.sort()),
    [topics, others].map((made) => made.sort()),
  );
  assert.deepEqual([...a.errors.all, ...b.errors.all], []);
});

test('of topics that are asked for in one turn one that Kafka refuses fails alone, and one that another has made meanwhile is fine', async (t) => {
  const requests = countTopicRequests(t);
  const { kafka, ...options } = readOptions({ connectionString: cluster.options().broker }, witness().logger);
  const admin = kafka.admin();
  cleanup(t, () => admin.disconnect());
  await admin.connect();
  const [refused, rival, fresh] = ['no name', await cluster.topic(1), topicName('fresh')];
  const { listTopics } = admin;
  // Before the other has made it.
  admin.listTopics = async () => (await listTopics()).filter((topic) => topic !== rival);
  const places = new Places(admin, { kafka, ...options });
  const asked = [refused, rival, fresh, fresh].map((topic) => places.make(topic));
  await assert.rejects(asked[0], /it does not exist, and could not be made: .*: make it, or allow CREATE/);
  assert.deepEqual(await Promise.all(asked.slice(1)), [true, true, true]);
  assert.deepEqual(requests, [[refused, rival, fresh]]);
  assert.equal(await places.make(fresh), false);
});

test('a topic that is made is as the page says, by a subscribe and by a publish', async (t) => {
  const [a, b] = [await ready(t, cluster), await ready(t, cluster, { retention: 60_000, replicationFactor: 1 })];
  const [plain, given] = [topicName('made'), topicName('made')];
  await hear(a, plain);
  b.publish(given, 1);
  await b.close();
  const configs = { 'cleanup.policy': 'delete', 'message.timestamp.type': 'LogAppendTime', 'max.message.bytes': String(16 * 1024 * 1024) };
  assert.deepEqual(await topicOf(t, cluster, plain), { replicas: [1], configs: { ...configs, 'retention.ms': '600000', 'segment.ms': '300000' } });
  assert.deepEqual(await topicOf(t, cluster, given), { replicas: [1], configs: { ...configs, 'retention.ms': '60000', 'segment.ms': '60000' } });
});

test('a topic that exists is read from its end', async (t) => {
  const [a, b] = await Promise.all([1, 2].map(() => ready(t, cluster)));
  const topic = topicName('old');
  const first = await hear(b, topic);
  a.publish(topic, 'before');
  await first.until();
  const c = await ready(t, cluster);
  const heard = await hear(c, topic);
  a.publish(topic, 'after');
  await heard.until((message) => message === 'after');
  assert.deepEqual(heard.all, ['after']);
});

test('what is published and subscribed before ready is kept', async (t) => {
  const [a, b] = [connect(t, cluster), connect(t, cluster)];
  const topic = topicName('before');
  const heard = new Calls();
  const reading = a.subscribe(topic, heard.take);
  for (let n = 0; n < 5; n++) b.publish(topic, n);
  await reading;
  await heard.count(5);
  assert.deepEqual(heard.all, [0, 1, 2, 3, 4]);
});

test('a topic that exists is read from its end as of the call, also before the connector is ready', async (t) => {
  const [b, c] = await Promise.all([1, 2].map(() => ready(t, cluster)));
  const topic = topicName('call');
  const written = await hear(c, topic);
  b.publish(topic, 'old');
  await written.count(1);
  for (let n = 0; n < 5; n++) {
    await turned();
    const a = connect(t, cluster);
    const heard = new Calls();
    a.subscribe(topic, heard.take);
    await turned();
    b.publish(topic, n);
    assert.equal(await heard.until(), n);
    assert.equal(a.errors.all.length, 0);
  }
});

test('a topic with any name is just a topic', async (t) => {
  const [a, b] = await Promise.all([1, 2].map(() => ready(t, cluster)));
  const mark = topicName('n');
  const halves = ['\ud800', '\ud801', '\ufffd'];
  const odd = ['/a b', '.x', '_x', 'ä😀', '--2f-', 'x'.repeat(300), '\n', ...halves, ...halves.map((half) => 'x'.repeat(300) + half)].map((name) => mark + name);
  const names = ['error', 'ready', 'close', '__proto__', 'constructor', 'newListener', '', '.', '..', '__consumer_offsets', ...odd];
  const heard = await Promise.all(names.map((name) => hear(a, name)));
  for (const name of names) b.publish(name, { name });
  for (const [i, name] of names.entries()) assert.deepEqual((await heard[i].until()).name, name);
  await a.close();
  for (const [i, name] of names.entries()) assert.equal(heard[i].all.length, 1, JSON.stringify(name));
  assert.deepEqual([...a.errors.all, ...b.errors.all], []);
});

test('callbacks come and go in callbacks, twice, and throwing, and the others go on', async (t) => {
  const [a, b] = await Promise.all([1, 2].map(() => ready(t, cluster)));
  const topic = topicName('callbacks');
  const calls = [];
  const take = (message) => calls.push(['take', message]);
  const once = (message) => {
    calls.push(['once', message]);
    a.unsubscribe(topic, once);
    a.unsubscribe(topic, late);
    a.subscribe(topic, added);
  };
  const late = () => calls.push(['late']);
  const added = (message) => calls.push(['added', message]);
  const broken = () => {
    throw new Error('mine');
  };
  const rejecting = async () => {
    throw new Error('later');
  };
  const end = new Calls();
  a.unsubscribe(topic, take); // not there
  await Promise.all([once, broken, rejecting, take, take, late, end.take].map((callback) => a.subscribe(topic, callback)));
  a.unsubscribe(topic, () => {}); // not there either
  b.publish(topic, 1);
  await end.count(1);
  a.unsubscribe(topic, take);
  b.publish(topic, 2);
  await end.count(2);
  await a.errors.until(({ text }) => /callback .*mine/.test(text));
  assert.deepEqual(calls, [
    ['once', 1],
    ['take', 1],
    ['take', 1],
    ['take', 2],
    ['added', 2],
  ]);
});

test('after its last unsubscribe a topic is left, and a later subscribe begins at the end', async (t) => {
  const [a, b] = await Promise.all([1, 2].map(() => ready(t, cluster)));
  const [topic, other] = [topicName('left'), topicName('other')];
  const first = new Calls();
  await a.subscribe(topic, first.take);
  const watch = await hear(a, other);
  const witnessed = await hear(b, topic);
  a.unsubscribe(topic, first.take);
  const c = await ready(t, cluster);
  c.publish(topic, 'between');
  await witnessed.until((message) => message === 'between');
  const second = await hear(a, topic);
  c.publish(topic, 'again');
  await second.until((message) => message === 'again');
  c.publish(other, 'still');
  await watch.until();
  assert.deepEqual([first.all, second.all], [[], ['again']]);
});

test('a message is what it was at publish, and one that JSON cannot have throws', async (t) => {
  const [a, b] = await Promise.all([1, 2].map(() => ready(t, cluster)));
  const topic = topicName('values');
  const heard = await hear(a, topic);
  const circular = { self: /** @type {any} */ (null) };
  circular.self = circular;
  const throwing = { toJSON: () => assert.fail('mine') };
  for (const value of [undefined, () => {}, Symbol('x'), 1n, circular, throwing]) assert.throws(() => b.publish(topic, value), TypeError);
  assert.throws(() => b.publish(topic, 'x'.repeat(17 * 1024 * 1024)), RangeError);
  assert.throws(() => b.publish(/** @type {any} */ (1), {}), TypeError);
  assert.throws(() => b.subscribe(topic, /** @type {any} */ ('no function')), TypeError);
  const message = { a: [1, null, 'ä\u2028"\\'], __proto__: { hidden: 1 } };
  b.publish(topic, message);
  message.a.push('later');
  for (const value of [null, false, 0, '', [], { topic: 'R', action: 'P', data: ['x'] }]) b.publish(topic, value);
  await heard.count(7);
  assert.deepEqual(heard.all, [{ a: [1, null, 'ä\u2028"\\'] }, null, false, 0, '', [], { topic: 'R', action: 'P', data: ['x'] }]);
  assert.deepEqual(b.errors.all, []);
});

test('a message that is larger than its topic takes is told and left out, and the others go on', async (t) => {
  const topic = await cluster.topic(1, { config: { 'max.message.bytes': 100_000 } });
  const [a, b] = await Promise.all([1, 2].map(() => ready(t, cluster)));
  const heard = await hear(a, topic);
  for (const bytes of [1, 200_000, 2, 300_000, 3]) b.publish(topic, 'x'.repeat(bytes));
  await heard.count(3);
  b.publish(topic, 'end');
  await heard.count(4);
  assert.deepEqual(heard.all, ['x', 'xx', 'xxx', 'end']);
  assert.match((await b.errors.until()).text, new RegExp(`is left out: .*max.message.bytes of ${topic}`));
});

test('many small messages go to a topic that takes little at once', async (t) => {
  const topic = await cluster.topic(1, { config: { 'max.message.bytes': 100_000 } });
  const [a, b] = await Promise.all([1, 2].map(() => ready(t, cluster)));
  const heard = await hear(a, topic);
  const messages = Array.from({ length: 1000 }, (_, i) => `${i} ${'x'.repeat(500)}`);
  for (const message of messages) b.publish(topic, message);
  await heard.count(1000);
  assert.deepEqual([heard.all, b.errors.all], [messages, []]);
});

/** Deletes a topic when a connector has written to it. @returns an admin of KafkaJS */
async function deleteUnder(t, connector, topic) {
  connector.publish(topic, 'old');
  const admin = oracle(cluster).admin();
  await admin.connect();
  cleanup(t, () => admin.disconnect());
  await eventually(PATIENCE, 'it is written', async () => (await admin.fetchTopicOffsets(topic))[0].high === '1');
  await admin.deleteTopics({ topics: [topic] });
  return admin;
}

test('a topic that was deleted is not made again with createTopics: false', async (t) => {
  const topic = await cluster.topic(1);
  const b = await ready(t, cluster, { createTopics: false });
  const admin = await deleteUnder(t, b, topic);
  // The broker may take some before it knows that the topic is gone.
  const again = setInterval(() => b.publish(topic, 'two'), 50);
  cleanup(t, () => clearInterval(again));
  await b.errors.until();
  assert.ok(!(await admin.listTopics()).includes(topic));
});

test('a topic that is deleted under its writer is made again as the page says, and what is published behind that is in it, once and in order', async (t) => {
  const topic = topicName('again');
  const b = await ready(t, cluster, { retention: 60_000 });
  const admin = await deleteUnder(t, b, topic);
  await eventually(PATIENCE, 'it is gone', async () => !(await admin.listTopics()).includes(topic));
  const numbers = Array.from({ length: 300 }, (_, n) => n);
  for (const n of numbers) b.publish(topic, { n, text: 'x'.repeat(1000) });
  await eventually(PATIENCE, 'it is there again', async () => (await admin.listTopics()).includes(topic));
  const written = await readWithKafkaJS(t, cluster, topic, (messages) => messages.length >= 300);
  assert.deepEqual(
    written.map(({ value }) => JSON.parse(String(value)).data.n),
    numbers,
  );
  assert.equal((await topicOf(t, cluster, topic)).configs['retention.ms'], '60000');
  assert.deepEqual(b.errors.all, []);
});

test('a topic that is deleted under its reader gives an error that names it, calls the onPartitionsLost of the options, and a new one is read from its beginning', async (t) => {
  const lost = new Calls();
  const onPartitionsLost = (partitions) => {
    lost.take(partitions);
    throw new Error('mine');
  };
  const [a, b] = [await ready(t, cluster, { consumer: { onPartitionsLost } }), await ready(t, cluster)];
  const topic = topicName('deleted');
  const heard = await hear(a, topic);
  b.publish(topic, 'old');
  await heard.count(1);
  const admin = oracle(cluster).admin();
  await admin.connect();
  cleanup(t, () => admin.disconnect());
  await admin.deleteTopics({ topics: [topic] });
  const { text } = await a.errors.until(({ text }) => /was deleted/.test(text));
  assert.match(text, new RegExp(`the topic ${topic} was deleted: what was in it is lost, and a new one is read from its beginning`));
  assert.deepEqual(await lost.until(), [{ topic, partitions: [0] }]);
  const c = await ready(t, cluster);
  c.publish(topic, 'first of the new one');
  assert.equal(await heard.until((message) => message !== 'old'), 'first of the new one');
});

test('the wire is that of 0.1.2, both ways', async (t) => {
  const topic = topicName('wire');
  const a = await ready(t, cluster, { clientId: 75783 });
  const heard = await hear(a, topic);
  const old = oracle(cluster).producer();
  await old.connect();
  cleanup(t, () => old.disconnect());
  const value = (data, _s) => ({ partition: 0, value: JSON.stringify({ data, _s }) });
  await old.send({ topic, messages: [value({ n: 1 }, 'other'), value({ n: 2 }, 75783), value({ n: 3 }, '75783')] });
  await heard.count(2);
  assert.deepEqual(heard.all, [{ n: 1 }, { n: 3 }], 'its own _s is its own');
  a.publish(topic, { topic: 'R', data: ['ä'] });
  const read = await readWithKafkaJS(t, cluster, topic, (messages) => messages.length === 4);
  assert.deepEqual([read[3].partition, String(read[3].value)], [0, '{"data":{"topic":"R","data":["ä"]},"_s":75783}']);
});

test('every partition of a topic is read, and the first is written', async (t) => {
  const topic = await cluster.topic(3);
  const [a, b] = await Promise.all([1, 2].map(() => ready(t, cluster)));
  const heard = await hear(a, topic);
  const other = oracle(cluster).producer();
  await other.connect();
  cleanup(t, () => other.disconnect());
  await other.send({ topic, messages: [0, 1, 2].map((partition) => ({ partition, value: JSON.stringify({ data: partition }) })) });
  await heard.count(3);
  for (let n = 0; n < 5; n++) b.publish(topic, 'x');
  await heard.count(8);
  const read = await readWithKafkaJS(t, cluster, topic, (messages) => messages.length === 8);
  assert.deepEqual(
    read.filter(({ value }) => String(value).includes('"x"')).map(({ partition }) => partition),
    [0, 0, 0, 0, 0],
  );
});

test('a record that cannot be read is told, and what follows is heard', async (t) => {
  const topic = topicName('unreadable');
  const a = await ready(t, cluster);
  const heard = await hear(a, topic);
  const other = oracle(cluster).producer();
  await other.connect();
  cleanup(t, () => other.disconnect());
  const values = ['no json', '[1]', '7', 'null', null, '', '{"data":1}'];
  await other.send({ topic, messages: values.map((value) => ({ partition: 0, value })) });
  assert.equal(await heard.until(), 1);
  const { text, error } = await a.errors.until();
  assert.equal(typeof text, 'string');
  assert.ok(error instanceof Error);
  assert.match(text, new RegExp(`${topic}/0: the message at offset 0 cannot be read`));
});

test('an error that nobody listens to goes to the logger, and one whose listener throws ends nothing', async (t) => {
  const { logger, lines } = witness();
  const connector = new MessageConnector({ connectionString: '127.0.0.1:1', logger, retry: { retries: 1, initialRetryTime: 50 } });
  cleanup(t, () => connector.close());
  await lines.until(([level, line]) => level === 'error' && /deepstream\.io-msg-kafka: Kafka .*127\.0\.0\.1:1.* cannot be reached/.test(line));
  const topic = topicName('throwing');
  const a = await ready(t, cluster, { logger });
  a.on('error', () => {
    throw new Error('of the listener');
  });
  const heard = await hear(a, topic);
  await a.subscribe(topic, () => assert.fail('mine'));
  const b = await ready(t, cluster);
  b.publish(topic, 1);
  await lines.until(([level, line]) => level === 'error' && /listener of 'error' has thrown/.test(line));
  b.publish(topic, 2);
  await heard.count(2);
});

test('close sends what waits, tells it once, and is the end, in any order', async (t) => {
  const [a, b] = await Promise.all([1, 2].map(() => ready(t, cluster)));
  const topic = topicName('close');
  const heard = await hear(a, topic);
  const closed = new Calls();
  b.on('close', closed.take);
  b.publish(topic, 'last');
  const closing = b.close();
  assert.equal(b.close(), closing);
  await closing;
  assert.equal(await heard.until(), 'last');
  assert.equal(closed.all.length, 1);
  assert.equal(b.isReady, false);
  b.publish(topic, 'late');
  await b.errors.until(({ text }) => /after close/.test(text));
  await b.subscribe(topic, heard.take);
  b.unsubscribe(topic, heard.take);
  const unready = connect(t, cluster);
  unready.subscribe(topic, heard.take);
  await unready.close();
  const away = connect(t, nobody, { retry: { retries: 1, initialRetryTime: 50 } });
  away.publish(topic, 'nowhere');
  const never = away.subscribe(topic, heard.take);
  await away.errors.until(({ text }) => /cannot be reached/.test(text));
  await away.close();
  await never;
  assert.deepEqual(heard.all, ['last']);
});

test('a topic that is missing is told where none may be made, and used once it is there', async (t) => {
  const [a, b] = await Promise.all([1, 2].map(() => ready(t, cluster, { createTopics: false })));
  const topic = topicName('missing');
  const heard = new Calls();
  const reading = a.subscribe(topic, heard.take);
  await a.errors.until(({ text }) => text.includes(topic) && /createTopics is false/.test(text));
  await cluster.admin.createTopic(topic, { partitions: 1, replication: 1 });
  await reading;
  b.publish(topic, 1);
  assert.equal(await heard.until(), 1);
});

test('no two topics have one name in Kafka, and each name is one that Kafka takes', () => {
  const next = random(seed);
  const pieces = [
    '-',
    '--',
    '.',
    '_',
    '/',
    'a',
    '2',
    '2f',
    '--2f-',
    '--2d-',
    'Z',
    'ä',
    '😀',
    '\ud800',
    '\udc00',
    '\0',
    '110000',
    '__consumer_offsets',
    'x'.repeat(120),
  ];
  const names = new Set(['', '.', '..', 'a.b', 'a_b', '--110000-', '__consumer_offsets', '--5f-_consumer_offsets']);
  while (names.size < 20_000) names.add(Array.from({ length: 1 + next() * 6 }, () => pieces[Math.floor(next() * pieces.length)]).join(''));
  for (const name of [...names]) names.add(kafkaTopic(name)); // what looks escaped is a name, too
  const taken = new Map();
  for (const name of names) {
    const topic = kafkaTopic(name);
    assert.match(topic, /^[\w-]{1,249}$/, `seed ${seed}: ${JSON.stringify(name)}`);
    assert.equal(taken.get(topic) ?? name, name, `seed ${seed}`);
    taken.set(topic, name);
    const back = deepstreamTopic(topic);
    if (back !== undefined) assert.equal(back, name, `seed ${seed}`);
    else assert.equal(topic.length, 249);
  }
  for (const name of ['R', 'E', 'P_SUB', 'my-topic', '__proto__', 'a-b_c', 'A'.repeat(249), 'a--', '---']) assert.equal(kafkaTopic(name), name);
  assert.equal(kafkaTopic('a/b.c'), 'a--2f-b--2e-c');
  assert.equal(kafkaTopic('__consumer_offsets'), '--5f-_consumer_offsets');
});
