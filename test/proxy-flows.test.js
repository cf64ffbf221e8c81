'use strict';
// Protocol 2 through a whole proxy, on the real Kafka, in both codecs.

const { after, before, describe, test } = require('node:test');
const assert = require('node:assert/strict');
const { Kafka } = require('kafka-native');
const { KafkaProxy } = require('kafka-proxy');
const { cleanup } = require('./support/cleanup.js');
const { real, topicName } = require('./support/clusters.js');
const { read } = require('../js/kafka-proxy/dist/v2/messages.js');
const { Producing, Writers } = require('../js/kafka-proxy/dist/v2/producing.js');
const { Peer } = require('./support/proxy-peer.js');

const SILENT = { error() {}, warn() {}, info() {}, debug() {} };

let cluster;
let kafka;
let producer;
let admin;
before(async () => {
  cluster = await real();
  kafka = new Kafka({ brokers: cluster.options().broker.split(','), logger: SILENT });
  producer = kafka.producer();
  admin = kafka.admin();
  await Promise.all([producer.connect(), admin.connect()]);
});
after(async () => {
  await Promise.all([producer.disconnect(), admin.disconnect()]);
  await cluster.close();
});

/** @param {object} [options] of the proxy */
async function proxy(t, options = {}) {
  const made = new KafkaProxy({ brokers: [cluster.options().broker], port: 0, logger: SILENT, ...options });
  const { port } = await made.listen();
  cleanup(t, () => made.close());
  const url = `ws://127.0.0.1:${port}/`;
  /** @param {Parameters<typeof Peer.open>[1]} [how] */
  const open = async (how) => {
    const peer = await Peer.open(url, how);
    cleanup(t, () => peer.ws.terminate());
    return peer;
  };
  return { made, url, open };
}

/** Messages m0, m1 ... to one partition; resolves when they are written. */
const fill = (topic, count, { from = 0, partition = 0 } = {}) =>
  producer.send({ topic, messages: Array.from({ length: count }, (_, n) => ({ partition, key: `k${(from + n) % 3}`, value: `m${from + n}` })) });
const values = (records) => records.map(({ value }) => (value instanceof Uint8Array ? Buffer.from(value).toString() : value));
const numbered = (count, from = 0) => Array.from({ length: count }, (_, n) => `m${from + n}`);

for (const codec of /** @type {const} */ (['json', 'msgpack'])) {
  describe(`protocol 2, ${codec}`, () => {
    test('says hello with its limits before anything else', async (t) => {
      const { open } = await proxy(t);
      const peer = await open({ codec });
      await peer.told('hello');
      const [{ type, protocol, limits, socket }] = peer.all;
      assert.deepEqual([type, protocol], ['hello', 2]);
      assert.ok(limits.payload > 0 && limits.subscriptions > 0 && socket);
      const free = await (await proxy(t, { limits: { framesPerSecond: Number.POSITIVE_INFINITY } })).open({ codec });
      assert.ok(!('framesPerSecond' in (await free.told('hello')).limits), 'JSON has no Infinity');
    });

    test('what is produced on one socket comes to another, whatever it is', async (t) => {
      const { open } = await proxy(t);
      const topic = await cluster.topic(1);
      const [reader, writer] = [await open({ codec }), await open({ codec })];
      await reader.ask({ type: 'subscribe', id: 1, topics: [topic] }, 'assigned');
      const binary = Buffer.from([0, 255, 254, 1]);
      const messages = [
        { value: 'text \u{1f600} "quoted"\n' },
        { key: 'k', value: null },
        { key: '', value: '' },
        { value: { a: [1, 2.5, null, 'x'], b: true } },
        { value: 42 },
        { key: 'h', value: 'v', headers: { one: '1', two: ['2', null, '3'], empty: '' }, timestamp: 1_700_000_000_000 },
        codec === 'json'
          ? { keyBase64: binary.toString('base64'), valueBase64: binary.toString('base64'), headersBase64: { b: binary.toString('base64') } }
          : { key: binary, value: binary, headers: { b: binary } },
      ];
      const { results } = await writer.ask({ type: 'produce', id: 'p', topic, messages }, 'produced');
      assert.deepEqual(
        results,
        messages.map((_, offset) => ({ partition: 0, offset })),
      );
      const records = (await reader.got(1, messages.length)).map(({ timestamp, topic: _, partition: __, ...record }) => {
        assert.equal(typeof timestamp, 'number');
        return record;
      });
      const text = (value) => (codec === 'json' || value === null ? value : new Uint8Array(Buffer.from(value)));
      const plain = (value) => {
        if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`;
        if (Array.isArray(value)) return value.map(plain);
        return value === null || typeof value !== 'object' ? value : Object.fromEntries(Object.entries(value).map(([name, each]) => [name, plain(each)]));
      };
      const expected = [
        { offset: 0, value: text(messages[0].value) },
        { offset: 1, key: text('k'), value: null },
        { offset: 2, key: text(''), value: text('') },
        { offset: 3, value: text('{"a":[1,2.5,null,"x"],"b":true}') },
        { offset: 4, value: text('42') },
        { offset: 5, key: text('h'), value: text('v'), headers: { one: text('1'), two: [text('2'), null, text('3')], empty: text('') } },
        codec === 'json'
          ? { offset: 6, keyBase64: binary.toString('base64'), valueBase64: binary.toString('base64'), headersBase64: { b: binary.toString('base64') } }
          : { offset: 6, key: new Uint8Array(binary), value: new Uint8Array(binary), headers: { b: new Uint8Array(binary) } },
      ];
      assert.deepEqual(plain(records), plain(expected));
      assert.equal(reader.records.get(1)[5].timestamp, 1_700_000_000_000);
    });

    test('many subscriptions live on one socket, and end one by one', async (t) => {
      const { open } = await proxy(t);
      const topics = await Promise.all([cluster.topic(1), cluster.topic(2), cluster.topic(1)]);
      await Promise.all(topics.map((topic) => fill(topic, 5)));
      const peer = await open({ codec });
      topics.forEach((topic, i) => peer.say({ type: 'subscribe', id: `s${i}`, topics: [topic], from: 'earliest' }));
      peer.say({ type: 'subscribe', id: 'all', topics, from: 'earliest' });
      for (const id of ['s0', 's1', 's2']) assert.deepEqual(values(await peer.got(id, 5)), numbered(5));
      await peer.got('all', 15);
      assert.equal((await peer.ask({ type: 'unsubscribe', id: 's1' }, 'unsubscribed')).type, 'unsubscribed');
      await fill(topics[1], 5, { from: 5 });
      await peer.got('all', 20);
      assert.equal(peer.records.get('s1').length, 5);
      assert.equal((await peer.ask({ type: 'lag', id: 's1' }, 'lag')).code, 'UNKNOWN_ID');
      // Its id can be had again, when nothing of it is told any more.
      peer.say({ type: 'unsubscribe', id: 's2' });
      const { code } = await peer.ask({ type: 'subscribe', id: 's2', topics: [topics[0]] }, 'assigned');
      await peer.told('unsubscribed', { id: 's2' });
      const order = peer.all.filter(({ id, type }) => id === 's2' && ['assigned', 'unsubscribed'].includes(type)).map(({ type }) => type);
      assert.deepEqual(order, ['assigned', 'unsubscribed', ...(code === 'DUPLICATE_ID' ? [] : ['assigned'])]);
      await peer.ask({ type: 'subscribe', id: 's1', topics: [topics[0]], from: { offsets: [{ topic: topics[0], partition: 0, offset: 3 }] } }, 'assigned');
      assert.deepEqual(values((await peer.got('s1', 7)).slice(5)), numbered(2, 3));
    });

    test('a credit of messages is kept to the message, and pause and resume lose nothing', async (t) => {
      const { open } = await proxy(t);
      const topic = await cluster.topic(1);
      await fill(topic, 100);
      const peer = await open({ codec });
      peer.say({ type: 'subscribe', id: 1, topics: [topic], from: 'earliest', credit: { messages: 7 } });
      await peer.got(1, 7);
      const { partitions } = await peer.ask({ type: 'lag', id: 1 }, 'lag');
      assert.deepEqual(partitions, [{ topic, partition: 0, offset: 7, end: 100, lag: 93 }]);
      assert.equal(peer.records.get(1).length, 7);
      peer.say({ type: 'pause', id: 1 }).say({ type: 'credit', id: 1, messages: 50 });
      await peer.ask({ type: 'lag', id: 1 }, 'lag');
      assert.equal(peer.records.get(1).length, 7);
      peer.say({ type: 'resume', id: 1 });
      await peer.got(1, 57);
      peer.say({ type: 'credit', id: 1, messages: 1000 });
      assert.deepEqual(values(await peer.got(1, 100)), numbered(100));
      await peer.told('caughtUp', { id: 1 });
    });

    test('seek goes to an offset, the begin, the end and a time', async (t) => {
      const { open } = await proxy(t);
      const topic = await cluster.topic(1);
      await producer.send({ topic, messages: Array.from({ length: 10 }, (_, n) => ({ value: `m${n}`, timestamp: String(1_700_000_000_000 + n * 1000) })) });
      const peer = await open({ codec });
      await peer.ask({ type: 'subscribe', id: 1, topics: [topic], from: { timestamp: 1_700_000_004_500 } }, 'assigned');
      assert.deepEqual(values(await peer.got(1, 5)), numbered(5, 5));
      for (const [offset, first] of /** @type {[any, number][]} */ ([
        [8, 8],
        ['earliest', 0],
        [{ timestamp: 1_700_000_007_000 }, 7],
      ])) {
        const had = peer.records.get(1).length;
        const { partitions } = await peer.ask({ type: 'seek', id: 1, topic, partition: 0, offset }, 'assigned');
        assert.deepEqual(partitions, [{ topic, partition: 0, offset: first }]);
        assert.deepEqual(values((await peer.got(1, had + 10 - first)).slice(had)), numbered(10 - first, first));
      }
      const had = peer.records.get(1).length;
      await peer.ask({ type: 'seek', id: 1, topic, partition: 0, offset: 'latest' }, 'assigned');
      await fill(topic, 1, { from: 10 });
      assert.deepEqual(values((await peer.got(1, had + 1)).slice(had)), ['m10']);
    });

    test('a rule leaves out what a client does not want', async (t) => {
      const { open } = await proxy(t);
      const topic = await cluster.topic(1);
      await fill(topic, 9);
      const peer = await open({ codec });
      await peer.ask({ type: 'subscribe', id: 1, topics: [topic], from: 'earliest', only: { key: 'k1' } }, 'assigned');
      assert.deepEqual(values(await peer.got(1, 3)), ['m1', 'm4', 'm7']);
      await peer.told('caughtUp', { id: 1 });
      const refused = await peer.ask({ type: 'subscribe', id: 2, topics: [topic], only: { keys: 'k1' } }, 'assigned');
      assert.deepEqual([refused.type, refused.code, refused.fatal], ['error', 'BAD_REQUEST', true]);
    });

    test('a table gives its entries, says caughtUp, and then what changes', async (t) => {
      const { open } = await proxy(t);
      const topic = await cluster.topic(2, { config: { 'cleanup.policy': 'compact' } });
      const set = (key, value) => producer.send({ topic, messages: [{ key, value }] });
      for (const [key, value] of /** @type {[string, string | null][]} */ ([
        ['a', '1'],
        ['b', '2'],
        ['a', '3'],
        ['c', '4'],
        ['b', null],
      ]))
        await set(key, value);
      const peer = await open({ codec });
      peer.say({ type: 'subscribe', id: 1, topics: [topic], table: true, key: 'text', value: 'text' });
      await peer.told('caughtUp', { id: 1 });
      const entry = ({ key, value, snapshot }) => [key, value, snapshot];
      assert.deepEqual(peer.records.get(1).map(entry).sort(), [
        ['a', '3', true],
        ['c', '4', true],
      ]);
      await set('c', null);
      await set('d', '5');
      assert.deepEqual((await peer.got(1, 4)).slice(2).map(entry).sort(), [
        ['c', null, undefined],
        ['d', '5', undefined],
      ]);
    });

    test('a group deals partitions, commits what is acknowledged, and gives the rest to who is left', async (t) => {
      const { open } = await proxy(t);
      const topic = await cluster.topic(4);
      await Promise.all([0, 1, 2, 3].map((partition) => fill(topic, 10, { partition })));
      const group = topicName('group');
      const [a, b] = [await open({ codec }), await open({ codec })];
      const subscribe = { type: 'subscribe', id: 'g', topics: [topic], group, from: 'earliest' };
      a.say(subscribe);
      await a.got('g', 40);
      for (const partition of [0, 1, 2, 3]) a.say({ type: 'ack', id: 'g', topic, partition, offset: 4 });
      for (const partition of [0, 1, 2, 3]) await a.told('committed', { partition, offset: 4 });
      b.say(subscribe);
      await b.until(({ type, partitions }) => type === 'assigned' && partitions.length > 0);
      a.ws.terminate();
      const rest = () => new Set((b.records.get('g') ?? []).map(({ partition, offset }) => `${partition}/${offset}`));
      await b.until(() => rest().size === 20);
      assert.ok(
        [...rest()].every((place) => Number(place.split('/')[1]) > 4),
        'what was told as committed does not come again',
      );
      for (const partition of [0, 1, 2, 3]) b.say({ type: 'ack', id: 'g', topic, partition, offset: 9 });
      for (const partition of [0, 1, 2, 3]) await b.told('committed', { partition, offset: 9 });
      const [{ partitions }] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
      assert.deepEqual(
        partitions.map(({ offset }) => offset),
        ['10', '10', '10', '10'],
      );
    });

    test('nack gives a message and those behind it again', async (t) => {
      const { open } = await proxy(t);
      const topic = await cluster.topic(1);
      await fill(topic, 5);
      const peer = await open({ codec });
      peer.say({ type: 'subscribe', id: 1, topics: [topic], group: topicName('group'), from: 'earliest' });
      await peer.got(1, 5);
      peer.say({ type: 'ack', id: 1, topic, partition: 0, offset: 1 }).say({ type: 'nack', id: 1, topic, partition: 0, offset: 3 });
      assert.deepEqual(values((await peer.got(1, 7)).slice(5)), ['m3', 'm4']);
    });

    test('every mistake has an answer with a code, and the socket goes on', async (t) => {
      const { open } = await proxy(t, { limits: { subscriptions: 2, topics: 3 } });
      const topic = await cluster.topic(1);
      const peer = await open({ codec });
      const id = 'x';
      const code = async (message) => {
        const { type, code: said, fatal, retriable, message: words } = await peer.ask({ id, ...message }, 'assigned');
        assert.ok(type === 'error' && words.length > 5, `${JSON.stringify(message)}: ${type}`);
        return [said, fatal, retriable];
      };
      assert.deepEqual(await code({ type: 'nonsense' }), ['BAD_REQUEST', false, false]);
      assert.deepEqual(await code({ type: 'subscribe' }), ['BAD_REQUEST', true, false]);
      assert.deepEqual(await code({ type: 'subscribe', topics: 5 }), ['BAD_REQUEST', true, false]);
      assert.deepEqual(await code({ type: 'subscribe', topics: [topic], from: 'yesterday' }), ['BAD_REQUEST', true, false]);
      assert.deepEqual(await code({ type: 'subscribe', topics: [topic], from: 'committed' }), ['BAD_REQUEST', true, false]);
      assert.deepEqual(await code({ type: 'subscribe', topics: [topic], group: 'g', table: true }), ['BAD_REQUEST', true, false]);
      assert.deepEqual(await code({ type: 'subscribe', topics: [topic], group: 'g', slow: 'newest' }), ['BAD_REQUEST', true, false]);
      assert.deepEqual(await code({ type: 'subscribe', topics: [topic], group: 'g', from: { timestamp: 1 } }), ['BAD_REQUEST', true, false]);
      for (const pattern of ['*a*b*c*d', '(a+)+', 'ä*', 'a b']) assert.deepEqual(await code({ type: 'subscribe', pattern }), ['BAD_REQUEST', true, false]);
      assert.deepEqual(await code({ type: 'subscribe', topics: ['a', 'b', 'c', 'd'] }), ['LIMIT', true, false]);
      assert.deepEqual(await code({ type: 'subscribe', topics: [topicName('nowhere')] }), ['UNKNOWN_TOPIC_OR_PARTITION', true, true]);
      assert.deepEqual(await code({ type: 'ack', topic, partition: 0, offset: 0 }), ['UNKNOWN_ID', false, false]);
      assert.deepEqual(await code({ type: 'produce', topic, messages: [{}] }), ['BAD_REQUEST', true, false]);
      await peer.ask({ type: 'subscribe', id, topics: [topic] }, 'assigned');
      assert.deepEqual(await code({ type: 'subscribe', topics: [topic] }), ['DUPLICATE_ID', false, false]);
      assert.deepEqual(await code({ type: 'ack', topic, partition: 0, offset: 0 }), ['BAD_REQUEST', false, false]);
      assert.deepEqual((await code({ type: 'seek', topic, partition: 7, offset: 0 })).slice(1), [false, false]);
      await peer.ask({ type: 'subscribe', id: 2, topics: [topic] }, 'assigned');
      assert.deepEqual((await peer.ask({ type: 'subscribe', id: 3, topics: [topic] }, 'assigned')).code, 'LIMIT');
      const { results } = await peer.ask({ type: 'produce', id: 'p', topic, messages: [{ value: 'still here' }, { value: 'x', partition: 9 }] }, 'produced');
      assert.equal(results[0].offset, 0);
      assert.ok(results[1].error.code && results[1].error.message);
      assert.deepEqual(values(await peer.got(2, 1)), ['still here']);
    });
  });
}

test('a frame that is no message closes the socket with 4400, and says why', async (t) => {
  const { open } = await proxy(t);
  for (const [codec, frame] of /** @type {['json' | 'msgpack', any][]} */ ([
    ['json', '{'],
    ['json', Buffer.from([0xff])],
    ['msgpack', Buffer.from([0xc1])],
    ['msgpack', 'text'],
  ])) {
    const peer = await open({ codec });
    peer.ws.send(frame);
    const { code, reason } = await peer.closed;
    assert.equal(code, 4400, `${codec} ${frame}: ${reason}`);
    assert.ok(reason.length > 0);
    await peer.told('error', { code: 'BAD_REQUEST' });
  }
});

test('in msgpack a key __proto__ closes the socket that sends it with 4400, says why, writes nothing, and leaves others alone; in JSON, or as bytes, it is written', async (t) => {
  const { open } = await proxy(t);
  const topic = await cluster.topic(1);
  const object = { ['__proto__']: 'p' };
  const other = await open({ codec: 'msgpack' });
  for (const message of [{ value: object }, { value: 'v', headers: object }]) {
    const peer = await open({ codec: 'msgpack' });
    peer.say({ type: 'produce', id: 1, topic, messages: [message] });
    assert.deepEqual(await peer.closed, { code: 4400, reason: 'a frame is no msgpack' });
    assert.match((await peer.told('error', { code: 'BAD_REQUEST' })).message, /__proto__/);
  }
  const bytes = Buffer.from(JSON.stringify(object));
  assert.deepEqual((await other.ask({ type: 'produce', id: 1, topic, messages: [{ value: bytes }] }, 'produced')).results, [{ partition: 0, offset: 0 }]);
  const json = await open();
  const written = await json.ask({ type: 'produce', id: 1, topic, messages: [{ value: object, headers: object }] }, 'produced');
  assert.deepEqual(written.results, [{ partition: 0, offset: 1 }]);
  const reader = await open();
  reader.say({ type: 'subscribe', id: 1, topics: [topic], from: 'earliest' });
  assert.deepEqual(values(await reader.got(1, 2)), ['{"__proto__":"p"}', '{"__proto__":"p"}']);
});

test('authorize decides on every topic and group, and is asked once while a socket is open', async (t) => {
  const asked = [];
  const topic = await cluster.topic(1);
  const { open } = await proxy(t, {
    authenticate: () => ({ name: 'ann' }),
    authorize: async (principal, access) => {
      asked.push([principal.name, access]);
      return access.operation === 'read' ? access.topic === topic : access.operation === 'write' && access.topic === topic;
    },
  });
  const peer = await open();
  const ask = async (message) => (await peer.ask(message, message.type === 'produce' ? 'produced' : 'assigned')).code;
  assert.equal(await ask({ type: 'subscribe', id: 1, topics: [topic] }), undefined);
  assert.equal(await ask({ type: 'subscribe', id: 2, topics: [topic] }), undefined);
  assert.equal(await ask({ type: 'subscribe', id: 3, topics: [topic, 'other'] }), 'FORBIDDEN');
  assert.equal(await ask({ type: 'subscribe', id: 4, pattern: '*' }), 'FORBIDDEN');
  assert.equal(await ask({ type: 'subscribe', id: 5, topics: [topic], group: 'mine' }), 'FORBIDDEN');
  assert.equal(await ask({ type: 'produce', id: 6, topic: 'other', messages: [{ value: 'x' }] }), 'FORBIDDEN');
  assert.equal(await ask({ type: 'produce', id: 7, topic, messages: [{ value: 'x' }] }), undefined);
  assert.equal(asked.filter(([, access]) => access.operation === 'read' && access.topic === topic).length, 1);
  assert.ok(asked.every(([name]) => name === 'ann'));
  assert.deepEqual(values(await peer.got(1, 1)), ['x']);
});

test('of a message full of what does not fit the first is told, and not looked at the rest', () => {
  const many = (each) => Array.from({ length: 1000 }, () => each);
  const headers = Object.fromEntries(many(1).map((each, n) => [n, each]));
  for (const wrong of [
    { type: 'produce', topic: 't', messages: many(1) },
    { type: 'produce', topic: 't', messages: many({ value: 'x', key: 1 }) },
    { type: 'produce', topic: 't', messages: [{ value: 'x', headers }] },
    { type: 'produce', topic: 't', messages: [{ value: 'x', headers: { a: many(1) } }] },
    { type: 'produce', topic: 't', messages: [{ value: 'x', headersBase64: headers }] },
    { type: 'subscribe', topics: many(1) },
    { type: 'subscribe', topics: ['t'], partitions: many(-1) },
    { type: 'subscribe', topics: ['t'], from: { offsets: many({ topic: 't', partition: 0, offset: -1 }) } },
  ]) {
    const { refused } = read({ id: 1, ...wrong });
    assert.ok(refused && !refused.includes(';'), refused);
  }
});

test('headers of any name are written, and base64 that is none is refused', async (t) => {
  const { open } = await proxy(t);
  const topic = await cluster.topic(1);
  const peer = await open();
  peer.ws.send(`{"type":"produce","id":1,"topic":"${topic}","messages":[{"value":"v","headers":{"__proto__":"a","constructor":"b"}}]}`);
  await peer.told('produced', { id: 1 });
  assert.equal((await peer.ask({ type: 'produce', id: 2, topic, messages: [{ value: 'v', headersBase64: { a: '!' } }] }, 'produced')).code, 'BAD_REQUEST');
  await peer.ask({ type: 'subscribe', id: 3, topics: [topic], from: 'earliest' }, 'assigned');
  const [{ headers }] = await peer.got(3, 1);
  assert.deepEqual(Object.entries(headers), [
    ['__proto__', 'a'],
    ['constructor', 'b'],
  ]);
});

test('a time between two messages is one that a timer has', () => {
  assert.ok('message' in read({ type: 'subscribe', id: 1, topics: ['t'], lag: 2 ** 31 - 1 }));
  assert.match(read({ type: 'subscribe', id: 1, topics: ['t'], lag: 2 ** 31 }).refused, /lag/);
});

test('what a client has being written counts with its headers, and empty messages count, too', () => {
  for (const messages of [Array.from({ length: 20 }, () => ({ value: null })), [{ value: null, headers: { name: ['x'.repeat(2000)] } }]]) {
    let held = false;
    const producing = new Producing(
      /** @type {any} */ ({ limits: { producing: 1000 }, writers: new Writers(10_000), producer: () => new Promise(() => {}) }),
      /** @type {any} */ ({ hold: () => (held = true), release: () => (held = false) }),
    );
    void producing.send('t', messages, () => new Promise(() => {}));
    assert.equal(held, true);
  }
});

test('what all clients have being written is bounded: those who write are read no further, and beyond twice as much is refused', async () => {
  const context = /** @type {any} */ ({ limits: { producing: 1000 }, writers: new Writers(1500) });
  const answers = [];
  const client = () => {
    const its = { held: false };
    const producing = new Producing(context, /** @type {any} */ ({ hold: () => (its.held = true), release: () => (its.held = false) }));
    const write = () => producing.send('t', [{ value: 'x'.repeat(600) }], () => new Promise((_, reject) => answers.push(reject)));
    return Object.assign(its, { write });
  };
  const [one, two, three, four, five, late] = Array.from({ length: 6 }, client);
  const writes = [one.write(), two.write()];
  assert.deepEqual([one.held, two.held], [false, false]);
  writes.push(three.write());
  assert.deepEqual([one.held, two.held, three.held, four.held], [true, true, true, false]);
  writes.push(four.write(), five.write());
  assert.throws(late.write, { code: 'LIMIT', retriable: true });
  assert.deepEqual([four.held, five.held, late.held], [true, true, false]);
  for (const answer of answers.splice(0, 3)) answer(new Error('refused'));
  await Promise.allSettled(writes.slice(0, 3));
  assert.deepEqual([one.held, two.held, three.held, four.held, five.held], [false, false, false, false, false]);
  writes.push(late.write());
  for (const answer of answers) answer(new Error('refused'));
  await Promise.allSettled(writes);
});

test('a credit of bytes counts headers, in a group and without', async (t) => {
  const { open } = await proxy(t);
  const topic = await cluster.topic(1);
  const headers = { h: 'x'.repeat(5000) };
  await producer.send({ topic, messages: Array.from({ length: 100 }, () => ({ value: 'v', headers })) });
  const peer = await open();
  for (const group of [undefined, topicName('group')]) {
    const id = group ?? 'none';
    peer.say({ type: 'subscribe', id, topics: [topic], group, from: 'earliest', credit: { bytes: 10_000 } });
    await peer.got(id, 1);
    // More messages that it may send come before this answer.
    await peer.ask({ type: 'lag', id }, 'lag');
    const count = peer.records.get(id).length;
    assert.ok(count <= 3, `${count} messages of 5000 bytes`);
  }
});

test('a group that is left counts until it is left', async (t) => {
  const { open } = await proxy(t, { limits: { readers: 2 } });
  const topic = await cluster.topic(1);
  const [one, two, three] = await Promise.all([open(), open(), open()]);
  const code = async (peer) => (await peer.ask({ type: 'subscribe', id: 1, topics: [topic], group: topicName('group') }, 'assigned')).code;
  assert.deepEqual(await Promise.all([code(one), code(two)]), [undefined, undefined]);
  for (const peer of [one, two]) peer.say({ type: 'unsubscribe', id: 1 });
  assert.equal(await code(three), 'LIMIT');
  await Promise.all([one, two].map((peer) => peer.told('unsubscribed')));
  assert.equal(await code(three), undefined);
});

describe('a quarter of the groups is the most that one has, so that others have some, too', () => {
  const group = async (peer, id, wish) => peer.ask({ type: 'subscribe', id, group: topicName('group'), ...wish }, 'assigned');

  test('of sockets without a name, each; other topics and patterns of a group count, a consumer that it has already does not', async (t) => {
    const { open } = await proxy(t, { limits: { readers: 8 } });
    const [topic, other] = await Promise.all([cluster.topic(1), cluster.topic(1)]);
    const [greedy, modest] = await Promise.all([open(), open()]);
    const same = { group: topicName('group') };
    assert.equal((await group(greedy, 1, { topics: [topic], ...same })).type, 'assigned');
    assert.equal((await group(greedy, 2, { topics: [other], ...same })).type, 'assigned');
    const { code, message, retriable, fatal } = await group(greedy, 3, { pattern: `${topic}*`, ...same });
    assert.deepEqual([code, retriable, fatal], ['LIMIT', true, true]);
    assert.match(message, /all 2 .* unsubscribe/);
    assert.equal((await group(greedy, 4, { topics: [topic], ...same })).type, 'assigned');
    assert.equal((await group(modest, 1, { topics: [topic] })).type, 'assigned');
    // Also one of somebody else's: it may be the only one to hold it later.
    assert.equal((await group(modest, 2, { topics: [topic], ...same })).type, 'assigned');
    assert.equal((await group(modest, 3, { topics: [other], ...same })).code, 'LIMIT');
    await greedy.ask({ type: 'unsubscribe', id: 2 }, 'unsubscribed');
    assert.equal((await group(greedy, 5, { topics: [topic] })).type, 'assigned');
  });

  test('of principals, each with all of its sockets; who says a secret that all know is nobody', async (t) => {
    const basic = (name) => ({ headers: { authorization: `Basic ${Buffer.from(`${name}:password`).toString('base64')}` } });
    const { open } = await proxy(t, { limits: { readers: 4 }, auth: 'secret', users: { ali: 'password', ben: 'password' } });
    const topics = [await cluster.topic(1)];
    const secret = { headers: { authorization: 'basic secret' } };
    const code = async (how) => (await group(await open(how), 1, { topics })).code;
    const codes = [];
    for (const how of [basic('ali'), basic('ali'), basic('ben'), secret, secret, secret]) codes.push(await code(how));
    assert.deepEqual(codes, [undefined, 'LIMIT', undefined, undefined, undefined, 'LIMIT']);
  });
});

test('what is too deep to be written, or wants too much of messages, is refused, and the socket goes on', async (t) => {
  const { open } = await proxy(t);
  const topic = await cluster.topic(1);
  const peer = await open();
  const deep = (depth) => JSON.parse(`${'['.repeat(depth)}${']'.repeat(depth)}`);
  peer.ws.send(`{"type":"produce","id":1,"topic":"${topic}","messages":[{"value":${'['.repeat(100_000)}${']'.repeat(100_000)}}]}`);
  const { code, message } = await peer.told('error', { id: 1 });
  assert.equal(code, 'BAD_REQUEST');
  assert.match(message, /too deeply: send it as text/);
  const only = async (id, value) => (await peer.ask({ type: 'subscribe', id, topics: [topic], only: { key: value } }, 'assigned')).code;
  assert.equal(await only(2, 'x'.repeat(17_000)), 'LIMIT');
  assert.equal(await only(3, deep(3)), 'BAD_REQUEST');
  assert.equal(await only(4, 'x'.repeat(16_000)), undefined);
});

test('clients make a proxy read so many topics and groups, and no more', async (t) => {
  const { open } = await proxy(t, { limits: { readers: 2 } });
  const topics = await Promise.all([cluster.topic(1), cluster.topic(1), cluster.topic(1)]);
  const peer = await open();
  const code = async (message) => (await peer.ask({ type: 'subscribe', ...message }, 'assigned')).code;
  assert.equal(await code({ id: 1, topics }), 'LIMIT');
  assert.equal(await code({ id: 2, topics: topics.slice(0, 2) }), undefined);
  assert.equal(await code({ id: 3, topics: [topics[2]] }), 'LIMIT');
  assert.equal(await code({ id: 4, topics: [topics[1]] }), undefined);
  const group = async (each) => (await each.ask({ type: 'subscribe', id: 5, topics: [topics[0]], group: topicName('group') }, 'assigned')).code;
  for (const expected of [undefined, undefined, 'LIMIT']) assert.equal(await group(await open()), expected);
});

test('who writes faster than Kafka takes it is read no faster, and everything is written once and in order', async (t) => {
  const { open } = await proxy(t, { limits: { producing: 64 * 1024 } });
  const topic = await cluster.topic(1);
  const peer = await open();
  const value = 'x'.repeat(10_000);
  const asks = Array.from({ length: 200 }, (_, n) => peer.ask({ type: 'produce', id: n, topic, messages: [{ key: `${n}`, value }] }, 'produced'));
  const answers = await Promise.all(asks);
  assert.deepEqual(
    answers.map(({ results }) => results[0].offset),
    Array.from({ length: 200 }, (_, n) => n),
  );
  const reader = await open();
  reader.say({ type: 'subscribe', id: 1, topics: [topic], from: 'earliest' });
  assert.deepEqual(
    (await reader.got(1, 200)).map(({ key }) => Number(key)),
    Array.from({ length: 200 }, (_, n) => n),
  );
});

test('close gives everybody 1001, and what was acknowledged is committed', async (t) => {
  const { made, open } = await proxy(t);
  const topic = await cluster.topic(1);
  await fill(topic, 10);
  const group = topicName('group');
  const peer = await open();
  peer.say({ type: 'subscribe', id: 1, topics: [topic], group, from: 'earliest' });
  await peer.got(1, 10);
  peer.say({ type: 'ack', id: 1, topic, partition: 0, offset: 6 });
  // The ack is there when what was said behind it is answered.
  await peer.ask({ type: 'lag', id: 1 }, 'lag');
  await made.close();
  assert.equal((await peer.closed).code, 1001);
  const [{ partitions }] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
  assert.equal(partitions[0].offset, '7');
});
