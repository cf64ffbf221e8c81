'use strict';
// One of the socket.io servers of bench/socketio.js, which starts it with the row to measure, and tells it what to do.

const { Server } = require('socket.io');

/** The text of a chat message. */
const TEXT = 'x'.repeat(100);

/**
 * @typedef {object} Task
 * @property {'socket.io-kafka' | 'redis-streams' | 'redis'} adapter
 * @property {string} address of the brokers or of Redis
 * @property {string} key of the topics or of the stream
 * @property {boolean} recovery
 * @property {object} options of the adapter
 */

/** @param {Task} task */
async function adapterOf({ adapter, address, key, options }) {
  if (adapter === 'socket.io-kafka') {
    const kafka = /** @type {any} */ (require('socket.io-kafka'));
    return kafka.createAdapter({ brokers: address.split(',') }, { key, ...options });
  }
  const { createClient } = require('redis');
  const client = createClient({ url: address });
  await client.connect();
  if (adapter === 'redis-streams')
    return require('@socket.io/redis-streams-adapter').createAdapter(client, { streamName: key, channelPrefix: key, ...options });
  const subscriber = client.duplicate();
  await subscriber.connect();
  return require('@socket.io/redis-adapter').createAdapter(client, subscriber, { key, ...options });
}

async function main() {
  /** @type {Task} */
  const task = JSON.parse(process.argv[2]);
  const io = new Server({
    adapter: await adapterOf(task),
    transports: ['websocket'],
    serveClient: false,
    ...(task.recovery && { connectionStateRecovery: { maxDisconnectionDuration: 120_000 } }),
  });
  io.on('connection', (socket) => {
    socket.on('hello', (server) => io.emit('hello', server));
    socket.on('listen', () => {
      socket.join('listeners');
      socket.emit('listening');
    });
    socket.on('news', (id) => io.emit('news', id, TEXT));
  });
  const http = require('node:http').createServer().listen(0, '127.0.0.1');
  io.attach(http);
  await require('node:events').once(http, 'listening');

  process.on('message', (/** @type {{ emits?: number, rate?: number, usage?: true, end?: true }} */ { emits, rate = 1, usage, end }) => {
    if (emits) {
      let left = emits;
      const timer = setInterval(() => {
        // The clock that all processes of a machine share.
        io.to('listeners').emit('news', Number(process.hrtime.bigint()), TEXT);
        if (--left === 0) clearInterval(timer);
      }, 1000 / rate);
    }
    if (usage) {
      const { user, system } = process.cpuUsage();
      process.send?.({ usage: { cpu: user + system, rss: process.memoryUsage.rss() } });
    }
    if (end) process.exit();
  });
  process.once('disconnect', () => process.exit());
  process.send?.({ port: /** @type {import('node:net').AddressInfo} */ (http.address()).port });
}

void main();
