'use strict';
// How an adapter comes to its Kafka: what may be given, what is made of it, and what is refused with which words.

const { after, before, describe, test } = require('node:test');
const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { ConfigResourceTypes, Kafka, logLevel } = require('kafka-native');
const { Server } = require('socket.io');
const { createAdapter, kafka } = require('socket.io-kafka');
const { cleanup } = require('./support/cleanup.js');
const { real, topicName } = require('./support/clusters.js');
const { Peer, Peers, SILENT, kafkaOf, newKey } = require('./support/socketio.js');
const { eventually, witness } = require('./support/watch.js');
const { PATIENCE } = require('./support/flow.js');

/** @type {any} */ let cluster;
/** @type {string} */ let broker;
before(async () => {
  cluster = await real();
  broker = cluster.options().broker.split(',')[0];
});
after(() => cluster?.close());

/** Two servers with what each call makes hear each other. */
async function speak(t, make) {
  const key = newKey();
  const peers = await Peers.start(cluster, { count: 2, key, adapter: (options) => make(key, options) });
  cleanup(t, () => peers.close());
  const client = await peers.all[1].client();
  peers.all[0].io.emit('hello', 1);
  assert.deepEqual(await client.hears('hello'), [1]);
  return peers;
}

const client = () => new Kafka({ ...kafkaOf(cluster), logLevel: logLevel.NOTHING });

/** The partitions of a key's topic, and what they hold. */
async function look(topic) {
  const admin = client().admin();
  await admin.connect();
  try {
    return (await admin.fetchTopicOffsets(topic))
      .map(({ partition, offset }) => ({ partition, records: Number(offset) }))
      .sort((a, b) => a.partition - b.partition);
  } finally {
    await admin.disconnect();
  }
}

describe('the calls of 0.0.1', () => {
  const host = () => broker.slice(0, broker.lastIndexOf(':'));
  const port = () => Number(broker.slice(broker.lastIndexOf(':') + 1));
  const calls = {
    'kafka(uri, options)': (key) => kafka(broker, { key, logger: SILENT }),
    'kafka(uri with a scheme and a slash)': (key) => kafka(`kafka://${broker}/`, { key, logger: SILENT }),
    'kafka({ uri })': (key) => kafka({ uri: broker, key, logger: SILENT }),
    'kafka({ uri of several })': (key) => kafka({ uri: `${broker}, ${broker}`, key, logger: SILENT }),
    'kafka({ host, port })': (key) => kafka({ host: host(), port: port(), key, logger: SILENT }),
    'kafka({ host, port as text, createTopics })': (key) => kafka({ host: host(), port: String(port()), key, createTopics: true, logger: SILENT }),
    'require(...)(uri)': (key) => require('socket.io-kafka')(broker, { key, logger: SILENT }),
  };
  for (const [call, make] of Object.entries(calls)) test(call, (t) => speak(t, make));

  test('io.adapter(kafka(uri)) of a server that is there already', async (t) => {
    const key = newKey();
    const peers = new Peers(key);
    cleanup(t, () => peers.close());
    for (let i = 0; i < 2; i++) {
      const peer = await Peer.start(undefined);
      peer.io.adapter(kafka(broker, { key, logger: SILENT }));
      peers.all.push(peer);
    }
    await peers.ready();
    const other = await peers.all[1].client();
    peers.all[0].io.emit('hello', 1);
    assert.deepEqual(await other.hears('hello'), [1]);
  });

  test('one creator for several servers is a connection for each', async (t) => {
    const key = newKey();
    const creator = kafka(broker, { key, logger: SILENT });
    const peers = await Peers.start(cluster, { count: 2, adapter: () => creator });
    cleanup(t, () => peers.close());
    const other = await peers.all[1].client();
    peers.all[0].io.emit('hello', 1);
    assert.deepEqual(await other.hears('hello'), [1]);
  });
});

describe('createAdapter', () => {
  const calls = {
    'with brokers': (key) => createAdapter({ brokers: [broker] }, { key, logger: SILENT }),
    'with everything in one object': (key) =>
      createAdapter({ brokers: [broker], key, logger: SILENT, clientId: 'mine', properties: { 'socket.keepalive.enable': 'true' } }),
    'with a Kafka of kafka-native': (key) => createAdapter(client(), { key, logger: SILENT }),
    'with options of the clients': (key) =>
      createAdapter({ brokers: [broker] }, { key, logger: SILENT, producer: { linger: 1 }, consumer: { maxBytes: 2_000_000 }, acks: 1, compression: 1 }),
  };
  for (const [call, make] of Object.entries(calls)) test(call, (t) => speak(t, make));
});

describe('what is refused', () => {
  const refused = {
    'nothing at all': [() => kafka(), URIError, /where is Kafka\? Give a uri/],
    'nothing that says where': [() => kafka({ key: 'x' }), URIError, /uri \('localhost:9092'\), host and port, brokers/],
    'an empty uri': [() => kafka(''), URIError, /where is Kafka/],
    'no brokers': [() => createAdapter({ brokers: [] }), URIError, /where is Kafka/],
    'a port without a host': [() => kafka({ port: 9092 }), URIError, /where is Kafka/],
    "ZooKeeper's port": [() => kafka('localhost:2181'), URIError, /brokers, such as localhost:9092, not ZooKeeper/],
    "ZooKeeper's port and a path": [() => kafka({ uri: 'zoo:2181/chroot' }), URIError, /not ZooKeeper/],
    "ZooKeeper's port beside a host": [() => kafka({ host: 'zoo', port: 2181 }), URIError, /not ZooKeeper/],
    'a key that is no name': [() => kafka('x:1', { key: 'a/b' }), TypeError, /key must be a topic's name/],
    'an empty key': [() => kafka('x:1', { key: '' }), TypeError, /key must be a topic's name/],
    'a partition that is none': [() => kafka('x:1', { partition: -1 }), RangeError, /partition must be a whole number from 0/],
    'a partition as text': [() => kafka('x:1', { partition: '0' }), TypeError, /partition must be a number/],
    'acks that are none': [() => kafka('x:1', { acks: 2 }), RangeError, /acks must be -1, 0 or 1/],
    'a compression by name': [() => kafka('x:1', { compression: 'gzip' }), TypeError, /compression must be a number/],
    'a compression that is none': [() => kafka('x:1', { compression: 99 }), RangeError, /compression must be a whole number from 0 to 4/],
    'createTopics as text': [() => kafka('x:1', { createTopics: 'no' }), TypeError, /createTopics must be true or false/],
    'recovery for ever': [
      () => new Server({ adapter: kafka('x:1'), connectionStateRecovery: { maxDisconnectionDuration: Number.POSITIVE_INFINITY } }),
      RangeError,
      /maxDisconnectionDuration must be milliseconds/,
    ],
    'a heartbeat of no time': [() => kafka('x:1', { heartbeatInterval: 0 }), RangeError, /heartbeatInterval must be/],
    'a timeout below the interval': [() => kafka('x:1', { heartbeatInterval: 500, heartbeatTimeout: 400 }), RangeError, /heartbeatTimeout must be/],
    'a producer that is none': [() => kafka('x:1', { producer: 7 }), TypeError, /producer must be options, or a client that kafka\.producer\(\)/],
  };
  for (const [what, [call, type, message]] of Object.entries(refused)) {
    test(what, () =>
      assert.throws(call, (error) => {
        assert.ok(error instanceof type, `${error.name}: ${error.message}`);
        assert.match(error.message, message);
        return true;
      }),
    );
  }
});

describe("the caller's own clients", () => {
  test('are used, and are his to end', async (t) => {
    const key = newKey();
    const own = client();
    const producer = own.producer({ idempotent: true, linger: 0 });
    const consumer = own.consumer({ groupId: null });
    await Promise.all([producer.connect(), consumer.connect()]);
    let sent = 0;
    const send = producer.send.bind(producer);
    producer.send = (what) => {
      sent += what.messages.length;
      return send(what);
    };
    const mine = await Peer.start(createAdapter(own, { key, producer, consumer, logger: SILENT }));
    const peers = new Peers(key);
    cleanup(t, () => peers.close().then(() => Promise.all([producer.disconnect(), consumer.disconnect()])));
    peers.all.push(mine, await Peer.start(createAdapter(kafkaOf(cluster), { key, logger: SILENT })));
    cleanup(t, () => peers.close());
    await peers.ready();
    const clients = await Promise.all(peers.all.map((peer) => peer.client()));
    const before = sent;
    for (const { io } of peers.all) io.emit('hello');
    await peers.settled();
    for (const one of clients) assert.equal(one.events('hello').length, 2);
    assert.ok(sent > before, 'it sends with the producer that was given');
    await mine.close();
    // The producer works on.
    const topic = await cluster.topic(1);
    const [{ errorCode }] = await producer.send({ topic, messages: [{ value: 'mine' }] });
    assert.equal(errorCode, 0);
  });

  test('alone say where Kafka is', async (t) => {
    const key = newKey();
    // Somebody has made the topics.
    await (await Peers.start(cluster, { key, count: 1 })).close();
    const own = client();
    const [producer, consumer] = [own.producer(), own.consumer({ groupId: null })];
    await Promise.all([producer.connect(), consumer.connect()]);
    const peers = new Peers(key);
    cleanup(t, () => peers.close().then(() => Promise.all([producer.disconnect(), consumer.disconnect()])));
    peers.all.push(await Peer.start(kafka({ key, producer, consumer, logger: SILENT })), await Peer.start(kafka(broker, { key, logger: SILENT })));
    await peers.ready();
    const other = await peers.all[1].client();
    peers.all[0].io.emit('hello', 1);
    assert.deepEqual(await other.hears('hello'), [1]);
  });
});

describe('the topics', () => {
  test('are made with one partition for the log, unless more are wanted', async (t) => {
    const one = await speak(t, (key, options) => createAdapter(kafkaOf(cluster), { ...options, key }));
    assert.equal((await look(one.key)).length, 1);
    const more = await speak(t, (key, options) => createAdapter(kafkaOf(cluster), { ...options, key, partitions: 4 }));
    assert.equal((await look(more.key)).length, 4);
  });

  for (const [what, server, retention] of /** @type {[string, object, string][]} */ ([
    ['', {}, '600000'],
    [', for as long as recovery needs', { connectionStateRecovery: { maxDisconnectionDuration: 1_800_000 } }, '3600000'],
  ]))
    test(`are made as the README says${what}`, async (t) => {
      const key = newKey();
      const peers = await Peers.start(cluster, { key, count: 1, server });
      cleanup(t, () => peers.close());
      const admin = client().admin();
      cleanup(t, () => admin.disconnect());
      await admin.connect();
      const { resources } = await admin.describeConfigs({
        includeSynonyms: false,
        resources: [key, `${key}-replies`].map((name) => ({ type: ConfigResourceTypes.TOPIC, name })),
      });
      for (const { resourceName, configEntries } of resources) {
        const configs = Object.fromEntries(configEntries.map(({ configName, configValue }) => [configName, configValue]));
        assert.equal(configs['cleanup.policy'], 'delete');
        assert.equal(configs['retention.ms'], resourceName === key ? retention : '600000');
        assert.equal(configs['message.timestamp.type'], 'LogAppendTime');
        assert.equal(configs['max.message.bytes'], String(16 * 1024 * 1024));
      }
      assert.equal(resources.length, 2);
    });

  test('are not made where that is off: it is told which are missing, and goes on once they are there', async (t) => {
    const key = topicName('sio-later');
    const { lines, logger } = witness();
    const peer = await Peer.start(createAdapter(kafkaOf(cluster), { key, createTopics: false, logger }));
    cleanup(t, () => peer.close());
    assert.match((await lines.until(([level]) => level === 'error'))[1], new RegExp(`${key} and ${key}-replies must be made \\(createTopics is false\\)`));
    await cluster.admin.createTopic(key, { partitions: 2, replication: 1 });
    await cluster.admin.createTopic(`${key}-replies`, { partitions: 1, replication: 1 });
    await peer.adapter().init();
    assert.equal(peer.adapter().stats().ready, true);
  });

  test('partition pins the log: what is sent is in that one, and nothing in others', async (t) => {
    const key = newKey();
    const peers = await Peers.start(cluster, { key, partitions: 3, partition: 2 });
    cleanup(t, () => peers.close());
    for (const { io } of peers.all) for (let n = 0; n < 20; n++) io.of(`/n-${n}`);
    for (let n = 0; n < 20; n++) await peers.ready(`/n-${n}`);
    const before = await look(key);
    const clients = await Promise.all(Array.from({ length: 20 }, (_, n) => peers.all[n % 3].client({ nsp: `/n-${n}` })));
    for (let n = 0; n < 20; n++) peers.all[(n + 1) % 3].io.of(`/n-${n}`).emit('hello', n);
    await Promise.all(clients.map((one) => one.hears('hello')));
    const after = await look(key);
    assert.deepEqual(
      after.map(({ records }, i) => records - before[i].records > 0),
      [false, false, true],
    );
    assert.ok(after[2].records - before[2].records >= 20);
  });

  test('options of a client that cannot be right are told, and init rejects', async (t) => {
    for (const wrong of [{ consumer: { maxBytes: -1 } }, { producer: { linger: 'long' } }]) {
      const peer = await Peer.start(createAdapter(kafkaOf(cluster), { key: newKey(), logger: SILENT, ...wrong }));
      cleanup(t, () => peer.close());
      await assert.rejects(peer.adapter().init(), /maxBytes|linger/);
    }
  });

  test('a partition that the topic does not have is told, and init rejects', async (t) => {
    const key = newKey();
    await (await Peers.start(cluster, { key, count: 1 })).close();
    const { lines, logger } = witness();
    const peer = await Peer.start(createAdapter(kafkaOf(cluster), { key, partition: 5, logger }));
    cleanup(t, () => peer.close());
    await assert.rejects(peer.adapter().init(), { message: /the option partition is 5, but .* has 1 partitions/ });
    assert.match((await lines.until(([level]) => level === 'error'))[1], /the option partition is 5/);
  });

  test('namespaces are spread over the partitions that there are', async (t) => {
    const key = newKey();
    const peers = await Peers.start(cluster, { key, count: 2, partitions: 3 });
    cleanup(t, () => peers.close());
    const before = await look(key);
    for (const { io } of peers.all) for (let n = 0; n < 30; n++) io.of(`/n-${n}`);
    for (let n = 0; n < 30; n++) await peers.ready(`/n-${n}`);
    for (let n = 0; n < 30; n++) peers.all[0].io.of(`/n-${n}`).emit('hello', n);
    assert.equal(
      await eventually(PATIENCE, 'every partition has some', async () => (await look(key)).every(({ records }, i) => records > before[i].records)),
      true,
    );
  });
});

test('TLS and SASL are passed on to every client', async (t) => {
  const secured = await real({ own: true, security: true });
  const opened = [secured];
  cleanup(t, async () => {
    for (const one of opened.toReversed()) await one.close();
  });
  const { listeners, tls, users } = /** @type {any} */ (secured.kafka);
  const options = {
    brokers: [listeners.saslSsl],
    ssl: { ca: fs.readFileSync(tls.ca, 'utf8') },
    sasl: { mechanism: 'scram-sha-512', username: 'bob', password: users.bob.password },
    logLevel: logLevel.NOTHING,
  };
  const peers = await Peers.start(secured, { count: 2, adapter: (more) => createAdapter(options, more) });
  opened.push(peers);
  const other = await peers.all[1].client();
  peers.all[0].io.emit('hello', 1);
  assert.deepEqual(await other.hears('hello'), [1]);

  // A wrong password is told, with the reason, and does not end the process.
  const { lines, logger } = witness();
  const wrong = await Peer.start(createAdapter({ ...options, sasl: { ...options.sasl, password: 'wrong-secret' } }, { key: newKey(), logger }));
  opened.push(wrong);
  const [, line] = await lines.until(([level, text]) => level === 'error' && /cannot be used yet/.test(text));
  assert.match(line, /[Aa]uthentication/);
  assert.ok(!line.includes('wrong-secret'), line);
});

describe('the package', () => {
  const root = path.join(__dirname, '..');

  test('is imported as it is required', async () => {
    const imported = await import('socket.io-kafka');
    const required = require('socket.io-kafka');
    assert.equal(imported.kafka, required.kafka);
    assert.equal(imported.createAdapter, required.createAdapter);
    assert.equal(imported.Emitter, required.Emitter);
    assert.equal(imported.default, required.kafka);
    for (const name of Object.keys(required)) if (name !== '__esModule') assert.ok(name in imported, `import { ${name} }`);
  });

  test('has the types that programs need', () => {
    const { status, stdout } = spawnSync(
      process.execPath,
      [path.join(root, 'node_modules/typescript/bin/tsc'), '-p', path.join(root, 'js/socket.io-kafka/test/types')],
      { encoding: 'utf8' },
    );
    assert.equal(status, 0, stdout);
  });
});
