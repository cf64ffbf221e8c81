'use strict';
// The costs of readers without a group: threads, memory, connections, CPU at rest, and the time until each has its first message.
//
//   node bench/readers.js [--nodes 3]
//
// Each line is a process of its own. KAFKA_BROKER names a cluster to be measured in place of a fresh one.

const { execFile } = require('node:child_process');
const { readdirSync, readFileSync, readlinkSync } = require('node:fs');
const os = require('node:os');
const { setTimeout: delay } = require('node:timers/promises');
const { promisify } = require('node:util');
const { KafkaCluster } = require('@kafka-native/kafka-for-tests');
const { Admin, Kafka, logLevel } = require('kafka-native');

const TOPICS = 200;
/** Readers, and how many topics each reads. */
const CASES = [
  [1, 1],
  [20, 1],
  [200, 1],
  [1, 20],
  [1, 200],
];
const ROUNDS = 3;
/** Milliseconds of rest that are measured: a reader looks for new topics every five seconds. */
const REST = 5000;

/** Figures of the process now. */
function have() {
  globalThis.gc?.();
  const descriptors = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return ''; // the one of the folder itself
    }
  });
  // Both sides of a connection to a broker of this machine are in the table: those that are ours are told by their inodes.
  const established = readFileSync('/proc/self/net/tcp', 'utf8')
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , state]) => state === '01')
    .map((fields) => `socket:[${fields[9]}]`);
  return {
    threads: readdirSync('/proc/self/task').length,
    rss: process.memoryUsage.rss() / 2 ** 20,
    connections: descriptors.filter((each) => established.includes(each)).length,
  };
}

/** In a process of its own. */
async function measure(broker, topics, readers, each) {
  const kafka = new Kafka({ brokers: broker.split(','), logLevel: logLevel.NOTHING });
  // Costs of the first client of a process, whoever makes it: the addon's pages, an environment's thread.
  await kafka.consumer({ groupId: null }).disconnect();
  const before = have();
  const firsts = [];
  const consumers = Array.from({ length: readers }, () => kafka.consumer({ groupId: null }));
  const begun = performance.now();
  await Promise.all(
    consumers.map(async (consumer, i) => {
      const names = topics.slice(i * each, (i + 1) * each);
      await consumer.subscribe({ topics: names, from: 'beginning' });
      const wanted = new Set(names);
      const from = performance.now();
      /** @type {Promise<void>} */
      const first = new Promise((resolve, reject) => {
        consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
        void consumer.run({
          eachMessage: ({ topic }) => {
            if (wanted.size === names.length) firsts.push(performance.now() - from);
            if (wanted.delete(topic) && wanted.size === 0) resolve();
          },
        });
      });
      await first;
    }),
  );
  const all = performance.now() - begun;
  await delay(1000);
  const [cpu, at] = [process.cpuUsage(), performance.now()];
  await delay(REST);
  const { user, system } = process.cpuUsage(cpu);
  const rest = (user + system) / (performance.now() - at);
  const more = (now) => ({ threads: now.threads - before.threads, rss: now.rss - before.rss, connections: now.connections - before.connections });
  const reading = more(have());
  await Promise.all(consumers.map((consumer) => consumer.caughtUp()));
  const asked = more(have());
  console.log(
    JSON.stringify({ ...reading, first: median(firsts), all, rest, askedThreads: asked.threads, askedRss: asked.rss, askedConnections: asked.connections }),
  );
  process.exit();
}

function median(list) {
  return list.sort((a, b) => a - b)[Math.floor(list.length / 2)];
}

async function main() {
  const given = process.env.KAFKA_BROKER;
  const nodes = process.argv.includes('--nodes') ? Number(process.argv[process.argv.indexOf('--nodes') + 1]) : 1;
  const cluster = given ? undefined : await KafkaCluster.start({ nodes, heap: 'bench' });
  const broker = cluster?.brokers ?? String(given);
  try {
    const admin = new Admin({ broker });
    const kafka = new Kafka({ brokers: broker.split(','), logLevel: logLevel.NOTHING });
    const producer = kafka.producer();
    await producer.connect();
    const topics = Array.from({ length: TOPICS }, (_, i) => `readers-${process.pid}-${i}`);
    for (const topic of topics) {
      await admin.createTopic(topic, { partitions: 4, replication: 1 });
      await producer.send({ topic, messages: Array.from({ length: 10 }, () => ({ value: 'x'.repeat(100) })) });
    }
    await producer.disconnect();
    admin.close();
    console.log(
      `Node ${process.version}, ${os.cpus().length} x ${os.cpus()[0]?.model}, ${given ? 'the given cluster' : `Kafka with ${nodes} node(s) on the same machine`}; topics of 4 partitions`,
    );
    console.log(`In addition to Node; median of ${ROUNDS}. "Each" is the median of the readers.\n`);
    console.log(
      '| readers | topics of each | threads | connections | MB of RSS | each has its first message, ms | all have read of all topics, ms | CPU at rest, ms a second | after `caughtUp`: threads | connections | MB |',
    );
    console.log(`|${'--:|'.repeat(11)}`);
    for (const [readers, each] of CASES) {
      const args = ['--expose-gc', __filename, 'measure', broker, topics.join(), String(readers), String(each)];
      const rounds = [];
      for (let round = 0; round < ROUNDS; round++) rounds.push(JSON.parse((await promisify(execFile)(process.execPath, args, { maxBuffer: 2 ** 24 })).stdout));
      const of = (figure, digits = 0) => median(rounds.map((each) => each[figure])).toFixed(digits);
      const figures = [
        of('threads'),
        of('connections'),
        of('rss', 1),
        of('first'),
        of('all'),
        of('rest'),
        of('askedThreads'),
        of('askedConnections'),
        of('askedRss', 1),
      ];
      console.log(`| ${[readers, each, ...figures].join(' | ')} |`);
    }
  } finally {
    await cluster?.stop({ wipe: true });
  }
}

const [mode, broker, topics, readers, each] = process.argv.slice(2);
void (mode === 'measure' ? measure(broker, topics.split(','), Number(readers), Number(each)) : main());
