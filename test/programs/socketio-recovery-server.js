'use strict';
// A server of socket.io with connection state recovery over Kafka that does what its parent says, until it is killed or told to close.

const http = require('node:http');
const { Server } = require('socket.io');
const { createAdapter } = require('socket.io-kafka');
const { options, say } = require('../support/child.js');

const { brokers, key, port = 0, server: serverOptions, ...adapterOptions } = options();
const lines = [];
const logger = Object.fromEntries(['error', 'warn', 'info', 'debug'].map((level) => [level, (line) => lines.push([level, String(line?.message ?? line)])]));
const server = http.createServer();
const io = new Server(server, { adapter: createAdapter({ brokers }, { key, logger, ...adapterOptions }), connectionStateRecovery: {}, ...serverOptions });

io.on('connection', (socket) => {
  if (!socket.recovered) socket.data.born = socket.id;
  // The client may rely on this: it comes behind everything that the socket has missed.
  socket.emit('welcome', socket.recovered, [...socket.rooms], socket.data);
  socket.on('join', (room) => {
    socket.join(room);
    socket.emit('joined', room);
  });
  socket.on('leave', (room) => {
    socket.leave(room);
    socket.emit('left', room);
  });
});

const streams = new Map();
const DO = {
  /** Emits `event`, numbered from 0, every `every` ms until `stop`, which tells how many there were. */
  stream: ({ event, every }) => {
    const stream = { sent: 0, timer: undefined };
    stream.timer = setInterval(() => io.emit(event, stream.sent++), every);
    streams.set(event, stream);
  },
  stop: ({ event }) => {
    const { timer, sent } = streams.get(event);
    clearInterval(timer);
    return sent;
  },
  /** `rooms` and `except` as an operator of socket.io has them. */
  emit: ({ nsp = '/', rooms = [], except = [], event }) =>
    void io
      .of(nsp)
      .to(rooms)
      .except(except)
      .emit(...event),
  /** Whoever is in `rooms` joins or leaves `room`. */
  move: ({ nsp = '/', rooms = [], join, leave }) => {
    if (join !== undefined) io.of(nsp).in(rooms).socketsJoin(join);
    if (leave !== undefined) io.of(nsp).in(rooms).socketsLeave(leave);
  },
  stats: ({ nsp = '/' }) => ({ ...io.of(nsp).adapter.stats(), lines }),
  close: () => io.close(),
};

process.on('message', async ({ call, what, ...more }) => {
  try {
    say(`done-${call}`, { result: await DO[what](more) });
  } catch (error) {
    say(`done-${call}`, { error: error.message });
  }
  // A server that has closed ends by itself.
  if (what === 'close') process.disconnect();
});
process.on('disconnect', () => setTimeout(() => process.exit(0), 10_000).unref());

server.listen(port, '127.0.0.1', async () => {
  await io.of('/').adapter.init();
  say('ready', { port: server.address().port });
});
