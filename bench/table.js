'use strict';
// The costs of a table: `node bench/table.js`. A million entries of 100 bytes, key and value together, are loaded, which is also what a restart
// takes to be current, beside plain consuming of the same topic by eachBatch; and how many bytes of memory an entry takes.

const { execFileSync } = require('node:child_process');
const { KafkaCluster } = require('@kafka-native/kafka-for-tests');
const { Kafka } = require('kafka-native');

const ENTRIES = Number(process.env.ENTRIES ?? 1_000_000);
const PARTITIONS = 4;
const ROUNDS = Number(process.env.ROUNDS ?? 5);

const client = (broker) => new Kafka({ brokers: broker.split(','), logLevel: 1 });

/** Key and value have 100 bytes together. */
function entry(i) {
  const key = `user-${i}`;
  const value = `{"id":${i},"name":"somebody ${i}","price":${i % 1000}.5,"note":""}`;
  return { key, value: value.replace('""', `"${'x'.repeat(100 - key.length - value.length)}"`) };
}

async function fill(broker, topic) {
  const producer = client(broker).producer({ linger: 5, idempotent: true });
  await producer.connect();
  for (let i = 0; i < ENTRIES; ) {
    const sends = [];
    for (let end = Math.min(i + 50_000, ENTRIES); i < end; ) {
      const messages = [];
      for (const last = Math.min(i + 1000, end); i < last; i++) messages.push(entry(i));
      sends.push(producer.send({ topic, messages }));
    }
    await Promise.all(sends);
  }
  await producer.disconnect();
}

const reader = async (broker, topic, eachMessage) => {
  const consumer = client(broker).consumer({ groupId: null });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], from: 'beginning' });
  let count = 0;
  await consumer.run({
    until: 'end',
    eachBatch: ({ batch }) => {
      for (const message of batch.messages) eachMessage(message);
      count += batch.messages.length;
    },
  });
  if (count !== ENTRIES) throw new Error(`${count} messages`);
  return () => consumer.disconnect();
};

const table = async (broker, topic, options) => {
  const made = await client(broker).table({ topic, ...options });
  if (made.size !== ENTRIES || !made.has(`user-${ENTRIES - 1}`)) throw new Error(`${made.size} entries`);
  return () => made.close();
};

/** Each is done in a process of its own, from connecting to the last message. */
const ways = {
  /** Keys and values are looked at, as the shape `consume` of `npm run bench` does. */
  consume: (broker, topic) => {
    let bytes = 0;
    return reader(broker, topic, ({ key, value }) => (bytes += key.length + value.length));
  },
  /** The least that a program without a table does: the key as text, the value from JSON; nothing is kept. */
  'consume and parse': (broker, topic) => {
    let fields = 0;
    return reader(broker, topic, ({ key, value }) => (fields += key.toString().length + JSON.parse(value.toString()).id));
  },
  'table of JSON': (broker, topic) => table(broker, topic, {}),
  'table of text': (broker, topic) => table(broker, topic, { value: (bytes) => bytes.toString() }),
};

async function measure(way, broker, topic) {
  global.gc?.();
  const before = process.memoryUsage();
  const begun = performance.now();
  const { user, system } = process.cpuUsage();
  const end = await ways[way](broker, topic);
  const seconds = (performance.now() - begun) / 1000;
  const used = process.cpuUsage();
  await new Promise((resolve) => setTimeout(resolve, 100)); // what the engine holds is given back
  global.gc?.();
  const after = process.memoryUsage();
  await end();
  const bytes = after.heapUsed + after.external - before.heapUsed - before.external;
  return { seconds, cpu: (used.user - user + used.system - system) / 1e6, bytes: bytes / ENTRIES };
}

async function main() {
  const [way, broker, topic] = process.argv.slice(2);
  if (way) {
    console.log(JSON.stringify(await measure(way, broker, topic)));
    return;
  }
  const cluster = await KafkaCluster.start({ heap: 'bench' });
  try {
    const admin = client(cluster.brokers).admin();
    await admin.createTopics({ topics: [{ topic: 'table', numPartitions: PARTITIONS, configEntries: [{ name: 'cleanup.policy', value: 'compact' }] }] });
    await admin.disconnect();
    await fill(cluster.brokers, 'table');
    /** @type {Record<string, any[]>} */
    const measured = Object.fromEntries(Object.keys(ways).map((name) => [name, []]));
    for (let round = 0; round < ROUNDS; round++) {
      for (const [name, all] of Object.entries(measured)) {
        const args = ['--expose-gc', __filename, name, cluster.brokers, 'table'];
        all.push(JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8', timeout: 120_000 })));
      }
    }
    const median = (name, field) => measured[name].map((each) => each[field]).sort((a, b) => a - b)[ROUNDS >> 1];
    console.log(`Node ${process.version}, ${ENTRIES} entries of 100 bytes in ${PARTITIONS} partitions, from connecting to current; median of ${ROUNDS} rounds`);
    for (const name of Object.keys(ways)) {
      const seconds = median(name, 'seconds');
      const ratio = (other) => (median(other, 'seconds') / seconds).toFixed(2);
      const memory = name.startsWith('table') ? `, ${Math.round(median(name, 'bytes'))} bytes an entry` : '';
      console.log(
        `${name}: ${seconds.toFixed(2)} s, ${Math.round(ENTRIES / seconds / 1000)} K a second, ${median(name, 'cpu').toFixed(2)} s of CPU; ` +
          `${ratio('consume')} times the rate of consuming, ${ratio('consume and parse')} of consuming and parsing${memory}`,
      );
    }
  } finally {
    await cluster.stop();
  }
}

main();
