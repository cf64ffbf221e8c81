'use strict';
// Every public call with any values: each answers, and what it refuses it refuses with an error that can be understood.

const path = require('node:path');
const { Admin, Consumer, Kafka, MockCluster, Producer, logLevel } = require('kafka-native');
const { folder, silent, within } = require('../support/flow.js');
const { wrongWith } = require('./rounds.js');
const values = require('./values.js');

/** Longer than anything takes that is refused, or tried again. */
const LONG = 45_000;
let made = 0;

/** Clients that live for some rounds. */
async function clients(cluster) {
  const { broker, driver_options } = cluster.options;
  const topic = `calls-${++made}`;
  cluster.createTopic(topic, { partitions: 2 });
  const kafka = new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING, retry: { retries: 1 }, requestTimeout: 1000 });
  const [producer, consumer, idle, admin] = [kafka.producer({ maxBlock: 1000 }), kafka.consumer({ groupId: topic }), kafka.consumer({ groupId: `${topic}-idle` }), kafka.admin()];
  await Promise.all([producer.connect(), consumer.connect(), admin.connect()]);
  await consumer.subscribe({ topic });
  await consumer.run({ eachMessage: async () => {} });
  const given = { broker, driver_options, logger: silent };
  const classicProducer = new Producer(given);
  const classicConsumer = new Consumer({ ...given, topic, offset_directory: folder(), receive_callback() {} });
  await classicConsumer.start();
  const small = new Admin(given);
  const mock = new MockCluster({ brokers: 1 });
  mock.createTopic('t', { partitions: 2 });
  return {
    topic, broker, given, producer, consumer, idle, admin, classicProducer, classicConsumer, small, mock,
    async end() {
      await Promise.all([producer.disconnect(), consumer.disconnect(), idle.disconnect(), admin.disconnect(), classicProducer.stop({ timeout: 2000 }).catch(() => {}), classicConsumer.stop()]);
      small.close();
      mock.close();
    },
  };
}

/** The options that a constructor knows, some of them anything. */
const OPTIONS = {
  kafka: ['brokers', 'clientId', 'ssl', 'sasl', 'retry', 'logLevel', 'logCreator', 'requestTimeout', 'connectionTimeout', 'properties', 'socketFactory', 'statisticsInterval'],
  producer: ['createPartitioner', 'retry', 'metadataMaxAge', 'allowAutoTopicCreation', 'idempotent', 'transactionalId', 'transactionTimeout', 'maxInFlightRequests', 'linger', 'maxBlock', 'properties'],
  consumer: ['groupId', 'partitionAssigners', 'sessionTimeout', 'rebalanceTimeout', 'heartbeatInterval', 'maxBytesPerPartition', 'maxBytes', 'minBytes', 'maxWaitTimeInMs', 'retry', 'rackId', 'groupInstanceId', 'groupProtocol', 'properties', 'offsetDirectory', 'maxMessagesPerBatch'],
  classic: ['broker', 'topic', 'offset_directory', 'receive_callback', 'stats_callback', 'error_callback', 'delivery_report_callback', 'driver_options', 'topic_options', 'logger', 'max_messages_per_callback', 'num_workers', 'worker_slot', 'offset_manager', 'payload_encoding', 'queue_buffering_max_ms'],
};

/** By name: what is called, with arguments of `any`. */
function table(c, { any, one, chance }) {
  const some = (base, names) => {
    const options = { ...base };
    for (const name of names) if (chance() < 0.15) options[name] = any();
    return chance() < 0.05 ? any() : options;
  };
  const kafka = (config) => new Kafka({ logLevel: logLevel.NOTHING, ...config });
  const base = { brokers: [c.broker] };
  const rows = {
    'new Kafka': () => new Kafka(some({ ...base, logLevel: logLevel.NOTHING }, OPTIONS.kafka)),
    'kafka.producer': () => kafka(base).producer(some({}, OPTIONS.producer)),
    'kafka.consumer': () => kafka(base).consumer(some({ groupId: 'g' }, OPTIONS.consumer)),
    'kafka.admin': () => kafka(base).admin(any()),
    'new Producer': () => new Producer(some(c.given, OPTIONS.classic)).stop({ timeout: 0 }).catch(() => {}),
    'new Consumer': () => void new Consumer(some({ ...c.given, topic: 't', offset_directory: path.join(folder(), 'x'), receive_callback() {} }, OPTIONS.classic)).stop(),
    'new Admin': () => new Admin(some(c.given, ['broker', 'driver_options', 'logger'])).close(),
    'new MockCluster': () => new MockCluster(chance() < 0.5 ? any() : { brokers: one([0, -1, 1.5, NaN, 'x', 1n, null]) }).close(),
    'producer.send': () => c.producer.send(chance() < 0.3 ? any() : { topic: chance() < 0.5 ? c.topic : any(), messages: chance() < 0.3 ? any() : [{ value: any(), key: chance() < 0.3 ? any() : 'k', headers: chance() < 0.5 ? any() : { h: any() }, partition: chance() < 0.3 ? any() : 0, timestamp: chance() < 0.3 ? any() : undefined }], ...(chance() < 0.3 && { acks: any(), compression: any(), timeout: any(), signal: any() }) }),
    'producer.sendBatch': () => c.producer.sendBatch(chance() < 0.3 ? any() : { topicMessages: chance() < 0.3 ? any() : [{ topic: c.topic, messages: [{ value: 'x' }] }, any()] }),
    'producer.flush': () => c.producer.flush(chance() < 0.5 ? any() : { timeout: any(), signal: any() }),
    'producer.transaction': () => c.producer.transaction(any()),
    'producer.stream': () => c.producer.stream(chance() < 0.5 ? any() : { topic: c.topic, highWaterMark: any() }),
    'producer.on': () => c.producer.on(any(), any()),
    'classic.send': () => void c.classicProducer.send(chance() < 0.5 ? c.topic : any(), chance() < 0.5 ? 0 : any(), chance() < 0.3 ? any() : [any(), { value: any(), key: any(), headers: any(), timestamp: any() }, { value: 'v', headers: { h: any() } }]),
    'classic.partition_count': () => c.classicProducer.partition_count(chance() < 0.5 ? c.topic : any(), chance() < 0.5 ? any() : { max_tries: 1, interval: any() }),
    'consumer.subscribe': () => c.idle.subscribe(chance() < 0.5 ? any() : { topic: any(), topics: any(), fromBeginning: any() }),
    'consumer.assign': () => c.idle.assign(any()),
    'consumer.seek': () => c.consumer.seek(chance() < 0.5 ? any() : { topic: c.topic, partition: any(), offset: any() }),
    'consumer.pause': () => c.consumer.pause(any()),
    'consumer.resume': () => c.consumer.resume(any()),
    'consumer.commitOffsets': () => c.consumer.commitOffsets(chance() < 0.5 ? any() : [{ topic: c.topic, partition: any(), offset: any(), metadata: any() }]),
    'consumer.on': () => c.consumer.on(any(), any()),
    'consumer.messages': () => void c.idle.messages(any()),
    'classic.stop': () => new Producer(c.given).stop(chance() < 0.5 ? any() : { timeout: any(), max_tries: any(), interval: any() }).catch((error) => { if (error.code !== 'ETIMEDOUT') throw error; }),
    'small.createTopic': () => c.small.createTopic(any(), chance() < 0.5 ? any() : { timeout: 100, partitions: any(), config: any() }),
    'small.deleteTopic': () => c.small.deleteTopic(any(), { timeout: 100 }),
    'small.createPartitions': () => c.small.createPartitions(any(), any(), { timeout: 100 }),
    'small.deleteRecords': () => c.small.deleteRecords(any(), any(), any(), { timeout: 100 }),
    'small.watermarks': () => c.small.watermarks(any(), any(), { timeout: 100 }),
  };
  for (const name of ['createTopic', 'brokerDown', 'brokerUp', 'setLeader', 'setFollower', 'injectErrors', 'setTopicError', 'setLatency']) rows[`mock.${name}`] = () => c.mock[name](any(), any(), any());
  const fields = ['topics', 'topic', 'groupId', 'partitions', 'acl', 'filters', 'resources', 'users', 'alterations', 'topicPartitions'];
  for (const name of ['createTopics', 'deleteTopics', 'createPartitions', 'fetchTopicMetadata', 'fetchTopicOffsets', 'fetchTopicOffsetsByTimestamp', 'deleteTopicRecords', 'electLeaders', 'describeConfigs', 'alterConfigs', 'incrementalAlterConfigs', 'describeGroups', 'deleteGroups', 'fetchOffsets', 'setOffsets', 'resetOffsets', 'deleteOffsets', 'createAcls', 'describeAcls', 'deleteAcls', 'describeUsers', 'alterUsers', 'on']) {
    rows[`admin.${name}`] = () => c.admin[name](chance() < 0.4 ? any() ?? {} : { ...Object.fromEntries(fields.filter(() => chance() < 0.5).map((field) => [field, any()])), timeout: 100 }, chance() < 0.5 ? { timeout: 100 } : any() ?? {}); // null, where a request belongs, is JavaScript's own TypeError
  }
  return rows;
}

let shared;
let uses = 0;

/** One round: some calls after one another, without waiting for one before the next. */
async function calls({ chance, found }, cluster) {
  if (shared?.cluster !== cluster || uses++ > 20) {
    await shared?.end();
    shared = { cluster, ...(await clients(cluster)) };
    uses = 0;
  }
  const tools = { ...values(chance), chance };
  const rows = table(shared, tools);
  const only = process.env.CALL;
  const names = Object.keys(rows).filter((name) => !only || name === only);
  const pending = [];
  for (let n = 0; n < 25; n++) {
    const name = tools.one(names);
    if (process.env.TRACE) require('node:fs').writeSync(2, `${name}\n`);
    const told = (error) => {
      const wrong = wrongWith(error);
      if (wrong) found(`${name}: ${wrong}`);
    };
    try {
      const answer = rows[name]();
      if (answer instanceof Promise) pending.push(within(LONG, name, () => answer.then(() => {}, told)).catch((error) => found(error.message)));
      else answer?.on?.('error', told).destroy?.();
    } catch (error) {
      told(error);
    }
    if (chance() < 0.2) await new Promise(setImmediate);
  }
  await Promise.all(pending);
}

module.exports = { calls };
