'use strict';

const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { codeOf } = require('./lock.js');

// Below 32768 outgoing connections take no port, so a killed broker finds its own again.
const FIRST = 20000;
const LAST = 32767;

/** One symbolic link per reserved port; its target is the cluster's folder. */
const RESERVATIONS = path.join(os.tmpdir(), `kafka-native-ports-${process.getuid?.() ?? 0}`);

/**
 * Reserves free ports of 127.0.0.1 for the cluster in the existing folder `dir`. They stay its own, whether its brokers
 * run or not, until `releasePorts` or until the folder is gone.
 *
 * @param {string} dir
 * @param {number} count
 * @returns {Promise<number[]>}
 */
async function reservePorts(dir, count) {
  const ports = [];
  let port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
  for (let tried = 0; ports.length < count; tried++) {
    if (tried > LAST - FIRST) throw new Error(`no ${count} free ports from ${FIRST} to ${LAST}: see ${RESERVATIONS}`);
    if (await reserve(dir, port)) ports.push(port);
    port = port === LAST ? FIRST : port + 1;
  }
  return ports;
}

/**
 * Reserves one port for the cluster in the existing folder `dir`.
 *
 * @param {string} dir
 * @param {number} port
 * @returns {Promise<boolean>} false if it is taken
 */
async function reserve(dir, port) {
  if (!link(dir, port)) return false;
  if (await isFree(port)) return true;
  fs.unlinkSync(reservation(port));
  return false;
}

/** @param {number[]} ports */
function releasePorts(ports) {
  for (const port of ports) fs.rmSync(reservation(port), { force: true });
}

/**
 * @param {string} dir
 * @param {number} port
 */
function link(dir, port) {
  const file = reservation(port);
  fs.mkdirSync(RESERVATIONS, { recursive: true });
  // A link whose folder is gone is left over from a cluster that was thrown away.
  if (!fs.existsSync(file)) fs.rmSync(file, { force: true });
  try {
    fs.symlinkSync(dir, file);
    return true;
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    return false;
  }
}

/** @param {number} port */
function reservation(port) {
  return path.join(RESERVATIONS, String(port));
}

/**
 * @param {number} port
 * @returns {Promise<boolean>}
 */
function isFree(port) {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

module.exports = { reservePorts, reserve, releasePorts };
