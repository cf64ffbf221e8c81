'use strict';
// socket.io's servers behind one another: the adapter over Kafka beside those over Redis, at the same work.
//
//   node bench/socketio.js [--rows acks-1,redis-streams] [--rounds 5] [--seconds 5] [--rate 200] [--clients 300] [--in-flight 30]
//
// Each row of each round has three fresh servers, a process each, and one process with all clients (socketio/). For `seconds` each: all is warmed
// up; server 0 emits to one client of server 1, `rate` times a second; the servers in turn broadcast to all clients, so fast that `in-flight`
// broadcasts are under way, and every client checks that it has each once and in order. Linux only: it reads /proc.

const { fork } = require('node:child_process');
const path = require('node:path');
const { KafkaCluster } = require('@kafka-native/kafka-for-tests');
const { Redis } = require('@kafka-native/redis-for-tests');
const { command, end, machine, measured, next, report, usage } = require('./rows.js');

const SERVERS = 3;
/** @type {Record<string, { title: string, adapter: string, nodes?: 1 | 3, recovery?: boolean, options?: object }>} */
const ROWS = {
  'acks-1': { title: 'Kafka, acks=1, not idempotent', adapter: 'socket.io-kafka', nodes: 1, options: { acks: 1 } },
  'acks-all': { title: 'Kafka, acks=all, not idempotent', adapter: 'socket.io-kafka', nodes: 1, options: { producer: { idempotent: false } } },
  default: { title: 'Kafka, acks=all, idempotent (default)', adapter: 'socket.io-kafka', nodes: 1 },
  recovery: { title: 'the same with recovery', adapter: 'socket.io-kafka', nodes: 1, recovery: true },
  replicas: { title: 'the default on 3 brokers, 3 replicas', adapter: 'socket.io-kafka', nodes: 3, options: { replicationFactor: 3 } },
  'redis-streams': { title: 'redis-streams', adapter: 'redis-streams' },
  'redis-streams-recovery': { title: 'redis-streams with recovery', adapter: 'redis-streams', recovery: true },
  redis: { title: 'redis (PUB/SUB)', adapter: 'redis' },
};

/** The row that the others are compared with. */
const BASE = 'redis-streams';

/** @typedef {{ p50: number, p99: number, lone: number, rate: number, cpu: number, brokers: number, rss: number }} Figures */

/** @type {{ name: keyof Figures, title: string, digits: number }[]} */
const COLUMNS = [
  { name: 'p50', title: 'latency p50, ms', digits: 2 },
  { name: 'p99', title: 'p99', digits: 2 },
  { name: 'lone', title: 'CPU of the servers a lone emit, µs', digits: 0 },
  { name: 'rate', title: 'broadcasts a second', digits: 0 },
  { name: 'cpu', title: 'CPU of the servers a packet delivered, µs', digits: 2 },
  { name: 'brokers', title: 'of Kafka or Redis', digits: 2 },
  { name: 'rss', title: 'MB of RSS a server', digits: 0 },
];

/**
 * @param {import('./socketio/server.js').Task} task
 * @param {(number | undefined)[]} brokers process ids
 * @param {{ clients: number, rate: number, seconds: number, inFlight: number }} work
 * @returns {Promise<Figures>}
 */
async function measure(task, brokers, { clients, rate, seconds, inFlight }) {
  const start = (file, ...args) => fork(path.join(__dirname, 'socketio', file), args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const servers = Array.from({ length: SERVERS }, () => start('server.js', JSON.stringify(task)));
  const listeners = start('clients.js');
  try {
    const ports = await Promise.all(servers.map((server) => next(server, 'port')));
    await next(listeners, 'ready');
    const ask = (message) => {
      listeners.send(message);
      return next(listeners, 'result');
    };
    const used = () => usage(servers, brokers);

    await ask({ ports, each: Math.ceil(clients / SERVERS) });
    // So that the compilers of the servers are done.
    await ask({ flood: { servers: SERVERS, seconds, inFlight } });

    const emits = Math.ceil(rate * seconds);
    const beforeEmits = await used();
    await ask({ listen: true });
    const heard = ask({ emits });
    servers[0].send({ emits, rate });
    const took = (await heard).sort((a, b) => a - b);
    const afterEmits = await used();
    const { broadcasts, seconds: passed } = await ask({ flood: { servers: SERVERS, seconds, inFlight } });
    const after = await used();
    const packets = broadcasts * Math.ceil(clients / SERVERS) * SERVERS;
    return {
      p50: took[Math.floor(emits * 0.5)],
      p99: took[Math.floor(emits * 0.99)],
      lone: (afterEmits.cpu - beforeEmits.cpu) / emits,
      rate: broadcasts / passed,
      cpu: (after.cpu - afterEmits.cpu) / packets,
      brokers: (after.brokers - afterEmits.brokers) / packets,
      rss: after.rss / 2 ** 20,
    };
  } finally {
    await end([...servers, listeners]);
  }
}

async function main() {
  const { names, numbers } = command(ROWS, { rounds: 5, seconds: 5, rate: 200, clients: 300, 'in-flight': 30 });
  const { rounds, rate, seconds, clients, 'in-flight': inFlight } = numbers;

  /** @type {Map<1 | 3, Awaited<ReturnType<typeof KafkaCluster.start>>>} */
  const clusters = new Map();
  try {
    for (const { nodes } of names.map((name) => ROWS[name])) {
      if (nodes && !clusters.has(nodes)) clusters.set(nodes, await KafkaCluster.start({ nodes, heap: 'bench' }));
    }
    /** @param {string} name @param {string} key */
    const row = async (name, key) => {
      const { adapter, nodes, recovery = false, options = {} } = ROWS[name];
      const cluster = nodes && clusters.get(nodes);
      const redis = cluster ? undefined : await Redis.start();
      const task = { adapter: /** @type {any} */ (adapter), address: String(cluster?.brokers ?? redis?.url), key, recovery, options };
      const pids = cluster ? cluster.nodes.map(({ pid }) => pid) : [redis?.pid];
      try {
        return await measure(task, pids, { clients, rate, seconds, inFlight });
      } finally {
        await redis?.stop();
      }
    };

    console.log(
      `${machine({ 'socket.io': require('socket.io/package.json').version })} ` +
        `${SERVERS} servers, ${clients} clients, ${rate} emits a second, ${inFlight} broadcasts in flight; median of ${rounds} round(s) of ${seconds} s.\n`,
    );
    // A broker that has just begun is slow for a while: what Java compiles, it compiles now.
    for (const nodes of clusters.keys()) {
      const first = names.find((name) => ROWS[name].nodes === nodes);
      if (first) await row(first, `bench-${process.pid}-warm-${nodes}`);
    }
    report(ROWS, COLUMNS, BASE, await measured(names, rounds, row));
  } finally {
    for (const cluster of clusters.values()) await cluster.stop();
  }
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
