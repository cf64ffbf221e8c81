'use strict';
// A server of socket.io over Kafka that does what its parent says, until it is killed or told to close.

const http = require('node:http');
const { Server } = require('socket.io');
const { createAdapter } = require('socket.io-kafka');
const { options, say } = require('../support/child.js');

const { brokers, key, server: serverOptions, closes = false, ...adapterOptions } = options();
const lines = [];
const logger = Object.fromEntries(['error', 'warn', 'info', 'debug'].map((level) => [level, (line) => lines.push([level, String(line?.message ?? line)])]));
const server = http.createServer();
const io = new Server(server, { adapter: createAdapter({ brokers }, { key, logger, ...adapterOptions }), ...serverOptions });
const streams = new Map();

/** Those who are meant, as an operator of socket.io. */
function whom({ nsp = '/', rooms = [], except = [], flags = {} }) {
  let those = io.of(nsp).to(rooms).except(except);
  if (flags.local) those = those.local;
  if (flags.volatile) those = those.volatile;
  if (flags.compress !== undefined) those = those.compress(flags.compress);
  if (flags.timeout !== undefined) those = those.timeout(flags.timeout);
  return those;
}

/** Bytes have no form as JSON. */
const given = (value) => (Array.isArray(value?.$bytes) ? Buffer.from(value.$bytes) : value);

const DO = {
  emit: ({ event, ...those }) => void whom(those).emit(...event.map(given)),
  emitWithAck: ({ event, ...those }) => whom(those).emitWithAck(...event),
  fetchSockets: async (those) => (await whom(those).fetchSockets()).map(({ id, rooms, data }) => ({ id, rooms: [...rooms], data })),
  serverCount: ({ nsp = '/' }) => io.of(nsp).adapter.serverCount(),
  serverSideEmit: ({ nsp = '/', event }) => io.of(nsp).serverSideEmitWithAck(...event),
  tellServers: ({ nsp = '/', event }) => void io.of(nsp).serverSideEmit(...event),
  socketsJoin: ({ room, ...those }) => void whom(those).socketsJoin(room),
  socketsLeave: ({ room, ...those }) => void whom(those).socketsLeave(room),
  disconnectSockets: ({ close, ...those }) => void whom(those).disconnectSockets(close),
  /** Makes the namespace, and waits until it counts that many servers. */
  knows: async ({ nsp = '/', servers }) => {
    const { adapter } = io.of(nsp);
    await adapter.init();
    while ((await adapter.serverCount()) < servers) await new Promise((resolve) => setTimeout(resolve, 10));
  },
  stats: ({ nsp = '/' }) => ({ ...io.of(nsp).adapter.stats(), lines }),
  /** Emits `event`, numbered from 0, every `every` ms until `stop`, which tells how many there were. */
  stream: ({ event, every, ...those }) => {
    const stream = { sent: 0, timer: undefined };
    stream.timer = setInterval(() => whom(those).emit(event, stream.sent++), every);
    streams.set(event, stream);
  },
  stop: ({ event }) => {
    const { timer, sent } = streams.get(event);
    clearInterval(timer);
    return sent;
  },
  close: () => io.close(),
};

process.on('message', async ({ call, what, ...more }) => {
  try {
    say(`done-${call}`, { result: await DO[what](more) });
  } catch (error) {
    say(`done-${call}`, { error: { message: error.message, responses: error.responses } });
  }
  if (what === 'close') process.disconnect();
});
io.on('question', (number, answer) => answer(number * 2));
io.on('note', (text) => io.local.emit('noted', text));

server.listen(0, '127.0.0.1', async () => {
  if (closes) return io.close().then(() => process.disconnect());
  await io.of('/').adapter.init();
  say('ready', { port: server.address().port });
});
