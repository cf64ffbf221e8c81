'use strict';
// One start of bench/deepstream.js, in a process that has done nothing before. It tells how many milliseconds it took.

const { ClusterNode, MessageConnector } = require('deepstream.io-msg-kafka');

/**
 * @typedef {object} Start
 * @property {'node' | 'connector'} what
 * @property {string} brokers
 * @property {string} topic
 */

/** Until the others hear the server, and it hears them. @param {Start} start */
async function node({ brokers, topic }) {
  const logger = { debug() {}, info() {}, warn() {}, error: fail, fatal: fail };
  const begun = performance.now();
  const made = new ClusterNode({ connectionString: brokers, topic }, { logger }, { serverName: `server-${process.pid}` });
  await made.whenReady();
  return performance.now() - begun;
}

/** From `subscribe` until the first message has come, which another one publishes in that moment. @param {Start} start */
async function connector({ brokers, topic }) {
  const [teller, hearer] = [1, 2].map(() => new MessageConnector({ connectionString: brokers }));
  for (const each of [teller, hearer]) each.on('error', (text) => fail('error', text));
  await Promise.all([teller, hearer].map((each) => new Promise((resolve) => each.once('ready', () => resolve(undefined)))));
  const begun = performance.now();
  const heard = new Promise((resolve) => void hearer.subscribe(topic, () => resolve(performance.now())));
  teller.publish(topic, { first: true });
  return (await heard) - begun;
}

/** @param {string} event @param {string} text */
const fail = (event, text) => process.send?.({ error: `${event}: ${text}` }, () => process.exit(1));

/** @type {Start} */
const start = JSON.parse(process.argv[2]);
const works = { node, connector };
works[start.what](start).then(
  (took) => process.send?.({ took }, () => process.exit()),
  (error) => fail('start', error.message),
);
