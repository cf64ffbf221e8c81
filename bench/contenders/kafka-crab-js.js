'use strict';
const { KafkaClient } = require('kafka-crab-js');

const client = ({ broker }) => new KafkaClient({ brokers: broker, clientId: 'bench' });

exports.payload = (message) => message.payload;

/** Web Stream batches, with the sizes of its own benchmarks. */
exports.consume = async (task, receive) => {
  const { consumer, stream } = client(task).createWebStreamConsumer({
    groupId: task.state,
    enableAutoCommit: task.commit,
    batchSize: 4096,
    batchTimeout: 2,
    configuration: { 'auto.offset.reset': 'earliest' },
  });
  await consumer.subscribe(task.topic);
  const reader = stream.getReader();
  const read = async () => {
    for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) await receive(value);
  };
  const reading = read();
  return {
    async stop() {
      await reader.cancel();
      await reading;
      await consumer.disconnect();
    },
  };
};

exports.producer = async (task) => {
  const configuration = { 'linger.ms': String(task.linger), acks: String(task.acks), 'enable.idempotence': String(task.idempotent) };
  const producer = client(task).createProducer({ configuration });
  return {
    send: (messages) => producer.send({ topic: task.topic, messages: messages.map(record) }),
    async stop() {},
  };
};

const bytes = (text) => Buffer.from(text);
const record = ({ key, value, headers }) => ({
  key: key && bytes(key),
  payload: bytes(value),
  headers: headers && Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, bytes(text)])),
});
