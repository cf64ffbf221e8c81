'use strict';
// The programs of all clients with KafkaJS's API: kafkajs, kafka-native, @confluentinc/kafka-javascript.

/**
 * @param {object} made
 * @param {(task: object) => object} made.consumer its options beside the group are the client's own
 * @param {(task: object) => object} made.producer
 * @param {(consumer: object, task: object) => Promise<void>} [made.subscribe] @param {(task: object) => object} [made.run] @param {(task: object) => object} [made.sending]
 */
module.exports = ({
  consumer,
  producer,
  subscribe = (client, task) => client.subscribe({ topics: [task.topic], fromBeginning: true }),
  run = (task) => ({ autoCommit: task.commit }),
  sending = (task) => ({ acks: task.acks }),
}) => ({
  async consume(task, receive) {
    const client = consumer(task);
    await client.connect();
    await subscribe(client, task);
    const ways = {
      message: { eachMessage: async ({ message }) => receive([message]) },
      batch: { eachBatch: async ({ batch }) => receive(batch.messages) },
      lazy: { eachBatch: async ({ batch }) => receive(batch.lazyMessages ?? batch.messages) },
    };
    await client.run({ ...run(task), ...ways[task.each ?? 'lazy'] });
    return { stop: () => client.disconnect() };
  },

  async producer(task) {
    const client = producer(task);
    await client.connect();
    const options = sending(task);
    return {
      send: (messages) => client.send({ topic: task.topic, messages, ...options }),
      stop: () => client.disconnect(),
    };
  },
});
