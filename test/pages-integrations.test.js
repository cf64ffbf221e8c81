'use strict';
// Every program of the pages of the systems over Kafka runs as printed, and does what the page says.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, test } = require('node:test');
const { Deepstream } = require('@deepstream/server');
const { Server } = require('socket.io');
const { Adapter } = require('socket.io-adapter');
const ws = require('ws');
const yaml = require('yaml');
const { launch } = require('@kafka-native/chromium-for-tests');
const { makeTls } = require('@kafka-native/kafka-for-tests/tls.js');
const { KafkaProxy } = require('kafka-proxy');
const { KafkaProxyClient } = require('kafka-proxy/client');
const { createAdapter } = require('socket.io-kafka');
const { readConfig } = require('../js/kafka-proxy/dist/config.js');
const { cleanup } = require('./support/cleanup.js');
const { real } = require('./support/clusters.js');
const deepstream = require('./support/deepstream.js');
const { folder } = require('./support/flow.js');
const { Process, plays, printed } = require('./support/pages.js');
const { adminOf, producerOf, proxyOf } = require('./support/proxy-http.js');
const { Client, kafkaOf } = require('./support/socketio.js');
const { Calls } = require('./support/watch.js');

process.env.KAFKAJS_LOG_LEVEL = 'NOTHING';

/** @type {any} */ let cluster;
before(async () => (cluster = await real({ own: true })));
after(() => cluster?.close());
const broker = () => cluster.options().broker;

async function send(t, topic, ...messages) {
  const producer = await producerOf(t, cluster);
  await producer.send({ topic, messages });
}

/** A client of a server of socket.io, which listens from now on if it did not. */
async function clientOf(t, io, options) {
  cleanup(t, () => io.close());
  if (!io.httpServer) io.listen(0);
  if (!io.httpServer.listening) await once(io.httpServer, 'listening');
  const client = new Client(io.httpServer.address().port, options);
  cleanup(t, () => client.close());
  return client.connected();
}

const adapted = () => new Server({ adapter: createAdapter(kafkaOf(cluster)) });

const made = (topic) => cluster.admin.createTopic(topic, { partitions: 1, replication: 1 });

plays('js/socket.io-kafka/README.md', broker, {
  "const { Server } = require('socket.io');": async (t, run) => {
    const process = new Process();
    process.env = { PORT: '0' };
    const { io } = await run({ process }, ['io']);
    while (!io.httpServer) await new Promise(setImmediate);
    const client = await clientOf(t, io);
    const [name, text] = await client.heard.until(); // and where recovery would go on
    assert.deepEqual([name, text], ['hello', `${client.id} is here`]);
  },

  "io.of('/').adapter.on('error', (error) => log(error));": async (t, run) => {
    const io = adapted();
    await clientOf(t, io);
    const errors = new Calls();
    await run({ io, log: errors.take });
    io.of('/').adapter.emit('error', 'an error');
    assert.deepEqual(errors.all, ['an error']);
  },

  "const { Emitter } = require('socket.io-kafka');": async (t, run) => {
    const io = adapted();
    io.of('/orders').on('connection', (socket) => socket.join('room'));
    const client = await clientOf(t, io, { nsp: '/orders' });
    await io.of('/orders').adapter.init();
    await run();
    assert.deepEqual(await client.heard.until(), ['changed', { id: 1 }]);
  },

  "const { fromTopic } = require('socket.io-kafka');": async (t, run) => {
    await made('prices');
    const io = adapted();
    io.on('connection', (socket) => socket.join('gold'));
    const client = await clientOf(t, io);
    const { prices } = await run({ io }, ['prices']);
    cleanup(t, () => prices.close());
    await send(t, 'prices', { key: 'gold', value: '2000' });
    assert.deepEqual(await client.heard.until(), ['price', 2000]);
  },

  "const { bridge, createAdapter } = require('socket.io-kafka');": async (t, run) => {
    const { io } = await run({ Server, adapterOfRedis: Adapter }, ['io']);
    await clientOf(t, io);
  },

  "const kafka = require('socket.io-kafka');": async (t, run) => {
    const io = new Server();
    await run({ io });
    await clientOf(t, io);
  },
});

/** A proxy, and the class of a client that speaks to it, whatever address it is given; `close` ends those that were made. */
async function proxied(t) {
  const { url } = await proxyOf(t, cluster);
  const clients = [];
  class Here extends KafkaProxyClient {
    constructor(_, options) {
      super(url, { WebSocket: ws, ...options }); // Node 20 has none of its own
      clients.push(this);
    }
  }
  const close = () => Promise.all(clients.map((client) => client.close()));
  cleanup(t, close);
  return { KafkaProxyClient: Here, close, require: () => ({ KafkaProxyClient: Here }) };
}

/** Ends the program's loop, by its client's end, when `count` lines came. */
function lines(count, end) {
  const calls = new Calls();
  const log = (...line) => {
    calls.take(line.join(' '));
    if (calls.all.length === count) void end();
  };
  return { calls, log };
}

plays('js/kafka-proxy/README.md', broker, {
  "const { KafkaProxy } = require('kafka-proxy');": async (_, run) => {
    const [said, signals] = [new Calls(), new Process()];
    class Elsewhere extends KafkaProxy {
      constructor(options) {
        super({ ...options, port: 0 }); // 8080 may be taken
      }
    }
    const { proxy } = await run({ require: () => ({ KafkaProxy: Elsewhere }), console: { log: said.take }, process: signals }, ['proxy']);
    assert.match(await said.until(), /^listening on \d+$/);
    signals.emit('SIGTERM');
    await proxy.close();
  },

  "import { KafkaProxyClient } from 'kafka-proxy/client';": async (t, run) => {
    const world = await proxied(t);
    await made('orders');
    await send(t, 'orders', { value: '1' }, { value: '2' });
    const { calls, log } = lines(2, () => world.close());
    await run({ require: world.require, console: { log } });
    assert.deepEqual(calls.all, ['1', '2']);
  },

  'new KafkaProxy({': (_, run) => run({ KafkaProxy, users: {} }),
});

plays('js/kafka-proxy/docs/client.md', broker, {
  "import { KafkaProxyClient } from 'kafka-proxy/client';": async (t, run) => {
    const world = await proxied(t);
    await send(t, 'orders', { value: '{"total":1}' });
    const { calls, log } = lines(4, () => world.close());
    await run({ require: world.require, console: { log } });
    assert.match(calls.all.at(-1), /^\d+ 42 9\.5$/);
  },

  "const client = new KafkaProxyClient('wss://example.com/kafka', { token: async () => (await fetch('/my-token')).text() });": async (t, run) => {
    const world = await proxied(t);
    const { client } = await run({ KafkaProxyClient: world.KafkaProxyClient, fetch: async () => new Response('token') }, ['client']);
    await client.connect();
  },

  "for await (const message of client.subscribe({ topics: ['jobs'], group: 'workers' })) {": async (t, run) => {
    const world = await proxied(t);
    await made('jobs');
    const client = new world.KafkaProxyClient('');
    await client.connect();
    const admin = await adminOf(t, cluster);
    await admin.setOffsets({ groupId: 'workers', topic: 'jobs', partitions: [{ partition: 0, offset: '0' }] }); // else it begins at the end
    await send(t, 'jobs', { value: 'one' }, { value: 'two' });
    const { calls, log } = lines(2, () => world.close());
    await run({ client, work: async (job) => log(job) });
    assert.deepEqual(calls.all, ['one', 'two']);
  },

  "const prices = await client.table('prices', { value: 'json' });": async (t, run) => {
    const world = await proxied(t);
    const client = new world.KafkaProxyClient('');
    await client.connect();
    const shown = new Calls();
    await run({ client, show: (...change) => shown.take(...change) });
    await send(t, 'prices', { key: 'apple', value: '3' });
    assert.deepEqual(await shown.until(([key]) => key === 'apple'), ['apple', 3]);
  },
});

plays('js/kafka-proxy/docs/http.md', broker, {
  "const events = new EventSource('/topics/orders/events?value=json');": async (t, _, code) => {
    const { port } = await proxyOf(t, cluster);
    const browser = await launch();
    cleanup(t, () => browser.close());
    const page = await browser.newPage();
    const lines = new Calls();
    page.on('console', (line) => lines.take(line.text()));
    await page.goto(`http://127.0.0.1:${port}/health`); // any page of the proxy's
    await page.evaluate(`new Promise((resolve) => { ${code}\nevents.onopen = resolve; })`);
    await send(t, 'orders', { value: '"through a browser"' });
    assert.match(await lines.until((line) => /through a browser/.test(line)), /^\{partition: 0, offset: \d.* 0:\d+$/);
  },
});

test("the proxy's configurations are of options that it has", async (t) => {
  const there = path.join(folder(t), 'tls');
  await makeTls(there);
  fs.renameSync(path.join(there, 'server.pem'), path.join(there, 'cert.pem'));
  fs.renameSync(path.join(there, 'server.key'), path.join(there, 'key.pem'));
  const file = path.join(there, 'proxy.yaml');
  for (const text of ['README.md', 'docs/security.md'].flatMap((page) => printed(`js/kafka-proxy/${page}`, 'yaml'))) {
    fs.writeFileSync(file, text);
    new KafkaProxy({ brokers: broker(), ...readConfig(file) });
  }
});

for (const page of ['js/deepstream.io-msg-kafka/README.md', 'js/deepstream.io-clusternode-kafka/README.md'])
  test(`${page}: its configuration starts a server`, async (t) => {
    const [{ clusterNode }] = printed(page, 'yaml').map((text) => yaml.parse(text));
    const here = (options) => ({ ...clusterNode, options: { ...clusterNode.options, ...options } });
    const [peer] = await deepstream.startPeers(t, cluster, { names: ['one'], clusterNode: here });
    assert.match(peer.server.getServices().clusterNode.description, /Kafka cluster node/);
  });

plays('deps/redis/README.md', broker, {
  "const { Redis } = require('@kafka-native/redis-for-tests');": async (_, run) => assert.match((await run({}, ['redis'])).redis.url, /^redis:/),
});

plays('deps/chromium/README.md', broker, {
  "const { launch } = require('@kafka-native/chromium-for-tests');": async (_, run) => assert.equal((await run({}, ['browser'])).browser.isConnected(), false),
});

plays('js/deepstream.io-msg-kafka/README.md', broker, {
  "const { Deepstream } = require('@deepstream/server');": async (t, run) => {
    class Quiet extends Deepstream {
      constructor(config) {
        super(config);
        this.set('logger', deepstream.witness().logger);
        this.set('subscriptions.options.subscriptionsSanityTimer', 0); // else it keeps the process
      }
    }
    // "Run it twice, with two ports: what a client emits at one, a client at the other hears."
    const start = async (NAME) => {
      const process = new Process();
      const port = await deepstream.freePort();
      process.env = { NAME, PORT: String(port) };
      const { server } = await run({ process, require: () => ({ Deepstream: Quiet }) }, ['server']);
      cleanup(t, async () => {
        const stopped = once(server, 'stopped');
        server.stop();
        await stopped;
      });
      if (!server.isRunning()) await once(server, 'started');
      const client = await deepstream.clientOf(port, NAME);
      cleanup(t, () => client.close());
      return { server, client };
    };
    const peers = await Promise.all(['one', 'two'].map(start));
    const [one, two] = peers.map(({ client }) => client);
    const heard = new Calls();
    two.event.subscribe('news', heard.take);
    await deepstream.known(peers, 'news');
    one.event.emit('news', 'something');
    assert.equal(await heard.until(), 'something');
  },

  "const { ClusterNode } = require('deepstream.io-msg-kafka'); // ESM: import ClusterNode from 'deepstream.io-msg-kafka'": async (_, run) => {
    const set = new Calls();
    const server = { set: set.take, getServices: () => ({ logger: { getNameSpace: () => ({}) } }), getConfig: () => ({ serverName: 'page' }) };
    await run({ server });
    const [[name, node]] = set.all;
    assert.equal(name, 'clusterNode');
    await node.close();
  },

  "const MessageConnector = require('deepstream.io-msg-kafka'); // ESM: import { MessageConnector } from 'deepstream.io-msg-kafka'": async (t, run) => {
    const seen = new Calls();
    const { connector } = await run({ console: { log: seen.take, error: assert.fail } }, ['connector']);
    cleanup(t, () => connector.close());
    if (!connector.isReady) await once(connector, 'ready');
    const MessageConnector = require('deepstream.io-msg-kafka');
    const other = new MessageConnector({ connectionString: broker() });
    cleanup(t, () => other.close());
    if (!other.isReady) await once(other, 'ready');
    other.publish('prices', { gold: 1 });
    assert.deepEqual(await seen.until(), { gold: 1 });
  },
});
