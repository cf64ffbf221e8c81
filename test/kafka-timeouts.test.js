'use strict';
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Kafka, KafkaJSNonRetriableError, Producer } = require('kafka-native');
const { cleanup } = require('./support/cleanup.js');
const { embedded, onBoth } = require('./support/clusters.js');
const { Calls } = require('./support/watch.js');

const [PRODUCE, NOT_ENOUGH_REPLICAS] = [0, 19];

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
      await assert.rejects(
        client.connect(),
        (error) => error instanceof KafkaJSNonRetriableError && /no\.such\.property/.test(error.message) && error.cause.code === '_INVALID_ARG',
      );
      await client.disconnect();
    }
  });
});

test('a send whose time is over says how the leader has refused messages', async (t) => {
  const cluster = await embedded();
  const topic = await cluster.topic(1);
  const { broker } = cluster.options();
  const producer = new Kafka({ brokers: broker.split(','), logLevel: 1, requestTimeout: 1000, retry: { retries: 2, initialRetryTime: 50 } }).producer();
  const reports = new Calls();
  const classic = new Producer({ broker, driver_options: { 'message.timeout.ms': 1000 }, delivery_report_callback: reports.take });
  cleanup(t, async () => {
    await Promise.all([producer.disconnect(), classic.stop()]);
    await cluster.close();
  });
  await producer.connect();
  cluster.mock.injectErrors(PRODUCE, Array(1000).fill(NOT_ENOUGH_REPLICAS));
  classic.send(topic, 0, ['x']);
  await assert.rejects(producer.send({ topic, messages: [{ value: 'x' }] }), ({ name, cause }) => {
    assert.deepEqual([name, cause.name, cause.type], ['KafkaJSNumberOfRetriesExceeded', 'KafkaJSProtocolError', 'NOT_ENOUGH_REPLICAS']);
    return true;
  });
  const {
    rdkafka_errinfo: [{ errstr }],
  } = await reports.until();
  assert.match(errstr, /timed out.*refused.*Not enough in-sync replicas/);
});
