// The protocol of kafka-proxy 1.0: what a socket without a subprotocol speaks. The URL says what is read; frames go one way.

import { setTimeout as pause } from 'node:timers/promises';
import type { Context, Conversation, Protocol, Reads } from '../context';
import { CloseCode, ProxyError } from '../errors';
import { Flow } from '../flow';
import { legacyFormat, type Frame } from '../frames';
import type { AnsweringSocket } from '../socket';
import type { Ends } from '../log/topic-log';
import type { Notice, Outlet, Subscription, TopicPartition } from '../subscription';
import { Commits } from './commits';
import { Pace } from './pace';
import { Places, type Holder } from './places';
import { readWish, type LegacyWish } from './wish';

/** Milliseconds that an end waits to hear that the client has got its last frames. The others come again. */
const LAST_MS = 1000;
/** So many pings are under way at the most. Frames that are sent meanwhile are asked about when all of these are answered. */
const QUESTIONS = 8;

export const legacy: Protocol = (socket, context, query) => new LegacyConversation(socket, context, query);

class LegacyConversation implements Conversation, Outlet, Holder {
  format = legacyFormat();
  readonly flow: Flow;
  readonly #places: Places;
  readonly #pace: Pace;
  readonly #started: Promise<void>;
  /** Whose place it has. */
  #wish: LegacyWish | undefined;
  #subscription: Subscription | undefined;
  #commits: Commits | undefined;
  /** Frames that were sent, and the offset behind the last of them. */
  #sent = 0;
  #next = 0;
  /** So many of them has the client got. */
  #got = 0;
  #questions = 0;
  #ended: Promise<void> | undefined;

  constructor(
    readonly socket: AnsweringSocket,
    readonly context: Context,
    query: URLSearchParams,
  ) {
    this.flow = new Flow(socket);
    this.#pace = new Pace(this.flow, context.legacy.maxBytes, context.legacy.idleTimeout);
    this.#places = Places.of(context);
    this.#places.come();
    this.#started = this.#start(query).catch((error: unknown) => this.fail(ProxyError.of(error)));
  }

  /** Clients of this protocol have nothing to say. */
  received(): void {}

  async #start(query: URLSearchParams): Promise<void> {
    const { context, socket } = this;
    const wish = readWish(query, context.legacy.partition);
    const { topic, partition, group, garbled } = wish;
    if (garbled) context.log.warn('The offset in a URL of the old protocol is no number: it is as if there were none', { socket: socket.id, topic, partition });
    const { only } = await context.allow(socket.identity, { operation: 'read', topic });
    await context.allow(socket.identity, { operation: 'group', group });
    if (only) this.format = legacyFormat(only);
    // A client that cannot be served takes nobody's place.
    const ends = await this.#bounds(wish);
    const asked = wish.offset === 'end' ? ends.end : wish.offset;
    if (asked !== undefined && !(await this.#has(wish, asked, ends))) {
      const where = `${topic}/${partition} has the offsets ${ends.low} to ${ends.end}`;
      throw new ProxyError('OFFSET_OUT_OF_RANGE', `${where}, not ${asked}: ask for one of them, or for none`, false, CloseCode.OffsetOutOfRange);
    }
    if (this.#ended) return;
    this.#wish = wish;
    await this.#places.take(wish, this);
    if (this.#ended) return;
    const offset = asked ?? (await this.#committed(wish));
    if (this.#ended) return;
    this.#commits = new Commits({ topic, partition, group }, context, this.#places.turns);
    const from = { offsets: [{ topic, partition, offset }] };
    this.#subscription = await context.logs.subscribe({ topics: [topic], partitions: [partition], from, slow: 'close' }, this);
  }

  async #bounds({ topic, partition }: LegacyWish): Promise<Ends> {
    const ends = (await this.#places.questions.ends(topic)).get(partition);
    if (!ends) throw new ProxyError('UNKNOWN_TOPIC_OR_PARTITION', `the topic ${topic} has no partition ${partition}`, false, CloseCode.UnknownTopic);
    return ends;
  }

  /** Also an offset that lies behind a transaction which is not finished: there is something to come. */
  async #has({ topic, partition }: LegacyWish, offset: number, { low, end }: Ends): Promise<boolean> {
    return offset >= low && (offset <= end || (await this.#places.questions.reaches(topic, partition, offset)));
  }

  /**
   * Where a client goes on that names no offset. The committed offset may be gone, or the topic be made anew: the client cannot know,
   * and would be refused for ever, so it begins with what is there.
   */
  async #committed(wish: LegacyWish): Promise<number> {
    const { topic, partition, group } = wish;
    const admin = await this.context.admin();
    const [fetched] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
    const committed = Number(fetched?.partitions.find((each) => each.partition === partition)?.offset ?? -1);
    // Looked at now: what another socket has read meanwhile is in it.
    const ends = await this.#bounds(wish);
    const { low, end } = ends;
    if (await this.#has(wish, committed, ends)) return committed;
    if (committed >= 0) {
      const details = { topic, partition, group, committed, low, end };
      this.context.log.warn('A group of the old protocol has committed an offset that is not there: it goes on with the first message that is', details);
    }
    return low;
  }

  batch(topic: string, _partition: number, { bytes, count }: Frame, next: number): void {
    // A socket that the proxy closes gets nothing more, and the answer to its last ping says nothing of this.
    if (count === 0 || this.#ended || !this.socket.open) return;
    this.#pace.took(count, bytes.length);
    this.#places.sent(count, bytes.length);
    this.context.figures.sent(this.socket.traffic, topic, this.#wish?.group, count, bytes.length);
    this.#sent++;
    this.#next = next;
    if (this.#questions < QUESTIONS) void this.#confirm(this.socket.sendAsking(bytes));
    else this.socket.send(bytes, { binary: false });
  }

  /** Commits what the client has got. A frame that was written may lie in the system's buffers when the client dies: only an answer says more. */
  async #confirm(reached: Promise<boolean>): Promise<void> {
    const [sent, next] = [this.#sent, this.#next];
    this.#questions++;
    const got = await reached;
    this.#questions--;
    if (!got) return;
    if (sent > this.#got) {
      this.#got = sent;
      this.#commits?.got(next);
    }
    if (this.#questions === 0 && this.#got < this.#sent) await this.#confirm(this.socket.reached());
  }

  reads(): Iterable<Reads> {
    return this.#wish ? [{ id: `partition ${this.#wish.partition}`, topics: [this.#wish.topic], group: this.#wish.group }] : [];
  }

  /** This protocol has no words for it. */
  notice(_notice: Notice): void {}

  warn(error: ProxyError, where?: TopicPartition): void {
    this.context.log.warn(`A socket of the old protocol: ${error.message}`, { socket: this.socket.id, ...where });
  }

  fail(error: ProxyError): void {
    // The others say what the client has done.
    if (error.close === CloseCode.Internal && this.socket.open) this.warn(error);
    this.socket.close(error.close, error.message);
    void this.end();
  }

  replaced(): Promise<void> {
    this.socket.close(CloseCode.Replaced, 'Another socket reads this topic and partition for this consumerGroup now');
    return this.end();
  }

  end(): Promise<void> {
    return (this.#ended ??= this.#end());
  }

  async #end(): Promise<void> {
    this.flow.end();
    this.#pace.end();
    this.#places.go();
    await this.#started;
    await this.#subscription?.close().catch((error: unknown) => this.warn(ProxyError.of(error)));
    await this.#lastConfirmed();
    await this.#commits?.end();
    if (this.#wish) this.#places.leave(this.#wish, this);
  }

  /** Resolves when it is known what the client has got, or that takes too long. */
  async #lastConfirmed(): Promise<void> {
    const late = new AbortController();
    const confirmed = this.#got < this.#sent ? this.#confirm(this.socket.reached()) : undefined;
    await Promise.race([confirmed, pause(LAST_MS, undefined, { signal: late.signal }).catch(() => {})]);
    late.abort();
  }
}
