'use strict';
// The proxy's frames: what a client decodes is what the messages say, by a model of the protocols that is written here once more.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const msgpack = require('@msgpack/msgpack');
const { Batch } = require('kafka-native');
const { ANYBODY } = require('../js/kafka-proxy/dist/doors/identity.js');
const { frameOf, jsonFormat, legacyFormat, msgpackFormat, snapshotOf } = require('../js/kafka-proxy/dist/frames.js');
const { json } = require('../js/kafka-proxy/dist/v2/codec.js');
const { Session } = require('../js/kafka-proxy/dist/v2/session.js');
const { random, seed } = require('./support/random.js');

const chance = random(seed);
const below = (end) => Math.floor(chance() * end);
const one = (list) => list[below(list.length)];

const bytes = () =>
  one([
    null,
    Buffer.alloc(0),
    Buffer.from(one(['plain', '"quoted" \\', 'ü€😀\u2028\n', 'k', '{"a":[1, 2]}', '7'])),
    Buffer.from(Array.from({ length: below(40) }, () => below(256))),
  ]);
const some = () => bytes() ?? Buffer.from('k');
/** Entries that a table keeps. */
const entries = () => {
  let offset = one([0, 2 ** 40]);
  return Array.from({ length: 1 + below(30) }, () => ({
    offset: (offset += 1 + below(5)),
    timestamp: one([-1, 1_700_000_000_000 + below(1e9)]),
    key: bytes(),
    value: bytes(),
    headers: Object.fromEntries(Array.from({ length: below(3) }, () => [one(['a', 'to', 'ü']), one([bytes(), [some(), bytes()]])])),
  }));
};

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** `[value]`, or undefined where the bytes are not as the encoding wants them. */
function decoded(given, encoding) {
  if (given === null) return [null];
  if (encoding === 'base64') return [given.toString('base64')];
  if (encoding === 'binary') return [new Uint8Array(given)];
  try {
    const text = utf8.decode(given);
    return [encoding === 'json' ? JSON.parse(text) : text];
  } catch {
    return undefined;
  }
}

/** A record as the protocol says it. */
function record(codec, { offset, timestamp, key, value, headers }, wish) {
  const made = { offset, timestamp };
  const otherwise = codec === 'json' ? 'text' : 'binary';
  for (const [name, given] of Object.entries({ key, value })) {
    const encoding = wish[name] ?? otherwise;
    if (encoding === false || (name === 'key' && given === null)) continue;
    const found = decoded(given, encoding);
    if (found) [made[name]] = found;
    else if (codec === 'json') made[`${name}Base64`] = given.toString('base64');
    else made[name] = new Uint8Array(given);
  }
  const encoding = wish.headers ?? otherwise;
  if (encoding === false) return made;
  for (const [name, given] of Object.entries(headers)) {
    const all = (values) => (Array.isArray(given) ? values : values[0]);
    const list = [given].flat();
    const found = list.map((each) => decoded(each, encoding) ?? (codec === 'msgpack' ? [new Uint8Array(each)] : undefined));
    if (found.every(Boolean)) made.headers = { ...made.headers, [name]: all(found.map(([each]) => each)) };
    else made.headersBase64 = { ...made.headersBase64, [name]: all(list.map((each) => each?.toString('base64') ?? null)) };
  }
  return made;
}

const codecs = {
  json: { make: jsonFormat, encodings: ['text', 'json', 'base64', false, undefined] },
  msgpack: { make: msgpackFormat, encodings: ['text', 'binary', 'base64', false, undefined] },
};
const wished = (codec, only) => {
  const encoding = () => one(codecs[codec].encodings);
  return { id: one([0, 7, 2 ** 40, 'id', '"ü"']), key: encoding(), value: encoding(), headers: encoding(), only };
};
const read = ({ bytes: document, binary }) => (binary ? msgpack.decode(new Uint8Array(document)) : JSON.parse(String(document)));

test(`a batch's frame has its head, and the messages that the client wants as it wants them (SEED=${seed})`, () => {
  for (let round = 0; round < 400; round++) {
    const codec = one(['json', 'msgpack']);
    const messages = entries();
    const wanted = one([some(), null]);
    const wish = wished(codec, one([undefined, { any: [{ key: wanted }, { header: 'to', is: ['k', 'plain'] }] }]));
    const wants = ({ key, headers: { to } }) =>
      !wish.only || (wanted === null ? key === null : key?.equals(wanted)) || [to].flat().some((value) => ['k', 'plain'].includes(value?.toString('latin1')));
    const [topic, partition] = [one(['t', 'töpic"']), below(1e5)];
    const begin = below(messages.length);
    const end = one([undefined, begin + below(messages.length - begin + 1)]);
    const kept = messages.slice(begin, end).filter(wants);
    const frame = frameOf(Batch.of(topic, partition, messages), codecs[codec].make(wish), begin, end);
    const records = kept.map((message) => record(codec, message, wish));
    assert.deepEqual(read(frame), { type: 'batch', id: wish.id, topic, partition, records }, JSON.stringify(wish));
    assert.deepEqual([frame.count, frame.binary], [kept.length, codec === 'msgpack']);
  }
});

test(`a table's entries look as a batch of them does, and say that they are a snapshot (SEED=${seed})`, () => {
  for (let round = 0; round < 200; round++) {
    const codec = one(['json', 'msgpack']);
    const kept = entries();
    const format = codecs[codec].make(wished(codec, one([undefined, { not: { key: null } }])));
    const [live, snapshot] = [frameOf(Batch.of('t', 3, kept), format), snapshotOf('t', 3, kept, format)];
    assert.deepEqual(read(snapshot), { ...read(live), snapshot: true });
    assert.deepEqual([snapshot.count, snapshot.binary], [live.count, live.binary]);
  }
});

test(`the old protocol's frame is JSON.stringify's, byte for byte (SEED=${seed})`, () => {
  for (let round = 0; round < 200; round++) {
    const messages = entries();
    const frame = frameOf(Batch.of('t', 0, messages), legacyFormat());
    const old = Buffer.from(JSON.stringify(messages.map(({ value, offset }) => ({ message: value === null ? null : value.toString(), offset }))));
    assert.deepEqual([frame.bytes.toString('latin1'), frame.binary, frame.count], [old.toString('latin1'), false, messages.length]);
  }
});

test(`formats share their frames only when these are the same (SEED=${seed})`, () => {
  const rules = [
    undefined,
    { key: 'k' },
    { key: Buffer.from('k') },
    { key: Buffer.from([255]) },
    { key: '\ufffd' },
    { header: 'to', is: 'k' },
    { not: { key: 'k' } },
    { all: [] },
  ];
  const batch = Batch.of('t', 0, [
    ...entries(),
    { offset: 2 ** 50, key: 'k', value: '1', headers: { to: 'k' } },
    { offset: 2 ** 51, key: Buffer.from([255]), value: '"x"' },
  ]);
  const found = new Map();
  for (let round = 0; round < 2000; round++) {
    const codec = one(['json', 'msgpack']);
    const wish = { ...wished(codec, one(rules)), id: one([1, '1']) };
    const [format, again] = [wish, structuredClone({ ...wish, only: undefined })].map((each) => codecs[codec].make({ ...each, only: wish.only }));
    assert.equal(format.shared, again.shared);
    const bytes = frameOf(batch, format).bytes.toString('latin1');
    assert.equal(found.get(format.shared) ?? bytes, bytes, format.shared);
    found.set(format.shared, bytes);
  }
  assert.ok(found.size > 100);
  assert.ok(!found.has(legacyFormat().shared));
});

test('what a client may not ask is refused in words for it', () => {
  jsonFormat({ id: 1 });
  msgpackFormat({ id: 1, only: { key: Buffer.from([1]) } });
  for (const [make, wish] of [
    [jsonFormat, { id: 1, value: 'binary' }],
    [msgpackFormat, { id: 1, headers: 'json' }],
    [jsonFormat, { id: 1, key: 'toString' }],
    [jsonFormat, { id: 1, only: { key: 1 } }],
    [msgpackFormat, { id: 1, only: [] }],
    // Their text is that of what others ask, rightly.
    [jsonFormat, { id: 1, key: Number.POSITIVE_INFINITY }],
    [msgpackFormat, { id: 1, only: { key: { type: 'Buffer', data: [1] } } }],
  ]) {
    assert.throws(() => make(wish), { name: 'ProxyError', code: 'BAD_REQUEST', message: /^(key|value|headers|only)\b.* must be / }, JSON.stringify(wish));
  }
});

test('subscriptions that are refused leave nothing behind in their socket', () => {
  const hearing = new Set();
  const closed = { over: false, hear: (listener) => hearing.add(listener), forget: (listener) => hearing.delete(listener) };
  const errors = [];
  const socket = { closed, open: true, buffered: 0, id: '1', identity: ANYBODY, send: (frame) => errors.push(JSON.parse(frame).code) };
  const session = new Session(/** @type {any} */ (socket), /** @type {any} */ ({ limits: { subscriptions: 10, topics: 10 } }), json);
  errors.length = 0;
  const wishes = [{ from: 'committed' }, { value: 'binary' }, { table: true, from: 'latest' }];
  for (const wish of wishes) session.received(Buffer.from(JSON.stringify({ type: 'subscribe', id: 1, topics: ['t'], ...wish })), false);
  assert.deepEqual(errors, ['BAD_REQUEST', 'BAD_REQUEST', 'BAD_REQUEST']);
  assert.equal(hearing.size, 0);
});
