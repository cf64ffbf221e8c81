// Patterns of topics' names: text in which * stands for any text. No regular expressions: a client's could stop the event loop.

import { ProxyError } from '../errors';

/** More stars make a long name slow to judge. */
const STARS = 3;

/** @throws ProxyError for too many stars, and for what is in no topic's name */
export function topicPattern(pattern: string): RegExp {
  if (!/^[\w.*-]+$/.test(pattern)) throw new ProxyError('BAD_REQUEST', "A pattern has letters, digits, '.', '_', '-' and '*' for any text.");
  const parts = pattern.split(/\*+/);
  if (parts.length - 1 > STARS) throw new ProxyError('BAD_REQUEST', `A pattern has at most ${STARS} stars, this one has ${parts.length - 1}.`);
  return new RegExp(`^${parts.map((part) => part.replaceAll('.', '\\.')).join('.*')}$`);
}
