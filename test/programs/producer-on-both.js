'use strict';
// A program as it is written for KafkaJS. It runs on KafkaJS and on ours, and tells what it saw: the shapes of results, and of errors
// their class, whether they can be retried, type and code.

/**
 * @param {any} library what `require('kafkajs')` or `require('kafka-native/kafkajs')` gives
 * @param {{ brokers: string[], topic: string, transactionalId: string, groupId: string }} place the topic has three partitions and is empty
 */
module.exports = async function run(library, { brokers, topic, transactionalId, groupId }) {
  const { Kafka, CompressionTypes, Partitioners, logLevel } = library;
  const kafka = new Kafka({ clientId: 'both', brokers, logLevel: logLevel.NOTHING, retry: { initialRetryTime: 50, retries: 5 } });
  const saw = {};
  const note = async (name, call) => {
    try {
      saw[name] = shape(await call());
    } catch (error) {
      const { name: type, retriable, code } = error;
      saw[name] = { rejected: type, retriable, isClass: typeof library[type] === 'function' && error instanceof library[type], type: error.type, code };
    }
  };
  // Names of topics differ between the two runs.
  const shape = (value) => JSON.parse(JSON.stringify(value ?? null).replaceAll(topic, 'TOPIC'), (key, found) => (key === 'logStartOffset' ? typeof found : found));
  const message = (value, more) => ({ value, partition: 0, ...more });

  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  saw.events = producer.events;
  const heard = [];
  for (const name of [producer.events.CONNECT, producer.events.DISCONNECT]) {
    producer.on(name, ({ id, type, timestamp }) => heard.push([type, typeof id, typeof timestamp]));
  }
  await note('send before connect', () => producer.send({ topic, messages: [message('x')] }));
  await note('connect', () => producer.connect());
  await note('send', () => producer.send({ topic, messages: [message('a'), message('b', { key: 'k', headers: { h: ['1', '2'] } })] }));
  const sorted = (results) => results.sort((a, b) => a.partition - b.partition);
  await note('send to three partitions', async () => sorted(await producer.send({ topic, messages: [2, 1, 0, 1].map((partition) => ({ value: 'x', partition })) })));
  await note('send by key', () => producer.send({ topic, messages: [{ key: 'user', value: 'x' }, { key: Buffer.from('user'), value: 'y' }] }));
  await note('send with acks 0', () => producer.send({ topic, acks: 0, messages: [message('x')] }));
  await note('send with acks 1', async () => (await producer.send({ topic, acks: 1, messages: [message('x')] })).length);
  await note('send gzip', async () => (await producer.send({ topic, compression: CompressionTypes.GZIP, messages: [message('x')] }))[0].partition);
  await note('send nothing', () => producer.send({ topic, messages: [] }));
  await note('send no topic', () => producer.send({ topic: '', messages: [message('x')] }));
  await note('send no messages', () => producer.send({ topic }));
  await note('send no value', () => producer.send({ topic, messages: [{ key: 'k' }] }));
  await note('send too much', () => producer.send({ topic, messages: [message('x'.repeat(1_200_000))] }));
  await note('send to an invalid topic', () => producer.send({ topic: 'not/a/topic', messages: [message('x')] }));
  await note('sendBatch', async () => (await producer.sendBatch({ topicMessages: [{ topic, messages: [message('x')] }, { topic, messages: [message('y')] }] })).length);
  await note('sendBatch of nothing', () => producer.sendBatch({}));
  await note('on nothing', async () => producer.on('nothing', () => {}));
  await note('transaction without id', () => producer.transaction());
  await note('disconnect', () => producer.disconnect());
  await note('send behind disconnect', () => producer.send({ topic, messages: [message('x')] }));
  saw.heard = heard;

  const idempotent = kafka.producer({ idempotent: true });
  saw.isIdempotent = [producer.isIdempotent(), idempotent.isIdempotent()];
  await idempotent.connect();
  await note('idempotent', async () => (await idempotent.send({ topic, messages: [message('x')] })).length);
  await note('idempotent with acks 1', () => idempotent.send({ topic, acks: 1, messages: [message('x')] }));
  await idempotent.disconnect();
  await note('idempotent without retries', async () => kafka.producer({ idempotent: true, retry: { retries: 0 } }));

  const transactional = kafka.producer({ transactionalId, idempotent: true, maxInFlightRequests: 1 });
  await transactional.connect();
  const transaction = await transactional.transaction();
  saw.active = transaction.isActive();
  await note('second transaction', () => transactional.transaction());
  await note('send in a transaction', async () => (await transaction.send({ topic, messages: [message('x')] }))[0].errorCode);
  await note('sendOffsets', () => transaction.sendOffsets({ consumerGroupId: groupId, topics: [{ topic, partitions: [{ partition: 0, offset: '1' }] }] }));
  await note('commit', () => transaction.commit());
  saw.inactive = transaction.isActive();
  await note('send behind commit', () => transaction.send({ topic, messages: [message('x')] }));
  await note('commit behind commit', () => transaction.commit());
  const aborted = await transactional.transaction();
  await aborted.send({ topic, messages: [message('x')] });
  await note('abort', () => aborted.abort());
  await transactional.disconnect();
  return saw;
};
