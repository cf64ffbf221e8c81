'use strict';
// kafka-proxy beside a plain loop of ws and KafkaJS, and beside a consumer without anything between.
//
//   node bench/proxy.js [--rows legacy,v2.json,v2.msgpack,ws-kafkajs] [--parts one,latency,many,idle,slow] [--rounds 3] [--seconds 5]
//                       [--messages 2000000] [--clients 500] [--sockets 10000] [--rate 200]
//
// Each row of each round has a fresh server and fresh clients, a process each (proxy/), on the real Kafka. What is read are messages of 100 bytes
// of one partition. Linux only.

const { fork } = require('node:child_process');
const { once } = require('node:events');
const os = require('node:os');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { parseArgs } = require('node:util');
const { KafkaCluster } = require('@kafka-native/kafka-for-tests');
const { Admin, Producer } = require('kafka-native');
const { fill, makeTopic } = require('./backlog.js');

/** @typedef {import('./proxy/clients.js').Kind} Kind */
/** @type {Record<Kind, { title: string, server: 'kafka-proxy' | 'ws-kafkajs' }>} */
const ROWS = {
  legacy: { title: 'kafka-proxy, protocol of 1.0', server: 'kafka-proxy' },
  'v2.json': { title: 'kafka-proxy, kafka.v2.json', server: 'kafka-proxy' },
  'v2.msgpack': { title: 'kafka-proxy, kafka.v2.msgpack', server: 'kafka-proxy' },
  'ws-kafkajs': { title: 'ws + KafkaJS + JSON.stringify', server: 'ws-kafkajs' },
};
/** The row that the others are compared with. */
const BASE = 'ws-kafkajs';
const SIZE = 100;
/** Messages that are written in one call. */
const CHUNK = 500;
/** Messages that are written and not yet read by all, where it is measured how fast one or many read new ones. */
const WINDOW = { one: 100_000, many: 20_000 };
/** How often the slow socket comes and goes. */
const TURNS = 3;
/** Milliseconds without anything: it hangs. */
const PATIENCE = 60_000;

/** A process of proxy/. */
class Peer {
  /** Messages that came to all of its clients together. */
  total = 0;
  /** When it told that, in milliseconds. */
  at = 0;
  /** @type {Error | undefined} */ #failed;
  #answers = [];
  #progress = () => {};

  /** @param {string} file @param {object} [task] */
  constructor(file, task) {
    this.child = fork(path.join(__dirname, 'proxy', file), task ? [JSON.stringify(task)] : [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.child.on('message', (/** @type {any} */ { answer, error, total, at }) => {
      if (error) this.#fail(new Error(error));
      else if (total !== undefined) {
        [this.total, this.at] = [total, at];
        this.#progress();
      } else this.#answers.shift()?.resolve(answer);
    });
    this.child.on('exit', (code) => this.#fail(new Error(`${file} ended with ${code}`)));
    /** Its first word. @type {Promise<any>} */
    this.begun = this.#answer();
  }

  #fail(error) {
    this.#failed ??= error;
    for (const { reject } of this.#answers.splice(0)) reject(this.#failed);
    this.#progress();
  }

  #answer() {
    return new Promise((resolve, reject) => this.#answers.push({ resolve, reject }));
  }

  /** @param {object} message @returns {Promise<any>} */
  ask(message) {
    if (this.#failed) return Promise.reject(this.#failed);
    this.child.send(message);
    return this.#answer();
  }

  /** Something came, or so many milliseconds have passed. */
  async progress(milliseconds = PATIENCE) {
    let timer;
    await new Promise((resolve) => {
      this.#progress = () => resolve(undefined);
      timer = setTimeout(resolve, milliseconds);
    });
    clearTimeout(timer);
    this.alive();
  }

  alive() {
    if (this.#failed) throw this.#failed;
  }

  async end() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.send({ end: true });
    await ended;
  }
}

/** @param {number[]} values */
function median(values) {
  return quantile(values, 0.5);
}

/** @param {number[]} values @param {number} part */
function quantile(values, part) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * part;
  return (sorted[Math.floor(at)] + sorted[Math.ceil(at)]) / 2;
}

/** @param {string} brokers @param {{ seconds: number, messages: number, clients: number, sockets: number, rate: number }} work */
async function bench(brokers, { seconds, messages, clients: many, sockets, rate }) {
  const admin = new Admin({ broker: brokers });
  const producer = new Producer({ broker: brokers, queue_buffering_max_ms: 1 });
  let topics = 0;
  const topic = async () => {
    const name = `bench-proxy-${process.pid}-${topics++}`;
    await makeTopic(brokers, admin, name, 1);
    return name;
  };
  const backlog = await topic();
  await fill(brokers, backlog, { messages, partitions: 1, size: SIZE, codec: 'none', headers: false });
  // As the backlog's: JSON in JSON.
  const values = Array.from({ length: CHUNK }, (_, i) =>
    `{"id":${i},"user":"${i.toString(36)}","price":${i * 7},"at":"2026-01-10T10:00:00Z"}`.padEnd(SIZE, ' '),
  );

  /** @template T @param {Kind} row @param {(peers: { server: Peer, clients: Peer, port: number, used(): Promise<{ cpu: number, rss: number }> }) => Promise<T>} work */
  async function at(row, work) {
    const server = new Peer('server.js', { server: ROWS[row].server, brokers });
    const clients = new Peer('clients.js');
    try {
      const [port] = await Promise.all([server.begun, clients.begun]);
      return await work({ server, clients, port, used: () => server.ask({ usage: true }) });
    } finally {
      await Promise.all([server.end(), clients.end()]);
    }
  }

  /** Until all clients read: who begins at the end of the log does so a moment after it said so. */
  async function awake(name, clients, count) {
    for (const end = performance.now() + PATIENCE; clients.total === 0; ) {
      producer.send(name, 0, [values[0]]);
      await clients.progress(50);
      if (performance.now() > end) throw new Error(`nothing comes to the ${count} clients`);
    }
    // Messages under way still come.
    for (let before = -1; clients.total !== before; await clients.progress(500)) before = clients.total;
  }

  /** Writes so that all clients always have something to read, for that time; how many messages came to them, and in how many seconds. */
  async function pump(name, clients, count, time) {
    const [begin, begun] = [clients.total, performance.now()];
    let sent = 0;
    const end = begun + time * 1000;
    const window = count === 1 ? WINDOW.one : WINDOW.many;
    while (performance.now() < end) {
      while (sent - (clients.total - begin) / count < window && performance.now() < end) {
        const { errors } = producer.send(name, 0, values);
        if (errors) throw errors[0];
        sent += CHUNK;
        // So that progress is heard.
        await new Promise(setImmediate);
      }
      await clients.progress(10);
    }
    const [came, took] = [clients.total - begin, (performance.now() - begun) / 1000];
    const all = begin + sent * count;
    while (clients.total < all) {
      const before = clients.total;
      await clients.progress();
      if (clients.total === before) throw new Error(`${all - before} messages have not come to the ${count} clients`);
    }
    return { came, took };
  }

  return {
    /** One client: what was there, and what comes. @param {Kind} row */
    async one(row) {
      const past = await at(row, async ({ clients, port, used }) => {
        const before = await used();
        await clients.ask({ what: 'open', port, kind: row, topic: backlog, from: 'earliest', count: 1 });
        while (clients.total === 0) await clients.progress();
        const [first, begun] = [clients.total, clients.at];
        while (clients.total < messages && clients.at - begun < seconds * 1000) await clients.progress();
        const after = await used();
        return { rate: ((clients.total - first) / (clients.at - begun)) * 1000, cpu: (after.cpu - before.cpu) / clients.total };
      });
      const live = await at(row, async ({ clients, port, used }) => {
        const name = await topic();
        await clients.ask({ what: 'open', port, kind: row, topic: name, from: 'latest', count: 1 });
        await awake(name, clients, 1);
        await pump(name, clients, 1, Math.min(seconds, 2));
        const before = await used();
        const { came, took } = await pump(name, clients, 1, seconds);
        const after = await used();
        return { rate: came / took, cpu: (after.cpu - before.cpu) / came };
      });
      return { past: past.rate, pastCpu: past.cpu, live: live.rate, liveCpu: live.cpu };
    },

    /** A message alone, beside a consumer of its own. @param {Kind} row */
    latency: (row) =>
      at(row, async ({ clients, port }) => {
        const name = await topic();
        const other = new Peer('clients.js');
        try {
          await other.begun;
          await clients.ask({ what: 'open', port, kind: row, topic: name, from: 'latest', count: 1 });
          await other.ask({ what: 'direct', brokers, topic: name });
          const send = async (count) => {
            for (let i = 0; i < count; i++) {
              producer.send(name, 0, [`@${process.hrtime.bigint()}@`.padEnd(SIZE, 'x')]);
              await sleep(1000 / rate);
            }
            await sleep(500);
          };
          await send(rate);
          await Promise.all([clients.ask({ what: 'latencies' }), other.ask({ what: 'latencies' })]);
          await send(rate * seconds);
          const [{ latencies }, { direct }] = await Promise.all([clients.ask({ what: 'measured' }), other.ask({ what: 'measured' })]);
          if (latencies.length !== rate * seconds || direct.length !== rate * seconds)
            throw new Error(`${latencies.length} and ${direct.length} of ${rate * seconds} messages came`);
          const [p50, p99, direct50, direct99] = [quantile(latencies, 0.5), quantile(latencies, 0.99), quantile(direct, 0.5), quantile(direct, 0.99)];
          return { p50, p99, direct50, direct99, above: p50 - direct50 };
        } finally {
          await other.end();
        }
      }),

    /** Many clients of one topic. @param {Kind} row */
    many: (row) =>
      at(row, async ({ clients, port, used }) => {
        const name = await topic();
        await clients.ask({ what: 'open', port, kind: row, topic: name, from: 'latest', count: many });
        await awake(name, clients, many);
        await pump(name, clients, many, Math.min(seconds, 2));
        const before = await used();
        const { came, took } = await pump(name, clients, many, seconds);
        const after = await used();
        return { rate: came / took, cpu: (after.cpu - before.cpu) / came, rss: after.rss / 1e6 };
      }),

    /** Sockets that wait: those that have subscribed, and those that have said nothing yet. @param {Kind} row */
    async idle(row) {
      const waiting = (/** @type {string | undefined} */ name) =>
        at(row, async ({ clients, port, used }) => {
          const empty = await used();
          await clients.ask({ what: 'open', port, kind: row, topic: name, from: 'latest', count: sockets });
          await sleep(1000);
          const full = await used();
          await sleep(seconds * 1000);
          const later = await used();
          return { empty: empty.rss / 1e6, rss: later.rss / 1e6, cpu: (later.cpu - full.cpu) / seconds / 10_000 };
        });
      const subscribed = await waiting(await topic());
      // Elsewhere the URL has said what is read.
      const silent = row.startsWith('v2') ? await waiting(undefined) : subscribed;
      const each = ({ rss, empty }) => ((rss - empty) * 1000) / sockets;
      return { ...subscribed, silent: silent.rss, each: each(subscribed), eachSilent: each(silent) };
    },

    /** A socket that hardly reads beside one that does. @param {Kind} row */
    slow: (row) =>
      at(row, async ({ clients, port, used }) => {
        const name = await topic();
        const wish = { what: 'open', port, kind: row, topic: name, from: 'latest', count: 1 };
        await clients.ask(wish);
        await awake(name, clients, 1);
        await pump(name, clients, 1, Math.min(seconds, 2));
        const before = await used();
        let after = before;
        /** @type {{ came: number, took: number }[][]} */
        const [alone, beside] = [[], []];
        for (let turn = 0; turn < TURNS; turn++) {
          alone.push(await pump(name, clients, 1, seconds));
          const other = new Peer('clients.js');
          try {
            await other.begun;
            await other.ask({ ...wish, slow: true });
            beside.push(await pump(name, clients, 1, seconds));
            after = await used();
          } finally {
            await other.end();
          }
        }
        const rate = (rounds) => rounds.reduce((sum, { came }) => sum + came, 0) / rounds.reduce((sum, { took }) => sum + took, 0);
        return { kept: rate(beside) / rate(alone), rss: after.rss / 1e6, grown: (after.rss - before.rss) / 1e6 };
      }),

    async close() {
      await producer.stop();
      admin.close();
    },
  };
}

/** The rows of each part, and the figures measured of them. @type {Record<string, { title: string, rows: Kind[], columns: [string, string, number][] }>} */
const PARTS = {
  one: {
    title: 'One client, messages a second',
    rows: ['legacy', 'v2.json', 'v2.msgpack', 'ws-kafkajs'],
    columns: [
      ['past', 'of the past', 0],
      ['pastCpu', 'CPU of the server a message, µs', 2],
      ['live', 'as they come', 0],
      ['liveCpu', 'CPU, µs', 2],
    ],
  },
  latency: {
    title: 'A lone message, milliseconds',
    rows: ['legacy', 'v2.json', 'v2.msgpack', 'ws-kafkajs'],
    columns: [
      ['p50', 'p50', 2],
      ['p99', 'p99', 2],
      ['direct50', 'p50 of a consumer beside it', 2],
      ['direct99', 'its p99', 2],
      ['above', 'p50 above it', 2],
    ],
  },
  many: {
    title: 'Many clients of one topic',
    rows: ['legacy', 'v2.json', 'v2.msgpack', 'ws-kafkajs'],
    columns: [
      ['rate', 'deliveries a second', 0],
      ['cpu', 'CPU of the server a delivery, µs', 3],
      ['rss', 'its MB of RSS', 0],
    ],
  },
  idle: {
    title: 'Sockets that wait',
    rows: ['legacy', 'v2.json', 'v2.msgpack', 'ws-kafkajs'],
    columns: [
      ['silent', 'MB of RSS of the server', 0],
      ['rss', 'when they have subscribed', 0],
      ['empty', 'without sockets', 0],
      ['eachSilent', 'kB a silent socket', 1],
      ['each', 'kB a subscribed one', 1],
      ['cpu', '% of a CPU', 1],
    ],
  },
  slow: {
    title: 'A socket that hardly reads beside one that does',
    rows: ['legacy', 'v2.json', 'v2.msgpack', 'ws-kafkajs'],
    columns: [
      ['kept', 'rate of the fast one, of that without the slow one', 2],
      ['rss', 'MB of RSS of the server', 0],
      ['grown', 'more than before', 0],
    ],
  },
};

/** Figures that kafka-proxy is to reach in each of its protocols. @type {{ part: string, name: string, title: string, least?: number, most?: number }[]} */
const AIMS = [
  { part: 'one', name: 'live', title: 'messages a second to one client, as they come', least: 1_000_000 },
  { part: 'many', name: 'rate', title: 'deliveries a second', least: 1_500_000 },
  { part: 'idle', name: 'eachSilent', title: 'kB a silent socket', most: 15 },
  { part: 'idle', name: 'each', title: 'kB a subscribed socket', most: 15 },
];

/** @param {string[]} titles @param {string[][]} lines */
const table = (titles, lines) =>
  console.log([titles, titles.map((_, i) => (i === 0 ? '---' : '--:')), ...lines].map((line) => `| ${line.join(' | ')} |`).join('\n'));

/** @param {string} part @param {Map<Kind, Record<string, number>[]>} measured */
function report(part, measured) {
  const { title, columns } = PARTS[part];
  const of = (row, name) => median((measured.get(row) ?? []).map((round) => round[name]));
  console.log(`\n${title}:\n`);
  const rows = [...measured.keys()];
  table(
    ['', ...columns.map(([, each]) => each)],
    rows.map((row) => [ROWS[row].title, ...columns.map(([name, , digits]) => of(row, name).toFixed(digits))]),
  );
  for (const { name, title: what, least, most } of AIMS.filter((aim) => aim.part === part)) {
    const aim = least === undefined ? `at most ${most}` : `at least ${least}`;
    const met = (row) => (least === undefined ? of(row, name) <= (most ?? 0) : of(row, name) >= least);
    const results = rows.filter((row) => row !== BASE).map((row) => `${ROWS[row].title} ${met(row) ? 'met' : 'missed'}`);
    if (results.length > 0) console.log(`\nThe aim, ${aim} ${what}: ${results.join('; ')}.`);
  }
  const rates = columns.filter(([name]) => ['past', 'live', 'rate'].includes(name));
  if (rates.length === 0 || rows.length === 1 || !measured.has(BASE)) return;
  console.log(`\nThe same as multiples of ${ROWS[BASE].title}:\n`);
  table(
    ['', ...rates.map(([, each]) => each)],
    rows.filter((row) => row !== BASE).map((row) => [ROWS[row].title, ...rates.map(([name]) => (of(row, name) / of(BASE, name)).toFixed(2))]),
  );
}

async function main() {
  const { values } = parseArgs({
    options: {
      rows: { type: 'string', default: Object.keys(ROWS).join() },
      parts: { type: 'string', default: Object.keys(PARTS).join() },
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '5' },
      messages: { type: 'string', default: '2000000' },
      clients: { type: 'string', default: '500' },
      sockets: { type: 'string', default: '10000' },
      rate: { type: 'string', default: '200' },
    },
  });
  /** @param {'rows' | 'parts'} name @param {object} known */
  const chosen = (name, known) => {
    const names = values[name].split(',');
    const unknown = names.filter((each) => !Object.hasOwn(known, each));
    if (unknown.length > 0) throw new Error(`--${name} does not know ${unknown.join()}: there are ${Object.keys(known).join()}`);
    return names;
  };
  const rows = /** @type {Kind[]} */ (chosen('rows', ROWS));
  const parts = chosen('parts', PARTS);
  const number = (name) => {
    if (Number(values[name]) > 0) return Number(values[name]);
    throw new Error(`--${name} takes a number, not ${values[name]}`);
  };
  const [rounds, seconds, messages, clients, sockets, rate] = ['rounds', 'seconds', 'messages', 'clients', 'sockets', 'rate'].map(number);

  const cluster = await KafkaCluster.start({ nodes: 1, heap: 'bench' });
  /** @type {Awaited<ReturnType<typeof bench>> | undefined} */ let work;
  try {
    console.log(
      `Node ${process.version}, ws ${require('ws/package.json').version}, KafkaJS ${require('kafkajs/package.json').version}, ${os.cpus().length} x ${os.cpus()[0]?.model}; ` +
        `all on one machine. Messages of ${SIZE} bytes, ${messages} of the past; ${clients} clients; ${sockets} idle sockets; ${rate} lone messages a second; ` +
        `median of ${rounds} round(s) of ${seconds} s.`,
    );
    work = await bench(cluster.brokers, { seconds, messages, clients, sockets, rate });
    for (const part of parts) {
      const order = rows.filter((row) => PARTS[part].rows.includes(row));
      /** @type {Map<Kind, Record<string, number>[]>} */
      const measured = new Map(order.map((row) => [row, []]));
      for (let round = 0; round < rounds; round++) {
        for (const row of round % 2 === 0 ? order : [...order].reverse()) {
          const figures = await work[part](row);
          measured.get(row)?.push(figures);
          process.stderr.write(`${part} ${row} ${JSON.stringify(figures)}\n`);
        }
      }
      if (order.length > 0) report(part, measured);
    }
  } finally {
    await work?.close();
    await cluster.stop();
  }
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
