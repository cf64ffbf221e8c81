import { createRequire } from 'node:module';
import kafka, { createAdapter, Emitter } from 'socket.io-kafka';
import { acrossServers } from './socketio.js';

const required = createRequire(import.meta.url)('socket.io-kafka');
if (required.createAdapter !== createAdapter || required.kafka !== kafka || required.Emitter !== Emitter)
  throw new Error('import and require have copies of their own');
acrossServers({ createAdapter });
