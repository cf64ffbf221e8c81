// A topic, its partitions, and the one consumer that reads it for all.

import type { Kafka } from 'kafka-native';
import { CloseCode, ProxyError } from '../errors';
import { Traffic } from '../figures/traffic';
import type { Log } from '../options';
import type { Cache } from './page';
import { PartitionLog, type Follower } from './partition-log';

/** Where a partition begins and ends, as far as committed transactions go. */
export interface Ends {
  low: number;
  end: number;
}

/** A subscription or table that hears of a topic's partitions. */
export interface TopicReader {
  /** Partitions that were added, or, after `lost`, those of a topic that was made anew. */
  come(logs: PartitionLog[]): void;
  /** The topic was deleted. */
  lost(topic: string): void;
  /** It cannot be read any more. */
  failed(topic: string, error: Error): void;
}

interface Options {
  kafka: Kafka;
  log: Log;
  cache: Cache;
  /** Milliseconds between looks for partitions. */
  refresh: number;
  /** Where the topic's partitions begin and end now. */
  ends(topic: string): Promise<Map<number, Ends>>;
  onEnd(): void;
}

/** Milliseconds before what the reader has not heard of is asked for: it may be on its way. */
const SETTLE = 200;
/** Milliseconds before it is asked what retention has deleted. */
const CHECK = 500;
/** Milliseconds in which a topic that was made anew comes behind the old one. */
const ANEW = 1000;

export class TopicLog {
  readonly #options: Options;
  readonly #consumer: ReturnType<Kafka['consumer']>;
  readonly partitions = new Map<number, PartitionLog>();
  readonly readers = new Set<TopicReader>();
  /** Messages and bytes that its reader brought. */
  readonly traffic = new Traffic();
  /** Subscriptions that are being made. */
  holds = 0;
  /** Resolves when it is read. */
  readonly ready: Promise<void>;
  ended = false;
  /** Offsets that somebody waits for, by partition. */
  readonly #targets = new Map<number, number>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  /** Offsets that were left out, and who followed. */
  readonly #gaps: { log: PartitionLog; begin: number; end: number; followers: Follower[] }[] = [];

  constructor(
    options: Options,
    readonly topic: string,
  ) {
    this.#options = options;
    this.#consumer = options.kafka.consumer({
      groupId: null,
      metadataMaxAge: options.refresh,
      onPartitionsAssigned: (topics) => this.#come(topics.flatMap(({ partitions }) => partitions)),
      onPartitionsLost: () => this.#lost(),
    });
    this.#consumer.on('consumer.crash', ({ payload: { error, restart } }) => {
      if (restart) options.log.warn(`The reader of topic ${topic} starts anew: ${error.message}`);
      else this.#failed(error);
    });
    this.ready = this.#begin();
    this.ready.catch((error: Error) => this.#failed(error));
  }

  async #begin(): Promise<void> {
    const { topic } = this;
    const ends = await this.#options.ends(topic);
    this.#checkWanted();
    for (const [partition, { end }] of ends) this.#add(partition, end);
    await this.#consumer.connect();
    this.#checkWanted();
    await this.#consumer.subscribe({ topic, from: Object.fromEntries(Array.from(ends, ([partition, { end }]) => [partition, String(end)])) });
    await this.#consumer.run({
      partitionsConsumedConcurrently: 1000,
      // Not async: a promise a batch less.
      eachBatch: ({ batch }) => {
        this.traffic.add(batch.size, batch.bytes);
        const log = this.partitions.get(batch.partition);
        const left = log?.append(batch);
        if (left) this.#check(log!, left);
      },
    });
  }

  /** A consumer that goes on behind its end would connect anew, and nobody would end it. @throws ProxyError */
  #checkWanted(): void {
    if (this.ended) throw new ProxyError('CLOSING', `the topic ${this.topic} is not read any more: try again`, true, CloseCode.GoingAway);
  }

  #add(partition: number, begin: number): PartitionLog {
    const log = new PartitionLog(this.#options.cache, this.topic, partition, begin);
    this.partitions.set(partition, log);
    return log;
  }

  /** A partition that is not there yet is new, and begins with its first message. */
  #come(partitions: number[]): void {
    this.#cancel('anew');
    const come = partitions.filter((partition) => !this.partitions.has(partition)).map((partition) => this.#add(partition, 0));
    if (come.length > 0) for (const reader of [...this.readers]) reader.come(come);
  }

  #lost(): void {
    for (const log of this.partitions.values()) log.end();
    this.partitions.clear();
    this.#gaps.length = 0;
    this.#targets.clear();
    for (const reader of [...this.readers]) reader.lost(this.topic);
    this.#later('anew', ANEW, () => {
      this.#failed(Object.assign(new Error(`the topic ${this.topic} was deleted`), { code: 'UNKNOWN_TOPIC_OR_PART', retriable: true }));
    });
  }

  #failed(error: Error): void {
    if (this.ended) return;
    if (this.readers.size > 0) this.#options.log.warn(`Topic ${this.topic} is not read any more: ${error.message}`);
    const readers = [...this.readers];
    void this.end();
    for (const reader of readers) reader.failed(this.topic, error);
  }

  /** Somebody waits until this is read. Perhaps there are only transaction markers left, of which the reader's handler does not hear. */
  settle(partition: number, end: number): void {
    if ((this.partitions.get(partition)?.next ?? end) >= end) return;
    this.#targets.set(partition, Math.max(end, this.#targets.get(partition) ?? 0));
    this.#later('settle', SETTLE, async () => {
      const targets = Array.from(this.#targets, ([number, target]) => ({ log: this.partitions.get(number), target }));
      this.#targets.clear();
      if (targets.every(({ log, target }) => !log || log.next >= target)) return;
      try {
        await this.#consumer.caughtUp();
      } catch {
        // The reader starts anew.
        for (const { log, target } of targets) if (log && !log.ended) this.settle(log.partition, target);
        return;
      }
      for (const { log, target } of targets) if (log && !log.ended) log.advance(target);
    });
  }

  /** Offsets were left out, as compaction and transactions do: whether it was retention is asked a moment later, once for many. */
  #check(log: PartitionLog, gap: { begin: number; end: number; followers: Follower[] }): void {
    this.#gaps.push({ log, ...gap });
    this.#later('check', CHECK, async () => {
      const gaps = this.#gaps.splice(0);
      const ends = await this.#options.ends(this.topic);
      for (const {
        log: { partition },
        begin,
        end,
        followers,
      } of gaps) {
        const deleted = Math.min(ends.get(partition)?.low ?? 0, end) - begin;
        if (deleted > 0) for (const follower of followers) follower.missed(deleted, end);
      }
    });
  }

  #later(name: string, ms: number, work: () => unknown): void {
    if (this.#timers.has(name) || this.ended) return;
    const timer = setTimeout(async () => {
      this.#timers.delete(name);
      try {
        await work();
      } catch (error) {
        this.#options.log.debug(`Topic ${this.topic}: ${(error as Error).message}`);
      }
    }, ms);
    this.#timers.set(name, timer);
  }

  #cancel(name: string): void {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }

  /** Never rejects. */
  async end(): Promise<void> {
    if (this.ended) return;
    this.ended = true;
    for (const name of [...this.#timers.keys()]) this.#cancel(name);
    for (const log of this.partitions.values()) log.end();
    this.#options.onEnd();
    try {
      await this.#consumer.disconnect();
    } catch (error) {
      this.#options.log.debug(`The reader of topic ${this.topic} did not end in order: ${(error as Error).message}`);
    }
  }
}
