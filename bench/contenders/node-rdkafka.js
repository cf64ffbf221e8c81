'use strict';
const { KafkaConsumer, Producer } = require('node-rdkafka');

/** Values that a call may bring, and the milliseconds that it waits for them. */
const BATCH = 1000;
const WAIT = 2;

const connected = (client) =>
  new Promise((resolve, reject) => {
    client.on('event.error', reject);
    client.connect({}, (error) => (error ? reject(error) : resolve()));
  });

exports.consume = async ({ broker, topic, state, commit }, receive) => {
  const consumer = new KafkaConsumer({ 'metadata.broker.list': broker, 'group.id': state, 'enable.auto.commit': commit }, { 'auto.offset.reset': 'earliest' });
  await connected(consumer);
  consumer.setDefaultConsumeTimeout(WAIT);
  consumer.subscribe([topic]);
  let ended = false;
  const next = () =>
    consumer.consume(BATCH, async (error, messages) => {
      if (ended) return;
      if (error) throw error;
      if (messages.length > 0) await receive(messages);
      next();
    });
  next();
  return {
    stop() {
      ended = true;
      return new Promise((resolve) => consumer.disconnect(resolve));
    },
  };
};

exports.producer = async ({ broker, topic, linger, acks, idempotent }) => {
  const producer = new Producer(
    { 'metadata.broker.list': broker, 'linger.ms': linger, 'enable.idempotence': idempotent, 'queue.buffering.max.messages': 1_000_000, dr_cb: true },
    { acks },
  );
  await connected(producer);
  producer.setPollInterval(1);
  producer.on('delivery-report', (error, report) => report.opaque(error));
  return {
    send: (messages) =>
      new Promise((resolve, reject) => {
        let left = messages.length;
        const delivered = (error) => (error ? reject(error) : --left === 0 && resolve());
        for (const { key, value, headers } of messages) producer.produce(topic, null, Buffer.from(value), key, null, delivered, headers && listed(headers));
      }),
    stop: () => new Promise((resolve) => producer.disconnect(resolve)),
  };
};

const listed = (headers) => Object.entries(headers).map(([name, value]) => ({ [name]: value }));
