// The package's types in use; compiled as CommonJS and as ESM with moduleResolution node16, and with bundler.
import { mkdtempSync, rmSync } from 'node:fs';
import { Consumer, KafkaError, MockCluster, Producer } from 'kafka-native';
import type { ConsumerOptions, DeliveryReport, Message, ProducerOptions, ReceivedBatch, SendResult } from 'kafka-native';

async function roundTrip(count: number): Promise<number> {
  const folder: string = mkdtempSync('typed-');
  const cluster = new MockCluster({ brokers: 1 });
  cluster.createTopic('typed', { partitions: 2 });

  const received: Message[] = [];
  let complete!: () => void;
  const done = new Promise<void>((resolve) => (complete = resolve));
  const consuming: ConsumerOptions = {
    ...cluster.options,
    topic: 'typed',
    offset_directory: folder,
    receive_callback: ({ messages }: ReceivedBatch): void => {
      received.push(...messages);
      if (received.length === count) complete();
    },
    error_callback: (error: KafkaError) => console.error(error.code, error.retriable),
  };
  const consumer = new Consumer(consuming);
  const partitions: number[] = await consumer.start();

  const producing: ProducerOptions = {
    ...cluster.options,
    queue_buffering_max_ms: 1,
    delivery_report_callback: ({ errors }: DeliveryReport): void => console.error(errors),
  };
  const producer = new Producer(producing);
  const sent: SendResult = producer.send(
    'typed',
    -1,
    Array.from({ length: count }, (_, n) => ({ key: `${n}`, value: `value ${n}` })),
  );
  await done;
  await producer.stop();
  await consumer.stop();
  cluster.close();
  rmSync(folder, { recursive: true });
  if (partitions.length !== 2 || sent.enqueued !== count) throw new Error('not what was sent');
  return received.length;
}

// @ts-expect-error a consumer needs its options: the types are really there, not any
if (process.env.NEVER) new Consumer({ topic: 1 });

roundTrip(1000).then((count) => console.log(`${count} there and back`));
