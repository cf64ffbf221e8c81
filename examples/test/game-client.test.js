'use strict';
// The game's client, with an instance that says what the test likes.

const assert = require('node:assert/strict');
const { EventEmitter, once } = require('node:events');
const { beforeEach, test } = require('node:test');
const { cleanup } = require('../../test/support/cleanup.js');
const { SOON, within } = require('../../test/support/flow.js');

/** @type {typeof import('../game/public/client.js')} */ let clients;
/** @type {typeof import('../game/public/engine.js')} */ let engine;
const made = new EventEmitter();

/** A connection: what was sent, and a way to say something. */
class Socket {
  sent = /** @type {any[]} */ ([]);
  onopen; onmessage; onclose;

  constructor(url) {
    this.url = url;
    setImmediate(() => made.emit('socket', this));
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {}

  says(...frames) {
    for (const frame of frames) this.onmessage({ data: JSON.stringify(frame) });
  }
}

const next = () => within(SOON, 'a connection', async () => {
  const [socket] = await once(made, 'socket');
  socket.onopen();
  return socket;
});

beforeEach(async () => ([clients, engine] = await Promise.all([import('../game/public/client.js'), import('../game/public/engine.js')])));

const welcome = { type: 'welcome', instance: 1, ports: [1, 2, 3] };
const event = (offset, seq, it) => ({ type: 'event', token: `0-${offset}`, seq, event: it, late: 1 });
const join = { type: 'join', player: 'ann', name: 'Ann', instance: 1, session: 'a.1' };
const paint = (n, cell, player = 'ann') => ({ type: 'paint', player, n, cell });
const paints = (socket) => socket.sent.filter(({ type }) => type === 'paint').map(({ n, cell }) => [n, cell]);

/** The game of these events, as a snapshot. */
function snapshot(token, ...events) {
  const game = new engine.Game();
  for (const each of events) assert.ok(game.apply(each));
  return { type: 'snapshot', log: 'log', token, state: game.snapshot() };
}

async function started(t) {
  const told = { faults: /** @type {string[]} */ ([]), own: 0 };
  const first = next();
  const client = new clients.Client({ urls: ['ws://127.0.0.1:1/play'], game: 'amber', player: 'ann', name: 'Ann', WebSocket: Socket },
    { fault: (what) => told.faults.push(what), event: (_, ms) => ms !== undefined && told.own++ });
  cleanup(t, () => client.close());
  return { client, told, socket: await first };
}

test('a client comes back at the next instance with its token, and says again, with the same numbers, what it has not read', async (t) => {
  const { client, socket, told } = await started(t);
  assert.equal(socket.sent[0].token, undefined);
  socket.says(snapshot('0--1'), welcome, event(3, 1, join));
  for (const cell of [7, 8, 9]) client.paint(cell);
  assert.deepEqual(paints(socket), [[1, 7], [2, 8], [3, 9]]);
  socket.says(event(4, 2, paint(1, 7)));
  const coming = next();
  socket.onclose({ reason: '' });
  client.paint(10);
  const second = await coming;
  assert.equal(second.url, 'ws://127.0.0.1:2/play');
  assert.deepEqual(second.sent, [{ type: 'hello', game: 'amber', player: 'ann', name: 'Ann', log: 'log', token: '0-4' }]);
  // The dead instance had written one more.
  second.says(event(5, 3, paint(2, 8)), { ...welcome, instance: 2 });
  assert.deepEqual(paints(second), [[3, 9], [4, 10]]);
  second.says(event(6, 4, paint(3, 9)), event(7, 5, paint(4, 10)));
  assert.deepEqual(client.pending, []);
  assert.deepEqual([told.own, told.faults], [4, []]);
});

test('with a snapshot in place of events, moves that it has are not said again', async (t) => {
  const { client, socket } = await started(t);
  socket.says(snapshot('0--1'), welcome, event(3, 1, join));
  for (const cell of [7, 8, 9]) client.paint(cell);
  const coming = next();
  socket.onclose({ reason: '' });
  const second = await coming;
  second.says(snapshot('0-900', join, paint(1, 7), paint(2, 8)), welcome);
  assert.deepEqual(paints(second), [[3, 9]]);
});

for (const [what, wrong] of /** @type {[string, any][]} */ ([['skips', event(5, 3, paint(2, 8))], ['repeats', event(3, 1, join)], ['makes up', event(4, 2, paint(9, 1))]]))
  test(`an instance that ${what} an event is left, and the next one asked for the whole board`, async (t) => {
    const { client, socket, told } = await started(t);
    socket.says(snapshot('0--1'), welcome, event(3, 1, join));
    const coming = next();
    socket.says(wrong);
    assert.equal(told.faults.length, 1);
    assert.equal(client.connected, false);
    assert.equal((await coming).sent[0].token, undefined);
  });

test('a move of a duplicate of this tab is not taken for this one\'s, which is said again with the next number', async (t) => {
  const { client, socket } = await started(t);
  socket.says(snapshot('0--1'), welcome, event(3, 1, join));
  client.paint(7);
  socket.says(event(4, 2, paint(1, 99)));
  assert.deepEqual(paints(socket), [[1, 7], [2, 7]]);
  socket.says(event(6, 3, paint(2, 7)));
  assert.deepEqual(client.pending, []);
});

test('a client has a bounded number of moves on their way', async (t) => {
  const { client, socket } = await started(t);
  for (let i = 0; i < 32; i++) assert.equal(client.paint(i), true);
  assert.equal(client.paint(33), false);
  socket.says(snapshot('0--1'), welcome);
  assert.equal(paints(socket).length, 32);
});
