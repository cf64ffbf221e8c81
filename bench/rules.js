'use strict';
// The cost of messages that are not for this instance: left out by a rule in Rust, and read and left out in JavaScript. One of a hundred is
// wanted. A Kafka of its own, or KAFKA_BROKER: `node bench/rules.js`; MESSAGES=... is how many there are.

const os = require('node:os');
const { fork } = require('node:child_process');
const { once } = require('node:events');
const { setTimeout: sleep } = require('node:timers/promises');
const { Admin, Kafka, Producer } = require('kafka-native');
const { KafkaCluster } = require('@kafka-native/kafka-for-tests');
const { now, threadCpu } = require('./measure.js');

const MESSAGES = Number(process.env.MESSAGES ?? 1_000_000);
const ROUNDS = 5;
/** Seconds for which messages trickle, about a thousand a second, each alone. */
const TRICKLE = 5;
const NODES = 100;
const topic = `rules-${process.pid}`;
const silent = { error() {}, warn() {}, info() {}, debug() {} };

const me = Buffer.from('node-42');
const only = { header: 'to', is: 'node-42' };
const mine = ({ headers }) => Buffer.isBuffer(headers.to) && headers.to.equals(me);

/** How a program gets what is for it: the options of `run`, which count with `wanted`. */
const ways = {
  'a rule, eachBatch': (wanted) => ({ only, eachBatch: ({ batch }) => wanted(batch.messages.length) }),
  'a rule, eachMessage': (wanted) => ({ only, eachMessage: () => wanted(1) }),
  'a rule by key': (wanted) => ({ only: { key: 'node-42' }, eachBatch: ({ batch }) => wanted(batch.messages.length) }),
  'a rule that wants all, eachBatch': (wanted) => ({
    only: { not: { header: 'to', is: 'nobody' } },
    eachBatch: ({ batch }) => wanted(batch.messages.filter(mine).length),
  }),
  'all, eachBatch leaves out': (wanted) => ({ eachBatch: ({ batch }) => wanted(batch.messages.filter(mine).length) }),
  'all, eachMessage leaves out': (wanted) => ({ eachMessage: ({ message }) => wanted(mine(message) ? 1 : 0) }),
};

async function fill(broker) {
  const producer = new Producer({ broker, logger: silent, queue_buffering_max_ms: 5 });
  const value = 'x'.repeat(100);
  for (let i = 0; i < MESSAGES; ) {
    const messages = Array.from({ length: Math.min(1000, MESSAGES - i) }, (_, k) => {
      const node = `node-${(i + k) % NODES}`;
      return { key: node, value, headers: { to: node, from: 'node-7' } };
    });
    let { send_queue_length, errors } = producer.send(topic, (i / 1000) % 4, messages);
    if (errors) throw new Error(`the topic cannot be filled: ${errors[0].message}`);
    i += messages.length;
    while (send_queue_length > 100_000) {
      await sleep(1);
      ({ send_queue_length } = producer.send(topic, 0, []));
    }
  }
  await producer.stop({ timeout: 60_000 });
}

/** Per message, in ns: the time, the CPU of all threads and that of JavaScript's; from the first batch to the end of the topic. */
async function measure(broker, way) {
  const consumer = new Kafka({ brokers: broker.split(','), logger: silent }).consumer({ groupId: null });
  await consumer.connect();
  await consumer.assign([{ topic, offset: 'beginning' }]);
  let begun;
  let count = 0;
  const options = way((more) => {
    begun ??= { time: now(), cpu: process.cpuUsage(), thread: threadCpu() };
    count += more;
  });
  await consumer.run({ ...options, until: 'end' });
  const { user, system } = process.cpuUsage(begun.cpu);
  const [time, thread] = [now() - begun.time, (threadCpu() ?? NaN) - (begun.thread ?? NaN)];
  await consumer.disconnect();
  if (count !== MESSAGES / NODES) throw new Error(`${count} messages were wanted, not ${MESSAGES / NODES}`);
  return { time: (time * 1e9) / MESSAGES, cpu: ((user + system) * 1000) / MESSAGES, thread: (thread * 1e9) / MESSAGES };
}

/** In a process of its own: about a message a millisecond. */
function trickle(broker, to) {
  const producer = new Producer({ broker, logger: silent, queue_buffering_max_ms: 0 });
  let i = 0;
  setInterval(() => producer.send(to, 0, [{ value: 'x'.repeat(100), headers: { to: `node-${i++ % NODES}`, from: 'node-7' } }]), 1);
}

/** CPU of all threads and of JavaScript's, in microseconds a message that comes alone. */
async function measureTrickle(broker, way) {
  const consumer = new Kafka({ brokers: broker.split(','), logger: silent }).consumer({ groupId: null });
  await consumer.connect();
  await consumer.assign([{ topic: `${topic}-trickle`, offset: 'end' }]);
  await consumer.run(way(() => {}));
  const high = async () => Number((await ends(broker))[0].high);
  await sleep(500);
  const begun = { cpu: process.cpuUsage(), thread: threadCpu() ?? NaN, high: await high() };
  await sleep(TRICKLE * 1000);
  const { user, system } = process.cpuUsage(begun.cpu);
  const thread = (threadCpu() ?? NaN) - begun.thread;
  const messages = (await high()) - begun.high;
  await consumer.disconnect();
  return { cpu: (user + system) / messages, thread: (thread * 1e6) / messages, messages };
}

async function ends(broker) {
  const admin = new Kafka({ brokers: broker.split(','), logger: silent }).admin();
  await admin.connect();
  try {
    return await admin.fetchTopicOffsets(`${topic}-trickle`);
  } finally {
    await admin.disconnect();
  }
}

async function main() {
  const kafka = process.env.KAFKA_BROKER ? undefined : await KafkaCluster.start({ heap: 'bench' });
  const broker = kafka?.brokers ?? String(process.env.KAFKA_BROKER);
  const admin = new Admin({ broker });
  try {
    await admin.createTopic(topic, { partitions: 4, replication: 1 });
    await fill(broker);
    /** @type {Record<string, Awaited<ReturnType<typeof measure>>[]>} */
    const measured = Object.fromEntries(Object.keys(ways).map((name) => [name, []]));
    for (let round = 0; round <= ROUNDS; round++) {
      for (const [name, way] of Object.entries(ways)) {
        const result = await measure(broker, way);
        if (round > 0) measured[name].push(result); // the first is for compilers and caches
      }
    }
    const median = (name, of) => measured[name].map((each) => each[of]).sort((a, b) => a - b)[ROUNDS >> 1];
    const base = 'a rule, eachBatch';
    console.log(
      `Node ${process.version}, ${os.cpus().length} x ${os.cpus()[0]?.model}, the broker beside; ${MESSAGES} messages of 100 bytes with key and two headers, one of ${NODES} wanted; median of ${ROUNDS} rounds`,
    );
    for (const name of Object.keys(ways)) {
      const [time, cpu, thread] = ['time', 'cpu', 'thread'].map((of) => median(name, of));
      const times = (of) => (median(name, of) / median(base, of)).toFixed(1);
      console.log(
        `${name}: ${(1e6 / time).toFixed(0)} K/s; ns of CPU a message ${cpu.toFixed(0)}, of it JavaScript's thread ${thread.toFixed(0)}; ` +
          `${times('time')} times the time, ${times('cpu')} times the CPU`,
      );
    }
    await admin.createTopic(`${topic}-trickle`, { partitions: 1, replication: 1 });
    const trickling = fork(__filename, [broker, `${topic}-trickle`]);
    for (const name of ['a rule, eachMessage', 'all, eachMessage leaves out']) {
      const { cpu, thread, messages } = await measureTrickle(broker, ways[name]);
      console.log(
        `${name}, ${Math.round(messages / TRICKLE)} messages a second, each alone: ${cpu.toFixed(0)} µs of CPU a message, of it JavaScript's thread ${thread.toFixed(0)}`,
      );
    }
    trickling.kill();
    await once(trickling, 'exit');
  } finally {
    await admin.deleteTopic(`${topic}-trickle`).catch(() => {});
    await admin.deleteTopic(topic).catch(() => {});
    admin.close();
    await kafka?.stop({ wipe: true });
  }
}

const [, , broker, to] = process.argv;
if (broker && to) trickle(broker, to);
else main();
