'use strict';
// The two kinds of cluster that a flow runs on: the embedded one, and the real Apache Kafka.

const { after, before, describe } = require('node:test');
const { randomBytes } = require('node:crypto');
const { Admin, MockCluster } = require('kafka-native');
const { KafkaCluster } = require('@kafka-native/kafka-for-tests');
const { eventually } = require('./watch.js');

/**
 * A cluster as a flow sees it.
 *
 * @typedef {object} Cluster
 * @property {string} kind 'embedded' or 'real'
 * @property {() => { broker: string, driver_options?: object }} options to be spread into a client's options
 * @property {(partitions?: number, options?: object) => Promise<string>} topic makes a topic with a name of its own
 * @property {MockCluster} [mock] the embedded one itself
 * @property {(topic: string, partitions: number) => Promise<void>} [grow] of the real one: adds partitions, up to so many
 * @property {Admin} [admin] of the real one
 * @property {InstanceType<typeof KafkaCluster>} [kafka] the real one's launcher; absent when KAFKA_BROKER names a cluster that is already there
 */

let topics = 0;
/** A name that no other test has, also on a cluster that outlives the tests. */
function topicName(prefix = 'flow') {
  return `${prefix}-${process.pid}-${randomBytes(3).toString('hex')}-${++topics}`;
}

/** @returns {Promise<Cluster & { close(): Promise<void> }>} */
async function embedded({ brokers = 1 } = {}) {
  const cluster = new MockCluster({ brokers });
  return {
    kind: 'embedded',
    mock: cluster,
    options: () => cluster.options,
    topic: async (partitions = 4) => {
      const name = topicName();
      cluster.createTopic(name, { partitions });
      return name;
    },
    close: async () => cluster.close(),
  };
}

/**
 * Waits until the leader of every partition of a topic answers: for a moment brokers refuse what the controller has just made them lead,
 * and what a test sends then comes a back-off later.
 */
async function settled(admin, topic, partitions) {
  const answers = (_, partition) => eventually(90_000, `the leader of ${topic}/${partition}`, () => admin.watermarks(topic, partition));
  await Promise.all(Array.from({ length: partitions }, answers));
}

/**
 * The cluster that KAFKA_BROKER names, else a fresh one. A test that destroys takes its own: `real({ own: true })`.
 *
 * @param {{ own?: boolean } & Parameters<typeof KafkaCluster.start>[0]} [how]
 * @returns {Promise<Cluster & { close(): Promise<void> }>}
 */
async function real({ own = false, ...how } = {}) {
  const given = own ? undefined : process.env.KAFKA_BROKER;
  const kafka = given ? undefined : await KafkaCluster.start(how);
  const broker = kafka?.brokers ?? String(given);
  const admin = new Admin({ broker });
  return {
    kind: 'real',
    kafka,
    admin,
    options: () => ({ broker }),
    topic: async (partitions = 4, options = {}) => {
      const name = topicName();
      await admin.createTopic(name, { partitions, replication: 1, ...options });
      await settled(admin, name, partitions);
      return name;
    },
    grow: async (/** @type {string} */ topic, /** @type {number} */ partitions) => {
      await admin.createPartitions(topic, partitions);
      await settled(admin, topic, partitions);
    },
    close: async () => {
      admin.close();
      await kafka?.stop({ wipe: true });
    },
  };
}

/**
 * Runs the same flows on both kinds: `flows` defines tests, `cluster()` is there when they run.
 *
 * @param {string} name
 * @param {(cluster: () => Cluster) => void} flows
 */
function onBoth(name, flows) {
  for (const [kind, make] of Object.entries({ embedded, real })) {
    describe(`${name}, ${kind} cluster`, () => {
      /** @type {any} */ let cluster;
      before(async () => (cluster = await make()));
      after(() => cluster?.close());
      flows(() => cluster);
    });
  }
}

module.exports = { embedded, onBoth, real, topicName };
