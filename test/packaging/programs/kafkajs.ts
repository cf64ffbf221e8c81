// A program that is typed for KafkaJS, from the entry with its names.
import { MockCluster } from 'kafka-native';
import { Kafka, type Consumer, type EachMessagePayload, type KafkaMessage, type Producer } from 'kafka-native/kafkajs';

async function roundTrip(count: number): Promise<number> {
  const cluster = new MockCluster({ brokers: 1 });
  cluster.createTopic('typed', { partitions: 2 });
  const kafka: Kafka = new Kafka({ brokers: cluster.options.broker.split(','), logLevel: 0 });
  const producer: Producer = kafka.producer();
  const consumer: Consumer = kafka.consumer({ groupId: 'typed' });
  await Promise.all([producer.connect(), consumer.connect()]);
  await producer.send({ topic: 'typed', messages: Array.from({ length: count }, (_, n) => ({ key: `${n}`, value: `value ${n}` })) });
  await consumer.subscribe({ topic: 'typed', fromBeginning: true });
  const got: KafkaMessage[] = [];
  await new Promise<void>((resolve, reject) => {
    const eachMessage = async ({ message }: EachMessagePayload): Promise<void> => {
      if (got.push(message) === count) resolve();
    };
    consumer.run({ eachMessage }).catch(reject);
  });
  await Promise.all([producer.disconnect(), consumer.disconnect()]);
  cluster.close();
  return got.length;
}

// @ts-expect-error a Kafka needs its brokers: the types are really there, not any
if (process.env.NEVER) new Kafka({ brokers: 1 });

roundTrip(10).then((count) => console.log(`${count} there and back`));
