'use strict';
// The main job, to look at: messages go through Kafka, two cluster workers receive them, and their offsets are recorded.
//
//   npm start                                       on the embedded cluster
//   KAFKA_BROKER=host:port npm start                on yours: in a topic that is deleted afterwards
//   npm start -- --messages 2000000 --offsets DIR

const cluster = require('node:cluster');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { EventEmitter, once } = require('node:events');
const { setImmediate: nextTurn } = require('node:timers/promises');
const { parseArgs } = require('node:util');
const { Admin, MockCluster, Producer } = require('kafka-native');
const { number, progress, table } = require('./screen.js');

const PARTITIONS = 4;
const WORKERS = 2;
const BYTES = 100;
/** Sent and not yet received, at most: the embedded cluster keeps 5 MiB a partition and drops what is older. */
const WINDOW = 40_000;
const PATIENCE_MS = 30_000;

async function main() {
  const { values } = parseArgs({ options: { messages: { type: 'string', default: '600000' }, offsets: { type: 'string' } } });
  const perPartition = Math.floor(Number(values.messages) / PARTITIONS);
  if (!(perPartition > 0)) throw new Error(`--messages must be a number from ${PARTITIONS}, not '${values.messages}'`);
  const directory = values.offsets ?? fs.mkdtempSync(path.join(os.tmpdir(), 'kafka-native-'));

  const kafka = process.env.KAFKA_BROKER ? await yours(process.env.KAFKA_BROKER) : embedded();
  console.log(
    `${kafka.name}\nTopic ${kafka.topic}: ${PARTITIONS} partitions, ${number(perPartition * PARTITIONS)} messages of ${BYTES} bytes, ${WORKERS} workers\n`,
  );
  const job = new Job(kafka, directory, perPartition);
  try {
    await job.run();
  } finally {
    job.end();
    await kafka.end();
  }
  job.report();
  process.exitCode = job.verify() ? 0 : 1;
}

function embedded() {
  const mock = new MockCluster({ brokers: 1 });
  const topic = 'demo';
  mock.createTopic(topic, { partitions: PARTITIONS });
  return {
    name: `An embedded cluster: a Kafka in this process, at ${mock.options.broker}\n(KAFKA_BROKER=host:port npm start does the same on yours)`,
    topic,
    client: mock.options,
    end: async () => mock.close(),
  };
}

/** @param {string} broker */
async function yours(broker) {
  const admin = new Admin({ broker, logger: { error() {}, warn() {} } });
  const topic = `kafka-native-demo-${Date.now().toString(36)}`;
  await admin.createTopic(topic, { partitions: PARTITIONS, timeout: 10_000 }).catch((error) => {
    admin.close();
    throw new Error(`cannot create a topic on the Kafka at ${broker} (KAFKA_BROKER): ${error.code}: ${error.cause?.message ?? error.message}`);
  });
  return {
    name: `Your Kafka at ${broker}`,
    topic,
    client: { broker },
    end: async () => {
      await admin.deleteTopic(topic).catch((error) => console.error(`The topic ${topic} is left over: ${error.message}`));
      admin.close();
    },
  };
}

class Job {
  sent = 0;
  /** The last report of each worker. */
  workers = Array.from({ length: WORKERS }, () => ({ received: 0, lag: 0, partitions: [], places: {}, misplaced: 0 }));
  /** Emits 'progress' and, when the job cannot go on, 'error'. */
  #news = new EventEmitter();
  /** @type {Promise<{ code: number | null, signal: string | null }>[]} */
  #exits = [];
  #began = 0;
  #ended = 0;
  #highestLag = 0;
  /** @type {Error | undefined} */
  error;

  constructor({ topic, client }, directory, perPartition) {
    this.topic = topic;
    this.client = client;
    this.directory = directory;
    this.perPartition = perPartition;
    this.total = perPartition * PARTITIONS;
    this.producer = new Producer({
      ...client,
      queue_buffering_max_ms: 5,
      delivery_report_callback: ({ errors, rdkafka_errinfo: [first] }) => this.#fail(`${errors} messages were not delivered: ${first.errstr}`),
      error_callback: (error) => this.#fail(`the producer cannot go on: ${error.message}`),
    });
    // An error that comes while nobody waits is thrown by the next wait.
    this.#news.on('error', (error) => (this.error ??= error));
  }

  get received() {
    return this.workers.reduce((sum, { received }) => sum + received, 0);
  }

  get lag() {
    return this.workers.reduce((sum, { lag }) => sum + lag, 0);
  }

  async run() {
    await this.#fork();
    this.#began = performance.now();
    const screen = progress(this);
    try {
      await this.#send();
      await this.producer.stop();
      while (this.received < this.total) await this.#progress();
      this.#ended = performance.now();
      // The lag is that of the last statistics; the next will tell that all is done.
      while (this.lag > 0) await this.#progress();
    } finally {
      screen.stop();
    }
    for (const worker of Object.values(cluster.workers ?? {})) worker?.send('stop');
    for (const { code, signal } of await Promise.all(this.#exits)) {
      if (code !== 0) throw new Error(`a worker ended with ${signal ?? `code ${code}`}`);
    }
  }

  /** One worker a slot: partition p is received by worker p % WORKERS. Resolves when all have started. */
  async #fork() {
    cluster.setupPrimary({ exec: path.join(__dirname, 'worker.js') });
    let ready = 0;
    for (let slot = 0; slot < WORKERS; slot++) {
      const { topic, client, directory } = this;
      const worker = cluster.fork({ DEMO_WORKER: JSON.stringify({ topic, client, directory, slot, workers: WORKERS }) });
      this.#exits.push(once(worker, 'exit').then(([code, signal]) => ({ code, signal })));
      worker.on('message', ({ error, started, ...news }) => {
        if (error) return this.#fail(`worker ${slot}: ${error}`);
        if (started) ready++;
        Object.assign(this.workers[slot], news);
        this.#highestLag = Math.max(this.#highestLag, this.lag);
        this.#news.emit('progress');
      });
      worker.on('exit', (code, signal) => this.#ended || this.#fail(`worker ${slot} ended with ${signal ?? `code ${code}`}`));
    }
    while (ready < WORKERS) await this.#progress();
  }

  /** Numbers, counted in each partition, in messages of BYTES bytes. */
  async #send() {
    const chunk = 500;
    for (let first = 0; first < this.perPartition; first += chunk) {
      const count = Math.min(chunk, this.perPartition - first);
      const payloads = Array.from({ length: count }, (_, i) => `${first + i} `.padEnd(BYTES, '.'));
      for (let partition = 0; partition < PARTITIONS; partition++) {
        while (this.sent + count - this.received > WINDOW) await this.#progress();
        const { enqueued, errors } = this.producer.send(this.topic, partition, payloads);
        if (errors) throw new Error(`send refused ${errors.length} messages: ${errors[0].message}`);
        this.sent += enqueued;
      }
      await nextTurn();
      if (this.error) throw this.error;
    }
  }

  /** Resolves with the next news of a worker; rejects when there is none for long, or a bad one. */
  async #progress() {
    if (this.error) throw this.error;
    await once(this.#news, 'progress', { signal: AbortSignal.timeout(PATIENCE_MS) }).catch((error) => {
      if (error.name !== 'AbortError') throw error;
      throw new Error(`nothing happened for ${PATIENCE_MS / 1000} s: ${number(this.received)} of ${number(this.total)} messages came`);
    });
  }

  #fail(message) {
    this.#news.emit('error', new Error(message));
  }

  /** Ends what a failure left behind. */
  end() {
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGKILL');
    this.producer.stop({ timeout: 0 }).catch(() => {});
  }

  report() {
    const seconds = (this.#ended - this.#began) / 1000;
    const rate = number(Math.round(this.total / seconds / 1000) * 1000);
    console.log(
      `\n${number(this.total)} messages in ${seconds.toFixed(1)} s: ${rate} a second, sent and received.\nThe highest lag was ${number(this.#highestLag)} messages.`,
    );
    console.log(`\nOffsets recorded in ${this.directory}:\n`);
    table(
      ['file', 'content', 'worker', 'messages'],
      this.#partitions().map(({ slot, partition, received }) => [this.#file(partition), this.#recorded(partition), slot, number(received)]),
    );
  }

  /** Whether every message was seen exactly once, in order, and is recorded; says so, or what is wrong. */
  verify() {
    const wrong = [];
    for (const { partition, received } of this.#partitions()) {
      if (received !== this.perPartition) wrong.push(`partition ${partition}: ${received} messages came, not ${this.perPartition}`);
      const recorded = this.#recorded(partition);
      if (recorded !== String(this.perPartition - 1)) wrong.push(`partition ${partition}: '${recorded}' is recorded, not ${this.perPartition - 1}`);
    }
    const misplaced = this.workers.reduce((sum, worker) => sum + worker.misplaced, 0);
    if (misplaced > 0) wrong.push(`${misplaced} messages were repeated, missing or out of order`);
    if (wrong.length > 0) console.error(`\nThis is wrong:\n${wrong.map((line) => `  ${line}`).join('\n')}`);
    else
      console.log(
        '\nEvery message was seen exactly once, in order, in each partition.\nEach file holds the offset of the last one: the next start goes on behind it.',
      );
    return wrong.length === 0;
  }

  #partitions() {
    return Array.from({ length: PARTITIONS }, (_, partition) => {
      const slot = partition % WORKERS;
      return { slot, partition, received: this.workers[slot].places[partition] ?? 0 };
    });
  }

  #file(partition) {
    return `${this.topic}-${partition}.offset`;
  }

  #recorded(partition) {
    const file = path.join(this.directory, this.#file(partition));
    return fs.existsSync(file) ? fs.readFileSync(file, 'utf8').trim() : 'none';
  }
}

main().catch((error) => {
  console.error(`\nThe demo failed: ${error.message}`);
  process.exitCode = 1;
});
