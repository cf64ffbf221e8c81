'use strict';
// A proxy's HTTP, as clients ask for it: answers as JSON, and server-sent events, counted one by one.

const { EventEmitter, once } = require('node:events');
const { Kafka } = require('kafka-native');
const { cleanup } = require('./cleanup.js');
const { PATIENCE, silent, within } = require('./flow.js');
const { listening, reach: reached } = require('./proxy.js');

/** @returns {any} */
const reach = (cluster) => reached(cluster);

/**
 * A proxy over this cluster, and who asks it.
 *
 * @param {import('node:test').TestContext} t
 * @param {import('./clusters.js').Cluster} cluster
 * @param {import('kafka-proxy').ProxyOptions} [options]
 */
async function proxyOf(t, cluster, options = {}) {
  const made = await listening(t, { kafka: { ...reach(cluster) }, ...options });
  return { ...made, ...asking(`http://127.0.0.1:${made.port}`) };
}

/** @param {string} base */
function asking(base) {
  /** @param {string} path @param {RequestInit} [init] */
  const ask = async (path, init) => {
    const response = await fetch(base + path, { signal: AbortSignal.timeout(PATIENCE), ...init });
    const text = await response.text();
    const json = () => JSON.parse(text);
    return { status: response.status, headers: response.headers, text, json, lines: () => text.trim().split('\n').filter(Boolean).map((line) => JSON.parse(line)) };
  };
  /** @param {string} path @param {unknown} body @param {Record<string, string>} [headers] */
  const post = (path, body, headers = {}) => {
    const raw = typeof body === 'string' || Buffer.isBuffer(body);
    return ask(path, { method: 'POST', body: /** @type {any} */ (raw ? body : JSON.stringify(body)), headers: { 'content-type': 'application/json', ...headers } });
  };
  return { base, ask, post };
}

/** Server-sent events, as a browser reads them. */
class Stream extends EventEmitter {
  /** @type {{ id: string, type: string, data: any }[]} */ events = [];
  /** As browsers keep it. */
  lastEventId = '';
  status = 0;
  /** Resolves when it has ended, whoever ended it. @type {Promise<void>} */ ended = Promise.resolve();
  #abort = new AbortController();
  #text = '';
  #id = '';
  #data = '';
  #type = '';

  /** @param {string} url @param {Record<string, string>} [headers] */
  static async open(url, headers = {}) {
    const stream = new Stream();
    const response = await within(PATIENCE, `an answer of ${url}`, () => fetch(url, { headers, signal: stream.#abort.signal }));
    stream.status = response.status;
    stream.ended = stream.#read(response);
    return stream;
  }

  async #read(response) {
    const decoder = new TextDecoder();
    try {
      for await (const chunk of response.body) {
        this.#text += decoder.decode(chunk, { stream: true });
        let begin = 0;
        for (let end = this.#text.indexOf('\n'); end >= 0; begin = end + 1, end = this.#text.indexOf('\n', begin)) this.#line(this.#text.slice(begin, end));
        this.#text = this.#text.slice(begin);
      }
    } catch {} // it was cut off
    this.emit('end');
  }

  #line(line) {
    const [, name, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (name === 'id') this.#id = value;
    else if (name === 'data') this.#data += value;
    else if (name === 'event') this.#type = value;
    if (line !== '') return;
    this.lastEventId = this.#id;
    if (this.#data !== '') this.events.push({ id: this.#id, type: this.#type || 'message', data: JSON.parse(this.#data) });
    this.#data = this.#type = '';
    this.emit('event');
  }

  get messages() {
    return this.events.filter(({ type }) => type === 'message').map(({ data }) => data);
  }

  /** So many events have come, or it has ended. */
  async got(count, ms = PATIENCE) {
    let over = false;
    void this.ended.then(() => (over = true));
    await within(ms, () => `${this.events.length} of ${count} events came`, async () => {
      while (this.events.length < count && !over) await Promise.race([once(this, 'event'), this.ended]);
    });
    return this.events;
  }

  /** Where it begins is told. */
  async begun() {
    await within(PATIENCE, 'the first places', async () => {
      while (this.lastEventId === '') await Promise.race([once(this, 'event'), this.ended]);
    });
    return this;
  }

  /** As a client that vanishes. */
  async cut() {
    this.#abort.abort();
    await this.ended;
  }
}

/** A client of Kafka itself, ended with the test. */
async function producerOf(t, cluster, options = {}) {
  const producer = new Kafka({ ...reach(cluster), logger: silent }).producer(options);
  await producer.connect();
  cleanup(t, () => producer.disconnect());
  return producer;
}

async function adminOf(t, cluster) {
  const admin = new Kafka({ ...reach(cluster), logger: silent }).admin();
  await admin.connect();
  cleanup(t, () => admin.disconnect());
  return admin;
}

module.exports = { adminOf, asking, producerOf, proxyOf, Stream };
