'use strict';
// deepstream's servers behind one another: the cluster node over Kafka beside the one over Redis, and one server alone, at the same work.
//
//   node bench/deepstream.js [--rows default,redis,alone,node-new,node,connector-new] [--rounds 3] [--seconds 5] [--rate 200] [--in-flight 100]
//                            [--starts 10]
//
// Each row of each round has two fresh servers, a process each, and one process with two clients (deepstream/), one at each server. For `seconds` each:
// all is warmed up; one client emits, `rate` times a second, and the other hears; the same with changes of a record; then events so fast that `in-flight` are
// under way, and each must come once and in order. Alone both clients are at one server. The other rows are starts, so many a round, each in a process of
// its own: how long a cluster node takes, and the first message of a topic that a message connector makes. Linux only: it reads /proc.

const { fork } = require('node:child_process');
const path = require('node:path');
const { KafkaCluster } = require('@kafka-native/kafka-for-tests');
const { Redis } = require('@kafka-native/redis-for-tests');
const { median } = require('./figures.js');
const { command, end, machine, measured, next, report, usage } = require('./rows.js');

/** @type {Record<string, { title: string, cluster?: 'kafka' | 'redis', options?: object }>} */
const ROWS = {
  default: { title: 'Kafka, acks=all, idempotent (default)', cluster: 'kafka' },
  redis: { title: 'clusternode-redis', cluster: 'redis' },
  alone: { title: 'one server alone' },
};

/** Starts. @type {Record<string, { title: string, what: 'node' | 'connector', exists?: true }>} */
const STARTS = {
  'node-new': { title: 'cluster node, whose topic is made', what: 'node' },
  node: { title: 'cluster node, whose topic is there', what: 'node', exists: true },
  'connector-new': { title: 'message connector, from `subscribe` to the first message of a topic that is made', what: 'connector' },
};

/** The row that the others are compared with. */
const BASE = 'redis';

/** @typedef {{ event50: number, event99: number, record50: number, record99: number, rate: number, cpu: number, brokers: number, rss: number }} Figures */

/** @type {{ name: keyof Figures, title: string, digits: number }[]} */
const COLUMNS = [
  { name: 'event50', title: 'event p50, ms', digits: 2 },
  { name: 'event99', title: 'event p99, ms', digits: 2 },
  { name: 'record50', title: 'record p50, ms', digits: 2 },
  { name: 'record99', title: 'record p99, ms', digits: 2 },
  { name: 'rate', title: 'events a second', digits: 0 },
  { name: 'cpu', title: 'CPU of the servers an event, µs', digits: 0 },
  { name: 'brokers', title: 'of Kafka or Redis', digits: 1 },
  { name: 'rss', title: 'MB of RSS a server', digits: 0 },
];

const START_COLUMNS = [
  { name: 'middle', title: 'start, ms', digits: 0 },
  { name: 'slowest', title: 'slowest', digits: 0 },
];

/**
 * @param {import('./deepstream/server.js').Task} task
 * @param {number | undefined} broker its process id
 * @param {{ rate: number, seconds: number, inFlight: number }} work
 * @returns {Promise<Figures>}
 */
async function measure(task, broker, { rate, seconds, inFlight }) {
  const start = (file, ...args) => fork(path.join(__dirname, 'deepstream', file), args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const servers = Array.from({ length: task.cluster ? 2 : 1 }, () => start('server.js', JSON.stringify(task)));
  const clients = start('clients.js');
  try {
    const ports = await Promise.all(servers.map((server) => next(server, 'port')));
    await next(clients, 'ready');
    const ask = (message) => {
      clients.send(message);
      return next(clients, 'result');
    };
    const used = () => usage(servers, [broker]);

    await ask({ ports });
    // So that the compilers of the servers are done.
    await ask({ flood: { seconds, inFlight } });
    const count = Math.ceil(rate * seconds);
    const sorted = async (what) => (await ask({ latency: { what, count, rate } })).sort((a, b) => a - b);
    const events = await sorted('event');
    const records = await sorted('record');
    const before = await used();
    const { events: flooded, seconds: passed } = await ask({ flood: { seconds, inFlight } });
    const after = await used();
    return {
      event50: events[Math.floor(count * 0.5)],
      event99: events[Math.floor(count * 0.99)],
      record50: records[Math.floor(count * 0.5)],
      record99: records[Math.floor(count * 0.99)],
      rate: flooded / passed,
      cpu: (after.cpu - before.cpu) / flooded,
      brokers: (after.brokers - before.brokers) / flooded,
      rss: after.rss / 2 ** 20,
    };
  } finally {
    await end([...servers, clients]);
  }
}

/** @param {import('./deepstream/start.js').Start} start */
async function startOf(start) {
  const child = fork(path.join(__dirname, 'deepstream', 'start.js'), [JSON.stringify(start)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  return next(child, 'took');
}

/** @param {string} brokers @param {string} name of the row @param {string} key @param {number} count */
async function starts(brokers, name, key, count) {
  const { what, exists } = STARTS[name];
  if (exists) await startOf({ what, brokers, topic: key });
  /** @type {number[]} */
  const took = [];
  for (let n = 0; n < count; n++) took.push(await startOf({ what, brokers, topic: exists ? key : `${key}-${n}` }));
  return { middle: median(took), slowest: Math.max(...took) };
}

async function main() {
  const { names: chosen, numbers } = command({ ...ROWS, ...STARTS }, { rounds: 3, seconds: 5, rate: 200, 'in-flight': 100, starts: 10 });
  const { rounds, rate, seconds, 'in-flight': inFlight, starts: count } = numbers;
  const names = chosen.filter((name) => name in ROWS);
  const begun = chosen.filter((name) => name in STARTS);

  const kafka = begun.length > 0 || names.some((name) => ROWS[name].cluster === 'kafka') ? await KafkaCluster.start({ heap: 'bench' }) : undefined;
  try {
    /** @param {string} name @param {string} key */
    const row = async (name, key) => {
      const { cluster, options = {} } = ROWS[name];
      const redis = cluster === 'redis' ? await Redis.start() : undefined;
      const address = { kafka: kafka?.brokers, redis: redis?.url, alone: '' }[cluster ?? 'alone'];
      const broker = { kafka: kafka?.nodes[0].pid, redis: redis?.pid, alone: undefined }[cluster ?? 'alone'];
      try {
        return await measure({ cluster, address: String(address), key, options }, broker, { rate, seconds, inFlight });
      } finally {
        await redis?.stop();
      }
    };

    console.log(
      `${machine({ '@deepstream/server': require('@deepstream/server/package.json').version })} ` +
        `2 servers, ${rate} a second, ${inFlight} events in flight; median of ${rounds} round(s) of ${seconds} s, of ${count} starts.\n`,
    );
    // A broker that has just begun is slow for a while: what Java compiles, it compiles now.
    const first = names.find((name) => ROWS[name].cluster === 'kafka');
    if (first) await row(first, `bench-${process.pid}-warm`);
    if (names.length > 0) report(ROWS, COLUMNS, BASE, await measured(names, rounds, row));
    if (begun.length === 0) return;
    const { brokers } = /** @type {InstanceType<typeof KafkaCluster>} */ (kafka);
    for (const name of begun) await starts(brokers, name, `bench-${process.pid}-warm-${name}`, 1);
    if (names.length > 0) console.log('');
    report(STARTS, START_COLUMNS, '', await measured(begun, rounds, (name, key) => starts(brokers, name, key, count)));
  } finally {
    await kafka?.stop();
  }
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
