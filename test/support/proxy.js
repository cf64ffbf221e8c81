'use strict';
// A kafka-proxy on a free port, and clients that say nothing more than they are told to.

const http = require('node:http');
const { once } = require('node:events');
const { KafkaProxy } = require('kafka-proxy');
const WebSocket = require('ws');
const { cleanup } = require('./cleanup.js');
const { PATIENCE, within } = require('./flow.js');
const { witness } = require('./watch.js');

/** Longer than anything takes here; only what hangs comes to it. */
/** Nobody is there: for tests in which nobody asks Kafka. */
const NOBODY = '127.0.0.1:1';

/**
 * A proxy that listens, and is closed when the test is over.
 *
 * @param {import('node:test').TestContext} t
 * @param {import('kafka-proxy').ProxyOptions} [options]
 */
async function listening(t, options = {}) {
  const { lines, logger } = witness();
  const proxy = new KafkaProxy({ port: 0, brokers: options.kafka ? undefined : NOBODY, logger, ...options });
  cleanup(t, () => proxy.close());
  const { address, port } = await proxy.listen();
  return { proxy, address, port, lines, url: `${options.tls ? 'wss' : 'ws'}://127.0.0.1:${port}` };
}

/** How a `Kafka` reaches a cluster of `clusters.js`. @param {import('./clusters.js').Cluster} cluster */
function reach(cluster) {
  const { broker, driver_options: properties } = cluster.options();
  return { brokers: broker.split(','), ...(properties && { properties }) };
}

/** A WebSocket that is open. @param {string} url @param {string[]} [protocols] @param {WebSocket.ClientOptions} [options] */
async function opened(url, protocols = ['kafka.v2.json'], options = {}) {
  const ws = new WebSocket(url, protocols, { perMessageDeflate: false, ...options });
  const messages = [];
  ws.on('message', (data) => messages.push(String(data)));
  /** Resolves with { code, reason }. */
  const closed = new Promise((resolve) => ws.once('close', (code, reason) => resolve({ code, reason: String(reason) })));
  await within(PATIENCE, `${url} is open`, () => new Promise((resolve, reject) => ws.once('open', resolve).once('error', reject)));
  ws.on('error', () => {});
  /** The first message that fits, past or to come. */
  const hears = (fits) =>
    within(
      PATIENCE,
      () => `${fits}; it heard ${messages.slice(-3)}`,
      async () => {
        for (let seen = 0; ; await once(ws, 'message'))
          for (; seen < messages.length; seen++) if (fits(JSON.parse(messages[seen]))) return JSON.parse(messages[seen]);
      },
    );
  return Object.assign(ws, { heard: messages, hears, closed, gone: () => within(PATIENCE, 'the socket is closed', () => closed) });
}

/** HTTP's answer to an upgrade: 101, or the refusal. @returns {Promise<{ status: number, headers: http.IncomingHttpHeaders, body: string }>} */
async function knock(port, { path = '/', headers = {}, host = '127.0.0.1' } = {}) {
  return within(
    PATIENCE,
    `an answer to ${path}`,
    () =>
      new Promise((resolve, reject) => {
        const request = http.request({
          port,
          host,
          path,
          agent: false,
          headers: {
            Connection: 'Upgrade',
            Upgrade: 'websocket',
            'Sec-WebSocket-Version': '13',
            'Sec-WebSocket-Key': Buffer.alloc(16, 7).toString('base64'),
            'Sec-WebSocket-Protocol': 'kafka.v2.json',
            ...headers,
          },
        });
        request.on('upgrade', (response, socket) => {
          socket.destroy();
          resolve({ status: response.statusCode, headers: response.headers, body: '' });
        });
        request.on('response', async (response) => {
          let body = '';
          for await (const chunk of response.setEncoding('utf8')) body += chunk;
          resolve({ status: response.statusCode, headers: response.headers, body });
        });
        request.on('error', reject);
        request.end();
      }),
  );
}

module.exports = { knock, listening, NOBODY, opened, reach };
