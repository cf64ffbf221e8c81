'use strict';
// A call that no client can make ends as KafkaJS ends it: its users' tests pin class and sentence. Nothing is asked of a broker.
// On purpose not the same: values of configurations are hidden, a consumer has more events to name, and deleteGroups names the wrong id.

const test = require('node:test');
const assert = require('node:assert/strict');
const kafkajs = require('kafkajs');
const ours = require('kafka-native/kafkajs');

const config = { brokers: ['127.0.0.1:1'], retry: { retries: 1, initialRetryTime: 1 } };
const clients = ({ Kafka, logLevel }) => {
  const kafka = new Kafka({ ...config, logLevel: logLevel.NOTHING });
  return {
    kafka,
    admin: kafka.admin(),
    consumer: kafka.consumer({ groupId: 'g' }),
    producer: kafka.producer(),
    transactional: kafka.producer({ transactionalId: 't', idempotent: true }),
  };
};

const topics = [{ topic: 'a' }];
const acl = { resourceType: 2, resourceName: 'a', resourcePatternType: 3, principal: 'User:a', host: '*', operation: 2, permissionType: 3 };
const filter = { ...acl };

/** By the object that is called: each array is a method and its argument(s). */
const calls = {
  kafka: [
    ['consumer'],
    ['consumer', {}],
    ['consumer', { groupId: '' }],
    ['consumer', { groupId: 'g', sessionTimeout: 1000, heartbeatInterval: 1000 }],
    ['producer', { idempotent: true, retry: { retries: 0 } }],
  ],
  producer: [
    ['send', { topic: '', messages: [] }],
    ['send', { topic: undefined, messages: [{ value: 'x' }] }],
    ['send', { topic: 't', messages: undefined }],
    ['send', { topic: 't', messages: null }],
    ['send', { topic: 't', messages: [{ key: 'no value' }] }],
    ['send', { topic: 't', messages: [{ value: undefined }] }],
    ['sendBatch', { topicMessages: [{ messages: [{ value: 'x' }] }] }],
    ['sendBatch', { topicMessages: [{ topic: 't', messages: null }] }],
    ['sendBatch', { topicMessages: [{ topic: 't', messages: [{ key: 'k' }] }] }],
    ['transaction'],
    ['on', 'nothing', () => {}],
  ],
  transactional: [['send', { topic: 't', acks: 1, messages: [{ value: 'x' }] }]],
  consumer: [
    ['subscribe', {}],
    ['subscribe', { topics: 't' }],
    ['subscribe', { topics: [1] }],
    ['subscribe', { topics: [undefined] }],
    ['subscribe', { topic: 5 }],
    ['subscribe', { topic: '' }],
    ['pause', [{}]],
    ['pause', [{ topic: '' }]],
    ['pause', [undefined]],
    ['pause', [{ topic: 't', partitions: 0 }]],
    ['pause', [{ topic: 't', partitions: null }]],
    ['pause', [{ topic: 't', partitions: ['a'] }]],
    ['pause', [{ topic: 't' }]],
    ['resume', [{}]],
    ['resume', [{ topic: 't', partitions: ['a', 1] }]],
    ['resume', [{ topic: 't' }]],
    ['seek', { topic: '', partition: 0, offset: '0' }],
    ['seek', { partition: 0, offset: '0' }],
    ['seek', { topic: 't', offset: '0' }],
    ['seek', { topic: 't', partition: 'a', offset: '0' }],
    ['seek', { topic: 't', partition: 0, offset: 'a' }],
    ['seek', { topic: 't', partition: 0 }],
    ['seek', { topic: 't', partition: 0, offset: '-3' }],
    ['seek', { topic: 't', partition: 0, offset: '5' }],
    ['commitOffsets', [{ topic: '', partition: 0, offset: '0' }]],
    ['commitOffsets', [{ topic: 't', partition: 'a', offset: '0' }]],
    ['commitOffsets', [{ topic: 't', partition: 0, offset: 'a' }]],
    ['commitOffsets', [{ topic: 't', partition: 0, offset: '-1' }]],
    ['commitOffsets', [{ topic: 't', partition: 0, offset: '1', metadata: 5 }]],
    ['commitOffsets', [{ topic: 't', partition: 0, offset: '1' }]],
  ],
  admin: [
    ['createTopics', {}],
    ['createTopics', { topics: 't' }],
    ['createTopics', { topics: ['t'] }],
    ['createTopics', { topics: [{ topic: 5 }] }],
    ['createTopics', { topics: [...topics, ...topics] }],
    ['createTopics', { topics: [{ topic: 'a', configEntries: {} }] }],
    ['createTopics', { topics: [{ topic: 'a', configEntries: ['x'] }] }],
    ['createTopics', { topics: [{ topic: 'a', configEntries: [null] }] }],
    ['createTopics', { topics: [{ topic: 'a', configEntries: [{ value: 'x' }] }] }],
    ['createTopics', { topics: [{ topic: 'a', configEntries: [{ name: 'x' }] }] }],
    ['createPartitions', {}],
    ['createPartitions', { topicPartitions: 't' }],
    ['createPartitions', { topicPartitions: [] }],
    ['createPartitions', { topicPartitions: [{ topic: 5, count: 1 }] }],
    [
      'createPartitions',
      {
        topicPartitions: [
          { topic: 'a', count: 1 },
          { topic: 'a', count: 1 },
        ],
      },
    ],
    ['deleteTopics', {}],
    ['deleteTopics', { topics: 't' }],
    ['deleteTopics', { topics: [5] }],
    ['fetchTopicMetadata', { topics: [''] }],
    ['fetchTopicMetadata', { topics: [5] }],
    ['fetchTopicOffsets'],
    ['fetchTopicOffsets', ''],
    ['fetchTopicOffsetsByTimestamp', ''],
    ['fetchOffsets', {}],
    ['fetchOffsets', { groupId: '' }],
    ['fetchOffsets', { groupId: 'g', topics: 't' }],
    ['setOffsets', { topic: 't', partitions: [] }],
    ['setOffsets', { groupId: 'g', partitions: [] }],
    ['setOffsets', { groupId: 'g', topic: 't', partitions: [] }],
    ['setOffsets', { groupId: 'g', topic: 't' }],
    ['resetOffsets', { topic: 't' }],
    ['resetOffsets', { groupId: 'g' }],
    ['describeConfigs', {}],
    ['describeConfigs', { resources: 'r' }],
    ['describeConfigs', { resources: [] }],
    ['describeConfigs', { resources: [{ type: 99, name: 'a' }] }],
    ['describeConfigs', { resources: [{ type: 2, name: 5 }] }],
    ['describeConfigs', { resources: [{ type: 2 }] }],
    ['describeConfigs', { resources: [{ type: 2, name: 'a', configNames: 'x' }] }],
    ['alterConfigs', {}],
    ['alterConfigs', { resources: 'r' }],
    ['alterConfigs', { resources: [] }],
    ['alterConfigs', { resources: [{ type: 99, name: 'a', configEntries: [] }] }],
    ['alterConfigs', { resources: [{ type: 2, name: 5, configEntries: [] }] }],
    ['alterConfigs', { resources: [{ type: 2, name: 'a' }] }],
    ['alterConfigs', { resources: [{ type: 2, name: 'a', configEntries: 'x' }] }],
    ['alterConfigs', { resources: [{ type: 2, name: 'a', configEntries: [{ name: 'x' }] }] }],
    ['deleteGroups'],
    ['deleteGroups', 'g'],
    ['deleteTopicRecords', { partitions: [] }],
    ['deleteTopicRecords', { topic: 5, partitions: [] }],
    ['deleteTopicRecords', { topic: 't' }],
    ['deleteTopicRecords', { topic: 't', partitions: [] }],
    ['createAcls', {}],
    ['createAcls', { acl: 'a' }],
    ['createAcls', { acl: [] }],
    ['createAcls', { acl: [{ ...acl, principal: 5 }] }],
    ['createAcls', { acl: [{ ...acl, host: 5 }] }],
    ['createAcls', { acl: [{ ...acl, resourceName: 5 }] }],
    ['createAcls', { acl: [{ ...acl, operation: 99 }] }],
    ['createAcls', { acl: [{ ...acl, resourcePatternType: 99 }] }],
    ['createAcls', { acl: [{ ...acl, permissionType: 99 }] }],
    ['createAcls', { acl: [{ ...acl, resourceType: 99 }] }],
    ['describeAcls', { ...filter, principal: 5 }],
    ['describeAcls', { ...filter, host: 5 }],
    ['describeAcls', { ...filter, resourceName: 5 }],
    ['describeAcls', { ...filter, operation: 99 }],
    ['describeAcls', { ...filter, resourcePatternType: 99 }],
    ['describeAcls', { ...filter, permissionType: 99 }],
    ['describeAcls', { ...filter, resourceType: 99 }],
    ['deleteAcls', {}],
    ['deleteAcls', { filters: 'f' }],
    ['deleteAcls', { filters: [] }],
    ['deleteAcls', { filters: [{ ...filter, principal: 5 }] }],
    ['deleteAcls', { filters: [{ ...filter, host: 5 }] }],
    ['deleteAcls', { filters: [{ ...filter, resourceName: 5 }] }],
    ['deleteAcls', { filters: [{ ...filter, operation: 99 }] }],
    ['deleteAcls', { filters: [{ ...filter, resourcePatternType: 99 }] }],
    ['deleteAcls', { filters: [{ ...filter, permissionType: 99 }] }],
    ['deleteAcls', { filters: [{ ...filter, resourceType: 99 }] }],
    ['on', 'nothing', () => {}],
  ],
};

async function end(object, method, given) {
  const shown = (error, way) => `${way} ${error.name}: ${error.message}`;
  let answer;
  try {
    answer = object[method](...given);
  } catch (error) {
    return shown(error, 'throws');
  }
  return Promise.resolve(answer).then(
    () => 'is taken',
    (error) => shown(error, 'rejects with'),
  );
}

const [theirs, mine] = [clients(kafkajs), clients(ours)];
for (const [name, list] of Object.entries(calls)) {
  test(`a call of a ${name} that cannot be made ends as with KafkaJS`, async () => {
    const different = [];
    for (const [method, ...given] of list) {
      const [expected, actual] = [await end(theirs[name], method, given), await end(mine[name], method, given)];
      if (expected !== actual) different.push({ call: `${method}(${JSON.stringify(given).slice(1, -1)})`, expected, actual });
    }
    assert.deepEqual(different, []);
  });
}
