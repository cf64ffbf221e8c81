'use strict';
// npm run chaos: three brokers are killed, stopped and frozen, clients of every kind are killed; then an independent client reads
// the log, and the judge compares it with what the clients wrote down.
//
// SEED=... repeats the faults of a run, as far as the machine's timing allows; SECONDS=... (120) or ROUNDS=... (faults of brokers)
// say how long it takes.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { setTimeout: delay } = require('node:timers/promises');
const { KafkaCluster } = require('@kafka-native/kafka-for-tests');
const { random, seed } = require('../support/random.js');
const { Brokers } = require('./brokers.js');
const { Client } = require('./clients.js');
const { judge, missing } = require('./judge.js');
const { readAcknowledged, readProcessed } = require('./ledger.js');
const { Witness } = require('./witness.js');

const PARTITIONS = 4;
const SECONDS = Number(process.env.SECONDS ?? 120);
const ROUNDS = Number(process.env.ROUNDS ?? Infinity);
/** How long readers may make no progress at the end, in milliseconds. */
const STUCK = 60_000;

const [PLAIN, EXACT, RESULTS] = ['plain', 'exact', 'results'];
const classicGroup = { sessionTimeout: 6000, heartbeatInterval: 500 };
const idempotence = { 'enable.idempotence': true };

const PRODUCERS = [
  { name: 'writer', roles: [
    { kind: 'producer', role: 'plain-kafka', topic: PLAIN, config: {} },
    { kind: 'classicProducer', role: 'plain-classic', topic: PLAIN },
  ] },
  { name: 'exact-writer', roles: [
    { kind: 'producer', role: 'exact-kafka', topic: EXACT, config: { idempotent: true } },
    { kind: 'classicProducer', role: 'exact-classic', topic: EXACT, driver_options: idempotence },
  ] },
];
const TRANSACTIONS = [1, 2].map((n) => ({ name: `transactions-${n}`, roles: [{ kind: 'transactions', role: `transactions-${n}`, groupId: 'transactions', input: EXACT, output: RESULTS }] }));
const READERS = [
  ...[1, 2].map((n) => ({ name: `member-${n}`, roles: [
    { kind: 'member', role: 'cooperative', topics: [PLAIN], reads: 'eachMessage', config: classicGroup },
    { kind: 'member', role: 'eager', topics: [EXACT], config: { ...classicGroup, partitionAssigners: ['roundRobin'] } },
    { kind: 'member', role: 'kip-848', topics: [PLAIN, EXACT], config: { groupProtocol: 'consumer' } },
  ] })),
  ...[0, 1].map((slot) => ({ name: `worker-${slot}`, roles: [{ kind: 'classicConsumer', role: 'classic', topic: PLAIN, worker_slot: slot, num_workers: 2 }] })),
  { name: 'loner', roles: [
    { kind: 'member', role: 'stream', topics: [EXACT], reads: 'messages', config: classicGroup },
    { kind: 'assigned', role: 'assigned', topic: EXACT, partitions: PARTITIONS },
    { kind: 'admin', role: 'admin', topics: [PLAIN, EXACT, RESULTS] },
  ] },
];
READERS.push(
  ...[1, 2].map((n) => ({ name: `rust-member-${n}`, rust: { role: 'rust-group', how: 'group', topic: EXACT } })),
  { name: 'rust-loner', rust: { role: 'rust-alone', how: 'alone', topic: PLAIN } },
);
/** Topics that each reader has to have seen in the end. */
const TOPICS_OF = {
  cooperative: [PLAIN], eager: [EXACT], 'kip-848': [PLAIN, EXACT], stream: [EXACT], 'rust-group': [EXACT],
  classic: [PLAIN], assigned: [EXACT], 'rust-alone': [PLAIN],
};
const GROUPS = ['cooperative', 'eager', 'kip-848', 'stream', 'rust-group'];
const IN_FILES = ['classic', 'assigned', 'rust-alone'];

/** Events of a run, for who reads them. */
class Report {
  #began = Date.now();
  counts = {};
  findings = [];

  /** @param {string} [kind] what is counted */
  did(what, kind) {
    if (kind) this.#count(kind);
    console.log(`${((Date.now() - this.#began) / 1000).toFixed(1).padStart(6)} s  ${what}`);
  }

  /** A message of a client. */
  hear(type, text) {
    this.#count(type);
    if (type === 'dead') this.finding(text);
    if (type === 'gave up' || (type === 'failed' && process.env.VERBOSE)) this.did(`${type}: ${text}`);
  }

  finding(text) {
    this.findings.push(text);
    this.did(`FINDING ${text}`);
  }

  #count(what) {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }
}

/** The next offsets that a directory of offset files says. */
function inFiles(directory, topics) {
  const next = new Map();
  for (const topic of topics) {
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const file = path.join(directory, `${topic}-${partition}.offset`);
      if (fs.existsSync(file)) next.set(`${topic}/${partition}`, Number(fs.readFileSync(file, 'utf8')) + 1);
    }
  }
  return next;
}

/** Until every transaction is through: the group has committed its input's end. */
async function drained(witness, report) {
  for (let before = -1, since = Date.now(); ; await delay(500)) {
    const [ends, next] = [await witness.ends(EXACT), await witness.committed('transactions', [EXACT])];
    const left = [...ends].reduce((sum, [place, end]) => sum + end - (next.get(place) ?? 0), 0);
    if (left === 0) return;
    if (left !== before) [before, since] = [left, Date.now()];
    if (Date.now() - since > STUCK) return report.finding(`the transactions stand still with ${left} messages left: ${JSON.stringify([...next])} of ${JSON.stringify([...ends])}`);
  }
}

/** Until every reader has seen everything, or none gets any further. */
async function caughtUp(log, ledgers, report) {
  for (let before = -1, since = Date.now(); ; await delay(1000)) {
    const left = Object.entries(TOPICS_OF).map(([name, topics]) => [name, missing(log, topics, readProcessed(ledgers, name))]).filter(([, count]) => count > 0);
    if (left.length === 0) return;
    const sum = left.reduce((all, [, count]) => all + count, 0);
    if (sum !== before) [before, since] = [sum, Date.now()];
    if (Date.now() - since > STUCK) return report.finding(`readers stand still with messages left: ${JSON.stringify(left)}`);
  }
}

async function main() {
  const report = new Report();
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'kafka-native-chaos-'));
  const [ledgers, offsets] = ['ledgers', 'offsets'].map((name) => path.join(directory, name));
  [ledgers, offsets].forEach((made) => fs.mkdirSync(made));
  console.log(`SEED=${seed} ${ROUNDS < Infinity ? `ROUNDS=${ROUNDS}` : `SECONDS=${SECONDS}`} npm run chaos repeats this run; its ledgers are in ${directory}`);

  const kafka = await KafkaCluster.start({ nodes: 3 });
  const witness = new Witness(kafka.brokers);
  const place = { brokers: kafka.brokers, ledgers, offsets };
  const [producers, transactions, readers] = [PRODUCERS, TRANSACTIONS, READERS].map((list) => list.map((what) => new Client(what, place, report)));
  const all = [...producers, ...transactions, ...readers];
  process.once('exit', () => all.forEach((client) => client.process?.kill('SIGKILL')));
  try {
    await witness.connect();
    await witness.make([PLAIN, EXACT, RESULTS], PARTITIONS);
    all.forEach((client) => client.start());
    await delay(3000);

    // Both follow the seed, whatever the other does.
    const [forBrokers, forClients] = [random(seed), random(seed + 1)];
    const brokers = new Brokers(kafka, forBrokers, report);
    const end = Date.now() + SECONDS * 1000;
    let over = false;
    const brokersFail = async () => {
      for (let round = 0; round < ROUNDS && (ROUNDS < Infinity || Date.now() < end); round++) {
        await brokers.fault();
        await delay(1000 + forBrokers() * 4000);
      }
      over = true;
    };
    const clientsFail = async () => {
      while (!over) {
        const client = all[Math.floor(forClients() * all.length)];
        const pause = forClients() < 0.5 ? 0 : forClients() * 8000;
        report.did(`kill -9 ${client.what.name}`, 'clients killed');
        await Promise.all([client.kill(pause), delay(500 + forClients() * 5000)]);
      }
    };
    await Promise.all([brokersFail(), clientsFail()]);

    await brokers.heal();
    report.did('healed: all brokers are up');
    await Promise.all(producers.map((client) => client.stop()));
    report.did('written: producers have ended');
    await drained(witness, report);
    await Promise.all(transactions.map((client) => client.stop()));
    report.did('answered: transactions have ended');
    await witness.mark([PLAIN, EXACT, RESULTS], PARTITIONS);

    await Promise.all(readers.map((client) => client.end()));
    report.did('killed: every reader at once');
    const killed = [];
    for (const name of GROUPS) killed.push({ name, next: await witness.committed(name, TOPICS_OF[name]), seen: readProcessed(ledgers, name) });
    for (const name of IN_FILES) killed.push({ name, next: inFiles(path.join(offsets, name), TOPICS_OF[name]), seen: readProcessed(ledgers, name) });
    readers.forEach((client) => client.start());

    const log = await witness.read([PLAIN, EXACT, RESULTS], PARTITIONS);
    report.did('witnessed: KafkaJS has read the log');
    await caughtUp(log, ledgers, report);
    report.did('caught up: readers have seen the end');
    await Promise.all(readers.map((client) => client.stop()));
    report.did('ended: readers have stopped in order');

    const acknowledged = readAcknowledged(ledgers);
    const seen = Object.entries(TOPICS_OF).map(([name, topics]) => ({ name, topics, seen: readProcessed(ledgers, name) }));
    judge({ log, acknowledged, idempotent: [EXACT], transactions: [{ input: EXACT, output: RESULTS }], readers: seen, killed }).forEach((text) => report.finding(text));
    for (const client of all) if (client.crashed()) report.finding(`${client.what.name} crashed: ${client.crashed()}; its stderr is ${client.errors}`);

    const messages = Object.fromEntries([PLAIN, EXACT, RESULTS].map((topic) => [topic, [...log].filter(([at]) => at.startsWith(`${topic}/`)).reduce((sum, [, list]) => sum + list.length, 0)]));
    console.log('In the log:', messages, 'acknowledged:', acknowledged.reduce((sum, { from, to }) => sum + to - from, 0));
    console.log('Seen by:', Object.fromEntries(seen.map(({ name, seen: places }) => [name, [...places.values()].reduce((sum, list) => sum + list.size, 0)])));
    console.log('Happened:', report.counts);
    if (acknowledged.length === 0 || messages[RESULTS] === 0) report.finding('nothing was written: the run says nothing');
  } finally {
    await Promise.all(all.map((client) => client.end()));
    await witness.close().catch(() => {});
    await kafka.stop({ wipe: true });
  }
  if (report.findings.length === 0) fs.rmSync(directory, { recursive: true, force: true });
  else console.log(`${report.findings.length} findings with SEED=${seed}; ledgers and stderr of the clients are in ${directory}`);
  return report.findings;
}

main().then(
  (findings) => {
    console.log(findings.length === 0 ? 'Nothing was lost, doubled or skipped.' : findings.join('\n'));
    process.exitCode = findings.length === 0 ? 0 : 1;
  },
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
