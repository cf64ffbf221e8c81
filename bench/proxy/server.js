'use strict';
// A server of bench/proxy.js: kafka-proxy, or what one writes by hand with ws and KafkaJS.

const { once } = require('node:events');

/** @typedef {{ server: 'kafka-proxy' | 'ws-kafkajs', brokers: string }} Task */

/** @param {string} brokers @returns {Promise<number>} the port */
async function kafkaProxy(brokers) {
  const { KafkaProxy } = require('kafka-proxy');
  // The pace of the old protocol is for its clients' sake; here it is to be as fast as it can.
  const proxy = new KafkaProxy({ port: 0, kafka: brokers, maxBytes: 1_000_000_000 });
  return (await proxy.listen()).port;
}

/**
 * The plain loop: batches as JSON, each made once for all sockets of the same topic that read what is new; who wants the past has a consumer of
 * its own. It waits for who is slow, because its memory would grow otherwise.
 *
 * @param {string} brokers @returns {Promise<number>} the port
 */
async function wsKafkajs(brokers) {
  const { Kafka, logLevel } = require('kafkajs');
  const { WebSocketServer } = require('ws');
  const kafka = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING });
  let groups = 0;
  /** @param {string} topic @param {boolean} fromBeginning @param {Set<import('ws').WebSocket>} sockets */
  const read = async (topic, fromBeginning, sockets) => {
    const consumer = kafka.consumer({ groupId: `bench-${process.pid}-${groups++}` });
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning });
    const joined = new Promise((resolve) => consumer.on('consumer.group_join', () => resolve(undefined)));
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        const frame = JSON.stringify(batch.messages.map(({ offset, value }) => ({ message: String(value), offset: Number(offset) })));
        await Promise.all(Array.from(sockets, (socket) => new Promise((resolve) => socket.send(frame, resolve))));
      },
    });
    await joined;
  };
  /** @type {Map<string, { sockets: Set<import('ws').WebSocket>, ready: Promise<void> }>} */
  const shared = new Map();
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
  server.on('connection', async (socket, request) => {
    const query = new URLSearchParams(request.url?.split('?')[1]);
    const topic = String(query.get('topic'));
    if (query.get('from') === 'earliest') return read(topic, true, new Set([socket]));
    let reader = shared.get(topic);
    if (!reader) {
      const sockets = new Set();
      shared.set(topic, (reader = { sockets, ready: read(topic, false, sockets) }));
    }
    const { sockets, ready } = reader;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    await ready;
    socket.send('ready');
  });
  await once(server, 'listening');
  return /** @type {import('node:net').AddressInfo} */ (server.address()).port;
}

async function main() {
  /** @type {Task} */
  const { server, brokers } = JSON.parse(process.argv[2]);
  const port = await { 'kafka-proxy': kafkaProxy, 'ws-kafkajs': wsKafkajs }[server](brokers);
  process.on('message', (/** @type {{ usage?: true, end?: true }} */ { usage, end }) => {
    if (usage) {
      const { user, system } = process.cpuUsage();
      process.send?.({ answer: { cpu: user + system, rss: process.memoryUsage.rss() } });
    }
    if (end) process.exit();
  });
  process.once('disconnect', () => process.exit());
  process.send?.({ answer: port });
}

void main();
