// Conditions of rules on messages: `key == claims.sub`, `headers.tenant == 'blue'`.

import type { MessageRule } from 'kafka-native';
import { claimOf, textOf } from './claims';

export interface Condition {
  /** The header's name; undefined: the key. */
  readonly header: string | undefined;
  /** The wanted value: a claim of who asks, or a text. */
  readonly wanted: { claim: string } | { text: string };
}

export const CONDITION = "must be such as 'key == claims.sub', 'headers.tenant == claims.tenant' or \"key == 'text'\"";

const SHAPE = /^\s*(?:key|headers\.(?<header>[^\s=]+))\s*==\s*(?:claims\.(?<claim>[^\s'"=]+)|'(?<single>[^']+)'|"(?<double>[^"]+)")\s*$/;

/** undefined: it is none. */
export function readCondition(text: unknown): Condition | undefined {
  const groups = typeof text === 'string' ? SHAPE.exec(text)?.groups : undefined;
  if (!groups) return undefined;
  const { header, claim, single, double } = groups;
  const fixed = single ?? double ?? '';
  if (claim === undefined && textOf(fixed) === undefined) return undefined;
  return { header, wanted: claim === undefined ? { text: fixed } : { claim } };
}

/** The rule for whoever has these claims; undefined: what it compares with is not known of them, and nothing is granted. */
export function ruleFor(conditions: readonly Condition[], claims: Readonly<Record<string, unknown>>): MessageRule | undefined {
  const rules: MessageRule[] = [];
  for (const { header, wanted } of conditions) {
    const values = 'text' in wanted ? [wanted.text] : valuesOf(claimOf(claims, wanted.claim));
    if (!values) return undefined;
    rules.push(header === undefined ? { key: values } : { header, is: values });
  }
  return rules.length === 1 ? rules[0] : { all: rules };
}

/** One text, or several, none of them doubtful. */
function valuesOf(claim: unknown): string[] | undefined {
  const values = (Array.isArray(claim) ? claim : [claim]).map(textOf);
  return values.length > 0 && values.every((each) => each !== undefined) ? values : undefined;
}
