import type { Admin } from 'kafka-native/kafkajs';
import type { ReadOptions } from '../options';

/** By partition, the next offset to be read; one that is not named begins with its first message. */
export type Place = Record<number, string>;

/** Bytes of the largest message. */
export const LARGEST = 16 * 1024 * 1024;
/** Then it is said why, and tried again. */
const ASK_MS = 10_000;

/** Finds where topics end, and makes those that are missing. */
export class Places {
  readonly #admin: Admin;
  readonly #options: ReadOptions;
  #listing: Promise<Set<string>> | undefined;

  constructor(admin: Admin, options: ReadOptions) {
    this.#admin = admin;
    this.#options = options;
  }

  /**
   * One that is missing is made, and ends where it begins, also when somebody else made it in the same moment.
   *
   * @throws Error that says what to do
   */
  async endOf(topic: string): Promise<Place> {
    const existing = await this.#list();
    if (!existing.has(topic)) {
      await make(this.#admin, topic, this.#options);
      return {};
    }
    const ends = await this.#admin.fetchTopicOffsets(topic, { timeout: ASK_MS });
    return Object.fromEntries(ends.map(({ partition, high }) => [partition, high]));
  }

  /** Asked for a topic that is missing librdkafka waits a second for it to come; the list says at once. Those of one turn share it. */
  #list(): Promise<Set<string>> {
    this.#listing ??= Promise.resolve().then(async () => {
      this.#listing = undefined;
      return new Set(await this.#admin.listTopics());
    });
    return this.#listing;
  }
}

/** One partition, which is the one that version 0.1.2 writes and reads. */
async function make(admin: Admin, topic: string, { createTopics, replicationFactor, retention }: ReadOptions): Promise<void> {
  if (!createTopics) throw new Error('it does not exist, and createTopics is false: make it, or allow CREATE, with createTopics: true');
  const configEntries = [
    { name: 'cleanup.policy', value: 'delete' },
    { name: 'retention.ms', value: String(retention) },
    { name: 'segment.ms', value: String(Math.max(60_000, Math.floor(retention / 2))) },
    { name: 'max.message.bytes', value: String(LARGEST) },
  ];
  try {
    await admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor, configEntries }], timeout: ASK_MS });
  } catch (error) {
    const why = ((error as { errors?: Error[] }).errors ?? [error as Error]).map(({ message }) => message).join('; ');
    throw new Error(`it does not exist, and could not be made: ${why}: make it, or allow CREATE`, { cause: error });
  }
}
