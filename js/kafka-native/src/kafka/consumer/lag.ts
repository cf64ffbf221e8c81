import { clearInterval, setInterval } from '../../clock';
import type { Instrumentation } from '../events';
import type { KafkaLogger } from '../logger';
import type { TopicPartition } from '../partitions';
import type { AssignedPartition } from './assignment';
import { processed } from './reached';

/** How far a partition is behind. */
export interface PartitionLag extends TopicPartition {
  /** The next offset to be processed; '-1': nothing was heard of the partition yet. */
  offset: string;
  /** The end of what this consumer may read: the last stable offset, or with `readUncommitted` the high watermark. */
  end: string;
  /** The offsets between them, of which some may be no messages: transaction markers, what was compacted away. '-1': not known yet. */
  lag: string;
}

/** The next offset to be processed; -1: not known yet. @internal */
export function positionOf(assigned: AssignedPartition): number {
  return Math.max(processed(assigned), -1);
}

/** @internal */
export function lagOf(assigned: AssignedPartition, end: number): PartitionLag {
  const { topic, partition } = assigned;
  const offset = positionOf(assigned);
  return { topic, partition, offset: String(offset), end: String(end), lag: String(offset < 0 ? -1 : Math.max(end - offset, 0)) };
}

/** Milliseconds between two LAG events. */
const LAG_MS = 5000;

interface LagOwner {
  readonly events: Instrumentation;
  readonly log: KafkaLogger;
  lag(): Promise<PartitionLag[]>;
  names(): { groupId: string | null; memberId: string };
}

/** Asks for the lag again and again while somebody listens, one question at a time. @internal */
export class LagEvents {
  readonly #owner: LagOwner;
  readonly #timer = setInterval(() => void this.#ask(), LAG_MS);
  #asking = false;
  #ended = false;

  constructor(owner: LagOwner) {
    this.#owner = owner;
  }

  async #ask(): Promise<void> {
    const { events, log } = this.#owner;
    if (this.#asking || !events.listened('consumer.lag')) return;
    this.#asking = true;
    try {
      const partitions = await this.#owner.lag();
      const { groupId, memberId } = this.#owner.names();
      if (!this.#ended) events.emit('consumer.lag', { groupId, memberId, partitions });
    } catch (error) {
      if (!this.#ended) log.debug(`It is not known where partitions end: ${(error as Error).message}`, this.#owner.names());
    } finally {
      this.#asking = false;
    }
  }

  end(): void {
    this.#ended = true;
    clearInterval(this.#timer);
  }
}
