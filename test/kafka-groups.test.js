'use strict';
// Groups of `Kafka`'s consumers on a real Kafka: who comes, goes and dies, and what of the messages then.
const assert = require('node:assert/strict');
const { EventEmitter, once } = require('node:events');
const { after, before, describe, test } = require('node:test');
const { setTimeout: delay } = require('node:timers/promises');
const { Child } = require('./support/child.js');
const { cleanup } = require('./support/cleanup.js');
const { real, topicName } = require('./support/clusters.js');
const { PATIENCE, producer, within } = require('./support/flow.js');
const { Calls, deferred, eventually } = require('./support/watch.js');
const { Got, committed, event, kafkaJs, member } = require('./support/groups.js');

const PROTOCOLS = {
  'cooperative-sticky': {},
  'round robin': { partitionAssigners: ['roundRobin'] },
  range: { partitionAssigners: ['range'] },
  KIP_848: { groupProtocol: 'consumer' },
};

describe('groups', () => {
  let cluster;
  before(async () => (cluster = await real()));
  after(() => cluster?.close());

  /** Sends numbers round-robin to the partitions, from `first` on, until it is told to stop; that resolves with the next number. */
  function flow(t, topic, partitions, first = 0) {
    const sender = producer(t, cluster);
    let next = first;
    const timer = setInterval(() => {
      for (let i = 0; i < 20; i++, next++) sender.send(topic, next % partitions, [String(next)]);
    }, 5);
    cleanup(t, () => clearInterval(timer));
    return async () => {
      clearInterval(timer);
      await sender.stop();
      return next;
    };
  }

  const partitionsOf = ({ memberAssignment }, topic) => memberAssignment[topic]?.length ?? 0;
  const each = (map) => async (payload) => {
    await map.each(payload);
  };

  test('a handler that hangs is left behind by a disconnect with a timeout, and its message comes to the next member', async (t) => {
    const topic = await cluster.topic(1);
    const groupId = topicName('group');
    const sender = producer(t, cluster);
    sender.send(topic, 0, ['0', '1', '2']);
    const hung = deferred();
    const first = await member(t, cluster, { groupId });
    await first.subscribe({ topic, fromBeginning: true });
    const begun = deferred();
    await first.run({
      eachMessage: async ({ message }) => {
        if (String(message.value) !== '1') return;
        begun.resolve();
        await hung.promise;
        await first.stop(); // would wait for itself, but there is nothing left to stop
      },
    });
    await begun.promise;
    await first.disconnect({ timeout: 50 });
    const got = new Got();
    const second = await member(t, cluster, { groupId });
    await second.subscribe({ topic, fromBeginning: true });
    await second.run({ eachMessage: got.each });
    assert.deepEqual(
      (await got.until(2)).map(({ value }) => value),
      ['1', '2'],
    );
    hung.resolve();
  });

  for (const [name, config] of Object.entries(PROTOCOLS)) {
    test(`${name}: members that come and go share the work, and lose and repeat nothing`, async (t) => {
      const topic = await cluster.topic(6);
      const groupId = topicName('group');
      const got = new Got();
      const join = async () => {
        const consumer = await member(t, cluster, { groupId, ...config });
        const joins = new Calls();
        consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => joins.take(partitionsOf(payload, topic)));
        await consumer.subscribe({ topic, fromBeginning: true });
        await consumer.run({ partitionsConsumedConcurrently: 3, eachMessage: each(got) });
        return { consumer, joins };
      };
      const ended = flow(t, topic, 6);
      const first = await join();
      await got.until(100);
      const second = await join();
      const third = await join();
      // KIP-848 tells a partition at a time.
      await eventually(PATIENCE, 'two partitions for each', () => [first, second, third].every(({ joins }) => joins.all.at(-1) === 2));
      const before = got.messages.length;
      await got.until(before + 300);
      await second.consumer.disconnect();
      await third.consumer.disconnect();
      await first.joins.until((count) => count === 6);
      const sent = await ended();
      await got.until(sent);
      await first.consumer.disconnect();
      assert.equal(new Set(got.values()).size, sent);
      assert.equal(got.messages.length, sent, `${got.messages.length - sent} messages were repeated`);
      const next = new Map();
      for (const { partition, offset } of got.messages) {
        assert.equal(offset, next.get(partition) ?? 0);
        next.set(partition, offset + 1);
      }
    });
  }

  test('a member that is killed leaves its partitions, and no message is lost', async (t) => {
    const topic = await cluster.topic(4);
    const groupId = topicName('group');
    const seen = new Set();
    const news = new EventEmitter();
    const see = (value) => {
      seen.add(String(value));
      news.emit('message');
    };
    const consumer = await member(t, cluster, { groupId });
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({ eachMessage: async ({ message }) => see(message.value) });
    let total = 0;
    for (let round = 0; round < 2; round++) {
      const ended = flow(t, topic, 4, total);
      const child = new Child(t, 'group-member.js', { broker: cluster.options().broker, topic, groupId, config: { sessionTimeout: 1500 } });
      child.on('message', ({ value }) => see(value));
      await child.says('joined');
      await child.says('message');
      const all = event(consumer, 'GROUP_JOIN', (payload) => partitionsOf(payload, topic) === 4);
      await child.kill();
      await all;
      total = await ended();
      await within(
        PATIENCE,
        () => `${seen.size} of ${total} came`,
        async () => {
          while (seen.size < total) await once(news, 'message');
        },
      );
    }
  });

  // librdkafka fetches nothing while a hook holds up the rebalance: what was fetched before is processed on.
  test('cooperative-sticky: partitions that stay are not taken away, and their handlers go on while others move', async (t) => {
    const topic = await cluster.topic(2);
    const groupId = topicName('group');
    const sender = producer(t, cluster);
    for (const partition of [0, 1])
      sender.send(
        topic,
        partition,
        Array.from({ length: 2000 }, (_, i) => String(i)),
      );
    await sender.stop();
    const hook = deferred();
    const moving = deferred();
    const first = await member(t, cluster, {
      groupId,
      onPartitionsRevoked: async ([{ partitions }]) => {
        moving.resolve(partitions);
        await hook.promise;
      },
    });
    const got = new Got();
    await first.subscribe({ topic, fromBeginning: true });
    await first.run({
      partitionsConsumedConcurrently: 2,
      eachMessage: async (payload) => {
        await got.each(payload);
        await delay(1);
      },
    });
    await got.until((messages) => new Set(messages.map(({ partition }) => partition)).size === 2);
    const second = await member(t, cluster, { groupId });
    const others = new Got();
    await second.subscribe({ topic, fromBeginning: true });
    const joined = second.run({ eachMessage: others.each });
    const [goes, ...more] = await moving.promise;
    assert.deepEqual(more, []);
    const before = got.messages.length;
    await got.until(before + 50);
    assert.ok(got.messages.slice(before).every(({ partition }) => partition !== goes));
    hook.resolve();
    await joined;
    await got.until((messages) => messages.some(({ partition, offset }) => partition !== goes && offset === 1999));
    await others.until((messages) => messages.some(({ offset }) => offset === 1999));
    const all = [...got.messages, ...others.messages].map(({ partition, offset }) => `${partition}/${offset}`);
    assert.equal(new Set(all).size, 4000);
    assert.equal(all.length, 4000, 'nothing is repeated');
  });

  test('a rebalance waits for the handler, commits what it did, and then asks the hook, which may commit', async (t) => {
    const topic = await cluster.topic(1);
    const groupId = topicName('group');
    const sender = producer(t, cluster);
    sender.send(topic, 0, ['0', '1', '2', '3']);
    const { admin } = await kafkaJs(t, cluster);
    const order = [];
    const handler = deferred();
    let first;
    const onPartitionsRevoked = async (partitions) => {
      order.push(JSON.stringify(partitions), await committed(admin, groupId, topic));
      await first.commitOffsets([{ topic, partition: 0, offset: '3' }]);
    };
    first = await member(t, cluster, { groupId, partitionAssigners: ['range'], onPartitionsRevoked });
    const got = new Got();
    await first.subscribe({ topic, fromBeginning: true });
    await first.run({
      eachBatchAutoResolve: false,
      eachBatch: async ({ batch, resolveOffset, isStale }) => {
        for (const message of batch.messages.slice(0, 2)) {
          await got.each({ topic, partition: 0, message });
          resolveOffset(message.offset);
        }
        await handler.promise;
        order.push(`stale: ${isStale()}`);
      },
    });
    await got.until(2);
    const rebalancing = event(first, 'REBALANCING');
    const second = await member(t, cluster, { groupId, partitionAssigners: ['range'] });
    const others = new Got();
    await second.subscribe({ topic, fromBeginning: true });
    const joined = second.run({ eachMessage: others.each });
    await rebalancing;
    assert.deepEqual(order, []);
    handler.resolve();
    await joined;
    assert.deepEqual(order.slice(0, 3), ['stale: true', JSON.stringify([{ topic, partitions: [0] }]), { 0: 2 }]);
    // Whoever has the partition goes on behind the hook's commit.
    await within(90_000, 'message 3', async () => {
      while (others.messages.length < 1 && got.messages.length < 3) await Promise.race([others, got].map((each) => once(each, 'message')));
    });
    assert.equal([...others.values(), ...got.values().slice(2)][0], '3');
  });

  test('a member of a cooperative group that keeps all it has is told REBALANCING, then GROUP_JOIN', async (t) => {
    const topic = await cluster.topic(1);
    const config = { groupId: topicName('group'), partitionAssigners: ['cooperativeSticky'], heartbeatInterval: 200 };
    const keeps = await member(t, cluster, config);
    await keeps.subscribe({ topic });
    await keeps.run({ eachMessage: async () => {} });
    const told = [];
    for (const name of ['GROUP_JOIN', 'REBALANCING']) keeps.on(keeps.events[name], () => told.push(name));
    const joined = event(keeps, 'GROUP_JOIN');
    const other = await member(t, cluster, config);
    await other.subscribe({ topic });
    await other.run({ eachMessage: async () => {} });
    assert.deepEqual((await joined).memberAssignment, { [topic]: [0] });
    assert.deepEqual(told.slice(0, 2), ['REBALANCING', 'GROUP_JOIN']);
  });

  test('onPartitionsAssigned says by seek where partitions begin', async (t) => {
    const topic = await cluster.topic(1);
    const sender = producer(t, cluster);
    sender.send(topic, 0, ['0', '1', '2', '3']);
    await sender.stop();
    let consumer;
    consumer = await member(t, cluster, {
      onPartitionsAssigned: async (partitions) => {
        assert.deepEqual(partitions, [{ topic, partitions: [0] }]);
        consumer.seek({ topic, partition: 0, offset: '2' });
      },
    });
    const got = new Got();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({ eachMessage: got.each });
    await got.until(2);
    assert.deepEqual(got.values(), ['2', '3']);
  });

  test('a static member that comes back in time disturbs nobody and keeps its partitions', async (t) => {
    const topic = await cluster.topic(2);
    const groupId = topicName('group');
    const watcher = await member(t, cluster, { groupId, groupInstanceId: 'watcher', sessionTimeout: 10_000, partitionAssigners: ['range'] });
    const events = [];
    await watcher.subscribe({ topic, fromBeginning: true });
    await watcher.run({ eachMessage: async () => {} });
    const both = event(watcher, 'GROUP_JOIN', (payload) => partitionsOf(payload, topic) === 1);
    const config = { groupInstanceId: 'restarts', sessionTimeout: 10_000, partitionAssigners: ['range'] };
    const start = () => new Child(t, 'group-member.js', { broker: cluster.options().broker, topic, groupId, config });
    let child = start();
    const { payload: before } = await child.says('GROUP_JOIN');
    await both;
    for (const name of ['GROUP_JOIN', 'REBALANCING']) watcher.on(watcher.events[name], () => events.push(name));
    const after = [];
    for (const end of ['kill', 'disconnect']) {
      if (end === 'kill') await child.kill();
      else {
        child.tell('disconnect');
        await child.exits();
      }
      child = start();
      after.push((await child.says('GROUP_JOIN')).payload.memberAssignment);
    }
    const own = Object.values(before.memberAssignment)[0] ?? after[0][topic];
    assert.deepEqual(
      after.map((assignment) => assignment[topic]),
      [own, own],
    );
    assert.deepEqual(events, []);
  });

  test('two members under one static name: the older is fenced, which is a CRASH without a restart', async (t) => {
    const topic = await cluster.topic(1);
    const config = { groupId: topicName('group'), groupInstanceId: 'one' };
    const older = await member(t, cluster, config);
    await older.subscribe({ topic });
    const crash = event(older, 'CRASH');
    await older.run({ eachMessage: async () => {} });
    const newer = await member(t, cluster, config);
    await newer.subscribe({ topic });
    await newer.run({ eachMessage: async () => {} });
    const { restart } = await crash;
    assert.equal(restart, false);
  });

  test('members with different subscriptions get each its own', async (t) => {
    const [a, b] = [await cluster.topic(2), await cluster.topic(2)];
    const groupId = topicName('group');
    const sender = producer(t, cluster);
    for (const topic of [a, b]) for (const partition of [0, 1]) sender.send(topic, partition, [topic]);
    const got = [new Got(), new Got()];
    for (const [i, topic] of [a, b].entries()) {
      const consumer = await member(t, cluster, { groupId });
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({ eachMessage: got[i].each });
    }
    await Promise.all(got.map((one) => one.until(2)));
    assert.deepEqual(
      got.map((one) => [...new Set(one.values())]),
      [[a], [b]],
    );
  });

  test('a member without a partition has joined, and takes over', async (t) => {
    const topic = await cluster.topic(1);
    const groupId = topicName('group');
    const members = [];
    const got = new Got();
    for (let i = 0; i < 2; i++) {
      const consumer = await member(t, cluster, { groupId });
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({ eachMessage: got.each });
      members.push(consumer);
    }
    const takesOver = event(members[1], 'GROUP_JOIN', (payload) => partitionsOf(payload, topic) === 1);
    await members[0].disconnect();
    await takesOver;
    const sender = producer(t, cluster);
    sender.send(topic, 0, ['x']);
    await got.until(1);
  });
});
