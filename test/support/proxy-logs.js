'use strict';
// The logs of a proxy without its sockets: subscriptions whose client is an object here.

const { Kafka } = require('kafka-native');
const { Ending } = require('../../js/kafka-proxy/dist/ending.js');
const { Flow } = require('../../js/kafka-proxy/dist/flow.js');
const { jsonFormat } = require('../../js/kafka-proxy/dist/frames.js');
const { Logs } = require('../../js/kafka-proxy/dist/log/logs.js');
const { SlowSockets } = require('../../js/kafka-proxy/dist/slow.js');
const { cleanup } = require('./cleanup.js');
const { silent } = require('./flow.js');
const { Calls } = require('./watch.js');

const LIMITS = { cache: 64 * 1024 * 1024, past: 8, slow: 5000, topics: 1000 };

/** Clients of Kafka for any cluster. */
function kafkaOf(cluster, more = {}) {
  const { broker, driver_options } = cluster.options();
  return new Kafka({ brokers: broker.split(','), logger: silent, ...(driver_options && { properties: driver_options }), ...more });
}

/** Parts of a proxy that `Logs` needs. `consumers` counts those that it made. */
function stage(t, cluster, { limits = {}, log = silent, ...options } = {}) {
  const kafka = kafkaOf(cluster);
  const admin = kafka.admin();
  let connected;
  const made = {
    consumers: 0,
    kafka: { consumer: (config) => (made.consumers++, kafka.consumer(config)) },
    limits: { ...LIMITS, ...limits },
    slow: new SlowSockets({ ...LIMITS, ...limits }.slow),
    log,
    admin: () => (connected ??= admin.connect().then(() => admin)),
  };
  const logs = new Logs(/** @type {any} */ (made), { refresh: 200, linger: 200, ...options });
  cleanup(t, async () => {
    await logs.close();
    await connected?.catch(() => {});
    await admin.disconnect();
  });
  return Object.assign(made, { logs });
}

/** A socket that takes everything at once, unless it is `held`: then frames wait until `drain`. */
class Socket {
  static ids = 0;
  id = String(++Socket.ids);
  open = true;
  held = false;
  buffered = 0;
  taken = 0;
  /** The most that ever waited, and the largest frame. */
  most = 0;
  largest = 0;
  closedWith;
  closed = new Ending();
  #waiting = [];

  send(frame) {
    this.largest = Math.max(this.largest, frame.length);
    if (this.held) this.buffered += frame.length;
    this.most = Math.max(this.most, this.buffered);
  }

  drained(low = 256 * 1024) {
    if (this.buffered <= low || !this.open) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ low, resolve }));
  }

  drain(bytes = this.buffered) {
    const taken = Math.min(this.buffered, bytes);
    this.buffered -= taken;
    this.taken += taken;
    this.#wake();
  }

  close(code, reason = '') {
    if (!this.open) return;
    this.open = false;
    this.closedWith = { code, reason };
    this.closed.come();
    this.#wake();
  }

  #wake() {
    const ready = this.#waiting.filter(({ low }) => !this.open || this.buffered <= low);
    this.#waiting = this.#waiting.filter((each) => !ready.includes(each));
    for (const { resolve } of ready) resolve();
  }
}

let clients = 0;

/** One client's end of a subscription. Everything that it is told is a call { type, ... }. */
class Client extends Calls {
  name = `client ${++clients}`;
  /** Messages of all batches: { topic, partition, offset, key, value, snapshot? }. @type {any[]} */
  records = [];
  /** The frames themselves. */
  frames = [];
  ended = false;

  /**
   * @param {any} logs
   * @param {object} wish
   * @param {{ socket?: any, credit?: object, format?: object, onBatch?: (frame: any) => void }} [how] with `onBatch` frames are not read
   */
  constructor(logs, wish, { socket = new Socket(), credit, format, onBatch } = {}) {
    super();
    this.socket = socket;
    this.flow = new Flow(/** @type {any} */ (socket));
    if (credit) this.flow.give(credit);
    const outlet = {
      flow: this.flow,
      format: jsonFormat({ id: 1, ...format }),
      batch: (topic, partition, frame, next) => {
        this.#alive('a batch');
        this.flow.took(frame.count, frame.bytes.length);
        socket.send(frame.bytes);
        if (onBatch) return onBatch(frame);
        this.frames.push(frame);
        const { records, snapshot } = JSON.parse(frame.bytes.toString());
        if (records.length !== frame.count) throw new Error(`${frame.count} messages were told, ${records.length} are in the frame`);
        for (const record of records) this.records.push({ topic, partition, ...record, ...(snapshot && { snapshot }) });
        this.take({ type: 'batch', topic, partition, records, next, snapshot });
      },
      notice: (notice) => {
        this.#alive(notice.type);
        this.take({ ...structuredClone(notice), after: this.records.length });
      },
      warn: (error, where) => this.take({ type: 'warn', code: error.code, message: error.message, ...where }),
      fail: (error) => this.take({ type: 'fail', code: error.code, message: error.message, error }),
    };
    this.opening = logs.subscribe({ topics: [], from: 'latest', slow: 'close', ...wish }, outlet).then((subscription) => (this.subscription = subscription));
  }

  #alive(what) {
    if (this.ended) throw new Error(`${this.name} was told ${what} after its end`);
  }

  /** Subscribed. */
  static async open(logs, wish, options) {
    const client = new Client(logs, wish, options);
    await client.opening;
    return client;
  }

  told(type, fits = {}) {
    const entries = Object.entries(fits);
    return this.until(
      (call) => call.type === type && entries.every(([name, value]) => JSON.stringify(call[name]) === JSON.stringify(value)),
      90_000,
      `${this.name}: ${type} ${JSON.stringify(fits)}`,
    );
  }

  /** So many messages have come. */
  async got(count) {
    await this.until(() => this.records.length >= count, 90_000, `${this.name}: ${count} messages, it has ${this.records.length}`);
    return this.records;
  }

  types() {
    return this.all.map(({ type }) => type);
  }

  async close() {
    await this.subscription.close();
    this.ended = true;
  }
}

/** A producer of any cluster, gone with the test. */
async function producerOf(t, cluster, config = {}) {
  const producer = kafkaOf(cluster).producer({ idempotent: true, allowAutoTopicCreation: false, ...config });
  cleanup(t, () => producer.disconnect());
  await producer.connect();
  return producer;
}

module.exports = { Client, Socket, kafkaOf, producerOf, stage };
