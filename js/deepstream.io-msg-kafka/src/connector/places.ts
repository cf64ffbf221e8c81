import { setImmediate as turn } from 'node:timers/promises';
import type { KafkaAdmin } from 'kafka-native';
import { makeTopics } from '../new-topic';
import type { ReadOptions } from '../options';

/** By partition, the next offset to be read; one that is not named begins with its first message. */
export type Place = Record<number, string>;

/** Then it is said why, and tried again. */
const ASK_MS = 10_000;
/** A message that is newer than now by so much was written by a clock that is wrong: times say nothing. */
const AHEAD_MS = 1000;

/** Topics that are asked for in one turn of the event loop; then those that were missing, and why one of them could not be made. */
interface Request {
  topics: Set<string>;
  missing: Promise<Map<string, Error | undefined>>;
}

/** Finds where topics end, and makes those that are missing. */
export class Places {
  readonly #admin: KafkaAdmin;
  readonly #options: ReadOptions;
  /** To which topics can be added. */
  #request: Request | undefined;

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
    const request = (this.#request ??= this.#ask());
    request.topics.add(topic);
    const missing = await request.missing;
    const error = missing.get(topic);
    if (error) throw error;
    return missing.has(topic);
  }

  /**
   * One listing and one request for all topics of a turn: brokers take many topics at once in the time of a few. The list comes first because librdkafka
   * waits a second for a topic that is missing to come.
   */
  #ask(): Request {
    const topics = new Set<string>();
    const missing = turn().then(async () => {
      this.#request = undefined;
      const there = new Set(await this.#admin.listTopics());
      const absent = [...topics].filter((topic) => !there.has(topic));
      // One partition: the one that version 0.1.2 writes and reads.
      const failed = absent.length > 0 ? await makeTopics(this.#admin, absent, this.#options) : new Map<string, Error>();
      return new Map(absent.map((topic) => [topic, failed.get(topic)]));
    });
    return { topics, missing };
  }
}
