'use strict';
const assert = require('node:assert/strict');
const { execFileSync, fork, spawnSync } = require('node:child_process');
const { once } = require('node:events');
const { createServer } = require('node:http');
const { join } = require('node:path');
const { test } = require('node:test');
const { Server } = require('socket.io');
const { cleanup } = require('../../test/support/cleanup.js');

const BENCH = join(__dirname, '../socketio.js');

test('the adapters over Kafka and Redis are measured at the same work, and compared with redis-streams', () => {
  const args = ['--rows', 'acks-1,recovery,redis-streams,redis', '--rounds', '2', '--seconds', '0.5', '--clients', '6', '--rate', '50', '--in-flight', '6'];
  const printed = execFileSync(process.execPath, [BENCH, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  assert.match(printed, /Node v\d.*Redis \d.*6 clients/);
  const lines = printed.split('\n').filter((line) => line.startsWith('| '));
  const [figures, ratios] = [lines.slice(0, 6), lines.slice(6)];
  assert.deepEqual(
    figures.slice(2).map((line) => line.split(' | ')[0].slice(2)),
    ['Kafka, acks=1, not idempotent', 'the same with recovery', 'redis-streams', 'redis (PUB/SUB)'],
  );
  for (const line of figures.slice(2)) for (const cell of line.slice(2, -2).split(' | ').slice(1, 5)) assert.ok(Number(cell) > 0, line);
  assert.equal(ratios.length, 2 + 3);
});

/** The clients of the benchmark at one server, which answers a request for news with `emit`. */
async function clientsAt(t, emit) {
  const http = createServer().listen(0, '127.0.0.1');
  const io = new Server(http);
  cleanup(t, () => io.close());
  await once(http, 'listening');
  io.on('connection', (socket) => {
    socket.on('hello', (server) => io.emit('hello', server));
    socket.on('news', (id) => emit(io, id));
  });
  const clients = fork(join(__dirname, '../socketio/clients.js'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  cleanup(t, () => clients.kill());
  const next = async () => (await once(clients, 'message'))[0];
  await next();
  const ask = (message) => {
    clients.send(message);
    return next();
  };
  const { port } = /** @type {import('node:net').AddressInfo} */ (http.address());
  await ask({ ports: [port], each: 3 });
  return ask({ flood: { servers: 1, seconds: 0.1, inFlight: 2 } });
}

test('a broadcast counts when all clients have it', async (t) => {
  let asked = 0;
  const { result } = await clientsAt(t, (io, id) => {
    asked++;
    io.emit('news', id, '');
  });
  assert.equal(result.broadcasts, asked);
  assert.ok(asked > 2);
});

for (const [what, emit] of /** @type {[string, (io: Server, id: number) => void][]} */ ([
  ['misses', (io, id) => (id === 7 ? io.except([...io.of('/').sockets.keys()][1]) : io).emit('news', id, '')],
  ['has twice', (io, id) => { io.emit('news', id, ''); if (id === 7) io.to([...io.of('/').sockets.keys()][1]).emit('news', id, ''); }],
])) {
  test(`a broadcast that a client ${what} fails the measurement`, async (t) => {
    assert.match((await clientsAt(t, emit)).error, /^broadcast \d+ of server 0 came behind \d+$/);
  });
}

test('a row that is not there is named, with those that are', () => {
  const { status, stderr } = spawnSync(process.execPath, [BENCH, '--rows', 'acks-1,nonsense'], { encoding: 'utf8' });
  assert.equal(status, 1);
  assert.match(stderr, /--rows does not know nonsense: there are acks-1,/);
});
