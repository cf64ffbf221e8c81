'use strict';
// Three servers, each in a process of its own: every call of socket.io that reaches clients or servers does so from each of them.

const { afterEach, before, describe, test, after } = require('node:test');
const assert = require('node:assert/strict');
const { cleanup } = require('./support/cleanup.js');
const { real } = require('./support/clusters.js');
const { RemotePeer, kafkaOf, newKey } = require('./support/socketio.js');
const { PATIENCE, within } = require('./support/flow.js');

for (const [how, server] of Object.entries({ '': {}, ', with connection state recovery': { connectionStateRecovery: {} } }))
  describe(`three servers in three processes${how}`, () => {
    /** @type {any} */ let cluster;
    /** @type {RemotePeer[]} */ let peers;
    const ends = [];
    let marks = 0;

    before(async () => {
      cluster = await real();
      const options = { ...kafkaOf(cluster), key: newKey(), server };
      // They live as long as this describe.
      const t = /** @type {any} */ ({ after: (end) => ends.push(end) });
      peers = await Promise.all([0, 1, 2].map(() => RemotePeer.start(t, options)));
      await Promise.all(peers.map((peer) => peer.do('knows', { servers: 3 })));
    });
    after(async () => {
      for (const end of ends) await end();
      await cluster?.close();
    });
    afterEach(() => {
      for (const peer of peers) for (const client of peer.clients.splice(0)) client.close();
    });

    /** A client of each, in the rooms that `rooms` names: ['a b', 'b', '']. */
    async function clients(rooms = ['', '', ''], options = {}) {
      const all = await Promise.all(
        peers.map(async (peer, i) => {
          const client = await peer.client(options);
          for (const room of rooms[i].split(' ').filter(Boolean)) await peer.do('socketsJoin', { ...options, rooms: [client.id], room });
          return client;
        }),
      );
      // With recovery a join comes back from the log first, where the next call of another server may be before it.
      await allSent(all, options.nsp);
      return all;
    }

    /** Everything that was sent has come. */
    async function allSent(all, nsp = '/') {
      const mark = `mark ${++marks}`;
      for (const [i, peer] of peers.entries()) await peer.do('emit', { nsp, event: [mark, i] });
      await Promise.all(all.flatMap((client) => [0, 1, 2].map((i) => client.hears(mark, (from) => from === i))));
    }

    /** How often each has heard the event, when everything that was sent has come. */
    async function counts(all, event, nsp = '/') {
      await allSent(all, nsp);
      return all.map((client) => client.events(event).length);
    }

    test('broadcasts: to all, to rooms, without some, on one server only, with flags, of bytes, and in namespaces that come late', async () => {
      const all = await clients(['a b', 'b', 'c']);
      for (const peer of peers) {
        await peer.do('emit', { event: ['all'] });
        await peer.do('emit', { rooms: ['a', 'b'], event: ['to'] });
        await peer.do('emit', { except: ['b'], event: ['except'] });
        await peer.do('emit', { rooms: [all[1].id], event: ['own'] });
        await peer.do('emit', { flags: { local: true }, event: ['local'] });
        await peer.do('emit', { flags: { compress: false }, event: ['flags'] });
        await peer.do('emit', { event: ['bytes', { $bytes: [0, 255, 128] }] });
        await peer.do('emit', { rooms: [7], event: ['number'] });
      }
      const expected = {
        all: [3, 3, 3],
        to: [3, 3, 0],
        except: [0, 0, 3],
        own: [0, 3, 0],
        local: [1, 1, 1],
        flags: [3, 3, 3],
        bytes: [3, 3, 3],
        number: [0, 0, 0],
      };
      for (const [event, times] of Object.entries(expected)) assert.deepEqual(await counts(all, event), times, event);
      for (const client of all) for (const [bytes] of client.events('bytes')) assert.deepEqual(bytes, Buffer.from([0, 255, 128]));

      await Promise.all(peers.map((peer) => peer.do('knows', { nsp: '/late', servers: 3 })));
      const late = await clients(['', 'a', ''], { nsp: '/late' });
      for (const peer of peers) await peer.do('emit', { nsp: '/late', rooms: ['a'], event: ['in'] });
      assert.deepEqual(await counts(late, 'in', '/late'), [0, 3, 0]);
      assert.deepEqual(await counts(all, 'in'), [0, 0, 0]);
    });

    test('questions to clients: each answers once, and who does not in time is missing', async () => {
      const all = await clients(['a', 'a', ''], { answers: (answer, event, n) => event === 'question' && answer(n + 1) });
      for (const peer of peers) {
        assert.deepEqual(await peer.do('emitWithAck', { event: ['question', 1], flags: { timeout: PATIENCE } }), [2, 2, 2]);
        assert.deepEqual(await peer.do('emitWithAck', { rooms: ['a'], event: ['question', 2], flags: { timeout: PATIENCE } }), [3, 3]);
        await assert.rejects(peer.do('emitWithAck', { event: ['silence'], flags: { timeout: 50 } }), ({ responses }) => responses.length === 0);
      }
      assert.deepEqual(await counts(all, 'silence'), [3, 3, 3]);
    });

    test('joins, leaves and disconnects by filter, and where sockets are', async () => {
      const all = await clients(['a', 'a', 'b']);
      const [one, two, three] = all;
      for (const peer of peers) {
        await peer.do('socketsJoin', { rooms: ['a'], except: [one.id], room: 'joined' });
        await peer.do('emit', { rooms: ['joined'], event: ['joined'] });
        assert.deepEqual(await counts(all, 'joined'), [0, peers.indexOf(peer) + 1, 0]);
        const found = await peer.do('fetchSockets');
        assert.deepEqual(found.map(({ id }) => id).sort(), all.map(({ id }) => id).sort());
        assert.deepEqual(found.find(({ id }) => id === two.id).rooms.sort(), [two.id, 'a', 'joined'].sort());
        assert.deepEqual(
          (await peer.do('fetchSockets', { rooms: ['b'] })).map(({ id }) => id),
          [three.id],
        );
        await peer.do('socketsLeave', { rooms: ['joined'], room: 'joined' });
        await peer.do('emit', { rooms: ['joined'], event: ['left'] });
        assert.deepEqual(await counts(all, 'left'), [0, 0, 0]);
      }
      await peers[2].do('disconnectSockets', { rooms: ['a'], except: [two.id] });
      assert.equal(await within(PATIENCE, 'it is disconnected', () => one.gone), 'io server disconnect');
      assert.ok(two.socket.connected && three.socket.connected);
    });

    test('calls to the other servers, which answer', async () => {
      const all = await clients();
      for (const [i, peer] of peers.entries()) {
        assert.equal(await peer.do('serverCount'), 3);
        assert.deepEqual(await peer.do('serverSideEmit', { event: ['question', 5] }), [10, 10]);
        await peer.do('tellServers', { event: ['note', i] });
        for (const [j, client] of all.entries()) if (j !== i) await client.hears('noted', (from) => from === i);
      }
      assert.deepEqual(await counts(all, 'noted'), [2, 2, 2]);
    });
  });

test('a server that stood still until the log had lost records says which, also without recovery', async (t) => {
  const cluster = await real();
  cleanup(t, () => cluster.close());
  const options = { ...kafkaOf(cluster), key: newKey() };
  const [still, goes] = await Promise.all([0, 1].map(() => RemotePeer.start(t, options)));
  await Promise.all([still, goes].map((peer) => peer.do('knows', { servers: 2 })));
  const [client, witness] = [await still.client(), await goes.client()];
  cleanup(t, () => [client, witness].forEach((each) => each.close()));
  await goes.do('emit', { event: ['m', 0] });
  for (const each of [client, witness]) await each.hears('m');
  still.process.kill('SIGSTOP');
  for (let n = 1; n <= 20; n++) {
    await goes.do('emit', { event: ['m', n] });
    await witness.hears('m', (got) => got === n);
  }
  await cluster.admin.deleteRecords(options.key, 0, (await cluster.admin.watermarks(options.key, 0)).high);
  still.process.kill('SIGCONT');
  await goes.do('emit', { event: ['m', 21] });
  await client.hears('m', (n) => n === 21);
  const { lines } = await still.do('stats');
  assert.ok(
    lines.some(([, text]) => /has lost the records from \d+ to \d+ before they were read: clients of this server have missed them/.test(text)),
    lines,
  );
});
