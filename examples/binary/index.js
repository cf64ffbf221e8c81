'use strict';
// Binary payloads and keys: sensors that send packed numbers. Sends some, receives them, and ends.
//
//   KAFKA_BROKER=host:port node examples/binary [topic]

const { randomBytes } = require('node:crypto');
const { Consumer, Producer } = require('kafka-native');

const broker = process.env.KAFKA_BROKER ?? 'localhost:9092';
const topic = process.argv[2] ?? `samples-${Date.now()}`;

const SENSORS = Array.from({ length: 3 }, () => randomBytes(16));

/** The measurement of one sensor, as Kafka carries it: any Uint8Array does, also as a key or a header. */
function sample(sensor) {
  const values = Float64Array.from({ length: 4 }, () => Math.random() * 100);
  return {
    key: sensor, // -1 below: messages with one key go to one partition, and stay in order
    value: new Uint8Array(values.buffer),
    headers: { unit: 'celsius', checksum: Buffer.of(sum(values)) },
  };
}

/** A byte that changes when a byte of the numbers does. */
function sum(values) {
  return new Uint8Array(values.buffer).reduce((total, byte) => (total + byte) & 0xff, 0);
}

async function main() {
  const producer = new Producer({
    broker,
    delivery_report_callback: ({ errors, rdkafka_errinfo }) => console.error(`${errors} were not delivered`, rdkafka_errinfo),
  });
  const sent = SENSORS.flatMap((sensor) => [sample(sensor), sample(sensor), { key: sensor, value: null }]); // null: a tombstone
  producer.send(topic, -1, [...sent, { key: null, value: new Uint8Array() }]); // empty is not null
  await producer.stop();

  let left = sent.length + 1;
  const consumer = new Consumer({
    broker,
    topic,
    offset_directory: process.env.OFFSETS ?? './offsets',
    payload_encoding: 'buffer',
    key_encoding: 'buffer',
    receive_callback: ({ messages }) => {
      for (const message of messages) console.log(describe(message));
      left -= messages.length;
      if (left === 0) consumer.stop(); // it records these first; then nothing keeps the process
    },
  });
  await consumer.start();
}

/** @param {import('kafka-native').Message<'buffer', 'buffer'>} message */
function describe({ key, payload, headers }) {
  if (payload === null) return `${key?.toString('hex')}: is gone`;
  if (key === undefined) return `without a key: ${payload.length} bytes`;
  // A Buffer is a view on the batch that it came in, wherever that begins: an array of numbers needs an aligned copy.
  const values = new Float64Array(new Uint8Array(payload).buffer);
  if (sum(values) !== headers?.checksum?.[0]) throw new Error(`${key.toString('hex')}: the payload was changed`);
  return `${key.toString('hex')}: ${[...values].map((value) => value.toFixed(1)).join(' ')} ${headers?.unit}`;
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
