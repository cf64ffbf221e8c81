import type { Subscription } from './subscription';
import type { TopicPartition, WireRecord } from './wire';

/** A partition of a subscription's, from where it is assigned or sought until it goes or is sought again. @internal */
export interface Tenure extends TopicPartition {
  /** Nothing that the program was given of it may be acknowledged any more. */
  ended: boolean;
  /** The highest offset that is acknowledged; -1: none. */
  acked: number;
}

/** The same, until messages come again. @internal */
export interface Held {
  readonly tenure: Tenure;
  /** The offset behind the last message that the program was given. */
  next: number;
  /** This message and those behind it come again: these are not given, and not acknowledged. */
  nacked: number;
}

/** A message of Kafka. `V` is what its subscription's `value` makes of its value. */
export class Message<V = string | null> {
  readonly offset: number;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  /** It says that its key's entry is gone: there is no value. */
  readonly tombstone: boolean;
  /** @internal */
  readonly held: Held;
  readonly #subscription: Subscription<V>;

  /** @internal */
  constructor(
    subscription: Subscription<V>,
    held: Held,
    record: WireRecord,
    /** Text, unless the subscription says otherwise; null: it has none. */
    readonly key: string | null,
    readonly value: V,
    /** Text, unless the subscription says otherwise. A name that is there more than once has an array. */
    readonly headers: Record<string, any>,
  ) {
    this.#subscription = subscription;
    this.held = held;
    this.offset = record.offset;
    this.timestamp = record.timestamp;
    this.tombstone = record.value === null;
  }

  get topic(): string {
    return this.held.tenure.topic;
  }

  get partition(): number {
    return this.held.tenure.partition;
  }

  /** In a group: this message and all before it, of its partition, are processed. */
  ack(): void {
    this.#subscription.ack(this);
  }

  /** In a group: this message and those behind it, of its partition, come again, `delay` milliseconds (0 to 3 600 000) later. */
  nack(delay = 0): void {
    this.#subscription.nack(this, delay);
  }
}
