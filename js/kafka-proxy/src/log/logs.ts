// The topics that are read without a group, each by one reader for all sockets.

import type { Context } from '../context';
import { CloseCode, ProxyError } from '../errors';
import type { Traffic } from '../figures/traffic';
import type { Outlet, Place, Seek, Subscription } from '../subscription';
import type { Cursor } from './cursor';
import { Cache } from './page';
import { Past } from './past';
import type { PartitionLog } from './partition-log';
import { Questions } from './questions';
import { gone, Reading, type ReadingOwner } from './reading';
import type { SlowSockets } from '../slow';
import { Table, type TableLimits } from './table';
import { TopicLog, type Ends, type TopicReader } from './topic-log';

export interface LogWish {
  topics: string[];
  /** A regular expression; topics that are made later are found, too. */
  pattern?: RegExp;
  from: 'earliest' | 'latest' | { timestamp: number } | { offsets: Place[] };
  /** Only these partitions, of each topic; all, if undefined. */
  partitions?: number[];
  /** A socket that is too slow is closed, or misses all but the newest messages. */
  slow: 'close' | 'newest';
  /** Compacted topics: first their entries, then what changes. */
  table?: boolean;
}

export interface LogOptions {
  /** Milliseconds between looks for topics and partitions. Default 5000. */
  refresh: number;
  /** Milliseconds for which a topic is read, and a table kept, when nobody wants it any more. Default 5000. */
  linger: number;
  /** How large a table may become. Default 1 000 000 entries, 256 MiB of keys, values and headers. */
  table: TableLimits;
}

interface At {
  log: PartitionLog;
  offset: number;
  /** Where the partition ended when it was asked. */
  target: number;
  /** Why it is not the offset that was wanted. */
  warning?: ProxyError | undefined;
}

/** Kafka's own topics: no pattern finds them. */
export const INTERNAL: ReadonlySet<string> = new Set(['__consumer_offsets', '__transaction_state', '__share_group_state', '__cluster_metadata']);

export class Logs implements ReadingOwner {
  readonly #context: Context;
  readonly #options: LogOptions;
  readonly #cache: Cache;
  readonly past: Past;
  readonly slow: SlowSockets;
  readonly #questions: Questions;
  readonly #topics = new Map<string, TopicLog>();
  readonly #tables = new Map<string, Table>();
  readonly #subscriptions = new Map<Reading, LogSubscription>();
  readonly #lingering = new Map<TopicLog, NodeJS.Timeout>();
  readonly #ending = new Set<Promise<void>>();
  #looks: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(context: Context, options: Partial<LogOptions> = {}) {
    this.#context = context;
    this.#options = { refresh: 5000, linger: 5000, table: { entries: 1_000_000, bytes: 256 * 1024 * 1024 }, ...options };
    const { kafka, limits, slow } = context;
    this.#cache = new Cache(limits.cache);
    this.slow = slow;
    this.#questions = new Questions(() => context.admin());
    this.past = new Past({ kafka, cache: this.#cache, most: limits.past, low: async (log) => (await this.#endsOf(log)).low });
  }

  /**
   * Begins to read. Rejects with a ProxyError: UNKNOWN_TOPIC_OR_PARTITION, TOPIC_AUTHORIZATION_FAILED, TOO_MANY_PARTITIONS, LIMIT, TABLE_TOO_LARGE or
   * what Kafka's clients say. Reports 'assigned' first, batches then, 'caughtUp' once.
   */
  async subscribe(wish: LogWish, outlet: Outlet): Promise<Subscription> {
    const reading = new Reading(this, outlet, wish.slow === 'newest');
    const subscription = new LogSubscription(this, wish, reading);
    const found = wish.pattern ? (await this.#questions.topics()).filter((topic) => subscription.matches(topic)) : [];
    this.#checkOpen();
    const names = [...new Set([...wish.topics, ...found])];
    this.#checkRoom(names);
    const topics = names.map((name) => this.#open(name));
    for (const topic of topics) topic.holds++;
    const tables = wish.table ? topics.map((topic) => this.#table(topic)) : [];
    for (const table of tables) table.users++;
    try {
      await Promise.all(tables.map(({ ready }) => ready));
      // The wish counts from now, also where somebody reads the topic already.
      const from = wish.table ? 'earliest' : wish.from;
      const places = await Promise.all(topics.map((topic) => this.#places(topic, { ...wish, from })));
      const all = places.flat();
      const { topics: most } = this.#context.limits;
      if (all.length > most)
        throw new ProxyError('TOO_MANY_PARTITIONS', `a subscription has at most ${most} partitions, this one would have ${all.length}: name fewer topics`);
      this.#checkOpen();
      const deleted = all.find(({ log }) => log.ended);
      if (deleted) throw unknown(deleted.log.topic);
      for (const { error } of tables) if (error) throw error;
      if (reading.closed) return reading;
      if (wish.table) {
        const parts = tables.flatMap((table) => [...table.parts.values()]);
        for (const place of all) place.offset = parts.find(({ log }) => log === place.log)?.next ?? place.offset;
        reading.addTables(parts.filter(({ log }) => all.some((place) => place.log === log)));
      }
      for (const topic of topics) topic.readers.add(subscription);
      this.#subscriptions.set(reading, subscription);
      const { closed } = outlet.flow.socket;
      const close = (): void => void reading.close();
      closed.hear(close);
      reading.onClose = () => closed.forget(close);
      reading.add(all);
      // Those that were added while it was asked where the others begin.
      for (const { partitions } of topics) subscription.come([...partitions.values()].filter((log) => !all.some((place) => place.log === log)));
      for (const { log, warning } of all) if (warning) outlet.warn(warning, { topic: log.topic, partition: log.partition });
      for (const { log, target } of all) this.#topics.get(log.topic)?.settle(log.partition, target);
      reading.begin();
      if (wish.pattern) this.#look();
      subscription.tables = tables.splice(0);
      return reading;
    } finally {
      for (const table of tables) this.#leave(table);
      for (const topic of topics) this.#release(topic);
    }
  }

  /** @throws ProxyError when the proxy would read too many topics */
  #checkRoom(names: readonly string[]): void {
    const most = this.#context.limits.readers;
    const more = names.filter((name) => !this.#topics.has(name)).length;
    if (more > 0 && this.#topics.size + more > most)
      throw new ProxyError(
        'LIMIT',
        `the proxy reads at most ${most} topics, and has ${this.#topics.size} already: name fewer, or try again later`,
        true,
        CloseCode.Internal,
      );
  }

  #checkOpen(): void {
    if (this.#closed) throw new ProxyError('CLOSING', 'the proxy ends: connect again', true, CloseCode.GoingAway);
  }

  /** The topic's log, made and begun if nobody has it. */
  #open(name: string): TopicLog {
    let topic = this.#topics.get(name);
    if (!topic) {
      const made: TopicLog = new TopicLog(
        {
          kafka: this.#context.kafka,
          log: this.#context.log,
          cache: this.#cache,
          refresh: this.#options.refresh,
          ends: (each) => this.#questions.ends(each),
          onEnd: () => this.#topics.get(name) === made && this.#topics.delete(name),
        },
        name,
      );
      this.#topics.set(name, (topic = made));
    }
    clearTimeout(this.#lingering.get(topic));
    this.#lingering.delete(topic);
    return topic;
  }

  /** The topic's table, made if nobody has it. */
  #table(topic: TopicLog): Table {
    const name = topic.topic;
    const there = this.#tables.get(name);
    if (there?.topic === topic) return there;
    const forget = (): void => void (this.#tables.get(name) === table && this.#tables.delete(name));
    const table = new Table(topic, this.past, this.#options.table, (error) => {
      // One that is too large is so for the next, too.
      if (error.code === 'TABLE_TOO_LARGE') setTimeout(forget, this.#options.linger).unref();
      else forget();
      for (const subscription of [...this.#subscriptions.values()]) if (subscription.tables.includes(table)) this.#fail(subscription, error);
      this.#unused(topic);
    });
    this.#tables.set(name, table);
    this.#places(topic, { topics: [name], from: 'earliest', slow: 'close' }).then(
      (places) => table.begin(places),
      (error: Error) => table.failed(name, error),
    );
    return table;
  }

  /** A subscription does not want it any more. */
  #leave(table: Table): void {
    if (--table.users > 0 || table.error) return;
    const timer = setTimeout(() => {
      if (table.users > 0 || table.error) return;
      table.end();
      if (this.#tables.get(table.topic.topic) === table) this.#tables.delete(table.topic.topic);
      this.#unused(table.topic);
    }, this.#options.linger);
    timer.unref();
  }

  #fail({ reading }: LogSubscription, error: ProxyError): void {
    if (reading.closed) return;
    void reading.close();
    reading.outlet.fail(error);
  }

  /** A subscription that was being made is made, or isn't. */
  #release(topic: TopicLog): void {
    topic.holds--;
    this.#unused(topic);
  }

  /** Nobody may want it any more. */
  #unused(topic: TopicLog): void {
    if (topic.holds > 0 || topic.readers.size > 0 || topic.ended || this.#lingering.has(topic)) return;
    const timer = setTimeout(() => {
      this.#lingering.delete(topic);
      const ending = topic.end().finally(() => this.#ending.delete(ending));
      this.#ending.add(ending);
    }, this.#options.linger);
    this.#lingering.set(topic, timer);
  }

  /** Where a subscription begins in each partition of a topic. */
  async #places(topic: TopicLog, { from, partitions: wanted }: LogWish): Promise<At[]> {
    const name = topic.topic;
    try {
      const at = typeof from === 'object' && 'timestamp' in from ? from.timestamp : undefined;
      const [ends, times] = await Promise.all([this.#questions.ends(name), at === undefined ? undefined : this.#questions.times(name, at), topic.ready]);
      if (topic.ended) throw unknown(name);
      const without = wanted?.find((partition) => !topic.partitions.has(partition));
      if (without !== undefined)
        throw new ProxyError('UNKNOWN_TOPIC_OR_PARTITION', `the topic ${name} has no partition ${without}`, true, CloseCode.UnknownTopic);
      const given = new Map(
        typeof from === 'object' && 'offsets' in from
          ? from.offsets.filter((place) => place.topic === name).map((place) => [place.partition, place.offset])
          : [],
      );
      const logs = [...topic.partitions.values()].filter(({ partition }) => !wanted || wanted.includes(partition));
      return await Promise.all(
        logs.map(async (log) => {
          const its = ends.get(log.partition) ?? { low: 0, end: 0 };
          if (from === 'latest') return { log, offset: its.end, target: -1 };
          const offset = times ? times.get(log.partition) : given.get(log.partition);
          return { log, target: its.end, ...(offset === undefined ? { offset: its.low } : await this.#inside(log, offset, its)) };
        }),
      );
    } catch (error) {
      throw told(name, error);
    }
  }

  /** Where a topic's partitions begin and end now, by number. Rejects as `subscribe` does. */
  async ends(topic: string): Promise<ReadonlyMap<number, Ends>> {
    return this.#questions.ends(topic).catch((error: unknown) => Promise.reject(told(topic, error)));
  }

  /** As `ends`, without waiting for leaders; null: the partition has none, and nobody knows. */
  async knownEnds(topic: string): Promise<ReadonlyMap<number, Ends | null>> {
    return this.#questions.knownEnds(topic).catch((error: unknown) => Promise.reject(told(topic, error)));
  }

  /**
   * The first messages that are not older; the end, where there is none. Rejects as `subscribe` does.
   * @param leaderless partitions without a leader are left out, in place of waiting for one
   */
  async times(topic: string, timestamp: number, leaderless = false): Promise<ReadonlyMap<number, number>> {
    return this.#questions.times(topic, timestamp, leaderless).catch((error: unknown) => Promise.reject(told(topic, error)));
  }

  async seek({ log }: Cursor, to: Seek): Promise<{ offset: number; warning?: ProxyError | undefined }> {
    const { topic, partition } = log;
    try {
      if (typeof to === 'object') {
        const times = await this.#questions.times(topic, to.timestamp);
        return { offset: times.get(partition) ?? log.next };
      }
      const ends = await this.#endsOf(log);
      if (to === 'earliest') return { offset: ends.low };
      if (to === 'latest') return { offset: ends.end };
      return await this.#inside(log, to, ends);
    } catch (error) {
      throw told(topic, error);
    }
  }

  /** An offset that the partition has, or will have next. */
  async #inside(log: PartitionLog, offset: number, { low, end }: Ends): Promise<{ offset: number; warning?: ProxyError }> {
    const { topic, partition } = log;
    const instead = (why: string): { offset: number; warning: ProxyError } => ({ offset: low, warning: new ProxyError('OFFSET_OUT_OF_RANGE', why) });
    if (offset < low) return instead(gone(low - offset, topic, partition, low));
    if (offset <= Math.max(end, log.next)) return { offset };
    // Not committed yet.
    if (await this.#questions.reaches(topic, partition, offset)) return { offset };
    return instead(`the log of ${topic}/${partition} ends below offset ${offset}: it was made anew, or lost its end. It begins at offset ${low}`);
  }

  async lag(reading: Reading): Promise<void> {
    const ends = new Map(await Promise.all(Array.from(reading.cursors.keys(), async (topic) => [topic, await this.#questions.ends(topic)] as const)));
    if (reading.closed) return;
    const partitions = Array.from(reading, ({ log: { topic, partition }, next }) => {
      const end = Math.max(ends.get(topic)?.get(partition)?.end ?? 0, next);
      this.#topics.get(topic)?.settle(partition, end);
      return { topic, partition, offset: next, end, lag: end - next };
    });
    reading.outlet.notice({ type: 'lag', partitions });
  }

  async #endsOf({ topic, partition }: PartitionLog): Promise<Ends> {
    const ends = (await this.#questions.ends(topic)).get(partition);
    if (!ends) throw unknown(topic);
    return ends;
  }

  /** @internal the subscription has ended */
  closed(reading: Reading): void {
    const subscription = this.#subscriptions.get(reading);
    if (!subscription) return;
    this.#subscriptions.delete(reading);
    for (const table of subscription.tables) this.#leave(table);
    for (const topic of this.#topics.values()) if (topic.readers.delete(subscription)) this.#unused(topic);
  }

  /** Topics that are read. */
  get readers(): number {
    return this.#topics.size;
  }

  /** Bytes of pages and frames. */
  get cached(): number {
    return this.#cache.bytes;
  }

  /** Traffic of a topic since it is read; undefined: it is not read. */
  read(topic: string): Traffic | undefined {
    return this.#topics.get(topic)?.traffic;
  }

  /** Subscriptions get nothing any more. Resolves when all clients of Kafka are gone. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#looks);
    for (const timer of this.#lingering.values()) clearTimeout(timer);
    for (const reading of [...this.#subscriptions.keys()]) void reading.close();
    await Promise.all([...this.#ending, ...Array.from(this.#topics.values(), (topic) => topic.end()), this.past.close()]);
  }

  /** Topics that are made later, for those with patterns. */
  #look(): void {
    this.#looks ??= setInterval(() => void this.#lookAgain(), this.#options.refresh);
  }

  async #lookAgain(): Promise<void> {
    const wanting = [...this.#subscriptions.values()].filter(({ wish }) => wish.pattern);
    if (wanting.length === 0) {
      clearInterval(this.#looks);
      this.#looks = undefined;
      return;
    }
    try {
      const topics = await this.#questions.topics();
      for (const subscription of wanting) {
        subscription.forget(topics);
        for (const name of topics) if (!subscription.has(name) && subscription.matches(name)) void this.#join(subscription, name);
      }
    } catch (error) {
      this.#context.log.debug(`Topics could not be listed: ${(error as Error).message}`);
    }
  }

  /** A topic that a pattern found later: from its first message. */
  async #join(subscription: LogSubscription, name: string): Promise<void> {
    const { reading, wish } = subscription;
    const known = subscription.later?.get(name);
    subscription.later?.set(name, 'coming');
    let topic: TopicLog | undefined;
    let then = known;
    try {
      this.#checkRoom([name]);
      topic = this.#open(name);
      topic.holds++;
      const places = await this.#places(topic, { ...wish, from: 'earliest' });
      if (reading.closed || topic.ended) return;
      const { topics: most } = this.#context.limits;
      if (places.length + [...reading].length > most) {
        then = 'refused';
        const why = `the topic ${name} fits, but a subscription has at most ${most} partitions: name fewer topics`;
        return reading.outlet.warn(new ProxyError('TOO_MANY_PARTITIONS', why));
      }
      topic.readers.add(subscription);
      reading.add(places.map((place) => ({ ...place, target: -1 })));
      reading.begin();
      then = undefined;
    } catch (error) {
      this.#context.log.debug(`Topic ${name} could not be added to a subscription: ${(error as Error).message}`);
      if (!(error instanceof ProxyError) || error.code !== 'LIMIT') return;
      then = 'waiting';
      if (known === 'waiting') return;
      const why = `the topic ${name} fits, but the proxy reads ${this.#context.limits.readers} topics already: it is added when there is room`;
      reading.outlet.warn(new ProxyError('LIMIT', why, true));
    } finally {
      if (then) subscription.later?.set(name, then);
      else subscription.later?.delete(name);
      if (topic) this.#release(topic);
    }
  }

  /** @internal a topic of a subscription has ended */
  ended(subscription: LogSubscription, topic: string, error: Error): void {
    const { reading, wish } = subscription;
    // A pattern finds others, or the same again.
    if (!wish.topics.includes(topic)) return reading.remove(topic);
    this.#fail(subscription, told(topic, error));
  }
}

/** A subscription, as the topics that it reads see it. */
class LogSubscription implements TopicReader {
  readonly #logs: Logs;
  readonly #pattern: RegExp | undefined;
  /** Topics that its pattern found later. Of those that are waiting, until the proxy has room, the client knows. */
  readonly later: Map<string, 'coming' | 'refused' | 'waiting'> | undefined;
  tables: Table[] = [];

  constructor(
    logs: Logs,
    readonly wish: LogWish,
    readonly reading: Reading,
  ) {
    this.#logs = logs;
    const { pattern } = wish;
    this.#pattern = pattern && new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ''));
    if (pattern) this.later = new Map();
  }

  matches(topic: string): boolean {
    return !INTERNAL.has(topic) && this.#pattern!.test(topic);
  }

  has(topic: string): boolean {
    const later = this.later?.get(topic);
    return this.reading.cursors.has(topic) || later === 'coming' || later === 'refused';
  }

  /** All but these are deleted. */
  forget(topics: readonly string[]): void {
    if (!this.later || this.later.size === 0) return;
    const there = new Set(topics);
    for (const [name, state] of this.later) if (state !== 'coming' && !there.has(name)) this.later.delete(name);
  }

  come(logs: PartitionLog[]): void {
    const wanted = logs.filter(({ partition }) => this.wish.partitions?.includes(partition) !== false);
    if (wanted.length === 0) return;
    this.reading.add(wanted.map((log) => ({ log, offset: log.begin, target: -1 })));
    this.reading.begin();
  }

  lost(topic: string): void {
    this.reading.remove(topic);
  }

  failed(topic: string, error: Error): void {
    this.#logs.ended(this, topic, error);
  }
}

function unknown(topic: string): ProxyError {
  return new ProxyError('UNKNOWN_TOPIC_OR_PARTITION', `there is no topic ${topic}: make it first, or mend the name`, true, CloseCode.UnknownTopic);
}

function told(topic: string, error: unknown): ProxyError {
  if (error instanceof ProxyError) return error;
  const { type, code } = error as { type?: unknown; code?: unknown };
  if (type === 'UNKNOWN_TOPIC_OR_PARTITION' || code === 'UNKNOWN_TOPIC_OR_PART') return unknown(topic);
  const given = ProxyError.of(error);
  if (given.code !== 'TOPIC_AUTHORIZATION_FAILED') return given;
  return new ProxyError(given.code, `Kafka does not let this proxy read the topic ${topic}`, false, CloseCode.Forbidden);
}
