'use strict';
// A kafka-proxy without Kafka, for tests of the client: topics in memory, protocol 2 as docs/protocol.md has it, and connections that end
// whenever the test, or chance, wants it. It keeps account of what a client may do.

const { once } = require('node:events');
const msgpack = require('@msgpack/msgpack');
const { WebSocketServer } = require('ws');
const { cleanup } = require('./cleanup.js');

const CODECS = {
  'kafka.v2.json': { encode: (message) => JSON.stringify(message), decode: (data) => JSON.parse(data.toString()) },
  'kafka.v2.msgpack': { encode: (message) => Buffer.from(msgpack.encode(message)), decode: (data) => msgpack.decode(data) },
};

class ModelProxy {
  /** Topic: a list of partitions, each a list of { offset, timestamp, key, value, headers }. */
  topics = new Map();
  /** Committed offsets of each group: 'group topic partition' to the next offset. */
  committed = new Map();
  /** Every message that came from clients. */
  heard = [];
  /** Acts of a client that are not allowed. */
  faults = [];
  /** Random whole numbers. @type {(n: number) => number} */
  below = () => 0;
  /** @type {any} */
  server;
  since = 0;
  /** Called with each message of a client, before it is done; returns true when it was answered, or shall not be. */
  intercept = (_socket, _message) => false;
  /** How many records a frame has at most. */
  perFrame = () => 10;
  limits = { payload: 1024 * 1024, framesPerSecond: 1000 };
  #port = 0;

  /** @param {import('node:test').TestContext} t @param {(n: number) => number} [below] random whole numbers */
  static async start(t, below = () => 0) {
    const proxy = new ModelProxy();
    proxy.below = below;
    await proxy.listen();
    cleanup(t, () => proxy.close());
    return proxy;
  }

  get url() {
    return `ws://127.0.0.1:${this.#port}/`;
  }

  /** @returns {any[]} */
  get sockets() {
    return [...this.server.clients];
  }

  async listen() {
    this.server = new WebSocketServer({
      host: '127.0.0.1',
      port: this.#port,
      handleProtocols: (wanted) => [...wanted].find((each) => each in CODECS) ?? false,
    });
    this.server.on('connection', (socket, request) => this.#connected(socket, request));
    await once(this.server, 'listening');
    this.#port = this.server.address().port;
  }

  /** Ends, with a close code, or as one that is killed. */
  async close(code) {
    for (const socket of this.sockets) {
      if (code === undefined) socket.terminate();
      else socket.close(code, 'the test wants it');
    }
    await new Promise((resolve) => this.server.close(resolve));
  }

  topic(name, partitions = 1) {
    this.topics.set(
      name,
      Array.from({ length: partitions }, () => []),
    );
    return name;
  }

  append(topic, partition, { key = null, value, headers = {} }) {
    const log = this.topics.get(topic)[partition];
    const offset = log.length === 0 ? 0 : log.at(-1).offset + 1;
    log.push({ offset, timestamp: 1_700_000_000_000 + offset, key, value, headers });
    for (const socket of this.sockets) for (const sub of socket.subs?.values() ?? []) this.#pump(socket, sub);
    return offset;
  }

  #connected(socket, request) {
    socket.subs = new Map();
    socket.request = request;
    socket.codec = CODECS[socket.protocol];
    if (!socket.codec) return socket.close(4400, 'no protocol');
    socket.tell = (message) => {
      if (socket.readyState !== socket.OPEN) return 0;
      const frame = socket.codec.encode(message);
      socket.send(frame, { binary: typeof frame !== 'string' });
      return Buffer.byteLength(frame);
    };
    socket.on('error', () => {});
    socket.on('message', (data) => {
      const message = socket.codec.decode(data);
      this.heard.push(message);
      if (!this.intercept(socket, message)) this.#do(socket, message);
    });
    socket.on('close', () => {
      socket.subs.clear();
      this.#deal();
    });
    socket.tell({ type: 'hello', protocol: 2, version: 'model', limits: this.limits });
  }

  #do(socket, message) {
    const { type, id } = message;
    if (type === 'subscribe') return this.#subscribe(socket, message);
    if (type === 'produce') return socket.tell({ type: 'produced', id, results: message.messages.map((each) => this.#write(message.topic, each)) });
    const sub = socket.subs.get(id);
    if (!sub) return socket.tell({ type: 'error', id, request: type, code: 'UNKNOWN_ID', message: 'no such subscription', retriable: false, fatal: false });
    const place = sub.places.get(`${message.topic} ${message.partition}`);
    switch (type) {
      case 'credit':
        sub.messages += message.messages;
        sub.bytes += message.bytes;
        if (sub.messages > sub.window.messages || sub.bytes > sub.window.bytes) this.faults.push({ credit: sub.messages, bytes: sub.bytes });
        return this.#pump(socket, sub);
      case 'seek':
        place.offset =
          typeof message.offset === 'number' ? message.offset : message.offset === 'earliest' ? 0 : this.topics.get(message.topic)[message.partition].length;
        socket.tell({ type: 'assigned', id, partitions: [{ topic: place.topic, partition: place.partition, offset: place.offset }] });
        return this.#pump(socket, sub);
      case 'pause':
      case 'resume':
        for (const each of sub.places.values()) if (each.topic === message.topic && message.partitions.includes(each.partition)) each.paused = type === 'pause';
        return this.#pump(socket, sub);
      case 'lag': {
        const end = ({ topic, partition }) => this.topics.get(topic)[partition].length;
        const partitions = [...sub.places.values()].map((each) => ({
          topic: each.topic,
          partition: each.partition,
          offset: each.offset,
          end: end(each),
          lag: end(each) - each.offset,
        }));
        return socket.tell({ type: 'lag', id, partitions });
      }
      case 'ack': {
        if (!place || message.offset >= place.offset) return this.faults.push({ ack: message, place });
        if (message.offset < (place.nacked ?? -1)) return;
        const name = `${sub.group} ${place.topic} ${place.partition}`;
        this.committed.set(name, Math.max(this.committed.get(name) ?? 0, message.offset + 1));
        return socket.tell({ type: 'committed', id, topic: place.topic, partition: place.partition, offset: message.offset });
      }
      case 'nack':
        place.offset = message.offset;
        socket.tell({ type: 'assigned', id, partitions: [{ topic: place.topic, partition: place.partition, offset: place.offset }] });
        return this.#pump(socket, sub);
      case 'unsubscribe':
        socket.subs.delete(id);
        this.#deal();
        return socket.tell({ type: 'unsubscribed', id });
      default:
        this.faults.push({ unknown: message });
    }
  }

  #write(topic, { key, keyBase64, value, valueBase64, headers, headersBase64, partition }) {
    const log = this.topics.get(topic);
    if (!log) return { error: { code: 'UNKNOWN_TOPIC_OR_PARTITION', message: 'no such topic', retriable: true } };
    const to = partition ?? this.below(log.length);
    const bytes = (text, base64) => (base64 === undefined ? text : Buffer.from(base64, 'base64'));
    const decoded = mapped(headersBase64, (each) => each && Buffer.from(each, 'base64'));
    return {
      partition: to,
      offset: this.append(topic, to, { key: bytes(key, keyBase64) ?? null, value: bytes(value, valueBase64), headers: { ...headers, ...decoded } }),
    };
  }

  /** @param {any} socket @param {any} message */
  #subscribe(socket, { id, topics, group, from = 'latest', table, credit, key, value, headers }) {
    if (socket.subs.has(id)) this.faults.push({ twice: id });
    const unknown = topics.find((topic) => !this.topics.has(topic));
    if (unknown)
      return socket.tell({
        type: 'error',
        id,
        request: 'subscribe',
        code: 'UNKNOWN_TOPIC_OR_PARTITION',
        message: `no topic ${unknown}`,
        retriable: true,
        fatal: true,
      });
    const sub = { id, topics, group, places: new Map(), window: credit, ...credit, forms: { key, value, headers }, caughtUp: false, since: ++this.since, from };
    socket.subs.set(id, sub);
    if (group !== undefined) {
      socket.tell({ type: 'assigned', id, partitions: [] });
      return this.#deal();
    }
    const listed = new Map((from.offsets ?? []).map((each) => [`${each.topic} ${each.partition}`, each.offset]));
    for (const topic of topics) {
      for (const [partition, log] of this.topics.get(topic).entries()) {
        const name = `${topic} ${partition}`;
        const offset = from.offsets ? (listed.get(name) ?? 0) : from === 'earliest' || table ? 0 : log.length;
        sub.places.set(name, { topic, partition, offset, until: log.length });
      }
    }
    if (table) for (const place of sub.places.values()) this.#snapshot(place);
    socket.tell({ type: 'assigned', id, partitions: [...sub.places.values()].map(({ topic, partition, offset }) => ({ topic, partition, offset })) });
    this.#pump(socket, sub);
  }

  /** A table's place has first what compaction leaves. */
  #snapshot(place) {
    const last = new Map();
    const log = this.topics.get(place.topic)[place.partition];
    for (const each of log) last.set(each.key, each);
    const entries = log.filter((each) => last.get(each.key) === each && each.value !== null);
    if (entries.length > 0) place.entries = entries;
    else place.offset = log.length;
  }

  /** The youngest member of a group gets all of its partitions. */
  #deal() {
    const youngest = new Map();
    const all = this.sockets.flatMap((socket) => [...(socket.subs?.values() ?? [])].filter((sub) => sub.group !== undefined).map((sub) => ({ socket, sub })));
    for (const each of all) if (each.sub.since > (youngest.get(each.sub.group)?.sub.since ?? 0)) youngest.set(each.sub.group, each);
    for (const { socket, sub } of all) {
      const mine = youngest.get(sub.group).sub === sub;
      const gone = mine ? [] : [...sub.places.values()].map(({ topic, partition }) => ({ topic, partition }));
      if (gone.length > 0) {
        sub.places.clear();
        socket.tell({ type: 'revoked', id: sub.id, partitions: gone });
      }
      if (!mine || sub.places.size > 0) continue;
      for (const topic of sub.topics) {
        for (const partition of this.topics.get(topic).keys()) {
          sub.places.set(`${topic} ${partition}`, { topic, partition, offset: this.committed.get(`${sub.group} ${topic} ${partition}`) ?? 0 });
        }
      }
      socket.tell({ type: 'assigned', id: sub.id, partitions: [...sub.places.values()].map(({ topic, partition, offset }) => ({ topic, partition, offset })) });
      this.#pump(socket, sub);
    }
  }

  #pump(socket, sub) {
    for (let some = true; some; ) {
      some = false;
      for (const place of sub.places.values()) {
        const log = place.entries ?? this.topics.get(place.topic)[place.partition];
        const rest = place.entries ? log : log.filter((each) => each.offset >= place.offset);
        if (rest.length === 0 || place.paused || sub.messages <= 0 || sub.bytes <= 0) continue;
        const records = rest.slice(0, Math.min(sub.messages, 1 + this.below(this.perFrame())));
        const snapshot = place.entries ? { snapshot: true } : {};
        if (place.entries) place.entries = log.length === records.length ? undefined : log.slice(records.length);
        place.offset = place.entries ? 0 : snapshot.snapshot ? place.until : records.at(-1).offset + 1;
        const { topic, partition } = place;
        const bytes = socket.tell({
          type: 'batch',
          id: sub.id,
          topic,
          partition,
          ...snapshot,
          records: records.map((each) => wire(each, socket.protocol, sub.forms)),
        });
        sub.messages -= records.length;
        sub.bytes -= bytes;
        some = true;
      }
    }
    const behind = [...sub.places.values()].some((place) => place.entries?.length > 0 || place.offset < place.until);
    if (sub.caughtUp || behind || sub.group !== undefined) return;
    sub.caughtUp = true;
    socket.tell({ type: 'caughtUp', id: sub.id });
  }
}

function mapped(headers, one) {
  return Object.fromEntries(Object.entries(headers ?? {}).map(([name, each]) => [name, Array.isArray(each) ? each.map(one) : one(each)]));
}

/** As frames have it. */
function wire({ offset, timestamp, key, value, headers }, protocol, forms) {
  const named = forms.headers !== false && Object.keys(headers).length > 0;
  if (protocol === 'kafka.v2.msgpack') {
    const bytes = (each) => (each === null ? null : Buffer.from(each));
    return {
      offset,
      timestamp,
      ...(key !== null && forms.key !== false && { key: bytes(key) }),
      ...(forms.value !== false && { value: bytes(value) }),
      ...(named && { headers: mapped(headers, bytes) }),
    };
  }
  const base64 = (each) => each && Buffer.from(each).toString('base64');
  const part = (name, each, form) => {
    if (form === false || (each === null && name === 'key')) return {};
    if (each === null) return { [name]: null };
    if (form === 'base64') return { [name]: base64(each) };
    return typeof each === 'string' ? { [name]: each } : { [`${name}Base64`]: base64(each) };
  };
  const record = { offset, timestamp, ...part('key', key, forms.key), ...part('value', value, forms.value) };
  if (!named) return record;
  if (forms.headers === 'base64') return { ...record, headers: mapped(headers, base64) };
  const texts = Object.entries(headers).filter(([, each]) => [each].flat().every((one) => one === null || typeof one === 'string'));
  const others = Object.entries(headers).filter(([name]) => !texts.some(([text]) => text === name));
  return {
    ...record,
    ...(texts.length > 0 && { headers: Object.fromEntries(texts) }),
    ...(others.length > 0 && { headersBase64: mapped(Object.fromEntries(others), base64) }),
  };
}

module.exports = { ModelProxy };
