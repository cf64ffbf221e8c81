'use strict';
// A proxy's reports on itself: figures, metrics, sockets, lag, and whether Kafka is there.

const assert = require('node:assert/strict');
const http = require('node:http');
const { once } = require('node:events');
const { after, before, describe, test } = require('node:test');
const { Kafka } = require('kafka-native');
const { KafkaProxy } = require('kafka-proxy');
const { KafkaLook } = require('../js/kafka-proxy/dist/figures/kafka-look.js');
const { lagOf } = require('../js/kafka-proxy/dist/figures/lag.js');
const { Named, OTHER } = require('../js/kafka-proxy/dist/figures/named.js');
const { Ring } = require('../js/kafka-proxy/dist/figures/ring.js');
const { Samples } = require('../js/kafka-proxy/dist/figures/samples.js');
const { Exchange, Traffic } = require('../js/kafka-proxy/dist/figures/traffic.js');
const { cleanup } = require('./support/cleanup.js');
const { embedded, real, topicName } = require('./support/clusters.js');
const { PATIENCE, silent } = require('./support/flow.js');
const { knock, listening, reach } = require('./support/proxy.js');
const { LegacyClient } = require('./support/proxy-legacy.js');
const { Peer } = require('./support/proxy-peer.js');
const { eventually } = require('./support/watch.js');

/** An answer of the proxy: { status, type, text, json }. */
async function get(port, path, headers = {}) {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers });
  const text = await response.text();
  const type = response.headers.get('content-type') ?? '';
  return { status: response.status, type, text, json: type.includes('json') ? JSON.parse(text) : undefined };
}

/**
 * Prometheus' text format, strictly: { name: { type, help, samples: [{ name, labels, value }] } }. Throws for a line that is none, a series that
 * comes twice, and one without HELP and TYPE.
 */
function scrape(text) {
  assert.ok(text.endsWith('\n'));
  const metrics = new Map();
  const seen = new Set();
  let current;
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const meta = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.+)$/.exec(line);
    if (meta) {
      const [, kind, name, rest] = meta;
      if (kind === 'HELP') {
        assert.ok(!metrics.has(name), `${name} comes twice`);
        metrics.set(name, (current = { name, help: rest, type: undefined, samples: [] }));
      } else {
        assert.equal(name, current.name);
        assert.match(rest, /^(counter|gauge|histogram|summary)$/);
        current.type = rest;
      }
      continue;
    }
    const sample = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    assert.ok(sample, `no line of this format: ${line}`);
    const [, name, inner = '', value] = sample;
    assert.ok(name === current.name || (name.startsWith(current.name) && /_(bucket|sum|count)$/.test(name)), `${name} under ${current.name}`);
    const labels = {};
    const pair = /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y;
    for (let at = 0; at < inner.length; at = pair.lastIndex) {
      pair.lastIndex = at;
      const found = pair.exec(inner);
      assert.ok(found, `no labels: ${inner}`);
      labels[found[1]] = found[2].replace(/\\(.)/g, (_, each) => (each === 'n' ? '\n' : each));
    }
    const key = `${name}${JSON.stringify(labels)}`;
    assert.ok(!seen.has(key), `${key} comes twice`);
    seen.add(key);
    const number = value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value);
    assert.ok(!Number.isNaN(number) || /^nan$/i.test(value), line);
    current.samples.push({ name, labels, value: number });
  }
  for (const { name, type } of metrics.values()) {
    assert.ok(type, `${name} has no TYPE`);
    if (type === 'counter') assert.match(name, /_total$/);
  }
  return metrics;
}

/** The values of a metric by one label. */
const by = (metrics, name, label) => Object.fromEntries(metrics.get(`kafka_proxy_${name}`).samples.map(({ labels, value }) => [labels[label], value]));

describe('counters', () => {
  test('a rate is the average of the last seconds, and unknown when nothing was measured', () => {
    const traffic = new Traffic();
    assert.deepEqual(traffic.rate(0), { messages: null, bytes: null });
    for (let second = 0; second < 20; second++) {
      traffic.tick(1000 * second);
      traffic.add(second < 10 ? 10 : 50, 100);
    }
    assert.deepEqual(traffic.rate(19_500), { messages: 50, bytes: 100 });
    assert.deepEqual(traffic.rate(60_000), { messages: null, bytes: null });
    // Somebody looks again: what was before says nothing about now.
    traffic.tick(60_000);
    assert.deepEqual(traffic.rate(60_000), { messages: null, bytes: null });
    traffic.add(7, 0);
    traffic.tick(61_000);
    assert.deepEqual(traffic.rate(61_000), { messages: 7, bytes: 0 });
  });

  test('there are so many names at the most, and what is left out is not lost', () => {
    const named = new Named(() => new Exchange(), 10);
    let sum = 0;
    for (let i = 0; i < 1000; i++) {
      named.of(`t${i}`).sent.add(1, 2);
      named.of('busy').sent.add(1, 2);
      sum += 2;
      if (i % 7 === 0) named.tick(i);
      assert.ok(named.size <= 11);
    }
    assert.equal(
      [...named.values()].reduce((all, { messages }) => all + messages, 0),
      sum,
    );
    assert.ok(named.has('busy'), 'one that is never idle has kept its place');
    assert.ok(named.has('t999'));
    assert.equal(named.get('busy')?.messages, 1000);
    assert.equal(named.has(OTHER), true);
  });

  test('a group named as the rest was once is not mixed with it', () => {
    const named = new Named(() => new Exchange(), 2);
    for (const name of ['(other)', 'b', '(other)', 'c', '(other)', 'd']) {
      named.of(name).sent.add(1, 1);
      named.tick(0);
    }
    assert.equal(named.get('(other)')?.messages, 3);
    assert.equal(named.get(OTHER)?.messages, 2);
  });

  test('what has lost its place was counted before: it is no rate of the others', () => {
    const named = new Named(() => new Exchange(), 2);
    for (const [second, name] of ['a', 'b', 'c', 'd', 'e'].entries()) {
      named.of(name).sent.add(1_000_000, 1_000_000);
      named.tick(1000 * second);
    }
    named.tick(5000);
    const { sent } = /** @type {Exchange} */ (named.get(OTHER));
    assert.ok(sent.messages >= 2_000_000);
    assert.deepEqual(sent.rate(5000), { messages: 0, bytes: 0 });
  });

  test('a ring has the last entries, the oldest first', () => {
    const ring = new Ring(3);
    assert.deepEqual([[...ring], ring.oldest, ring.newest], [[], undefined, undefined]);
    for (let i = 1; i < 9; i++) {
      ring.push(i);
      assert.deepEqual(
        [...ring],
        [i - 2, i - 1, i].filter((each) => each > 0),
      );
      assert.deepEqual([ring.oldest, ring.newest], [Math.max(i - 2, 1), i]);
    }
    ring.clear();
    ring.push(9);
    assert.deepEqual([...ring], [9]);
  });
});

test('lag is from what is committed, or from the begin, and none where the topic is deleted', () => {
  const ends = new Map([
    [0, { low: 10, end: 30 }],
    [1, { low: 0, end: 5 }],
  ]);
  const lag = (...committed) => lagOf([{ topic: 't', committed: new Map(committed), ends }]);
  assert.deepEqual({ ...lag([0, 25], [1, 5]) }, { lag: 5, topics: { __proto__: null, t: 5 } });
  assert.equal(lag([0, 25]).lag, 10, 'a partition without a commit');
  assert.equal(lag([0, -1], [1, -1]).lag, 25);
  assert.equal(lag([0, 2], [1, 5]).lag, 20, 'retention has taken some of it');
  assert.equal(lag([0, 99], [1, 99]).lag, 0, 'the topic was made anew');
  assert.deepEqual({ ...lagOf([{ topic: 't', committed: new Map([[0, 1]]), ends: undefined }]) }, { lag: 0, topics: { __proto__: null } });
  assert.equal(lagOf([]).lag, null);
});

describe('on a real Kafka', () => {
  let cluster;
  let kafka;
  let admin;
  let producer;
  before(async () => {
    cluster = await real({ own: true });
    kafka = new Kafka({ brokers: cluster.options().broker.split(','), logger: silent });
    admin = kafka.admin();
    producer = kafka.producer();
    await Promise.all([admin.connect(), producer.connect()]);
  });
  after(async () => {
    await Promise.all([admin.disconnect(), producer.disconnect()]);
    await cluster.close();
  });
  const brokers = () => ({ brokers: cluster.options().broker });

  test('what clients got and wrote is counted message by message, by topic, group and socket, and scraped so', async (t) => {
    const [read, jobs, written] = await Promise.all([cluster.topic(3), cluster.topic(2), cluster.topic(1)]);
    const group = `${topicName('group')} "\\ü`;
    const old = topicName('old');
    const { port, url } = await listening(t, brokers());
    const send = (topic, count) => producer.send({ topic, messages: Array.from({ length: count }, (_, i) => ({ value: `value ${i}` })) });
    await Promise.all([send(read, 300), send(jobs, 200)]);

    /** Bytes of frames with messages, as they came. */
    const frames = new Map();
    const peer = async (codec) => {
      const made = await Peer.open(url, { codec });
      frames.set(made, 0);
      made.ws.prependListener('message', (data) => {
        if (made.codec.decode(data).type === 'batch') frames.set(made, frames.get(made) + data.length);
      });
      return made;
    };
    const [json, msgpack] = await Promise.all([peer('json'), peer('msgpack')]);
    json.say({ type: 'subscribe', id: 1, topics: [read], from: 'earliest' });
    msgpack.say({ type: 'subscribe', id: 'm', topics: [read], from: 'earliest' });
    json.say({ type: 'subscribe', id: 'g', topics: [jobs], group, from: 'earliest' });
    const legacy = new LegacyClient(port, `topic=${read}&partition=0&offset=0&consumerGroup=${old}`);
    const values = Array.from({ length: 50 }, (_, i) => ({ key: `k${i}`, value: `ä${i}` }));
    assert.equal(
      (await msgpack.ask({ type: 'produce', id: 'p', topic: written, messages: values.map(({ key, value }) => ({ key, value })) }, 'produced')).type,
      'produced',
    );
    await Promise.all([json.got(1, 300), msgpack.got('m', 300), json.got('g', 200)]);
    const [first] = await admin.fetchTopicOffsets(read);
    await legacy.got(Number(first.high));
    const last = json.records.get('g').reduce((found, { partition, offset }) => found.set(partition, Math.max(found.get(partition) ?? -1, offset)), new Map());
    for (const [partition, offset] of last) json.say({ type: 'ack', id: 'g', topic: jobs, partition, offset });

    const ofLegacy = legacy.frames.reduce((sum, frame) => sum + Buffer.byteLength(frame), 0);
    const bytes = values.reduce((sum, { key, value }) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0);
    const { json: figures } = await get(port, '/figures');
    const total = 300 + 300 + 200 + legacy.messages.length;
    assert.equal(figures.sent.messages, total);
    assert.equal(figures.sent.bytes, frames.get(json) + frames.get(msgpack) + ofLegacy);
    const topic = (name) => figures.topics.find((each) => each.topic === name);
    assert.equal(topic(read).sent.messages, total - 200);
    assert.deepEqual([topic(jobs).sent.messages, topic(jobs).received.messages], [200, 0]);
    assert.equal(topic(written).received.messages, 50);
    assert.equal(topic(written).received.bytes, figures.received.bytes);
    // The characters of JavaScript are counted where a client writes text, bytes where it writes bytes.
    assert.ok(figures.received.bytes === bytes || figures.received.bytes === bytes - values.length, `${figures.received.bytes} of ${bytes}`);
    assert.equal(figures.sockets, 3);
    assert.equal(figures.groups.find((each) => each.group === group).sent.messages, 200);
    assert.equal(figures.groups.find((each) => each.group === old).sent.messages, legacy.messages.length);

    const { json: shown } = await get(port, '/sockets');
    assert.equal(shown.total, 3);
    const socket = (protocol) => shown.sockets.find((each) => each.protocol === protocol);
    assert.deepEqual([socket('kafka.v2.json').sent.messages, socket('kafka.v2.json').sent.bytes], [500, frames.get(json)]);
    assert.deepEqual([socket('kafka.v2.msgpack').sent.messages, socket('kafka.v2.msgpack').received.messages], [300, 50]);
    assert.deepEqual([socket('kafka-proxy 1.0').sent.bytes, socket('kafka-proxy 1.0').reads[0].group], [ofLegacy, old]);
    assert.deepEqual(
      socket('kafka.v2.json').reads.map(({ id }) => id),
      [1, 'g'],
    );
    assert.deepEqual((await get(port, '/sockets?limit=1')).json.sockets.length, 1);
    assert.equal((await get(port, '/sockets?limit=0')).status, 400);

    // A rule, and a page of another origin.
    assert.equal((await knock(port, { headers: { origin: 'https://evil.example' } })).status, 403);
    const answer = await get(port, '/metrics');
    assert.match(answer.type, /^text\/plain; version=0\.0\.4/);
    const metrics = scrape(answer.text);
    assert.equal(by(metrics, 'sent_messages_total', 'topic')[read], total - 200);
    assert.equal(by(metrics, 'sent_bytes_total', 'topic')[jobs], topic(jobs).sent.bytes);
    assert.equal(by(metrics, 'received_messages_total', 'topic')[written], 50);
    assert.equal(by(metrics, 'received_bytes_total', 'topic')[written], figures.received.bytes);
    assert.equal(by(metrics, 'group_sent_messages_total', 'group')[group], 200, 'also with what must be escaped');
    assert.deepEqual(by(metrics, 'sockets', 'protocol'), { 'kafka.v2.json': 1, 'kafka.v2.msgpack': 1, 'kafka-proxy 1.0': 1 });
    assert.deepEqual(by(metrics, 'refused_total', 'status'), { 403: 1 });
    assert.deepEqual(by(metrics, 'readers', 'kind'), { topic: 1, group: 1 });
    assert.ok(metrics.get('kafka_proxy_cache_bytes').samples[0].value > 0);
    assert.equal(metrics.get('kafka_proxy_kafka_up').samples[0].value, 1);
    const probes = await Promise.all(Array.from({ length: 100 }, () => get(port, '/readyz')));
    assert.ok(probes.every(({ status, json }) => status === 200 && json.status === 'ready'));
    const { json: shownCluster } = await get(port, '/cluster');
    assert.deepEqual([shownCluster.brokers.length, typeof shownCluster.id], [1, 'string']);
    assert.ok(metrics.has('nodejs_eventloop_lag_seconds') && metrics.has('process_cpu_seconds_total'));

    await Promise.all([json.close(), msgpack.close(), legacy.close()]);
    await eventually(PATIENCE, 'no socket', async () => (await get(port, '/sockets')).json.total === 0);
    assert.deepEqual((await get(port, '/sockets')).json.sockets, []);
    assert.equal((await get(port, '/figures')).json.sent.messages, total, 'what it has done stays');
    const again = scrape((await get(port, '/metrics')).text);
    assert.deepEqual(again.get('kafka_proxy_sockets').samples, []);
  });

  test('samples: messages and rates of topics, a lag that goes with its group, deleted topics, and a broker that is away', async (t) => {
    const [topic, other] = await Promise.all([cluster.topic(2), cluster.topic(1)]);
    const group = topicName('group');
    const looker = kafka.admin({ retry: { retries: 0 } });
    await looker.connect();
    cleanup(t, () => looker.disconnect());
    const [patience, fresh] = [1000, 2500];
    const look = new KafkaLook(async () => looker, { patience, fresh });
    const counted = new Map([[topic, new Exchange()]]);
    const own = topicName('own');
    const known = { groups: () => [{ group: own, topics: [topic] }], read: () => undefined, counted: (name) => counted.get(name) };
    const samples = new Samples(async () => looker, look, known, silent, { pace: 50, patience });
    const timer = setInterval(() => samples.tick(), 20);
    cleanup(t, async () => {
      clearInterval(timer);
      await samples.close();
    });
    const send = (name, count) => producer.send({ topic: name, messages: Array.from({ length: count }, () => ({ value: 'x'.repeat(100) })) });
    const becomes = (what, fits) => eventually(PATIENCE, what, () => fits());

    assert.equal(samples.topic(topic), undefined, 'nobody has asked');
    await becomes('empty', () => samples.topic(topic)?.messages === 0);
    assert.equal(samples.topic(topic)?.rate.messages, null);
    await send(topic, 20);
    await becomes('20 messages', () => samples.topic(topic)?.messages === 20);
    const { rate } = /** @type {any} */ (samples.topic(topic));
    assert.ok(rate.messages > 0, `${rate.messages}`);
    assert.equal(rate.bytes, null, 'others have written it');
    counted.get(topic)?.received.add(20, 2000);
    await send(topic, 20);
    counted.get(topic)?.received.add(20, 2000);
    counted.get(topic)?.received.add(20, 2000);
    await becomes('bytes', () => Number(samples.topic(topic)?.rate.bytes) > 0);

    assert.equal(samples.group(group), undefined);
    await becomes('no group', () => samples.group(group)?.lag === null);
    for (const name of [topic, other]) await admin.setOffsets({ groupId: group, topic: name, partitions: [{ partition: 0, offset: '0' }] });
    await send(other, 5);
    await becomes('behind', () => samples.group(group)?.lag === 45);
    await admin.deleteTopics({ topics: [other] });
    await becomes('without what is deleted', () => samples.group(group)?.lag === 40);
    const lagOfGroup = (name) => Object.fromEntries(samples.lags())[name];
    assert.equal(lagOfGroup(group).topics[topic], 40);
    // Of a group with members here it is known, and recorded, without anybody asking for it.
    await becomes('the own group is behind', () => lagOfGroup(own)?.lag === 40);
    samples.record(1);
    assert.deepEqual(samples.history(own), [{ at: 1, lag: 40, topics: { [topic]: 40 } }]);
    await becomes('the topic is gone', () => samples.topic(other)?.messages === null);

    assert.equal(await look.fresh(), true);
    cluster.kafka.nodes[0].pause();
    try {
      await becomes('away', async () => !(await look.fresh()));
      assert.ok(Number(look.age) > fresh, `${look.age}`);
      const { messages, age } = /** @type {any} */ (samples.topic(topic));
      assert.equal(messages, 40, 'what was known last');
      assert.ok(age > patience, `${age}`);
    } finally {
      cluster.kafka.nodes[0].resume();
    }
    await becomes('there', () => look.fresh());
    await send(topic, 1);
    await becomes('it goes on', () => samples.topic(topic)?.messages === 41);
    await admin.deleteGroups([group]);
    await becomes('the group is gone', () => samples.group(group)?.lag === null);
  });
});

test('all who ask at the same time share one look, and a look that hangs ends', async () => {
  let looks = 0;
  const look = new KafkaLook(
    /** @type {any} */ (
      async () => ({
        listTopics: async () => {
          looks++;
          await new Promise(setImmediate);
          return ['t'];
        },
      })
    ),
  );
  assert.equal(look.age, null);
  assert.deepEqual(await Promise.all(Array.from({ length: 1000 }, () => look.fresh())), Array(1000).fill(true));
  assert.deepEqual(await look.topics(), ['t']);
  assert.equal(looks, 1);
  const hangs = new KafkaLook(() => new Promise(() => {}), { patience: 50 });
  assert.deepEqual(await Promise.all([hangs.fresh(), hangs.topics()]), [false, undefined]);
  assert.equal(hangs.age, null);
});

test('Kafka is asked of 1000 topics a few at once, not more than a fifth of the time, and not when nobody looks', async (t) => {
  const names = Array.from({ length: 1000 }, (_, i) => `topic-${i}`);
  let [asked, now, most] = [0, 0, 0];
  const watched = {
    listTopics: async () => names,
    fetchTopicOffsets: async () => {
      asked++;
      most = Math.max(most, ++now);
      await new Promise(setImmediate);
      now--;
      return [0, 1].map((partition) => ({ partition, low: '5', high: '7' }));
    },
  };
  const open = /** @type {any} */ (async () => watched);
  const samples = new Samples(open, new KafkaLook(open), { groups: () => [], read: () => undefined, counted: () => undefined }, silent);
  const clock = performance.now.bind(performance);
  let ahead = 0;
  performance.now = () => clock() + ahead;
  cleanup(t, () => {
    performance.now = clock;
  });
  samples.tick();
  assert.equal(asked, 0, 'nobody looks');
  const all = () => names.every((name) => samples.topic(name)?.messages === 4);
  assert.equal(all(), false);
  names.every((name) => samples.topic(name) === undefined);
  samples.tick();
  samples.tick();
  await eventually(PATIENCE, 'all are known', all);
  assert.equal(asked, 1000);
  assert.ok(most <= 8, `${most} at once`);
  await new Promise(setImmediate);
  samples.tick();
  await new Promise(setImmediate);
  assert.equal(asked, 1000, 'it rests');
  ahead += 10_000;
  samples.tick();
  await eventually(PATIENCE, 'the second round', () => asked === 2000 && now === 0);
  await eventually(PATIENCE, 'it is over', () => all());
  ahead += 60_000;
  await new Promise((resolve) => setTimeout(resolve, 20));
  samples.tick();
  await new Promise(setImmediate);
  assert.equal(asked, 2000, 'nobody looks any more');
  await samples.close();
});

test('while the controller is down it is said that nobody tells of the brokers', async (t) => {
  const cluster = await embedded({ brokers: 2 });
  cleanup(t, () => cluster.close());
  const { port } = await listening(t, { kafka: reach(cluster) });
  const known = (await get(port, '/cluster')).json;
  assert.deepEqual([known.controller, known.brokers.length, known.missing], [1, 2, undefined]);
  cluster.mock.brokerDown(1);
  await eventually(PATIENCE, 'the brokers are not known', async () => {
    const { status, json } = await get(port, '/cluster');
    return status === 200 && /does not tell of its brokers/.test(json.missing);
  });
  assert.equal((await get(port, '/readyz')).status, 200);
});

test('who may not see them does not, but for healthz and readyz, and a name of a group is decoded', async (t) => {
  const asked = [];
  const { port } = await listening(t, {
    auth: 'secret',
    authorize: (_, access) => {
      asked.push(access);
      return false;
    },
  });
  for (const path of ['/figures', '/sockets', '/cluster', '/metrics', '/alerts', '/groups/a%2Fb%25/history']) {
    assert.equal((await get(port, path)).status, 401, path);
    const { status, json } = await get(port, path, { authorization: 'basic secret' });
    assert.deepEqual([status, json.code], [403, 'FORBIDDEN'], path);
  }
  assert.deepEqual(asked, [
    { operation: 'metrics' },
    { operation: 'admin' },
    { operation: 'admin' },
    { operation: 'metrics' },
    { operation: 'metrics' },
    { operation: 'group', group: 'a/b%' },
  ]);
  assert.equal((await get(port, '/healthz')).json.status, 'ok');
  const { status, json } = await get(port, '/readyz');
  assert.deepEqual(
    [status, json.code, json.message],
    [503, 'KAFKA_UNAVAILABLE', 'Kafka has not answered yet; it is asked again and again. The log of the proxy has more.'],
  );
});

test('a proxy that ends is not ready any more, but healthy, and leaves no timer behind', async (t) => {
  const cluster = await embedded();
  cleanup(t, () => cluster.close());
  const proxy = new KafkaProxy({ kafka: reach(cluster), path: '/kafka', logger: silent });
  const server = http.createServer(proxy.handler);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanup(t, () => server.close());
  proxy.attach(server);
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  assert.equal((await get(port, '/kafka/readyz')).status, 200);
  await proxy.close();
  const { status, json } = await get(port, '/kafka/readyz');
  assert.deepEqual([status, json.code], [503, 'CLOSING']);
  assert.equal((await get(port, '/kafka/healthz')).status, 200);
});
