'use strict';
// Payments by random people, for the other examples to receive.
//
//   KAFKA_BROKER=host:port node examples/send [topic] [count]

const { Producer } = require('kafka-native');

const topic = process.argv[2] ?? 'clicks';
const count = Number(process.argv[3] ?? 1000);
const ACCOUNTS = ['anna', 'ben', 'carla'];

let failed = 0;
const producer = new Producer({
  broker: process.env.KAFKA_BROKER ?? 'localhost:9092',
  delivery_report_callback: ({ errors, rdkafka_errinfo }) => {
    failed += errors;
    for (const { count, errstr, topic, partition } of rdkafka_errinfo) console.error(`${count} not delivered to ${topic}[${partition}]: ${errstr}`);
  },
});

const payments = Array.from({ length: count }, (_, i) => {
  const account = ACCOUNTS[Math.floor(Math.random() * ACCOUNTS.length)];
  return { key: account, value: JSON.stringify({ account, amount: i % 100 }) };
});
// The whole array crosses into the producer at once; what its queue (500 000 messages) has no room for is in `errors`.
const { enqueued, errors = [] } = producer.send(topic, -1, payments);
if (errors.length > 0) console.error(`${errors.length} were refused, the first because: ${errors[0].message}`);

producer.stop().then(
  () => console.log(`${enqueued - failed} messages are in ${topic}`), // on all in-sync replicas
  (error) => {
    console.error(error.message);
    process.exitCode = 1;
  },
);
