import type { Kafka } from 'kafka-native';
import type { ReadOptions } from './options';

/** How many partitions the topics have. */
export interface Topics {
  partitions: number;
  replies: number;
  /** By partition, where the log ended when it was looked at. */
  ends: Map<number, number>;
}

const TEN_MINUTES = 600_000;
const REPLIES_RETENTION = 600_000;
/** Bytes of the largest record: a packet, or the sockets of one server. Kafka's own default, a megabyte, is 1500 sockets. */
export const LARGEST_RECORD = 16 * 1024 * 1024;
/** Then it is said why, and tried again. */
const CREATE_MS = 10_000;

/**
 * Makes the topics that are missing, and looks at them; the client for that lives as long.
 *
 * @param retention milliseconds that connection state recovery needs
 * @param signal ends it at once, also where Kafka does not answer
 * @throws Error that says what is missing, and what to do
 */
export async function prepareTopics(
  kafka: Kafka,
  { key, createTopics, partitions, replicationFactor, partition }: ReadOptions,
  retention: number,
  signal: AbortSignal,
): Promise<Topics> {
  const admin = kafka.admin();
  const end = (): void => void admin.disconnect().catch(() => {});
  signal.addEventListener('abort', end);
  try {
    await admin.connect();
    const log = key;
    const replies = `${key}-replies`;
    const existing = new Set(await admin.listTopics());
    const missing = [log, replies].filter((topic) => !existing.has(topic));
    if (missing.length > 0) {
      if (!createTopics) throw missingTopics(missing, 'createTopics is false');
      const keep = Math.max(TEN_MINUTES, retention);
      const topics = missing.map((topic) => ({
        topic,
        numPartitions: topic === log ? partitions : -1,
        replicationFactor,
        configEntries: [
          { name: 'cleanup.policy', value: 'delete' },
          { name: 'retention.ms', value: String(topic === log ? keep : REPLIES_RETENTION) },
          { name: 'segment.ms', value: String(Math.max(60_000, Math.floor((topic === log ? keep : REPLIES_RETENTION) / 2))) },
          { name: 'message.timestamp.type', value: 'LogAppendTime' },
          { name: 'max.message.bytes', value: String(LARGEST_RECORD) },
        ],
      }));
      try {
        await admin.createTopics({ topics, timeout: CREATE_MS });
      } catch (error) {
        const errors = (error as { errors?: { type?: string; message: string }[] }).errors ?? [error as { type?: string; message: string }];
        const refused = errors.filter(({ type }) => type !== 'TOPIC_ALREADY_EXISTS');
        if (refused.length > 0) throw missingTopics(missing, refused.map(({ message }) => message).join('; '), error);
      }
    }
    const { topics } = await admin.fetchTopicMetadata({ topics: [log, replies] });
    const count = (name: string): number => topics.find((topic) => topic.name === name)!.partitions.length;
    if (partition !== undefined && partition >= count(log))
      throw Object.assign(new Error(`the option partition is ${partition}, but ${log} has ${count(log)} partitions: the first is 0`), { final: true });
    // One that was just made has nothing that was before.
    const offsets = missing.includes(log) ? [] : await admin.fetchTopicOffsets(log);
    const ends = new Map(Array.from({ length: count(log) }, (_, partition) => [partition, 0]));
    for (const { partition, high } of offsets) ends.set(partition, Number(high));
    return { partitions: count(log), replies: count(replies), ends };
  } finally {
    signal.removeEventListener('abort', end);
    await admin.disconnect();
  }
}

function missingTopics(names: string[], why: string, cause?: unknown): Error {
  return new Error(`${names.join(' and ')} must be made (${why}): make them, or allow CREATE, with createTopics: true`, { cause });
}
