// As a user writes it with `require`; `npm test` compiles it and runs nothing.
import { Server } from 'socket.io';
import { createAdapter, kafka } from 'socket.io-kafka';
import socketIoKafka = require('socket.io-kafka');

const io = new Server({ adapter: createAdapter({ brokers: ['localhost:9092'] }) });
io.adapter(kafka('localhost:9092', { key: 'chat' }));
io.adapter(socketIoKafka.kafka('localhost:9092'));
const stats: socketIoKafka.AdapterStats = (io.of('/').adapter as socketIoKafka.KafkaAdapter).stats();
