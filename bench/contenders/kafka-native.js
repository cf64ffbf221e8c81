'use strict';
const { readFileSync } = require('node:fs');
const { CompressionTypes, Kafka } = require('kafka-native');
const kafkajsApi = require('./kafkajs-api.js');

const kafka = ({ broker, ca }) => new Kafka({ clientId: 'bench', brokers: [broker], ...(ca && { ssl: { ca: readFileSync(ca, 'utf8') } }) });

/** The share of a client: every so many partitions. */
const share = ({ topic, partitions, client, clients }) =>
  Array.from({ length: Math.ceil((partitions - client) / clients) }, (_, i) => ({ topic, partition: client + i * clients, offset: 'beginning' }));

module.exports = kafkajsApi({
  consumer: (task) => kafka(task).consumer({ groupId: task.clients ? null : task.state }),
  subscribe: (consumer, task) => (task.clients ? consumer.assign(share(task)) : consumer.subscribe({ topics: [task.topic], fromBeginning: true })),
  producer: ({ linger, idempotent, largest, ...task }) => kafka(task).producer({ linger, idempotent, properties: { 'message.max.bytes': largest } }),
  sending: ({ acks, codec }) => ({ acks, compression: CompressionTypes[codec === 'none' ? 'None' : codec.toUpperCase()] }),
});
