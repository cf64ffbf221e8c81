'use strict';
// A broker that is killed under a group of a proxy, and comes back. test/long/chaos has three brokers, and more that is killed.

const { test } = require('node:test');
const { Kafka } = require('kafka-native');
const { cleanup } = require('./support/cleanup.js');
const { real, topicName } = require('./support/clusters.js');
const { PATIENCE, silent } = require('./support/flow.js');
const { listening, reach } = require('./support/proxy.js');
const { Book, BookClient } = require('./support/proxy-book.js');
const { random, seed } = require('./support/random.js');
const { eventually } = require('./support/watch.js');

const PARTITIONS = 3;

test(`the broker is killed under a group: no message is lost, and none is twice that was told as committed (SEED=${seed})`, async (t) => {
  const next = random(seed);
  const chance = (p) => next() < p;
  const pick = (n) => Math.floor(next() * n);
  const cluster = await real({ own: true });
  cleanup(t, () => cluster.close());
  const topic = await cluster.topic(PARTITIONS);
  const kafka = new Kafka({ brokers: cluster.options().broker.split(','), logger: silent });
  const [producer, admin] = [kafka.producer({ idempotent: true }), kafka.admin()];
  cleanup(t, () => Promise.all([producer.disconnect(), admin.disconnect()]));
  await Promise.all([producer.connect(), admin.connect()]);
  const proxy = await listening(t, { kafka: { ...reach(cluster), logger: silent } });
  const book = new Book(PARTITIONS);
  const group = topicName('group');
  const subscribe = { type: 'subscribe', id: 'g', topics: [topic], group, from: 'earliest', credit: { messages: 200 } };
  const clients = [0, 1].map((n) => new BookClient(`client ${n}`, { proxies: [proxy], subscribe, book, chance, pick }));
  const lives = clients.map((client) => client.live());
  let goes = true;
  const production = book.write(producer, topic, { pick, goesOn: () => goes });
  cleanup(t, async () => {
    goes = false;
    for (const client of clients) client.end();
    await Promise.all(lives);
  });

  await eventually(PATIENCE, 'commits are told', () => book.committed.every((offset) => offset >= 0));
  const [node] = cluster.kafka.nodes;
  await node.kill();
  await node.start();
  const had = book.count;
  await eventually(PATIENCE, 'messages come again', () => book.count > had + 100);
  goes = false;
  const written = await production;
  await book.settles(admin, group, topic, () => `SEED=${seed}; ${book.told ?? ''}`);
  t.diagnostic(`${written} messages, ${book.repeats} came again`);
});
