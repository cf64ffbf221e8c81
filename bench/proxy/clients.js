'use strict';
// The clients of bench/proxy.js. They look at the first and the last offset of a frame only: parsing would take more of the two cores than the
// servers that are measured. A message that is missing, or comes twice, fails the measurement.

const { once } = require('node:events');
const { Kafka, logLevel } = require('kafka-native');
const { encode } = require('@msgpack/msgpack');
const { WebSocket } = require('ws');

/** @typedef {'legacy' | 'v2.json' | 'v2.msgpack' | 'ws-kafkajs'} Kind */
/** @typedef {{ port: number, kind: Kind, topic: string, from: 'earliest' | 'latest', count: number, slow?: boolean }} Wish */

const JSON_OFFSET = Buffer.from('"offset":');
const MSGPACK_OFFSET = Buffer.from('\xa6offset', 'latin1');
/** By the first letter of the type: where it stands in a frame of protocol 2 is known. */
const TYPES = { [98]: 'batch', [101]: 'error' };
/** The content of every lone message: when it was sent, by the clock that all processes of a machine share. */
const SENT = /@(\d+)@/g;
/** How many sockets are being opened at a time. */
const OPENING = 100;

let total = 0;
let told = 0;
/** @type {number[] | undefined} */ let latencies;
/** @type {number[]} */ const direct = [];

/** The number behind a name. @param {Buffer} frame @param {number} at */
function jsonNumber(frame, at) {
  let number = 0;
  for (let byte = frame[at]; byte >= 48 && byte <= 57; byte = frame[++at]) number = number * 10 + byte - 48;
  return number;
}

/** @param {Buffer} frame @param {number} at */
function msgpackNumber(frame, at) {
  const first = frame[at];
  if (first < 0x80) return first;
  if (first === 0xcc) return frame[at + 1];
  if (first === 0xcd) return frame.readUInt16BE(at + 1);
  if (first === 0xce) return frame.readUInt32BE(at + 1);
  if (first === 0xcb) return frame.readDoubleBE(at + 1);
  return Number(frame.readBigUInt64BE(at + 1));
}

/** How a kind's frames are read. @param {Kind} kind @returns {{ type(frame: Buffer): string, first(frame: Buffer): number, last(frame: Buffer): number }} */
function reader(kind) {
  if (kind === 'v2.msgpack') {
    const at = (position) => position + MSGPACK_OFFSET.length;
    return {
      type: (frame) => TYPES[frame[7]] ?? 'other',
      first: (frame) => msgpackNumber(frame, at(frame.indexOf(MSGPACK_OFFSET))),
      last: (frame) => msgpackNumber(frame, at(frame.lastIndexOf(MSGPACK_OFFSET))),
    };
  }
  const at = (position) => position + JSON_OFFSET.length;
  return {
    type: kind === 'v2.json' ? (frame) => TYPES[frame[9]] ?? 'other' : (frame) => (frame[0] === 91 ? 'batch' : 'other'),
    first: (frame) => jsonNumber(frame, at(frame.indexOf(JSON_OFFSET))),
    last: (frame) => jsonNumber(frame, at(frame.lastIndexOf(JSON_OFFSET))),
  };
}

let groups = 0;
/** Resolves when it reads, or is about to. @param {Wish} wish */
async function open({ port, kind, topic, from, slow }) {
  const v2 = kind.startsWith('v2');
  const query = v2 ? '' : `?topic=${topic}&consumerGroup=bench-${process.pid}-${groups++}&from=${from}`;
  const socket = new WebSocket(`ws://127.0.0.1:${port}/${query}`, v2 ? [`kafka.${kind}`] : [], { perMessageDeflate: false, skipUTF8Validation: true });
  const { type, first, last } = reader(kind);
  let next = -1;
  const begun = new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('close', (code, reason) => {
      reject(new Error(`closed with ${code}: ${reason}`));
      fail(new Error(`a client of ${kind} was closed with ${code}: ${reason}`));
    });
    socket.on('message', (data) => {
      const frame = /** @type {Buffer} */ (data);
      const what = type(frame);
      if (what === 'error' && !slow) fail(new Error(`${kind}: ${frame}`));
      if (what !== 'batch') return resolve(undefined);
      const begin = first(frame);
      if (next >= 0 && begin !== next && !slow) return fail(new Error(`${kind}: ${begin} came where ${next} was next`));
      next = last(frame) + 1;
      if (slow) return;
      total += next - begin;
      if (latencies) {
        const now = Number(process.hrtime.bigint());
        for (const [, sent] of frame.toString('latin1').matchAll(SENT)) latencies.push((now - Number(sent)) / 1e6);
      }
    });
  });
  await once(socket, 'open');
  if (slow) {
    // It takes a twentieth of the time to read.
    socket.pause();
    setInterval(() => {
      socket.resume();
      setTimeout(() => socket.pause(), 5);
    }, 100);
  }
  if (v2) {
    const message = { type: 'subscribe', id: 1, topics: [topic], from, ...(slow && { slow: 'newest' }) };
    // `hello` is the first frame, `assigned` the second.
    await begun;
    if (topic === undefined) return; // it has nothing to say
    socket.send(kind === 'v2.json' ? JSON.stringify(message) : encode(message));
    if (!slow) await once(socket, 'message');
  } else if (kind === 'ws-kafkajs' && from === 'latest') await begun;
  begun.catch(() => {});
}

const DO = {
  /** @param {Wish} wish */
  async open(wish) {
    for (let left = wish.count; left > 0; left -= OPENING) await Promise.all(Array.from({ length: Math.min(left, OPENING) }, () => open(wish)));
  },
  /** A consumer without anything between. @param {{ brokers: string, topic: string }} where */
  async direct({ brokers, topic }) {
    const consumer = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING }).consumer({ groupId: null });
    await consumer.connect();
    await consumer.subscribe({ topics: [topic] });
    await consumer.run({
      eachBatch: async ({ batch }) => {
        const now = Number(process.hrtime.bigint());
        for (const { value } of batch.messages) for (const [, sent] of String(value).matchAll(SENT)) direct.push((now - Number(sent)) / 1e6);
      },
    });
  },
  /** From now on. */
  async latencies() {
    latencies = [];
    direct.length = 0;
  },
  /** Figures measured since. */
  async measured() {
    return { latencies, direct };
  },
  async usage() {
    return { rss: process.memoryUsage.rss() };
  },
};

function fail(error) {
  process.send?.({ error: error.message });
}

process.on('message', (/** @type {any} */ { what, end, ...more }) => {
  if (end) process.exit();
  DO[what](more).then((answer) => process.send?.({ answer: answer ?? true }), fail);
});
process.once('disconnect', () => process.exit());
setInterval(() => {
  if (total === told) return;
  told = total;
  process.send?.({ total, at: performance.timeOrigin + performance.now() });
}, 5);
process.send?.({ answer: 'ready' });
