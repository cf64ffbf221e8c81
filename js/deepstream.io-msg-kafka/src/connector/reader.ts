import type { Batch, KafkaConsumer, KafkaMessage, MessageRule } from 'kafka-native';
import type { ReadOptions } from '../options';
import { lostOffsets } from '../troubles';
import type { Place } from './places';

/** A topic that is read. */
export interface Feed {
  /** Where it goes on; the reader moves it. */
  place: Place;
  /** Must not throw. */
  onMessage(message: KafkaMessage, partition: number): void;
  /** It is settled where reading begins. Called again after each change. */
  onReading(): void;
}

/** Milliseconds before it is tried again what Kafka has refused. */
const RETRY_MS = 1000;

/**
 * Reads topics that come and go. A consumer's topics are fixed while it runs: a change connects the next consumer while the one before still reads,
 * then stops that one, and goes on at the very offsets where it was. Changes that come meanwhile are made together.
 */
export class Reader {
  readonly #options: ReadOptions;
  readonly #only: MessageRule;
  readonly #tell: (error: Error) => void;
  readonly #feeds = new Map<string, Feed>();
  #consumer: KafkaConsumer | undefined;
  /** Not read yet. */
  #next: KafkaConsumer | undefined;
  #changed = false;
  /** It has ended by itself, and would again if nothing got better. */
  #crashed = false;
  #changing: Promise<void> | undefined;
  #stopped = false;
  #onStop: (() => void) | undefined;
  readonly #endings = new Set<Promise<void>>();

  /** @param only which messages are wanted */
  constructor(options: ReadOptions, only: MessageRule, tell: (error: Error) => void) {
    this.#options = options;
    this.#only = only;
    this.#tell = tell;
  }

  add(topic: string, feed: Feed): void {
    this.#feeds.set(topic, feed);
    this.#change();
  }

  remove(topic: string, feed: Feed): void {
    if (this.#feeds.get(topic) !== feed) return;
    this.#feeds.delete(topic);
    this.#change();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#feeds.clear();
    this.#onStop?.();
    for (const consumer of [this.#consumer, this.#next]) if (consumer) this.#end(consumer);
    await this.#changing;
    await Promise.all(this.#endings);
  }

  #change(): void {
    this.#changed = true;
    // Changes in one turn of the event loop are made as one.
    this.#changing ??= Promise.resolve().then(() => this.#work());
  }

  async #work(): Promise<void> {
    while (this.#changed && !this.#stopped) {
      if (this.#crashed) await this.#pause();
      this.#changed = this.#crashed = false;
      try {
        await this.#read();
      } catch (error) {
        if (this.#stopped) break;
        this.#changed = true;
        this.#tell(new Error(`the topics cannot be read yet: ${(error as Error).message}`, { cause: error }));
        await this.#pause();
      }
    }
    // In the turn of the last look: a change that comes behind it begins anew.
    this.#changing = undefined;
  }

  async #read(): Promise<void> {
    const before = this.#consumer;
    const next = (this.#next = this.#feeds.size > 0 ? this.#make() : undefined);
    try {
      await next?.connect();
      await before?.stop({ timeout: 0 });
      this.#consumer = undefined;
      if (before) this.#end(before);
      if (this.#stopped) return;
      // From here on nothing moves a place but the next one.
      const feeds = new Map(this.#feeds);
      if (!next || feeds.size === 0) return;
      for (const [topic, { place }] of feeds) await next.subscribe({ topic, from: { ...place } });
      await next.run({ only: this.#only, eachBatch: async ({ batch }) => this.#onBatch(feeds, batch) });
      if (this.#stopped) return;
      this.#consumer = next;
      for (const [topic, feed] of feeds) if (this.#feeds.get(topic) === feed) feed.onReading();
    } finally {
      this.#next = undefined;
      if (next && this.#consumer !== next) this.#end(next);
    }
  }

  #make(): KafkaConsumer {
    const { kafka, consumer: given } = this.#options;
    const consumer = kafka.consumer({
      readUncommitted: true,
      metadataMaxAge: 1000,
      // Partitions that come into a broker's view one by one wait for the fetch that is under way without them.
      maxWaitTimeInMs: 100,
      ...given,
      groupId: null,
      properties: { 'fetch.error.backoff.ms': '10', 'fetch.queue.backoff.ms': '10', ...given.properties },
      onPartitionsLost: (lost) => {
        if (consumer === this.#consumer || consumer === this.#next) for (const { topic } of lost) this.#forget(topic);
        return given.onPartitionsLost?.(lost);
      },
    });
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      if (payload.restart || this.#stopped || consumer !== this.#consumer) return;
      this.#tell(new Error(`reading has ended, and begins again: ${payload.error.message}`, { cause: payload.error }));
      this.#crashed = true;
      this.#change();
    });
    consumer.on(consumer.events.OFFSETS_LOST, ({ payload: { topic, partition, from, to } }) => {
      if (consumer === this.#consumer || consumer === this.#next)
        this.#tell(new Error(`${topic}/${partition}: ${lostOffsets(from, to)}; give the topic a longer retention`));
    });
    return consumer;
  }

  /** The offsets are of a log that is gone. */
  #forget(topic: string): void {
    const feed = this.#feeds.get(topic);
    if (!feed) return;
    feed.place = {};
    this.#tell(new Error(`the topic ${topic} was deleted: what was in it is lost, and a new one is read from its beginning`));
  }

  #onBatch(feeds: ReadonlyMap<string, Feed>, { topic, partition, messages }: Batch): void {
    const feed = feeds.get(topic);
    if (!feed) return;
    for (const message of messages) {
      // A callback may have removed it, and it may be another one already.
      if (this.#feeds.get(topic) !== feed) return;
      feed.place[partition] = String(Number(message.offset) + 1);
      feed.onMessage(message, partition);
    }
  }

  #end(consumer: KafkaConsumer): void {
    const ending = consumer
      .disconnect({ timeout: 0 })
      .catch((error: Error) => this.#tell(error))
      .finally(() => this.#endings.delete(ending));
    this.#endings.add(ending);
  }

  async #pause(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, RETRY_MS);
      this.#onStop = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
