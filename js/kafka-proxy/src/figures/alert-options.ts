// Options of alerts.

import { validateHeaderName, validateHeaderValue } from 'node:http';
import { z } from 'zod';

/** The body POSTed to a webhook as JSON, and the argument of a hook. */
export interface Alarm {
  name: string;
  /** `ok`: it is over. */
  state: 'firing' | 'ok';
  /** Since when: milliseconds since 1970. */
  since: number;
  /** The measure: messages, members, seconds or refusals. */
  value: number;
  /** It fires above (`lag`, `refused`), from (`silent`) or below it (`noConsumer`). */
  threshold: number;
  /** The situation, in a sentence. */
  message: string;
}

export type AlertHook = (alarm: Alarm) => unknown;
export type Webhook = string | { url: string; headers?: Record<string, string> };

/** One of `lag`, `noConsumer`, `silent` and `refused` says what is watched. */
export interface AlertOptions {
  /** Default: what it watches. Two have not the same. */
  name?: string;
  /** The group is more than so many messages behind: in this topic, or in all of its topics. */
  lag?: { group: string; topic?: string; above: number };
  /** The group has no members. */
  noConsumer?: { group: string };
  /** The topic has got no message for so many seconds. */
  silent?: { topic: string; seconds: number };
  /** More than so many sockets and requests were refused in so many seconds. */
  refused?: { above: number; seconds: number };
  /** Seconds for which it must be so before the alert fires. Default 0. */
  for?: number;
  /** Where it is told, in place of `alertWebhook` and `alertHook`. */
  webhook?: Webhook;
  hook?: AlertHook;
}

const HOUR = 3600;
const MOST = 100;
const text = z.string('must be a string').min(1, 'must not be empty').max(249, 'must have at most 249 characters');
const whole = (min: number, max: number) =>
  z.custom<number>((value) => Number.isInteger(value) && (value as number) >= min && (value as number) <= max, `must be a whole number from ${min} to ${max}`);
const object = 'must be an object';

export const ALERT_HOOK = z.custom<AlertHook>((value) => typeof value === 'function', 'must be a function');
export const WEBHOOK = z.custom<Webhook>(isWebhook, 'must be a URL of http or https, or { url, headers } with headers as text');

const WATCHES = ['lag', 'noConsumer', 'silent', 'refused'] as const;
const ALERT = z
  .strictObject(
    {
      name: text.optional(),
      lag: z.strictObject({ group: text, topic: text.optional(), above: whole(0, Number.MAX_SAFE_INTEGER) }, object).optional(),
      noConsumer: z.strictObject({ group: text }, object).optional(),
      silent: z.strictObject({ topic: text, seconds: whole(1, 24 * HOUR) }, object).optional(),
      refused: z.strictObject({ above: whole(0, Number.MAX_SAFE_INTEGER), seconds: whole(1, HOUR) }, object).optional(),
      for: whole(0, 24 * HOUR).optional(),
      webhook: WEBHOOK.optional(),
      hook: ALERT_HOOK.optional(),
    },
    { error: (issue) => (issue.code === 'invalid_type' ? object : undefined) },
  )
  .refine((alert) => WATCHES.filter((watch) => alert[watch] !== undefined).length === 1, `must have one of ${WATCHES.join(', ')}`);

export const ALERTS = z
  .array(ALERT, 'must be an array of alerts')
  .max(MOST, `must have at most ${MOST}`)
  .superRefine((alerts, context) => {
    const names = new Set<string>();
    for (const [i, alert] of alerts.entries()) {
      const name = nameOf(alert as AlertOptions);
      if (names.has(name)) context.addIssue({ code: 'custom', path: [i, 'name'], message: `must be another: there is a "${name}" already` });
      names.add(name);
    }
  });

/** Its name, or else what it watches. */
export function nameOf({ name, lag, noConsumer, silent, refused }: AlertOptions): string {
  if (name !== undefined) return name;
  if (lag) return `lag of ${lag.group}${lag.topic === undefined ? '' : ` in ${lag.topic}`} above ${lag.above}`;
  if (noConsumer) return `no consumer in ${noConsumer.group}`;
  if (silent) return `silence of ${silent.topic} for ${silent.seconds} s`;
  return `refused above ${refused?.above} in ${refused?.seconds} s`;
}

function isWebhook(webhook: unknown): boolean {
  const { url, headers, ...more } = typeof webhook === 'string' ? { url: webhook } : ((webhook ?? {}) as { url?: unknown; headers?: unknown });
  if (typeof url !== 'string' || Object.keys(more).length > 0 || !URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) return false;
  if (headers === undefined) return true;
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) return false;
  try {
    for (const [name, value] of Object.entries(headers)) {
      validateHeaderName(name);
      validateHeaderValue(name, value as string);
      if (typeof value !== 'string') return false;
    }
    return true;
  } catch {
    return false;
  }
}
