'use strict';
// The default of each option: that it reaches the addon, and that the option's own page says so.
const assert = require('node:assert/strict');
const { readFileSync } = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { kafka, fake, memoryLogger, makeProducer, makeConsumer } = require('./support.js');
const { readKafkaConfig } = require('../dist/kafka/config.js');
const { concurrencyOf } = require('../dist/kafka/consumer/runner.js');
const { SEND } = require('../dist/kafka/producer/messages.js');
const { readProducerConfig } = require('../dist/kafka/producer/config.js');

const logger = memoryLogger();
const kafkaConfig = { brokers: ['b:1'], logger };

/** Each of these is the value that the option's comment in this source file tells as its default. */
function assertTold(file, values) {
  const source = readFileSync(path.join(__dirname, '../src', file), 'utf8');
  for (const [option, value] of Object.entries(values)) {
    const [, comment] = source.match(new RegExp(`/\\*\\*((?:(?!\\*/)[^])*)\\*/\\s+${option}\\?:`)) ?? assert.fail(`${file} has no ${option}`);
    const text = value >= 10_000 ? String(value).replace(/\B(?=(\d{3})+$)/g, ' ') : String(value);
    assert.match(comment.replace(/\s*\n\s*\*\s*/g, ' '), new RegExp(`default:? [\`']*${text}\\b`, 'i'), `${file} tells another default of ${option} than ${text}`);
  }
}

test('defaults of the classic producer', () => {
  const { producer, native } = makeProducer({ stats_callback() {} });
  const { statisticsIntervalMs, maxMessages, properties } = native.options;
  const options = { statistics_interval_ms: statisticsIntervalMs, queue_buffering_max_messages: maxMessages, queue_buffering_max_ms: Number(Object.fromEntries(properties)['linger.ms']) };
  assert.deepEqual(options, { statistics_interval_ms: 5000, queue_buffering_max_messages: 500_000, queue_buffering_max_ms: 250 });
  assertTold('classic/producer-options.ts', options);
  void producer.partition_count('t').catch(() => {});
  const [, , max_tries, interval] = native.last('partitionCount');
  assert.deepEqual({ max_tries, interval }, { max_tries: 15, interval: 1000 });
  assertTold('classic/producer.ts', { max_tries, interval });
  native.reply('partitionCount', 1);
});

test('defaults of the classic consumer', () => {
  const { maxMessagesPerBatch, statisticsIntervalMs, queuedMaxKbytes, workers, slot } = makeConsumer({ stats_callback() {} }).native.options;
  const options = { max_messages_per_callback: maxMessagesPerBatch, statistics_interval_ms: statisticsIntervalMs, queued_max_messages_kbytes: queuedMaxKbytes, num_workers: workers, worker_slot: slot };
  assert.deepEqual(options, { max_messages_per_callback: 10_000, statistics_interval_ms: 5000, queued_max_messages_kbytes: 1_000_000, num_workers: 1, worker_slot: 0 });
  assertTold('classic/consumer-options.ts', options);
});

test('defaults of the classic admin', () => {
  const admin = new kafka.Admin({ broker: 'b', logger });
  const deleted = admin.deleteTopic('t');
  const native = fake.made.admins.at(-1);
  const timeout = native.last('request').at(-1);
  assert.equal(timeout, 30_000);
  assertTold('admin.ts', { timeout });
  native.reply('request', JSON.stringify([{ result: { Ok: null } }]));
  return deleted.then(() => admin.close());
});

test('defaults of a Kafka', async () => {
  const { clientId, connectionTimeout, requestTimeout, metrics, retry } = readKafkaConfig(kafkaConfig);
  const secured = Object.fromEntries(await readKafkaConfig({ ...kafkaConfig, ssl: true, properties: { 'ssl.ca.location': '/ca.pem' } }).properties());
  const authenticationTimeout = secured['socket.connection.setup.timeout.ms'] - connectionTimeout;
  const options = { clientId, connectionTimeout, authenticationTimeout, requestTimeout };
  assert.deepEqual(options, { clientId: 'kafkajs', connectionTimeout: 1000, authenticationTimeout: 10_000, requestTimeout: 30_000 });
  assertTold('kafka/config.ts', { ...options, statisticsInterval: metrics.wanted ? NaN : 0 });
  assert.deepEqual(retry, { maxRetryTime: 30_000, initialRetryTime: 300, factor: 0.2, multiplier: 2, retries: 5 });
  assertTold('kafka/client.ts', retry);
});

test('defaults of the producer of a Kafka', () => {
  const context = readKafkaConfig(kafkaConfig);
  const { properties, limits, idempotent, transactionTimeout, metadataMaxAge } = readProducerConfig(undefined, context, logger);
  const said = Object.fromEntries(properties);
  const options = { linger: Number(said['linger.ms']), metadataMaxAge, allowAutoTopicCreation: said['allow.auto.create.topics'] === 'true', idempotent, transactionTimeout };
  assert.deepEqual(options, { linger: 0.5, metadataMaxAge: 300_000, allowAutoTopicCreation: true, idempotent: false, transactionTimeout: 60_000 });
  assertTold('kafka/producer/config.ts', options);
  assert.deepEqual(limits, { messages: 100_000, bytes: 1_048_576 * 1024, maxBlock: Infinity });
  assert.equal(SEND.timeout, 30_000);
  assertTold('kafka/producer/messages.ts', { timeout: SEND.timeout });
  const { writableHighWaterMark: highWaterMark } = new kafka.Kafka(kafkaConfig).producer().stream({ topic: 't' });
  assert.equal(highWaterMark, 1000);
  assertTold('kafka/producer/stream.ts', { highWaterMark });
});

test('defaults of the consumer of a Kafka', async () => {
  const optionsOf = async (config) => {
    const consumer = new kafka.Kafka(kafkaConfig).consumer(config);
    await consumer.connect();
    const { options } = fake.made.groups.at(-1);
    await consumer.disconnect();
    return { ...options, ...Object.fromEntries(options.properties) };
  };
  const member = await optionsOf({ groupId: 'g' });
  const alone = await optionsOf({ groupId: null });
  assert.equal(member['partition.assignment.strategy'], 'cooperative-sticky');
  assert.equal(member['topic.metadata.refresh.interval.ms'], '5000');
  const options = {
    sessionTimeout: Number(member['session.timeout.ms']), rebalanceTimeout: Number(member['max.poll.interval.ms']), heartbeatInterval: Number(member['heartbeat.interval.ms']),
    metadataMaxAge: Number(alone['topic.metadata.refresh.interval.ms']), maxBufferedBytes: member.budgetBytes, maxMessagesPerBatch: member.maxMessagesPerBatch,
    allowAutoTopicCreation: member['allow.auto.create.topics'] === 'true', readUncommitted: member['isolation.level'] === 'read_uncommitted',
  };
  assert.deepEqual(options, {
    sessionTimeout: 30_000, rebalanceTimeout: 60_000, heartbeatInterval: 3000, metadataMaxAge: 5000, maxBufferedBytes: 67_108_864, maxMessagesPerBatch: 2000,
    allowAutoTopicCreation: true, readUncommitted: false,
  });
  assertTold('kafka/consumer/config.ts', options);
  assert.equal(concurrencyOf({}), 1);
  assertTold('kafka/consumer/runner.ts', { partitionsConsumedConcurrently: concurrencyOf({}) });
});
