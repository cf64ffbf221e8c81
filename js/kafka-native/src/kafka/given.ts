// A program's values, checked as KafkaJS checks them; sentences show a value as a template does.

import { BEGIN } from '../logical';
import { integerOf, numberOf, partitionOf, textOf } from '../numbers';
import { KafkaJSNonRetriableError } from './errors';

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

/** An offset that an admin is given, BEGIN and END included. @internal */
export function checkAdminOffset(offset: unknown): number {
  const number = integerOf(offset);
  if (number === undefined || number < BEGIN) throw new KafkaJSNonRetriableError(`Invalid offset ${shown(offset)}`);
  return number;
}

function notBelow(least: number, offset: number): number {
  if (offset < least) throw new KafkaJSNonRetriableError('Offset must not be a negative number');
  return offset;
}

/** The partition that a consumer or a transaction is given. @internal */
export function checkPartition(topic: unknown, partition: unknown): number {
  if (!topic) throw new KafkaJSNonRetriableError(`Invalid topic ${shown(topic)}`);
  const number = partitionOf(partition);
  if (number === undefined) throw new KafkaJSNonRetriableError(`Invalid partition, expected a number received ${shown(partition)}`);
  return number;
}

/** The partition that an admin is given. @internal */
export function checkAdminPartition(topic: string, partition: unknown): number {
  const number = partitionOf(partition);
  if (number === undefined) throw new KafkaJSNonRetriableError(`Invalid partition ${shown(partition)} of topic ${topic}`);
  return number;
}

/** Milliseconds that a timer can wait at most. @internal */
export const LONGEST_TIMER = 2 ** 31 - 1;

/** A `timeout`: milliseconds, Infinity as well. @internal */
export function millisecondsOf(given: unknown): number {
  const number = numberOf(given);
  if (number !== undefined && number >= 0) return number;
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
