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
const { Peer, accepts } = require('../../support/proxy-peer.js');
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

/** Messages written, given and reported as committed, by partition. */
class Book {
  /** Messages that Kafka acknowledged: their values by offset. */
  written = Array.from({ length: PARTITIONS }, () => new Map());
  given = Array.from({ length: PARTITIONS }, () => new Set());
  /** The highest offset of which a client was told. */
  committed = new Array(PARTITIONS).fill(-1);
  wrong = [];
  repeats = 0;

  gets(client, partition, records) {
    for (const { offset, value } of records) {
      if (offset <= this.committed[partition]) this.wrong.push(`${client} got ${partition}/${offset}, where ${this.committed[partition]} was told as committed`);
      if (this.written[partition].has(offset) && this.written[partition].get(offset) !== value) this.wrong.push(`${client} got ${value} at ${partition}/${offset}`);
      if (this.given[partition].has(offset)) this.repeats++;
      this.given[partition].add(offset);
    }
  }

  /** Messages that were given to somebody. */
  get count() {
    return this.given.reduce((sum, { size }) => sum + size, 0);
  }

  get missing() {
    return this.written.flatMap((messages, partition) => [...messages.keys()].filter((offset) => !this.given[partition].has(offset)).map((offset) => `${partition}/${offset}`));
  }
}

/** A client that connects to whichever proxy there is, for as long as it is wanted. */
class Client {
  wanted = true;

  constructor(name, { proxies, subscribe, book, chance, pick }) {
    Object.assign(this, { name, proxies, subscribe, book, chance, pick });
  }

  async live() {
    while (this.wanted) {
      const { url } = this.proxies[this.pick(this.proxies.length)];
      try {
        this.peer = await Peer.open(url, { onMessage: (message) => this.#hears(message) });
        // The order in a partition, in one life of it.
        this.next = new Map();
        this.peer.say(this.subscribe);
        await this.peer.closed;
      } catch {
        await delay(50); // the proxy is not there
      }
    }
  }

  #hears({ type, id, topic, partition, records, partitions, offset, code, message, fatal }) {
    const { book, peer } = this;
    if (type === 'assigned') for (const each of partitions) this.next.set(each.partition, each.offset);
    if (type === 'revoked') for (const each of partitions) this.next.delete(each.partition);
    if (type === 'committed') book.committed[partition] = Math.max(book.committed[partition], offset);
    if (type === 'error' && fatal) peer.ws.close(); // and tries again
    if (type === 'error' && !fatal && !['NOT_ASSIGNED', 'UNKNOWN_OFFSET'].includes(code)) book.told = `${code}: ${message}`;
    if (type !== 'batch') return;
    const next = this.next.get(partition);
    const first = records[0].offset;
    if (next === undefined) book.wrong.push(`${this.name} got ${partition}/${first}, which it does not have`);
    else if (first < next) book.wrong.push(`${this.name} got ${partition}/${first} behind ${next}`);
    this.next.set(partition, records.at(-1).offset + 1);
    book.gets(this.name, partition, records);
    const ack = () => peer.say({ type: 'ack', id, topic, partition, offset: records.at(-1).offset });
    peer.say({ type: 'credit', id, messages: records.length });
    if (this.chance(0.7)) ack();
    else setTimeout(() => peer.ws.readyState === 1 && ack(), this.pick(300));
  }

  kill() {
    this.peer?.ws.terminate();
  }

  end() {
    this.wanted = false;
    this.kill();
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
  const book = new Book();
  const group = topicName('group');
  const subscribe = { type: 'subscribe', id: 'g', topics: [topic], group, from: 'earliest', credit: { messages: 200 } };
  const clients = Array.from({ length: CLIENTS }, (_, n) => new Client(`client ${n}`, { proxies, subscribe, book, chance, pick }));
  const lives = clients.map((client) => client.live());
  cleanup(t, async () => {
    for (const client of clients) client.end();
    await Promise.all(proxies.map((proxy) => proxy.kill()));
    await Promise.all([...lives, producer.disconnect(), admin.disconnect()]);
  });

  let producing = true;
  let written = 0;
  const production = (async () => {
    while (producing) {
      const partition = pick(PARTITIONS);
      const messages = Array.from({ length: 1 + pick(40) }, () => ({ partition, value: `v${written++}` }));
      await Promise.all(
        messages.map(async (message) => {
          const [{ baseOffset }] = await producer.send({ topic, messages: [message] });
          book.written[partition].set(Number(baseOffset), message.value);
        }),
      );
      await delay(pick(10));
    }
  })();

  const history = [];
  const troubles = [
    () => [clients[pick(CLIENTS)]].forEach((client) => (history.push(`${client.name} dies`), client.kill())),
    () => clients.forEach((client) => chance(0.5) && (history.push(`${client.name} dies`), client.kill())),
    async () => {
      const proxy = proxies[pick(2)];
      const signal = chance(0.6) ? 'SIGKILL' : 'SIGTERM';
      history.push(`${signal} for the proxy at ${proxy.port}`);
      const [code] = await proxy.kill(signal);
      if (signal === 'SIGTERM') assert.equal(code, 0);
      await proxy.start();
    },
    async () => {
      const node = cluster.kafka.nodes[pick(3)];
      history.push(`broker ${node.id} dies`);
      await node.kill();
      await delay(500 + pick(1500));
      await node.start();
    },
  ];
  for (let n = 0; n < TROUBLES && book.wrong.length === 0; n++) {
    // Something has to be under way for the next trouble to harm it.
    const had = book.count;
    await eventually(PATIENCE, 'messages come', () => book.count > had + 100);
    await troubles[pick(troubles.length)]();
    await delay(pick(800));
  }
  producing = false;
  await production;
  const where = () => `SEED=${seed}; ${history.join(', ')}; ${book.told ?? ''}`;
  assert.deepEqual(book.wrong, [], where());
  await eventually(90_000, 'everything comes', () => book.missing.length === 0).catch((error) => {
    throw new Error(`${error.message}; missing: ${book.missing.slice(0, 10)}; ${where()}`);
  });
  // Messages acknowledged at last are committed, up to the end.
  await eventually(PATIENCE, 'everything is committed', async () => {
    const [{ partitions }] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
    const ends = await admin.fetchTopicOffsets(topic);
    return partitions.every(({ partition, offset }) => offset === ends.find((end) => end.partition === partition).high);
  });
  assert.deepEqual(book.wrong, [], where());
  t.diagnostic(`${written} messages, ${book.repeats} came again, ${history.length} troubles`);
});
