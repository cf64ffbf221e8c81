'use strict';
// Workers that end at any moment, in any way, in the middle of traffic: nothing crashes, and of their threads and files nothing
// is left. See rounds.js for how it is repeated.

const fs = require('node:fs');
const path = require('node:path');
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');
const { Admin, Consumer, Kafka, MockCluster, Producer, logLevel } = require('kafka-native');
const { folder, silent, within } = require('../support/flow.js');

const ENDS = ['terminate', 'exit', 'throw', 'reject', 'dry'];
/** Consumers keep a worker alive, and so does a transaction that is open. */
const RUN_DRY = ['classic producer', 'producer', 'admin', 'small admin'];
const CLIENTS = ['classic producer', 'classic consumer', 'producer', 'transactions', 'group', 'assigned', 'admin', 'small admin'];

if (isMainThread) parent();
else traffic(workerData);

/** In the worker: clients of some kinds, which never rest. */
async function traffic({ options, topic, kinds, end, after, directory }) {
  const { broker, driver_options } = options;
  const kafka = new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING, requestTimeout: 2000, retry: { retries: 1 } });
  const given = { broker, driver_options, logger: silent };
  let resting = false;
  const forever = (work) => void (resting || work().then(() => setImmediate(forever, work), () => setTimeout(forever, 10, work)));
  const payloads = Array.from({ length: 20 }, (_, n) => ({ value: `message ${n}`, headers: { h: 'x'.repeat(100) } }));
  const start = {
    'classic producer'() {
      const producer = new Producer({ ...given, queue_buffering_max_ms: 1 });
      forever(async () => producer.send(topic, -1, payloads));
    },
    async 'classic consumer'() {
      const consumer = new Consumer({ ...given, topic, offset_directory: directory, receive_callback: async () => {} });
      await consumer.start();
    },
    async producer() {
      const producer = kafka.producer();
      await producer.connect();
      forever(() => producer.send({ topic, messages: payloads }));
    },
    async transactions() {
      const producer = kafka.producer({ transactionalId: topic, transactionTimeout: 2000 });
      await producer.connect();
      forever(async () => {
        const transaction = await producer.transaction();
        await transaction.send({ topic, messages: payloads });
        await transaction.commit();
      });
    },
    async group() {
      const consumer = kafka.consumer({ groupId: topic, sessionTimeout: 6000 });
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({ eachMessage: async () => {}, autoCommitThreshold: 5 });
    },
    async assigned() {
      const consumer = kafka.consumer({ groupId: null });
      await consumer.connect();
      await consumer.assign([{ topic, partition: 0, offset: '-2' }]);
      await consumer.run({ eachBatch: async () => {} });
    },
    async admin() {
      const admin = kafka.admin();
      await admin.connect();
      forever(() => admin.fetchTopicOffsets(topic, { timeout: 500 }));
    },
    'small admin'() {
      const admin = new Admin(given);
      forever(() => admin.watermarks(topic, 0, { timeout: 500 }));
    },
  };
  const failed = (error) => parentPort.postMessage(String(error?.stack ?? error));
  for (const kind of kinds) Promise.resolve(start[kind]()).catch(failed);
  setTimeout(() => {
    if (end === 'exit') process.exit(0);
    if (end === 'throw') throw new Error('on purpose');
    if (end === 'reject') void Promise.reject(new Error('on purpose'));
    resting = true; // which ends it where nothing else is under way
  }, after);
}

function parent() {
  const { main } = require('./rounds.js');
  let cluster;
  let topics = 0;
  let rest;

  const threads = () => fs.readdirSync('/proc/self/task').map((id) => { try { return fs.readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim(); } catch { return ''; } });
  const files = () => fs.readdirSync('/proc/self/fd').length;

  async function round({ chance, found }) {
    const one = (list) => list[Math.floor(chance() * list.length)];
    const topic = `workers-${++topics}`;
    cluster.createTopic(topic, { partitions: 2 });
    const workers = Array.from({ length: 1 + Math.floor(chance() * 3) }, async (_, n) => {
      const end = one(ENDS);
      const after = Math.floor(chance() ** 2 * 1500);
      const kinds = (end === 'dry' ? RUN_DRY : CLIENTS).filter(() => chance() < 0.35);
      const where = `a worker with ${kinds.join(', ') || 'nothing'} that ends by ${end} after ${after} ms`;
      const directory = path.join(folder(), `${n}`);
      const worker = new Worker(__filename, { workerData: { options: cluster.options, topic, kinds, end, after, directory }, stdout: true, stderr: true });
      worker.on('message', (text) => /destroyed|stopped|disconnect/i.test(text) || found(`${where}: ${text}`));
      worker.on('error', (error) => error?.message === 'on purpose' || found(`${where}: ${error?.stack ?? error}`));
      const ended = new Promise((resolve) => worker.once('exit', resolve));
      if (end === 'terminate') setTimeout(() => void worker.terminate(), after);
      await within(30_000, `${where} does not end`, () => ended);
    });
    await Promise.all(workers);
    if (process.platform === 'linux') await settled(found);
  }

  /** Threads that are left end within a moment, or never. */
  async function settled(found) {
    const most = rest ?? { threads: Infinity, files: Infinity };
    const until = Date.now() + 20_000;
    let now;
    do {
      globalThis.gc?.();
      await new Promise((resolve) => setTimeout(resolve, 50));
      now = { threads: threads().length, files: files() };
    } while ((now.threads > most.threads || now.files > most.files) && Date.now() < until);
    if (now.threads > most.threads || now.files > most.files) found(`left behind: ${now.threads} threads (${most.threads} before), ${now.files} files (${most.files}): ${threads().join(' ')}`);
  }

  main(__filename, round, {
    async begin() {
      cluster = new MockCluster({ brokers: 1 });
      // Threads and files that are there once a process, such as libuv's. Members would leave theirs, if they did.
      topics++;
      cluster.createTopic('workers-warm', { partitions: 2 });
      const worker = new Worker(__filename, { workerData: { options: cluster.options, topic: 'workers-warm', kinds: RUN_DRY, end: 'exit', after: 1000, directory: folder() }, stdout: true, stderr: true });
      await new Promise((resolve) => worker.once('exit', resolve));
      await new Promise((resolve) => setTimeout(resolve, 2000));
      rest = { threads: threads().length + 2, files: files() + 4 };
    },
    end: async () => cluster.close(),
  });
}
