'use strict';
// Makes clients and forgets them, without stopping them.
//
// { broker, topic, groupId, directory, what }; the topic has one partition with one message

const fs = require('node:fs');
const path = require('node:path');
const { Admin, Consumer, Kafka, Producer } = require('kafka-native');
const { options, say } = require('../support/child.js');
const { Inbox, PATIENCE, silent } = require('../support/flow.js');
const { Got } = require('../support/groups.js');
const { eventually } = require('../support/watch.js');

const { broker, topic, groupId, directory, what } = options();
const AT_ONCE = 5;
/** Milliseconds. */
const LINGER = 2000;
const kafka = () => new Kafka({ brokers: broker.split(','), logger: silent });
const classic = { broker, logger: silent };
const list = (folder) => fs.readdirSync(`/proc/self/${folder}`).length;
const left = () => ({ threads: list('task'), files: list('fd') });

let made = 0;
const offsets = () => path.join(directory, String(++made));

/** Each uses a client and forgets it. */
const IDLE = {
  producer() {
    new Producer(classic);
  },
  async 'producer that has sent'() {
    const producer = new Producer({ ...classic, queue_buffering_max_ms: 1 });
    producer.send(topic, 0, ['one']);
    await producer.partition_count(topic);
  },
  consumer() {
    new Consumer({ ...classic, topic, offset_directory: offsets(), receive_callback() {} });
  },
  async 'consumer that could not start'() {
    const consumer = new Consumer({ ...classic, topic, num_workers: 2, worker_slot: 1, offset_directory: offsets(), receive_callback() {} });
    await consumer.start().then(() => { throw new Error('started'); }, () => {});
  },
  async admin() {
    await new Admin(classic).deleteRecords(topic, 0, 0);
  },
  async 'Kafka producer'() {
    const producer = kafka().producer();
    await producer.connect();
    await producer.send({ topic, messages: [{ value: 'one' }] });
    await producer.send({ topic, acks: 1, messages: [{ value: 'two' }] });
  },
  async 'Kafka consumer'() {
    await kafka().consumer({ groupId }).connect();
  },
  async 'Kafka consumer that has stopped'() {
    const consumer = kafka().consumer({ groupId: `${groupId}-${++made}` });
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    const got = new Got();
    await consumer.run({ eachMessage: got.each });
    await got.until(1);
    await consumer.stop();
  },
  async 'Kafka admin'() {
    const admin = kafka().admin();
    await admin.connect();
    await admin.fetchTopicMetadata({ topics: [topic] });
  },
};

/** Resolves when garbage is collected and there is no more than that. */
async function collected(before, what) {
  await eventually(PATIENCE, `${what}: ${JSON.stringify(before)}`, () => {
    global.gc();
    const now = left();
    if (now.threads <= before.threads && now.files <= before.files) return true;
    throw new Error(JSON.stringify(now));
  });
}

/** Resolves when that is so, through many collections. */
async function through(done, what) {
  await eventually(PATIENCE, what, () => (global.gc(), done()));
}

async function idle() {
  for (const use of Object.values(IDLE)) await use(); // what a process makes once is there before anything is counted
  const before = await settled();
  for (const [name, use] of Object.entries(IDLE)) {
    await Promise.all(Array.from({ length: AT_ONCE }, use));
    await collected(before, name);
  }
}

/** Threads and files, when none go any more. */
async function settled() {
  let found = left();
  for (let same = 0; same < 100; ) {
    global.gc();
    await new Promise((resolve) => setTimeout(resolve, 10));
    const now = left();
    same = now.threads === found.threads && now.files === found.files ? same + 1 : 0;
    found = now;
  }
  return found;
}

function sendClassic() {
  const producer = new Producer({ ...classic, queue_buffering_max_ms: LINGER });
  producer.send(topic, 0, ['classic']);
}

async function send() {
  const producer = kafka().producer({ linger: LINGER });
  await producer.connect();
  void producer.send({ topic, messages: [{ value: 'Kafka' }] });
}

/** Reads the topic, and stops what it made. */
async function read(done) {
  const inbox = new Inbox();
  const consumer = new Consumer({ ...classic, topic, offset_directory: offsets(), receive_callback: inbox.receive });
  await consumer.start();
  await through(() => done(inbox.messages.map(({ payload }) => payload)), 'what was sent comes');
  await consumer.stop();
}

async function sending() {
  await read(() => true);
  const before = await settled();
  for (let i = 0; i < AT_ONCE; i++) sendClassic();
  await Promise.all(Array.from({ length: AT_ONCE }, send));
  await read((payloads) => ['classic', 'Kafka'].every((text) => payloads.filter((payload) => payload === text).length === AT_ONCE));
  await collected(before, 'producers whose messages are delivered');
}

async function consuming() {
  const [inbox, got] = [new Inbox(), new Got()];
  await startClassic(inbox);
  await start(got);
  await Promise.all([inbox.until(1), got.until(1)]);
  const before = await settled();
  const producer = new Producer({ ...classic, queue_buffering_max_ms: 1 });
  producer.send(topic, 0, ['second']);
  await Promise.all([inbox.until(2), got.until(2)]);
  await producer.stop();
  await collected(before, 'the producer');
}

async function startClassic(inbox) {
  await new Consumer({ ...classic, topic, offset_directory: offsets(), receive_callback: inbox.receive }).start();
}

async function start(got) {
  const consumer = kafka().consumer({ groupId });
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({ eachMessage: got.each });
}

async function listening() {
  const heard = { producer: 0, consumer: 0, kafka: 0 };
  const statistics = (name) => ({ statistics_interval_ms: 50, stats_callback: () => heard[name]++ });
  (() => {
    new Producer({ ...classic, ...statistics('producer') });
    new Consumer({ ...classic, ...statistics('consumer'), topic, offset_directory: offsets(), receive_callback() {} });
  })();
  await (async () => {
    const kafka = new Kafka({ brokers: broker.split(','), logger: silent, statisticsInterval: 50, onStatistics: () => heard.kafka++ });
    await kafka.producer().connect();
  })();
  await settled();
  for (const name in heard) heard[name] = 0;
  await through(() => Object.values(heard).every((count) => count > 2), 'statistics come of each');
}

({ idle, sending, consuming, listening })[what]().then(() => {
  say('done');
  process.disconnect();
  if (what === 'consuming' || what === 'listening') process.exit();
}, (error) => {
  console.error(error);
  process.exit(2);
});
