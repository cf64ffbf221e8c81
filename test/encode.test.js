'use strict';
// Batches as documents: what `encode` writes is what the messages say.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const msgpack = require('@msgpack/msgpack');
const { Batch, BatchFormat, Kafka } = require('kafka-native');
const { cleanup } = require('./support/cleanup.js');
const { onBoth, topicName } = require('./support/clusters.js');
const { silent } = require('./support/flow.js');
const { random, seed } = require('./support/random.js');

/** Bins as Uint8Arrays, not as the Buffers that parts of a Buffer are. */
const decode = (bytes) => msgpack.decode(new Uint8Array(bytes));

const chance = random(seed);
const below = (end) => Math.floor(chance() * end);
const one = (list) => list[below(list.length)];

/** Bytes of every kind: text, JSON in one line and in many, what is neither. */
const makers = [
  () => null,
  () => Buffer.alloc(0),
  () => Buffer.from(one(['plain', 'quotes " and \\ and /', 'line\nbreak\r\t\0', 'ü€😀\u2028', '{', '"'])),
  () => Buffer.from(JSON.stringify({ n: below(1e6), text: one(['a\nb', '😀', '']), list: [null, true, { deep: [[]] }] }, null, one([0, 2]))),
  () => Buffer.from(one(['1', ' null ', '"x"', '[1,\r\n2]', '{"a":1}{"b":2}', 'NaN', '01'])),
  () => Buffer.from(Array.from({ length: 1 + below(40) }, () => below(256))),
];
const bytes = () => one(makers)();

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
function attempt(work) {
  try {
    return { value: work() };
  } catch {
    return undefined;
  }
}
/** Bytes as the text has them: `{ value }`, or undefined where they are not as the encoding wants them. */
const decoders = {
  text: (given) => attempt(() => utf8.decode(given)),
  json: (given) => attempt(() => JSON.parse(utf8.decode(given))),
  base64: (given) => ({ value: given.toString('base64') }),
};

const some = (encodings) => one([...encodings, false, undefined]);
const MSGPACK_ENCODINGS = ['text', 'binary', 'base64'];
const FIELDS = ['topic', 'partition', 'offset', 'timestamp', 'key', 'value', 'headers'];

/** The value of a message's field in msgpack; undefined: it is left out. */
function expectedField(field, message, batch, options, count) {
  const element = (given, encoding = 'binary') => {
    if (given === null) return null;
    if (encoding === 'binary') return new Uint8Array(given);
    if (encoding === 'base64') return given.toString('base64');
    const found = attempt(() => utf8.decode(given));
    if (found) return found.value;
    count();
    if (options.invalid === 'null') return null;
    return options.invalid === 'replace' ? given.toString() : new Uint8Array(given);
  };
  if (field === 'topic' || field === 'partition') return batch[field];
  if (field === 'offset' || field === 'timestamp') return Number(message[field]);
  const encoding = options[field];
  if (encoding === false) return undefined;
  if (field !== 'headers') return options.sparse && field === 'key' && message.key === null ? undefined : element(message[field], encoding);
  const headers = Object.entries(message.headers).map(([name, given]) => [
    name,
    Array.isArray(given) ? given.map((each) => element(each, encoding)) : element(given, encoding),
  ]);
  return options.sparse && headers.length === 0 ? undefined : Object.fromEntries(headers);
}

/** Messages of every kind, at rising offsets. */
const randomMessages = (count) => {
  let offset = one([0, 2 ** 31, 2 ** 52]);
  return Array.from({ length: count }, () => ({
    offset: (offset += 1 + below(3)),
    timestamp: one([-1, 0, below(1e6), 1_700_000_000_000 + below(1e6)]),
    key: bytes(),
    value: bytes(),
    headers: Object.fromEntries(Array.from({ length: below(4) }, () => [one(['a', 'ü', 'b', 'c']), one([bytes(), [bytes(), bytes()]])])),
  }));
};

test(`msgpack has what the messages say, in the fields and under the names that are asked (SEED=${seed})`, () => {
  for (let round = 0; round < 300; round++) {
    const messages = randomMessages(1 + below(40));
    const batch = Batch.of('töpic', below(1e6), messages);
    const wanted = FIELDS.filter(() => chance() < 0.7).sort(() => chance() - 0.5);
    const names = Object.fromEntries(wanted.map((field) => [field, field.repeat(1 + below(5))]));
    const options = {
      key: some(MSGPACK_ENCODINGS),
      value: some(MSGPACK_ENCODINGS),
      headers: some(MSGPACK_ENCODINGS),
      sparse: one([true, false]),
      invalid: one(['base64', 'null', 'replace', undefined]),
      names,
    };
    let errors = 0;
    const expected = messages.map((message) => {
      const fields = wanted.map((field) => [names[field], expectedField(field, message, batch, options, () => errors++)]);
      return fields.filter(([, found]) => found !== undefined);
    });
    const found = batch.encode('msgpack', options);
    assert.deepEqual(
      decode(found),
      expected.map((fields) => Object.fromEntries(fields)),
      JSON.stringify(options),
    );
    // The order of the fields, too.
    assert.deepEqual(
      decode(found).map((each) => Object.keys(each)),
      expected.map((fields) => fields.map(([name]) => name)),
    );
    assert.deepEqual([found.errors, found.count], [errors, messages.length]);
    // Its encoder writes the shortest forms.
    if (!names.headers) assert.deepEqual(Buffer.from(msgpack.encode(decode(found))), Buffer.from(found));
  }
});

test(`JSON is what JSON.stringify writes, byte for byte, whatever is no UTF-8 in it (SEED=${seed})`, () => {
  const format = new BatchFormat('json', { names: { value: 'message', offset: 'offset' }, numbers: true, invalid: 'replace' });
  for (let round = 0; round < 300; round++) {
    const value = () =>
      one([bytes, () => Buffer.from(Array.from({ length: below(60) }, () => one([below(256), below(128), 0xe2, 0xf0 + below(8), 0x80 + below(64)])))])();
    const messages = randomMessages(1 + below(60)).map((message) => ({ ...message, value: value() }));
    const found = Batch.of('t', 0, messages).encode(format);
    assert.equal(
      found.toString('latin1'),
      Buffer.from(JSON.stringify(messages.map((m) => ({ message: m.value === null ? null : m.value.toString(), offset: m.offset })))).toString('latin1'),
    );
    assert.equal(found.errors, messages.filter((m) => m.value !== null && !attempt(() => utf8.decode(m.value))).length);
  }
});

test(`a range, a rule and what stands around leave the messages as they are (SEED=${seed})`, () => {
  for (let round = 0; round < 200; round++) {
    const messages = randomMessages(1 + below(30));
    const batch = Batch.of('t', 1, messages);
    const begin = below(messages.length + 1);
    const end = begin + below(messages.length - begin + 1);
    const key = bytes();
    const only = { any: [{ key: [key, null] }, { header: 'a', is: '1' }] };
    const codec = one(['json', 'msgpack']);
    const options = { ...one([{ only }, {}]), sparse: one([true, false]) };
    const wants = (message) =>
      !options.only || message.key === null || key?.equals(message.key) || [message.headers.a].flat().some((value) => value?.equals(Buffer.from('1')));
    const kept = messages.slice(begin, end).filter(wants);
    const whole = kept.length > 0 ? Batch.of('t', 1, kept).encode(codec, { ...options, only: null }) : { errors: 0 };
    const [before, after] = [one(['', 'ä{', new Uint8Array([255, 0])]), one([undefined, ']}', Buffer.from([1])])];
    const format = one([
      [new BatchFormat(codec, options), {}],
      [codec, options],
    ]);
    const found = batch.encode(format[0], { ...format[1], begin, end, before, after });
    assert.deepEqual([found.count, found.errors], [kept.length, whole.errors]);
    const inner = found.subarray(Buffer.from(before).length, found.length - Buffer.from(after ?? '').length);
    assert.deepEqual(Buffer.concat([Buffer.from(before), inner, Buffer.from(after ?? '')]), Buffer.from(found));
    const read = (document) => (codec === 'json' ? JSON.parse(String(document)) : decode(document));
    assert.deepEqual(read(inner), kept.length > 0 ? read(whole) : []);
  }
  const batch = Batch.of('t', 1, [{ offset: 1 }, { offset: 2 }]);
  for (const range of [{ begin: -1 }, { end: 3 }, { begin: 2, end: 1 }, { begin: 0.5 }, { before: 1 }, { after: [1] }]) {
    assert.throws(() => batch.encode('json', range), { name: 'KafkaJSNonRetriableError', message: /^Batch\.encode: / }, JSON.stringify(range));
  }
});

test('offsets and timestamps are numbers, and what is null or empty is left out, where that is asked', () => {
  const batch = Batch.of('t', 1, [
    { offset: 2 ** 53 - 1, timestamp: 5, value: 'v' },
    { offset: '7', key: '', headers: { a: [], b: undefined } },
    { offset: 8, value: '\xff', headers: { a: Buffer.from([255]) } },
  ]);
  assert.deepEqual(JSON.parse(String(batch.encode('json', { numbers: true, sparse: true }))), [
    { offset: 2 ** 53 - 1, timestamp: 5, value: 'v' },
    { offset: 7, timestamp: -1, key: '', value: null },
    { offset: 8, timestamp: -1, value: 'ÿ', headersBase64: { a: '/w==' } },
  ]);
});

test('what no codec has, and names that cannot be, are refused', () => {
  const batch = Batch.of('t', 1, [{ offset: 1 }]);
  const wrong = [
    ['json', { value: 'binary' }],
    ['msgpack', { key: 'json' }],
    ['msgpack', { invalid: 'bin' }],
    ['json', { names: { message: 'value' } }],
    ['json', { names: { value: 'a', key: 'a' } }],
    ['json', { names: { value: 1 } }],
    ['json', { names: {}, timestamp: true }],
    ['json', { only: { key: 7 } }],
    ['json', { only: { key: new Proxy(new Uint8Array(3), {}) } }],
    ['json', { numbers: 1 }],
    ['toString', {}],
  ];
  for (const [codec, options] of wrong) {
    assert.throws(() => batch.encode(codec, options), { name: 'KafkaJSNonRetriableError', message: /^Batch\.encode: / }, JSON.stringify(options));
    assert.throws(() => new BatchFormat(codec, options), { name: 'KafkaJSNonRetriableError', message: /^BatchFormat: / }, JSON.stringify(options));
  }
  for (const messages of [
    [],
    [{ offset: 0.5 }],
    [{ offset: 'x' }],
    [{ offset: 1, value: 5 }],
    [{ offset: 1, headers: { a: 1 } }],
    [{ offset: 1, headers: 'a' }],
    [{ offset: 1, key: new Proxy(new Uint8Array(3), {}) }],
    [{}],
    [null],
    null,
  ]) {
    assert.throws(() => Batch.of('t', 0, messages), { name: 'KafkaJSNonRetriableError', message: /^Batch\.of: / }, JSON.stringify(messages));
  }
});

test(`memory that a handler has written into ends as a document or an error (SEED=${seed})`, () => {
  const formats = [
    new BatchFormat('json', { topicPartition: true }),
    new BatchFormat('ndjson', { value: 'json', numbers: true }),
    new BatchFormat('json', { sparse: true, invalid: 'replace', only: { not: { header: 'a', is: '1' } } }),
    new BatchFormat('msgpack', { sparse: true, key: 'text' }),
  ];
  const outcomes = { documents: 0, errors: 0 };
  for (let round = 0; round < 3000; round++) {
    const batch = Batch.of('t', 1, randomMessages(1 + below(5)));
    const memory = new Uint8Array(batch.columns.data.buffer);
    for (let i = below(4); i >= 0; i--) memory[below(memory.length)] = one([0, 1, 127, 128, 255, below(256)]);
    const format = one(formats);
    const found = attempt(() => batch.encode(format));
    outcomes[found ? 'documents' : 'errors']++;
    if (!found) continue;
    if (format === formats[3]) assert.equal(decode(found.value).length, found.value.count);
    else if (format === formats[1]) for (const line of String(found.value).split('\n').slice(0, -1)) JSON.parse(line);
    else assert.equal(JSON.parse(String(found.value)).length, found.value.count);
  }
  assert.ok(outcomes.documents > 100 && outcomes.errors > 100, JSON.stringify(outcomes));
});

/** The message as the document should have it; counts what cannot be encoded. */
function expected(message, { key = 'text', value = 'text', headers = 'text', timestamp = true, invalid = 'base64' }, count) {
  const made = { offset: message.offset };
  if (timestamp) made.timestamp = message.timestamp;
  for (const [name, encoding] of Object.entries({ key, value })) {
    if (encoding === false) continue;
    const given = message[name];
    const found = given === null ? { value: null } : decoders[encoding](given);
    if (!found) count();
    if (found || invalid === 'null') made[name] = found?.value ?? null;
    else made[`${name}Base64`] = given.toString('base64');
  }
  if (headers === false) return made;
  // Entries: a name may be '__proto__'.
  const [plain, base64] = [[], []];
  for (const [name, given] of Object.entries(message.headers)) {
    const found = [given].flat().map((each) => (each === null ? { value: null } : decoders[headers](each)));
    const failed = found.filter((each) => !each).length;
    for (let i = 0; i < failed; i++) count();
    const all = (list) => (Array.isArray(given) ? list : list[0]);
    if (failed === 0 || invalid === 'null') plain.push([name, all(found.map((each) => each?.value ?? null))]);
    else base64.push([name, all([given].flat().map((each) => each?.toString('base64') ?? null))]);
  }
  made.headers = Object.fromEntries(plain);
  if (base64.length > 0) made.headersBase64 = Object.fromEntries(base64);
  return made;
}

onBoth('batches as text', (cluster) => {
  async function batches(t, messages) {
    const kafka = new Kafka({ brokers: cluster().options().broker.split(','), logger: silent });
    const topic = await cluster().topic(1);
    const producer = kafka.producer();
    await producer.connect();
    for (let at = 0; at < messages.length; at += 100) await producer.send({ topic, messages: messages.slice(at, at + 100) });
    await producer.disconnect();
    const consumer = kafka.consumer({ groupId: topicName('group'), maxWaitTimeInMs: 50 });
    cleanup(t, () => consumer.disconnect());
    await consumer.subscribe({ topic, fromBeginning: true });
    return { topic, batches: consumer.batches(), count: messages.length };
  }

  test(`have what the messages say, whatever their bytes and the options are (SEED=${seed})`, async (t) => {
    const messages = Array.from({ length: 1000 }, () => {
      const headers = Object.fromEntries(
        Array.from({ length: below(4) }, (_, i) => [one(['a', 'ü', '__proto__', `h${i}`]), one([bytes() ?? '', [bytes() ?? '', bytes() ?? '']])]),
      );
      return { key: bytes(), value: bytes(), headers };
    });
    const read = await batches(t, messages);
    let seen = 0;
    for await (const batch of read.batches) {
      for (let round = 0; round < 20; round++) {
        const encoding = () => one(['text', 'json', 'base64', false, undefined]);
        const options = {
          key: encoding(),
          value: encoding(),
          headers: encoding(),
          timestamp: one([true, false, undefined]),
          invalid: one(['base64', 'null', undefined]),
        };
        let errors = 0;
        const wanted = batch.messages.map((message) => expected(message, options, () => errors++));
        const json = batch.encode('json', options);
        assert.deepEqual(JSON.parse(json.toString()), JSON.parse(JSON.stringify(wanted)), JSON.stringify(options));
        const ndjson = batch.encode('ndjson', options);
        const lines = ndjson.toString().split('\n');
        assert.equal(lines.pop(), '');
        assert.deepEqual(
          lines.map((line) => JSON.parse(line)),
          JSON.parse(JSON.stringify(wanted)),
        );
        assert.deepEqual([json.errors, ndjson.errors], [errors, errors]);
      }
      // A batch packed here is what the addon packs.
      const again = Batch.of(batch.topic, batch.partition, batch.messages);
      for (const [codec, options] of [
        ['json', { topicPartition: true }],
        ['msgpack', { sparse: true }],
      ]) {
        assert.deepEqual(again.encode(codec, options), batch.encode(codec, options));
      }
      const fields = batch.messages.flatMap(({ key, value }) => [key, value].filter((each) => each !== null));
      assert.equal(
        again.ascii,
        fields.every((each) => each.every((byte) => byte < 128)),
      );
      assert.deepEqual(again.messages, batch.messages);
      const middle = below(batch.messages.length);
      const halves = [batch.encode('ndjson', { end: middle }), batch.encode('ndjson', { begin: middle })];
      assert.deepEqual(Buffer.concat(halves), Buffer.from(batch.encode('ndjson')));
      const [first] = JSON.parse(batch.encode('json', { topicPartition: true }).toString());
      assert.deepEqual([first.topic, first.partition, first.offset], [read.topic, 0, batch.firstOffset()]);
      for (const [format, options] of [['xml'], ['json', { value: 'hex' }], ['json', { timestamp: 1 }], ['json', { invalid: true }], ['json', null]]) {
        assert.throws(() => batch.encode(format, options), { name: 'KafkaJSNonRetriableError', message: /^Batch\.encode: / });
      }
      seen += batch.messages.length;
      if (seen === read.count) break;
    }
  });

  test('is refused for a batch whose memory was transferred away', async (t) => {
    const read = await batches(t, [{ value: 'x' }]);
    for await (const batch of read.batches) {
      const { value } = batch.messages[0];
      value.buffer.transfer?.() ?? structuredClone(value, { transfer: [value.buffer] });
      // Before Node 21 memory that an addon gave stays where it is.
      if (value.length === 0) assert.throws(() => batch.encode('json'), /transferred/);
      else assert.match(batch.encode('json').toString(), /"x"/);
      break;
    }
  });
});
