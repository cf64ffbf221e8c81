import type { KafkaProducer, ProducerConfig } from 'kafka-native';
import { within } from './within';

/** A record on its way. */
export interface Outgoing {
  topic: string;
  key: string;
  value: string | Uint8Array;
  headers?: Record<string, string>;
  partition?: number;
}

export interface OutboxOptions {
  /** Bytes that wait or are under way. */
  maxBytes: number;
  /** A record is larger than its topic takes: it is left out, and the others go on. */
  onTooLarge(record: Outgoing, reason: Error): void;
  /** The topic was deleted: it is tried again when this resolves, which must not reject. */
  onMissing(): Promise<void>;
  /** Called once: from now on nothing more is sent. */
  onBroken(reason: Error): void;
}

/** The most bytes of a record. Kafka's own default is a megabyte. */
export const LARGEST_RECORD = 16 * 1024 * 1024;
/** Bytes that are under way at one time: one batch of the producer, which Kafka takes or refuses as a whole. A larger record goes alone. */
const PART_BYTES = 64 * 1024;
/** Of a record: its headers, and what JavaScript needs for it. */
const OVERHEAD = 100;

/** For the producer of an {@link Outbox}; the options of the user go before it. */
export function producerConfig(given: ProducerConfig): ProducerConfig {
  return {
    idempotent: true,
    linger: 0,
    // A broker would make it with its own defaults.
    allowAutoTopicCreation: false,
    ...given,
    properties: {
      // Messages wait for Kafka as long as it takes: none is dropped out of their middle.
      'message.timeout.ms': '0',
      'message.max.bytes': String(LARGEST_RECORD),
      'reconnect.backoff.max.ms': '1000',
      ...given.properties,
    },
  };
}

/**
 * Records of one topic in the order of their calls, for one producer. They wait while Kafka is away, within `maxBytes`. A record that
 * does not fit, or is refused, ends the outbox: the others have everything up to a point and nothing behind it, never a part with a gap.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  #producer: KafkaProducer | undefined;
  #waiting: Outgoing[] = [];
  #bytes = 0;
  #sending = false;
  #broken = false;
  #idle: (() => void)[] = [];

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** From now on records are sent. */
  open(producer: KafkaProducer): void {
    this.#producer = producer;
    this.#schedule();
  }

  /** Whether it ended: what is added is left out. */
  get broken(): boolean {
    return this.#broken;
  }

  /** Bytes that wait or are under way. */
  get bytes(): number {
    return this.#bytes;
  }

  add(record: Outgoing): void {
    if (this.#broken) return;
    const bytes = sizeOf(record);
    if (this.#bytes + bytes > this.#options.maxBytes) {
      // Records already waiting go out when Kafka is back.
      this.#break(new Error(`more than ${this.#options.maxBytes} bytes (maxQueuedBytes) wait for Kafka: nothing more is sent`));
      return;
    }
    this.#bytes += bytes;
    this.#waiting.push(record);
    this.#schedule();
  }

  /** Resolves when nothing waits or is under way, or after so many milliseconds; at once where it was never opened. */
  async flushed(timeout: number): Promise<void> {
    if (this.#bytes === 0 || !this.#producer) return;
    await within(timeout, new Promise<void>((resolve) => this.#idle.push(resolve)));
  }

  /** Records that a turn of the event loop adds go together. */
  #schedule(): void {
    if (this.#sending || !this.#producer || this.#waiting.length === 0) return;
    this.#sending = true;
    process.nextTick(() => void this.#send(this.#producer!));
  }

  /** One part after the other, so that none overtakes one that is refused. */
  async #send(producer: KafkaProducer): Promise<void> {
    while (this.#waiting.length > 0) {
      const part = this.#take();
      const refused = await this.#write(producer, part);
      for (const record of part) this.#bytes -= sizeOf(record);
      if (refused && part.length === 1 && typeOf(refused) === 'MESSAGE_TOO_LARGE') {
        this.#options.onTooLarge(part[0]!, refused);
      } else if (refused) {
        this.#waiting = [];
        this.#bytes = 0;
        this.#break(new Error(`Kafka has refused a message (${refused.message}): nothing more is sent`, { cause: refused }));
      }
    }
    this.#sending = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Until its topic is there. @returns why it was refused */
  async #write(producer: KafkaProducer, part: Outgoing[]): Promise<Error | undefined> {
    for (;;) {
      try {
        await producer.send({ topic: part[0]!.topic, messages: part as never });
        return undefined;
      } catch (error) {
        if (typeOf(error) !== 'UNKNOWN_TOPIC_OR_PARTITION') return error as Error;
      }
      await this.#options.onMissing();
    }
  }

  /** Records that wait, as many as go together, or one that goes alone. */
  #take(): Outgoing[] {
    let sum = 0;
    const end = this.#waiting.findIndex((record) => (sum += sizeOf(record)) > PART_BYTES);
    return this.#waiting.splice(0, end === -1 ? this.#waiting.length : Math.max(1, end));
  }

  #break(reason: Error): void {
    if (this.#broken) return;
    this.#broken = true;
    this.#options.onBroken(reason);
  }
}

function sizeOf({ key, value }: Outgoing): number {
  return OVERHEAD + key.length + (typeof value === 'string' ? Buffer.byteLength(value) : value.length);
}

function typeOf(reason: unknown): unknown {
  return (reason as { type?: unknown }).type;
}
