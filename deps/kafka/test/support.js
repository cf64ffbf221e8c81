'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { setTimeout: delay } = require('node:timers/promises');
const { connect, request } = require('../wire.js');

const CREATE_TOPICS = 19;

/**
 * Makes a topic.
 *
 * @param {string} address of a plaintext listener
 * @param {string} name
 * @returns {Promise<number>} Kafka's error code: 0 when made, 36 when it exists
 */
async function createTopic(address, name) {
  const body = Buffer.alloc(4 + 2 + name.length + 19);
  let at = body.writeInt32BE(1, 0); // one topic
  at = body.writeInt16BE(name.length, at);
  at += body.write(name, at);
  at = body.writeInt32BE(-1, at); // the broker's number of partitions
  at = body.writeInt16BE(-1, at); // the broker's replication factor
  at += 8; // no assignments, no configuration
  at = body.writeInt32BE(10_000, at); // timeout
  body.writeInt8(0, at); // not only to validate
  const socket = await connect(portOf(address));
  socket.setTimeout(15_000);
  const answer = await request(socket, CREATE_TOPICS, 4, body);
  socket.destroy();
  return answer.readInt16BE(4 + 4 + 2 + name.length);
}

/** @param {string} address */
function portOf(address) {
  return Number(address.split(':')[1]);
}

/**
 * Waits for what has no event: another process's end, a folder's removal.
 *
 * @param {() => boolean | Promise<boolean>} condition
 */
async function until(condition) {
  const deadline = Date.now() + 20_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`never came true: ${condition}`);
    await delay(20);
  }
}

/** @param {number | undefined} pid */
function lives(pid) {
  // A zombie that nobody waits for has an empty command line.
  if (process.platform === 'linux') return fs.existsSync(`/proc/${pid}/cmdline`) && fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== '';
  try {
    return process.kill(Number(pid), 0);
  } catch {
    return false;
  }
}

/** A fresh folder, removed when the test ends. @param {import('node:test').TestContext} t */
function temporaryFolder(t) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'kafka-native-test-'));
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
  return dir;
}

module.exports = { createTopic, lives, portOf, temporaryFolder, until };
