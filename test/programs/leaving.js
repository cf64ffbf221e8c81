'use strict';
// Ends by process.exit() with a client that was never stopped, and writes on stdout how many clients the exit listener gave up on.
//
// { client, topic, directory, kind }: kind is 'group', 'assigned', 'classic' (which have received a message, and recorded it) or
// 'sending' (which has sent 1001 messages and awaited nothing)

const fs = require('node:fs');
const { isMainThread, parentPort, workerData } = require('node:worker_threads');
const { Kafka, Producer } = require('kafka-native');
const { binding } = require('../../js/kafka-native/dist/loader.js');
const { Inbox, PATIENCE, consumer, offsets, silent } = require('../support/flow.js');
const { eventually } = require('../support/watch.js');

const { client, topic, directory, kind } = isMainThread ? JSON.parse(process.argv[2]) : workerData;
const kafka = new Kafka({ brokers: client.broker.split(','), logger: silent });

const { shutdown } = binding;
binding.shutdown = (ms) => {
  const began = performance.now();
  const left = shutdown(ms);
  fs.writeSync(1, JSON.stringify({ left, ms: Math.round(performance.now() - began) }));
  return left;
};

const begins = {
  async group() {
    const member = kafka.consumer({ groupId: topic });
    await member.connect();
    await member.subscribe({ topic, fromBeginning: true });
    const committed = new Promise((resolve) => member.on(member.events.COMMIT_OFFSETS, resolve));
    await member.run({ eachMessage: async () => {} });
    await committed;
  },
  async assigned() {
    const reader = kafka.consumer({ groupId: null });
    await reader.connect();
    await reader.assign([{ topic, partition: 0, offset: '0' }]);
    await new Promise((resolve, reject) => reader.run({ eachMessage: async () => resolve() }).catch(reject));
  },
  async classic() {
    const inbox = new Inbox();
    const made = consumer({ after() {} }, { options: () => client }, { topic, offset_directory: directory, receive_callback: inbox.receive });
    await made.start();
    await inbox.until(1);
    await eventually(PATIENCE, 'the offset file', () => offsets(directory, topic)[0] === 0);
  },
  async sending() {
    const producer = new Producer({ ...client, logger: silent });
    await producer.partition_count(topic);
    producer.send(topic, 0, Array.from({ length: 1001 }, (_, n) => `message ${n}`));
  },
};

begins[kind]().then(
  () => (isMainThread ? process.exit(0) : parentPort.postMessage('begun')),
  (error) => {
    console.error(error);
    process.exit(3);
  },
);
