// Messages of clients and proxy in protocol 2; docs/protocol.md explains them. A client's messages are checked here, and nowhere else.

import { z } from 'zod';
import type { Notice, TopicPartition } from '../subscription';

/** An array as long as a client makes it: of what does not fit, the first is told. All of a megabyte took seconds. */
export function list<T extends z.ZodType>(element: T, least = 0) {
  return z
    .array(z.unknown())
    .min(least)
    .transform((all, { issues }): z.output<T>[] => {
      const fit: z.output<T>[] = [];
      for (const [at, each] of all.entries()) {
        const { success, data, error } = element.safeParse(each);
        if (!success) {
          for (const { message, path } of error.issues) issues.push({ code: 'custom', message, path: [at, ...path], input: each });
          return z.NEVER;
        }
        fit.push(data);
      }
      return fit;
    });
}

type HeadersOf<T> = Record<string, T | null | (T | null)[]>;
/** An object of any names, also of '__proto__', each with one value or an array of them. */
function headersOf<T>(one: z.ZodType<T | null>, what: string) {
  const fits = (value: unknown): boolean => one.safeParse(value).success;
  return z.custom<HeadersOf<T>>(
    (all) =>
      typeof all === 'object' &&
      all !== null &&
      !Array.isArray(all) &&
      Object.values(all).every((each) => (Array.isArray(each) ? each.every(fits) : fits(each))),
    `each header must be ${what}, null, or an array of these`,
  );
}

/** A client's name for a subscription or a request. */
export type Id = string | number;

const id = z.union([z.string().min(1).max(64), z.int()]);
const topic = z.string().min(1).max(249);
const partition = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);
const offset = z.int().min(0);
const count = z.int().min(0);
const text = z.union([z.string(), z.null()]);
const bytes = z.instanceof(Uint8Array);
/** Milliseconds since 1970. */
const timestamp = z.int().min(0);
const encoding = z.union([z.enum(['text', 'json', 'base64', 'binary']), z.literal(false)]);
const where = z.union([z.enum(['earliest', 'latest']), z.strictObject({ timestamp })]);
const credit = { messages: count.optional(), bytes: count.optional() };
const headers = headersOf<string | Uint8Array>(z.union([text, bytes]), 'text');
const headersBase64 = headersOf<string>(z.union([z.base64(), z.null()]), 'base64');

const message = z.object({
  key: z.union([text, bytes]).optional(),
  keyBase64: z.base64().optional(),
  /** Checked where it is written: this, or `valueBase64`. */
  value: z.unknown().optional(),
  valueBase64: z.base64().optional(),
  headers: headers.optional(),
  headersBase64: headersBase64.optional(),
  partition: partition.optional(),
  timestamp: timestamp.optional(),
});
export type Message = z.infer<typeof message>;
const messages = list(message);

const subscribe = z.object({
  type: z.literal('subscribe'),
  id,
  topics: list(topic, 1).optional(),
  pattern: z.string().min(1).max(249).optional(),
  group: z.string().min(1).max(255).optional(),
  from: z.union([z.literal('committed'), where, z.strictObject({ offsets: list(z.object({ topic, partition, offset })) })]).optional(),
  partitions: list(partition, 1).optional(),
  /** kafka-native judges it. */
  only: z.record(z.string(), z.unknown()).optional(),
  key: encoding.optional(),
  value: encoding.optional(),
  headers: encoding.optional(),
  credit: z.object(credit).optional(),
  slow: z.enum(['close', 'newest']).optional(),
  table: z.boolean().optional(),
  lag: z
    .int()
    .min(1000)
    .max(2 ** 31 - 1)
    .optional(),
});
export type Subscribe = z.infer<typeof subscribe>;

/** The whole subscription, or some partitions of one topic. */
const some = { id, topic: topic.optional(), partitions: list(partition, 1).optional() };
const one = { id, topic, partition };

const clientMessage = z.discriminatedUnion('type', [
  subscribe,
  z.object({ type: z.literal('unsubscribe'), id }),
  z.object({ type: z.literal('credit'), id, ...credit }),
  z.object({ type: z.literal('pause'), ...some }),
  z.object({ type: z.literal('resume'), ...some }),
  z.object({ type: z.literal('seek'), ...one, offset: z.union([offset, where]) }),
  z.object({ type: z.literal('lag'), id }),
  z.object({ type: z.literal('ack'), ...one, offset }),
  z.object({ type: z.literal('nack'), ...one, offset, delay: z.int().min(0).max(3_600_000).optional() }),
  z.object({ type: z.literal('produce'), id, topic, messages }),
]);
export type ClientMessage = z.infer<typeof clientMessage>;
export type Produce = Extract<ClientMessage, { type: 'produce' }>;

/** The result of a message that a client produced. */
export type Produced = { partition: number; offset: number } | { error: { code: string; message: string; retriable: boolean } };

export interface ErrorMessage extends Partial<TopicPartition> {
  type: 'error';
  /** Of the subscription or request that it is about; none: the socket. */
  id?: Id | undefined;
  /** The type of the client's message that has this id. */
  request?: string | undefined;
  code: string;
  message: string;
  /** The same may succeed later. */
  retriable: boolean;
  /** The subscription or the request is over; without an id: the socket is closed next. */
  fatal: boolean;
}

export type ServerMessage =
  | { type: 'hello'; protocol: 2; version: string; socket: string; limits: Record<string, number> }
  | (Notice & { id: Id })
  | { type: 'unsubscribed'; id: Id }
  | { type: 'produced'; id: Id; results: Produced[] }
  | ErrorMessage;

export type Read = { message: ClientMessage } | { refused: string; id: Id | undefined; type: string | undefined };

/** Messages that are to be written, as HTTP has them, too; or why they are refused. */
export function readMessages(given: unknown): { messages: Message[] } | { refused: string } {
  const { success, data, error } = messages.safeParse(given);
  return success ? { messages: data } : { refused: refused(error) };
}

/** The first three things that are wrong. Clients' words in it may be long. */
export function refused({ issues }: z.ZodError): string {
  return issues
    .slice(0, 3)
    .map(({ path, message: text }) => [path.join('.'), text].filter(Boolean).join(': ').slice(0, 500))
    .join('; ');
}

/** The message of a client, or why it is refused, with the id and type that it seems to have. */
export function read(document: unknown): Read {
  const result = clientMessage.safeParse(document);
  if (result.success) return { message: result.data };
  const { id: given, type } = (typeof document === 'object' && document !== null ? document : {}) as { id?: unknown; type?: unknown };
  return {
    refused: refused(result.error),
    id: id.safeParse(given).data,
    type: typeof type === 'string' ? type.slice(0, 64) : undefined,
  };
}
