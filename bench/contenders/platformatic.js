'use strict';
const { Consumer, Producer, stringSerializers } = require('@platformatic/kafka');

exports.consume = async ({ broker, topic, state, commit }, receive) => {
  const consumer = new Consumer({ clientId: 'bench', groupId: state, bootstrapBrokers: [broker], autocommit: commit });
  const stream = await consumer.consume({ topics: [topic], mode: 'committed', fallbackMode: 'earliest' });
  const one = [undefined];
  stream.on('data', (message) => {
    one[0] = message;
    const busy = receive(one);
    if (busy) {
      stream.pause();
      busy.then(() => stream.resume());
    }
  });
  return { stop: () => stream.close().then(() => consumer.close()) };
};

exports.producer = async ({ broker, topic, strings, acks, idempotent }) => {
  const producer = new Producer({ clientId: 'bench', bootstrapBrokers: [broker], idempotent, acks, serializers: strings ? stringSerializers : undefined });
  return {
    send: (messages) => producer.send({ messages: messages.map((message) => ({ topic, ...message })) }),
    stop: () => producer.close(),
  };
};
