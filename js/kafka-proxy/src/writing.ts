// Messages of clients, written to Kafka.

import type { Message as KafkaMessage } from 'kafka-native/kafkajs';
import type { Permission } from './access';
import { ANOTHER, send } from './apart';
import type { Context } from './context';
import { CloseCode, ProxyError } from './errors';
import type { Exchange } from './figures/traffic';
import { wants } from './rule';
import type { Message, Produced } from './v2/messages';

export type { KafkaMessage };
type Bytes = Buffer | string | null;

/** Writes messages of one topic, in order; resolves with what became of each, in their order. Rejects when none was written. */
export async function write(
  context: Context,
  client: Exchange,
  topic: string,
  records: readonly KafkaMessage[],
  { only, spend }: Permission,
): Promise<Produced[]> {
  const foreign = only && records.findIndex((each) => !wants(only, each));
  if (foreign !== undefined && foreign >= 0)
    throw new ProxyError(
      'FORBIDDEN',
      `You may not write message ${foreign} to ${topic}: the rules want another key or other headers.`,
      false,
      CloseCode.Forbidden,
    );
  spend?.(
    records.length,
    records.reduce((sum, each) => sum + sizeOf(each), 0),
  );
  const results = await send(await context.producer(), topic, records);
  await context.apart.settle(topic, records, results);
  let written = 0;
  let bytes = 0;
  const produced = results.map((result, i): Produced => {
    if (result.status === 'fulfilled') {
      const { partition, baseOffset } = result.value[0]!;
      written++;
      bytes += sizeOf(records[i]!);
      return { partition, offset: Number(baseOffset) };
    }
    const { code, message, retriable } = ProxyError.of(result.reason);
    return { error: { code, message, retriable: retriable || code === ANOTHER } };
  });
  if (written > 0) context.figures.received(client, topic, written, bytes);
  return produced;
}

/** A client's message as Kafka gets it. @throws ProxyError without a value, or for one that is too deep */
export function record({ key, keyBase64, value, valueBase64, headers, headersBase64, partition, timestamp }: Message): KafkaMessage {
  if (value === undefined && valueBase64 === undefined) throw new ProxyError('BAD_REQUEST', 'A message needs a value; null is a tombstone.');
  return {
    key: keyBase64 === undefined ? given(key ?? null) : Buffer.from(keyBase64, 'base64'),
    value: valueBase64 === undefined ? given(value) : Buffer.from(valueBase64, 'base64'),
    headers: {
      ...map(headers, (each) => given(each) ?? null),
      ...map(headersBase64, (each) => (each === null ? null : Buffer.from(each as string, 'base64'))),
    } as KafkaMessage['headers'] & object,
    ...(partition !== undefined && { partition }),
    ...(timestamp !== undefined && { timestamp: String(timestamp) }),
  };
}

/** Text and bytes as they are, anything else as JSON. */
function given(value: unknown): Bytes {
  if (value === null || typeof value === 'string') return value;
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return jsonOf(value);
}

/** @throws ProxyError for what is too deep: JSON can be read deeper than it can be written */
export function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    throw error instanceof RangeError ? new ProxyError('BAD_REQUEST', 'A value is nested too deeply: send it as text, or in base64.') : error;
  }
}

function map(headers: Record<string, unknown> | undefined, one: (value: unknown) => Bytes): Record<string, Bytes | Bytes[]> {
  return Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name, Array.isArray(value) ? value.map(one) : one(value)]));
}

/** Bytes of its key, value and headers. */
export function sizeOf({ key, value, headers }: KafkaMessage): number {
  let sum = size(key) + size(value);
  for (const [name, each] of Object.entries(headers ?? {})) {
    sum += name.length;
    for (const one of Array.isArray(each) ? each : [each]) sum += size(one);
  }
  return sum;
}

function size(bytes: KafkaMessage['key']): number {
  return bytes?.length ?? 0;
}
