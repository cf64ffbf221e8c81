'use strict';
// One of the chat's servers: the page, and socket.io over Kafka.

const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { Server } = require('socket.io');
const { createAdapter } = require('socket.io-kafka');

const number = Number(process.argv[2]);
const broker = process.env.KAFKA_BROKER ?? 'localhost:9092';

/** @type {Record<string, [string, string]>} */
const FILES = { '/': ['index.html', 'text/html'], '/chat.js': ['chat.js', 'text/javascript'], '/chat.css': ['chat.css', 'text/css'] };

const web = http.createServer((request, response) => {
  const [file, type] = FILES[request.url ?? ''] ?? [];
  if (!file) {
    response.writeHead(404).end();
    return;
  }
  response.setHeader('content-type', `${type}; charset=utf-8`);
  // A script that somebody slips into the page would not run.
  response.setHeader('content-security-policy', "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:");
  fs.createReadStream(path.join(__dirname, 'public', file)).pipe(response);
});

const io = new Server(web, {
  // A tab that comes back within two minutes, to whichever server, has its rooms again and gets what it missed.
  connectionStateRecovery: { maxDisconnectionDuration: 120_000 },
  // A server that is killed is forgotten after 3 s; until then `fetchSockets` waits for its answer.
  adapter: createAdapter(broker, { key: 'chat', heartbeatInterval: 1000, heartbeatTimeout: 3000 }),
  // One connection a tab. Long polling makes many, which a front has to lead to the same server each.
  transports: ['websocket'],
});

/** A value from a user can be anything. */
const text = (value, most) => (typeof value === 'string' ? value.trim().slice(0, most) : '');
/** Rooms of ours begin so: a room that is called like somebody's socket would get what is for that socket only. */
const roomOf = (name) => `room:${text(name, 40)}`;

io.on('connection', (socket) => {
  const name = text(socket.handshake.auth.name, 24) || 'Nobody';
  socket.data = { name, server: number };

  socket.on('hello', (answer) => typeof answer === 'function' && answer(number, process.pid));

  socket.on('join', (name) => {
    socket.join(roomOf(name));
    changed(roomOf(name));
  });

  socket.on('message', (to, id, words) => {
    const room = roomOf(to);
    const message = { room: text(to, 40), id: text(id, 40), name, server: number, at: Date.now(), text: text(words, 2000) };
    if (socket.rooms.has(room) && message.text) io.to(room).emit('message', message);
  });

  // Volatile: who is away or slow does without. With recovery on, such an event must not end with a string, which the client would take for
  // its place in the log: hence an object.
  socket.on('typing', (to) => {
    if (socket.rooms.has(roomOf(to))) socket.volatile.to(roomOf(to)).emit('typing', { room: text(to, 40), name });
  });

  socket.on('disconnecting', () => {
    const rooms = [...socket.rooms].filter((room) => room.startsWith('room:'));
    socket.once('disconnect', () => rooms.forEach(changed));
  });
});

/** Somebody came or went: every server tells its own tabs who is there now. */
function changed(room) {
  io.serverSideEmit('changed', room);
  tell(room);
}
io.on('changed', tell);

/** How often each room was looked at. @type {Map<string, number>} */
const looks = new Map();

async function tell(room) {
  const look = (looks.get(room) ?? 0) + 1;
  looks.set(room, look);
  try {
    const sockets = await io.in(room).fetchSockets();
    const people = sockets.map(({ id, data }) => ({ id, ...data })).sort((a, b) => a.name.localeCompare(b.name));
    // An answer that is overtaken by a later look is old.
    if (looks.get(room) === look) io.local.to(room).emit('people', { room: room.slice('room:'.length), people });
  } catch (error) {
    console.error(`server ${number}: who is in ${room}: ${/** @type {Error} */ (error).message}`);
  }
}

// A server that is killed says no goodbye.
const timer = setInterval(() => {
  for (const room of io.of('/').adapter.rooms.keys()) if (room.startsWith('room:')) tell(room);
}, 10_000);

let stopped = false;
async function stop() {
  if (stopped) return;
  stopped = true;
  clearInterval(timer);
  const closed = io.close();
  // A browser opens connections before it needs them; one that has asked for nothing yet would keep this server.
  web.closeAllConnections();
  await closed;
  if (process.connected) process.disconnect();
}
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
process.on('disconnect', () => process.exit()); // the front is gone, or this server is through

async function main() {
  await io.of('/').adapter.init(); // from here on it hears what the others send
  web.listen(0, '127.0.0.1', () => process.send?.(/** @type {import('node:net').AddressInfo} */ (web.address()).port));
}

main().catch((error) => {
  console.error(`server ${number}: ${error.message}`);
  process.exit(1);
});
