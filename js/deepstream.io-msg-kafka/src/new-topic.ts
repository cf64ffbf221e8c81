import type { KafkaAdmin } from 'kafka-native';
import type { ReadOptions } from './options';
import { LARGEST_RECORD } from './outbox';

const CREATE_MS = 10_000;

/**
 * Makes a topic that is missing, with one partition; one that somebody else has made meanwhile is fine.
 *
 * @throws Error that says what to do
 */
export async function makeTopic(admin: KafkaAdmin, topic: string, { createTopics, replicationFactor, retention }: ReadOptions): Promise<void> {
  if (!createTopics) throw new Error('it does not exist, and createTopics is false: make it, or allow CREATE, with createTopics: true');
  const configEntries = [
    { name: 'cleanup.policy', value: 'delete' },
    { name: 'retention.ms', value: String(retention) },
    { name: 'segment.ms', value: String(Math.max(60_000, Math.floor(retention / 2))) },
    // One clock, the broker's: for how long a message is kept, and for which are older than a subscription.
    { name: 'message.timestamp.type', value: 'LogAppendTime' },
    { name: 'max.message.bytes', value: String(LARGEST_RECORD) },
  ];
  try {
    await admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor, configEntries }], timeout: CREATE_MS });
  } catch (error) {
    const why = ((error as { errors?: Error[] }).errors ?? [error as Error]).map(({ message }) => message).join('; ');
    throw new Error(`it does not exist, and could not be made: ${why}: make it, or allow CREATE`, { cause: error });
  }
}
