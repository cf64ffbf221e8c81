const { Consumer, Producer } = require('kafka-native');

const broker = process.env.KAFKA_BROKER ?? 'localhost:9092';

const producer = new Producer({ broker });
producer.send('greetings', -1, ['hello', { key: 'planet', value: 'world' }]);

const consumer = new Consumer({
  broker,
  topic: 'greetings',
  offset_directory: './offsets',
  receive_callback: ({ messages }) => {
    for (const { partition, offset, payload } of messages) console.log(`${partition}/${offset}: ${payload}`);
  },
});
consumer.start();

process.once('SIGINT', () => Promise.all([producer.stop(), consumer.stop()])); // Ctrl-C
