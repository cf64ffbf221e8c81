'use strict';
// Message connectors under random programs, which a model judges, and under brokers that go away. SEED=... repeats a run, STEPS=... makes it longer.

const { test } = require('node:test');
const assert = require('node:assert/strict');
const { cleanup } = require('./support/cleanup.js');
const { embedded, real, topicName } = require('./support/clusters.js');
const { connect, hear, isReady, ready } = require('./support/deepstream-connector.js');
const { random, seed } = require('./support/random.js');
const { Calls, eventually } = require('./support/watch.js');
const { PATIENCE } = require('./support/flow.js');

const STEPS = Number(process.env.STEPS ?? 300);

/** One callback of one connector on one topic, from subscribe to unsubscribe. */
class Subscription {
  /** Each sender's messages in the order in which they came. */
  heard = new Map();
  calls = new Calls();
  /** By sender, from which number on it must hear; undefined until subscribe has resolved. */
  from;
  /** By sender, up to which number it may hear. */
  to;

  take = (message) => {
    const numbers = this.heard.get(message.sender) ?? [];
    this.heard.set(message.sender, numbers);
    numbers.push(message.n);
    this.calls.take(message);
  };
}

test('what connectors hear is what the model says, however they publish, subscribe and unsubscribe', async (t) => {
  const cluster = await real();
  cleanup(t, () => cluster.close());
  const next = random(seed);
  const pick = (list) => list[Math.floor(next() * list.length)];
  const connectors = await Promise.all([0, 1, 2].map(() => ready(t, cluster)));
  const topics = ['error', topicName('a/b'), topicName('a.b'), topicName('plain')];
  /** By topic, how many messages each connector has published. */
  const published = new Map(topics.map((topic) => [topic, connectors.map(() => 0)]));
  const all = [];
  const counts = (topic) => [...published.get(topic)];
  for (let step = 0; step < STEPS; step++) {
    const what = next();
    const topic = pick(topics);
    const i = Math.floor(next() * connectors.length);
    const live = all.filter((each) => each.to === undefined);
    if (what < 0.86) {
      connectors[i].publish(topic, { sender: i, n: published.get(topic)[i]++ });
    } else if (what < 0.94) {
      const subscription = Object.assign(new Subscription(), { topic, i });
      const reading = connectors[i].subscribe(topic, subscription.take).then(() => (subscription.from ??= counts(topic)));
      all.push(Object.assign(subscription, { reading }));
    } else if (what < 0.98 && live.length > 0) {
      const subscription = pick(live);
      connectors[subscription.i].unsubscribe(subscription.topic, subscription.take);
      subscription.to = [...subscription.heard].map(([sender, numbers]) => [sender, numbers.length]);
    } else {
      // Now and then all that was asked for is settled; otherwise the next step comes at any moment of it.
      await (next() < 0.3 ? Promise.all(all.map(({ reading }) => reading)) : new Promise(setImmediate));
    }
  }
  await Promise.all(all.map(({ reading }) => reading));
  const live = all.filter(({ to }) => to === undefined);
  const last = new Map(
    topics.map((topic) => [
      topic,
      connectors.map((connector, i) => (connector.publish(topic, { sender: i, n: published.get(topic)[i] }), published.get(topic)[i])),
    ]),
  );
  for (const { topic, i, calls } of live)
    for (const sender of [0, 1, 2])
      if (sender !== i)
        await calls.until((message) => message.sender === sender && message.n === last.get(topic)[sender], 60_000, `seed ${seed}: the last of ${sender}`);
  for (const { topic, i, heard, from, to } of all) {
    assert.equal(heard.get(i), undefined, `seed ${seed}: ${i} has heard itself`);
    for (const [sender, numbers] of heard) {
      // One after the other: nothing twice, nothing missing, in order.
      for (const [at, n] of numbers.entries()) assert.equal(n, numbers[0] + at, `seed ${seed}: ${topic} of ${sender} at ${i}: ${numbers}`);
      if (to) assert.equal(numbers.length, new Map(to).get(sender), `seed ${seed}: heard after unsubscribe`);
    }
    if (!to)
      for (const sender of [0, 1, 2])
        if (sender !== i) assert.ok(heard.get(sender)[0] <= from[sender], `seed ${seed}: ${topic} of ${sender} at ${i} begins late`);
  }
  for (const { errors } of connectors) assert.deepEqual(errors.all, []);
});

test('a broker that is restarted under traffic loses nothing, doubles nothing and changes no order', async (t) => {
  const cluster = await real({ own: true });
  cleanup(t, () => cluster.close());
  const [a, b, c] = await Promise.all([1, 2, 3].map(() => ready(t, cluster)));
  const topic = topicName('restart');
  const heard = await Promise.all([a, c].map((connector) => hear(connector, topic)));
  let n = 0;
  const traffic = setInterval(() => b.publish(topic, n++), 2);
  cleanup(t, () => clearInterval(traffic));
  await heard[0].count(100);
  await cluster.kafka.nodes[0].kill();
  const away = n + 200;
  await eventually(PATIENCE, '200 messages more', () => n >= away);
  const later = new Calls();
  const reading = a.subscribe(`${topic}/later`, later.take);
  await cluster.kafka.nodes[0].start();
  await reading;
  clearInterval(traffic);
  b.publish(topic, n++);
  for (const calls of heard) {
    await calls.until((message) => message === n - 1, 60_000);
    assert.deepEqual(
      calls.all,
      Array.from({ length: n }, (_, i) => i),
    );
  }
  b.publish(`${topic}/later`, 'there');
  await later.until();
});

test('with Kafka away messages wait up to the bound, then an error says so, and those that waited come whole and in order', async (t) => {
  const cluster = await embedded();
  cleanup(t, () => cluster.close());
  const topic = await cluster.topic(1);
  const [a, b] = await Promise.all([1, 2].map(() => ready(t, cluster, { createTopics: false, maxQueuedBytes: 100_000 })));
  const heard = await hear(a, topic);
  b.publish(topic, { n: 0 });
  await heard.count(1);
  cluster.mock.brokerDown(1);
  for (let n = 1; n < 200; n++) b.publish(topic, { n, padding: 'x'.repeat(1000) });
  const { text } = await b.errors.until(({ text }) => /maxQueuedBytes/.test(text));
  assert.match(text, /nothing more is sent/);
  cluster.mock.brokerUp(1);
  await heard.until(({ n }) => n >= 20, 60_000);
  await b.close();
  const numbers = heard.all.map(({ n }) => n);
  assert.deepEqual(
    numbers,
    numbers.map((_, n) => n),
  );
  assert.ok(numbers.length < 100);
});

test('a connector whose Kafka comes late is ready late, and has kept everything', async (t) => {
  const cluster = await embedded();
  cleanup(t, () => cluster.close());
  const topic = await cluster.topic(1);
  cluster.mock.brokerDown(1);
  const [a, b] = [1, 2].map(() => connect(t, cluster, { createTopics: false, retry: { retries: 1, initialRetryTime: 50 } }));
  const heard = new Calls();
  const reading = a.subscribe(topic, heard.take);
  await a.errors.until(({ text }) => /cannot be reached/.test(text));
  cluster.mock.brokerUp(1);
  await Promise.all([a, b].map(isReady));
  await reading;
  for (let n = 0; n < 10; n++) b.publish(topic, n);
  await heard.count(10);
  assert.deepEqual(heard.all, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('a connector whose reading ends by itself says so, and reads on where it was', async (t) => {
  const cluster = await embedded();
  cleanup(t, () => cluster.close());
  const topic = await cluster.topic(1);
  const [a, b] = await Promise.all([1, 2].map(() => ready(t, cluster, { createTopics: false })));
  const heard = await hear(a, topic);
  b.publish(topic, 0);
  await heard.count(1);
  cluster.mock.injectErrors(1, [29, 29]); // Fetch: TOPIC_AUTHORIZATION_FAILED
  await a.errors.until(({ text }) => /reading has ended, and begins again/.test(text));
  for (let n = 1; n < 10; n++) b.publish(topic, n);
  await heard.count(10);
  assert.deepEqual(heard.all, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});
