'use strict';
// deepstream on two servers, or three. Each is a process of its own; Kafka makes one of them. The page has a client at each. Kill a server: the others go
// on, and when it is back its client goes on, too.
//
//   node examples/deepstream [servers] [port]                              starts a Kafka for itself
//   KAFKA_BROKER=host:port node examples/deepstream [servers] [port]       takes yours

const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const path = require('node:path');
const { fork } = require('node:child_process');
const { once } = require('node:events');
const { KafkaCluster } = require('@kafka-native/kafka-for-tests');

const SERVERS = Number(process.argv[2] ?? 2);
const PORT = Number(process.argv[3] ?? 3000);
/** How long a dead server's place stays empty, so that one sees how it is without. */
const PAUSE_MS = 4000;

/** @type {Map<string, { port: number, up: boolean, child?: import('node:child_process').ChildProcess }>} */
const servers = new Map();
/** The pages that want to hear which servers live. @type {Set<http.ServerResponse>} */
const watchers = new Set();
let stopping = false;

function start(name, broker) {
  const server = servers.get(name);
  if (!server) return;
  const child = fork(path.join(__dirname, 'server.js'), [name, String(server.port)], { env: { ...process.env, KAFKA_BROKER: broker } });
  server.child = child;
  // It says so when clients may come.
  child.on('message', () => {
    server.up = true;
    console.log(`${name}: process ${child.pid}`);
    tell();
    if (!page.listening && [...servers.values()].every(({ up }) => up)) page.listen(PORT, '127.0.0.1');
  });
  child.on('exit', (code, signal) => {
    server.up = false;
    server.child = undefined;
    tell();
    if (stopping) return;
    console.log(`${name}: process ${child.pid} died (${signal ?? `code ${code}`})`);
    setTimeout(() => stopping || start(name, broker), PAUSE_MS);
  });
}

/** Tells the pages which servers there are. */
function tell(to = [...watchers]) {
  const list = [...servers].map(([name, { port, up, child }]) => ({ name, port, up, pid: child?.pid }));
  for (const watcher of to) watcher.write(`data: ${JSON.stringify(list)}\n\n`);
}

/** @type {Record<string, [string, string]>} */
const FILES = {
  '/': [path.join(__dirname, 'public/index.html'), 'text/html'],
  '/page.js': [path.join(__dirname, 'public/page.js'), 'text/javascript'],
  '/page.css': [path.join(__dirname, 'public/page.css'), 'text/css'],
  '/ds.js': [path.join(require.resolve('@deepstream/client/package.json'), '../dist/bundle/ds.min.js'), 'text/javascript'],
};

const page = http.createServer((request, response) => {
  const { port } = /** @type {net.AddressInfo} */ (page.address());
  const { host, origin } = request.headers;
  const answer = (status) => void response.writeHead(status).end();
  // Requests of another site's page, under its own name or as one of its own, are refused.
  if (host !== `127.0.0.1:${port}` || (origin !== undefined && origin !== `http://${host}`)) return answer(403);

  const [, killed] = /^\/kill\/([\w-]+)$/.exec(request.url ?? '') ?? [];
  if (killed) {
    if (request.method !== 'POST' || origin === undefined) return answer(405);
    return answer(servers.get(killed)?.child?.kill('SIGKILL') ? 204 : 404);
  }
  if (request.url === '/servers') {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    watchers.add(response);
    response.on('close', () => watchers.delete(response));
    return tell([response]);
  }
  const [file, type] = FILES[request.url ?? ''] ?? [];
  if (!file) return answer(404);
  response.setHeader('content-type', `${type}; charset=utf-8`);
  // A script that somebody slips into the page would not run.
  response.setHeader('content-security-policy', "default-src 'self'; connect-src 'self' ws://127.0.0.1:*; img-src 'self' data:");
  fs.createReadStream(file).pipe(response);
});

page.on('listening', () => {
  const { port } = /** @type {net.AddressInfo} */ (page.address());
  console.log(`Open http://127.0.0.1:${port}. Ctrl-C ends it.`);
});
page.on('error', fail);

/** Ports that are free: a server that comes again comes where its clients look for it. */
async function freePorts(count) {
  const holders = Array.from({ length: count }, () => net.createServer().listen(0, '127.0.0.1'));
  await Promise.all(holders.map((holder) => once(holder, 'listening')));
  const ports = holders.map((holder) => /** @type {net.AddressInfo} */ (holder.address()).port);
  await Promise.all(holders.map((holder) => once(holder.close(), 'close')));
  return ports;
}

async function main() {
  if (SERVERS !== 2 && SERVERS !== 3) throw new Error(`there can be 2 or 3 servers, not ${process.argv[2]}`);
  if (!process.env.KAFKA_BROKER) console.log('Kafka starts ...');
  const kafka = process.env.KAFKA_BROKER ? undefined : await KafkaCluster.start();
  for (const [i, port] of (await freePorts(SERVERS)).entries()) servers.set(`server-${i + 1}`, { port, up: false });
  for (const name of servers.keys()) start(name, kafka?.brokers ?? process.env.KAFKA_BROKER);

  const stop = async () => {
    if (stopping) return;
    stopping = true;
    page.close();
    page.closeAllConnections();
    await Promise.all([...servers.values()].map(({ child }) => child?.kill('SIGTERM') && once(child, 'exit')));
    await kafka?.stop();
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

/** The servers, and the Kafka that was started here, end with this process. */
function fail(error) {
  console.error(error.message);
  process.exit(1);
}

main().catch(fail);
