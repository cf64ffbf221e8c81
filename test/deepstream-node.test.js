'use strict';
// Promises of a cluster node to deepstream, shown without a server: on a real Kafka.

const { after, before, describe, test } = require('node:test');
const assert = require('node:assert/strict');
const { Kafka } = require('kafka-native');
const { ClusterNode } = require('deepstream.io-msg-kafka');
const { Peers } = require('../js/deepstream.io-msg-kafka/dist/peers.js');
const { ServerName } = require('../js/deepstream.io-msg-kafka/dist/server-name.js');
const { Troubles } = require('../js/deepstream.io-msg-kafka/dist/troubles.js');
const { cleanup } = require('./support/cleanup.js');
const { embedded, real } = require('./support/clusters.js');
const { PATIENCE, SOON, within } = require('./support/flow.js');
const { random, seed } = require('./support/random.js');
const { Node, brokersOf, newTopic, startNodes, topicOf, witness } = require('./support/deepstream.js');
const { oracle, readWithKafkaJS } = require('./support/kafkajs.js');
const { Calls, deferred, eventually } = require('./support/watch.js');

/** @type {any} */ let cluster;
before(async () => (cluster = await real()));
after(() => cluster?.close());

// First: its attempt to connect goes on beside the others, for 20 s.
test('close ends also where Kafka never was, long before the attempt to connect does', async () => {
  const { lines, logger } = witness();
  const node = new ClusterNode({ connectionString: '127.0.0.1:9', connectionTimeout: 10_000, retry: { retries: 1 } }, { logger }, { serverName: 'alone' });
  node.whenReady();
  node.send({ topic: 4, action: 0, name: 'waits' });
  const [, event, text] = await lines.until(([level]) => level === 'error');
  assert.equal(event, 'PLUGIN_INITIALIZATION_ERROR');
  assert.match(text, /the topic deepstream of 127\.0\.0\.1:9 cannot be used yet/);
  await within(SOON, 'it closes', () => node.close());
  const [, , lost] = await lines.until(([, , text]) => /are lost$/.test(text));
  assert.match(lost, /closed with \d+ bytes of messages that Kafka has not taken/);
});

describe('messages', () => {
  test('reach every other node once, in the order of their sender over all topics, and never their sender', async (t) => {
    const nodes = await startNodes(t, cluster, { count: 3, topics: [4, 5, 11] });
    const count = 500;
    for (let n = 0; n < count; n++) for (const { node } of nodes) node.send({ topic: [4, 5, 11][n % 3], action: 0, name: String(n) });
    for (const { heard, serverName } of nodes) {
      await heard.count(count * 2);
      for (const other of nodes.filter((node) => node.serverName !== serverName))
        assert.deepEqual(
          heard.all.filter(([, from]) => from === other.serverName).map(([{ name }]) => Number(name)),
          Array.from({ length: count }, (_, n) => n),
        );
      assert.equal(heard.all.length, count * 2);
    }
  });

  test('come as they were sent, with text, objects, any character, and bytes', async (t) => {
    const [one, two] = await startNodes(t, cluster);
    const bytes = Buffer.from([0, 10, 13, 255, 10, 123]);
    const messages = [
      { topic: 4, action: 3, name: 'a', parsedData: { deep: [1, null, { 'ü\n': '\u2028' }] } },
      { topic: 4, action: 3, name: 'b', data: '{"x":"\\n"}', version: 7, names: ['x', 'y'], isWriteAck: true },
      { topic: 4, action: 3, name: 'c\n', data: bytes },
      { topic: 4, action: 3, name: 'd', data: Buffer.alloc(0) },
      { topic: 4, action: 3, name: 'e', data: '' },
    ];
    for (const message of messages) one.node.send(message);
    await two.heard.count(messages.length);
    assert.deepEqual(
      two.heard.all,
      messages.map((message) => [message, one.serverName]),
    );
  });

  test('sent directly reach that server alone', async (t) => {
    const [one, two, three] = await startNodes(t, cluster, { count: 3 });
    one.node.sendDirect(two.serverName, { topic: 4, action: 0, name: 'direct' });
    one.node.sendDirect(one.serverName, { topic: 4, action: 0, name: 'self' });
    one.node.sendDirect('nobody', { topic: 4, action: 0, name: 'nobody' });
    one.emit('all');
    await Promise.all([two.hears('all'), three.hears('all')]);
    two.emit('back');
    await Promise.all([one.hears('back'), three.hears('back')]);
    assert.deepEqual([one.names(), two.names(), three.names()], [['back'], ['direct', 'all'], ['all', 'back']]);
  });

  test('are heard from the moment in which whenReady resolves, and those before it are sent behind it', async (t) => {
    const topic = newTopic();
    const [old] = await startNodes(t, cluster, { count: 1, topic });
    for (let round = 0; round < 5; round++) {
      const late = new Node(cluster, { topic });
      cleanup(t, () => late.node.close());
      late.emit(`early-${round}`);
      await late.node.whenReady();
      old.emit(`hello-${round}`);
      await late.hears(`hello-${round}`);
      await old.hears(`early-${round}`);
    }
  });

  test('about a topic that nobody subscribed to are dropped in silence', async (t) => {
    const [one, two] = await startNodes(t, cluster);
    one.node.send({ topic: 77, action: 0, name: 'unknown' });
    one.emit('known');
    await two.hears('known');
    assert.deepEqual(two.names(), ['known']);
    assert.deepEqual(
      two.lines.all.filter(([level]) => level === 'error' || level === 'fatal'),
      [],
    );
  });

  test('that cannot be written are told, and the others go on', async (t) => {
    const [one, two] = await startNodes(t, cluster);
    const circle = {};
    circle.self = circle;
    one.emit('circle', { parsedData: circle });
    one.emit('after');
    await two.hears('after');
    const [, event, text] = await one.lines.until(([level]) => level === 'error');
    assert.equal(event, 'PLUGIN_ERROR');
    assert.match(text, /cannot be sent, and is left out/);
    assert.deepEqual(two.names(), ['after']);
  });

  test('that are larger than a topic of yours takes are told, and the others go on', async (t) => {
    const topic = await cluster.topic(1, { config: { 'max.message.bytes': 100_000 } });
    const [one, two] = await startNodes(t, cluster, { topic });
    for (const [name, bytes] of Object.entries({ a: 10, b: 200_000, c: 10, d: 300_000, e: 10 })) one.emit(name, { data: 'x'.repeat(bytes) });
    await two.hears('e');
    one.emit('f');
    await two.hears('f');
    assert.deepEqual(two.names(), ['a', 'c', 'e', 'f']);
    assert.deepEqual(
      one.lines.all.filter(([level]) => level === 'error' || level === 'fatal').map(([level]) => level),
      ['error'],
    );
    assert.match((await one.lines.until(([level]) => level === 'error'))[2], new RegExp(`cannot be sent, and is left out: .*max.message.bytes of ${topic}`));
  });

  test('reach the other subscribers where one throws, and the reader goes on', async (t) => {
    const [one, two] = await startNodes(t, cluster, { topics: [] });
    two.node.subscribe(4, () => {
      throw new Error('my own fault');
    });
    two.node.subscribe(4, (message, from) => two.heard.take(message, from));
    for (const name of ['a', 'b', 'c']) one.emit(name);
    await two.hears('c');
    assert.deepEqual(two.names(), ['a', 'b', 'c']);
    const told = two.lines.all.filter(([level]) => level === 'error');
    assert.equal(told.length, 1, 'one of a kind in ten seconds');
    assert.match(told[0][2], /my own fault/);
  });
});

test('records that are no messages are told and left out: without headers, without a value, with lies in them', async (t) => {
  const topic = newTopic();
  const [one, two] = await startNodes(t, cluster, { topic });
  const producer = new Kafka({ brokers: [brokersOf(cluster)], logger: witness().logger }).producer();
  await producer.connect();
  cleanup(t, () => producer.disconnect());
  const from = { f: 'x', s: 'foreign' };
  const lies = [
    { value: 'nonsense' },
    { value: null, headers: from },
    { value: '{', headers: from },
    { value: 'null', headers: from },
    { value: '{"topic":"4"}', headers: from },
    { value: '{}', headers: { ...from, c: one.serverName } },
    { value: 'null', headers: { ...from, c: one.serverName } },
    { value: '{"taken":"somebody"}', headers: { ...from, c: one.serverName } },
    { value: Buffer.from([0xff, 0xfe, 10]), headers: { f: Buffer.from([0xff]), s: Buffer.from([0xff]) } },
  ];
  await producer.send({ topic, messages: lies.map((lie) => ({ partition: 0, ...lie })) });
  two.emit('after');
  await one.hears('after');
  assert.deepEqual(one.names(), ['after']);
  assert.match((await one.lines.until(([level]) => level === 'error'))[2], /cannot be read, and is left out/);
  assert.equal(one.lines.all.filter(([level]) => level === 'fatal').length, 0);
});

describe('a name', () => {
  test('that lives is refused with a clear error, and its server goes on undisturbed', async (t) => {
    const topic = newTopic();
    const [one, two] = await startNodes(t, cluster, { topic });
    const second = new Node(cluster, { topic, serverName: one.serverName });
    cleanup(t, () => second.node.close());
    second.emit('from the refused');
    assert.equal(await second.outcome(), 'refused');
    const [, event, text] = await second.fatal();
    assert.equal(event, 'PLUGIN_INITIALIZATION_ERROR');
    assert.match(text, new RegExp(`another server has the serverName ${one.serverName}`));
    two.node.sendDirect(one.serverName, { topic: 4, action: 0, name: 'direct' });
    await one.hears('direct');
    one.emit('still');
    await two.hears('still');
    two.emit('back');
    await one.hears('back');
    assert.deepEqual([one.names(), two.names()], [['direct', 'back'], ['still']]);
    await second.node.close();
    assert.deepEqual(second.names(), []);
  });

  test('is had by exactly one of those that start with it at once, in any order', async (t) => {
    const next = random(seed);
    for (let round = 0; round < 6; round++) {
      const topic = newTopic();
      const nodes = Array.from({ length: 2 + (round % 2) }, () => new Node(cluster, { topic, serverName: 'same' }));
      cleanup(t, () => Promise.all(nodes.map(({ node }) => node.close())));
      const outcomes = await Promise.all(
        nodes.map(async (node) => {
          await new Promise((resolve) => setTimeout(resolve, next() * 60 * (round % 3)));
          return node.outcome();
        }),
      );
      assert.deepEqual(outcomes.filter((outcome) => outcome === 'ready').length, 1, `${outcomes} in round ${round}, SEED=${seed}`);
      await Promise.all(nodes.map(({ node }) => node.close()));
    }
  });

  test('whose claim does not come back is told again and again, with what may be wrong, and is had when it comes', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval', 'setTimeout'] });
    const records = new Calls();
    const name = new ServerName('quiet', 'node', (record) => ({ topic: 'x', ...record }));
    const written = deferred();
    const producer = /** @type {any} */ ({ send: ({ messages }) => (records.take(messages[0].value), written.promise) });
    const [silent, lost, had] = [new Calls(), new Calls(), new Calls()];
    const claim = name.claim(producer, { onSilent: silent.take, onLost: lost.take }).then(had.take);
    t.mock.timers.tick(5000);
    assert.deepEqual(silent.all, [false], 'Kafka has not taken it');
    written.resolve();
    await new Promise((resolve) => setImmediate(resolve));
    t.mock.timers.tick(10_000);
    assert.deepEqual(silent.all, [false, true, true], 'it is not read');
    assert.equal(had.all.length, 0);
    name.onRecord(records.all[0]);
    t.mock.timers.tick(30_000);
    await claim;
    t.mock.timers.tick(30_000);
    assert.deepEqual(silent.all, [false, true, true]);
    assert.deepEqual(lost.all, []);
  });

  test('that Kafka does not take is told by its server, which is not ready, and closes', async (t) => {
    const mock = await embedded();
    cleanup(t, () => mock.close());
    mock.mock.injectErrors(0, Array(10_000).fill(6)); // Produce: NOT_LEADER_FOR_PARTITION
    const node = new Node(mock, { topic: await mock.topic(1), createTopics: false, properties: mock.options().driver_options });
    cleanup(t, () => node.node.close());
    let ready = false;
    node.node.whenReady().then(() => (ready = true));
    const [, event, text] = await node.lines.until(([level]) => level === 'error');
    assert.equal(event, 'PLUGIN_INITIALIZATION_ERROR');
    assert.match(text, new RegExp(`has not heard its own claim to the serverName ${node.serverName} yet: Kafka has not taken it: may this server WRITE`));
    assert.equal(ready, false);
  });

  test('is free when its server has closed', async (t) => {
    const topic = newTopic();
    for (let round = 0; round < 3; round++) {
      const [node] = await startNodes(t, cluster, { count: 1, topic, serverName: 'again' });
      await node.node.close();
    }
  });

  test('that was taken while its server could not answer is given back by the later one', async (t) => {
    const topic = newTopic();
    const [other] = await startNodes(t, cluster, { count: 1, topic });
    // A server that answers too late.
    const kafka = new Kafka({ brokers: [brokersOf(cluster)], logger: witness().logger });
    const [producer, consumer, claims] = [kafka.producer(), kafka.consumer({ groupId: null }), new Calls()];
    cleanup(t, () => Promise.all([producer.disconnect(), consumer.disconnect()]));
    await Promise.all([producer.connect(), consumer.connect()]);
    await consumer.subscribe({ topics: [topic] });
    await consumer.run({ only: { header: 'c', is: 'slow' }, eachMessage: async ({ message }) => claims.take(JSON.parse(String(message.value)).claim) });
    const [later] = await startNodes(t, cluster, { count: 1, topic, serverName: 'slow' });
    later.emit('before');
    await other.hears('before');
    await producer.send({
      topic,
      messages: [{ partition: 0, headers: { f: 'x', s: 'slow', c: 'slow' }, value: JSON.stringify({ taken: await claims.until() }) }],
    });
    const [, event, text] = await later.fatal();
    assert.equal(event, 'PLUGIN_ERROR');
    assert.match(text, /another server has the serverName slow, and lives/);
    later.emit('nothing');
    await later.node.close();
    const [end] = await startNodes(t, cluster, { count: 1, topic });
    end.emit('end');
    await other.hears('end');
    assert.deepEqual(other.names(), ['before', 'end']);
  });
});

describe('a server', () => {
  const status = (node) => ({ topic: 9, action: 2, serverName: node.serverName, leaderScore: 0.5, role: 'deepstream' });
  const gone = (node) => ({ topic: 9, action: 1, name: node.serverName, serverName: node.serverName });
  const leave = (node) => node.node.send({ topic: 9, action: 1, name: node.serverName });

  test('that was killed and is back under its name before it was missed is left and joined, once, before anything of the new one', async (t) => {
    const topic = newTopic();
    const [other] = await startNodes(t, cluster, { count: 1, topic, topics: [4, 9] });
    const [first] = await startNodes(t, cluster, { count: 1, topic, serverName: 'mortal' });
    first.node.send(status(first));
    first.emit('dead');
    await other.hears('dead');
    await first.node.close(); // as one that is killed: without a leave message
    const [second] = await startNodes(t, cluster, { count: 1, topic, serverName: 'mortal' });
    second.node.send(status(second));
    second.emit('again');
    await other.hears('again');
    assert.deepEqual(
      other.heard.all.map(([message]) => message.name ?? message),
      [status(first), 'dead', 'mortal', status(second), 'again'],
    );
    assert.deepEqual(other.heard.all[2], [gone(first), 'mortal']);
  });

  test('that leaves in order is left once, and comes again as another', async (t) => {
    const topic = newTopic();
    const [other] = await startNodes(t, cluster, { count: 1, topic, topics: [9] });
    for (let round = 0; round < 2; round++) {
      const [node] = await startNodes(t, cluster, { count: 1, topic, serverName: 'polite' });
      node.node.send(status(node));
      leave(node);
      await node.node.close();
      await other.heard.count(2 * round + 2);
      assert.deepEqual(other.heard.all.slice(-2), [
        [status(node), 'polite'],
        [gone(node), 'polite'],
      ]);
    }
  });

  test('that comes learns at once of those that are there, and does not wait for their next signs of life', async (t) => {
    const topic = newTopic();
    const there = await startNodes(t, cluster, { count: 2, topic, topics: [9] });
    for (const node of there) node.node.send(status(node));
    const [late] = await startNodes(t, cluster, { count: 1, topic, topics: [9] });
    late.node.send(status(late));
    await late.heard.count(2);
    const names = (node) => node.heard.all.map(([{ serverName }, from]) => (assert.equal(serverName, from), from)).sort();
    assert.deepEqual(names(late), there.map(({ serverName }) => serverName).sort());
    for (const node of there) await node.heard.until(([{ serverName }]) => serverName === late.serverName);
  });
});

test('servers that died without a word are not remembered for ever: of many those that were silent for longest are forgotten', () => {
  const [delivered, come] = [new Calls(), new Calls()];
  const peers = new Peers({ deliver: delivered.take, onCome: come.take });
  const status = (serverName) => peers.hear({ topic: 9, action: 2, serverName }, serverName, 'node');
  for (const name of ['alive', 'dead']) status(name);
  for (let n = 0; n < 9_999; n++) {
    status(`made up ${n}`);
    status('alive');
  }
  assert.equal(come.all.length, 10_001);
  status('alive');
  assert.equal(come.all.length, 10_001, 'it is known');
  status('dead');
  assert.deepEqual(come.all.slice(10_001), ['dead'], 'it comes as a new one');
  assert.ok(
    delivered.all.every(([{ action }]) => action === 2),
    'and nobody leaves',
  );
});

test("Kafka's troubles: of each kind one in ten seconds, and one kind hides no other", async (t) => {
  const node = new Node(cluster, { topic: newTopic(), producer: { oneThing: 1 }, consumer: { anotherThing: 1 } });
  cleanup(t, () => node.node.close());
  await node.node.whenReady();
  const warned = (name) => node.lines.until(([level, , text]) => level === 'warn' && text.includes(name));
  await Promise.all([warned('oneThing'), warned('anotherThing')]);
});

test('troubles of ever new kinds are not remembered for ever, and those of a moment ago are', () => {
  const [troubles, told] = [new Troubles(), new Calls()];
  for (let n = 0; n < 1001; n++) troubles.tell(`kind ${n}`, String(n), told.take);
  assert.equal(told.all.length, 1001);
  for (const n of [1, 1000, 0]) troubles.tell(`kind ${n}`, `${n} again`, told.take);
  assert.deepEqual(told.all.slice(1001), ['0 again']);
});

test('troubles that are old and were told no more are forgotten, and a few are counted on', (t) => {
  const [troubles, told] = [new Troubles(), new Calls()];
  let now = 0;
  t.mock.method(performance, 'now', () => now);
  const thrice = (kind) => [1, 2, 3].forEach(() => troubles.tell(kind, kind, told.take));
  thrice('old');
  for (let n = 0; n < 99; n++) thrice(`of many ${n}`);
  now = 10_000;
  troubles.tell('old', 'old', told.take);
  assert.equal(told.all.at(-1), 'old (and 2 more in the last seconds)');
  troubles.tell('new', 'new', told.take);
  for (const kind of ['of many 0', 'of many 98']) troubles.tell(kind, kind, told.take);
  assert.deepEqual(told.all.slice(-2), ['of many 0', 'of many 98 (and 2 more in the last seconds)']);
});

test('a server that cannot read any more hears a fatal error: it would be deaf', async (t) => {
  const mock = await embedded();
  cleanup(t, () => mock.close());
  const [one] = await startNodes(t, mock, {
    count: 1,
    topic: await mock.topic(1),
    createTopics: false,
    properties: mock.options().driver_options,
  });
  mock.mock.injectErrors(1, Array(20).fill(29)); // Fetch: TOPIC_AUTHORIZATION_FAILED
  const [, event, text] = await one.fatal();
  assert.equal(event, 'PLUGIN_ERROR');
  assert.match(text, /reading .* has ended, and this server hears the others no more: .*start it again/);
});

describe('close', () => {
  test('writes what was sent before, and what is sent in the same turn behind it: the message that it leaves, with its serverName', async (t) => {
    const [one, two] = await startNodes(t, cluster, { topics: [4, 9] });
    for (let n = 0; n < 300; n++) one.emit(String(n));
    const closed = one.node.close();
    one.node.send({ topic: 9, action: 1, name: one.serverName });
    await closed;
    await two.heard.count(301);
    assert.deepEqual(two.heard.all.at(-1)[0], { topic: 9, action: 1, name: one.serverName, serverName: one.serverName });
    assert.deepEqual(
      two.names().slice(0, 300),
      Array.from({ length: 300 }, (_, n) => String(n)),
    );
  });

  test('gives the same promise again, ends what has not begun, and nothing is sent behind it', async (t) => {
    const [one, two] = await startNodes(t, cluster);
    assert.equal(one.node.close(), one.node.close());
    await one.node.close();
    one.emit('late');
    two.emit('marker');
    const idle = new Node(cluster, { topic: newTopic() });
    await idle.node.close();
    const starting = new Node(cluster, { topic: newTopic() });
    let ready = false;
    starting.node.whenReady().then(() => (ready = true));
    await within(PATIENCE, 'it closes while it starts', () => starting.node.close());
    assert.equal(ready, false);
    assert.deepEqual(
      starting.lines.all.filter(([level]) => level === 'fatal'),
      [],
    );
    assert.deepEqual(two.names(), []);
  });

  test('ends what is heard: nothing comes behind it', async (t) => {
    const [one, two] = await startNodes(t, cluster);
    one.node.subscribe(4, ({ name }) => name === 'last' && void one.node.close());
    for (const name of ['first', 'last', 'late']) two.emit(name);
    await one.hears('last');
    await one.node.close();
    assert.deepEqual(one.names(), ['first', 'last']);
  });

  test('where Kafka is away says what is lost, as no fatal error: a server that stops is not to die of it', async (t) => {
    const mock = await embedded();
    cleanup(t, () => mock.close());
    const [one] = await startNodes(t, mock, { count: 1, topic: await mock.topic(1), createTopics: false, properties: mock.options().driver_options });
    mock.mock.brokerDown(1);
    one.emit('lost');
    await within(SOON, 'it closes', () => one.node.close());
    const told = one.lines.all.filter(([level]) => level === 'error' || level === 'fatal');
    assert.deepEqual(
      told.map(([level, event]) => [level, event]),
      [['error', 'PLUGIN_ERROR']],
    );
    assert.match(told[0][2], /closed with \d+ bytes of messages that Kafka has not taken: they are lost/);
  });
});

test('beyond maxQueuedBytes the server hears a fatal error, and what comes later is not sent: no gap', async (t) => {
  const topic = newTopic();
  const [two] = await startNodes(t, cluster, { count: 1, topic });
  const one = new Node(cluster, { topic, maxQueuedBytes: 20_000 });
  cleanup(t, () => one.node.close());
  // Not ready yet: it waits.
  for (let n = 0; n < 1000; n++) one.emit(String(n), { data: 'x'.repeat(100) });
  const [, , text] = await one.fatal();
  assert.match(text, /more than 20000 bytes \(maxQueuedBytes\) wait for Kafka: nothing more is sent/);
  await one.node.whenReady();
  one.emit('never');
  await one.node.close();
  const [end] = await startNodes(t, cluster, { count: 1, topic });
  end.emit('end');
  await two.hears('end');
  const names = two.names().slice(0, -1);
  assert.ok(names.length > 10);
  assert.deepEqual(
    names,
    Array.from(names, (_, n) => String(n)),
  );
});

test('with Kafka away messages wait up to maxQueuedBytes; those come whole and in order when it is back, nothing comes behind them, and the server still hears', async (t) => {
  const mock = await embedded();
  cleanup(t, () => mock.close());
  const [topic, properties] = [await mock.topic(1), mock.options().driver_options];
  const [one, two] = await startNodes(t, mock, { topic, createTopics: false, properties, maxQueuedBytes: 50_000 });
  let n = 0;
  one.emit(String(n++));
  await two.hears('0');
  mock.mock.brokerDown(1);
  const fatal = one.fatal();
  while (n < 400) one.emit(String(n++), { data: 'x'.repeat(200) });
  assert.match((await fatal)[2], /more than 50000 bytes \(maxQueuedBytes\) wait for Kafka: nothing more is sent/);
  mock.mock.brokerUp(1);
  await two.hears('20');
  one.emit('never');
  two.emit('still');
  await one.hears('still');
  await one.node.close();
  two.heard.all.forEach(([{ name }], i) => assert.equal(name, String(i)));
  assert.ok(two.heard.all.length < 400);
});

test('a message that Kafka refuses: the others have everything before its part and nothing behind it, and the server hears a fatal error', async (t) => {
  const mock = await embedded();
  cleanup(t, () => mock.close());
  const options = { topic: await mock.topic(1), createTopics: false, properties: mock.options().driver_options };
  const [one, two, three] = await startNodes(t, mock, { count: 3, ...options });
  one.emit('0', { data: 'x'.repeat(1000) });
  await two.hears('0');
  const [fine, TOPIC_AUTHORIZATION_FAILED] = [0, 29];
  mock.mock.injectErrors(0, [fine, TOPIC_AUTHORIZATION_FAILED]);
  for (let n = 1; n < 600; n++) one.emit(String(n), { data: 'x'.repeat(1000) });
  assert.match((await one.fatal())[2], /Kafka has refused a message .*: nothing more is sent/);
  await one.node.close();
  three.emit('end');
  await two.hears('end');
  const names = two.names().slice(0, -1);
  assert.ok(names.length > 1 && names.length < 600, `${names.length}`);
  assert.deepEqual(
    names,
    Array.from(names, (_, n) => String(n)),
  );
});

test('a topic that is made is as the page says', async (t) => {
  const configs = {
    'cleanup.policy': 'delete',
    'retention.ms': '600000',
    'segment.ms': '300000',
    'message.timestamp.type': 'LogAppendTime',
    'max.message.bytes': String(16 * 1024 * 1024),
  };
  const [plain, given] = [newTopic(), newTopic()];
  await startNodes(t, cluster, { count: 1, topic: plain });
  assert.deepEqual(await topicOf(t, cluster, plain), { replicas: [1], configs });
  await startNodes(t, cluster, { count: 1, topic: given, retention: 3_600_000, replicationFactor: 1 });
  assert.deepEqual(await topicOf(t, cluster, given), { replicas: [1], configs: { ...configs, 'retention.ms': '3600000', 'segment.ms': '1800000' } });
});

test('a topic that is missing with createTopics: false is told, with what to do, and used once it is there', async (t) => {
  const topic = newTopic();
  const nodes = [1, 2].map(() => new Node(cluster, { topic, createTopics: false }));
  cleanup(t, () => Promise.all(nodes.map(({ node }) => node.close())));
  const ready = Promise.all(nodes.map(({ node }) => node.whenReady()));
  for (const { lines } of nodes) {
    const [, event, text] = await lines.until(([level]) => level === 'error');
    assert.equal(event, 'PLUGIN_INITIALIZATION_ERROR');
    assert.match(text, new RegExp(`the topic ${topic} of .* cannot be used yet: it does not exist, and createTopics is false: make it, or allow CREATE`));
  }
  await cluster.admin.createTopic(topic, { partitions: 1, replication: 1 });
  await within(PATIENCE, 'they are ready', () => ready);
  nodes[0].emit('news');
  await nodes[1].hears('news');
});

for (const createTopics of [true, false])
  test(`a topic that is deleted under its servers: ${createTopics ? 'it is made again as the page says' : 'they wait until it is made'}, and what they send behind that comes, in order`, async (t) => {
    const topic = await cluster.topic(1);
    const [one, two] = await startNodes(t, cluster, { topic, createTopics });
    const admin = oracle(cluster).admin();
    await admin.connect();
    cleanup(t, () => admin.disconnect());
    await admin.deleteTopics({ topics: [topic] });
    await eventually(PATIENCE, 'it is gone', async () => !(await admin.listTopics()).includes(topic));
    const names = Array.from({ length: 300 }, (_, n) => String(n));
    for (const name of names) one.emit(name, { data: 'x'.repeat(1000) });
    if (!createTopics) {
      await one.lines.until(([level, , text]) => level === 'error' && /cannot be used yet: .*createTopics is false/.test(text));
      await cluster.admin.createTopic(topic, { partitions: 1, replication: 1 });
    }
    await two.hears('299');
    assert.deepEqual([...new Set(two.names())], names);
    const written = await readWithKafkaJS(t, cluster, topic, (messages) => messages.length >= 300);
    assert.deepEqual(
      written.map(({ value }) => JSON.parse(String(value)).name),
      names,
    );
    await two.lines.until(([, , text]) => text.includes(`the topic ${topic} was deleted: what was in it is lost, and a new one is read from its beginning`));
    assert.deepEqual(
      [one, two].flatMap(({ lines }) => lines.all.filter(([level]) => level === 'fatal')),
      [],
    );
    if (createTopics) assert.equal((await topicOf(t, cluster, topic)).configs['retention.ms'], '600000');
  });

test('replicationFactor is asked of the brokers: more than there are is told, and tried again', async (t) => {
  const node = new Node(cluster, { topic: newTopic(), replicationFactor: 30 });
  cleanup(t, () => node.node.close());
  node.node.whenReady();
  const [, event, text] = await node.lines.until(([level]) => level === 'error');
  assert.equal(event, 'PLUGIN_INITIALIZATION_ERROR');
  assert.match(text, /cannot be used yet: .*replication/i);
});

describe('options', () => {
  const made =
    (options, services = { logger: witness().logger }, config = { serverName: 'x' }) =>
    () =>
      new ClusterNode(options, /** @type {any} */ (services), /** @type {any} */ (config));

  test('that do not say where Kafka is, or name ZooKeeper, throw and say what to do', () => {
    for (const options of [undefined, {}, { connectionString: '' }, { brokers: [] }, { connectionString: ' , ' }])
      assert.throws(made(options), /where is Kafka\? Give a connectionString/);
    for (const options of [{ connectionString: 'host:2181' }, { connectionString: 'kafka://a:9092,b:2181/chroot' }, { brokers: ['host:2181'] }])
      assert.throws(made(options), /brokers.*not ZooKeeper/);
    for (const connectionString of ['a b', 'host:x', 'host:0', 'host:70000']) assert.throws(made({ connectionString }), /is no address of a broker/);
    assert.throws(made({ connectionString: 7 }), /connectionString must be text/);
  });

  test('of a wrong type or size throw, and name the option', () => {
    const brokers = ['localhost:9092'];
    for (const [name, value] of Object.entries({
      topic: 'a b',
      createTopics: 1,
      replicationFactor: 1.5,
      retention: 1,
      maxQueuedBytes: 0,
      clientId: {},
      producer: 7,
      consumer: null,
    }))
      assert.throws(made({ brokers, [name]: value }), new RegExp(name));
    for (const clientId of [75783, 'a', null]) made({ brokers, clientId })();
    assert.throws(made({ brokers }, undefined, {}), /server\.getServices\(\), server\.getConfig\(\)/);
  });

  test('of kafka-native pass through: a property that it refuses is refused', () => {
    assert.throws(made({ brokers: ['localhost:9092'], properties: { 'enable.auto.commit': 'true' } }), /enable\.auto\.commit/);
  });
});
