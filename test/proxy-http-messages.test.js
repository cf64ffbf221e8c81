'use strict';
// Messages read and written by HTTP: which ones, that it always ends, and that every byte is as it was.

const assert = require('node:assert/strict');
const { EventEmitter, once } = require('node:events');
const net = require('node:net');
const { after, before, test } = require('node:test');
const { Turns } = require('../js/kafka-proxy/dist/http/turns.js');
const { Shared } = require('../js/kafka-proxy/dist/shared.js');
const { cleanup } = require('./support/cleanup.js');
const { real } = require('./support/clusters.js');
const { oracle } = require('./support/kafkajs.js');
const { PATIENCE, within } = require('./support/flow.js');
const { listening } = require('./support/proxy.js');
const { adminOf, producerOf, proxyOf } = require('./support/proxy-http.js');
const { random, seed } = require('./support/random.js');
const { eventually } = require('./support/watch.js');

let cluster;
before(async () => (cluster = await real()));
after(() => cluster?.close());

/** A whole topic, as KafkaJS reads it. */
async function readAll(t, topic, count) {
  const consumer = oracle(cluster).consumer({ groupId: `${topic}-reader` });
  cleanup(t, () => consumer.disconnect());
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const all = [];
  await consumer.run({ eachMessage: async ({ partition, message }) => void all.push({ partition, ...message }) });
  await eventually(
    PATIENCE,
    () => `${all.length} of ${count}`,
    () => all.length >= count,
  );
  await consumer.disconnect();
  return all.sort((a, b) => a.partition - b.partition || Number(a.offset) - Number(b.offset));
}
const placeOf = ({ partition, offset }) => `${partition}:${offset}`;

test('latest has the newest of all partitions, however they are dealt', async (t) => {
  t.diagnostic(`SEED=${seed}`);
  const chance = random(seed);
  const topic = await cluster.topic(5);
  const { ask } = await proxyOf(t, cluster);
  const producer = await producerOf(t, cluster);
  const written = [];
  for (let i = 0; i < 3000; i++)
    written.push({ partition: Math.min(4, Math.floor(chance() ** 3 * 6)), timestamp: String(1_700_000_000_000 + i), value: String(i) });
  await producer.send({ topic, messages: written });
  for (const limit of [1, 7, 100, 999, 5000]) {
    const { status, json } = await ask(`/topics/${topic}/messages?limit=${limit}&key=false&headers=false`);
    assert.equal(status, 200);
    assert.deepEqual(
      json().messages.map(({ value }) => value),
      written.slice(-limit).map(({ value }) => value),
      `limit ${limit}`,
    );
    const counts = [0, 1, 2, 3, 4].map((partition) => written.filter((each) => each.partition === partition).length);
    assert.deepEqual(json().next, Object.fromEntries(counts.entries()));
  }
  const some = await ask(`/topics/${topic}/messages?limit=3&partition=0,2`);
  assert.deepEqual(
    some.json().messages.map(({ value }) => value),
    written
      .filter(({ partition }) => [0, 2].includes(partition))
      .slice(-3)
      .map(({ value }) => value),
  );
  // Page by page everything comes, once.
  const got = [];
  for (let from = 'earliest', more = true; more; ) {
    const { status, text, json } = await ask(`/topics/${topic}/messages?from=${from}&limit=700`);
    assert.equal(status, 200, text);
    const { messages, next } = json();
    got.push(...messages);
    more = messages.length > 0;
    from = Object.entries(next)
      .map((place) => place.join(':'))
      .join(',');
  }
  assert.equal(got.length, 3000);
  assert.equal(new Set(got.map(placeOf)).size, 3000);
  const since = await ask(`/topics/${topic}/messages?from=time:${new Date(1_700_000_002_990).toISOString()}&limit=10000`, {
    headers: { accept: 'application/x-ndjson' },
  });
  assert.equal(since.headers.get('content-type'), 'application/x-ndjson');
  assert.deepEqual(
    since
      .lines()
      .map(({ value }) => Number(value))
      .sort((a, b) => a - b),
    Array.from({ length: 10 }, (_, i) => 2990 + i),
  );
});

test('it ends, whatever is between the offsets: nothing, transactions, compaction, retention, what rules do not allow', async (t) => {
  const [empty, aborted, deleted, compacted] = await Promise.all([cluster.topic(3), cluster.topic(2), cluster.topic(1), cluster.topic(1)]);
  const { ask } = await proxyOf(t, cluster);
  const producer = await producerOf(t, cluster, { transactionalId: `tx-${aborted}`, idempotent: true });
  const admin = await adminOf(t, cluster);
  for (const from of ['earliest', 'latest', 'time:0', '0:0']) {
    assert.deepEqual((await ask(`/topics/${empty}/messages?from=${from}`)).json(), { messages: [], next: { 0: 0, 1: 0, 2: 0 } });
  }
  assert.deepEqual((await ask(`/topics/${empty}/messages`, { headers: { accept: 'application/x-ndjson' } })).text, '');

  const transact = async (topic, messages, end) => {
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages });
    await transaction[end]();
  };
  for (let i = 0; i < 20; i++) await transact(aborted, [{ partition: 0, value: `lost ${i}` }], 'abort');
  for (const from of ['earliest', 'latest']) {
    await eventually(PATIENCE, 'the markers are read', async () => {
      const { messages, next } = (await ask(`/topics/${aborted}/messages?from=${from}`)).json();
      assert.deepEqual(messages, []);
      return next[0] === 40 && next[1] === 0;
    });
  }
  await transact(aborted, [{ partition: 0, value: 'kept' }], 'commit');
  for (let i = 0; i < 60; i++) await transact(aborted, [{ partition: 0, value: `lost ${i}` }], 'abort');
  for (const from of ['earliest', 'latest', '0:3', '0:40']) {
    await eventually(PATIENCE, 'what is committed is found', async () => {
      const { messages } = (await ask(`/topics/${aborted}/messages?from=${from}&limit=5`)).json();
      return messages.length === 1 && messages[0].value === 'kept';
    });
  }

  const plain = await producerOf(t, cluster);
  await plain.send({ topic: deleted, messages: Array.from({ length: 10 }, (_, i) => ({ value: String(i) })) });
  await admin.deleteTopicRecords({ topic: deleted, partitions: [{ partition: 0, offset: '7' }] });
  for (const from of ['0', '7', 'earliest', 'latest', 'time:0']) {
    const { messages, next } = (await ask(`/topics/${deleted}/messages?from=${from}&partition=0`)).json();
    assert.deepEqual([messages.map(({ value }) => value), next], [['7', '8', '9'], { 0: 10 }], from);
  }
  assert.deepEqual((await ask(`/topics/${deleted}/messages?from=99&partition=0`)).json(), { messages: [], next: { 0: 10 } });

  t.mock.method(Shared.prototype, 'allow', async () => ({ only: { key: 'mine' } }));
  await plain.send({ topic: compacted, messages: Array.from({ length: 3000 }, (_, i) => ({ key: i === 5 ? 'mine' : 'yours', value: String(i) })) });
  for (const from of ['earliest', 'latest', 'time:0', '1']) {
    const { messages, next } = (await ask(`/topics/${compacted}/messages?from=${from}&partition=0&limit=10`)).json();
    assert.deepEqual([messages.map(({ value }) => value), next], [['5'], { 0: 3000 }], from);
  }
  assert.deepEqual((await ask(`/topics/${compacted}/messages?from=6&partition=0`)).json(), { messages: [], next: { 0: 3000 } });
});

test('an answer has some MiB at the most, and the next one goes on behind it', async (t) => {
  const topic = await cluster.topic(2);
  const { ask } = await proxyOf(t, cluster);
  const producer = await producerOf(t, cluster);
  const count = 40;
  for (let i = 0; i < count; i++)
    await producer.send({ topic, messages: [{ partition: i % 2, value: `${i} ${'x'.repeat(400_000)}`, timestamp: String(1_700_000_000_000 + i) }] });
  const number = ({ value }) => Number(value.slice(0, 2));
  const latest = (await ask(`/topics/${topic}/messages?limit=100`)).json().messages.map(number);
  assert.ok(latest.length >= 10 && latest.length < 14, String(latest.length));
  assert.deepEqual(
    latest,
    Array.from(latest, (_, i) => count - latest.length + i),
  );
  const got = [];
  for (let from = 'earliest', pages = 0; got.length < count; pages++) {
    const { text, json } = await ask(`/topics/${topic}/messages?from=${from}&limit=100`);
    assert.ok(text.length < 6 * 1024 * 1024, String(text.length));
    got.push(...json().messages.map(number));
    from = Object.entries(json().next)
      .map((place) => place.join(':'))
      .join(',');
    assert.ok(pages < count);
  }
  assert.deepEqual(
    got.sort((a, b) => a - b),
    Array.from({ length: count }, (_, i) => i),
  );
});

test('the newest are found also where a few of them are all that may be read', async (t) => {
  const topic = await cluster.topic(1);
  const { ask } = await proxyOf(t, cluster);
  const producer = await producerOf(t, cluster);
  const count = 24;
  for (let i = 0; i < count; i++) await producer.send({ topic, messages: [{ value: `${i} ${'x'.repeat(900_000)}` }] });
  for (const [limit, least] of [
    [1, 1],
    [2, 2],
    [100, 3],
  ]) {
    const latest = (await ask(`/topics/${topic}/messages?limit=${limit}`)).json().messages.map(({ value }) => parseInt(value, 10));
    assert.ok(latest.length >= least, `${latest.length} of ${limit}`);
    assert.deepEqual(
      latest,
      Array.from(latest, (_, i) => count - latest.length + i),
    );
  }
});

test('what is written by HTTP, in each of its ways, is what Kafka has, byte by byte', async (t) => {
  const topic = await cluster.topic(2);
  const { post, base } = await proxyOf(t, cluster);
  const path = `/topics/${topic}/messages`;
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  const b64 = bytes.toString('base64');
  const results = [];
  const write = async (body, headers) => {
    const { status, json, text } = await post(path, body, headers);
    assert.equal(status, 200, text);
    results.push(...json().results);
  };
  await write({
    messages: [
      { key: 'é', value: { a: [1, 'ü'] }, partition: 1, timestamp: 1_700_000_000_000, headers: { h: ['1', null], __proto__x: 'y' } },
      { keyBase64: b64, valueBase64: b64, headersBase64: { raw: b64 }, partition: 0 },
    ],
  });
  await write('{"value":null,"key":"","partition":0,"headers":{"a b":"safe"}}');
  await write('{"value":"a","partition":0}\r\n\n{"value":7,"partition":0}', { 'content-type': 'application/x-ndjson; charset=utf-8' });
  await write(bytes, {
    'content-type': 'application/octet-stream',
    'Kafka-Key-Base64': b64,
    'Kafka-Partition': '0',
    'Kafka-Timestamp': '1700000000001',
    'Kafka-HeaderBase64-Raw': b64,
  });
  await write(Buffer.alloc(0), { 'content-type': 'application/octet-stream', 'Kafka-Partition': '0' });
  // Headers as bytes, with capitals, twice.
  const value = Buffer.from('raw');
  await new Promise((resolve, reject) => {
    const socket = net.connect(Number(new URL(base).port), '127.0.0.1', () => {
      socket.write(
        `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\nKafka-Key: schlüssel\r\nKafka-Partition: 0\r\nKafka-Header-Trace: é1\r\nKafka-Header-Trace: 2\r\nContent-Length: ${value.length}\r\nConnection: close\r\n\r\n`,
        'utf8',
      );
      socket.write(value);
    });
    let text = '';
    socket
      .on('data', (data) => (text += data))
      .on('error', reject)
      .on('close', () => {
        results.push(...JSON.parse(text.slice(text.indexOf('\r\n\r\n'))).results);
        resolve(undefined);
      });
  });
  const rest = (records, kind) => post(`/topics/${topic}`, { records }, { 'content-type': `application/vnd.kafka.${kind}.v2+json` });
  const asJson = await rest(
    [
      { key: { id: 1 }, value: 'text', partition: 0 },
      { value: null, partition: 0 },
    ],
    'json',
  );
  const asBytes = await rest(
    [
      { key: b64, value: b64, partition: 0 },
      { value: '', partition: 0 },
    ],
    'binary',
  );
  assert.deepEqual([asJson.status, asBytes.status, asJson.headers.get('content-type')], [200, 200, 'application/vnd.kafka.v2+json']);
  for (const { json } of [asJson, asBytes])
    results.push(
      ...json().offsets.map(({ partition, offset, error_code, error }) => (assert.deepEqual([error_code, error], [null, null]), { partition, offset })),
    );

  const expected = [
    { key: bytes, value: bytes, headers: { raw: bytes } },
    { key: Buffer.alloc(0), value: null, headers: { 'a b': Buffer.from('safe') } },
    { key: null, value: Buffer.from('a') },
    { key: null, value: Buffer.from('7') },
    { key: bytes, value: bytes, headers: { Raw: bytes }, timestamp: '1700000000001', lower: true },
    { key: null, value: Buffer.alloc(0) },
    { key: Buffer.from('schlüssel'), value, headers: { Trace: [Buffer.from('é1'), Buffer.from('2')] } },
    { key: Buffer.from('{"id":1}'), value: Buffer.from('"text"') },
    { key: null, value: null },
    { key: bytes, value: bytes },
    { key: null, value: Buffer.alloc(0) },
  ];
  const all = await readAll(t, topic, expected.length + 1);
  assert.deepEqual(new Set(results.map(placeOf)), new Set(all.map(placeOf)));
  const [first] = all.filter(({ partition }) => partition === 1);
  assert.deepEqual([String(first.key), String(first.value), first.timestamp], ['é', '{"a":[1,"ü"]}', '1700000000000']);
  assert.deepEqual(String(first.headers.__proto__x), 'y');
  for (const [i, { lower, ...wanted }] of expected.entries()) {
    const got = all[i];
    assert.equal(got.offset, String(i));
    assert.deepEqual([got.key, got.value], [wanted.key, wanted.value], `message ${i}`);
    // fetch writes names of headers in small letters.
    const headers = Object.entries(wanted.headers ?? {}).map(([name, each]) => [lower ? name.toLowerCase() : name, each]);
    assert.deepEqual(
      Object.entries(got.headers).map(([name, each]) => [lower ? name.toLowerCase() : name, each]),
      headers,
      `headers of ${i}`,
    );
    if (wanted.timestamp) assert.equal(got.timestamp, wanted.timestamp);
  }
});

test('what is not written says why: some of them 207, none an error', async (t) => {
  const topic = await cluster.topic(1);
  const { post } = await proxyOf(t, cluster, {
    limits: { payload: 3_000_000 },
    authorize: (_, { operation, topic: asked }) => operation === 'read' || asked !== 'read-only',
  });
  const path = `/topics/${topic}/messages`;
  const some = await post(path, { messages: [{ value: 'a' }, { value: 'b', partition: 99 }, { value: 'c' }] });
  assert.equal(some.status, 207);
  assert.deepEqual(
    some.json().results.map((result) => Object.keys(result).join()),
    ['partition,offset', 'error', 'partition,offset'],
  );
  const none = await post(path, { value: 'x'.repeat(2_500_000) });
  assert.ok(none.status >= 400, none.text);
  assert.equal(none.json().code, none.json().results[0].error.code);
  const unknown = await post('/topics/no-such-topic-here/messages', { value: 'x' });
  assert.equal(unknown.status, 404, unknown.text);
  assert.deepEqual((await post(path, { messages: [] })).json(), { results: [] });
  for (const [status, body, headers] of /** @type {[number, any, any?][]} */ ([
    [400, '{'],
    [400, ''],
    [400, 'null'],
    [400, '5'],
    [400, '[]'],
    [400, '{"messages":5}'],
    [400, '{"messages":[5]}'],
    [400, { key: 'x' }],
    [400, { value: 1, partition: -1 }],
    [400, { valueBase64: '!' }],
    [400, { value: 1, headers: [] }],
    [400, `{"value":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
    [400, '{"value":1}\n{', { 'content-type': 'application/x-ndjson' }],
    [415, 'x', { 'content-type': 'text/plain' }],
    [415, 'value=x', { 'content-type': 'application/x-www-form-urlencoded' }],
    [400, 'x', { 'content-type': 'application/octet-stream', 'kafka-partition': 'x' }],
    [400, 'x', { 'content-type': 'application/octet-stream', 'kafka-partition': '99999999999' }],
    [400, 'x', { 'content-type': 'application/octet-stream', 'kafka-key-base64': '!' }],
    [400, 'x', { 'content-type': 'application/octet-stream', 'kafka-timestamp': '9999999999999999' }],
    [413, 'x'.repeat(3_000_001)],
  ])) {
    const answer = await post(path, body, headers);
    assert.equal(answer.status, status, `${JSON.stringify(body).slice(0, 50)}: ${answer.text}`);
    assert.match(answer.json().message, /./);
  }
  for (const [status, body, type] of /** @type {[number, any, string][]} */ ([
    [400, { records: 5 }, 'application/vnd.kafka.json.v2+json'],
    [400, {}, 'application/vnd.kafka.json.v2+json'],
    [400, { records: [{ value: '!' }] }, 'application/vnd.kafka.binary.v2+json'],
    [415, {}, 'application/vnd.kafka.avro.v2+json'],
    [415, {}, 'application/json'],
  ]))
    assert.equal((await post(`/topics/${topic}`, body, { 'content-type': type })).status, status);
  for (const where of ['/topics/read-only/messages', '/topics/read-only']) assert.equal((await post(where, { value: 'x' })).status, 403);
  const offsets = (
    await post(
      `/topics/${topic}`,
      {
        records: [
          { value: 1, partition: 0 },
          { value: 1, partition: 99 },
        ],
      },
      { 'content-type': 'application/vnd.kafka.json.v2+json' },
    )
  ).json().offsets;
  assert.deepEqual([offsets[0].partition, offsets[0].error, offsets[1].partition, offsets[1].offset], [0, null, null, null]);
  assert.ok([1, 2].includes(offsets[1].error_code));
});

test('many write at once within the limit of what is being written, and who goes in the middle leaves nothing behind', async (t) => {
  const topic = await cluster.topic(1);
  const { post, base } = await proxyOf(t, cluster, { limits: { producing: 20_000 } });
  const path = `/topics/${topic}/messages`;
  const value = 'x'.repeat(5000);
  const aborted = Array.from({ length: 20 }, (_, i) => {
    const abort = new AbortController();
    const asked = fetch(base + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ value }),
      signal: abort.signal,
    }).catch(() => {});
    setTimeout(() => abort.abort(), i);
    return asked;
  });
  const halves = Array.from({ length: 20 }, () => {
    const socket = net.connect(Number(new URL(base).port), '127.0.0.1', () =>
      socket.write(`POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"val`, () => socket.destroy()),
    );
    return new Promise((resolve) => socket.on('error', () => {}).on('close', resolve));
  });
  const written = await Promise.all(Array.from({ length: 60 }, () => post(path, { messages: [{ value }, { value: 'y'.repeat(30_000) }] })));
  for (const { status, text } of written) assert.equal(status, 200, text);
  await Promise.all([...aborted, ...halves]);
  assert.equal((await post(path, { value })).status, 200);
  const offsets = new Set(written.flatMap(({ json }) => json().results.map(placeOf)));
  assert.equal(offsets.size, 120);
});

test('close waits for no body that does not come: its client has gone before it was asked for it, or never says the rest', async (t) => {
  for (const leaves of [true, false]) {
    const calls = new EventEmitter();
    const authenticate = async ({ socket }) => {
      calls.emit('asked', socket);
      await once(calls, 'go');
      return 'ali';
    };
    const { port, proxy, lines } = await listening(t, { closeTimeout: PATIENCE, hookTimeout: PATIENCE, authenticate });
    const head = 'POST /topics/x/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{';
    const client = net.connect(port, '127.0.0.1', () => client.write(head)).on('error', () => {});
    const [socket] = await within(PATIENCE, 'it is asked who that is', () => once(calls, 'asked'));
    if (leaves) {
      const closed = new Promise((resolve) => socket.once('close', resolve));
      client.destroy();
      await within(PATIENCE, 'the proxy hears of it', () => closed);
    }
    calls.emit('go');
    await new Promise(setImmediate);
    await within(PATIENCE / 3, 'the end of the proxy', () => proxy.close());
    assert.deepEqual(
      lines.all.filter(([level]) => level === 'warn'),
      [],
    );
    client.destroy();
  }
});

test('who gives no turn back keeps nobody else out, and has one again when one of them is given', async () => {
  const turns = new Turns(4, 2);
  const never = new AbortController().signal;
  const held = [await turns.take('a', 1, never), await turns.take('a', 1, never)];
  let more = false;
  const third = turns.take('a', 1, never).then((done) => ((more = true), done));
  const others = [await turns.take('b', 1, never), await turns.take('c', 1, never)];
  assert.equal(more, false);
  held[0]();
  await third;
  const gone = new AbortController();
  const full = turns.take('d', 1, gone.signal);
  gone.abort();
  await assert.rejects(full, { code: 'CLOSING' });
  for (const done of [held[1], ...others]) done();
  assert.equal(typeof (await turns.take('d', 1, never)), 'function');
});
