// An instance: the page, and a WebSocket server whose messages all come from the log. It is started by index.js, as often as it dies.

import fs from 'node:fs';
import http from 'node:http';
import { WebSocketServer } from 'ws';
import { Log } from './log.js';
import { GAMES } from './public/engine.js';
import { Seat } from './seat.js';
import { connection, partitionsOf } from './topic.js';

/**
 * @typedef {object} Settings
 * @property {number} number from 1
 * @property {number[]} ports of all instances, in their order
 * @property {string} host where it is found
 * @property {string} brokers
 * @property {string} topic
 */

/** @type {Settings} */
const { number, ports, host, brokers, topic } = JSON.parse(String(process.argv[2]));
const PUBLIC = new URL('./public/', import.meta.url);
/** @type {Record<string, [string, string]>} */
const FILES = {
  '/': ['index.html', 'text/html'],
  '/page.css': ['page.css', 'text/css'],
  ...Object.fromEntries(['page.js', 'client.js', 'engine.js'].map((file) => [`/${file}`, [file, 'text/javascript']])),
};
/** Milliseconds between two questions whether a client is there: a phone in a tunnel says no goodbye. */
const PING_MS = 15_000;
/** How long the port of a predecessor that was killed a moment ago may still be its own, in milliseconds. */
const PORT_MS = 10_000;

const kafka = connection(brokers);

/** The names under which it may be asked for: another site's page has no business here, under its own name or under one that leads here. */
const NAMES = new Set(['127.0.0.1', 'localhost', host]);
const hostnameOf = (/** @type {string} */ url) => (URL.canParse(url) ? new URL(url).hostname : '');
const isOurs = ({ headers }) => NAMES.has(hostnameOf(`http://${headers.host}`)) && (headers.origin === undefined || NAMES.has(hostnameOf(headers.origin)));

const web = http.createServer((request, response) => {
  const [file, type] = FILES[String(request.url).split('?')[0]] ?? [];
  if (!file || !isOurs(request)) return void response.writeHead(file ? 403 : 404).end();
  response.setHeader('content-type', `${type}; charset=utf-8`);
  response.setHeader('cache-control', 'no-cache');
  // A script that somebody slips into the page would not run. The page also talks to the other instances.
  response.setHeader('content-security-policy', "default-src 'self'; connect-src 'self' ws:; img-src 'self' data:");
  fs.createReadStream(new URL(file, PUBLIC)).pipe(response);
});

/** Tells the log, the parent and the clients what this process cannot mend: it ends, and is started anew. @param {Error} error */
function fail(error) {
  console.error(`instance ${number}: ${error.message}`);
  process.exit(1);
}

async function main() {
  const admin = kafka.admin();
  await admin.connect();
  const partitions = (await partitionsOf(admin, topic)).length;
  await admin.disconnect();

  const log = new Log(kafka, { topic, partitions });
  log.on('error', fail);
  await log.open();
  // Players who were here before it died are not here now.
  await Promise.all(GAMES.map((game) => log.write(game, { type: 'restart', instance: number, life: log.life })));

  /** @type {Map<string, Set<Seat>>} */
  const seats = new Map(GAMES.map((game) => [game, new Set()]));
  log.on('event', (game, offset, text) => {
    for (const seat of seats.get(game) ?? []) seat.give(offset, text);
  });
  const sockets = new WebSocketServer({ server: web, path: '/play', maxPayload: 2048, verifyClient: ({ req }) => isOurs(req) });
  sockets.on('error', () => {}); // the web server's, which hears of it itself
  let count = 0;
  sockets.on('connection', (socket) => new Seat(socket, { log, seats, number, ports, session: `${log.life}.${++count}` }));
  const pings = setInterval(() => Seat.ping(sockets.clients), PING_MS);

  await listen();
  process.send?.('ready');

  let stopping = false;
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    clearInterval(pings);
    web.close();
    await Promise.all([...sockets.clients].map((socket) => Seat.end(socket)));
    web.closeAllConnections();
    await log.close();
    process.exit(0);
  };
  process.on('SIGTERM', () => stop().catch(fail));
  process.on('SIGINT', () => stop().catch(fail));
}

/** Where it has always been, so that its clients find it again. */
async function listen() {
  const end = Date.now() + PORT_MS;
  for (;;) {
    try {
      return await new Promise((resolve, reject) => {
        web.once('error', reject);
        web.listen(ports[number - 1], host === '127.0.0.1' ? host : '0.0.0.0', () => resolve(web.off('error', reject)));
      });
    } catch (error) {
      if (/** @type {any} */ (error).code !== 'EADDRINUSE') throw error;
      if (Date.now() > end) throw new Error(`port ${ports[number - 1]} is taken: does the game run already? --port takes another one`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

process.on('disconnect', () => process.exit()); // the command is gone
main().catch(fail);
