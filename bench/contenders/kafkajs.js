'use strict';
const { Kafka, Partitioners, logLevel } = require('kafkajs');
const kafkajsApi = require('./kafkajs-api.js');

const kafka = ({ broker }) => new Kafka({ clientId: 'bench', brokers: [broker], logLevel: logLevel.NOTHING });

module.exports = kafkajsApi({
  consumer: (task) => kafka(task).consumer({ groupId: task.state }),
  producer: (task) => kafka(task).producer({ idempotent: task.idempotent, createPartitioner: Partitioners.DefaultPartitioner }),
});
