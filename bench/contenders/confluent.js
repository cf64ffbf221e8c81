'use strict';
const { Kafka, logLevel } = require('@confluentinc/kafka-javascript').KafkaJS;
const kafkajsApi = require('./kafkajs-api.js');

const kafka = ({ broker }) => new Kafka({ kafkaJS: { clientId: 'bench', brokers: [broker], logLevel: logLevel.NOTHING } });

module.exports = kafkajsApi({
  // This client takes the options of KafkaJS's `subscribe`, `run` and `send` when it is made.
  consumer: (task) => kafka(task).consumer({ kafkaJS: { groupId: task.state, fromBeginning: true, autoCommit: task.commit } }),
  producer: (task) => kafka(task).producer({ kafkaJS: { acks: task.acks, idempotent: task.idempotent }, 'linger.ms': task.linger }),
  subscribe: (client, task) => client.subscribe({ topics: [task.topic] }),
  run: () => ({}),
  sending: () => ({}),
});
