import { createHash } from 'node:crypto';

const LONGEST = 249;
/** Kafka's own topics: nobody else may write there. */
const KAFKAS = new Set(['__consumer_offsets', '__transaction_state', '__share_group_state', '__cluster_metadata', '__remote_log_metadata']);
/** No character has this number: the topic without a name. */
const NOTHING = '--110000-';

/**
 * The Kafka topic of a deepstream topic. Letters, digits, `_` and `-` stay; any other character is `--`, its number in Unicode in hexadecimal, and
 * `-`. So is `.`, because Kafka takes `a.b` and `a_b` for one name; a `-` in front of what looks escaped; and the first `_` of Kafka's own
 * topics. A result longer than 249 characters ends with the SHA-256 of the name in place of the rest, in the same form: no character has such a number.
 */
export function kafkaTopic(name: string): string {
  if (name === '') return NOTHING;
  const escaped = KAFKAS.has(name) ? escape('_') + name.slice(1) : name.replace(/[^\w-]|-(?=-[0-9a-f])/gu, escape);
  if (escaped.length <= LONGEST) return escaped;
  const hash = `--${createHash('sha256').update(name, 'utf16le').digest('hex')}-`;
  return escaped.slice(0, LONGEST - hash.length) + hash;
}

/** The deepstream topic of a Kafka topic; undefined where only its hash is there: the header `topic` of its records has the name. */
export function deepstreamTopic(topic: string): string | undefined {
  if (topic === NOTHING) return '';
  if (/--[0-9a-f]{64}-$/.test(topic)) return undefined;
  return topic.replace(/--([0-9a-f]{1,6})-/g, (_, number: string) => String.fromCodePoint(parseInt(number, 16)));
}

function escape(character: string): string {
  return `--${character.codePointAt(0)!.toString(16)}-`;
}
