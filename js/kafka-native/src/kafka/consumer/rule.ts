import { isUint8Array } from 'node:util/types';
import { copyOfBytes } from '../../arena';
import type { NativeRule } from '../../binding';
import { describe } from '../../options';
import { KafkaJSNonRetriableError } from '../errors';

/** Exact bytes; text is its UTF-8. null is a header without a value, or no key: the empty text is neither. */
export type RuleValue = string | Uint8Array | null;

/**
 * Which messages a consumer wants, by exact bytes. The others never reach JavaScript, and count as processed: for commits, offset files,
 * `caughtUp` and `until`.
 *
 * ```js
 * const mine = { any: [{ header: 'to', is: [node, room] }, { header: 'to', absent: true }] };
 * await consumer.run({ only: { all: [mine, { not: { header: 'from', is: node } }] }, eachMessage });
 * ```
 *
 * - `header`, `is`: a header of that name has this value, or one of these. Where a name is repeated, any of its headers may have it.
 * - `header`, `absent: true`: no header has that name.
 * - `key`: the key is this, or one of these.
 * - `all`, `any`, `not`: what all, one, or not that wants. `all: []` wants every message, `any: []` none; as does an empty list of values.
 */
export type MessageRule =
  | { header: string; is: RuleValue | readonly RuleValue[] }
  | { header: string; absent: true }
  | { key: RuleValue | readonly RuleValue[] }
  | { all: readonly MessageRule[] }
  | { any: readonly MessageRule[] }
  | { not: MessageRule };

/** So deep rules may lie in one another. */
const DEEPEST = 100;
const SHAPES = '{ header, is }, { header, absent: true }, { key }, { all }, { any } or { not }';

/** The rule for the addon, a copy of the one given; undefined: every message is wanted. @internal */
export function readRule(call: string, rule: unknown): NativeRule | undefined {
  return rule === undefined || rule === null ? undefined : read(`${call}: only`, rule, 1);
}

function read(path: string, rule: unknown, depth: number): NativeRule {
  if (depth > DEEPEST) throw new KafkaJSNonRetriableError(`${path} lies deeper than ${DEEPEST} rules in one another`);
  if (typeof rule !== 'object' || rule === null || Array.isArray(rule)) throw refused(path, `a rule: ${SHAPES}`, rule);
  const parts = new Map<string, unknown>(Object.entries(rule));
  const names = [...parts.keys()].sort().join();
  switch (names) {
    case 'header,is':
      return { kind: 'header', name: text(`${path}.header`, parts.get('header')), values: values(`${path}.is`, parts.get('is')) };
    case 'absent,header':
      if (parts.get('absent') !== true) throw refused(`${path}.absent`, 'true', parts.get('absent'));
      return { kind: 'absent', name: text(`${path}.header`, parts.get('header')) };
    case 'key':
      return { kind: 'key', values: values(`${path}.key`, parts.get('key')) };
    case 'all':
    case 'any': {
      const rules = parts.get(names);
      if (!Array.isArray(rules)) throw refused(`${path}.${names}`, 'an array of rules', rules);
      return { kind: names, rules: Array.from(rules, (each, i) => read(`${path}.${names}[${i}]`, each, depth + 1)) };
    }
    case 'not':
      return { kind: 'not', rules: [read(`${path}.not`, parts.get('not'), depth + 1)] };
  }
  throw new KafkaJSNonRetriableError(`${path} must be a rule: ${SHAPES}, got one with ${names === '' ? 'nothing' : names}`);
}

function text(path: string, name: unknown): string {
  if (typeof name === 'string') return name;
  throw refused(path, 'a string', name);
}

function values(path: string, given: unknown): (Uint8Array | null)[] {
  return Array.isArray(given) ? Array.from(given, (each, i) => bytes(`${path}[${i}]`, each)) : [bytes(path, given)];
}

function bytes(path: string, value: unknown): Uint8Array | null {
  if (value === null) return null;
  if (typeof value === 'string') return Buffer.from(value);
  if (isUint8Array(value)) return copyOfBytes(value);
  throw refused(path, 'a string, a Buffer or null', value);
}

function refused(path: string, wanted: string, got: unknown): Error {
  return new KafkaJSNonRetriableError(`${path} must be ${wanted}, got ${describe(got)}`);
}
