// The three brokers, which outlive the command: a game goes on after any end of it, until `down`.

import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { KafkaCluster, withLock } from '@kafka-native/kafka-for-tests';
import { partitionsOf } from './topic.js';

/** How long a broker may take to be back and in sync, in milliseconds. */
const PATIENCE_MS = 120_000;

/** How long a dead broker counts as alive, which is most of a pause. */
const SESSION = { 'broker.session.timeout.ms': '2000' };

/** @typedef {InstanceType<typeof KafkaCluster>} Cluster */

/** The address of this machine under which it is found: MY_IP, or the loopback. */
export function hostOf({ MY_IP = '' } = process.env) {
  if (MY_IP === '') return '127.0.0.1';
  const own = Object.values(os.networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address).filter(net.isIPv4));
  if (own.includes(MY_IP)) return MY_IP;
  throw new Error(`MY_IP is ${MY_IP}, which is no IPv4 address of this machine; it has ${own.join(', ')}`);
}

/**
 * Starts the brokers that do not run. Which of them ended meanwhile, and how, does not matter: their folder has all there is to know.
 *
 * @param {{ dir: string, host: string, ports: number[] | undefined }} where ports: any, if undefined
 * @returns {Promise<Cluster>}
 */
export async function startBrokers({ dir, host, ports }) {
  const former = KafkaCluster.open(dir);
  // An address is the broker's from start to end.
  if (former && former.state.host !== host) await former.stop();
  fs.mkdirSync(path.dirname(dir), { recursive: true });
  const options = {
    dir,
    nodes: /** @type {const} */ (3),
    host,
    detached: true,
    autoCreateTopics: false,
    config: SESSION,
    ...(!former && ports && { port: ports }),
  };
  // One command at a time, also of `npm run kafka -- --name game`.
  return withLock(`${dir}.lock`, () => persistently(() => KafkaCluster.start(options)));
}

/** Ends the brokers that run in a folder, with their data; false when there is nothing. @param {string} dir */
export async function wipe(dir) {
  const cluster = KafkaCluster.open(dir);
  await cluster?.stop({ wipe: true });
  return cluster !== undefined;
}

/**
 * Calls `start`, which starts brokers, again while an address is in use: a port above 32767, such as 39092, can be that of an outgoing connection for
 * a moment, when its broker is not there.
 *
 * @template T
 * @param {() => Promise<T>} start
 * @returns {Promise<T>}
 */
export async function persistently(start) {
  for (let tries = 1; ; tries++) {
    try {
      return await start();
    } catch (error) {
      if (tries === 5 || !/Address already in use/.test(String(error))) throw error;
      await delay(1000);
    }
  }
}

/** Resolves when every partition has all its replicas in sync. @param {import('./topic.js').Admin} admin @param {string} topic */
export async function inSync(admin, topic) {
  const end = Date.now() + PATIENCE_MS;
  for (let last = ''; ; await delay(100)) {
    try {
      const partitions = await partitionsOf(admin, topic);
      const behind = partitions.filter(({ replicas, isr, leader }) => isr.length < replicas.length || leader < 0);
      if (behind.length === 0) return partitions;
      last = `partitions ${behind.map(({ partitionId }) => partitionId).join(', ')} are not`;
    } catch (error) {
      last = /** @type {Error} */ (error).message;
    }
    if (Date.now() > end) throw new Error(`not within ${PATIENCE_MS} ms: every partition of ${topic} has its replicas in sync; ${last}`);
  }
}
