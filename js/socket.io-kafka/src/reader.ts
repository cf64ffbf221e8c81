import type { Batch, KafkaConsumer, MessageRule, ReadStart } from 'kafka-native';
import { isClient, type ReadOptions } from './options';

export interface LogReaderOptions {
  options: ReadOptions;
  /** The log, and the topic of the replies. */
  topic: string;
  repliesTopic: string;
  only: MessageRule;
  /** Partitions of the replies that have nothing for this server: they are not fetched. */
  others: number[];
  /** `next`: the offset behind what was read of the partition before; undefined for the first. What is before `begin` was read already. */
  onBatch(batch: Batch, next: number | undefined, begin: number): void;
  /** Retention was faster: records of the log at `from`, and up to `to`, were not read. Those before them may not have come yet. */
  onLost(partition: number, from: number, to: number): void;
  /** The log was deleted and made anew. */
  onAnew(): void;
  /** Kafka refuses to let it read. It is tried again. */
  onRefused(error: Error): void;
}

const RETRY_MS = 1000;

/**
 * Reads the log and the replies, without a group. Where Kafka refuses that for a while, as by rights that are taken away, it goes on behind
 * what it has read of the log.
 */
export class LogReader {
  readonly #options: LogReaderOptions;
  readonly #consumer: KafkaConsumer;
  /** Whether the caller made the consumer, and ends it. */
  readonly #lent: boolean;
  /** By partition of the log, the next offset. */
  readonly #next = new Map<number, number>();
  /** Partitions of the log that it has. */
  #partitions: number[] = [];
  /** Where those begin of which nothing was read. */
  #from: Date | 'beginning' = 'beginning';
  /** By partition, where what is read anew was read already. */
  readonly #known = new Map<number, number>();
  #id: string | null = null;
  readonly #unhear: (() => void)[];
  #running = false;
  #stopped = false;
  #heard = -Infinity;
  #retry: NodeJS.Timeout | undefined;

  constructor(options: LogReaderOptions) {
    this.#options = options;
    const { kafka, consumer } = options.options;
    this.#lent = isClient(consumer);
    this.#consumer = isClient(consumer)
      ? (consumer as KafkaConsumer)
      : kafka!.consumer({
          readUncommitted: true,
          // Each message may be written to thousands of sockets: the event loop turns in between.
          maxMessagesPerBatch: 100,
          ...consumer,
          groupId: null,
          properties: { 'fetch.error.backoff.ms': '10', 'fetch.queue.backoff.ms': '10', ...consumer.properties },
          onPartitionsLost: (partitions) => {
            if (partitions.some(({ topic }) => topic === options.topic)) this.#anew();
          },
          onPartitionsAssigned: () => {
            if (this.#running) this.#leaveOthers();
          },
        });
    const { CRASH, OFFSETS_LOST } = this.#consumer.events;
    this.#unhear = [
      this.#consumer.on(CRASH, this.#onCrash),
      this.#consumer.on(OFFSETS_LOST, ({ payload: { topic, partition, from, to } }) => {
        if (topic === options.topic) options.onLost(partition, Number(from), Number(to));
      }),
    ];
  }

  /** Resolves when it is settled where each partition begins. */
  async start(from: Date): Promise<void> {
    this.#from = from;
    if (!this.#lent) await this.#consumer.connect();
    await this.#run(from);
  }

  /** @throws also when it was stopped meanwhile: what comes after each wait would outlive `stop` */
  async #run(from: ReadStart): Promise<void> {
    const { topic, repliesTopic, only } = this.#options;
    await this.#consumer.subscribe({ topics: [topic], from });
    await this.#consumer.subscribe({ topics: [repliesTopic], from: 'end' });
    this.#check();
    await this.#consumer.run({ only, eachBatch: async ({ batch }) => this.#onBatch(batch) });
    this.#check();
    this.#running = true;
    this.#partitions = this.#consumer.assignment().flatMap((each) => (each.topic === topic ? [each.partition] : []));
    this.#leaveOthers();
  }

  #check(): void {
    if (this.#stopped) throw new Error('stopped');
  }

  #leaveOthers(): void {
    const { repliesTopic: topic, others: partitions } = this.#options;
    if (partitions.length > 0) this.#consumer.pause([{ topic, partitions }]);
  }

  #onBatch(batch: Batch): void {
    const { topic, partition } = batch;
    this.#heard = performance.now();
    if (topic !== this.#options.topic) return this.#options.onBatch(batch, undefined, 0);
    const id = this.id;
    if (id !== null && this.#id !== null && id !== this.#id) {
      // Made anew while nothing was read: this may be the middle of it.
      this.#anew();
      this.#id = id;
      for (const each of this.#partitions) this.#consumer.seek({ topic, partition: each, offset: '-2' });
      return;
    }
    this.#id = id;
    const end = Number(batch.lastOffset()) + 1;
    const known = this.#known.get(partition) ?? 0;
    if (end <= known) return;
    this.#known.delete(partition);
    const next = this.#next.get(partition);
    this.#next.set(partition, end);
    this.#options.onBatch(batch, next, known);
  }

  #anew(): void {
    this.#id = null;
    this.#next.clear();
    this.#known.clear();
    this.#from = 'beginning';
    this.#options.onAnew();
  }

  /** Of the log; null as long as nothing was read. */
  get id(): string | null {
    return this.#consumer.topicId(this.#options.topic);
  }

  /** Resolves when everything that was written before was read. */
  caughtUp(): Promise<unknown> {
    return this.#consumer.caughtUp();
  }

  /** When something came last; `performance.now()`. */
  get heard(): number {
    return this.#running ? this.#heard : -Infinity;
  }

  readonly #onCrash = ({ payload: { error, restart } }: { payload: { error: Error; restart: boolean } }): void => {
    // As long as `start` has not resolved it is that which fails.
    if (!this.#running) return;
    this.#options.onRefused(error);
    if (restart) return;
    this.#running = false;
    this.#goOn();
  };

  /** The replies that came meanwhile are too late. */
  #goOn(): void {
    this.#retry = setTimeout(() => {
      const again = async (): Promise<void> => {
        await this.#consumer.unsubscribe();
        await this.#run(this.#places());
      };
      again().catch((error: Error) => {
        if (this.#stopped) return;
        this.#options.onRefused(error);
        this.#goOn();
      });
    }, RETRY_MS);
  }

  /** Behind what was read; as long as of a partition nothing was, where all began. */
  #places(): ReadStart {
    const next = this.#next;
    if (this.#partitions.every((partition) => next.has(partition)))
      return { [this.#options.topic]: Object.fromEntries([...next].map(([partition, offset]) => [partition, String(offset)])) };
    for (const [partition, offset] of next) this.#known.set(partition, offset);
    return this.#from;
  }

  /** A caller's consumer is his to end; it reads no more for us. Never rejects. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#running = false;
    clearTimeout(this.#retry);
    for (const unhear of this.#unhear) unhear();
    await (this.#lent ? this.#consumer.stop({ timeout: 0 }) : this.#consumer.disconnect({ timeout: 0 })).catch(() => {});
  }
}
