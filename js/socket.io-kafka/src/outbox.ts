import type { KafkaProducer } from 'kafka-native';
import { Queue } from './queue';
import { bytesOf, type Body } from './record';

/** A record on its way. */
export interface Outgoing {
  topic: string;
  key: string;
  value: Body;
  headers: Record<string, string>;
  partition?: number | undefined;
  /** Kafka has it, or will never have it. */
  onSettled?: (error?: Error) => void;
}

export interface OutboxOptions {
  acks: number | undefined;
  compression: number | undefined;
  /** Bytes that wait or are under way. */
  maxBytes: number;
  /** Why records were not written: dropped to make room, or refused. */
  onLost(count: number, reason: Error): void;
  /** Milliseconds from a record's call to its acknowledgement. */
  onAcknowledged(ms: number): void;
}

/** Bytes under way at one time: enough for any rate, and few enough that the oldest can be dropped from what waits. */
const WINDOW_BYTES = 1024 * 1024;

interface Waiting extends Outgoing {
  bytes: number;
  at: number;
}

/**
 * Records in the order of their calls, for one producer. Those of one turn go in one call. While Kafka is away they wait, within
 * `maxBytes`; beyond that the oldest are dropped.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  #producer: KafkaProducer | undefined;
  #waiting = new Queue<Waiting>();
  #waitingBytes = 0;
  #flying = 0;
  #flyingBytes = 0;
  #scheduled = false;
  #idle: (() => void)[] = [];

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** From now on records are sent. */
  open(producer: KafkaProducer): void {
    this.#producer = producer;
    this.#schedule();
  }

  add(record: Outgoing): void {
    const bytes = record.key.length + bytesOf(record.value) + 100;
    this.#waiting.push({ ...record, bytes, at: performance.now() });
    this.#waitingBytes += bytes;
    this.#drop();
    // A record alone goes at once: others may wait for it while this turn does its own part. Those that follow in the turn go together.
    if (this.#flying === 0 && !this.#scheduled && this.#producer) this.#send();
    else this.#schedule();
  }

  get length(): number {
    return this.#waiting.length + this.#flying;
  }

  get bytes(): number {
    return this.#waitingBytes + this.#flyingBytes;
  }

  /** Whether records are sent, in place of waiting for a producer. */
  get isOpen(): boolean {
    return this.#producer !== undefined;
  }

  /** Resolves when nothing waits or is under way, or after so many milliseconds. */
  async flushed(timeout: number): Promise<void> {
    if (this.length === 0) return;
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([
      new Promise<void>((resolve) => this.#idle.push(resolve)),
      new Promise<void>((resolve) => {
        timer = setTimeout(resolve, timeout);
      }),
    ]);
    clearTimeout(timer);
  }

  /** Records that still wait are lost. */
  abandon(reason: Error): void {
    const waiting = this.#waiting.tail(() => true);
    this.#waiting = new Queue();
    this.#waitingBytes = 0;
    if (waiting.length === 0) return;
    this.#options.onLost(waiting.length, reason);
    for (const { onSettled } of waiting) onSettled?.(reason);
  }

  #drop(): void {
    const dropped: Waiting[] = [];
    // The newest stays, however large it is.
    while (this.#waitingBytes + this.#flyingBytes > this.#options.maxBytes && this.#waiting.length > 1) {
      const record = this.#waiting.shift()!;
      this.#waitingBytes -= record.bytes;
      dropped.push(record);
    }
    if (dropped.length === 0) return;
    const reason = new Error(`more than ${this.#options.maxBytes} bytes (maxQueuedBytes) wait for Kafka: the oldest are dropped`);
    this.#options.onLost(dropped.length, reason);
    for (const { onSettled } of dropped) onSettled?.(reason);
  }

  /** Behind everything that this turn's promises still call. */
  #schedule(): void {
    if (this.#scheduled || this.#producer === undefined) return;
    this.#scheduled = true;
    process.nextTick(() => {
      this.#scheduled = false;
      this.#send();
    });
  }

  #send(): void {
    const producer = this.#producer!;
    const byTopic = new Map<string, Waiting[]>();
    let count = 0;
    let bytes = 0;
    for (let next = this.#waiting.first; next; next = this.#waiting.first) {
      if (this.#flyingBytes + bytes > 0 && this.#flyingBytes + bytes + next.bytes > WINDOW_BYTES) break;
      const list = byTopic.get(next.topic);
      if (list) list.push(next);
      else byTopic.set(next.topic, [next]);
      this.#waiting.shift();
      count++;
      bytes += next.bytes;
    }
    if (count === 0) return;
    this.#waitingBytes -= bytes;
    this.#flyingBytes += bytes;
    this.#flying += count;
    for (const [topic, messages] of byTopic) void this.#sendTo(producer, topic, messages);
  }

  async #sendTo(producer: KafkaProducer, topic: string, messages: Waiting[]): Promise<void> {
    const { acks, compression, onAcknowledged, onLost } = this.#options;
    try {
      await producer.send({ topic, messages: messages as never, ...(acks !== undefined && { acks }), ...(compression !== undefined && { compression }) });
      onAcknowledged(performance.now() - messages[0]!.at);
      for (const { onSettled } of messages) onSettled?.();
    } catch (error) {
      onLost(messages.length, error as Error);
      for (const { onSettled } of messages) onSettled?.(error as Error);
    }
    this.#flying -= messages.length;
    for (const { bytes } of messages) this.#flyingBytes -= bytes;
    if (this.#waiting.length > 0) this.#schedule();
    else if (this.#flying === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }
}
