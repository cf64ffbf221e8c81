// Rules of kafka-native, asked of messages that are to be written.

import type { MessageRule, RuleValue } from 'kafka-native';
import type { KafkaMessage } from './writing';

type Value = KafkaMessage['key'] | undefined;

/**
 * Whether the rule wants this message. It is stricter than readers' rules, which kafka-native asks: where a header is there several times, all of
 * them must fit. Else who may write for one reader could write for another, too.
 */
export function wants(rule: MessageRule, message: KafkaMessage): boolean {
  if ('all' in rule) return rule.all.every((each) => wants(each, message));
  if ('any' in rule) return rule.any.some((each) => wants(each, message));
  if ('not' in rule) return !wants(rule.not, message);
  if ('key' in rule) return isOne(message.key, rule.key);
  const values = headersOf(message, rule.header);
  return 'absent' in rule ? values.length === 0 : values.length > 0 && values.every((each) => isOne(each, rule.is));
}

function headersOf({ headers }: KafkaMessage, name: string): Value[] {
  if (!headers || !Object.hasOwn(headers, name)) return [];
  const value = headers[name];
  return Array.isArray(value) ? value : [value];
}

function isOne(value: Value, wanted: RuleValue | readonly RuleValue[]): boolean {
  const all = Array.isArray(wanted) ? (wanted as readonly RuleValue[]) : [wanted as RuleValue];
  return all.some((each) => (each === null || value === null || value === undefined ? each === (value ?? null) : Buffer.from(value).equals(Buffer.from(each))));
}
