'use strict';
// The clients of bench/socketio.js: the same number at each server. They speak the text frames of engine.io 4 and socket.io 5 themselves: three
// hundred of socket.io-client would take more of the two cores than the servers that are measured.

const { WebSocket } = require('ws');
const { answer, fail, waitFor } = require('../waiting.js');

/** @typedef {{ socket: WebSocket, server: number, hello: Set<number>, last: number[] }} Client */

/** @type {Client[]} */
const clients = [];
/** Called with the news. @type {(client: Client, id: number) => void} */
let onNews = () => {};
let onHello = () => {};
let onListening = () => {};

/** Connects one client to a server. @param {number} port @param {number} server @returns {Promise<void>} */
function connect(port, server) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`);
    const client = { socket, server, hello: new Set(), last: [] };
    socket.on('error', reject);
    socket.on('close', () => fail(new Error(`a client of server ${server} was disconnected`)));
    socket.on('message', (data) => {
      const frame = data.toString();
      if (frame.startsWith('42["news",')) return onNews(client, Number.parseInt(frame.slice(10), 10));
      if (frame.startsWith('42["hello",')) {
        client.hello.add(JSON.parse(frame.slice(2))[1]);
        return onHello();
      }
      if (frame.startsWith('42["listening"')) return onListening();
      if (frame === '2') return socket.send('3');
      if (frame.startsWith('0')) return socket.send('40');
      if (frame.startsWith('40')) {
        clients.push(client);
        resolve();
      }
    });
  });
}

/** Resolves when every client has heard every server: the servers know each other now, and have done this before. @param {number} servers */
function greet(servers) {
  const ask = () => {
    for (let server = 0; server < servers; server++) emit(server, ['hello', server]);
  };
  const timer = setInterval(ask, 50);
  return waitFor('the greetings of all servers', (resolve) => {
    onHello = () => {
      if (!clients.every(({ hello }) => hello.size === servers)) return;
      clearInterval(timer);
      resolve();
    };
  });
}

/**
 * A closed loop: each server in its turn is asked to broadcast, so often that a number of broadcasts is on its way; one has arrived when all clients
 * have it. Rejects when a client misses one, has one twice, or has those of one server in another order.
 *
 * @param {{ servers: number, seconds: number, inFlight: number }} options
 */
async function flood({ servers, seconds, inFlight }) {
  /** How many clients have a broadcast: what is on its way is always less than this holds. */
  const have = new Uint16Array(2 ** 16);
  const end = performance.now() + seconds * 1000;
  const begun = performance.now();
  let [asked, arrived] = [0, 0];
  for (const client of clients) client.last = Array.from({ length: servers }, (_, server) => server - servers);
  await waitFor('all broadcasts', (resolve, reject, alive) => {
    const ask = () => emit(asked % servers, ['news', asked++]);
    onNews = (client, id) => {
      const server = id % servers;
      if (id !== client.last[server] + servers) return reject(new Error(`broadcast ${id} of server ${server} came behind ${client.last[server]}`));
      client.last[server] = id;
      const slot = id % have.length;
      if (++have[slot] < clients.length) return;
      have[slot] = 0;
      arrived++;
      alive();
      if (performance.now() < end) ask();
      else if (arrived === asked) resolve();
    };
    while (asked < inFlight) ask();
  });
  return { broadcasts: arrived, seconds: (performance.now() - begun) / 1000 };
}

/** One client of the second server hears what is for listeners. */
function listen() {
  emit(1, ['listen']);
  return waitFor('the listener', (resolve) => (onListening = resolve));
}

/** How long so many emits of the first server take to the listener, in milliseconds. @param {number} emits */
async function hear(emits) {
  /** @type {number[]} */
  const took = [];
  const listener = clients.find(({ server }) => server === 1);
  await waitFor('all emits', (resolve, reject, alive) => {
    onNews = (client, sent) => {
      if (client !== listener) return reject(new Error('somebody else heard what is for one'));
      took.push((Number(process.hrtime.bigint()) - sent) / 1e6);
      alive();
      if (took.length === emits) resolve();
    };
  });
  return took;
}

/** @param {number} server @param {unknown[]} event */
function emit(server, event) {
  clients.find((client) => client.server === server)?.socket.send(`42${JSON.stringify(event)}`);
}

process.on('message', (/** @type {any} */ { ports, each, flood: flooded, listen: listening, emits, end }) => {
  if (ports) answer(Promise.all(ports.flatMap((port, server) => Array.from({ length: each }, () => connect(port, server)))).then(() => greet(ports.length)));
  if (flooded) answer(flood(flooded));
  if (listening) answer(listen());
  if (emits) answer(hear(emits));
  if (end) process.exit();
});
process.once('disconnect', () => process.exit());
process.send?.({ ready: true });
