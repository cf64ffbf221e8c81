'use strict';
// Clients of ours at brokers that lie: none may end by a signal, hang, or take all memory.
//
//   SEED=1 SECONDS=30 node test/fuzz/garble.js        ROUNDS=20 in place of seconds; KIND=group: clients of one kind; ONLY=17: that round again
//
// Ends with 0 when nothing was found. Garbling by a seed is the same each time; what a client asks when is not.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { fork } = require('node:child_process');
const { once } = require('node:events');
const { Producer } = require('kafka-native');
const { CRASH } = require('../support/child.js');
const { real } = require('../support/clusters.js');
const { random } = require('../support/random.js');
const { garbling } = require('./proxy.js');

const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
const ROUNDS = Number(process.env.ROUNDS ?? Infinity);
const SECONDS = ROUNDS < Infinity ? Infinity : Number(process.env.SECONDS ?? 30);
const ONLY = process.env.ONLY === undefined ? undefined : Number(process.env.ONLY);
const KINDS = process.env.KIND?.split(',') ?? ['consumer', 'group', 'rangers', 'kip848', 'producer', 'transactions', 'admin'];
/** Memory that a client may take: it has a second, and a few messages. */
const MEMORY_KB = 1_000_000;
/** Its calls, stops and ends together, with a busy machine. */
const PATIENCE_MS = 60_000;
const ABREAST = 3;

const options = ({ broker }) => ({ broker, queue_buffering_max_ms: 1, logger: { error() {}, warn() {}, info() {}, debug() {} } });

async function fill(cluster, topic) {
  for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
    const producer = new Producer({ ...options(cluster.options()), driver_options: { 'compression.codec': codec } });
    for (let partition = 0; partition < 2; partition++) producer.send(topic, partition, Array.from({ length: 50 }, (_, i) => ({ key: `k${i}`, value: 'v'.repeat(i), headers: { h: 'x' } })));
    await producer.stop();
  }
}

/** One client at one liar; resolves with what was found, if anything. */
async function round(number, { cluster, topic }, directory) {
  const chance = random(SEED + number * 7919);
  const kind = KINDS[number % KINDS.length];
  const proxy = await garbling(cluster.options().broker, { random: chance, rate: [0.03, 0.1, 0.3][number % 3], spare: Math.floor(chance() * 4) });
  const how = { kind, broker: proxy.broker, topic, groupId: `garble-${process.pid}-${number}`, directory: path.join(directory, String(number)) };
  const child = fork(path.join(__dirname, 'client.js'), [JSON.stringify(how)], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  let stderr = '';
  child.stderr.on('data', (text) => (stderr = (stderr + text).slice(-20_000)));
  let peak = 0;
  const look = setInterval(() => {
    try {
      peak = Math.max(peak, Number(/^VmHWM:\s*(\d+) kB$/m.exec(fs.readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? 0));
    } catch {
      // It has ended.
    }
    if (peak > MEMORY_KB) child.kill('SIGKILL');
  }, 50);
  let hung = false;
  const patience = setTimeout(() => {
    hung = true;
    child.kill('SIGKILL');
  }, PATIENCE_MS);
  const [code, signal] = await once(child, 'close');
  clearInterval(look);
  clearTimeout(patience);
  proxy.close();
  const what = peak > MEMORY_KB ? `took ${peak} kB` : hung ? 'hung' : code !== 0 ? `ended with ${signal ?? code}` : CRASH.test(stderr) ? 'said that it crashed' : undefined;
  return what && `round ${number}: a client (${kind}) ${what}\n  garbled: ${proxy.done.slice(-30).join(', ')}\n  stderr: ${stderr.slice(-1500)}`;
}

async function main() {
  console.log(`garble: SEED=${SEED} ${ROUNDS < Infinity ? `ROUNDS=${ROUNDS}` : `SECONDS=${SECONDS}`}`);
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'kafka-native-garble-'));
  // Not the embedded one: it believes what its clients say, and they say what they were told.
  const cluster = await real();
  const findings = [];
  let next = ONLY ?? 0;
  try {
    const topic = await cluster.topic(2);
    await fill(cluster, topic);
    const end = Date.now() + SECONDS * 1000;
    const line = async () => {
      while (next < ROUNDS && Date.now() < end && (ONLY === undefined || next === ONLY)) {
        const found = await round(next++, { cluster, topic }, directory);
        if (found) findings.push(found);
        if (found) console.error(found);
      }
    };
    await Promise.all(Array.from({ length: ONLY === undefined ? ABREAST : 1 }, line));
  } finally {
    await cluster.close();
    fs.rmSync(directory, { recursive: true, force: true });
  }
  console.log(`garble: ${next} rounds, ${findings.length} findings`);
  process.exitCode = findings.length > 0 ? 1 : 0;
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 2;
});
