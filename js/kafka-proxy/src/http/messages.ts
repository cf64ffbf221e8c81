// Some messages of a topic, in one answer.

import type { Context } from '../context';
import { whose } from '../doors/rates';
import { CloseCode, ProxyError } from '../errors';
import { Exchange } from '../figures/traffic';
import { linesFormat, type FrameFormat } from '../frames';
import type { Ends } from '../log/topic-log';
import { whole as answerWhole } from './answer';
import { encodingsOf, fromOf, one, partitionsOf, topicOf, whole, type From } from './names';
import type { Ask, Route } from './router';
import { Turns } from './turns';
import { scan, type Line, type Range } from './scan';

/** Of an answer: it ends behind the message that goes beyond them. */
const BYTES = 4 * 1024 * 1024;
/** That are read to find the newest messages. */
const READ_BYTES = 64 * 1024 * 1024;
/** How long it is looked for messages, milliseconds. */
const TIME = 10_000;
/**
 * The newest messages are looked for among so many offsets at first, whatever is wanted: what is read at all comes by the megabyte. And among so
 * many of a partition at the most at a time.
 */
const FIRST = 2000;
const MOST = 16_384;
const NDJSON = 'application/x-ndjson';

export const messages: readonly Route[] = [{ method: 'GET', path: '/topics/:topic/messages', answer: read }];

/** Answers that are being made, or taken, of one proxy, and of one who asks. */
const READING = 16;
const READING_OF_ONE = 4;
const turns = new WeakMap<Context, Turns>();
function turnsOf(context: Context): Turns {
  let its = turns.get(context);
  if (!its) turns.set(context, (its = new Turns(READING, READING_OF_ONE)));
  return its;
}

interface Found {
  lines: Line[];
  next: ReadonlyMap<number, number>;
}

async function read(ask: Ask): Promise<void> {
  const { context, identity, query, gone, request, response } = ask;
  const topic = topicOf(ask);
  const partitions = partitionsOf(query);
  const from = fromOf(one(query, 'from') ?? 'latest', partitions);
  const limit = whole(query, 'limit', 1, 10_000) ?? 100;
  const encodings = encodingsOf(query);
  linesFormat(encodings);
  const { only } = await context.allow(identity, { operation: 'read', topic });
  const format = linesFormat({ ...encodings, only });
  // Messages being read, and those not taken yet, are in memory.
  const done = await turnsOf(context).take(whose(identity), 1, gone);
  response.once('close', done);
  if (response.destroyed) done();
  const until = AbortSignal.any([gone, AbortSignal.timeout(TIME)]);
  const ends = wantedOf(topic, await context.logs.ends(topic), partitions);
  const { lines, next } =
    from === 'latest'
      ? await newest(context, topic, ends, format, limit, until)
      : await scan(context, topic, await rangesOf(context, topic, ends, from), format, { messages: limit, bytes: BYTES, until });
  const sorted = byTime(lines).map(({ text }) => text);
  const lined = request.headers.accept?.toLowerCase().includes(NDJSON) === true;
  const body = lined
    ? joined(sorted, '', '\n', sorted.length > 0 ? '\n' : '')
    : joined(sorted, '{"messages":[', ',', `],"next":${JSON.stringify(Object.fromEntries(next))}}\n`);
  if (sorted.length > 0) context.figures.sent(new Exchange(), topic, undefined, sorted.length, body.length);
  answerWhole(response, 200, lined ? NDJSON : 'application/json', body);
}

/** @throws ProxyError for partitions that there are not */
function wantedOf(topic: string, ends: ReadonlyMap<number, Ends>, partitions: readonly number[] | undefined): Map<number, Ends> {
  const wanted = partitions ?? [...ends.keys()].sort((a, b) => a - b);
  return new Map(
    wanted.map((partition) => {
      const its = ends.get(partition);
      if (!its) throw new ProxyError('UNKNOWN_TOPIC_OR_PARTITION', `the topic ${topic} has no partition ${partition}`, true, CloseCode.UnknownTopic);
      return [partition, its];
    }),
  );
}

async function rangesOf(context: Context, topic: string, ends: ReadonlyMap<number, Ends>, from: Exclude<From, 'latest'>): Promise<Range[]> {
  const given = from === 'earliest' ? undefined : 'timestamp' in from ? await context.logs.times(topic, from.timestamp) : from.offsets;
  return Array.from(ends, ([partition, { low, end }]) => {
    // Messages that retention has taken are not waited for; nor are those that are not there yet.
    const begin = Math.min(Math.max(given?.get(partition) ?? low, low), Math.max(end, low));
    return { partition, begin, end };
  });
}

/** A partition whose newest messages are looked for, backwards. */
class Tail {
  lines: Line[] = [];
  /** It has been read from here on. */
  begin: number;
  window: number;

  constructor(
    readonly partition: number,
    readonly low: number,
    readonly end: number,
    window: number,
  ) {
    this.begin = end;
    this.window = window;
  }

  get range(): Range {
    return { partition: this.partition, begin: Math.max(this.low, this.begin - this.window), end: this.begin };
  }
}

/**
 * The newest messages of all partitions by their times. How many offsets hold them is not known (compaction, transactions, rules), so it looks at
 * a few, and further back where there may be more: until it has them, everything is read, or the bounds are reached.
 */
async function newest(
  context: Context,
  topic: string,
  ends: ReadonlyMap<number, Ends>,
  format: FrameFormat,
  limit: number,
  until: AbortSignal,
): Promise<Found> {
  const window = Math.max(1, Math.ceil(Math.max(limit, FIRST) / ends.size));
  const tails = Array.from(ends, ([partition, { low, end }]) => new Tail(partition, low, end, window));
  let left = READ_BYTES;
  let chosen: Line[] = [];
  for (;;) {
    const { lines, oldest } = choose(tails, limit);
    chosen = lines;
    const open = tails.filter((tail) => tail.begin > tail.low && (oldest === undefined || tail.lines.length === 0 || tail.lines[0]!.timestamp >= oldest));
    if (open.length === 0) break;
    if (left <= 0 || until.aborted) {
      // Of a partition that was not read so far back what is older is not known: the others' would look like all that there is.
      const known = Math.max(...open.map((tail) => tail.lines[0]?.timestamp ?? Number.NEGATIVE_INFINITY));
      chosen = chosen.filter(({ timestamp }) => timestamp >= known);
      break;
    }
    const ranges = open.map(({ range }) => range);
    // A part of what may be read: where messages are so large that it does not do, something is left for fewer of them.
    const scanned = await scan(context, topic, ranges, format, { messages: Number.POSITIVE_INFINITY, bytes: Math.min(left, BYTES), until });
    const found = new Map<number, Line[]>(open.map(({ partition }) => [partition, []]));
    for (const line of scanned.lines) {
      left -= line.text.length;
      found.get(line.partition)?.push(line);
    }
    for (const [i, tail] of open.entries()) {
      const { begin, end } = ranges[i]!;
      const read = scanned.next.get(tail.partition)!;
      if (read < end) {
        // Its newest are missing: what was read of it says only how many may do.
        tail.window = Math.max(1, Math.min(tail.window >> 3, (read - begin) >> 1));
        continue;
      }
      tail.lines = found.get(tail.partition)!.concat(tail.lines);
      tail.begin = begin;
      tail.window = Math.min(tail.window * 4, MOST);
    }
  }
  return { lines: chosen, next: new Map(Array.from(ends, ([partition, { end }]) => [partition, end])) };
}

/** As many of the newest as the limits let, and the time of the oldest of them; undefined: there is room for more. */
function choose(tails: readonly Tail[], limit: number): { lines: Line[]; oldest: number | undefined } {
  const all = byTime(tails.flatMap(({ lines }) => lines));
  let bytes = 0;
  let begin = all.length;
  while (begin > 0 && all.length - begin < limit && bytes < BYTES) bytes += all[--begin]!.text.length;
  const full = all.length - begin >= limit || bytes >= BYTES;
  return { lines: all.slice(begin), oldest: full ? all[begin]!.timestamp : undefined };
}

/** By time, the oldest first; those of a partition stay in their order, whatever times producers gave them. */
function byTime(lines: readonly Line[]): Line[] {
  const latest = new Map<number, number>();
  const timed = lines.map((line) => {
    const time = Math.max(latest.get(line.partition) ?? Number.NEGATIVE_INFINITY, line.timestamp);
    latest.set(line.partition, time);
    return { line, time };
  });
  return timed.sort((a, b) => a.time - b.time || a.line.partition - b.line.partition || a.line.offset - b.line.offset).map(({ line }) => line);
}

function joined(parts: readonly Buffer[], before: string, between: string, after: string): Buffer {
  const divider = Buffer.from(between);
  return Buffer.concat([Buffer.from(before), ...parts.flatMap((part, i) => (i > 0 ? [divider, part] : [part])), Buffer.from(after)]);
}
