'use strict';
// A chat on three servers behind one address. Each server is a process with socket.io; Kafka makes one of them. Kill a
// server: its tabs go on at another one, and nobody misses or repeats a message. The dead one is replaced.
//
//   node examples/chat [port]                              starts a Kafka for itself
//   KAFKA_BROKER=host:port node examples/chat [port]       takes yours

const net = require('node:net');
const path = require('node:path');
const { fork } = require('node:child_process');
const { once } = require('node:events');
const { KafkaCluster } = require('@kafka-native/kafka-for-tests');

const SERVERS = 3;
const PORT = Number(process.argv[2] ?? 3000);
/** How long a dead server's place stays empty: its tabs have to go elsewhere. */
const PAUSE_MS = 3000;

/** The servers that live: the number of each, and its port. @type {Map<number, number>} */
const ports = new Map();
/** @type {Map<number, import('node:child_process').ChildProcess>} */
const processes = new Map();
let stopping = false;

function start(number, broker) {
  const server = fork(path.join(__dirname, 'server.js'), [number], { env: { ...process.env, KAFKA_BROKER: broker } });
  processes.set(number, server);
  // It says its port when it hears the others.
  server.on('message', (port) => {
    ports.set(number, Number(port));
    console.log(`server ${number}: process ${server.pid}`);
    if (ports.size === SERVERS && !front.listening) front.listen(PORT, '127.0.0.1');
  });
  server.on('exit', (code, signal) => {
    ports.delete(number);
    processes.delete(number);
    if (stopping) return;
    console.log(`server ${number}: process ${server.pid} died (${signal ?? `code ${code}`})`);
    setTimeout(() => stopping || start(number, broker), PAUSE_MS);
  });
}

/** A load balancer in small: each connection goes to the next server that lives. A tab that finds none tries again. */
let turn = 0;
const front = net.createServer((client) => {
  const port = [...ports.values()][turn++ % ports.size];
  if (port === undefined) {
    client.destroy();
    return;
  }
  const server = net.connect(port, '127.0.0.1');
  client.pipe(server).pipe(client);
  // The end of one ends the other, with an error or without.
  for (const [one, other] of [
    [client, server],
    [server, client],
  ])
    one.on('error', () => {}).on('close', () => other.destroy());
});

front.on('listening', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (front.address());
  console.log(`Open http://127.0.0.1:${port} in two tabs. Ctrl-C ends it.`);
});
front.on('error', fail);

async function main() {
  if (!process.env.KAFKA_BROKER) console.log('Kafka starts ...');
  const kafka = process.env.KAFKA_BROKER ? undefined : await KafkaCluster.start();
  for (let number = 1; number <= SERVERS; number++) start(number, kafka?.brokers ?? process.env.KAFKA_BROKER);

  const stop = async () => {
    if (stopping) return;
    stopping = true;
    front.close();
    await Promise.all([...processes.values()].map((server) => server.kill('SIGTERM') && once(server, 'exit')));
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
