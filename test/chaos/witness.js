'use strict';
// Records in Kafka, as KafkaJS reads them: no code of ours decides what was written.

const net = require('node:net');
const { Kafka, Partitioners, logLevel } = require('kafkajs');
const { within } = require('../support/flow.js');

/** The last message of every partition, so that reading to the end has an end: behind it may be a transaction's marker. */
const END = 'end';

class Witness {
  // KafkaJS forgets a connection that it opens while it disconnects.
  #sockets = new Set();

  constructor(brokers) {
    const socketFactory = ({ host, port, onConnect }) => {
      const socket = net.connect({ host, port }, onConnect);
      this.#sockets.add(socket);
      return socket.once('close', () => this.#sockets.delete(socket));
    };
    this.kafka = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING, socketFactory, retry: { retries: 20 } });
    this.admin = this.kafka.admin();
  }

  async connect() {
    await this.admin.connect();
  }

  async make(topics, numPartitions) {
    await this.admin.createTopics({
      waitForLeaders: true,
      topics: topics.map((topic) => ({ topic, numPartitions, replicationFactor: 3, configEntries: [{ name: 'min.insync.replicas', value: '2' }] })),
    });
  }

  /** The next offsets of a group: 'topic/partition' -> offset, where it has committed one. */
  async committed(groupId, topics) {
    const found = await this.admin.fetchOffsets({ groupId, topics });
    return new Map(found.flatMap(({ topic, partitions }) => partitions.filter(({ offset }) => offset !== '-1').map(({ partition, offset }) => [`${topic}/${partition}`, Number(offset)])));
  }

  /** The offsets behind the last messages. */
  async ends(topic) {
    const found = await this.admin.fetchTopicOffsets(topic);
    return new Map(found.map(({ partition, high }) => [`${topic}/${partition}`, Number(high)]));
  }

  /** Writes an end mark into every partition. */
  async mark(topics, partitions) {
    const producer = this.kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    for (const topic of topics) await producer.send({ topic, messages: Array.from({ length: partitions }, (_, partition) => ({ partition, value: END })) });
    await producer.disconnect();
  }

  /** Everything that is committed, up to the end marks. @returns {Promise<import('./judge.js').Log>} */
  async read(topics, partitions) {
    const log = new Map(topics.flatMap((topic) => Array.from({ length: partitions }, (_, partition) => [`${topic}/${partition}`, []])));
    const open = new Set(log.keys());
    const consumer = this.kafka.consumer({ groupId: `witness-${process.pid}`, maxWaitTimeInMs: 100 });
    await consumer.connect();
    await consumer.subscribe({ topics, fromBeginning: true });
    await within(300_000, () => `the end of ${[...open]}`, () => new Promise((resolve, reject) => {
      consumer.on(consumer.events.CRASH, ({ payload: { error, restart } }) => restart || reject(error));
      consumer.run({
        eachBatch: async ({ batch }) => {
          const place = `${batch.topic}/${batch.partition}`;
          const messages = log.get(place);
          for (const { offset, value } of batch.messages) {
            // A batch that comes again, after a retry of KafkaJS's, changes nothing.
            if (messages.length === 0 || Number(offset) > messages.at(-1).offset) messages.push({ offset: Number(offset), value: value.toString() });
            if (value.toString() === END) open.delete(place);
          }
          if (open.size === 0) resolve();
        },
      }).catch(reject);
    }));
    await consumer.disconnect();
    return log;
  }

  async close() {
    await this.admin.disconnect();
    for (const socket of this.#sockets) socket.destroy();
  }
}

module.exports = { Witness };
