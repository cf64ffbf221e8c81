'use strict';
// Two proxies in one group under everything that happens: sockets that come, go, die, acknowledge late, refuse, pause and seek, while
// brokers are killed. A model hears everything in order, and judges each message.

const { after, before, test } = require('node:test');
const assert = require('node:assert/strict');
const { setTimeout: delay } = require('node:timers/promises');
const { isDeepStrictEqual } = require('node:util');
const { cleanup } = require('../../support/cleanup.js');
const { real, topicName } = require('../../support/clusters.js');
const { committed } = require('../../support/groups.js');
const { Client, stage } = require('../../support/proxy-groups.js');
const { random, seed } = require('../../support/random.js');
const { eventually } = require('../../support/watch.js');
const { PATIENCE } = require('../../support/flow.js');

const PARTITIONS = 6;
const MOST_CLIENTS = 7;
const SECONDS = Number(process.env.SECONDS ?? 120);

/** @type {any} */ let cluster;
before(async () => (cluster = await real({ own: true, nodes: 3 })));
after(() => cluster?.close());

/** The broker that has the group's offsets. */
async function coordinator(admin, group) {
  const topic = '__consumer_offsets';
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  const { partitions } = topics[0];
  const hash = [...group].reduce((sum, letter) => (31 * sum + letter.charCodeAt(0)) | 0, 0) & 0x7fffffff;
  const { leader } = partitions.find(({ partitionId }) => partitionId === hash % partitions.length);
  return cluster.kafka.nodes.find(({ id }) => id === leader);
}

/** Deliveries and commits that the promises allow. */
class Model {
  /** Below it everything was told as committed. */
  floor = new Array(PARTITIONS).fill(0);
  /** Below it everything was acknowledged by somebody. */
  frontier = new Array(PARTITIONS).fill(0);
  delivered = 0;
  redelivered = 0;
  /** How often each thing was told. */
  told = {};
  top = new Array(PARTITIONS).fill(0);
  faults = [];
  /** By proxy and partition: who has it. */
  holders = new Map();

  fault(what) {
    this.faults.push(what);
  }

  hear(call, client) {
    const { type, partition } = call;
    this.told[type] = (this.told[type] ?? 0) + 1;
    const { name } = client;
    const { proxy, next, acked } = client.model;
    if (type === 'assigned') {
      for (const place of call.partitions) {
        const key = `${proxy}/${place.partition}`;
        const holder = this.holders.get(key);
        if (holder && holder !== client) this.fault(`${name} got ${key}, which ${holder.name} has`);
        this.holders.set(key, client);
        // The answer to a seek: from here on it may come again.
        if (holder && client.model.seeking.get(place.partition)?.has(place.offset))
          this.floor[place.partition] = Math.min(this.floor[place.partition], place.offset);
        if (next.get(place.partition)?.offset === place.offset) continue; // the answer to a refusal, or a seek
        if (place.offset > this.frontier[place.partition])
          this.fault(`${name} begins ${key} at ${place.offset}: ${this.frontier[place.partition]} was never acknowledged`);
        next.set(place.partition, { offset: place.offset, exact: place.offset > 0 });
      }
    } else if (type === 'revoked') {
      for (const each of call.partitions) {
        if (!next.delete(each.partition)) this.fault(`${name} lost ${each.partition}, which it had not`);
        this.holders.delete(`${proxy}/${each.partition}`);
      }
    } else if (type === 'batch') {
      const place = next.get(partition);
      if (!place) return this.fault(`${name} got a batch of ${partition}, which it has not`);
      for (const { offset, value } of call.records) {
        this.delivered++;
        if (offset < this.top[partition]) this.redelivered++;
        this.top[partition] = Math.max(this.top[partition], offset + 1);
        if (place.exact ? offset !== place.offset : offset > this.frontier[partition] && offset !== place.offset)
          this.fault(`${name} got ${partition}/${offset}, expected was ${place.offset}`);
        if (offset < this.floor[partition]) this.fault(`${name} got ${partition}/${offset} again, committed was ${this.floor[partition]}`);
        if (value !== `${partition}-${offset}`) this.fault(`${partition}/${offset} is ${value}`);
        place.offset = offset + 1;
        place.exact = true;
      }
      client.model.sent.set(partition, place.offset);
    } else if (type === 'committed') {
      if (!acked.get(partition)?.has(call.offset)) this.fault(`${name} was told ${partition}/${call.offset}, which it has not acknowledged`);
      this.floor[partition] = Math.max(this.floor[partition], call.offset + 1);
    } else if (type === 'fail') {
      this.fault(`${name} failed: ${call.error.code} ${call.error.message}`);
    }
  }
}

test('no message is lost, none comes again that was told as committed, and order holds', async (t) => {
  const next = random(seed);
  const below = (n) => Math.floor(next() * n);
  const one = (list) => list[below(list.length)];
  const model = new Model();
  const topic = await cluster.topic(PARTITIONS, { replication: 3 });
  const wish = { group: topicName('group'), topics: [topic], from: 'earliest' };
  const proxies = [stage(cluster.options().broker), stage(cluster.options().broker)];
  const { kafka } = stage(cluster.options().broker);
  const producer = kafka.producer({ idempotent: true });
  await producer.connect();
  cleanup(t, async () => {
    await producer.disconnect();
    await Promise.all(proxies.map((proxy) => proxy.close()));
  });
  /** @type {any[]} */ let clients = [];
  const produced = new Array(PARTITIONS).fill(0);
  const about = (text) => `SEED=${seed}: ${text}`;

  const open = () => {
    // Each has some.
    const proxy = [0, 1].find((each) => !clients.some((client) => client.model.proxy === each)) ?? below(2);
    const credit = one([undefined, undefined, { messages: 5 + below(50) }, { bytes: 500 + below(5000) }]);
    const known = { proxy, next: new Map(), acked: new Map(), sent: new Map(), seeking: new Map() };
    const client = /** @type {any} */ (new Client(proxies[proxy].groups, wish, { credit, model: known, on: (call, by) => model.hear(call, by) }));
    client.credit = credit;
    client.opening.catch((error) => !client.silent && model.fault(`${client.name} was not opened: ${error.code} ${error.message}`));
    clients.push(client);
  };
  const forget = (client) => {
    clients = clients.filter((each) => each !== client);
    for (const [key, holder] of model.holders) if (holder === client) model.holders.delete(key);
  };
  /** A proxy has others, too: it stays in the group. */
  const others = (client) => clients.filter(({ model: { proxy } }) => proxy === client.model.proxy).length > 1;
  /** Acknowledges something of what a partition has got; refused is what it has no more. */
  const ack = (client, partition, offset) => {
    const { acked } = client.model;
    const known = acked.get(partition) ?? acked.set(partition, new Set()).get(partition);
    try {
      // Heard of before it is known whether it is accepted: the answer can come on this stack.
      const fresh = !known.has(offset);
      known.add(offset);
      const before = model.frontier[partition];
      model.frontier[partition] = Math.max(before, offset + 1);
      try {
        client.subscription.ack({ topic, partition }, offset);
      } catch (error) {
        model.frontier[partition] = before;
        if (fresh) known.delete(offset);
        throw error;
      }
    } catch (error) {
      if (!['INVALID_OFFSET', 'NOT_ASSIGNED'].includes(error.code)) throw error;
    }
  };
  const ackSome = (client, all) => {
    for (const [partition, { offset }] of client.model.next) {
      const sent = client.model.sent.get(partition) ?? 0;
      if (sent === 0 || (!all && next() < 0.3)) continue;
      ack(client, partition, all ? Math.min(sent, offset) - 1 : Math.max(0, Math.min(sent, offset) - 1 - below(20)));
    }
  };
  const quietly = (call) => {
    try {
      call();
    } catch (error) {
      if (!['INVALID_OFFSET', 'NOT_ASSIGNED'].includes(error.code)) throw error;
    }
  };

  const STEPS = [
    [14, () => clients.length < MOST_CLIENTS && open()],
    [3, (client) => others(client) && (forget(client), client.die())],
    [
      2,
      (client) => {
        if (!client.subscription || !others(client)) return;
        forget(client);
        void client.close();
        client.silent = true;
      },
    ],
    // Gone and back within one turn.
    [2, (client) => (forget(client), client.die(), open(), open())],
    [60, (client) => client.subscription && ackSome(client, next() < 0.5)],
    [20, (client) => client.credit && client.flow.give(client.credit.messages ? { messages: 1 + below(100) } : { bytes: 1 + below(10_000) })],
    [
      6,
      (client) => {
        const partition = one([...client.model.next.keys()]);
        if (partition === undefined || !client.subscription) return;
        const place = client.model.next.get(partition);
        const offset = place.offset - 1 - below(10);
        // Heard of first: what comes again may come at once.
        const before = { ...place };
        quietly(() => {
          try {
            client.model.next.set(partition, { offset, exact: true });
            client.subscription.nack({ topic, partition }, offset, one([0, 0, 50, 500]));
          } catch (error) {
            client.model.next.set(partition, before);
            throw error;
          }
        });
      },
    ],
    [
      4,
      (client) => {
        const partition = one([...client.model.next.keys()]);
        if (partition === undefined || !client.subscription) return;
        quietly(() => client.subscription.pause([{ topic, partition }]));
        setTimeout(() => !client.silent && quietly(() => client.subscription.resume([{ topic, partition }])), below(1000));
      },
    ],
    [4, (client) => (client.flow.pause(), setTimeout(() => client.flow.resume(), below(500)))],
    [
      2,
      (client) => {
        const partition = one([...client.model.next.keys()]);
        if (partition === undefined || !client.subscription) return;
        const offset = Math.max(0, model.floor[partition] - below(30));
        // Several may be under way: while brokers are gone each waits for where the log begins.
        const { seeking } = client.model;
        (seeking.get(partition) ?? seeking.set(partition, new Set()).get(partition)).add(offset);
        void client.subscription.seek({ topic, partition }, offset).catch((error) => {
          if (error.code !== 'NOT_ASSIGNED' && !error.retriable) model.fault(`a seek failed: ${error.code} ${error.message}`);
        });
      },
    ],
  ];
  const weights = STEPS.flatMap(([weight, step]) => new Array(weight).fill(step));

  let over = false;
  const calm = new AbortController();
  const pause = (ms) => delay(ms, undefined, { signal: calm.signal }).catch(() => {});
  const traffic = (async () => {
    while (!over) {
      const partition = below(PARTITIONS);
      const count = 1 + below(60);
      const messages = Array.from({ length: count }, (_, i) => ({ value: `${partition}-${produced[partition] + i}`, partition }));
      produced[partition] += count;
      // Tried until it is there: the idempotent producer gives no message twice.
      await producer.send({ topic, messages });
      await delay(2);
    }
  })();
  // Both are in the group when it begins.
  for (const _ of [0, 1]) open();
  await eventually(PATIENCE, about('both have some'), () => new Set([...model.holders.keys()].map((key) => key[0])).size === 2);
  // A proxy without clients leaves the group; who comes meanwhile has to join anew.
  const leave = () => {
    const proxy = below(2);
    for (const each of clients.filter((client) => client.model.proxy === proxy)) {
      forget(each);
      each.die();
    }
  };
  const leaving = (async () => {
    while (!over) {
      await pause(3000 + below(5000));
      if (!over) leave();
    }
  })();
  const admin = await proxies[0].admin();
  const nodes = (async () => {
    while (!over) {
      await pause(3000 + below(3000));
      if (over) break;
      const node = next() < 0.3 ? one(cluster.kafka.nodes) : await coordinator(admin, wish.group);
      await node.kill();
      // Acks meanwhile cannot be committed; and nobody may hear that they are.
      if (next() < 0.5) setTimeout(leave, below(1500));
      await delay(500 + below(2000));
      await node.start();
      await node.ready();
    }
  })();
  const end = Date.now() + SECONDS * 1000;
  let steps = 0;
  while (Date.now() < end && model.faults.length === 0) {
    if (clients.length === 0) open();
    const client = one(clients);
    one(weights)(client);
    steps++;
    await delay(one([0, 0, 1, 5, 20]));
  }
  const then = JSON.stringify(model.told);
  over = true;
  calm.abort();
  await Promise.all([traffic, nodes, leaving]);
  // Calm: who is there acknowledges all it gets.
  while (clients.length < 3) open();
  // Reported commits are not enough: who acknowledged the last messages may be gone.
  const done = async () => {
    for (const client of clients) {
      if (client.subscription) ackSome(client, true);
      if (client.credit) client.flow.give(client.credit.messages ? { messages: 1000 } : { bytes: 100_000 });
    }
    return model.faults.length > 0 || isDeepStrictEqual(await committed(admin, wish.group, topic), Object.fromEntries(produced.entries()));
  };
  await eventually(PATIENCE, about('all is committed'), done).catch((error) =>
    model.fault(`${error.message}: ${JSON.stringify({ ...model, holders: [...model.holders].map(([key, client]) => [key, client.name]), produced })}`),
  );
  assert.deepEqual(model.faults, [], about(`${steps} steps`));
  t.diagnostic(
    about(
      `${steps} steps, ${model.delivered} deliveries of ${produced.reduce((a, b) => a + b)} messages, ${model.redelivered} again; before it was calm ${then}, all ${JSON.stringify(model.told)}`,
    ),
  );
});
