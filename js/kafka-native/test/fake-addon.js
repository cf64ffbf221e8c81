'use strict';
/**
 * Stands in for the addon (src/binding.ts) in the tests of the JavaScript side: KAFKA_NATIVE_ADDON names this file.
 * It records what it is asked, and tests let it tell events through `emit`.
 */
const { pack } = require('./pack.js');

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
  replies = { listTopics: { topics: [], counts: [] }, partitionsOf: [], committed: (topics) => topics.map(() => 0), seek: () => ++this.epoch, resume: (topics) => topics.map(() => ++this.epoch) };
  errors = {};
  epoch = 100;
  constructor(options, onEvent) {
    super(options, onEvent);
    made.groups.push(this);
  }
  watermarks() {
    return [0, 1000];
  }
  topicId() {
    return null;
  }
}
for (const name of ['connect', 'subscribe', 'assign', 'seek', 'pause', 'resume', 'commit', 'committed', 'offsetsForTimes', 'listTopics', 'partitionsOf', 'ends', 'read', 'setRule', 'stop']) {
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
