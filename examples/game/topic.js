// The topics of the game, on whichever brokers.

import { Kafka, Partitioners, logLevel } from 'kafka-native';

/** Partitions of the topic of events. Each game is in one of them, and they can be led by different brokers. */
export const PARTITIONS = 4;
/** Copies of each partition. */
export const REPLICAS = 2;

/** Milliseconds. By default librdkafka waits up to 10 s until it tries a broker again, and up to 1 s until it asks who leads now. */
const BACK_OFF = { 'reconnect.backoff.ms': '50', 'reconnect.backoff.max.ms': '500', 'retry.backoff.max.ms': '250' };

/** The topic of snapshots. @param {string} topic of events */
export const snapshotsOf = (topic) => `${topic}-snapshots`;

/** A client of the brokers. @param {string} brokers a list with commas */
export const connection = (brokers) => new Kafka({ clientId: 'game', brokers: brokers.split(','), properties: BACK_OFF, logLevel: logLevel.ERROR });

/** @typedef {ReturnType<InstanceType<typeof Kafka>['admin']>} Admin */

/**
 * Makes what is not there.
 *
 * @param {Admin} admin
 * @param {string} topic
 */
export async function ensureTopics(admin, topic) {
  const there = new Set(await admin.listTopics());
  const wanted = [
    // For ever: a game is what its events make of it.
    { topic, numPartitions: PARTITIONS, config: { 'retention.ms': '-1', 'retention.bytes': '-1' } },
    { topic: snapshotsOf(topic), numPartitions: 1, config: { 'cleanup.policy': 'compact' } },
  ].filter((each) => !there.has(each.topic));
  if (wanted.length === 0) return;
  const live = async () => (await admin.describeCluster()).brokers.length;
  const tooFew = (/** @type {number} */ count) =>
    new Error(`the topic ${topic} has ${REPLICAS} replicas of each partition and needs as many live brokers; there is ${count}. Start the others first`);
  const before = await live();
  if (before < REPLICAS) throw tooFew(before);
  try {
    await admin.createTopics({
      topics: wanted.map(({ config, ...each }) => ({
        ...each,
        replicationFactor: REPLICAS,
        // With 2 a game whose partition has lost a broker would stand still.
        configEntries: Object.entries({ ...config, 'min.insync.replicas': '1' }).map(([name, value]) => ({ name, value })),
      })),
    });
  } catch (error) {
    // A broker may have gone meanwhile.
    if (/** @type {any} */ (error).errors?.some(({ type }) => type === 'INVALID_REPLICATION_FACTOR')) throw tooFew(await live());
    throw error;
  }
}

/** How many partitions the topic has. @param {Admin} admin @param {string} topic */
export async function partitionsOf(admin, topic) {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic], leaderless: true });
  return topics[0].partitions;
}

/**
 * In which partition a game is: where Java's clients, kcat (`-X partitioner=murmur2_random`) and ours put its name as a key. An event that
 * somebody wrote with that key to another partition has no place in the game's order.
 *
 * @param {string} game
 * @param {number} partitions
 */
export function homeOf(game, partitions) {
  const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({ partitionId, partitionErrorCode: 0, leader: 0, replicas: [], isr: [] }));
  return Partitioners.DefaultPartitioner()({ topic: '', partitionMetadata, message: { key: game, value: null } });
}
