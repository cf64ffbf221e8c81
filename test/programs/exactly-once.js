'use strict';
// Consumes, transforms and produces exactly once: what it writes and the offsets that it read are one transaction a batch. May be
// killed at any time, and started again.
//
// { brokers, input, output, groupId, transactionalId }

const { Kafka, logLevel } = require('kafka-native');
const { options, say } = require('../support/child.js');

const { brokers, input, output, groupId, transactionalId } = options();
const kafka = new Kafka({ brokers, logLevel: logLevel.ERROR });
const producer = kafka.producer({ transactionalId, idempotent: true });
const consumer = kafka.consumer({ groupId, sessionTimeout: 2000, heartbeatInterval: 300 });

async function main() {
  await producer.connect();
  await (await producer.transaction()).abort(); // ends what a killed one left
  await consumer.connect();
  await consumer.subscribe({ topic: input, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch, resolveOffset }) => {
      const { topic, partition } = batch;
      for (let from = 0; from < batch.messages.length; from += 40) {
        const messages = batch.messages.slice(from, from + 40);
        const { offset } = messages.at(-1);
        const transaction = await producer.transaction();
        try {
          for (const { value } of messages) transaction.send({ topic: output, messages: [{ value: `${value}!`, partition }] }).catch(() => {});
          const groupMetadata = await consumer.groupMetadata();
          await transaction.sendOffsets({ groupMetadata, topics: [{ topic, partitions: [{ partition, offset: `${Number(offset) + 1}` }] }] });
          await transaction.commit();
        } catch (error) {
          if (transaction.isActive()) await transaction.abort();
          throw error;
        }
        resolveOffset(offset);
        say('committed', { messages: messages.length });
      }
    },
  });
  say('running');
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
