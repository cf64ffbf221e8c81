'use strict';
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Kafka } = require('kafka-native');
const { cleanup } = require('./support/cleanup.js');
const { onBoth } = require('./support/clusters.js');

onBoth('metrics', (cluster) => {
  test('the metrics of a Kafka say what its clients sent, received and have still to read, until they are disconnected', async (t) => {
    const topic = await cluster().topic(2);
    const { broker, driver_options: properties } = cluster().options();
    const alive = setInterval(() => {}, 1000); // an idle producer keeps no process
    cleanup(t, () => clearInterval(alive));
    /** @type {((found?: unknown) => void)[]} */
    let waiting = [];
    const kafka = new Kafka({
      clientId: 'shop',
      brokers: broker.split(','),
      properties,
      statisticsInterval: 100,
      onStatistics: () => waiting.splice(0).forEach((look) => look()),
      logLevel: 1,
    });
    const until = async (name, labels, value) => {
      const line = new RegExp(`^kafka_client_${name}\\{client="shop#${labels}\\} ${value}$`, 'm');
      while (!line.test(kafka.metrics())) await new Promise((resolve) => waiting.push(resolve));
    };
    const [producer, consumer] = [kafka.producer(), kafka.consumer({ groupId: `metrics-${topic}` })];
    cleanup(t, () => Promise.all([producer.disconnect(), consumer.disconnect()]));
    assert.equal(kafka.metrics(), '');
    await producer.connect();
    await producer.send({ topic, messages: Array.from({ length: 30 }, (_, i) => ({ value: `${i}`, partition: i % 2 })) });
    await until('messages_sent_total', 'producer-\\d+",client_id="shop"', 30);
    await until('partition_messages_sent_total', `producer-\\d+",client_id="shop",topic="${topic}",partition="1"`, 15);
    await until('broker_up', 'producer-\\d+",client_id="shop",broker="[^"]+/\\d+"', 1);

    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    let received = 0;
    const all = new Promise((resolve) => {
      consumer.run({ eachMessage: async () => void (++received === 30 && resolve(undefined)) });
    });
    await all;
    await until('assigned_partitions', 'consumer-\\d+",client_id="shop"', 2);
    await until('partition_consumer_lag', `consumer-\\d+",client_id="shop",group="metrics-${topic}",topic="${topic}",partition="0"`, 0);
    await Promise.all([producer.disconnect(), consumer.disconnect()]);
    assert.equal(kafka.metrics(), '');

    // Without a group it is what is not processed.
    const reader = kafka.consumer({ groupId: null });
    cleanup(t, () => reader.disconnect());
    await reader.subscribe({ topics: [topic], from: 'beginning' });
    /** @type {() => void} */ let go = () => {};
    const held = new Promise((resolve) => (go = () => resolve(undefined)));
    await reader.run({ partitionsConsumedConcurrently: 2, eachMessage: async () => void (await held) });
    await until('partition_consumer_lag', `consumer-\\d+",client_id="shop",topic="${topic}",partition="1"`, 15);
    go();
    await until('partition_consumer_lag', `consumer-\\d+",client_id="shop",topic="${topic}",partition="1"`, 0);
    await reader.disconnect();
    assert.equal(kafka.metrics(), '');
  });
});
