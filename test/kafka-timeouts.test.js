'use strict';
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Kafka, KafkaJSNonRetriableError } = require('kafka-native');
const { cleanup } = require('./support/cleanup.js');
const { onBoth } = require('./support/clusters.js');

onBoth('time-outs', (cluster) => {
  const kafka = (config) => {
    const { broker, driver_options: properties } = cluster().options();
    return new Kafka({ brokers: broker.split(','), properties, logLevel: 1, ...config });
  };

  test('a transaction may be shorter than a request, and a fetch wait longer than one', async (t) => {
    const topic = await cluster().topic(1);
    const producer = kafka().producer({ transactionalId: `t-${topic}`, transactionTimeout: 2000 });
    const consumer = kafka({ requestTimeout: 500 }).consumer({ groupId: `g-${topic}`, maxWaitTimeInMs: 3000 });
    cleanup(t, () => Promise.all([producer.disconnect(), consumer.disconnect()]));
    await producer.connect();
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: [{ value: 'in time' }] });
    await transaction.commit();
    await consumer.connect();
  });

  test('what librdkafka does not take rejects with its reason', async () => {
    const wrong = kafka({ properties: { 'no.such.property': 1 } });
    for (const client of [wrong.producer(), wrong.consumer({ groupId: 'g' }), wrong.admin()]) {
      await assert.rejects(client.connect(), (error) => error instanceof KafkaJSNonRetriableError && /no\.such\.property/.test(error.message) && error.cause.code === '_INVALID_ARG');
      await client.disconnect();
    }
  });
});
