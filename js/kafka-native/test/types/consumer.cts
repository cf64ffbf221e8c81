// As a user writes it for the consumer of `Kafka`; `npm test` compiles it and runs nothing.
import { Batch, Kafka, PartitionAssigners, type ConsumerConfig, type EachBatchPayload, type EachMessagePayload, type KafkaConsumer, type KafkaMessage } from 'kafka-native';

const config: ConsumerConfig = { groupId: 'g', partitionAssigners: [PartitionAssigners.roundRobin, 'range'], onPartitionsRevoked: async ([first]) => first?.partitions[0] };
const consumer: KafkaConsumer = new Kafka({ brokers: ['b:9092'] }).consumer(config);
// @ts-expect-error a groupId is needed
new Kafka({ brokers: ['b:9092'] }).consumer({});

async function eachMessage({ topic, partition, message, heartbeat, pause }: EachMessagePayload): Promise<void> {
  const { key, value, offset, timestamp, headers }: KafkaMessage = message;
  const text: string | undefined = value?.toString();
  const header = headers['h'];
  if (Buffer.isBuffer(header)) header.length;
  const resume: () => void = pause();
  await heartbeat();
}

async function eachBatch({ batch, resolveOffset, commitOffsetsIfNecessary, uncommittedOffsets, isRunning, isStale }: EachBatchPayload): Promise<void> {
  const { offsets, data } = batch.columns;
  const first: number | undefined = offsets[0];
  const watermark: string = batch.highWatermark;
  for (const { offset } of batch.messages) resolveOffset(offset);
  await commitOffsetsIfNecessary(uncommittedOffsets());
}

export async function program(signal: AbortSignal): Promise<void> {
  await consumer.connect();
  await consumer.subscribe({ topics: ['t', /^u/], fromBeginning: true });
  await consumer.run({ eachMessage, partitionsConsumedConcurrently: 3, autoCommitInterval: null });
  await consumer.run({ eachBatch, eachBatchAutoResolve: false });
  const remove = consumer.on(consumer.events.GROUP_JOIN, ({ type, payload: { memberAssignment } }) => memberAssignment['t']?.[0]);
  consumer.on('consumer.crash', ({ payload: { error, restart } }) => restart && error.message);
  remove();
  consumer.seek({ topic: 't', partition: 0, offset: '5' });
  consumer.pause([{ topic: 't', partitions: [1] }]);
  const paused: number | undefined = consumer.paused()[0]?.partitions[0];
  await consumer.commitOffsets([{ topic: 't', partition: 0, offset: '5', metadata: null }]);
  await consumer.assign([{ topic: 't', offset: 'end' }, { topic: 'u', partition: 1, timestamp: new Date() }]);
  for await (const { topic, value } of consumer.messages({ signal })) if (value === null) console.log(topic);
  for await (const batch of consumer.batches()) {
    const same: Batch = batch;
  }
  consumer.stream({ signal }).pipe(process.stdout);
}
