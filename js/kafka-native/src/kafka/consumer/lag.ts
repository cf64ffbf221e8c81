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
