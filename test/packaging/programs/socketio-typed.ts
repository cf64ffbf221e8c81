// The types of socket.io-kafka in use, with socket.io's.
import { Kafka } from 'kafka-native/kafkajs';
import { Server } from 'socket.io';
import { createAdapter, kafka, type AdapterOptions, type AdapterStats, type KafkaAdapter } from 'socket.io-kafka';

const options: AdapterOptions = { key: 'chat', producer: { linger: 0 }, acks: -1 };
export const servers: Server[] = [
  new Server({ adapter: createAdapter({ brokers: ['127.0.0.1:9'] }, options) }),
  new Server({ adapter: createAdapter(new Kafka({ brokers: ['127.0.0.1:9'] }), options) }),
  new Server().adapter(kafka('127.0.0.1:9')) as Server,
];
export const stats = (io: Server): AdapterStats => (io.of('/').adapter as KafkaAdapter).stats();

// @ts-expect-error the types are really there, not any
createAdapter({ brokers: 1 });
// @ts-expect-error and so are the options
createAdapter('127.0.0.1:9', { acks: 2 });
