'use strict';
// Records that others write into the topics of an adapter: by mistake, to break it, or late.

const { after, before, test } = require('node:test');
const assert = require('node:assert/strict');
const { Kafka, logLevel } = require('kafka-native');
const { encode } = require('@msgpack/msgpack');
const { cleanup } = require('./support/cleanup.js');
const { real } = require('./support/clusters.js');
const { random } = require('./support/random.js');
const { Peers, kafkaOf } = require('./support/socketio.js');
const { eventually, witness } = require('./support/watch.js');
const { PATIENCE } = require('./support/flow.js');

const seed = Number(process.env.SEED ?? 14);

/** @type {any} */ let cluster;
before(async () => (cluster = await real()));
after(() => cluster?.close());

/** Writes and reads the topics of a key as any program may. */
async function stranger(t, key) {
  const kafka = new Kafka({ ...kafkaOf(cluster), logLevel: logLevel.NOTHING });
  const producer = kafka.producer();
  await producer.connect();
  cleanup(t, () => producer.disconnect());
  return {
    write: (topic, messages) => producer.send({ topic, messages }),
    /** All records of a topic. */
    read: async (topic) => {
      const consumer = kafka.consumer({ groupId: null });
      await consumer.connect();
      await consumer.subscribe({ topics: [topic], from: 'beginning' });
      const records = [];
      for await (const { key: of, value, headers, partition } of consumer.messages({ until: 'end' }))
        records.push({ key: of && Buffer.from(of), value: value && Buffer.from(value), headers, partition });
      await consumer.disconnect();
      return records;
    },
    log: key,
    replies: `${key}-replies`,
  };
}

test('records that cannot be read are counted, told once, and harm nothing', async (t) => {
  const chance = random(seed);
  const below = (count) => Math.floor(chance() * count);
  const { lines, logger } = witness();
  const peers = await Peers.start(cluster, { logger, heartbeatInterval: 500, heartbeatTimeout: 60_000 });
  cleanup(t, () => peers.close());
  const lost = [];
  const onLost = (reason) => lost.push(reason);
  process.on('unhandledRejection', onLost);
  cleanup(t, () => process.off('unhandledRejection', onLost));

  // Something of each kind to be spoilt; it is for a room where nobody is.
  const [first, second] = peers.all;
  second.io.on('question', (answer) => answer('x'));
  peers.all[2].io.on('question', (answer) => answer('y'));
  const { io } = first;
  io.to('nobody').emit('event', 1, { bytes: Buffer.from([1]) });
  io.to('nobody').emit('event', 1, { text: 'x' });
  io.in('nobody').socketsJoin('x');
  io.in('nobody').socketsLeave('x');
  await io.serverSideEmitWithAck('question');
  await io.to('nobody').fetchSockets();
  await io.to('nobody').timeout(1000).emitWithAck('ask');
  const { write, read, log, replies } = await stranger(t, peers.key);
  const records = [...(await read(log)), ...(await read(replies))];
  assert.ok(records.length > 10);

  const told = peers.all.map((peer) => peer.adapter().stats().unreadable);
  assert.deepEqual(told, [0, 0, 0], 'what servers write themselves can be read');
  const fields = (type, data) => [type, 'a stranger', 1, Date.now(), data, 0];
  const whom = { rooms: ['nobody'], except: [] };
  const data = [
    null,
    7,
    'text',
    [],
    {},
    { opts: null },
    { opts: {} },
    { opts: whom },
    { opts: { rooms: 7, except: 'x' } },
    { opts: whom, packet: null },
    { opts: whom, packet: { type: 2, data: 7 } },
    { opts: whom, rooms: 7 },
    { opts: { ...whom, flags: 7 }, requestId: {}, packet: { type: 2, data: ['x'] } },
    { packet: 7 },
    { namespaces: 7 },
    { namespaces: [7, null, {}] },
    { pid: 7 },
    { sockets: 7, requestId: 'x' },
  ];
  const wrong = [
    null,
    '',
    ' ',
    'no record',
    '{',
    '[',
    '[]',
    '{}',
    'null',
    '7',
    '[3]',
    '[3,"x"]',
    '[3,"x",1,1,null]',
    '["3","x",1,1,null,0]',
    '[3,7,1,1,null,0]',
    '[1e999,"x",1,1,null,0]',
    '\u0096',
    Buffer.from([0x96]),
    Buffer.from([0x96, 3]),
    Buffer.from([0xc1]),
    Buffer.from([0xdf, 255, 255, 255, 255]),
    Buffer.from([0xc6, 255, 255, 255, 255]),
    Buffer.alloc(900_000, 0x91),
    Buffer.alloc(900_000, '['),
    Buffer.alloc(900_000),
    ...Array.from({ length: 40 }, () => Buffer.from(Array.from({ length: below(60) }, () => below(256)))),
    ...Array.from({ length: 40 }, (_, type) => data.flatMap((of) => [JSON.stringify(fields(type, of)), Buffer.from(encode(fields(type, of)))])).flat(),
  ];
  const spoilt = records
    .filter(({ value }) => value !== null)
    .flatMap(({ key, value, headers }) =>
      Array.from({ length: 25 }, () => {
        const copy = Buffer.from(value);
        for (let n = below(3); n >= 0; n--) copy[below(copy.length)] = below(256);
        return { key, headers, value: chance() < 0.3 ? copy.subarray(0, below(copy.length)) : copy };
      }),
    );
  const HEADERS = [
    undefined,
    {},
    { f: 'x' },
    { t: first.adapter().uid },
    { f: first.adapter().uid },
    { e: '', f: first.adapter().uid },
    { f: ['x', 'y'], t: [first.adapter().uid, 'z'] },
  ];
  const messages = [
    ...wrong.map((value, i) => ({ key: [null, '/', '', '/foreign', '\ud800'][i % 5], value, headers: HEADERS[i % HEADERS.length] })),
    ...spoilt,
  ];
  for (const topic of [log, replies]) for (let at = 0; at < messages.length; at += 200) await write(topic, messages.slice(at, at + 200));
  t.diagnostic(`${messages.length} records for each topic; SEED=${seed}`);

  // A spoilt record may well be another that can be read, and close something; who is there now goes on.
  const clients = await Promise.all(peers.all.map((peer) => peer.client()));
  await Promise.all(
    peers.all.map((peer, i) =>
      eventually(PATIENCE, `server ${i} has read them`, () => peer.adapter().stats().lag === 0 && peer.adapter().stats().unreadable > 200),
    ),
  );
  for (const [i, peer] of peers.all.entries()) peer.io.emit('good', i);
  await peers.settled();
  for (const client of clients) assert.deepEqual(client.events('good').flat().sort(), [0, 1, 2]);
  assert.deepEqual(lost, []);
  for (const peer of peers.all) {
    const { unreadable, errors } = peer.adapter().stats();
    assert.ok(unreadable > wrong.length / 2, `${unreadable} of ${messages.length} are counted`);
    assert.ok(errors >= unreadable);
  }
  const about = lines.all.filter(([, line]) => /cannot be read/.test(line));
  // One a server, and one more for every ten seconds that this takes.
  assert.ok(about.length >= 3 && about.length <= 12, `it was told ${about.length} times`);
  assert.match(about[0][1], /the record at offset \d+ cannot be read, and is left out/);
});

test('an error listener gets what the logger would', async (t) => {
  const { lines, logger } = witness();
  const peers = await Peers.start(cluster, { count: 1, logger });
  cleanup(t, () => peers.close());
  const [peer] = peers.all;
  const heard = new Promise((resolve) => peer.adapter().on('error', resolve));
  const { write, log } = await stranger(t, peers.key);
  await write(log, [{ value: 'no record' }]);
  assert.match((await heard).message, /cannot be read/);
  assert.deepEqual(
    lines.all.filter(([level]) => level === 'error'),
    [],
  );
});

test("a listener of 'error' that throws is told with what it was to hear, and harms nothing", async (t) => {
  const { lines, logger } = witness();
  const peers = await Peers.start(cluster, { count: 1, logger });
  cleanup(t, () => peers.close());
  const [peer] = peers.all;
  peer.adapter().on('error', () => {
    throw new Error('the listener is wrong');
  });
  // Told behind a send, where nobody would catch it.
  peer.io.emit('too large', 'x'.repeat(17 * 1024 * 1024));
  assert.match((await lines.until(([level]) => level === 'error'))[1], /records were not written.*a listener of 'error' failed: the listener is wrong/s);
  await eventually(PATIENCE, 'nothing waits any more', () => peer.adapter().stats().queued.records === 0);
});

test('a listener that throws is told, and what comes behind is heard', async (t) => {
  const { lines, logger } = witness();
  const peers = await Peers.start(cluster, { count: 2, logger });
  cleanup(t, () => peers.close());
  const [first, second] = peers.all;
  second.io.on('bad', () => {
    throw new Error('the listener is wrong');
  });
  const heard = new Promise((resolve) => second.io.on('good', resolve));
  first.io.serverSideEmit('bad');
  first.io.serverSideEmit('good', 1);
  assert.equal(await heard, 1);
  await lines.until(([level, text]) => level === 'error' && text.includes('the listener is wrong'));
});

test('what a server said before it closed does not bring it back when it is read behind that', async (t) => {
  const peers = await Peers.start(cluster, { heartbeatInterval: 600_000, heartbeatTimeout: 3_600_000 });
  cleanup(t, () => peers.close());
  const [first, , last] = peers.all;
  const { uid } = last.adapter();
  const { write, read, log, replies } = await stranger(t, peers.key);
  const client = await first.client();
  await first.io.fetchSockets();
  const records = [...(await read(log)), ...(await read(replies))];
  const said = records.filter(({ headers }) => String(headers?.f) === uid);
  assert.ok(said.length > 1);
  // Where the first server reads its answers.
  const { partition } = records.find(({ headers }) => String(headers?.t) === first.adapter().uid);
  await last.close();
  peers.all.pop();
  await peers.count(2);
  // Answers have a topic of their own, and namespaces partitions: what was written first may be read last.
  await write(
    replies,
    said.map(({ key, value }) => ({ key, value, partition, headers: { f: uid, t: first.adapter().uid } })),
  );
  await write(replies, [{ value: 'the end of it', partition, headers: { f: uid, t: first.adapter().uid } }]);
  await eventually(PATIENCE, 'it is read', () => first.adapter().stats().unreadable > 0);
  assert.equal(await first.adapter().serverCount(), 2);
  assert.equal(first.adapter().stats().servers, 1);
  assert.deepEqual(
    (await first.io.timeout(10_000).fetchSockets()).map(({ id }) => id),
    [client.id],
  );
});

test('packets and sockets of many megabytes come over; what is more than the topic takes is told, and reaches the own clients', async (t) => {
  const { lines, logger } = witness();
  const peers = await Peers.start(cluster, { count: 2, logger });
  cleanup(t, () => peers.close());
  const [first, second] = peers.all;
  const clients = await Promise.all(peers.all.map((peer) => peer.client()));
  const large = { text: 'x'.repeat(3_000_000), bytes: Buffer.alloc(3_000_000, 'bytes') };
  second.socket(clients[1]).data = large;
  first.io.emit('large', large);
  assert.equal((await first.io.fetchSockets()).length, 2);
  await peers.settled();
  for (const client of clients) assert.deepStrictEqual(client.events('large'), [[large]]);
  first.io.emit('too large', 'x'.repeat(17_000_000));
  first.io.emit('behind it');
  await peers.settled();
  assert.deepEqual(
    clients.map((client) => client.events().map(([name]) => name)),
    [
      ['large', 'too large', 'behind it'],
      ['large', 'behind it'],
    ],
  );
  assert.match((await lines.until(([level]) => level === 'error'))[1], /message\.max\.bytes is 16777216/);
  assert.equal(first.adapter().stats().dropped, 1);
});
