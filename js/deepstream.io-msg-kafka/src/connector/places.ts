import type { KafkaAdmin } from 'kafka-native';
import { makeTopic } from '../new-topic';
import type { ReadOptions } from '../options';

/** By partition, the next offset to be read; one that is not named begins with its first message. */
export type Place = Record<number, string>;

/** Then it is said why, and tried again. */
const ASK_MS = 10_000;
/** A message that is newer than now by so much was written by a clock that is wrong: times say nothing. */
const AHEAD_MS = 1000;

/** Finds where topics end, and makes those that are missing. */
export class Places {
  readonly #admin: KafkaAdmin;
  readonly #options: ReadOptions;
  #listing: Promise<Set<string>> | undefined;

  constructor(admin: KafkaAdmin, options: ReadOptions) {
    this.#admin = admin;
    this.#options = options;
  }

  /**
   * Where a topic ended at a time, in milliseconds since 1970, which is when somebody subscribed: until Kafka is asked others may have made it and
   * written. One that is missing is made, and ends where it begins, also when somebody else made it in the same moment.
   *
   * @throws Error that says what to do
   */
  async endOf(topic: string, time: number): Promise<Place> {
    if (await this.make(topic)) return {};
    const ends = await this.#admin.fetchTopicOffsets(topic, { timeout: ASK_MS });
    const at = (since: number) => this.#admin.fetchTopicOffsetsByTimestamp(topic, since, { timeout: ASK_MS });
    const [since, ahead] = await Promise.all([at(time + 1), at(Date.now() + AHEAD_MS)]);
    const offsetIn = (list: typeof since, partition: number) => Number(list.find((entry) => entry.partition === partition)?.offset ?? Infinity);
    const place = ({ partition, high }: (typeof ends)[number]): string => {
      const end = Number(high);
      return String(offsetIn(ahead, partition) < end ? end : Math.min(offsetIn(since, partition), end));
    };
    return Object.fromEntries(ends.map((end) => [end.partition, place(end)]));
  }

  /**
   * Makes a topic where it is missing.
   *
   * @returns whether it was missing
   * @throws Error that says what to do
   */
  async make(topic: string): Promise<boolean> {
    if ((await this.#list()).has(topic)) return false;
    // One partition: the one that version 0.1.2 writes and reads.
    await makeTopic(this.#admin, topic, this.#options);
    return true;
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
