'use strict';
/**
 * Stands in for the addon (src/binding.ts) in the tests of the JavaScript side: KAFKA_NATIVE_ADDON names this file.
 * It records what it is asked, and tests let it tell events through `emit`.
 */
const made = { producers: [], consumers: [], groups: [], admins: [], clusters: [], shutdowns: [] };

class Client {
  constructor(options, onEvent) {
    if (options.broker === 'refused') throw Object.assign(new Error('No such configuration property: "x"'), { code: '_INVALID_ARG' });
    this.options = options;
    this.emit = onEvent;
    this.calls = [];
  }
  record(name, ...args) {
    this.calls.push([name, ...args]);
  }
  /** The arguments of the last call of this name. */
  last(name) {
    return this.calls.findLast((call) => call[0] === name)?.slice(1);
  }
  names() {
    return this.calls.map(([name]) => name);
  }
  /** Ends the last asynchronous call of this name. */
  reply(name, value, error) {
    this.emit(1, this.last(name)[0], error, value);
  }
}

class NativeProducer extends Client {
  sent = [];
  length = 0;
  refuse = () => undefined;
  constructor(options, onEvent) {
    super(options, onEvent);
    made.producers.push(this);
  }
  send(topic, partition, arena, index, count, timestamps) {
    this.record('send', topic, partition, count);
    const errors = [];
    const text = Buffer.from(arena.buffer, arena.byteOffset, arena.length);
    let at = 0;
    const take = (length) => (length < 0 ? null : Buffer.from(text.subarray(at, (at += length))));
    for (let i = 0; i < count; i++) {
      const message = { key: take(index[3 * i]), value: take(index[3 * i + 1]), headers: readHeaders(take(index[3 * i + 2])), timestamp: timestamps ? timestamps[i] : null };
      const error = this.refuse(message, i);
      if (error) errors.push({ index: i, ...error });
      else this.sent.push(message);
    }
    const enqueued = count - errors.length;
    this.length += enqueued;
    return errors.length > 0 ? { enqueued, queueLength: this.length, errors } : { enqueued, queueLength: this.length };
  }
  queueLength() {
    return this.length;
  }
  partitionCount(...args) {
    this.record('partitionCount', ...args);
  }
  stop(...args) {
    this.record('stop', ...args);
  }
}

function readHeaders(block) {
  const headers = [];
  if (block.length === 0) return headers;
  let at = 4;
  for (let count = block.readInt32LE(0); count > 0; count--) {
    const nameEnd = at + 8 + block.readInt32LE(at);
    const valueLength = block.readInt32LE(at + 4);
    const valueEnd = nameEnd + Math.max(valueLength, 0);
    headers.push([block.toString('utf8', at + 8, nameEnd), valueLength < 0 ? null : block.toString('utf8', nameEnd, valueEnd)]);
    at = valueEnd;
  }
  if (at !== block.length) throw new Error('the header block does not end where it says');
  return headers;
}

class NativeConsumer extends Client {
  constructor(options, onEvent) {
    super(options, onEvent);
    made.consumers.push(this);
  }
}
for (const name of ['start', 'pause', 'resume', 'started', 'settle', 'drop', 'stop', 'offsetsRead', 'offsetsCommitted']) {
  NativeConsumer.prototype[name] = function (...args) {
    this.record(name, ...args);
  };
}

/** Answers every question at once, as if all went well; `replies` says otherwise: a value, or a function of the arguments. */
class NativeGroup extends Client {
  replies = { listTopics: { topics: [], counts: [] }, committed: (topics) => topics.map(() => 0), seek: () => ++this.epoch, resume: (topics) => topics.map(() => ++this.epoch) };
  errors = {};
  epoch = 100;
  constructor(options, onEvent) {
    super(options, onEvent);
    made.groups.push(this);
  }
  watermarks() {
    return [0, 1000];
  }
}
for (const name of ['connect', 'subscribe', 'assign', 'seek', 'pause', 'resume', 'commit', 'committed', 'offsetsForTimes', 'listTopics', 'partitionsOf', 'stop']) {
  NativeGroup.prototype[name] = function (id, ...args) {
    this.record(name, id, ...args);
    const reply = this.replies[name];
    if (reply === 'later') return;
    setImmediate(() => this.emit(1, id, this.errors[name], typeof reply === 'function' ? reply(...args) : reply));
  };
}
for (const name of ['rebalanced', 'started', 'free']) {
  NativeGroup.prototype[name] = function (...args) {
    this.record(name, ...args);
  };
}

class NativeAdmin extends Client {
  constructor(options, onEvent) {
    super(options, onEvent);
    made.admins.push(this);
  }
}
for (const name of ['connect', 'request', 'close']) {
  NativeAdmin.prototype[name] = function (...args) {
    this.record(name, ...args);
  };
}

class NativeMockCluster extends Client {
  constructor(brokers) {
    super({ brokers });
    made.clusters.push(this);
  }
  bootstrap() {
    return '127.0.0.1:1';
  }
}
for (const name of ['createTopic', 'brokerDown', 'brokerUp', 'setLatency', 'setLeader', 'setFollower', 'pushErrors', 'setTopicError', 'close']) {
  NativeMockCluster.prototype[name] = function (...args) {
    this.record(name, ...args);
  };
}

/**
 * A batch as the addon packs it. `runs`: [{ partition, topicId, epoch, messages: [{ offset, timestamp, key, value, headers: [[name, value]] }] }],
 * keys and values strings, Buffers or null.
 */
function pack(runs, { misses = 0, repeats = 0, ascii } = {}) {
  const bytes = (value) => (value == null ? null : Buffer.from(value));
  const messages = runs.flatMap((run) => run.messages);
  const withHeaders = messages.some((message) => message.headers);
  const pieces = [];
  let end = 0;
  const put = (piece) => {
    pieces.push(piece);
    end += piece.length;
    return end - piece.length;
  };
  const int = (value) => {
    const buffer = Buffer.alloc(4);
    buffer.writeInt32LE(value);
    return buffer;
  };
  const columns = messages.map((message) => {
    const key = bytes(message.key);
    const value = bytes(message.value);
    const position = end;
    if (key) put(key);
    if (value) put(value);
    let headers = -1;
    if (message.headers) {
      headers = put(int(message.headers.length));
      for (const [name, header] of message.headers) {
        const content = bytes(header);
        put(int(Buffer.byteLength(name)));
        put(int(content ? content.length : -1));
        put(Buffer.from(name));
        if (content) put(content);
      }
    }
    return { message, position, key: key ? key.length : -1, value: value ? value.length : -1, headers };
  });
  const n = messages.length;
  const dataAt = 32 + 16 + 16 * n + 4 * n * (withHeaders ? 4 : 3) + 24 * runs.length;
  const packed = new Uint8Array(dataAt + end);
  const allAscii = messages.every(({ key, value }) => [key, value].every((field) => field == null || bytes(field).every((byte) => byte < 128)));
  new Int32Array(packed.buffer, 0, 8).set([n, runs.length, (withHeaders ? 1 : 0) | ((ascii ?? allAscii) ? 2 : 0), dataAt, end, 0, 0, 0]);
  new Float64Array(packed.buffer, 32, 2 + 2 * n).set([misses, repeats, ...columns.map(({ message }) => message.offset), ...columns.map(({ message }) => message.timestamp ?? -1)]);
  let first = 0;
  const runColumns = runs.flatMap((run) => {
    const ints = [run.topicId ?? 0, run.partition, run.epoch ?? 1, -1, 1, first];
    first += run.messages.length;
    return ints;
  });
  new Int32Array(packed.buffer, 48 + 16 * n, (dataAt - 48 - 16 * n) / 4).set([
    ...columns.map((column) => column.position),
    ...columns.map((column) => column.key),
    ...columns.map((column) => column.value),
    ...(withHeaders ? columns.map((column) => column.headers) : []),
    ...runColumns,
  ]);
  packed.set(Buffer.concat(pieces), dataAt);
  return packed;
}

module.exports = {
  made,
  pack,
  NativeProducer,
  NativeConsumer,
  NativeGroup,
  NativeAdmin,
  NativeMockCluster,
  errorCodes: () => [
    [-195, 'RD_KAFKA_RESP_ERR__TRANSPORT'],
    [-186, 'RD_KAFKA_RESP_ERR__INVALID_ARG'],
    [-185, 'RD_KAFKA_RESP_ERR__TIMED_OUT'],
    [-184, 'RD_KAFKA_RESP_ERR__QUEUE_FULL'],
    [-172, 'RD_KAFKA_RESP_ERR__STATE'],
    [10, 'RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE'],
    [29, 'RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED'],
  ],
  librdkafkaVersion: () => '0.0.0-fake',
  shutdown: (ms) => made.shutdowns.push(ms),
};
