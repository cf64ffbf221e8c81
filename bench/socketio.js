'use strict';
// socket.io's servers behind one another: the adapter over Kafka beside those over Redis, at the same work.
//
//   node bench/socketio.js [--rows acks-1,redis-streams] [--rounds 5] [--seconds 5] [--rate 200] [--clients 300] [--in-flight 30]
//
// Each row of each round has three fresh servers, a process each, and one process with all clients (socketio/). For `seconds` each: all is warmed
// up; server 0 emits to one client of server 1, `rate` times a second; the servers in turn broadcast to all clients, so fast that `in-flight`
// broadcasts are under way, and every client checks that it has each once and in order. Linux only: it reads /proc.

const { execFileSync, fork } = require('node:child_process');
const { once } = require('node:events');
const { readFileSync } = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { KafkaCluster } = require('@kafka-native/kafka-for-tests');
const { Redis } = require('@kafka-native/redis-for-tests');

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

/** What the others are compared with. */
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

/** The next message of a process that has one of these names. @param {import('node:child_process').ChildProcess} child @param {string} name */
async function next(child, name) {
  const [message] = await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`${child.spawnargs[1]} ended with ${code}`))),
  ]);
  if (message.error) throw new Error(message.error);
  return message[name];
}

/** User and system time that a process has had, in microseconds. @param {number | undefined} pid */
function cpuOf(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

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
    const used = async () => {
      const answers = servers.map((server) => next(server, 'usage'));
      for (const server of servers) server.send({ usage: true });
      const usages = await Promise.all(answers);
      const sum = (name) => usages.reduce((total, each) => total + each[name], 0);
      return { cpu: sum('cpu'), rss: sum('rss') / SERVERS, brokers: brokers.map(cpuOf).reduce((total, cpu) => total + cpu, 0) };
    };

    await ask({ ports, each: Math.ceil(clients / SERVERS) });
    // So that the compilers of the servers are done.
    await ask({ flood: { servers: SERVERS, seconds, inFlight } });

    const emits = Math.ceil(rate * seconds);
    const beforeEmits = await used();
    const heard = ask({ listen: emits });
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
    const all = [...servers, listeners].filter((child) => child.exitCode === null && child.signalCode === null);
    await Promise.all(all.map((child) => Promise.all([once(child, 'exit'), child.connected && child.send({ end: true })])));
  }
}

/** @param {number[]} values */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

/** @param {[string, Figures[]][]} measured */
function report(measured) {
  const of = (rounds, column) => median(rounds.map((round) => round[column]));
  const table = (titles, lines) =>
    console.log([titles, titles.map((_, i) => (i === 0 ? '---' : '--:')), ...lines].map((line) => `| ${line.join(' | ')} |`).join('\n'));
  const titles = ['', ...COLUMNS.map(({ title }) => title)];
  table(
    titles,
    measured.map(([name, rounds]) => [ROWS[name].title, ...COLUMNS.map(({ name: column, digits }) => of(rounds, column).toFixed(digits))]),
  );
  const base = measured.find(([name]) => name === BASE)?.[1];
  if (!base || measured.length === 1) return;
  console.log(`\nThe same as multiples of ${ROWS[BASE].title}:\n`);
  table(
    titles.map((title) => title.replace(/, (ms|µs)$|^MB of /, '')),
    measured
      .filter(([name]) => name !== BASE)
      .map(([name, rounds]) => [ROWS[name].title, ...COLUMNS.map(({ name: column }) => (of(rounds, column) / of(base, column)).toFixed(2))]),
  );
}

async function main() {
  const { values } = parseArgs({
    options: {
      rows: { type: 'string', default: Object.keys(ROWS).join() },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '5' },
      rate: { type: 'string', default: '200' },
      clients: { type: 'string', default: '300' },
      'in-flight': { type: 'string', default: '30' },
    },
  });
  const names = values.rows.split(',');
  const unknown = names.filter((name) => !Object.hasOwn(ROWS, name));
  if (unknown.length > 0) throw new Error(`--rows does not know ${unknown.join()}: there are ${Object.keys(ROWS).join()}`);
  const number = (name) => {
    if (Number(values[name]) > 0) return Number(values[name]);
    throw new Error(`--${name} takes a number, not ${values[name]}`);
  };
  const work = { clients: number('clients'), rate: number('rate'), seconds: number('seconds'), inFlight: number('in-flight') };
  const rounds = number('rounds');

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
        return await measure(task, pids, work);
      } finally {
        await redis?.stop();
      }
    };

    const version = execFileSync(process.env.REDIS_SERVER || 'redis-server', ['--version'], { encoding: 'utf8' }).match(/v=([\d.]+)/)?.[1];
    console.log(
      `Node ${process.version}, socket.io ${require('socket.io/package.json').version}, Redis ${version}, ${os.cpus().length} x ${os.cpus()[0]?.model}; ` +
        `all on one machine. ${SERVERS} servers, ${work.clients} clients, ${work.rate} emits a second, ${work.inFlight} broadcasts in flight; median of ${rounds} round(s) of ${work.seconds} s.\n`,
    );
    /** @type {Record<string, Figures[]>} */
    const measured = Object.fromEntries(names.map((name) => [name, []]));
    // A broker that has just begun is slow for a while: what Java compiles, it compiles now.
    for (const nodes of clusters.keys()) {
      const first = names.find((name) => ROWS[name].nodes === nodes);
      if (first) await row(first, `bench-${process.pid}-warm-${nodes}`);
    }
    for (let round = 0; round < rounds; round++) {
      for (const name of round % 2 === 0 ? names : [...names].reverse()) {
        measured[name].push(await row(name, `bench-${process.pid}-${round}-${name}`));
        process.stderr.write(`${name} ${JSON.stringify(measured[name].at(-1))}\n`);
      }
    }
    report(Object.entries(measured));
  } finally {
    for (const cluster of clusters.values()) await cluster.stop();
  }
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
