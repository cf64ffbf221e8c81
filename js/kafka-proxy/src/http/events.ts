// Messages of a topic as server-sent events, one each.

import type { ServerResponse } from 'node:http';
import type { Context, Conversation, Reads } from '../context';
import { CloseCode, ProxyError } from '../errors';
import { Flow } from '../flow';
import { linesFormat, type Frame, type FrameFormat } from '../frames';
import type { LogWish } from '../log/logs';
import type { Notice, Outlet, Subscription, TopicPartition } from '../subscription';
import { failure, HEADERS } from './answer';
import { LINE, placeOf } from './lines';
import { encodingsOf, fromOf, one, partitionsOf, placesOf, placesAround, placesText, topicOf, type From } from './names';
import type { Ask, Route } from './router';
import type { StreamSocket } from './stream-socket';

/** Milliseconds that a browser waits before it connects again. */
const RETRY = 1000;
/** The first message of each partition. */
const BEGIN = '0:0';
/** Bytes of an offset as text, at the most, and of what ends an event. */
const OFFSET = 20;

export const events: readonly Route[] = [{ method: 'GET', path: '/topics/:topic/events', socket: true, answer: begin }];

async function begin(ask: Ask): Promise<void> {
  const { context, identity, query, request, response } = ask;
  const topic = topicOf(ask);
  const partitions = partitionsOf(query);
  const from = whereOf(ask, partitions);
  const encodings = encodingsOf(query);
  // Before it is asked who may: what is wrong with it is told.
  linesFormat(encodings);
  const { only } = await context.allow(identity, { operation: 'read', topic });
  const format = linesFormat({ ...encodings, only });
  if (request.method === 'HEAD') return void head(response).end();
  await new Events(ask.socket('events'), context, response, topic, format).open({
    topics: [topic],
    from: typeof from === 'object' && 'offsets' in from ? { offsets: Array.from(from.offsets, ([partition, offset]) => ({ topic, partition, offset })) } : from,
    slow: 'close',
    ...(partitions && { partitions }),
  });
}

/** The last event's id counts more than where the client wanted to begin: browsers ask with the same URL again. */
function whereOf({ query, request: { headers } }: Ask, partitions: readonly number[] | undefined): From {
  const last = headers['last-event-id'] || one(query, 'lastEventId');
  if (last !== undefined) return { offsets: placesOf(String(last)) };
  return fromOf(one(query, 'from') ?? 'latest', partitions);
}

function head(response: ServerResponse): ServerResponse {
  // Proxies in between must pass each event on at once.
  return response.writeHead(200, { 'Content-Type': 'text/event-stream', ...HEADERS, 'Cache-Control': 'no-store, no-transform', 'X-Accel-Buffering': 'no' });
}

class Events implements Outlet, Conversation {
  readonly flow: Flow;
  readonly #reads: readonly Reads[];
  /** The offsets of the next messages, by partition. */
  #places: [number, number][] = [];
  #subscription: Subscription | undefined;
  #opening: Promise<unknown> = Promise.resolve();
  /** Why it has ended by itself. */
  #error: ProxyError | undefined;
  #ended = false;

  constructor(
    readonly socket: StreamSocket,
    readonly context: Context,
    readonly response: ServerResponse,
    readonly topic: string,
    readonly format: FrameFormat,
  ) {
    this.flow = new Flow(socket);
    this.#reads = [{ id: 'events', topics: [topic] }];
    socket.begin(this, (code, reason) => this.#farewell(code, reason));
  }

  /** Rejects when it cannot begin: nothing is sent then. */
  async open(wish: LogWish): Promise<void> {
    const opening = this.context.logs.subscribe(wish, this);
    this.#opening = opening.catch(() => {});
    this.#subscription = await opening;
  }

  /** Clients have nothing to say. */
  received(): void {}

  reads(): Iterable<Reads> {
    return this.#reads;
  }

  batch(topic: string, partition: number, { bytes, count }: Frame, next: number): void {
    if (this.#ended) return;
    const place = this.#placeOf(partition);
    const sent = this.#eventsOf(bytes, count, place, next);
    place[1] = next;
    this.flow.took(count, sent.length);
    this.context.figures.sent(this.socket.traffic, topic, undefined, count, sent.length);
    this.#send(sent);
  }

  passed(_topic: string, partition: number, next: number): void {
    this.#placeOf(partition)[1] = next;
  }

  /** Each line as an event, whose id has all places as they are behind it. The last one has what follows it and is no message, too. */
  #eventsOf(lines: Buffer, count: number, place: [number, number], next: number): Buffer {
    // The places of the other partitions are the same for all of them.
    const [before, behind] = placesAround(this.#places, this.#places.indexOf(place));
    const head = Buffer.from(`id: ${before}`);
    const middle = Buffer.from(`${behind}\ndata: `);
    const made = Buffer.allocUnsafe(lines.length + count * (head.length + middle.length + OFFSET));
    let length = 0;
    let left = count;
    for (let begin = 0; begin < lines.length; ) {
      const end = lines.indexOf(LINE, begin);
      const after = --left === 0 ? next : placeOf(lines, begin).offset + 1;
      length += head.copy(made, length);
      length += made.write(String(after), length, 'latin1');
      length += middle.copy(made, length);
      length += lines.copy(made, length, begin, end);
      made[length++] = LINE;
      made[length++] = LINE;
      begin = end + 1;
    }
    return made.subarray(0, length);
  }

  #placeOf(partition: number): [number, number] {
    return this.#places.find(([number]) => number === partition)!;
  }

  notice(notice: Notice): void {
    if (this.#ended) return;
    if (notice.type === 'assigned') {
      for (const { partition, offset } of notice.partitions) {
        const there = this.#places.find(([number]) => number === partition);
        if (there) there[1] = offset;
        else this.#places.push([partition, offset]);
      }
      this.#places.sort(([a], [b]) => a - b);
    } else if (notice.type === 'revoked') {
      const gone = new Set(notice.partitions.map(({ partition }) => partition));
      this.#places = this.#places.filter(([partition]) => !gone.has(partition));
    } else {
      return;
    }
    // A client that loses the connection before the first message goes on here. Browsers keep the id, and tell no event.
    // A topic that was deleted begins with its first message when it is made anew; an empty id would be none.
    this.#send(`id: ${placesText(this.#places) || BEGIN}\n\n`);
  }

  warn(error: ProxyError, where?: TopicPartition): void {
    if (!this.#ended) this.#send(errorEvent(error, false, where));
  }

  fail(error: ProxyError): void {
    this.#error = error;
    this.socket.close(error.close, error.message);
  }

  #send(event: Buffer | string): void {
    if (!this.response.headersSent) {
      head(this.response);
      this.socket.send(`retry: ${RETRY}\n`);
    }
    this.socket.send(event);
  }

  /** The last event; where there was none yet it is an answer like others. */
  #farewell(close: CloseCode, reason: string): string {
    const [code, retriable] = ENDS.get(close) ?? ['INTERNAL', true];
    const error = this.#error ?? new ProxyError(code, reason, retriable, close);
    if (this.response.headersSent) return errorEvent(error, true);
    failure(this.response, error);
    return '';
  }

  async end(): Promise<void> {
    this.#ended = true;
    this.flow.end();
    await this.#opening;
    await this.#subscription?.close();
  }
}

/** Why a stream ends that is not to blame for it. */
const ENDS: ReadonlyMap<CloseCode, [code: string, retriable: boolean]> = new Map([
  [CloseCode.GoingAway, ['CLOSING', true]],
  [CloseCode.TooSlow, ['TOO_SLOW', true]],
  [CloseCode.Unauthorized, ['UNAUTHORIZED', false]],
]);

function errorEvent({ code, message, retriable }: ProxyError, fatal: boolean, { topic, partition }: Partial<TopicPartition> = {}): string {
  return `event: error\ndata: ${JSON.stringify({ code, message, retriable, fatal, topic, partition })}\n\n`;
}
