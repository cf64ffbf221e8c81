'use strict';
// Promises of socket.io for an adapter, over three servers: each emits, asks and moves, and the clients of all three must not tell which of them did.

const { after, afterEach, before, describe, test } = require('node:test');
const assert = require('node:assert/strict');
const { cleanup } = require('./support/cleanup.js');
const { real } = require('./support/clusters.js');
const { Peers } = require('./support/socketio.js');
const { values } = require('./support/socketio-values.js');
const { deferred } = require('./support/watch.js');

/** @type {any} */ let cluster;
/** @type {Peers} */ let peers;
before(async () => {
  cluster = await real();
  peers = await Peers.start(cluster);
});
after(async () => {
  await peers?.close();
  await cluster?.close();
});
afterEach(async () => {
  for (const peer of peers.all) {
    for (const client of peer.clients.splice(0)) client.close();
    peer.io.removeAllListeners();
  }
  await Promise.all(
    peers.all.map(async ({ io }) => {
      while (io.engine.clientsCount > 0) await new Promise((resolve) => setImmediate(resolve));
    }),
  );
});

/** A client on each server, of the rooms that `rooms` names: ['a b', 'b', ''] is one in a and b, one in b, one in none. */
async function clients(rooms = ['', '', ''], options = {}) {
  return Promise.all(
    rooms.map(async (names, i) => {
      const client = await peers.all[i].client(options);
      for (const name of names.split(' ').filter(Boolean)) peers.all[i].socket(client).join(name);
      return client;
    }),
  );
}

/** How often each has heard the event, when everything that was sent has come. */
async function counts(all, event) {
  await peers.settled();
  return all.map((client) => client.events(event).length);
}

const roomsOf = (client, i) => [...peers.all[i].socket(client).rooms].filter((room) => room !== client.id).sort();

describe('broadcasts', () => {
  test('what any server emits comes to every client of every server, once', async () => {
    const all = await clients();
    for (const [i, { io }] of peers.all.entries()) io.emit('all', i);
    assert.deepEqual(await counts(all, 'all'), [3, 3, 3]);
    for (const client of all) assert.deepEqual(client.events('all').flat().sort(), [0, 1, 2]);
  });

  test('who is in a room hears what goes to it; who is in several of those that are named hears it once', async () => {
    const all = await clients(['a b', 'b', 'c']);
    for (const { io } of peers.all) {
      io.to('a').emit('a');
      io.in(['a', 'b']).emit('a or b');
      io.to('a').to('b').to('c').emit('any');
      io.to('nobody').emit('nobody');
    }
    assert.deepEqual(await counts(all, 'a'), [3, 0, 0]);
    assert.deepEqual(await counts(all, 'a or b'), [3, 3, 0]);
    assert.deepEqual(await counts(all, 'any'), [3, 3, 3]);
    assert.deepEqual(await counts(all, 'nobody'), [0, 0, 0]);
  });

  test('a packet goes to a WebSocket in one write, and comes as it is, small or large', async (t) => {
    const all = await clients();
    const writes = peers.all.map((peer, i) => {
      const connection = peer.socket(all[i]).conn.transport.socket._socket;
      return t.mock.method(connection, 'write').mock;
    });
    const texts = ['', 'a', 'ä'.repeat(100), 'b'.repeat(1000), 'c'.repeat(16_000)];
    for (const text of texts) peers.all[0].io.emit('text', text);
    peers.all[1].io.emit('large', 'd'.repeat(100_000));
    await peers.settled();
    for (const [i, client] of all.entries()) {
      assert.deepEqual(
        client.events('text'),
        texts.map((text) => [text]),
      );
      assert.deepEqual(client.events('large'), [['d'.repeat(100_000)]]);
      const small = writes[i].calls.filter(({ arguments: [bytes] }) => texts.slice(1).some((text) => bytes.includes(JSON.stringify(text))));
      assert.equal(small.length, texts.length - 1);
      for (const {
        arguments: [bytes],
      } of small)
        assert.equal(bytes[0], 0x81, 'the head of a frame');
    }
  });

  test('a client is a room of its own, on whatever server it is', async () => {
    const all = await clients();
    for (const { io } of peers.all) for (const [i, { id }] of all.entries()) io.to(id).emit('you', i);
    await peers.settled();
    for (const [i, client] of all.entries()) assert.deepEqual(client.events('you'), [[i], [i], [i]]);
  });

  test('who is excepted hears nothing: by a room, by several, by its own id, and out of a room that is named', async () => {
    const all = await clients(['a b', 'b', 'c']);
    for (const { io } of peers.all) {
      io.except('b').emit('not b');
      io.except(['a', 'c']).emit('not a, c');
      io.except(all[2].id).emit('not the third');
      io.to(['b', 'c']).except('a').emit('b or c, not a');
    }
    assert.deepEqual(await counts(all, 'not b'), [0, 0, 3]);
    assert.deepEqual(await counts(all, 'not a, c'), [0, 3, 0]);
    assert.deepEqual(await counts(all, 'not the third'), [3, 3, 0]);
    assert.deepEqual(await counts(all, 'b or c, not a'), [0, 3, 3]);
  });

  test('what a socket broadcasts comes to all others', async () => {
    const all = await clients(['a', 'a', '']);
    for (const [i, peer] of peers.all.entries()) {
      peer.socket(all[i]).broadcast.emit('others');
      peer.socket(all[i]).to('a').emit('others in a');
    }
    assert.deepEqual(await counts(all, 'others'), [2, 2, 2]);
    assert.deepEqual(await counts(all, 'others in a'), [2, 2, 0]);
  });

  test('a room that is a number is not the one that is its digits', async () => {
    const all = await clients();
    peers.all[0].socket(all[0]).join(7);
    peers.all[1].socket(all[1]).join('7');
    peers.all[2].socket(all[2]).join(['x', 7, 0]);
    for (const { io } of peers.all) {
      io.to(7).emit('number');
      io.to('7').emit('digits');
      io.to(0).emit('zero');
      io.to('x').except(7).emit('not seven');
    }
    assert.deepEqual(await counts(all, 'number'), [3, 0, 3]);
    assert.deepEqual(await counts(all, 'digits'), [0, 3, 0]);
    assert.deepEqual(await counts(all, 'zero'), [0, 0, 3]);
    assert.deepEqual(await counts(all, 'not seven'), [0, 0, 0]);
  });

  test('rooms have any name', async () => {
    const names = ['', '__proto__', 'constructor', ' ', 'ü', '🚀', 'a\u0000b', 'a,b', '\ud800', 'x'.repeat(5000)];
    const all = await clients();
    for (const name of names) peers.all[2].socket(all[2]).join(name);
    for (const name of names) peers.all[0].io.to(name).emit('room', name.slice(0, 9));
    await peers.settled();
    assert.deepEqual(
      all[2].events('room'),
      names.map((name) => [name.slice(0, 9)]),
    );
    assert.deepEqual(await counts(all, 'room'), [0, 0, names.length]);
  });

  test('local stays on its server', async () => {
    const all = await clients(['a', 'a', 'a']);
    peers.all[1].io.local.emit('local');
    peers.all[2].io.local.to('a').emit('local');
    assert.deepEqual(await counts(all, 'local'), [0, 1, 1]);
  });

  test('volatile and compress are written on other servers as on the own', async () => {
    const all = await clients();
    const written = all.map((client, i) => {
      const seen = [];
      const { client: connection } = peers.all[i].socket(client);
      const write = connection.writeToEngine;
      connection.writeToEngine = (packets, how) => {
        if (packets[0].includes('"flags"')) seen.push([how.volatile, how.compress]);
        return write.call(connection, packets, how);
      };
      return seen;
    });
    const { io } = peers.all[0];
    io.volatile.emit('flags');
    io.compress(false).emit('flags');
    io.compress(true).volatile.emit('flags');
    io.emit('flags');
    await peers.settled();
    const expected = [
      [true, undefined],
      [undefined, false],
      [true, true],
      [undefined, undefined],
    ];
    for (const seen of written) assert.deepEqual(seen, expected);
  });

  test('a burst from each server comes whole, in the order of its sender', async () => {
    const all = await clients();
    for (let n = 0; n < 500; n++) for (const [i, { io }] of peers.all.entries()) io.emit('burst', i, n);
    await peers.settled();
    const order = Array.from({ length: 500 }, (_, n) => n);
    for (const client of all)
      for (const i of [0, 1, 2])
        assert.deepEqual(
          client
            .events('burst')
            .filter(([from]) => from === i)
            .map(([, n]) => n),
          order,
        );
  });

  test('a client of the own server hears a broadcast and what its socket sends in the order in which they were sent', async () => {
    const [client] = await clients();
    const { io } = peers.all[0];
    const socket = peers.all[0].socket(client);
    for (let n = 0; n < 50; n += 2) {
      io.emit('n', n);
      socket.emit('n', n + 1);
    }
    await peers.settled();
    assert.deepEqual(
      client.events('n').flat(),
      Array.from({ length: 50 }, (_, n) => n),
    );
  });
});

describe('values', () => {
  for (const [name, make] of Object.entries(values)) {
    test(`${name}: arrives on other servers as on the own`, async () => {
      const all = await clients();
      peers.all[0].io.emit('value', ...make());
      await peers.settled();
      const [own, ...others] = all.map((client) => client.events('value'));
      assert.equal(own.length, 1);
      for (const other of others) assert.deepStrictEqual(other, own);
    });
  }

  test('bytes stay bytes', async () => {
    const all = await clients();
    peers.all[0].io.emit('bytes', Buffer.from([0, 255]), { deep: [new Uint8Array([1, 2, 3]).subarray(1)] }, new Uint8Array([7]).buffer);
    await peers.settled();
    for (const client of all) assert.deepStrictEqual(client.events('bytes'), [[Buffer.from([0, 255]), { deep: [Buffer.from([2, 3])] }, Buffer.from([7])]]);
  });

  test('an event has any name, and no arguments or many', async () => {
    const all = await clients();
    const events = [[''], ['__proto__', 1], ['constructor'], ['toString', {}], ['🚀', null], ['many', ...Array.from({ length: 300 }, (_, n) => n)]];
    for (const event of events) peers.all[0].io.emit(...event);
    await peers.settled();
    for (const client of all) assert.deepEqual(client.events(), events);
  });

  test('what is changed after it was emitted arrives as it was', async () => {
    const all = await clients();
    const thing = { list: [1], bytes: Buffer.from('before') };
    peers.all[0].io.emit('thing', thing);
    thing.list.push(2);
    thing.bytes.write('after!');
    await peers.settled();
    for (const client of all.slice(1)) assert.deepStrictEqual(client.events('thing'), [[{ list: [1], bytes: Buffer.from('before') }]]);
    assert.deepStrictEqual(all[0].events('thing')[0][0].list, [1]);
  });

  test('what has a toJSON arrives in that form, beside bytes and without', async (t) => {
    const all = await clients();
    BigInt.prototype.toJSON = function () {
      return `${this}`;
    };
    cleanup(t, () => delete BigInt.prototype.toJSON);
    const price = { toJSON: () => ({ cents: 5n }) };
    peers.all[0].io.emit('plain', 1n, price);
    peers.all[0].io.emit('bytes', 1n, price, Buffer.from('b'));
    await peers.settled();
    for (const client of all) {
      assert.deepEqual(client.events('plain'), [['1', { cents: '5' }]]);
      assert.deepEqual(client.events('bytes'), [['1', { cents: '5' }, Buffer.from('b')]]);
    }
  });

  test('what cannot be sent harms nothing that can', async (t) => {
    const all = await clients();
    const lost = [];
    const onLost = (reason) => lost.push(reason);
    process.on('unhandledRejection', onLost);
    cleanup(t, () => process.off('unhandledRejection', onLost));
    const circular = {};
    circular.self = circular;
    const { io } = peers.all[0];
    for (const value of [
      1n,
      { deep: [1n] },
      circular,
      {
        toJSON() {
          throw new Error('no');
        },
      },
    ]) {
      const calls = [
        () => io.emit('bad', value),
        () => io.serverSideEmit('bad', value),
        () => io.timeout(50).emitWithAck('bad', value),
        () => io.of('/').adapter.fetchSockets({ rooms: new Set([value]), except: new Set(), flags: { timeout: 50 } }),
      ];
      // Thrown to the caller, or told: both will do. Nothing may be left to the process.
      for (const call of calls)
        await Promise.resolve()
          .then(call)
          .catch(() => {});
    }
    for (const [i, peer] of peers.all.entries()) peer.io.emit('good', i);
    assert.deepEqual(await counts(all, 'good'), [3, 3, 3]);
    assert.deepEqual(lost, []);
  });
});

describe('acknowledgements', () => {
  const answers = (answer, event, ...args) => event === 'ask' && answer({ heard: args });

  test('each client of each server answers once', async () => {
    const all = await clients(['a', 'a', ''], { answers: (answer, event, n) => answer(n + 1) });
    for (const { io } of peers.all) {
      assert.deepEqual(await io.timeout(10_000).emitWithAck('ask', 1), [2, 2, 2]);
      assert.deepEqual(await io.to('a').timeout(10_000).emitWithAck('ask', 2), [3, 3]);
      assert.deepEqual(await io.except(all[0].id).timeout(10_000).emitWithAck('ask', 3), [4, 4]);
    }
  });

  test('many clients', async () => {
    const more = await Promise.all(Array.from({ length: 30 }, (_, n) => peers.all[n % 3].client({ answers: (answer) => answer(n) })));
    assert.equal(more.length, 30);
    const responses = await peers.all[1].io.timeout(10_000).emitWithAck('ask');
    assert.deepEqual(
      responses.sort((a, b) => a - b),
      Array.from({ length: 30 }, (_, n) => n),
    );
  });

  test('where nobody is, nobody is waited for', async () => {
    await clients();
    assert.deepEqual(await peers.all[0].io.to('nobody').timeout(10_000).emitWithAck('ask'), []);
  });

  test('servers without clients of the room count, and are not waited for', async () => {
    await clients(['', '', 'a'], { answers });
    for (const { io } of peers.all) assert.deepEqual(await io.to('a').timeout(10_000).emitWithAck('ask', 5), [{ heard: [5] }]);
  });

  test('bytes go and come as bytes', async () => {
    await clients(['', '', ''], { answers });
    const responses = await peers.all[0].io.timeout(10_000).emitWithAck('ask', Buffer.from([1, 2]), null);
    assert.deepStrictEqual(responses, Array(3).fill({ heard: [Buffer.from([1, 2]), null] }));
  });

  test('who does not answer in time is missing: the error has the answers of the others', async () => {
    const slow = deferred();
    const all = await clients(['', '', ''], {});
    await peers.all[2].client({ answers: (answer) => answer('quick') });
    await peers.all[0].client({ answers: (answer) => answer('quick') });
    all[1].socket.on('ask', (answer) => slow.resolve(answer));
    await assert.rejects(peers.all[0].io.timeout(1000).emitWithAck('ask'), (error) => {
      assert.equal(error.message, 'operation has timed out');
      assert.deepEqual(error.responses, ['quick', 'quick']);
      return true;
    });
    // The answer that is late disturbs nobody.
    (await slow.promise)('late');
    assert.deepEqual(await peers.all[0].io.to(peers.all[0].clients[1].id).timeout(10_000).emitWithAck('ask'), ['quick']);
  });

  test('a callback gets what the promise does', async () => {
    await clients(['', '', 'a'], { answers });
    const answered = deferred();
    peers.all[0].io
      .to('a')
      .timeout(10_000)
      .emit('ask', 'x', (error, responses) => (error ? answered.reject(error) : answered.resolve(responses)));
    assert.deepEqual(await answered.promise, [{ heard: ['x'] }]);
  });

  test('a socket asks all others', async () => {
    const all = await clients(['', '', ''], { answers });
    assert.deepEqual(await peers.all[1].socket(all[1]).broadcast.timeout(10_000).emitWithAck('ask', 1), [{ heard: [1] }, { heard: [1] }]);
  });
});

describe('joining, leaving, disconnecting by filter', () => {
  /** Waits until an earlier move of any server is made on all. */
  const moved = () => peers.settled();

  test('all join, and hear at once what goes to the room', async () => {
    const all = await clients(['a', '', '']);
    peers.all[0].io.socketsJoin(['x', 'y']);
    peers.all[0].io.to('x').emit('x');
    peers.all[0].io.to(['x', 'y']).emit('x or y');
    assert.deepEqual(await counts(all, 'x'), [1, 1, 1]);
    assert.deepEqual(await counts(all, 'x or y'), [1, 1, 1]);
    assert.deepEqual(all.map(roomsOf), [
      ['a', 'x', 'y'],
      ['x', 'y'],
      ['x', 'y'],
    ]);
  });

  test('those of rooms, not those of others, one by its id', async () => {
    const all = await clients(['a b', 'b', 'c']);
    peers.all[1].io.in('b').socketsJoin('of b');
    peers.all[1].io.in(['a', 'c']).except('b').socketsJoin('of c');
    peers.all[1].io.except('c').socketsJoin('not c');
    peers.all[1].io.in(all[2].id).socketsJoin(9);
    await moved();
    assert.deepEqual(all.map(roomsOf), [
      ['a', 'b', 'not c', 'of b'],
      ['b', 'not c', 'of b'],
      [9, 'c', 'of c'],
    ]);
    peers.all[2].io.in('b').except('a').socketsLeave(['b', 'of b']);
    peers.all[2].io.socketsLeave(9);
    await moved();
    assert.deepEqual(all.map(roomsOf), [['a', 'b', 'not c', 'of b'], ['not c'], ['c', 'of c']]);
  });

  test('who has left hears no more of it', async () => {
    const all = await clients(['a', 'a', 'a']);
    peers.all[0].io.to('a').emit('a');
    peers.all[0].io.socketsLeave('a');
    peers.all[0].io.to('a').emit('a');
    assert.deepEqual(await counts(all, 'a'), [1, 1, 1]);
  });

  test('local moves stay on their server', async () => {
    const all = await clients();
    peers.all[1].io.local.socketsJoin('x');
    await moved();
    assert.deepEqual(all.map(roomsOf), [[], ['x'], []]);
  });

  test('those who are meant are disconnected', async () => {
    const all = await clients(['a', 'a', '']);
    peers.all[2].io.in('a').disconnectSockets();
    assert.deepEqual(await Promise.all(all.slice(0, 2).map(({ gone }) => gone)), ['io server disconnect', 'io server disconnect']);
    await moved();
    assert.equal(all[2].socket.connected, true);
  });

  test('a connection stays for its other namespaces, unless it is to be closed', async () => {
    for (const { io } of peers.all) io.of('/other');
    await peers.ready('/other');
    const all = await clients();
    const others = await Promise.all(
      all.map(
        (client) =>
          new Promise((resolve) => {
            const other = client.socket.io.socket('/other');
            other.once('connect', () => resolve(other));
            other.connect();
          }),
      ),
    );
    peers.all[0].io.disconnectSockets();
    await Promise.all(all.map(({ gone }) => gone));
    peers.all[1].io.of('/other').emit('still');
    await Promise.all(others.map((other) => new Promise((resolve) => other.once('still', resolve))));
    const closed = others.map((other) => new Promise((resolve) => other.io.engine.once('close', resolve)));
    peers.all[2].io.of('/other').disconnectSockets(true);
    await Promise.all(closed);
  });
});

describe('the sockets of all servers', () => {
  const ids = (sockets) => sockets.map(({ id }) => id).sort();

  test('with their rooms, data and handshake', async () => {
    const all = await clients(['a', 'a b', ''], { auth: { token: 'secret', bytes: Buffer.from([1]) }, query: { page: '7' } });
    for (const [i, client] of all.entries()) {
      peers.all[i].socket(client).data = { number: i, bytes: Buffer.from([i]), date: new Date(1000), nothing: null, map: { deep: [1, { x: '2' }] } };
      peers.all[i].socket(client).join(i);
    }
    for (const { io } of peers.all) {
      const sockets = await io.fetchSockets();
      assert.deepEqual(ids(sockets), ids(all));
      for (const [i, client] of all.entries()) {
        const socket = sockets.find(({ id }) => id === client.id);
        assert.deepEqual(new Set(socket.rooms), new Set([client.id, ...['a', 'a b', ''][i].split(' ').filter(Boolean), i]));
        assert.equal(socket.data.number, i);
        assert.deepEqual([...socket.data.bytes], [i]);
        assert.equal(new Date(socket.data.date).getTime(), 1000);
        assert.deepEqual(socket.data.map, { deep: [1, { x: '2' }] });
        assert.equal(socket.handshake.auth.token, 'secret');
        assert.equal(socket.handshake.query.page, '7');
        assert.equal(socket.handshake.address, '127.0.0.1');
        assert.equal(typeof socket.handshake.headers['user-agent'] === 'string' || socket.handshake.headers.host !== undefined, true);
      }
    }
  });

  test('by filter, and of this server only', async () => {
    const all = await clients(['a', 'a b', 'b']);
    const { io } = peers.all[0];
    assert.deepEqual(ids(await io.in('a').fetchSockets()), ids([all[0], all[1]]));
    assert.deepEqual(ids(await io.in(['a', 'b']).except('a').fetchSockets()), ids([all[2]]));
    assert.deepEqual(ids(await io.except(all[2].id).fetchSockets()), ids([all[0], all[1]]));
    assert.deepEqual(await io.in('nobody').fetchSockets(), []);
    assert.deepEqual(ids(await io.local.fetchSockets()), ids([all[0]]));
    assert.deepEqual(ids(await io.timeout(10_000).fetchSockets()), ids(all));
    assert.deepEqual(ids(await peers.all[1].socket(all[1]).broadcast.fetchSockets()), ids([all[0], all[2]]));
  });

  test('a server that does not answer is an error after the time that was given', async (t) => {
    await clients();
    const silent = peers.all[2].adapter();
    silent.doPublishResponse = async () => {};
    cleanup(t, () => delete silent.doPublishResponse);
    await assert.rejects(peers.all[0].io.timeout(200).fetchSockets(), { message: 'timeout reached: missing 1 responses' });
  });

  test('many questions at once get each its own answers', async () => {
    const all = await clients(['a', 'b', 'c']);
    const asked = Array.from({ length: 60 }, (_, n) => peers.all[n % 3].io.in('abc'[n % 5] ?? 'nobody').fetchSockets());
    for (const [n, sockets] of (await Promise.all(asked)).entries()) assert.deepEqual(ids(sockets), n % 5 < 3 ? [all[n % 5].id] : []);
  });

  test('a socket of another server emits, asks, joins, leaves and disconnects', async () => {
    const all = await clients(['', '', 'old'], { answers: (answer, event, n) => answer([event, n]) });
    const [socket] = await peers.all[0].io.in(all[2].id).fetchSockets();
    socket.emit('you', 1, Buffer.from([2]));
    socket.join(['new', 3]);
    socket.leave('old');
    assert.deepEqual(await socket.timeout(10_000).emitWithAck('ask', 9), ['ask', 9]);
    await peers.settled();
    assert.deepStrictEqual(all[2].events('you'), [[1, Buffer.from([2])]]);
    assert.deepEqual(roomsOf(all[2], 2), [3, 'new']);
    assert.deepEqual(await counts(all.slice(0, 2), 'you'), [0, 0]);
    socket.disconnect();
    assert.equal(await all[2].gone, 'io server disconnect');
    assert.equal(await socket.timeout(10_000).emitWithAck('ask', 9), undefined, 'nobody is there to answer');
  });

  test("a socket's data that cannot be sent does not keep the others from being found", async () => {
    const all = await clients();
    const timer = setTimeout(() => {}, 60_000);
    peers.all[1].socket(all[1]).data = { timer, big: 1n };
    try {
      assert.deepEqual(ids(await peers.all[0].io.timeout(5000).fetchSockets()), ids(all));
    } finally {
      clearTimeout(timer);
    }
  });
});

describe('servers among themselves', () => {
  test('the others hear it, not the own; bytes stay bytes', async () => {
    const heard = peers.all.map(({ io }) => new Promise((resolve) => io.on('note', (...args) => resolve(args))));
    const own = [];
    peers.all[1].io.on('note', (...args) => own.push(args));
    peers.all[1].io.serverSideEmit('note', 1, { bytes: Buffer.from([1, 2]) }, null, new Uint8Array([3]));
    for (const i of [0, 2]) {
      const [one, { bytes }, nothing, array] = await heard[i];
      assert.deepEqual([one, [...bytes], nothing, [...array]], [1, [1, 2], null, [3]]);
      assert.ok(bytes instanceof Uint8Array && array instanceof Uint8Array);
    }
    await clients();
    await peers.settled();
    assert.deepEqual(own, []);
  });

  test('each of the others answers once', async () => {
    for (const [i, { io }] of peers.all.entries()) {
      io.on('sum', (a, b, answer) => {
        answer({ from: i, sum: a + b, bytes: Buffer.from([i]) });
        answer('again');
      });
    }
    for (const [i, { io }] of peers.all.entries()) {
      const responses = await io.serverSideEmitWithAck('sum', 1, 2);
      assert.deepEqual(
        responses.map(({ from }) => from).sort(),
        [0, 1, 2].filter((n) => n !== i),
      );
      for (const { from, sum, bytes } of responses) assert.deepEqual([sum, [...bytes]], [3, [from]]);
    }
    const answered = deferred();
    peers.all[0].io.serverSideEmit('sum', 2, 2, (error, responses) => answered.resolve([error, responses.length]));
    assert.deepEqual(await answered.promise, [null, 2]);
  });

  test('who does not answer within 5 s is missing: the error has the answers of the others', async () => {
    peers.all[1].io.on('half', (answer) => answer('here'));
    await assert.rejects(peers.all[0].io.serverSideEmitWithAck('half'), (error) => {
      assert.equal(error.message, 'timeout reached: missing 1 responses');
      assert.deepEqual(error.responses, ['here']);
      return true;
    });
  });

  test('in order with broadcasts', async () => {
    const [, client] = await clients();
    const [first, second] = peers.all;
    const seen = [];
    second.io.on('n', (n) => seen.push(n));
    second.socket(client).onAnyOutgoing((event, n) => event === 'n' && seen.push(n));
    for (let n = 0; n < 100; n += 2) {
      first.io.serverSideEmit('n', n);
      first.io.emit('n', n + 1);
    }
    await peers.settled();
    assert.deepEqual(
      seen,
      Array.from({ length: 100 }, (_, n) => n),
    );
  });
});
