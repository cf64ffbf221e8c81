import { setTimeout as sleep } from 'node:timers/promises';
import type { Batch, KafkaConsumer, KafkaMessage, MessageRule, KafkaProducer } from 'kafka-native';
import { makeTopic } from './new-topic';
import type { ReadClusterNodeOptions } from './options';
import { producerConfig } from './outbox';
import { lostOffsets } from './troubles';
import { within } from './within';

/** All is written to one partition: then the order is one for all servers and topics. */
export const PARTITION = 0;
const RETRY_MS = 500;
/** For the ends of clients: one that connects ends when that has failed, which takes long where nobody answers. */
const END_MS = 2000;
/** Then it is said why there is nothing yet: before deepstream's own patience, two seconds, is over. */
const SILENCE_MS = 1500;

export interface LogOptions extends ReadClusterNodeOptions {
  /** Which records are read. */
  rule: MessageRule;
  onMessage(message: KafkaMessage): void;
  /** It goes on by itself. */
  onTrouble(kind: 'start' | 'log' | 'retention', message: string): void;
  /** Nothing more is read. */
  onEnd(message: string): void;
  /** The last words of Kafka's clients. */
  words(): string;
}

/** The topic that all servers share: one producer, and one consumer without a group that reads from the end on. */
export class Log {
  readonly #options: LogOptions;
  readonly #abort = new AbortController();
  #producer: KafkaProducer | undefined;
  #consumer: KafkaConsumer | undefined;

  constructor(options: LogOptions) {
    this.#options = options;
  }

  /**
   * Tries until Kafka can be used. Resolves when `onMessage` gets what is written from now on.
   * @throws the signal's reason when this is closed
   */
  async open(): Promise<KafkaProducer> {
    const { signal } = this.#abort;
    const { words } = this.#options;
    const silence = setTimeout(() => this.#tellWaiting(words()), SILENCE_MS);
    try {
      for (;;) {
        try {
          return await this.#connect();
        } catch (error) {
          await this.#disconnect();
          signal.throwIfAborted();
          this.#tellWaiting((error as Error).message);
          await sleep(RETRY_MS, undefined, { signal });
        }
      }
    } finally {
      clearTimeout(silence);
    }
  }

  #tellWaiting(why: string): void {
    if (this.#abort.signal.aborted) return;
    const { topic, where, onTrouble } = this.#options;
    onTrouble('start', `the topic ${topic} of ${where} cannot be used yet: ${why}; it is tried again`);
  }

  async #connect(): Promise<KafkaProducer> {
    const { kafka, topic, rule, producer, consumer, onTrouble, onEnd } = this.#options;
    const writer = (this.#producer = kafka.producer(producerConfig(producer)));
    const reader = (this.#consumer = kafka.consumer({
      readUncommitted: true,
      // Each message may be written to thousands of sockets: the event loop turns in between.
      maxMessagesPerBatch: 100,
      ...consumer,
      groupId: null,
      properties: {
        'fetch.error.backoff.ms': '10',
        'fetch.queue.backoff.ms': '10',
        'reconnect.backoff.max.ms': '1000',
        ...consumer.properties,
      },
      onPartitionsLost: (lost) => {
        onTrouble('log', `the topic ${topic} was deleted: what was in it is lost, and a new one is read from its beginning`);
        return consumer.onPartitionsLost?.(lost);
      },
    }));
    let reading = false;
    reader.on(reader.events.CRASH, ({ payload: { error, restart } }) => {
      // Before it reads, that is an attempt that has failed.
      if (restart || !reading) onTrouble('log', `reading ${topic} has failed: ${error.message}`);
      else onEnd(`reading ${topic} has ended, and this server hears the others no more: ${error.message}; start it again`);
    });
    reader.on(reader.events.OFFSETS_LOST, ({ payload: { from, to } }) => {
      onTrouble('retention', `${topic}: ${lostOffsets(from, to)}; set the option retention, or retention.ms of the topic, to more`);
    });
    const steps = await Promise.allSettled([this.#prepareTopic(), writer.connect(), reader.connect()]);
    const failed = steps.find((step) => step.status === 'rejected');
    if (failed) throw failed.reason;
    this.#abort.signal.throwIfAborted();
    await reader.subscribe({ topics: [topic], from: 'end' });
    await reader.run({ only: rule, eachBatch: async ({ batch }) => this.#onBatch(batch) });
    this.#abort.signal.throwIfAborted();
    reading = true;
    return writer;
  }

  #onBatch({ messages }: Batch): void {
    for (const message of messages) this.#options.onMessage(message);
  }

  /** Makes the topic where it is missing. */
  async #prepareTopic(): Promise<void> {
    const { kafka, topic } = this.#options;
    const admin = kafka.admin();
    const end = (): void => void admin.disconnect().catch(() => {});
    this.#abort.signal.addEventListener('abort', end);
    try {
      await admin.connect();
      if ((await admin.listTopics()).includes(topic)) return;
      await makeTopic(admin, topic, this.#options);
    } finally {
      this.#abort.signal.removeEventListener('abort', end);
      await admin.disconnect().catch(() => {});
    }
  }

  /** After the topic was deleted: resolves when it may be there again. Never rejects. */
  async again(): Promise<void> {
    if (!this.#abort.signal.aborted) await this.#prepareTopic().catch((error: Error) => this.#tellWaiting(error.message));
    // The producer learns of the new topic a moment after it is made.
    await sleep(RETRY_MS, undefined, { ref: false });
  }

  /** Work under way is not waited for. Resolves after 2 s at most. */
  async close(): Promise<void> {
    this.#abort.abort();
    await within(END_MS, this.#disconnect());
  }

  async #disconnect(): Promise<void> {
    const [producer, consumer] = [this.#producer, this.#consumer];
    this.#producer = this.#consumer = undefined;
    await Promise.allSettled([consumer?.disconnect({ timeout: 0 }), producer?.disconnect({ timeout: 0 })]);
  }
}
