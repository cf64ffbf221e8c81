'use strict';
// Two proxies in one group on three brokers, while sockets, proxies and brokers are killed at random. Every message is counted, and what a
// client was told as committed never comes again. SEED=... repeats a run, as far as the machine's timing allows.

const { test } = require('node:test');
const assert = require('node:assert/strict');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { setTimeout: delay } = require('node:timers/promises');
const { Kafka } = require('kafka-native');
const { reservePorts } = require('@kafka-native/kafka-for-tests/ports.js');
const { cleanup } = require('../../support/cleanup.js');
const { real, topicName } = require('../../support/clusters.js');
const { PATIENCE, folder } = require('../../support/flow.js');
const { Book, BookClient } = require('../../support/proxy-book.js');
const { accepts } = require('../../support/proxy-peer.js');
const { random, seed } = require('../../support/random.js');
const { eventually } = require('../../support/watch.js');

const CLI = path.join(path.dirname(require.resolve('kafka-proxy/package.json')), 'dist', 'cli.js');
const SILENT = { error() {}, warn() {}, info() {}, debug() {} };
const PARTITIONS = 6;
const CLIENTS = 5;
/** Troubles, one after the other. */
const TROUBLES = 12;

/** A proxy in a process of its own, at the same port in each of its lives. */
class Proxy {
  constructor(brokers, port) {
    Object.assign(this, { brokers, port, url: `ws://127.0.0.1:${port}/` });
  }

  async start() {
    this.child = spawn(process.execPath, [CLI, '--brokers', this.brokers, '--port', String(this.port), '--log-level', 'error'], { stdio: ['ignore', 'ignore', 'inherit'] });
    this.exit = once(this.child, 'exit');
    await accepts(this.port);
  }

  async kill(signal = /** @type {NodeJS.Signals} */ ('SIGKILL')) {
    this.child.kill(signal);
    return this.exit;
  }
}

test(`sockets, proxies and brokers are killed: nothing is lost, and nothing comes again that was told as committed (SEED=${seed})`, async (t) => {
  const next = random(seed);
  const chance = (p) => next() < p;
  const pick = (n) => Math.floor(next() * n);
  const cluster = await real({ own: true, nodes: 3 });
  cleanup(t, () => cluster.close());
  const brokers = cluster.options().broker;
  const topic = await cluster.topic(PARTITIONS, { replication: 3, config: { 'min.insync.replicas': '2' } });
  const kafka = new Kafka({ brokers: brokers.split(','), logger: SILENT });
  const [producer, admin] = [kafka.producer({ idempotent: true }), kafka.admin()];
  await Promise.all([producer.connect(), admin.connect()]);
  const proxies = (await reservePorts(folder(t), 2)).map((port) => new Proxy(brokers, port));
  await Promise.all(proxies.map((proxy) => proxy.start()));
  const book = new Book(PARTITIONS);
  const group = topicName('group');
  const subscribe = { type: 'subscribe', id: 'g', topics: [topic], group, from: 'earliest', credit: { messages: 200 } };
  const clients = Array.from({ length: CLIENTS }, (_, n) => new BookClient(`client ${n}`, { proxies, subscribe, book, chance, pick }));
  const lives = clients.map((client) => client.live());
  cleanup(t, async () => {
    for (const client of clients) client.end();
    await Promise.all(proxies.map((proxy) => proxy.kill()));
    await Promise.all([...lives, producer.disconnect(), admin.disconnect()]);
  });

  let producing = true;
  const production = book.write(producer, topic, { pick, goesOn: () => producing });

  const history = [];
  const troubles = [
    () => [clients[pick(CLIENTS)]].forEach((client) => (history.push(`${client.name} dies`), client.kill())),
    () => clients.forEach((client) => chance(0.5) && (history.push(`${client.name} dies`), client.kill())),
    ...(/** @type {NodeJS.Signals[]} */ (['SIGKILL', 'SIGTERM'])).map((signal) => async () => {
      const proxy = proxies[pick(2)];
      history.push(`${signal} for the proxy at ${proxy.port}`);
      const [code] = await proxy.kill(signal);
      if (signal === 'SIGTERM') assert.equal(code, 0);
      await proxy.start();
    }),
    async () => {
      const node = cluster.kafka.nodes[pick(3)];
      history.push(`broker ${node.id} dies`);
      await node.kill();
      await delay(500 + pick(1500));
      await node.start();
    },
  ];
  // Each kind once, in some order, and then whichever.
  const order = troubles.map((trouble) => ({ trouble, at: next() })).sort((a, b) => a.at - b.at);
  for (let n = 0; n < TROUBLES && book.wrong.length === 0; n++) {
    // Something has to be under way for the next trouble to harm it.
    const had = book.count;
    await eventually(PATIENCE, 'messages come', () => book.count > had + 100);
    await (order[n]?.trouble ?? troubles[pick(troubles.length)])();
    await delay(pick(800));
  }
  producing = false;
  const written = await production;
  await book.settles(admin, group, topic, () => `SEED=${seed}; ${history.join(', ')}; ${book.told ?? ''}`);
  t.diagnostic(`${written} messages, ${book.repeats} came again, ${history.length} troubles`);
});
