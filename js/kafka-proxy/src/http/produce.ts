// Writing by HTTP: messages as JSON, one as it is, and as Kafka's REST proxy has them.

import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { whose } from '../doors/rates';
import { CloseCode, ProxyError } from '../errors';
import { Exchange } from '../figures/traffic';
import { list, readMessages, refused, type Produced } from '../v2/messages';
import { jsonOf as jsonText, record, sizeOf, write, type KafkaMessage } from '../writing';
import { json, statusOf } from './answer';
import { jsonOf, typeOf } from './body';
import { bad, topicOf } from './names';
import type { Ask, Route } from './router';
import { Turns } from './turns';

/** The cost of a message besides its bytes. */
const MESSAGE_BYTES = 100;
const REST = 'application/vnd.kafka.v2+json';
const REST_JSON = 'application/vnd.kafka.json.v2+json';
const REST_BINARY = 'application/vnd.kafka.binary.v2+json';

export const produce: readonly Route[] = [
  { method: 'POST', path: '/topics/:topic/messages', answer: produceMessages },
  { method: 'POST', path: '/topics/:topic', answer: produceRecords },
];

/** Bytes written at the same time, of one proxy. */
const turns = new WeakMap<object, Turns>();

async function produceMessages(ask: Ask): Promise<void> {
  const results = await written(ask, messagesOf);
  const errors = results.flatMap((result) => ('error' in result ? [result.error] : []));
  if (errors.length === 0) return json(ask.response, 200, { results });
  if (errors.length < results.length) return json(ask.response, 207, { results });
  // None was: it is an error as others are, and says what became of each, too.
  const [{ code, message, retriable }] = errors as [(typeof errors)[number]];
  json(ask.response, statusOf(ProxyError.of({ type: code, message, retriable })), { code, message, retriable, results });
}

/** Records from clients of Confluent's REST proxy (its API v2), and answers to them. */
async function produceRecords(ask: Ask): Promise<void> {
  const results = await written(ask, recordsOf);
  const offsets = results.map((result) =>
    'error' in result
      ? { partition: null, offset: null, error_code: result.error.retriable ? 2 : 1, error: result.error.message }
      : { ...result, error_code: null, error: null },
  );
  json(ask.response, 200, { offsets, key_schema_id: null, value_schema_id: null }, { 'Content-Type': REST });
}

async function written(ask: Ask, read: (request: IncomingMessage, body: Buffer) => KafkaMessage[]): Promise<Produced[]> {
  const { context, identity, request, gone } = ask;
  const topic = topicOf(ask);
  // A client that may not write need not send it.
  const permission = await context.allow(identity, { operation: 'write', topic });
  const records = read(request, await ask.body());
  if (records.length === 0) return [];
  const bytes = records.reduce((sum, each) => sum + MESSAGE_BYTES + sizeOf(each), 0);
  let its = turns.get(context);
  if (!its) turns.set(context, (its = new Turns(context.limits.producing)));
  const done = await its.take(whose(identity), bytes, gone);
  try {
    return await write(context, new Exchange(), topic, records, permission);
  } finally {
    done();
  }
}

/** @throws ProxyError for what is no message */
function messagesOf(request: IncomingMessage, body: Buffer): KafkaMessage[] {
  const type = typeOf(request);
  if (type === 'application/octet-stream') return [binaryOf(request, body)];
  if (type === 'application/x-ndjson') return checked(linesOf(body), 'line');
  if (type !== 'application/json') throw unsupported('application/json, application/x-ndjson or application/octet-stream');
  const document = jsonOf(body);
  const several = typeof document === 'object' && document !== null && 'messages' in document ? (document as { messages: unknown }).messages : undefined;
  return checked(several ?? [document], several === undefined ? '' : 'messages');
}

function linesOf(body: Buffer): unknown[] {
  return body
    .toString('utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line, i) => {
      try {
        return JSON.parse(line) as unknown;
      } catch {
        throw bad(`Line ${i} is no JSON: each line is one message. None was written.`);
      }
    });
}

function checked(given: unknown, where: string): KafkaMessage[] {
  const read = readMessages(given);
  if ('refused' in read) throw bad(`${where === '' ? read.refused.replace(/^0\.?/, '').replace(/^: /, '') : `${where} ${read.refused}`}. None was written.`);
  return read.messages.map(record);
}

/**
 * The body is the value. The rest are headers of HTTP, whose bytes are taken as they are: Kafka-Key or Kafka-Key-Base64, Kafka-Partition,
 * Kafka-Timestamp, and, for the header NAME of the message, Kafka-Header-NAME or Kafka-HeaderBase64-NAME, as often as they are there.
 */
function binaryOf({ rawHeaders }: IncomingMessage, value: Buffer): KafkaMessage {
  const message: KafkaMessage & { headers: Record<string, Buffer[]> } = { key: null, value, headers: Object.create(null) as Record<string, Buffer[]> };
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const match = /^kafka-(?:(key|key-base64|partition|timestamp)$|(header|headerbase64)-(.+)$)/i.exec(rawHeaders[i]!);
    if (!match) continue;
    const text = rawHeaders[i + 1]!;
    const [, field, kind, name] = match;
    const base64 = (field ?? kind!).toLowerCase().endsWith('base64');
    if (base64 && !/^(?:[\w+/-]{4})*(?:[\w+/-]{2}(?:==)?|[\w+/-]{3}=?)?$/.test(text)) throw bad(`The header ${match[0]} is no base64.`);
    const bytes = Buffer.from(text, base64 ? 'base64' : 'latin1');
    if (name !== undefined) (message.headers[Buffer.from(name, 'latin1').toString('utf8')] ??= []).push(bytes);
    else if (field!.toLowerCase().startsWith('key')) message.key = bytes;
    else if (!/^\d{1,16}$/.test(text)) throw bad(`The header ${match[0]} must be a whole number.`);
    else if (field!.toLowerCase() === 'timestamp') {
      if (Number(text) > Number.MAX_SAFE_INTEGER) throw bad(`The header ${match[0]} is in milliseconds since 1970, 9007199254740991 at the most.`);
      message.timestamp = text;
    } else if (Number(text) < 2 ** 31) message.partition = Number(text);
    else throw bad('There is no such partition.');
  }
  return message;
}

const whole = z.int().min(0);
const body = (one: z.ZodType) =>
  z.object({
    records: list(z.object({ key: one.optional(), value: one.optional(), partition: whole.max(2 ** 31 - 1).nullish(), timestamp: whole.nullish() })),
  });
const REST_BODIES = new Map([
  [REST_JSON, { schema: body(z.unknown()), bytes: (value: unknown) => Buffer.from(jsonText(value)) }],
  [REST_BINARY, { schema: body(z.base64().nullable()), bytes: (value: unknown) => Buffer.from(String(value), 'base64') }],
]);

/** @throws ProxyError for what is no record */
function recordsOf(request: IncomingMessage, content: Buffer): KafkaMessage[] {
  const kind = REST_BODIES.get(typeOf(request));
  if (!kind) throw unsupported(`${REST_JSON} or ${REST_BINARY}; other bodies go to /topics/TOPIC/messages`);
  const { success, data, error } = kind.schema.safeParse(jsonOf(content));
  if (!success) throw bad(`${refused(error)}. None was written.`);
  const bytes = (value: unknown): Buffer | null => (value === null || value === undefined ? null : kind.bytes(value));
  return data.records.map(({ key, value, partition, timestamp }) => ({
    key: bytes(key),
    value: bytes(value),
    ...(typeof partition === 'number' && { partition }),
    ...(typeof timestamp === 'number' && { timestamp: String(timestamp) }),
  }));
}

function unsupported(what: string): ProxyError {
  return new ProxyError('UNSUPPORTED_MEDIA_TYPE', `The header Content-Type must say what the body is: ${what}.`, false, CloseCode.BadRequest);
}
