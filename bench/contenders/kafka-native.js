'use strict';
const { Kafka } = require('kafka-native');
const kafkajsApi = require('./kafkajs-api.js');

const kafka = ({ broker }) => new Kafka({ clientId: 'bench', brokers: [broker] });

module.exports = kafkajsApi({
  consumer: (task) => kafka(task).consumer({ groupId: task.state }),
  producer: (task) => kafka(task).producer({ linger: task.linger, idempotent: task.idempotent }),
});
