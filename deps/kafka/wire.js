'use strict';

const net = require('node:net');

const METADATA = 3;
const METADATA_VERSION = 2;

/**
 * One request and its answer over Kafka's protocol.
 *
 * @param {net.Socket} socket
 * @param {number} apiKey
 * @param {number} version one whose headers are not flexible
 * @param {Buffer} body
 * @returns {Promise<Buffer>} the answer's body
 */
async function request(socket, apiKey, version, body) {
  const head = Buffer.alloc(14);
  head.writeInt32BE(head.length - 4 + body.length, 0);
  head.writeInt16BE(apiKey, 4);
  head.writeInt16BE(version, 6);
  head.writeInt16BE(-1, 12); // no client id
  socket.write(Buffer.concat([head, body]));

  let answer = Buffer.alloc(0);
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    answer = Buffer.concat([answer, chunk]);
    if (answer.length >= 4 && answer.length >= 4 + answer.readInt32BE(0)) return answer.subarray(8);
  }
  throw new Error('the broker closed the connection');
}

/**
 * Asks the broker at a plaintext port which brokers it knows; fenced ones are not among them.
 *
 * @param {number} port
 * @returns {Promise<{ clusterId: string, brokers: number[] }>}
 */
async function metadata(port) {
  const socket = await connect(port);
  try {
    return parseMetadata(await request(socket, METADATA, METADATA_VERSION, Buffer.alloc(4))); // of no topic
  } finally {
    socket.destroy();
  }
}

/** @param {Buffer} body */
function parseMetadata(body) {
  let at = 0;
  const int32 = () => body.readInt32BE((at += 4) - 4);
  const string = () => {
    const length = Math.max(0, body.readInt16BE(at));
    return body.toString('utf8', at + 2, (at += 2 + length));
  };
  const brokers = Array.from({ length: int32() }, () => {
    const id = int32();
    string(); // host
    int32(); // port
    string(); // rack
    return id;
  });
  return { clusterId: string(), brokers };
}

/**
 * @param {number} port of 127.0.0.1
 * @returns {Promise<net.Socket>} rejects when nobody listens, or nothing is heard for two seconds
 */
function connect(port) {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    socket.setTimeout(2000, () => socket.destroy(new Error(`no answer from 127.0.0.1:${port}`)));
    socket.once('error', reject);
    socket.once('connect', () => resolve(socket));
  });
}

module.exports = { connect, metadata, request };
