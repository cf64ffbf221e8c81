// The wish of a URL of the old protocol.

import { ProxyError } from '../errors';

export interface LegacyWish {
  topic: string;
  partition: number;
  group: string;
  /** undefined: where the group has committed; 'end': what comes from now on. */
  offset: number | 'end' | undefined;
  /** It has an offset that is no number. */
  garbled: boolean;
}

const LARGEST_PARTITION = 2 ** 31 - 1;

/**
 * `?topic=T[&consumerGroup=default][&offset=N][&partition=P]`. An empty parameter is as if it were not there, as it was in 1.0, and so is
 * an offset that is no number: scripts write `undefined` there. A negative one is the end. Other parameters are ignored. Throws a ProxyError that says
 * what to write instead.
 */
export function readWish(query: URLSearchParams, partition: number): LegacyWish {
  const topic = value(query, 'topic');
  if (topic === undefined) throw bad('The URL names no topic: write ?topic=NAME');
  if (!/^[\w.-]{1,249}$/.test(topic) || topic === '.' || topic === '..')
    throw bad('topic is no name of a topic: it has up to 249 letters, digits, dots, underscores and hyphens');
  const group = value(query, 'consumerGroup') ?? 'default';
  if (/\p{Cc}/u.test(group)) throw bad('consumerGroup has control characters');
  const offset = value(query, 'offset');
  // As 1.0 read it.
  const garbled = offset !== undefined && Number.isNaN(Number.parseInt(offset, 10));
  return {
    topic,
    group,
    partition: whole(query, 'partition', LARGEST_PARTITION) ?? partition,
    offset: garbled ? undefined : isNegative(offset) ? 'end' : whole(query, 'offset', Number.MAX_SAFE_INTEGER),
    garbled,
  };
}

const isNegative = (text = ''): boolean => /^-0*[1-9]\d*$/.test(text);

function value(query: URLSearchParams, name: string): string | undefined {
  const values = query.getAll(name);
  if (values.length > 1) throw bad(`${name} is there ${values.length} times: once is enough`);
  return values[0] || undefined;
}

function whole(query: URLSearchParams, name: string, largest: number): number | undefined {
  const text = value(query, name);
  if (text === undefined) return undefined;
  if (!/^\d{1,16}$/.test(text) || Number(text) > largest) throw bad(`${name} must be a whole number from 0 to ${largest}, got ${text.slice(0, 20)}`);
  return Number(text);
}

const bad = (message: string): ProxyError => new ProxyError('BAD_REQUEST', message);
