'use strict';
// A client of protocol 2 without any help: frames as they are.

const { decode, encode } = require('@msgpack/msgpack');
const WebSocket = require('ws');
const { Calls, eventually } = require('./watch.js');
const { PATIENCE, within } = require('./flow.js');

const CODECS = {
  json: { encode: JSON.stringify, decode: (data) => JSON.parse(String(data)), binary: false },
  msgpack: { encode, decode, binary: true },
};

class Peer extends Calls {
  /** @type {typeof CODECS[keyof typeof CODECS]} */ codec = CODECS.json;
  /** @type {WebSocket} */ ws;
  /** Hears everything first. @type {((message: any) => void) | undefined} */ onMessage;
  /** Resolves with what it was closed with. @type {Promise<{ code: number, reason: string }>} */ closed;
  /** Messages of `batch` frames, by subscription: { topic, partition, offset, timestamp, key, value, headers, snapshot? }. */
  records = new Map();

  /** @param {string} url @param {{ codec?: 'json' | 'msgpack', headers?: Record<string, string>, onMessage?: (message: any) => void }} [options] */
  static async open(url, options) {
    const peer = new Peer(url, options);
    await new Promise((resolve, reject) => peer.ws.once('open', () => resolve(undefined)).once('error', reject));
    peer.ws.on('error', () => {});
    return peer;
  }

  /** @param {string} url @param {Parameters<typeof Peer.open>[1]} [options] */
  constructor(url, { codec = 'json', headers, onMessage } = {}) {
    super();
    this.codec = CODECS[codec];
    this.ws = new WebSocket(url, [`kafka.v2.${codec}`], { headers });
    this.onMessage = onMessage;
    this.closed = new Promise((resolve) => this.ws.on('close', (code, reason) => resolve({ code, reason: String(reason) })));
    this.ws.on('message', (data, binary) => this.#got(/** @type {Buffer} */ (data), binary));
  }

  #got(data, binary) {
    if (binary !== this.codec.binary) throw new Error(`a ${binary ? 'binary' : 'text'} frame`);
    const message = this.codec.decode(data);
    if (message.type === 'batch') {
      const { id, topic, partition, records, snapshot } = message;
      if (!this.records.has(id)) this.records.set(id, []);
      for (const record of records) this.records.get(id).push({ topic, partition, ...record, ...(snapshot && { snapshot }) });
    }
    this.onMessage?.(message);
    this.take(message);
  }

  say(message) {
    this.ws.send(this.codec.encode(message));
    return this;
  }

  /** The first message of this type that fits, past or to come. */
  told(type, fits = {}) {
    const entries = Object.entries(fits);
    const what = (message) => message.type === type && entries.every(([name, value]) => JSON.stringify(message[name]) === JSON.stringify(value));
    return this.until(what, PATIENCE, `${type} ${JSON.stringify(fits)}`);
  }

  /** Asks, and waits for the answer to what has this id. */
  async ask(message, answer) {
    const before = this.all.length;
    this.say(message);
    return this.until(
      (each) => this.all.indexOf(each, before) >= before && each.id === message.id && (each.type === answer || each.type === 'error'),
      90_000,
      `the answer to ${JSON.stringify(message).slice(0, 200)}`,
    );
  }

  /** So many records of the subscription have come. */
  async got(id, count, ms = PATIENCE) {
    const have = () => this.records.get(id)?.length ?? 0;
    await within(
      ms,
      () => `${have()} of ${count} records of ${id} came`,
      async () => {
        while (have() < count) await new Promise((resolve) => this.once('call', resolve));
      },
    );
    return this.records.get(id);
  }

  async close() {
    this.ws.close();
    return this.closed;
  }
}

/** Waits until something accepts connections there. */
function accepts(port) {
  return eventually(
    90_000,
    `a listener at port ${port}`,
    () =>
      new Promise((resolve, reject) => {
        const socket = require('node:net').connect(port, '127.0.0.1', () => resolve(socket.destroy()));
        socket.on('error', reject);
      }),
  );
}

module.exports = { Peer, accepts };
