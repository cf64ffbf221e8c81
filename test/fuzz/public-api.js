'use strict';
// Every public call with values that are programs, and what was accepted read back. See rounds.js for how it is repeated.

const { Kafka, MockCluster, Partitioners, Producer, logLevel } = require('kafka-native');
const { silent } = require('../support/flow.js');
const { calls } = require('./calls.js');
const { Oracle, PARTITIONS } = require('./oracle.js');
const { main } = require('./rounds.js');

let cluster;
let topics = 0;
const budgets = [{}, {}, { 'queue.buffering.max.messages': 3 }, { 'queue.buffering.max.kbytes': 2 }];

async function produce({ chance, found }) {
  const one = (list) => list[Math.floor(chance() * list.length)];
  const { broker, driver_options } = cluster.options;
  const topic = `fuzz-${++topics}`;
  cluster.createTopic(topic, { partitions: PARTITIONS });
  const kafka = new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING });
  const partitioner = one([undefined, undefined, Partitioners.LegacyPartitioner, () => ({ message }) => message.partition]);
  const modern = kafka.producer({ linger: one([0, 0.5, 5]), properties: one(budgets), ...(partitioner && { createPartitioner: partitioner }) });
  await modern.connect();
  const classic = new Producer({ broker, driver_options, logger: silent, queue_buffering_max_ms: 1 });
  const end = Array.from({ length: PARTITIONS }, (_, partition) => ({ value: 'the end', partition }));

  const kafkajs = Object.assign((messages) => (chance() < 0.7 ? modern.send({ topic, messages }) : modern.sendBatch({ topicMessages: [{ topic, messages }] })).then(() => {
    if (chance() < 0.5) queueMicrotask(() => {});
    return planted(messages);
  }), { kafkajs: true });
  const planted = () => [];
  const first = new Oracle(chance, found, topic, kafkajs);
  const own = `${topic}-classic`;
  cluster.createTopic(own, { partitions: PARTITIONS });
  const second = new Oracle(chance, found, own, (payloads, partition) => classic.send(own, partition, payloads).errors?.filter(({ message }) => /planted/.test(message) || found(`refused: ${message}`)));

  for (let n = Math.floor(chance() * 12); n >= 0; n--) {
    one([first, second]).call();
    if (chance() < 0.3) await new Promise(setImmediate);
  }
  await Promise.all([first.answered(), second.answered()]);
  await modern.send({ topic, messages: end });
  for (const { partition, value } of end) classic.send(own, partition, [value]);
  await first.compare(cluster.options);
  await second.compare(cluster.options);
  await Promise.all([modern.disconnect(), classic.stop()]);
}

main(__filename, async (tools) => {
  if (tools.n % 300 === 0) {
    cluster?.close();
    cluster = new MockCluster({ brokers: 1 });
  }
  await (process.env.ORACLE || tools.chance() < 0.5 ? produce(tools) : calls(tools, cluster));
}, { end: async () => cluster?.close() });
