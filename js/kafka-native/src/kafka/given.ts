// A program's values, read as KafkaJS reads them: a number may be text, and sentences show a value as a template does.

import { BEGIN } from '../logical';
import { KafkaJSNonRetriableError } from './errors';

/** A whole number, its text, a BigInt, a Long; undefined for anything else. @internal */
export function integerOf(given: unknown): number | undefined {
  const text = typeof given === 'string' || typeof given === 'bigint' || (typeof given === 'object' && given !== null) ? textOf(given) : undefined;
  const number = text === undefined ? given : /^-?\d+$/.test(text) ? Number(text) : undefined;
  return Number.isSafeInteger(number) ? (number as number) : undefined;
}

/** The number of a partition. @internal */
export function partitionOf(given: unknown): number | undefined {
  const partition = integerOf(given);
  return partition !== undefined && partition >= 0 && partition < 2 ** 31 ? partition : undefined;
}

/** An offset that a program gave. @internal */
export function checkOffset(offset: unknown): number {
  const at = integerOf(offset);
  if (at === undefined) {
    const text = shown(offset);
    throw new KafkaJSNonRetriableError(
      /^-?\d+$/.test(text) ? `Invalid offset ${text}: this client takes offsets below 2^53` : `Invalid offset, expected a long received ${text}`,
    );
  }
  return at;
}

/** An offset that can be committed. @internal */
export function checkCommit(offset: unknown): number {
  return notBelow(0, checkOffset(offset));
}

/** An offset to go on at: BEGIN and END are some. @internal */
export function checkSeek(offset: unknown): number {
  return notBelow(BEGIN, checkOffset(offset));
}

function notBelow(least: number, offset: number): number {
  if (offset < least) throw new KafkaJSNonRetriableError('Offset must not be a negative number');
  return offset;
}

/** The partition that a program gave. @internal */
export function checkPartition(topic: unknown, partition: unknown): number {
  if (!topic) throw new KafkaJSNonRetriableError(`Invalid topic ${shown(topic)}`);
  const number = partitionOf(partition);
  if (number === undefined) throw new KafkaJSNonRetriableError(`Invalid partition, expected a number received ${shown(partition)}`);
  return number;
}

/** What a timer can wait. @internal */
export const LONGEST_TIMER = 2 ** 31 - 1;

/** A `timeout`: milliseconds, Infinity as well. @internal */
export function millisecondsOf(given: unknown): number {
  const number = typeof given === 'string' && given.trim() !== '' ? Number(given) : given;
  if (typeof number === 'number' && number >= 0) return number;
  throw new KafkaJSNonRetriableError(`Invalid timeout ${shown(given)}: it must be a number of 0 or more, milliseconds`);
}

/** @internal */
export const shown = (given: unknown): string => textOf(given) ?? `[${typeof given}]`;

/** @param hidden the name of the fields whose values are not shown @internal */
export function asJson(given: unknown, hidden?: string): string {
  try {
    return JSON.stringify(given, (name, value) => (name !== '' && name === hidden ? '***' : value));
  } catch {
    return 'an object that cannot be shown as JSON';
  }
}

/** Undefined for an object that cannot be text. */
function textOf(given: unknown): string | undefined {
  try {
    return String(given);
  } catch {
    return undefined;
  }
}
