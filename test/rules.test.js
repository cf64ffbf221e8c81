'use strict';
// Rules: which messages reach JavaScript is decided in Rust, and what is left out counts as processed.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { Kafka } = require('kafka-native');
const { Event } = require('../js/kafka-native/dist/binding.js');
const { binding } = require('../js/kafka-native/dist/loader.js');
const { cleanup } = require('./support/cleanup.js');
const { real, topicName } = require('./support/clusters.js');
const { PATIENCE, folder, offsets, silent } = require('./support/flow.js');
const { Got, committed, kafkaJs } = require('./support/groups.js');
const { random, seed } = require('./support/random.js');
const { deferred, eventually } = require('./support/watch.js');

/** The rule as its documentation has it, over messages as they were sent. */
function wants(rule, { key = null, headers = {} }) {
  if (!rule) return true;
  const same = (is, value) => [is].flat().some((one) => (one === null || value === null ? one === value : Buffer.from(one).equals(Buffer.from(value))));
  const values = (name) => (name in headers ? [headers[name]].flat() : []);
  if (rule.all) return rule.all.every((each) => wants(each, { key, headers }));
  if (rule.any) return rule.any.some((each) => wants(each, { key, headers }));
  if (rule.not) return !wants(rule.not, { key, headers });
  if (rule.absent) return values(rule.header).length === 0;
  return 'key' in rule ? same(rule.key, key) : values(rule.header).some((value) => same(rule.is, value));
}

describe('a consumer with a rule', () => {
  let cluster;
  before(async () => (cluster = await real()));
  after(() => cluster?.close());

  const kafka = () => new Kafka({ brokers: cluster.options().broker.split(','), logger: silent });

  async function sender(t) {
    const producer = kafka().producer();
    cleanup(t, () => producer.disconnect());
    await producer.connect();
    return (topic, messages, partition = 0) => producer.send({ topic, messages: messages.map((message) => ({ partition, ...message })) });
  }

  function consumer(t, config = {}) {
    const made = kafka().consumer({ groupId: null, maxWaitTimeInMs: 50, ...config });
    cleanup(t, () => made.disconnect());
    return made;
  }

  async function reader(t, topic, { run = {}, from = 'beginning', ...config } = {}) {
    const got = new Got();
    const made = consumer(t, config);
    await made.subscribe({ topics: [topic], ...(config.groupId ? { fromBeginning: true } : { from }) });
    await made.run({ eachMessage: got.each, ...run });
    return { consumer: made, got };
  }

  /** To `to`, or to nobody. */
  const to = (...names) => names.map((name) => ({ value: name, headers: name === 'all' ? {} : { to: name } }));
  const times = (count, message) => Array.from({ length: count }, () => message);

  test('gets exactly what each kind of rule wants', async (t) => {
    const send = await sender(t);
    const topic = await cluster.topic(1);
    const binary = Buffer.from([0xff, 0, 0x80]);
    const shapes = [
      {},
      { key: 'a' },
      { key: '' },
      { key: binary },
      { key: 'a', headers: { to: 'x' } },
      { headers: { to: 'y', from: 'x' } },
      { headers: { to: ['y', 'x'] } },
      { headers: { to: ['y', 'y'], toX: 'x' } },
      { headers: { to: binary } },
      { headers: { to: '' } },
      { headers: { to: 'xx', [`ünï-${'n'.repeat(200)}`]: 'v'.repeat(5000) } },
      { key: 'b', headers: { to: 'z', from: 'y' } },
    ];
    const sent = shapes.map((shape, i) => ({ ...shape, value: String(i) }));
    await send(topic, sent);
    const rules = [
      null,
      { header: 'to', is: 'x' },
      { header: 'to', is: ['x', binary] },
      { header: 'to', is: new Uint8Array(binary) },
      { header: 'to', is: '' },
      { header: 'to', is: [] },
      { header: 'to', absent: true },
      { header: `ünï-${'n'.repeat(200)}`, is: 'v'.repeat(5000) },
      { key: 'a' },
      { key: null },
      { key: ['', binary, 'b'] },
      { key: Array.from({ length: 1000 }, (_, i) => (i === 500 ? 'a' : `k${i}`)) },
      { not: { header: 'to', is: 'y' } },
      {
        all: [
          { header: 'to', is: 'y' },
          { header: 'from', is: 'x' },
        ],
      },
      { any: [{ all: [{ key: 'a' }, { header: 'to', absent: true }] }, { not: { any: [{ header: 'to', absent: true }, { key: null }] } }] },
      { any: [] },
      { all: [] },
      { key: 'b' },
      undefined, // all again
    ];
    const made = consumer(t);
    await made.subscribe({ topics: [topic], from: 'beginning' });
    for (const only of rules) {
      const got = [];
      for await (const { value } of made.messages({ until: 'end', only })) got.push(String(value));
      assert.deepEqual(
        got,
        sent.filter((message) => wants(only, message)).map(({ value }) => value),
        JSON.stringify(only),
      );
    }
  });

  for (const readUncommitted of [false, true]) {
    const which = readUncommitted ? 'uncommitted' : 'committed';
    test(`is caught up and at the end where everything is left out: read ${which}`, async (t) => {
      const send = await sender(t);
      const topic = await cluster.topic(2);
      await send(topic, times(3000, { value: 'x' }));
      const run = { only: { any: [] }, eachMessage: assert.fail };
      const made = consumer(t, { readUncommitted });
      await made.subscribe({ topics: [topic], from: 'beginning' });
      await made.run({ ...run, until: 'end' });
      const { consumer: going } = await reader(t, topic, { readUncommitted, run });
      for (let i = 0; i < 50; i++) {
        await send(topic, [{ value: 'y' }], i % 2);
        await going.caughtUp();
      }
    });

    test(`commits behind what is left out, and reads nothing twice: read ${which}`, async (t) => {
      const { admin } = await kafkaJs(t, cluster);
      const send = await sender(t);
      const topic = await cluster.topic(3);
      const config = { groupId: topicName('group'), sessionTimeout: 30_000, heartbeatInterval: 200, readUncommitted };
      await send(topic, to('b', 'a', 'b'), 0); // in the middle
      await send(topic, times(500, to('b')[0]), 1); // nothing else
      await send(topic, to('a', 'b', 'b', 'a'), 2); // at the end
      const run = { only: { header: 'to', is: 'a' } };
      const { consumer: first, got } = await reader(t, topic, { ...config, run });
      await first.caughtUp();
      assert.deepEqual(got.messages.map(({ partition, offset }) => [partition, offset]).sort(), [
        [0, 1],
        [2, 0],
        [2, 3],
      ]);
      await first.disconnect();
      assert.deepEqual(await committed(admin, config.groupId, topic), { 0: 3, 1: 500, 2: 4 });
      await send(topic, to('b', 'last'), 1);
      const second = await reader(t, topic, config);
      await second.consumer.caughtUp();
      assert.deepEqual(second.got.values(), ['b', 'last']);
    });

    test(`records behind what is left out in offset files: read ${which}`, async (t) => {
      const send = await sender(t);
      const topic = await cluster.topic(2);
      const offsetDirectory = folder(t);
      await send(topic, to('a', 'b', 'b'), 0);
      await send(topic, times(500, to('b')[0]), 1);
      const { consumer: first, got } = await reader(t, topic, { offsetDirectory, readUncommitted, run: { only: { header: 'to', is: 'a' } } });
      await first.caughtUp();
      assert.deepEqual(got.values(), ['a']);
      await first.disconnect();
      assert.deepEqual(offsets(offsetDirectory, topic), { 0: 2, 1: 499 });
      const second = await reader(t, topic, { offsetDirectory, readUncommitted });
      await send(topic, to('last'), 1);
      await second.consumer.caughtUp();
      assert.deepEqual(second.got.values(), ['last']);
    });
  }

  test('never commits behind a message that its handler still has', async (t) => {
    const { admin } = await kafkaJs(t, cluster);
    const send = await sender(t);
    const topic = await cluster.topic(2);
    const config = { groupId: topicName('group'), sessionTimeout: 30_000, heartbeatInterval: 200 };
    const [has, holds] = [deferred(), deferred()];
    const made = consumer(t, config);
    const seen = new Got();
    await made.subscribe({ topics: [topic], fromBeginning: true });
    const eachMessage = async (payload) => {
      await seen.each(payload);
      if (payload.partition === 0) {
        has.resolve();
        await holds.promise;
      }
    };
    await made.run({ only: { not: { header: 'to', is: 'b' } }, partitionsConsumedConcurrently: 2, eachMessage });
    await send(topic, to('b', 'a'), 0);
    await has.promise;
    // Behind it, in batches of their own: another, and what is left out.
    for (const name of ['a', 'b', 'b']) await send(topic, to(name), 0);
    for (let i = 0; i < 3; i++) {
      const commits = new Promise((resolve) =>
        made.on(
          made.events.COMMIT_OFFSETS,
          ({ payload }) => payload.topics.some(({ partitions }) => partitions.some(({ partition }) => partition === 1)) && resolve(undefined),
        ),
      );
      await send(topic, to('b', 'a'), 1);
      await commits;
    }
    const { 0: before = 0 } = await committed(admin, config.groupId, topic);
    assert.ok(before <= 1, `committed ${before}`);
    // As if it died.
    await made.disconnect({ timeout: 0 });
    holds.resolve();
    const again = await reader(t, topic, config);
    await again.consumer.caughtUp();
    assert.deepEqual(
      again.got.messages.filter(({ partition, value }) => partition === 0 && value === 'a').map(({ offset }) => offset),
      [1, 2],
    );
  });

  test('decides below the offset that it is told by the old rule, and from there by the new one, under traffic and over pauses', async (t) => {
    const topic = await cluster.topic(2);
    const producer = kafka().producer();
    cleanup(t, () => producer.disconnect());
    await producer.connect();
    const names = ['a', 'b', 'c'];
    const { consumer: made, got } = await reader(t, topic, { run: { only: { header: 'to', is: 'a' } } });
    const history = [0, 1].map(() => [{ from: 0, is: 'a' }]);
    let sending = true;
    const sent = [[], []];
    const traffic = (async () => {
      for (let n = 0; sending; n++) {
        const partition = n % 2;
        const messages = Array.from({ length: 50 }, (_, i) => ({ partition, value: names[(n + i) % 3], headers: { to: names[(n + i) % 3] } }));
        await producer.send({ topic, messages });
        sent[partition].push(...messages.map(({ value }) => value));
      }
    })();
    await got.until(100);
    for (let i = 1; i <= 60; i++) {
      const is = names[i % 3];
      const paused = [{ topic, partitions: [i % 2] }];
      if (i % 4 === 0) made.pause(paused);
      for (const { partition, offset } of await made.only({ header: 'to', is })) history[partition].push({ from: Math.max(Number(offset), 0), is });
      if (i % 4 === 0) made.resume(paused);
      await got.until(got.messages.length + 20);
    }
    sending = false;
    await traffic;
    await made.caughtUp();
    for (const partition of [0, 1]) {
      const rule = (offset) => history[partition].findLast(({ from }) => from <= offset).is;
      const wanted = sent[partition].flatMap((value, offset) => (rule(offset) === value ? [offset] : []));
      assert.deepEqual(
        got.messages.filter((message) => message.partition === partition).map(({ offset }) => offset),
        wanted,
      );
      assert.ok(history[partition].every(({ from }, i, all) => i === 0 || from >= all[i - 1].from));
    }
  });

  test('gives again what it was given, by the rule of then, and decides anew where it seeks', async (t) => {
    const send = await sender(t);
    const topic = await cluster.topic(1);
    await send(topic, to('a', 'b', 'a', 'b', 'a'));
    const first = deferred();
    const got = new Got();
    const { consumer: made } = await reader(t, topic, {
      run: {
        only: { header: 'to', is: 'a' },
        eachMessage: async (payload) => {
          await got.each(payload);
          if (got.messages.length === 1) {
            // Messages that wait behind this are let go, and fetched again.
            payload.pause();
            first.resolve();
          }
        },
      },
    });
    await first.promise;
    assert.deepEqual(await made.only({ header: 'to', is: 'b' }), [{ topic, partition: 0, offset: '5' }]);
    await send(topic, to('a', 'b'));
    made.resume([{ topic }]);
    await made.caughtUp();
    assert.deepEqual(
      got.messages.map(({ offset }) => offset),
      [0, 2, 4, 6],
    );
    made.seek({ topic, partition: 0, offset: '0' });
    await made.caughtUp();
    assert.deepEqual(
      got.messages.map(({ offset }) => offset),
      [0, 2, 4, 6, 1, 3, 6],
    );
    await made.only(null);
    made.seek({ topic, partition: 0, offset: '0' });
    await made.caughtUp();
    assert.deepEqual(got.values().slice(7), ['a', 'b', 'a', 'b', 'a', 'a', 'b']);
  });

  for (const groupId of [null, 'group']) {
    test(`is as a model has it over random rules, pauses, seeks and restarts: ${groupId ? 'in a group' : 'with offset files'}`, async (t) => {
      const next = random(seed);
      const below = (n) => Math.floor(next() * n);
      const pick = (list) => list[below(list.length)];
      const topic = await cluster.topic(2);
      const producer = kafka().producer();
      cleanup(t, () => producer.disconnect());
      await producer.connect();
      const directory = folder(t);
      const config = groupId ? { groupId: topicName(groupId), sessionTimeout: 30_000, heartbeatInterval: 200 } : { offsetDirectory: directory };
      const { admin } = await kafkaJs(t, cluster);
      const recorded = async () =>
        groupId ? committed(admin, config.groupId, topic) : Object.fromEntries(Object.entries(offsets(directory, topic)).map(([p, last]) => [p, last + 1]));
      const names = ['a', 'b', 'c'];
      const rule = (depth = 0) => {
        const kind = below(depth < 3 ? 6 : 3);
        if (kind === 0) return { header: 'to', is: names.filter(() => next() < 0.5) };
        if (kind === 1) return { header: 'to', absent: true };
        if (kind === 2) return { key: pick([...names, null, ['a', null]]) };
        if (kind === 3) return { not: rule(depth + 1) };
        return { [kind === 4 ? 'all' : 'any']: [rule(depth + 1), rule(depth + 1)] };
      };
      const message = () => ({
        key: pick([null, ...names]),
        value: 'x'.repeat(below(100)),
        headers: pick([{}, { to: pick(names) }, { to: [pick(names), pick(names)] }, { from: 'a' }]),
      });

      /** Messages sent; which rules decided from which offset on since it was begun anew; what was given since then. */
      const model = [0, 1].map(() => ({ log: [], rules: [], begin: 0, given: new Set() }));
      const where = `SEED=${seed}`;
      const decides = ({ rules }, offset) => rules.findLast(({ from }) => from <= offset).rule;
      const anew = (partition, begin, now) => Object.assign(model[partition], { begin, rules: [{ from: 0, rule: now }], given: new Set() });
      const complete = (until) => {
        for (const [partition, part] of model.entries()) {
          for (let offset = part.begin; offset < until(part, partition); offset++) {
            if (wants(decides(part, offset), part.log[offset])) assert.ok(part.given.has(offset), `${where}: ${partition}/${offset} was not given`);
          }
        }
      };
      let calm = false;
      const wrong = [];
      const eachMessage = async ({ partition, message: { offset } }) => {
        const part = model[partition];
        if (!wants(decides(part, Number(offset)), part.log[offset])) wrong.push(`${partition}/${offset} was given`);
        if (!calm && next() < 0.02) throw new Error('not now');
        if (!calm && next() < 0.2) await new Promise((resolve) => setImmediate(resolve));
        part.given.add(Number(offset));
      };
      const send = async () => {
        const partition = below(2);
        const messages = Array.from({ length: 1 + below(150) }, message);
        model[partition].log.push(...messages);
        await producer.send({ topic, messages: messages.map((each) => ({ partition, ...each })) });
      };
      let made;
      let current = rule();
      const start = async () => {
        made = consumer(t, { ...config, maxMessagesPerBatch: 40, retry: { initialRetryTime: 1, maxRetryTime: 2, retries: 1e9 } });
        await made.subscribe({ topics: [topic], ...(groupId ? { fromBeginning: true } : { from: 'beginning' }) });
        await made.run({ only: current, eachMessage, partitionsConsumedConcurrently: 1 + below(2) });
      };
      const paused = new Set();
      const resume = () => {
        for (const partition of paused) made.resume([{ topic, partitions: [partition] }]);
        paused.clear();
      };
      const quiet = async () => {
        calm = true;
        resume();
        await made.caughtUp();
        complete(({ log }) => log.length);
        calm = false;
      };
      for (const partition of [0, 1]) anew(partition, 0, current);
      await start();
      for (let step = 0; step < 150; step++) {
        const kind = below(40);
        if (kind < 14) await send();
        else if (kind < 22) {
          const wanted = next() < 0.1 ? null : rule();
          const sending = send();
          for (const { partition, offset } of await made.only(wanted)) model[partition].rules.push({ from: Math.max(Number(offset), 0), rule: wanted });
          current = wanted;
          await sending;
        } else if (kind < 30) {
          const partition = below(2);
          made.pause([{ topic, partitions: [partition] }]);
          paused.add(partition);
        } else if (kind < 36) resume();
        else if (kind < 38) {
          await quiet();
          const partition = below(2);
          const to = below(model[partition].log.length + 1);
          made.seek({ topic, partition, offset: String(to) });
          anew(partition, to, current);
          await quiet();
        } else {
          await made.disconnect();
          paused.clear();
          const places = await recorded();
          complete((_, partition) => places[partition] ?? 0);
          for (const partition of [0, 1]) anew(partition, places[partition] ?? 0, current);
          await start();
        }
        assert.deepEqual(wrong, [], where);
      }
      await quiet();
      assert.deepEqual(wrong, [], where);
      await made.disconnect();
      const places = await recorded();
      for (const [partition, { log }] of model.entries()) if (log.length > 0) assert.equal(places[partition], log.length, where);
    });
  }

  for (const groupId of ['group', null]) {
    test(`has no lag where everything is left out: ${groupId ? 'in a group' : 'without a group'}`, async (t) => {
      const topic = await cluster.topic(1);
      await (await sender(t))(topic, times(100, { value: 'x' }));
      const observed = new Kafka({ brokers: cluster.options().broker.split(','), logger: silent, statisticsInterval: 100 });
      const made = observed.consumer({
        maxWaitTimeInMs: 50,
        ...(groupId ? { groupId: topicName(groupId), sessionTimeout: 30_000, heartbeatInterval: 200 } : { groupId }),
      });
      cleanup(t, () => made.disconnect());
      await made.subscribe({ topics: [topic], fromBeginning: true });
      await made.run({ only: { any: [] }, eachMessage: assert.fail });
      const lag = () =>
        observed
          .metrics()
          .split('\n')
          .find((line) => line.startsWith('kafka_client_partition_consumer_lag{') && line.includes(`topic="${topic}"`));
      await eventually(PATIENCE, 'a lag of 0', () => lag()?.endsWith(' 0'));
    });
  }

  test('tells positions of what is left out a hundred times a second at most', async (t) => {
    const topic = await cluster.topic(1);
    const producer = kafka().producer({ linger: 0 });
    cleanup(t, () => producer.disconnect());
    await producer.connect();
    const told = new Got();
    const properties = [['bootstrap.servers', cluster.options().broker]];
    const native = new binding.NativeGroup({ properties, maxMessagesPerBatch: 1000, budgetBytes: 2 ** 26, statisticsIntervalMs: 0 }, (kind, ...args) => {
      if (kind === Event.Advanced) told.messages.push(args[3]);
      told.emit('message');
    });
    cleanup(t, () => native.stop(3, 1000));
    const begun = performance.now();
    native.setRule(1, { kind: 'any', rules: [] }, [], [], []);
    native.assign(2, [topic], [0], [-2]);
    for (let i = 0; i < 1000; i++) await producer.send({ topic, messages: [{ value: 'x' }] });
    await told.until((offsets) => offsets.at(-1) === 1000);
    assert.ok(told.messages.length <= (performance.now() - begun) / 10 + 1, `${told.messages.length} times`);
  });

  test('is replaced without end where messages are processed, and refuses where a handler stands still', async (t) => {
    const topic = await cluster.topic(1);
    const producer = kafka().producer();
    cleanup(t, () => producer.disconnect());
    await producer.connect();
    const [has, holds] = [deferred(), deferred()];
    const { consumer: made } = await reader(t, topic, {
      run: {
        only: { key: 'stop' },
        eachMessage: () => {
          has.resolve();
          return holds.promise;
        },
      },
    });
    /** Until the rule was replaced at so many offsets. */
    const replace = async (count) => {
      const places = new Set();
      while (places.size < count) {
        producer.send({ topic, messages: [{ value: 'x' }] }).catch(() => {});
        for (const { offset } of await made.only({ key: 'stop' })) places.add(offset);
      }
    };
    await replace(1500);
    await producer.send({ topic, messages: [{ key: 'stop', value: 'x' }] });
    await has.promise;
    await assert.rejects(replace(1500), /replaced 1000 times while messages of .*\/0 wait/);
    holds.resolve();
    await made.caughtUp();
    await replace(10);
  });

  test('names what is wrong with a rule', async (t) => {
    const made = consumer(t);
    await made.subscribe({ topics: ['t'] });
    const wrong = [
      ['x', /^Consumer\.run: only must be a rule: .*, got 'x'/],
      [{}, /only must be a rule: .*, got one with nothing/],
      [{ header: 'a' }, /only must be a rule: .*, got one with header/],
      [{ header: 'a', is: 'b', absent: true }, /got one with absent,header,is/],
      [{ header: 1, is: 'b' }, /only\.header must be a string/],
      [{ header: 'a', is: 5 }, /only\.is must be a string, a Buffer or null/],
      [{ header: 'a', absent: false }, /only\.absent must be true/],
      [{ any: [{ key: 'k' }, { not: { key: ['a', {}] } }] }, /only\.any\[1\]\.not\.key\[1\] must be/],
      [{ all: { key: 'k' } }, /only\.all must be an array of rules/],
      [{ not: null }, /only\.not must be a rule/],
      [Array.from({ length: 101 }).reduce((rule) => ({ not: rule }), { key: 'k' }), /deeper than 100 rules/],
    ];
    for (const [only, message] of wrong) {
      const error = await made.run({ only, eachMessage: () => {} }).then(assert.fail, (thrown) => thrown);
      assert.match(error.message, message);
    }
    const circle = { not: {} };
    circle.not = circle;
    await assert.rejects(made.run({ only: circle, eachMessage: () => {} }), /deeper than 100/);
    await assert.rejects(made.only(null), /run must be called first/);
  });
});
