import type { KafkaAdmin } from 'kafka-native';
import type { ReadOptions } from './options';
import { LARGEST_RECORD } from './outbox';

const CREATE_MS = 10_000;

/**
 * Makes topics that are missing, all with one request, with one partition each; one that somebody else has made meanwhile is fine.
 *
 * @returns of each topic that could not be made the reason, which says what to do
 */
export async function makeTopics(
  admin: KafkaAdmin,
  topics: string[],
  { createTopics, replicationFactor, retention }: ReadOptions,
): Promise<Map<string, Error>> {
  const all = (error: Error): Map<string, Error> => new Map(topics.map((topic) => [topic, error]));
  if (!createTopics) return all(new Error('it does not exist, and createTopics is false: make it, or allow CREATE, with createTopics: true'));
  const configEntries = [
    { name: 'cleanup.policy', value: 'delete' },
    { name: 'retention.ms', value: String(retention) },
    { name: 'segment.ms', value: String(Math.max(60_000, Math.floor(retention / 2))) },
    // One clock, the broker's: for how long a message is kept, and for which are older than a subscription.
    { name: 'message.timestamp.type', value: 'LogAppendTime' },
    { name: 'max.message.bytes', value: String(LARGEST_RECORD) },
  ];
  const wanted = topics.map((topic) => ({ topic, numPartitions: 1, replicationFactor, configEntries }));
  try {
    await admin.createTopics({ topics: wanted, timeout: CREATE_MS });
    return new Map();
  } catch (error) {
    const ofTopics = (error as { errors?: (Error & { topic?: string; type?: string })[] }).errors ?? [];
    // One that names no topic is about the request.
    const general = ofTopics.length === 0 ? (error as Error) : ofTopics.find(({ topic }) => topic === undefined);
    if (general) return all(notMade(general));
    return new Map(ofTopics.filter(({ type }) => type !== 'TOPIC_ALREADY_EXISTS').map((failure) => [failure.topic!, notMade(failure)]));
  }
}

/** The same for one topic. @throws Error that says what to do */
export async function makeTopic(admin: KafkaAdmin, topic: string, options: ReadOptions): Promise<void> {
  const error = (await makeTopics(admin, [topic], options)).get(topic);
  if (error) throw error;
}

function notMade(error: Error): Error {
  return new Error(`it does not exist, and could not be made: ${error.message}: make it, or allow CREATE`, { cause: error });
}
