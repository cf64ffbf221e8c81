'use strict';
// What a server keeps for clients that come back: it goes by time and by bytes, and says where something is gone.

const { describe, test } = require('node:test');
const assert = require('node:assert/strict');
const { OrderedOutgoing } = require('../js/socket.io-kafka/dist/recovery/outgoing.js');
const { Recovery } = require('../js/socket.io-kafka/dist/recovery/recovery.js');
const { Ring } = require('../js/socket.io-kafka/dist/recovery/ring.js');
const { encodeRecord } = require('../js/socket.io-kafka/dist/record.js');

const packet = (namespace, partition, offset, at, rooms = []) => {
  const body = `["ж${offset}"]`;
  return { namespace, partition, offset, id: `${offset}`, uid: 'u', number: offset, rooms, except: [], body, at, bytes: Ring.bytesOf(body) };
};
const offsets = (entries) => entries?.map(({ offset }) => offset);

describe('packets that clients can have missed', () => {
  test('are kept for so long, and then nothing of them, nor of their namespaces, is', () => {
    const ring = new Ring();
    for (let n = 0; n < 10; n++) ring.add(packet(`/${n % 5}`, 0, n, n));
    ring.expire(5);
    assert.equal(ring.length, 5);
    assert.deepEqual(offsets(ring.after('/1', 0, 0, [])), [6]);
    ring.expire(10);
    assert.equal(ring.length, 0);
    assert.equal(ring.bytes, 0);
    // A namespace that is remembered would have a place in partition 0 only.
    for (let n = 0; n < 5; n++) assert.deepEqual(ring.after(`/${n}`, 1, 0, []), []);
  });

  test('count in bytes as they are in the log', () => {
    assert.equal(Ring.bytesOf('жж') - Ring.bytesOf('ab'), 2);
  });

  test('that had to go are known to be gone, as long as somebody can have missed them', () => {
    const ring = new Ring();
    for (let n = 0; n < 4; n++) ring.add(packet('/', 0, n, n));
    ring.evict();
    ring.evict();
    assert.equal(ring.after('/', 0, 0, []), undefined);
    assert.deepEqual(offsets(ring.after('/', 0, 1, [])), [2, 3]);
    ring.expire(4);
    assert.deepEqual(ring.after('/', 0, 0, []), []);
  });

  test('that were never read here are looked for elsewhere, in their partition alone', () => {
    const ring = new Ring();
    ring.add(packet('/a', 0, 1, 0));
    ring.add(packet('/b', 1, 1, 0));
    ring.lose(0, 5, 1);
    ring.lose(1, 0, 1);
    ring.add(packet('/a', 0, 6, 2));
    assert.equal(ring.after('/a', 0, 4, []), undefined);
    assert.deepEqual(offsets(ring.after('/a', 0, 5, [])), [6]);
    assert.deepEqual(offsets(ring.after('/b', 1, 0, [])), [1]);
    // Whoever has an older place has answered pings since.
    ring.expire(2);
    assert.deepEqual(offsets(ring.after('/a', 0, 4, [])), [6]);
  });

  test('are of no use to a client whose place is in another partition', () => {
    const ring = new Ring();
    ring.add(packet('/', 0, 7, 0));
    ring.add(packet('/', 1, 3, 1));
    assert.equal(ring.after('/', 0, 7, []), undefined);
    // Also where nothing of the first partition is known any more.
    ring.expire(1);
    ring.expire(2);
    ring.add(packet('/', 0, 8, 2));
    assert.equal(ring.after('/', 1, 3, []), undefined);
    assert.deepEqual(offsets(ring.after('/', 0, 7, [])), [8]);
  });

  test('that had to go are in the log, but for a client whose place is before a change of partition or of what was never read', () => {
    const ring = new Ring();
    ring.add(packet('/', 1, 50, 0));
    assert.equal(ring.hadNoRoom('/', 1, 50), false);
    // Of a server that does not know the new partition yet.
    ring.add(packet('/', 0, 500, 1));
    ring.add(packet('/', 1, 100, 2));
    ring.add(packet('/', 1, 101, 3));
    for (let n = 0; n < 4; n++) ring.evict();
    assert.deepEqual([50, 99, 100].map((offset) => ring.hadNoRoom('/', 1, offset)), [false, false, true]);
    assert.equal(ring.hadNoRoom('/', 0, 600), false);
    ring.lose(1, 101, 4);
    assert.equal(ring.hadNoRoom('/', 1, 100), false);
  });
});

test('own packets that wait for their place in the log have a bound in bytes: the oldest go out without it', () => {
  const body = (n) => encodeRecord({ type: 3, uid: 'u', number: n, created: 0, data: 'x'.repeat(1000), replies: 0 });
  const late = [];
  const outgoing = new OrderedOutgoing(60_000, 3500, ({ number }) => late.push(number));
  for (let n = 1; n <= 5; n++) outgoing.logged(n, body(n));
  outgoing.bound();
  assert.deepEqual(late, [1, 2]);
  const read = [];
  for (let n = 1; n <= 5; n++) outgoing.read(n, () => read.push(n));
  assert.deepEqual(read, [3, 4, 5]);
  outgoing.close();
});

test('a session record with fields that are none is refused as it is read, and never when it is used', () => {
  const recovery = new Recovery({ maxDisconnectionDuration: 1000, pingTimeout: 1000 }, 1_000_000);
  const keep = (had) => {
    const data = { pid: 'p', sid: 's', rooms: [], had };
    recovery.keep('/', { type: 30, uid: 'u', number: 1, created: 0, data, replies: 0, bytes: 10 }, { partition: 0, offset: 1, id: 't-0-1', body: '' }, Date.now(), false);
  };
  for (const had of [5, null, 'text', { x: 5 }, { x: null }, { x: [1] }, { x: [1, 'y'] }, { x: ['1', 2] }]) assert.throws(() => keep(had), /it is no session/);
  for (const had of [undefined, {}, { x: [1, 2] }]) keep(had);
  recovery.stop();
});
