// As a user writes it with `import`; `npm test` compiles it and runs nothing.
import { Server } from 'socket.io';
import { CompressionTypes, Kafka } from 'kafka-native';
import kafka, { createAdapter, Emitter, KafkaAdapter, kafka as named } from 'socket.io-kafka';
import type { AdapterCreator, AdapterOptions, AdapterStats, ConnectionOptions } from 'socket.io-kafka';

const options: AdapterOptions = {
  key: 'chat',
  partition: 0,
  partitions: 4,
  createTopics: false,
  replicationFactor: 3,
  producer: { linger: 1, properties: { 'queue.buffering.max.kbytes': '1024' } },
  consumer: { maxBytes: 1_000_000 },
  acks: 1,
  compression: CompressionTypes.LZ4,
  heartbeatInterval: 1000,
  heartbeatTimeout: 5000,
  publishTimeout: 500,
  maxQueuedBytes: 1,
  maxRecoveryBytes: 1,
  logger: { error: (line) => console.error(line), warn: (line) => console.warn(line), info() {}, debug() {} },
};
const where: ConnectionOptions = { brokers: ['localhost:9092'], ssl: true, sasl: { mechanism: 'plain', username: 'a', password: 'b' }, properties: { 'client.rack': 'a' } };

const io = new Server({ adapter: createAdapter(where, options), connectionStateRecovery: {} });
io.adapter(kafka('localhost:9092'));
io.adapter(named('localhost:9092', options));
io.adapter(kafka({ uri: 'localhost:9092', key: 'x' }));
io.adapter(kafka({ host: 'localhost', port: 9092, createTopics: true }));
const of = new Kafka({ brokers: ['localhost:9092'] });
const creator: AdapterCreator = createAdapter(of, { producer: of.producer(), consumer: of.consumer({ groupId: null }) });

const adapter = io.of('/').adapter as KafkaAdapter;
const ready: void = await adapter.init();
const stats: AdapterStats = adapter.stats();
const figures: number = stats.lag + stats.acknowledgements.p99 + stats.queued.bytes + (stats.recovery?.ringBytes ?? 0);
const text: string = adapter.prometheus();
adapter.on('error', (error: Error) => console.error(error.message));
const emitter = new Emitter(where, { key: 'chat' });
emitter.of('/room').to('a').emit('event', 1, Buffer.from([1]));
await emitter.close();

// @ts-expect-error a key is a name
createAdapter(where, { key: 7 });
// @ts-expect-error there are three
createAdapter(where, { acks: 2 });
// @ts-expect-error a reader without a group
createAdapter(where, { consumer: { groupId: 'mine' } });
// @ts-expect-error there is no such option
createAdapter(where, { heartbeat: 1 });
