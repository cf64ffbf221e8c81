'use strict';
// The groups of a proxy without its sockets: subscriptions whose client is an object here.

const { Kafka } = require('kafka-native');
const { ANYBODY } = require('../../js/kafka-proxy/dist/doors/identity.js');
const { Ending } = require('../../js/kafka-proxy/dist/ending.js');
const { Flow } = require('../../js/kafka-proxy/dist/flow.js');
const { jsonFormat } = require('../../js/kafka-proxy/dist/frames.js');
const { Groups } = require('../../js/kafka-proxy/dist/group/groups.js');
const { SlowSockets } = require('../../js/kafka-proxy/dist/slow.js');
const { silent } = require('./flow.js');
const { Calls } = require('./watch.js');

let clients = 0;

/** Parts of a proxy that `Groups` needs; `close` ends them in order. */
function stage(/** @type {string} */ brokers, log = silent, { slow = 600_000 } = {}) {
  const kafka = new Kafka({
    brokers: brokers.split(','),
    logger: process.env.LOUD
      ? { error: (m) => console.log('ERROR', m), warn: (m) => console.log('WARN', String(m).slice(0, 200)), info() {}, debug() {} }
      : silent,
  });
  const admin = kafka.admin();
  let connected;
  const context = { kafka, log, limits: { readers: 200 }, slow: new SlowSockets(slow), admin: () => (connected ??= admin.connect().then(() => admin)) };
  const groups = new Groups(/** @type {any} */ (context));
  return {
    kafka,
    groups,
    admin: context.admin,
    async close() {
      await groups.close();
      await connected?.catch(() => {});
      await admin.disconnect();
    },
  };
}

/** One client's end of a subscription: everything that it is told is a call { type, ... } with `at`, the number of the event in this process. */
class Client extends Calls {
  static events = 0;
  name = `client ${++clients}`;
  /** { topic/partition: next offset that was assigned or got } */
  positions = new Map();
  /** Messages of all batches. @type {{ topic: string, partition: number, offset: number, value: string | null }[]} */
  records = [];
  #ended = new Ending();
  buffered = 0;
  /** The code with which the proxy closed its socket. @type {number | undefined} */
  closedWith;

  /** @param {any} groups @param {object} wish @param {{ credit?: object, on?: (call: any, client: Client) => void, only?: any, model?: any }} [options] `on` hears everything first, some of it before this returns */
  constructor(groups, wish, { credit, on = () => {}, only, model } = {}) {
    super();
    this.on_ = on;
    this.model = model;
    const client = this;
    const socket = {
      id: this.name,
      identity: ANYBODY,
      open: true,
      get buffered() {
        return client.buffered;
      },
      taken: 0,
      close: (code) => {
        client.closedWith = code;
        client.die();
      },
      /** Nothing is written but by setting `buffered`. */
      drained: () => new Promise((resolve) => this.#ended.hear(() => resolve(undefined))),
      closed: this.#ended,
    };
    this.flow = new Flow(/** @type {any} */ (socket));
    if (credit) this.flow.give(credit);
    const outlet = {
      flow: this.flow,
      format: jsonFormat({ id: this.name, only }),
      batch: (topic, partition, frame, next) => {
        this.flow.took(frame.count, frame.bytes.length);
        const { records } = JSON.parse(frame.bytes.toString());
        for (const record of records) this.records.push({ topic, partition, ...record });
        this.#told({ type: 'batch', topic, partition, records, next });
      },
      notice: (notice) => this.#told(structuredClone(notice)),
      warn: (error, where) => this.#told({ type: 'warn', error, ...where }),
      fail: (error) => this.#told({ type: 'fail', error }),
    };
    this.opening = groups.subscribe(wish, outlet).then((subscription) => (this.subscription = subscription));
  }

  #told(call) {
    if (this.silent) throw new Error(`${this.name} was told ${JSON.stringify(call).slice(0, 200)} after its end`);
    call.at = ++Client.events;
    this.on_(call, this);
    this.take(call);
  }

  /** Subscribed. */
  static async open(...args) {
    const client = new Client(.../** @type {[any, any, any]} */ (args));
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
    await this.until(() => this.records.length >= count, 90_000, `${this.name}: ${count} messages`);
    return this.records;
  }

  /** Partitions that it has, by the messages that it got. */
  get has() {
    const has = new Set();
    for (const { type, partitions } of this.all) {
      if (type === 'assigned') for (const { topic, partition } of partitions) has.add(`${topic}/${partition}`);
      if (type === 'revoked') for (const { topic, partition } of partitions) has.delete(`${topic}/${partition}`);
    }
    return has;
  }

  ack(record) {
    this.subscription.ack(record, record.offset);
  }

  /** Unsubscribes. */
  async close() {
    await this.subscription.close();
    this.silent = true;
  }

  /** The socket breaks. */
  die() {
    this.#ended.come();
    this.silent = true;
  }
}

module.exports = { Client, stage };
