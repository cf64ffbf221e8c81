// Names and places, as requests write them.

import type { EncodingName } from 'kafka-native';
import { CloseCode, ProxyError } from '../errors';
import type { Ask } from './router';

const LARGEST_PARTITION = 2 ** 31 - 1;
const ENCODINGS: readonly string[] = ['text', 'json', 'base64', 'false'];

export const bad = (message: string): ProxyError => new ProxyError('BAD_REQUEST', message);

/** The topic of the path. @throws ProxyError for what is no topic's name */
export function topicOf({ names: { topic = '' } }: Ask): string {
  if (/^[\w.-]{1,249}$/.test(topic) && topic !== '.' && topic !== '..') return topic;
  throw bad('This is no name of a topic: it has up to 249 letters, digits, dots, underscores and hyphens.');
}

/** The group of the path. @throws ProxyError for what cannot be one */
export function groupOf({ names: { group = '' } }: Ask): string {
  if (group.length <= 255 && !/\p{Cc}/u.test(group)) return group;
  throw bad('This is no name of a group: it has up to 255 characters, and no control characters.');
}

/** A parameter that may be there once; one that is empty is not there. */
export function one(query: URLSearchParams, name: string): string | undefined {
  const values = query.getAll(name);
  if (values.length > 1) throw bad(`${name} is there ${values.length} times: once is enough.`);
  return values[0] || undefined;
}

export function whole(query: URLSearchParams, name: string, least: number, most: number): number | undefined {
  const text = one(query, name);
  if (text === undefined) return undefined;
  if (!/^\d{1,16}$/.test(text) || Number(text) < least || Number(text) > most) throw bad(`${name} must be a whole number from ${least} to ${most}.`);
  return Number(text);
}

/** `partition=3`, `partition=0,2`. */
export function partitionsOf(query: URLSearchParams): number[] | undefined {
  const text = one(query, 'partition');
  if (text === undefined) return undefined;
  const parts = text.split(',');
  if (!parts.every((part) => /^\d{1,10}$/.test(part) && Number(part) <= LARGEST_PARTITION))
    throw bad('partition must be a number, or several with commas between them.');
  return [...new Set(parts.map(Number))];
}

/** How keys, values and headers are written. */
export function encodingsOf(query: URLSearchParams): { [field in 'key' | 'value' | 'headers']?: EncodingName | false } {
  const encoding = (name: string): EncodingName | false | undefined => {
    const text = one(query, name);
    if (text !== undefined && !ENCODINGS.includes(text)) throw bad(`${name} must be one of ${ENCODINGS.join(', ')}.`);
    return text === 'false' ? false : (text as EncodingName | undefined);
  };
  const [key, value, headers] = ['key', 'value', 'headers'].map(encoding);
  return { ...(key !== undefined && { key }), ...(value !== undefined && { value }), ...(headers !== undefined && { headers }) };
}

/** Where to read from. */
export type From = 'earliest' | 'latest' | { timestamp: number } | { offsets: Map<number, number> };

/** Milliseconds since 1970, or a day or moment of ISO 8601. */
export function timeOf(text: string): number | undefined {
  if (/^\d{1,16}$/.test(text)) return Number(text) <= Number.MAX_SAFE_INTEGER ? Number(text) : undefined;
  // In a URL a plus is a space.
  const moment = text.replace(/ (?=\d\d:?\d\d$)/, '+');
  if (!/^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?$/i.test(moment)) return undefined;
  const time = Date.parse(moment);
  return time >= 0 ? time : undefined;
}

/**
 * `earliest`, `latest`, an offset (of the one partition that is named), `0:17,1:4` (partitions and offsets), `time:1700000000000`,
 * `time:2024-05-01T12:00:00Z`.
 */
export function fromOf(text: string, partitions: readonly number[] | undefined): From {
  if (text === 'earliest' || text === 'latest') return text;
  if (text.startsWith('time:')) {
    const timestamp = timeOf(text.slice('time:'.length));
    if (timestamp === undefined) throw bad('from=time: goes on with milliseconds since 1970, or with a moment such as 2024-05-01T12:00:00Z.');
    return { timestamp };
  }
  if (/^\d+$/.test(text)) {
    if (partitions?.length !== 1) throw bad('from is an offset: say of which partition, such as from=42&partition=0.');
    return { offsets: new Map([[partitions[0]!, offsetOf(text)]]) };
  }
  return { offsets: placesOf(text) };
}

/** `0:17,4,9,7:1`: partitions with the offsets of the next messages. One without a partition is of the one behind the last. */
export function placesOf(text: string): Map<number, number> {
  const places = new Map<number, number>();
  let partition = -1;
  for (const part of text.split(',')) {
    const match = /^(?:(\d{1,10}):)?(\d{1,16})$/.exec(part.trim());
    if (!match) throw bad("from must be 'earliest', 'latest', an offset, 'time:...', or partitions with offsets, such as 0:17,1:4.");
    partition = match[1] === undefined ? partition + 1 : Number(match[1]);
    if (partition > LARGEST_PARTITION) throw bad(`There is no partition ${partition}.`);
    places.set(partition, offsetOf(match[2]!));
  }
  return places;
}

/** The same as text, as short as that. */
export function placesText(places: readonly (readonly [partition: number, offset: number])[]): string {
  return places.map(([, offset], at) => prefixOf(places, at) + offset).join(',');
}

/** The same around the offset of one of them: what stands before it, and what behind. */
export function placesAround(places: readonly (readonly [number, number])[], at: number): [string, string] {
  const parts = places.map(([, offset], i) => prefixOf(places, i) + (i === at ? '' : offset));
  return [
    parts.slice(0, at + 1).join(','),
    parts
      .slice(at + 1)
      .map((part) => `,${part}`)
      .join(''),
  ];
}

function prefixOf(places: readonly (readonly [number, number])[], at: number): string {
  const [partition] = places[at]!;
  return at > 0 && places[at - 1]![0] === partition - 1 ? '' : `${partition}:`;
}

function offsetOf(text: string): number {
  const offset = Number(text);
  if (offset > Number.MAX_SAFE_INTEGER) throw bad('An offset is at most 9007199254740991.');
  return offset;
}

export function unknownTopic(topic: string): ProxyError {
  return new ProxyError('UNKNOWN_TOPIC_OR_PARTITION', `there is no topic ${topic}: make it first, or mend the name`, true, CloseCode.UnknownTopic);
}
