'use strict';
const { LogLevel, createKafkaClient, setLogLevel } = require('kafka-ts');

setLogLevel(LogLevel.ERROR);

function client({ broker }) {
  const [host, port] = broker.split(':');
  return createKafkaClient({ clientId: 'bench', bootstrapServers: [{ host, port: Number(port) }] });
}

/** It commits after every batch; that cannot be turned off. */
exports.consume = async (task, receive) => {
  const consumer = await client(task).startConsumer({
    groupId: task.state,
    topics: [task.topic],
    fromBeginning: true,
    onBatch: (messages) => receive(messages),
  });
  return { stop: () => consumer.close() };
};

/** Its producer is always idempotent or not as it likes, waits for all replicas, and takes strings alone. */
exports.producer = async (task) => {
  if (!task.strings) throw new Error('it sends strings only');
  if (task.acks !== -1) throw new Error('its acks cannot be chosen');
  const producer = client(task).createProducer({});
  return {
    send: (messages) => producer.send(messages.map((message) => ({ topic: task.topic, ...message }))),
    stop: () => producer.close(),
  };
};
