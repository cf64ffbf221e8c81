'use strict';
// A broker that lies: passes requests on to a real one, and garbles some of its answers.

const net = require('node:net');
const { once } = require('node:events');
const { crc32c } = require('./crc32c.js');

/** Kafka's requests, by the number that begins them. */
const NAMES = {
  0: 'Produce', 1: 'Fetch', 2: 'ListOffsets', 3: 'Metadata', 8: 'OffsetCommit', 9: 'OffsetFetch', 10: 'FindCoordinator', 11: 'JoinGroup',
  12: 'Heartbeat', 13: 'LeaveGroup', 14: 'SyncGroup', 15: 'DescribeGroups', 16: 'ListGroups', 18: 'ApiVersions', 19: 'CreateTopics', 20: 'DeleteTopics',
  21: 'DeleteRecords', 22: 'InitProducerId', 23: 'OffsetForLeaderEpoch', 24: 'AddPartitionsToTxn', 25: 'AddOffsetsToTxn', 26: 'EndTxn', 28: 'TxnOffsetCommit',
  29: 'DescribeAcls', 32: 'DescribeConfigs', 37: 'CreatePartitions', 42: 'DeleteGroups', 43: 'ElectLeaders', 44: 'IncrementalAlterConfigs',
  47: 'OffsetDelete', 50: 'DescribeUserScramCredentials', 60: 'DescribeCluster', 68: 'ConsumerGroupHeartbeat', 69: 'ConsumerGroupDescribe', 75: 'DescribeTopicPartitions',
};
const HOST = Buffer.from('127.0.0.1');

/** Cuts a stream of bytes into frames, each with its length in front. */
class Frames {
  #chunks = Buffer.alloc(0);

  *take(chunk) {
    this.#chunks = Buffer.concat([this.#chunks, chunk]);
    while (this.#chunks.length >= 4) {
      const end = 4 + this.#chunks.readInt32BE(0);
      if (this.#chunks.length < end) return;
      yield Buffer.from(this.#chunks.subarray(4, end));
      this.#chunks = this.#chunks.subarray(end);
    }
  }
}

/** A frame with its length in front. */
function framed(...parts) {
  const length = Buffer.alloc(4);
  length.writeInt32BE(parts.reduce((sum, part) => sum + part.length, 0));
  return Buffer.concat([length, ...parts]);
}

/** The ways to garble the body of an answer; each takes the bytes and returns new ones. */
const ways = {
  bytes(body, { below }) {
    for (let i = 1 + below(4); i > 0; i--) body[below(body.length)] = below(256);
    return body;
  },
  number(body, { below, one }) {
    if (body.length < 4) return body;
    body.writeInt32BE(one([-1, -2, 0, 1, 2, 1000, 100_000, 2 ** 31 - 1, -(2 ** 31), 65_535]), below(body.length - 3));
    return body;
  },
  /** Bytes that may be the number of an array's elements, or a length: four with a small number. */
  count(body, { below, one }) {
    const places = [];
    for (let at = 0; at + 4 <= body.length; at++) if (body.readInt32BE(at) >= 0 && body.readInt32BE(at) < 200) places.push(at);
    if (places.length > 0) body.writeInt32BE(one([-1, -2, 0, 1, 2, 3, 1000, 100_000, 2 ** 31 - 1]), places[below(places.length)]);
    return body;
  },
  /** The same for what flexible versions have in one byte: 0 is null, 1 is empty. */
  compact(body, { below, one }) {
    const places = [];
    for (let at = 0; at < body.length; at++) if (body[at] > 0 && body[at] < 60) places.push(at);
    if (places.length > 0) body[places[below(places.length)]] = one([0, 0, 1, 2, 3, 127]);
    return body;
  },
  short(body, { below, one }) {
    if (body.length < 2) return body;
    body.writeInt16BE(one([-1, -2, 0, 1, 3, 6, 16, 22, 25, 27, 79, 100, 32_767]), below(body.length - 1));
    return body;
  },
  truncated: (body, { below }) => body.subarray(0, below(body.length)),
  longer: (body, { below }) => Buffer.concat([body, Buffer.alloc(1 + below(40), below(256))]),
  /** An element that comes twice, if the slice happens to be one. */
  twice(body, { below }) {
    const from = below(body.length);
    const to = from + below(Math.min(200, body.length - from + 1));
    return Buffer.concat([body.subarray(0, to), body.subarray(from)]);
  },
  without(body, { below }) {
    const from = below(body.length);
    return Buffer.concat([body.subarray(0, from), body.subarray(Math.min(body.length, from + 1 + below(60)))]);
  },
};

/** Gives record batches that were changed the checksum that they should have: who means harm does that, too. */
function mendChecksums(body) {
  for (let at = 0; at + 61 <= body.length; at++) {
    if (body[at + 16] !== 2 || body.readInt32BE(at) !== 0) continue;
    const end = at + 12 + body.readInt32BE(at + 8);
    if (end <= at + 61 || end > body.length) continue;
    body.writeUInt32BE(crc32c(body.subarray(at + 21, end)), at + 17);
    at = end - 1;
  }
}

/**
 * Stands in front of the first of these brokers.
 *
 * @param {{ random?: () => number, rate?: number, spare?: number, change?: (name: string, body: Buffer) => Buffer | null, passes?: (name: string) => boolean }} how
 * `rate`: of an answer to be garbled; so many first answers of each kind are spared; `change`: what is done in place of all that,
 * null cuts the connection, as a request that does not pass does
 */
async function garbling(brokers, { random = Math.random, rate = 0, spare = 0, change, passes = () => true }) {
  const port = Number(brokers.split(',')[0].split(':')[1]);
  const below = (end) => Math.floor(random() * Math.max(1, end));
  const chance = { below, one: (list) => list[below(list.length)] };
  const seen = {};
  const done = [];
  const sockets = new Set();

  function garble(name, body) {
    seen[name] = (seen[name] ?? 0) + 1;
    if (seen[name] <= spare || random() >= rate || body.length === 0) return body;
    const way = chance.one(Object.keys(ways));
    done.push(`${name} ${way}`);
    const garbled = ways[way](body, chance);
    if (name === 'Fetch' && random() < 0.8) mendChecksums(garbled);
    return garbled;
  }

  const server = net.createServer((client) => {
    const broker = net.connect(port, '127.0.0.1');
    for (const socket of [client, broker]) {
      sockets.add(socket.setNoDelay(true));
      socket.on('error', () => {});
    }
    client.on('close', () => broker.destroy());
    broker.on('close', () => client.destroy());
    const names = new Map();
    const [requests, answers] = [new Frames(), new Frames()];
    client.on('data', (chunk) => {
      for (const frame of requests.take(chunk)) {
        const name = NAMES[frame.readInt16BE(0)] ?? String(frame.readInt16BE(0));
        if (!passes(name)) return client.destroy();
        names.set(frame.readInt32BE(4), name);
        broker.write(framed(frame));
      }
    });
    broker.on('data', (chunk) => {
      for (const frame of answers.take(chunk)) {
        const name = names.get(frame.readInt32BE(0)) ?? 'unasked';
        names.delete(frame.readInt32BE(0));
        // Brokers say where they are: that is here.
        for (let at = frame.indexOf(HOST); at >= 0; at = frame.indexOf(HOST, at + 1)) {
          const place = at + HOST.length;
          if (place + 4 <= frame.length && frame.readInt32BE(place) === port) frame.writeInt32BE(server.address().port, place);
        }
        const body = (change ?? garble)(name, frame.subarray(4));
        if (body === null) return client.destroy();
        client.write(framed(frame.subarray(0, 4), body));
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    broker: `127.0.0.1:${server.address().port}`,
    /** Answers that were garbled, and how. */
    done,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

module.exports = { garbling };
