import type { NativeGroup } from '../../binding';
import type { Calls } from '../../calls';
import { BEGIN, END, STORED } from '../../logical';
import { integerOf, partitionOf } from '../../numbers';
import { describe } from '../../options';
import { KafkaJSNonRetriableError } from '../errors';
import { shown } from '../given';

/** Where `consumer.assign` begins to read. */
export interface AssignedPosition {
  topic: string;
  /** Default: every partition that the topic has now. */
  partition?: number;
  /** The first message wanted: `'42'`, `'beginning'`, `'end'`, or `'committed'` by the group or in `offsetDirectory`. Default `'committed'` where that can be, else `'beginning'`. */
  offset?: string | number;
  /** Instead of an offset: the first message that is not older; milliseconds since 1970, or a Date. None: the end. */
  timestamp?: number | Date;
}

/** The same, checked: an offset of librdkafka's, or a time. @internal */
export interface Position {
  topic: string;
  partition: number | undefined;
  offset: number;
  timestamp: number | undefined;
}

const NAMED = new Map<unknown, number>([
  ['beginning', BEGIN],
  ['end', END],
  ['committed', STORED],
]);
const LOOKUP_MS = 10_000;

/** @internal */
export function readPositions(given: unknown, commits: boolean): Position[] {
  if (!Array.isArray(given)) throw new KafkaJSNonRetriableError(`Consumer.assign: takes an array of { topic, partition, offset }, got ${describe(given)}`);
  return given.map(({ topic, partition, offset, timestamp }: AssignedPosition) => {
    if (typeof topic !== 'string' || topic === '')
      throw new KafkaJSNonRetriableError(`Consumer.assign: topic must be a string that is not empty, got ${describe(topic)}`);
    const number = partitionOf(partition);
    if (partition !== undefined && number === undefined)
      throw new KafkaJSNonRetriableError(`Consumer.assign: partition must be an integer from 0, got ${describe(partition)}`);
    if (offset !== undefined && timestamp !== undefined) throw new KafkaJSNonRetriableError('Consumer.assign: takes offset or timestamp, not both');
    const time = timestamp instanceof Date ? timestamp.getTime() : integerOf(timestamp);
    if (timestamp !== undefined && !(time !== undefined && time >= 0))
      throw new KafkaJSNonRetriableError(`Consumer.assign: timestamp must be a Date or milliseconds, got ${describe(timestamp)}`);
    const where = offset ?? (commits ? 'committed' : 'beginning');
    const next = NAMED.get(where) ?? integerOf(where);
    if (next === undefined)
      throw new KafkaJSNonRetriableError(`Consumer.assign: offset must be an integer below 2^53, 'beginning', 'end' or 'committed', got ${describe(where)}`);
    if (where === 'committed' && !commits) throw new KafkaJSNonRetriableError("Consumer.assign: offset 'committed' needs a groupId, or an offsetDirectory");
    return { topic, partition: number, offset: next, timestamp: time };
  });
}

/** Asks the cluster for the partitions and the times. @internal */
export async function resolvePositions(
  calls: Calls,
  native: NativeGroup,
  positions: readonly Position[],
): Promise<{ topics: string[]; partitions: number[]; offsets: number[] }> {
  const each = await Promise.all(
    positions.map(async (position) => {
      const { topic, partition } = position;
      const partitions = partition !== undefined ? [partition] : await calls.start<number[]>((id) => native.partitionsOf(id, topic, LOOKUP_MS));
      return partitions.map((number) => ({ ...position, partition: number }));
    }),
  );
  const all = each.flat();
  const timed = all.filter(({ timestamp }) => timestamp !== undefined);
  if (timed.length > 0) {
    const found = await calls.start<number[]>((id) =>
      native.offsetsForTimes(
        id,
        timed.map(({ topic }) => topic),
        timed.map(({ partition }) => partition),
        timed.map(({ timestamp }) => timestamp!),
        LOOKUP_MS,
      ),
    );
    for (const [i, position] of timed.entries()) position.offset = found[i]!;
  }
  return { topics: all.map(({ topic }) => topic), partitions: all.map(({ partition }) => partition), offsets: all.map(({ offset }) => offset) };
}

/** Topics and partitions that a program pauses or resumes. @internal */
export function checkPartitions(call: string, topicPartitions: unknown): { topic: string; partitions?: number[] }[] {
  if (!Array.isArray(topicPartitions))
    throw new KafkaJSNonRetriableError(`Consumer.${call}: takes an array of { topic, partitions }, got ${describe(topicPartitions)}`);
  return topicPartitions.map((each: { topic?: string; partitions?: unknown } | null | undefined) => {
    if (!each?.topic) throw new KafkaJSNonRetriableError(`Invalid topic ${shown(each?.topic || each)}`);
    const { topic, partitions } = each;
    if (partitions === undefined) return { topic };
    const numbers = Array.isArray(partitions) ? partitions.map(partitionOf) : [undefined];
    if (numbers.includes(undefined))
      throw new KafkaJSNonRetriableError(`Array of valid partitions required to ${call} specific partitions instead of ${shown(partitions)}`);
    return { topic, partitions: numbers as number[] };
  });
}
