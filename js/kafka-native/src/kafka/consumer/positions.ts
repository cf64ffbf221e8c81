import type { NativeGroup } from '../../binding';
import type { Calls } from '../../calls';
import { BEGIN, END, STORED } from '../../logical';
import { describe } from '../../options';
import { KafkaJSNonRetriableError } from '../errors';

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
    if (partition !== undefined && !(Number.isInteger(partition) && partition >= 0))
      throw new KafkaJSNonRetriableError(`Consumer.assign: partition must be an integer from 0, got ${describe(partition)}`);
    if (offset !== undefined && timestamp !== undefined) throw new KafkaJSNonRetriableError('Consumer.assign: takes offset or timestamp, not both');
    const time = timestamp === undefined ? undefined : Number(timestamp);
    if (time !== undefined && !(Number.isInteger(time) && time >= 0))
      throw new KafkaJSNonRetriableError(`Consumer.assign: timestamp must be a Date or milliseconds, got ${describe(timestamp)}`);
    const where = offset ?? (commits ? 'committed' : 'beginning');
    const next = NAMED.get(where) ?? parseOffset(where);
    if (next === undefined)
      throw new KafkaJSNonRetriableError(`Consumer.assign: offset must be an integer below 2^53, 'beginning', 'end' or 'committed', got ${describe(where)}`);
    if (where === 'committed' && !commits) throw new KafkaJSNonRetriableError("Consumer.assign: offset 'committed' needs a groupId, or an offsetDirectory");
    return { topic, partition, offset: next, timestamp: time };
  });
}

/** An offset as KafkaJS programs write it: text, a number, a BigInt, a Long; undefined when it is none. @internal */
export function parseOffset(offset: unknown): number | undefined {
  const text = typeof offset === 'string' || typeof offset === 'bigint' || (typeof offset === 'object' && offset !== null) ? textOf(offset) : undefined;
  const number = text === undefined ? offset : /^-?\d+$/.test(text) ? Number(text) : undefined;
  return Number.isSafeInteger(number) ? (number as number) : undefined;
}

/** Undefined for an object that cannot be text. */
function textOf(value: unknown): string | undefined {
  try {
    return String(value);
  } catch {
    return undefined;
  }
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

/** An offset that a program gave. @internal */
export function checkOffset(call: string, offset: unknown): number {
  const at = parseOffset(offset);
  if (at === undefined) throw new KafkaJSNonRetriableError(`Consumer.${call}: the offset must be an integer below 2^53, got ${describe(offset)}`);
  return at;
}

/** An offset that can be committed. @internal */
export function checkCommit(call: string, offset: unknown): number {
  const at = checkOffset(call, offset);
  if (at < 0) throw new KafkaJSNonRetriableError(`Consumer.${call}: the offset must not be negative, got ${describe(offset)}`);
  return at;
}

/** The offset of a position that a program gave. @internal */
export function checkPosition(call: string, topic: unknown, partition: unknown, offset: unknown): number {
  checkPartition(call, topic, partition);
  return checkOffset(call, offset);
}

/** The partition that a program gave. @internal */
export function checkPartition(call: string, topic: unknown, partition: unknown): number {
  if (!topic) throw new KafkaJSNonRetriableError(`Consumer.${call}: invalid topic ${describe(topic)}`);
  if (!isNumber(partition)) throw new KafkaJSNonRetriableError(`Consumer.${call}: the partition must be a number, got ${describe(partition)}`);
  return Number(partition);
}

/** @internal */
export function checkPartitions(call: string, topicPartitions: unknown): void {
  if (!Array.isArray(topicPartitions))
    throw new KafkaJSNonRetriableError(`Consumer.${call}: takes an array of { topic, partitions }, got ${describe(topicPartitions)}`);
  for (const each of topicPartitions as ({ topic?: unknown; partitions?: unknown } | undefined)[]) {
    if (!each?.topic) throw new KafkaJSNonRetriableError(`Consumer.${call}: invalid topic ${describe(each?.topic ?? each)}`);
    const { partitions } = each;
    if (partitions !== undefined && (!Array.isArray(partitions) || !partitions.every(isNumber))) {
      throw new KafkaJSNonRetriableError(`Consumer.${call}: partitions must be an array of numbers, got ${describe(partitions)}`);
    }
  }
}

/** As KafkaJS takes partitions: text is one, too. */
function isNumber(partition: unknown): boolean {
  return (typeof partition === 'number' || (typeof partition === 'string' && partition !== '')) && !Number.isNaN(Number(partition));
}
