'use strict';
// Accepted messages arrive, byte for byte, once and in order: messages made of programs are sent, and changed as soon as the call
// has returned; then the log is read back.

const { once } = require('node:events');
const { Consumer } = require('kafka-native');
const { Inbox, folder, silent, within } = require('../support/flow.js');
const { Planted, wrongWith } = require('./rounds.js');
const values = require('./values.js');

const PARTITIONS = 3;
/** A copy, whatever the bytes say of their length. */
function wire(field) {
  if (field === null || typeof field === 'string') return field === null ? null : Buffer.from(field);
  const copy = Buffer.alloc(field.byteLength);
  copy.set(field);
  return copy;
}
const hex = (field) => (field == null ? null : Buffer.from(field).toString('hex'));

/** As it arrives: headers by name, in their order. */
function expectation({ key, value, headers, timestamp }) {
  const byName = new Map();
  for (const [name, header] of headers) {
    const text = Buffer.from(name).toString();
    byName.set(text, [...(byName.get(text) ?? []), hex(header)]);
  }
  return JSON.stringify([hex(key), hex(value), [...byName].sort(([a], [b]) => (a < b ? -1 : 1)), timestamp]);
}

function arrival({ key, payload, headers = {}, timestamp }, timed) {
  const list = Object.entries(headers).map(([name, header]) => [name, Array.isArray(header) ? header.map(hex) : [hex(header)]]);
  return JSON.stringify([hex(key), hex(payload), list.sort(([a], [b]) => (a < b ? -1 : 1)), timed ? timestamp : 0]);
}

/** One producer's messages to one topic. `send(list)` sends as this API does. */
class Oracle {
  /** By partition: what must be there, in order. */
  expected = Array.from({ length: PARTITIONS }, () => []);
  #calls = [];

  constructor(chance, found, topic, send) {
    Object.assign(this, values(chance), { chance, found, topic, send });
  }

  /** A message that can be sent: what is given, what must arrive, and what changes it afterwards. */
  message(list, depth) {
    const field = () => this.one([() => this.text(), () => this.bytes(), () => null])();
    const [key, value] = [field(), field()];
    const headers = {};
    const flat = [];
    for (let n = this.one([0, 0, 1, 2, 5]); n > 0; n--) {
      const name = this.text();
      const header = this.chance() < 0.3 ? [field(), field()] : field();
      if (Object.hasOwn(headers, name)) continue;
      Object.defineProperty(headers, name, { value: header, enumerable: true, configurable: true, writable: true });
    }
    for (const [name, header] of Object.entries(headers)) for (const part of Array.isArray(header) ? header : [header]) flat.push([name, wire(part)]);
    const timestamp = this.chance() < 0.3 ? 1 + this.below(2 ** 40) : 0;
    const message = { key, value };
    if (flat.length > 0) message.headers = headers;
    if (timestamp > 0) message.timestamp = this.send.kafkajs && this.chance() < 0.5 ? String(timestamp) : timestamp;
    const expected = { key: wire(key), value: wire(value), headers: flat, timestamp };
    const parts = [key, value, ...Object.values(headers).flat()];
    return { given: this.alive(message, list, depth), expected, parts, message };
  }

  /** Perhaps with getters that do things. */
  alive(message, list, depth) {
    if (this.chance() < 0.6) return message;
    const act = () => {
      const chance = this.chance();
      if (chance < 0.2) list.length = 0;
      else if (chance < 0.4) list.push({ value: 'never' });
      else if (chance < 0.5) list.fill({ value: 'never' });
      else if (chance < 0.8 && depth < 2) this.call(depth + 1);
    };
    const name = this.one(Object.keys(message));
    let read = 0;
    const own = message[name];
    if (name === 'timestamp' && this.send.kafkajs && this.chance() < 0.5) {
      message.timestamp = { [Symbol.toPrimitive]: () => (read++ > 0 ? 0 : (act(), own)) };
      return message;
    }
    if (name === 'headers' && this.chance() < 0.7) {
      const [first] = Object.keys(own);
      const header = own[first];
      Object.defineProperty(own, first, { enumerable: true, configurable: true, get: () => (read++ > 0 ? 'read twice' : (act(), header)) });
      return message;
    }
    const get = () => (read++ > 0 ? (name === 'headers' ? { twice: '' } : 'read twice') : (act(), own));
    return this.chance() < 0.5 ? Object.defineProperty(message, name, { enumerable: true, configurable: true, get }) : new Proxy(message, { get: (target, field) => (field === name ? get() : Reflect.get(target, field)) });
  }

  /** Sends some, and spoils what was given. */
  call(depth = 0) {
    const partition = this.below(PARTITIONS);
    const list = [];
    const made = [];
    // The classic producer hands a large call over in parts, between which another can come: here none is large.
    for (let n = this.one([1, 1, 2, 5, 30]), size = 0; n > 0 && (this.send.kafkajs || size < 100_000); n--) {
      made.push(this.message(list, depth));
      size += JSON.stringify(made.at(-1).expected).length;
    }
    for (const { given, message } of made) {
      if (this.send.kafkajs) Object.defineProperty(message, 'partition', { value: partition, enumerable: true, configurable: true, writable: true });
      list.push(given);
    }
    const accepted = made.map(({ expected }) => expectation(expected));
    // One that throws stops its call in the one API, itself in the other.
    if (this.chance() < 0.1) list.splice(this.below(list.length + 1), 0, { get value() { throw new Planted('a value'); } });
    const call = { partition, accepted, planted: list.length > made.length };
    const done = this.send(list, partition);
    this.#calls.push(call);
    call.done = Promise.resolve(done).then((refused = []) => { if (refused.length !== Number(call.planted)) this.found(`${refused.length} messages were refused: ${JSON.stringify(refused)}`); }, (error) => {
      if (call.planted && error instanceof Planted) call.accepted = [];
      else this.found(`a send was rejected: ${error.stack} ${wrongWith(error) ?? ''}`);
    });
    list.length = 0;
    for (const { message, parts } of made) {
      for (const part of parts) if (part instanceof Uint8Array) Uint8Array.prototype.fill.call(part, 0xee);
      try {
        for (const part of parts) if (part instanceof Uint8Array && part.buffer instanceof ArrayBuffer && this.chance() < 0.3) structuredClone(part.buffer, { transfer: [part.buffer] });
      } catch { /* Buffer's pool cannot be transferred */ }
      for (const name of Object.keys(message)) Object.defineProperty(message, name, { value: 'later', configurable: true });
    }
  }

  /** Waits for every answer. */
  async answered() {
    for (let i = 0; i < this.#calls.length; i++) await within(30_000, 'a send has not ended', () => this.#calls[i].done);
    for (const { partition, accepted } of this.#calls) this.expected[partition].push(...accepted);
  }

  /** Reads the log back, behind which there is one last message a partition. */
  async compare(options) {
    const wanted = this.expected.reduce((sum, { length }) => sum + length, 0) + PARTITIONS;
    const inbox = new Inbox();
    const consumer = new Consumer({ ...options, topic: this.topic, offset_directory: folder(), logger: silent, payload_encoding: 'buffer', key_encoding: 'buffer', receive_callback: inbox.receive });
    await consumer.start();
    const last = ({ payload }) => payload?.toString() === 'the end';
    await within(30_000, () => `${inbox.messages.length} of ${wanted} messages came`, async () => {
      while (inbox.messages.filter(last).length < PARTITIONS) await once(inbox, 'batch');
    });
    await consumer.stop();
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const arrived = inbox.messages.filter((message) => message.partition === partition && !last(message));
      const wanted = this.expected[partition];
      const wrong = wanted.findIndex((text, n) => arrived[n] === undefined || arrival(arrived[n], JSON.parse(text)[3] > 0) !== text);
      if (wrong >= 0 || arrived.length !== wanted.length) {
        const got = arrived[wrong] && arrival(arrived[wrong], JSON.parse(wanted[wrong])[3] > 0);
        this.found(`${this.send.name}: partition ${partition} of ${this.topic} has ${arrived.length} messages, of ${wanted.length}; message ${wrong} is ${got?.slice(0, 600)}, it was ${wanted[wrong]?.slice(0, 600)}`);
        return;
      }
    }
  }
}

module.exports = { Oracle, PARTITIONS };
