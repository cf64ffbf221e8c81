'use strict';
const assert = require('node:assert/strict');
const { test } = require('node:test');
const kafkajs = require('kafkajs');
const kafkajsCodes = require('kafkajs/src/protocol/error');
const { KafkaError } = require('kafka-native');
const ours = require('kafka-native/kafkajs');
const { toKafkaJSError } = require('../js/kafka-native/dist/kafka/errors.js');

const failure = { message: 'm', type: 'INVALID_TOPIC_EXCEPTION', code: 17, retriable: false };
const reason = Object.assign(new Error('why'), { helpUrl: 'https://example.org' });
/** Arguments of a constructor, where they are not an error, a text or nothing. */
const ARGUMENTS = {
  KafkaJSError: [[reason], ['why', { retriable: false, cause: reason }]],
  KafkaJSProtocolError: [[failure], [failure, { retriable: true }]],
  KafkaJSOffsetOutOfRange: [[failure, { topic: 't', partition: 3 }]],
  KafkaJSMemberIdRequired: [[failure, { memberId: 'm' }]],
  KafkaJSNumberOfRetriesExceeded: [[reason, { retryCount: 5, retryTime: 9600 }]],
  KafkaJSConnectionError: [['why', { broker: 'b:1', code: 'ECONNREFUSED' }], ['why']],
  KafkaJSConnectionClosedError: [['why', { host: 'b', port: 1 }]],
  KafkaJSRequestTimeoutError: [['why', { broker: 'b:1', correlationId: 1, createdAt: 2, sentAt: 3, pendingDuration: 4 }]],
  KafkaJSTopicMetadataNotLoaded: [['why', { topic: 't' }]],
  KafkaJSStaleTopicMetadataAssignment: [['why', { topic: 't', unknownPartitions: [] }]],
  KafkaJSDeleteGroupsError: [['why', [{ groupId: 'g', errorCode: 68 }]], ['why']],
  KafkaJSServerDoesNotSupportApiKey: [['why', { apiKey: 1, apiName: 'Fetch' }]],
  KafkaJSDeleteTopicRecordsError: [
    [
      {
        partitions: [
          { partition: 0, offset: '1', error: { retriable: true } },
          { partition: 1, offset: '1' },
        ],
      },
    ],
    [{ partitions: [{ partition: 0, offset: '1', error: { retriable: false } }] }],
  ],
  KafkaJSCreateTopicError: [[failure, 't']],
  KafkaJSAlterPartitionReassignmentsError: [[failure, 't', 1]],
  KafkaJSAggregateError: [['why', [reason]]],
  KafkaJSNoBrokerAvailableError: [[]],
};

/** The parts of an error that a program can read; the help of an invariant's violation is an address of KafkaJS's project. */
function seen(error) {
  const { stack, helpUrl, ...fields } = error;
  const parents = [];
  for (let prototype = Object.getPrototypeOf(error); prototype !== Object.prototype; prototype = Object.getPrototypeOf(prototype)) {
    parents.push(prototype.constructor.name);
  }
  return { ...fields, message: error.message, cause: error.cause, helpUrl: error.name === 'KafkaJSInvariantViolation' ? undefined : helpUrl, parents };
}

for (const name of Object.keys(kafkajs).filter((name) => typeof kafkajs[name] === 'function' && kafkajs[name].prototype instanceof Error)) {
  test(`${name} is made and looks as in KafkaJS`, () => {
    for (const parameters of ARGUMENTS[name] ?? [['why'], [reason]]) {
      assert.deepEqual(seen(new ours[name](...parameters)), seen(new kafkajs[name](...parameters)));
    }
  });
}

test("every code of a broker has KafkaJS's type and its verdict on another try", () => {
  for (const { code, type, retriable } of kafkajsCodes.errorCodes) {
    const cause = new KafkaError('m', { code: 'X', errno: code, topic: 't', partition: 0 });
    const error = toKafkaJSError(cause);
    assert.ok(error instanceof ours.KafkaJSProtocolError);
    assert.deepEqual([error.code, error.type, error.retriable, error.message], [code, type, retriable, 'm']);
    assert.equal(error.cause, cause);
  }
});

test("a code newer than KafkaJS keeps Kafka's name and number", () => {
  const error = toKafkaJSError(new KafkaError('m', { code: 'THROTTLING_QUOTA_EXCEEDED', errno: 89, retriable: true }));
  assert.deepEqual([error.name, error.type, error.code, error.retriable], ['KafkaJSProtocolError', 'THROTTLING_QUOTA_EXCEEDED', 89, true]);
});

test('what librdkafka finds out itself looks as if a broker had sent it', () => {
  for (const [code, errno, type] of [
    ['_UNKNOWN_TOPIC', -188, 'UNKNOWN_TOPIC_OR_PARTITION'],
    ['_UNKNOWN_PARTITION', -190, 'UNKNOWN_TOPIC_OR_PARTITION'],
    ['_FENCED', -144, 'INVALID_PRODUCER_EPOCH'],
    ['PRODUCER_FENCED', 90, 'INVALID_PRODUCER_EPOCH'],
  ]) {
    const error = toKafkaJSError(new KafkaError('m', { code, errno }));
    assert.ok(error instanceof ours.KafkaJSProtocolError);
    assert.equal(error.type, type);
  }
  const lost = toKafkaJSError(new KafkaError('m', { code: '_AUTO_OFFSET_RESET', errno: -140, topic: 't', partition: 2 }));
  assert.ok(lost instanceof ours.KafkaJSOffsetOutOfRange);
  assert.deepEqual([lost.topic, lost.partition], ['t', 2]);
});

test('local failures have the class that KafkaJS gives the same situation', () => {
  const map = (code, details = {}) => toKafkaJSError(new KafkaError('m', { code, errno: -185, ...details }));
  assert.ok(map('_AUTHENTICATION') instanceof ours.KafkaJSSASLAuthenticationError);
  assert.ok(map('SASL_AUTHENTICATION_FAILED', { errno: 58 }) instanceof ours.KafkaJSSASLAuthenticationError);
  assert.ok(map('_TIMED_OUT') instanceof ours.KafkaJSRequestTimeoutError);
  assert.ok(map('_WAIT_COORD') instanceof ours.KafkaJSGroupCoordinatorNotFound);
  assert.equal(map('_QUEUE_FULL', { retriable: true }).retriable, true);
  assert.ok(map('_STATE') instanceof ours.KafkaJSNonRetriableError);
  const tls = map('_SSL', { broker: 'sasl_ssl://b:9093/1' });
  assert.deepEqual([tls.name, tls.broker, tls.code], ['KafkaJSConnectionError', 'b:9093', '_SSL']);
  const refused = new KafkaError('Connect to ipv4#127.0.0.1:9 failed: Connection refused', {
    code: '_TRANSPORT',
    errno: -195,
    retriable: true,
    broker: '127.0.0.1:9/bootstrap',
  });
  const gaveUp = map('ETIMEDOUT', { cause: refused });
  assert.ok(gaveUp instanceof ours.KafkaJSNumberOfRetriesExceeded);
  assert.deepEqual(
    [gaveUp.cause.name, gaveUp.cause.broker, gaveUp.cause.code, gaveUp.cause.cause],
    ['KafkaJSConnectionError', '127.0.0.1:9', 'ECONNREFUSED', refused],
  );
  const denied = new KafkaError('no', { code: '_AUTHENTICATION', errno: -169 });
  assert.ok(map('ETIMEDOUT', { cause: denied }) instanceof ours.KafkaJSSASLAuthenticationError);
  const other = new TypeError('x');
  assert.equal(toKafkaJSError(other), other);
});
