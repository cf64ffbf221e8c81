// As a user writes it with `import`; `npm test` compiles it and runs nothing.
import kafka, { Admin, Consumer, Errors, KafkaError, MockCluster, Offsets, Producer } from 'kafka-native';
import type { ConsumerOptions, DeliveryReport, Logger, Message, OffsetManager, ProducerOptions } from 'kafka-native';

const logger: Logger = { warn: (message) => console.log(message.length) };
const producerOptions: ProducerOptions = {
  broker: 'localhost:9092',
  driver_options: { 'linger.ms': 5, 'enable.idempotence': true, 'client.id': undefined },
  stats_callback: null,
  delivery_report_callback(report: DeliveryReport) {
    const first: string | undefined = report.rdkafka_errinfo[0]?.errstr;
  },
  error_callback: (error) => (error instanceof KafkaError && error.code === '_TRANSPORT' ? error.broker : error.errno),
  logger,
};
const producer: Producer = new Producer(producerOptions);
const { enqueued, errors } = producer.send('t', -1, ['a', Buffer.from('b'), new Uint8Array(3), { key: 'k', value: null, headers: { a: ['x', null], b: Buffer.alloc(1) }, timestamp: 1 }]);
const code: string | undefined = errors?.[0]?.code;
// @ts-expect-error a number is no payload
producer.send('t', -1, [5]);
// @ts-expect-error a message needs a value
producer.send('t', -1, [{ key: 'k' }]);
// @ts-expect-error a broker is needed
new Producer({});
const count: number = await producer.partition_count('t', { max_tries: 3 });
const none: void = await producer.stop({ timeout: 100 });

const consumer = new Consumer({
  broker: 'localhost:9092',
  topic: 't',
  offset_directory: './offsets',
  receive_callback: async ({ messages, misses }) => {
    const text: string | null | undefined = messages[0]?.payload;
    const key: string | undefined = messages[0]?.key;
    const header = messages[0]?.headers?.['a'];
    if (Buffer.isBuffer(header)) header.length;
    consumer.pause();
  },
});
const partitions: number[] = await consumer.start();
await consumer.stop({ drain: true });

const binary = new Consumer({
  broker: 'localhost:9092',
  topic: 't',
  payload_encoding: 'buffer',
  offset_manager: class implements OffsetManager {
    constructor(options: ConsumerOptions) {}
    async read(partitions: number[]) { return partitions.map(() => -1); }
    async commit(offsets: Record<number, number>) {}
  },
  receive_callback({ messages }) {
    const bytes: Buffer | null | undefined = messages[0]?.payload;
    const key: string | undefined = messages[0]?.key;
    const message: Message<'buffer'> | undefined = messages[0];
  },
});
const same: Consumer<'buffer', 'utf8'> = binary;
// @ts-expect-error receive_callback is needed
new Consumer({ broker: 'b', topic: 't', offset_directory: 'd' });

const cluster = new MockCluster({ brokers: 1 });
new Producer({ ...cluster.options });
new Consumer({ ...cluster.options, topic: 't', offset_directory: 'd', receive_callback() {} });
const { low }: { low: number; high: number } = await new Admin({ broker: 'b' }).watermarks('t', 0);
const name: string | undefined = Errors['-195'];
const end: number = Offsets.RD_KAFKA_OFFSET_END;
new kafka.Producer({ broker: 'b' });
