'use strict';
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { kafka, fake, memoryLogger } = require('./support.js');

test('the options of a mock cluster survive JSON and make clients of it', () => {
  const cluster = new kafka.MockCluster({ brokers: 3 });
  const options = JSON.parse(JSON.stringify(cluster.options));
  assert.deepEqual(options, cluster.options);
  new kafka.Producer({ ...options });
  assert.equal(fake.made.producers.at(-1).options.broker, '127.0.0.1:1');
  assert.deepEqual(fake.made.clusters.at(-1).options, { brokers: 3 });
});

test('a mock cluster passes its faults on, and closes once', () => {
  const cluster = new kafka.MockCluster();
  cluster.createTopic('t', { partitions: 4, replication: 2 });
  cluster.createTopic('u');
  cluster.brokerDown(1);
  cluster.brokerUp(1);
  cluster.setLeader('t', 0, 2);
  cluster.setFollower('t', 0, 1);
  cluster.injectErrors(0, [-195]);
  cluster.setTopicError('t', 29);
  cluster.setLatency(20);
  cluster.setLatency(5, 2);
  cluster.close();
  cluster.close();
  assert.deepEqual(fake.made.clusters.at(-1).calls, [
    ['createTopic', 't', 4, 2], ['createTopic', 'u', 1, 1], ['brokerDown', 1], ['brokerUp', 1], ['setLeader', 't', 0, 2], ['setFollower', 't', 0, 1],
    ['pushErrors', 0, [-195]], ['setTopicError', 't', 29], ['setLatency', -1, 20], ['setLatency', 2, 5], ['close'],
  ]);
  assert.throws(() => new kafka.MockCluster({ brokers: 0 }), { name: 'RangeError', message: /brokers/ });
});

test('admin calls resolve with what the broker replied, reject with its error, and end with close', async () => {
  const admin = new kafka.Admin({ broker: 'b', driver_options: { 'client.id': 'me' }, logger: memoryLogger() });
  const native = fake.made.admins.at(-1);
  assert.deepEqual(native.options, { tokens: false, properties: [['bootstrap.servers', 'b'], ['client.id', 'me']] });
  const asked = () => {
    const [, name, fields, timeout] = native.last('request');
    return [name, JSON.parse(fields), timeout];
  };

  const created = admin.createTopic('t', { partitions: 3, config: { 'retention.ms': 5 } });
  await null;
  assert.deepEqual(asked(), ['CreateTopics', { topics: [{ topic: 't', partitions: 3, replication: -1, config: [['retention.ms', '5']] }] }, 30_000]);
  native.reply('request', JSON.stringify([{ name: 't', result: { Ok: null } }]));
  await created;

  const deleted = admin.deleteRecords('t', 0, -1, { timeout: 10 });
  await null;
  assert.deepEqual(asked(), ['DeleteRecords', { before: [{ topic: 't', partition: 0, offset: -1 }] }, 10]);
  const error = { kind: 'kafka', code: 29, name: 'TOPIC_AUTHORIZATION_FAILED', message: 'no', retriable: false, fatal: false };
  native.reply('request', JSON.stringify([{ topic: 't', partition: 0, result: { Err: error } }]));
  await assert.rejects(deleted, { code: 'TOPIC_AUTHORIZATION_FAILED' });

  const grown = admin.createPartitions('t', 5);
  await null;
  native.reply('request', undefined, { ...error, kind: 'timeout', code: -185, name: '_TIMED_OUT' });
  await assert.rejects(grown, { code: 'ETIMEDOUT' });

  await assert.rejects(admin.createTopic('t', { partitions: 'x' }), { name: 'TypeError', message: /Admin.createTopic: the option partitions/ });
  admin.close();
  admin.close();
  assert.equal(native.names().filter((name) => name === 'close').length, 1);
  await assert.rejects(admin.deleteTopic('t'), { code: '_STATE' });
});

test('Errors and Offsets are the tables of librdkafka', () => {
  assert.equal(kafka.Errors['-195'], 'RD_KAFKA_RESP_ERR__TRANSPORT');
  assert.equal(kafka.Errors[29], 'RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED');
  assert.deepEqual({ ...kafka.Offsets }, { RD_KAFKA_OFFSET_BEGINNING: -2, RD_KAFKA_OFFSET_END: -1, RD_KAFKA_OFFSET_STORED: -1000, RD_KAFKA_OFFSET_INVALID: -1001 });
});
