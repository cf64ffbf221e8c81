// Questions to the cluster, once for all who ask at the same time.

import type { KafkaAdmin } from 'kafka-native';
import type { Ends } from './topic-log';

/** Milliseconds before a topic that no broker knows is asked for again: it may have been made a moment ago. */
const HEARSAY = 200;

/** Errors of a broker that has just heard of a new leader, or has not yet; the admin does not try it again. */
const MOVING = new Set<unknown>(['FENCED_LEADER_EPOCH', 'UNKNOWN_LEADER_EPOCH']);
const MOVING_TRIES = 10;

/** How often, and after how many milliseconds, it is asked where a log ends before an offset counts as behind it. */
const HIGH_TRIES = 3;
const HIGH_AGAIN = 200;

/** An answer counts for who asked before the question was. */
export class Questions {
  readonly #admin: () => Promise<KafkaAdmin>;
  readonly #next = new Map<string, Promise<unknown>>();
  readonly #underWay = new Map<string, Promise<unknown>>();

  constructor(admin: () => Promise<KafkaAdmin>) {
    this.#admin = admin;
  }

  topics(): Promise<string[]> {
    return this.#ask('topics', async () => (await this.#admin()).listTopics());
  }

  /** Rejects with what the admin rejects with: UNKNOWN_TOPIC_OR_PARTITION ... */
  ends(topic: string): Promise<Map<number, Ends>> {
    return this.#ask(`ends ${topic}`, async () => {
      const admin = await this.#admin();
      // This one says at once that there is no such topic.
      await heard(() => admin.fetchTopicMetadata({ topics: [topic] }));
      const offsets = await settled(() => admin.fetchTopicOffsets(topic, { readCommitted: true }));
      return new Map(offsets.map(({ partition, low, high }) => [partition, { low: Number(low), end: Number(high) }]));
    });
  }

  /** Of all partitions, without waiting for leaders; null: it has none, and nobody knows. */
  knownEnds(topic: string): Promise<Map<number, Ends | null>> {
    return this.#ask(`known ends ${topic}`, async () => {
      const admin = await this.#admin();
      const { topics } = await heard(() => admin.fetchTopicMetadata({ topics: [topic], leaderless: true }));
      const ends = new Map<number, Ends | null>(topics[0]!.partitions.map(({ partitionId }) => [partitionId, null]));
      const offsets = await settled(() => admin.fetchTopicOffsets(topic, { readCommitted: true, leaderless: true }));
      for (const { partition, low, high } of offsets) ends.set(partition, { low: Number(low), end: Number(high) });
      return ends;
    });
  }

  /** Where partitions end, transactions that are not finished included. */
  highs(topic: string): Promise<Map<number, number>> {
    return this.#ask(`highs ${topic}`, async () => {
      const admin = await this.#admin();
      const offsets = await settled(() => admin.fetchTopicOffsets(topic));
      return new Map(offsets.map(({ partition, high }) => [partition, Number(high)]));
    });
  }

  /** Whether the partition has this offset, or will have it next, be it held back by transactions that are not finished. */
  async reaches(topic: string, partition: number, offset: number): Promise<boolean> {
    // A leader that is new may need a moment to know where the log ends.
    for (let tries = 0; tries < HIGH_TRIES; tries++) {
      if (tries > 0) await new Promise((resolve) => setTimeout(resolve, HIGH_AGAIN));
      if (offset <= ((await this.highs(topic)).get(partition) ?? 0)) return true;
    }
    return false;
  }

  /**
   * The first messages that are not older; the end, where there is none.
   * @param leaderless partitions without a leader are left out, in place of waiting for one
   */
  times(topic: string, timestamp: number, leaderless = false): Promise<Map<number, number>> {
    return this.#ask(`times ${topic} ${timestamp} ${leaderless}`, async () => {
      const admin = await this.#admin();
      const found = await settled(() => admin.fetchTopicOffsetsByTimestamp(topic, timestamp, { leaderless }));
      return new Map(found.map(({ partition, offset }) => [partition, Number(offset)]));
    });
  }

  /** One after another; who comes while one is under way shares the next. */
  #ask<T>(name: string, question: () => Promise<T>): Promise<T> {
    const waiting = this.#next.get(name) as Promise<T> | undefined;
    if (waiting) return waiting;
    const next = (async () => {
      await this.#underWay.get(name)?.catch(() => {});
      // Those who ask in this turn share it.
      await new Promise(setImmediate);
      this.#next.delete(name);
      const answer = question();
      this.#underWay.set(name, answer);
      try {
        return await answer;
      } finally {
        if (this.#underWay.get(name) === answer) this.#underWay.delete(name);
      }
    })();
    this.#next.set(name, next);
    return next;
  }
}

/** The answer when brokers have heard of a topic that was made a moment ago. */
async function heard<T>(question: () => Promise<T>): Promise<T> {
  try {
    return await question();
  } catch (error) {
    if ((error as { type?: unknown }).type !== 'UNKNOWN_TOPIC_OR_PARTITION') throw error;
  }
  await new Promise((resolve) => setTimeout(resolve, HEARSAY));
  return question();
}

/** The answer when leaders have settled. */
async function settled<T>(question: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await question();
    } catch (error) {
      if (!MOVING.has((error as { type?: unknown }).type) || tries >= MOVING_TRIES) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, HEARSAY));
  }
}
