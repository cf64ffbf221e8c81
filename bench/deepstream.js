'use strict';
// deepstream's servers behind one another: the cluster node over Kafka beside the one over Redis, and one server alone, at the same work.
//
//   node bench/deepstream.js [--rows default,redis,alone] [--rounds 3] [--seconds 5] [--rate 200] [--in-flight 100]
//
// Each row of each round has two fresh servers, a process each, and one process with two clients (deepstream/), one at each server. For `seconds` each:
// all is warmed up; one client emits, `rate` times a second, and the other hears; the same with changes of a record; then events so fast that `in-flight` are
// under way, and each must come once and in order. Alone both clients are at one server. Linux only: it reads /proc.

const { execFileSync, fork } = require('node:child_process');
const { once } = require('node:events');
const { readFileSync } = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { KafkaCluster } = require('@kafka-native/kafka-for-tests');
const { Redis } = require('@kafka-native/redis-for-tests');

/** @type {Record<string, { title: string, cluster?: 'kafka' | 'redis', options?: object }>} */
const ROWS = {
  default: { title: 'Kafka, acks=all, idempotent (default)', cluster: 'kafka' },
  redis: { title: 'clusternode-redis', cluster: 'redis' },
  alone: { title: 'one server alone' },
};

/** What the others are compared with. */
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
    const used = async () => {
      const answers = servers.map((server) => next(server, 'usage'));
      for (const server of servers) server.send({ usage: true });
      const usages = await Promise.all(answers);
      const sum = (name) => usages.reduce((total, each) => total + each[name], 0);
      return { cpu: sum('cpu'), rss: sum('rss') / servers.length, broker: broker === undefined ? 0 : cpuOf(broker) };
    };

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
      brokers: (after.broker - before.broker) / flooded,
      rss: after.rss / 2 ** 20,
    };
  } finally {
    const all = [...servers, clients].filter((child) => child.exitCode === null && child.signalCode === null);
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
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '5' },
      rate: { type: 'string', default: '200' },
      'in-flight': { type: 'string', default: '100' },
    },
  });
  const names = values.rows.split(',');
  const unknown = names.filter((name) => !Object.hasOwn(ROWS, name));
  if (unknown.length > 0) throw new Error(`--rows does not know ${unknown.join()}: there are ${Object.keys(ROWS).join()}`);
  const number = (name) => {
    if (Number(values[name]) > 0) return Number(values[name]);
    throw new Error(`--${name} takes a number, not ${values[name]}`);
  };
  const work = { rate: number('rate'), seconds: number('seconds'), inFlight: number('in-flight') };
  const rounds = number('rounds');

  const kafka = names.some((name) => ROWS[name].cluster === 'kafka') ? await KafkaCluster.start({ heap: 'bench' }) : undefined;
  try {
    /** @param {string} name @param {string} key */
    const row = async (name, key) => {
      const { cluster, options = {} } = ROWS[name];
      const redis = cluster === 'redis' ? await Redis.start() : undefined;
      const address = { kafka: kafka?.brokers, redis: redis?.url, alone: '' }[cluster ?? 'alone'];
      const broker = { kafka: kafka?.nodes[0].pid, redis: redis?.pid, alone: undefined }[cluster ?? 'alone'];
      try {
        return await measure({ cluster, address: String(address), key, options }, broker, work);
      } finally {
        await redis?.stop();
      }
    };

    const version = execFileSync(process.env.REDIS_SERVER || 'redis-server', ['--version'], { encoding: 'utf8' }).match(/v=([\d.]+)/)?.[1];
    console.log(
      `Node ${process.version}, @deepstream/server ${require('@deepstream/server/package.json').version}, Redis ${version}, ${os.cpus().length} x ${os.cpus()[0]?.model}, ` +
        `load ${os.loadavg()[0].toFixed(1)} when it began; all on one machine. ` +
        `2 servers, ${work.rate} a second, ${work.inFlight} events in flight; median of ${rounds} round(s) of ${work.seconds} s.\n`,
    );
    /** @type {Record<string, Figures[]>} */
    const measured = Object.fromEntries(names.map((name) => [name, []]));
    // A broker that has just begun is slow for a while: what Java compiles, it compiles now.
    const first = names.find((name) => ROWS[name].cluster === 'kafka');
    if (first) await row(first, `bench-${process.pid}-warm`);
    for (let round = 0; round < rounds; round++) {
      for (const name of round % 2 === 0 ? names : [...names].reverse()) {
        measured[name].push(await row(name, `bench-${process.pid}-${round}-${name}`));
        process.stderr.write(`${name} ${JSON.stringify(measured[name].at(-1))}\n`);
      }
    }
    report(Object.entries(measured));
  } finally {
    await kafka?.stop();
  }
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
