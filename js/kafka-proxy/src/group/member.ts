// One consumer of Kafka in a group, and the sockets that it reads for.

// From the module, not from the globals: fake timers of a test framework must not stop it.
import { clearInterval, setImmediate, setInterval } from 'node:timers';
import type { KafkaConsumer } from 'kafka-native';
import type { Context } from '../context';
import { CloseCode, ProxyError } from '../errors';
import type { SlowSockets } from '../slow';
import type { Outlet, Seek, Subscription, TopicPartition } from '../subscription';
import { Commits } from './commits';
import { deal } from './dealing';
import { holderOf, type GroupWish } from './groups';
import { GroupPartition, type PartitionOwner } from './partition';
import { Reader, type ReaderOwner } from './reader';
import { INTERNAL } from '../log/logs';
import { gone } from '../log/reading';
import { within } from '../within';

/** Milliseconds that a partition waits for its reader's acks before it moves to another. */
const DRAIN_MS = 2000;
/** Milliseconds for the last commit of partitions that go. */
const FLUSH_MS = 5000;
/** Milliseconds for the question where partitions begin. */
const BEGINS_MS = 10_000;
/** Milliseconds between two looks for batches that the consumer wants back: it does not tell that it has crashed before it has them. */
const LOOK_MS = 250;
/** Milliseconds that a batch may be held before its partition is not fetched ahead any more. */
const STALL_MS = 1000;
/** Milliseconds after which the group does without a process that is silent. */
const SESSION_MS = 10_000;
/** Milliseconds between two heartbeats: a member learns by them that partitions go to another. */
const HEARTBEAT_MS = 1000;
/** Milliseconds that a rebalance waits for this process: as long as its hooks may take. */
const REBALANCE_MS = 20_000;
/** Milliseconds that leaving is waited for. */
const LEAVE_MS = 10_000;
const BUFFERED_BYTES = 32 * 1024 * 1024;

interface Topics {
  topic: string;
  partitions: number[];
}

/**
 * Reads the same topics for all its readers. A reader of other topics belongs to another member of the group, so that Kafka itself deals
 * each topic among those who wish it.
 */
export class Member implements PartitionOwner, ReaderOwner {
  readonly #context: Context;
  readonly #wish: GroupWish;
  readonly #consumer: KafkaConsumer;
  readonly #commits: Commits;
  readonly #partitions = new Map<string, GroupPartition>();
  /** In the order in which they came. */
  readonly #readers = new Set<Reader>();
  /** How many readers each holder has; who had the last one has it until the group is left. */
  readonly #holders = new Map<string, number>();
  /** How many partitions the topics had when it began: what is added begins at its first message. */
  readonly #existing = new Map<string, number>();
  readonly #started: Promise<void>;
  readonly #ends = new Map<string, Promise<Map<number, { low: number; high: number }>>>();
  readonly #onOver: () => void;
  #joined = false;
  #closing: Promise<void> | undefined;
  #failure: ProxyError | undefined;
  #look: NodeJS.Timeout | undefined;

  /** @param onOver it takes no readers any more */
  constructor(context: Context, wish: GroupWish, onOver: () => void) {
    this.#context = context;
    this.#wish = wish;
    this.#onOver = onOver;
    this.#consumer = context.kafka.consumer({
      groupId: wish.group,
      sessionTimeout: SESSION_MS,
      heartbeatInterval: HEARTBEAT_MS,
      rebalanceTimeout: REBALANCE_MS,
      maxBufferedBytes: BUFFERED_BYTES,
      allowAutoTopicCreation: false,
      onPartitionsAssigned: this.#assigned,
      onPartitionsRevoked: this.#revoked,
      onPartitionsLost: this.#lost,
    });
    this.#commits = new Commits(this.#consumer, context.log);
    const { events } = this.#consumer;
    this.#consumer.on(events.REBALANCING, this.#giveBack);
    this.#consumer.on(events.GROUP_JOIN, this.#has);
    this.#consumer.on(events.STOP, () => this.#end([...this.#partitions.values()]));
    this.#consumer.on(events.CRASH, ({ payload: { error, restart } }) => this.#crashed(ProxyError.of(error), restart));
    this.#started = this.#start();
    this.#started.catch((error: unknown) => this.#fail(ProxyError.of(error)));
  }

  get slow(): SlowSockets {
    return this.#context.slow;
  }

  get wish(): GroupWish {
    return this.#wish;
  }

  heldBy(holder: string): boolean {
    return (this.#holders.get(holder) ?? 0) > 0;
  }

  #hold(reader: Reader, change: 1 | -1): void {
    const holder = holderOf(reader.outlet.flow.socket);
    const count = (this.#holders.get(holder) ?? 0) + change;
    if (count > 0) this.#holders.set(holder, count);
    else this.#holders.delete(holder);
  }

  /** Resolves when it has left the group. Never rejects. */
  get left(): Promise<void> | undefined {
    return this.#closing;
  }

  async #start(): Promise<void> {
    const { topics, pattern } = this.#wish;
    await this.#lookUp();
    if (this.#closing) return;
    await this.#consumer.connect();
    if (this.#closing) return;
    // Also where retention was faster: what is still there is not left out.
    await this.#consumer.subscribe({ topics: [...topics, ...(pattern ? [pattern] : [])], fromBeginning: true });
    this.#look = setInterval(() => {
      this.#giveBack();
      for (const partition of this.#partitions.values()) partition.stall(Date.now() - STALL_MS);
    }, LOOK_MS).unref();
    await this.#consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: 1_000_000,
      eachBatch: (payload) => this.#partitions.get(`${payload.batch.topic}/${payload.batch.partition}`)?.take(payload),
    });
    if (this.#closing) return;
    this.#joined = true;
    this.#deal();
  }

  /** Rejects when a topic is not there. */
  async #lookUp(): Promise<void> {
    const { topics, pattern } = this.#wish;
    await this.#count(topics);
    if (pattern)
      await this.#count(
        (await (await this.#context.admin()).listTopics()).filter((name) => pattern.test(name) && !topics.includes(name) && !INTERNAL.has(name)),
      );
  }

  async #count(topics: string[]): Promise<void> {
    if (topics.length === 0) return;
    try {
      const there = await (await this.#context.admin()).fetchTopicMetadata({ topics });
      for (const { name, partitions } of there.topics) this.#existing.set(name, partitions.length);
    } catch (error) {
      // They are there, and who leads a partition of theirs is not: the others can be read.
      if (ProxyError.of(error).code !== 'LEADER_NOT_AVAILABLE') throw error;
      for (const topic of topics) this.#existing.set(topic, Number.POSITIVE_INFINITY);
    }
  }

  /** Rejects with a ProxyError. Its outlet was told what it has when it resolves. */
  async join(outlet: Outlet): Promise<Subscription> {
    const reader = new Reader(outlet, this);
    this.#readers.add(reader);
    this.#hold(reader, 1);
    if (reader.over) await this.#left(reader);
    this.#deal();
    try {
      await this.#started;
    } catch (error) {
      throw ProxyError.of(error);
    }
    if (this.#failure) throw this.#failure;
    reader.open = true;
    return reader;
  }

  /** The batches that the consumer wants back: their partitions go, or it ends. */
  readonly #giveBack = (): void => {
    for (const partition of this.#partitions.values()) if (partition.stale) partition.release();
  };

  readonly #assigned = async (topics: Topics[]): Promise<void> => {
    this.#end(this.#known(topics));
    const come = topics.flatMap(({ topic, partitions }) => partitions.map((partition) => new GroupPartition(topic, partition, this)));
    for (const partition of come) this.#partitions.set(partition.key, partition);
    try {
      await within(BEGINS_MS, () => this.#begins(come));
    } catch (error) {
      const { code, message, close } = ProxyError.of(error);
      const why = `Where partitions of the group ${this.#wish.group} begin was not found out: ${message}`;
      this.#context.log.warn(why);
      // The consumer finds it out by itself; the first batch tells. Without an offset that is the first message, which 'latest' is not.
      if (this.#wish.from === 'latest') this.#fail(new ProxyError(code, why, close !== CloseCode.Forbidden, close));
    }
  };

  /** The consumer has the new partitions: they can be sought, and committed in the name of this member. */
  readonly #has = (): void => {
    for (const partition of this.#partitions.values()) {
      if (partition.ready) continue;
      partition.ready = true;
      this.#commits.add(partition);
    }
    this.#deal();
  };

  /** Says where partitions begin of which the group has no offset: and that is committed, so that nothing is left out after a crash. */
  async #begins(come: readonly GroupPartition[]): Promise<void> {
    const admin = await this.#context.admin();
    const topics = [...new Set(come.map(({ topic }) => topic))];
    const found = await admin.fetchOffsets({ groupId: this.#wish.group, topics });
    const committed = new Map(found.flatMap(({ topic, partitions }) => partitions.map(({ partition, offset }) => [`${topic}/${partition}`, Number(offset)])));
    const fresh = come.filter(({ key }) => !((committed.get(key) ?? -1) >= 0));
    const ends = new Map(await Promise.all([...new Set(fresh.map(({ topic }) => topic))].map(async (topic) => [topic, await this.ends(topic)] as const)));
    for (const partition of come) {
      if (partition.ended || partition.ready) continue; // this comes too late
      const { topic, partition: number, key } = partition;
      if (!fresh.includes(partition)) {
        partition.begin(committed.get(key)!);
        partition.committed = committed.get(key)!;
        continue;
      }
      const end = ends.get(topic)?.get(number);
      if (!end) continue;
      const old = number < (this.#existing.get(topic) ?? 0);
      partition.begin(this.#wish.from === 'latest' && old ? end.high : end.low);
      partition.settled = false;
      this.seek(partition, partition.acked!);
    }
    void this.#missed(come.filter(({ committed }) => committed !== undefined));
  }

  /** Where retention was faster than the group: it goes on with what is there, and is told. */
  async #missed(come: readonly GroupPartition[]): Promise<void> {
    // Commits move it while the ends are asked for.
    const places = come.map((partition) => ({ partition, offset: partition.committed! }));
    for (const topic of new Set(come.map((partition) => partition.topic))) {
      const ends = await this.ends(topic).catch((error: Error) => this.#context.log.debug(`Where ${topic} begins is not known: ${error.message}`));
      for (const { partition, offset } of places) {
        const low = partition.topic === topic ? ends?.get(partition.partition)?.low : undefined;
        if (low === undefined || low <= offset || partition.ended) continue;
        const why = gone(low - offset, topic, partition.partition, low);
        partition.warning = new ProxyError('OFFSET_OUT_OF_RANGE', why, false, CloseCode.OffsetOutOfRange);
        this.#context.log.warn(`The group ${this.#wish.group}: ${why}`);
        if (partition.reader) this.#warn(partition.reader, partition);
      }
    }
  }

  #warn(reader: Reader, partition: GroupPartition): void {
    const { warning } = partition;
    partition.warning = undefined;
    if (warning) reader.warn(warning, partition);
  }

  readonly #revoked = async (topics: Topics[]): Promise<void> => {
    const go = this.#known(topics);
    for (const partition of go) {
      partition.revoked = partition.leaving = true;
      partition.release();
    }
    if (!this.#closing) await Promise.all(go.map((partition) => partition.drained(DRAIN_MS)));
    await this.#commits.flush(go, FLUSH_MS);
    this.#end(go);
    this.#deal();
  };

  readonly #lost = (topics: Topics[]): void => {
    this.#end(this.#known(topics));
    this.#deal();
  };

  #known(topics: readonly Topics[]): GroupPartition[] {
    return topics.flatMap(({ topic, partitions }) => partitions.flatMap((partition) => this.#partitions.get(`${topic}/${partition}`) ?? []));
  }

  /** They are this process's no more. */
  #end(partitions: readonly GroupPartition[]): void {
    const revoked = new Map<Reader, GroupPartition[]>();
    for (const partition of partitions) {
      if (this.#partitions.get(partition.key) === partition) this.#partitions.delete(partition.key);
      const { reader } = partition;
      if (reader) add(revoked, reader, partition);
      reader?.partitions.delete(partition.key);
      partition.end();
    }
    for (const [reader, these] of revoked) reader.revoked(these);
  }

  /** A reader that comes gets some partitions, one that goes leaves some; those that move wait for their acks first. */
  #deal(): void {
    if (this.#closing) return;
    const partitions = [...this.#partitions.values()].filter(({ ready, revoked }) => ready && !revoked);
    const dealt = deal(partitions, [...this.#readers], ({ reader }) => reader);
    const given = new Map<Reader, GroupPartition[]>();
    for (const [partition, reader] of dealt) {
      if (partition.reader === reader) {
        if (partition.leaving) {
          partition.leaving = false;
          reader.offer(partition);
        }
      } else if (!partition.reader) {
        partition.give(reader);
        reader.partitions.set(partition.key, partition);
        add(given, reader, partition);
      } else if (!partition.leaving) {
        partition.leaving = true;
        void partition.drained(DRAIN_MS).then(() => this.#move(partition));
      }
    }
    if (this.#joined) for (const reader of this.#readers) if (!reader.told && !given.has(reader)) given.set(reader, []);
    for (const [reader, these] of given) {
      reader.assigned(these);
      for (const partition of these) this.#warn(reader, partition);
      for (const partition of these) reader.offer(partition);
    }
  }

  /** It has waited for its acks. */
  #move(partition: GroupPartition): void {
    const { reader } = partition;
    if (!partition.leaving || partition.revoked || partition.ended || !reader) return;
    reader.partitions.delete(partition.key);
    partition.takeAway();
    reader.revoked([partition]);
    this.#deal();
  }

  async leave(reader: Reader): Promise<void> {
    if (!this.#readers.delete(reader)) return;
    await this.#left(reader);
  }

  async #left(reader: Reader): Promise<void> {
    this.#readers.delete(reader);
    const had = [...reader.partitions.values()];
    reader.partitions.clear();
    for (const partition of had) partition.takeAway();
    if (this.#readers.size === 0) return this.close();
    this.#hold(reader, -1);
    this.#deal();
    await this.#commits.flush(had, FLUSH_MS);
  }

  seek({ topic, partition }: TopicPartition, offset: number): void {
    this.#steer(() => this.#consumer.seek({ topic, partition, offset: String(offset) }));
  }

  pause({ topic, partition }: TopicPartition): void {
    this.#steer(() => this.#consumer.pause([{ topic, partitions: [partition] }]));
  }

  resume({ topic, partition }: TopicPartition): void {
    this.#steer(() => this.#consumer.resume([{ topic, partitions: [partition] }]));
  }

  /** Between a crash and its restart there is nothing to steer: all partitions come anew then. */
  #steer(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#context.log.debug(`The group ${this.#wish.group} does not run: ${(error as Error).message}`);
    }
  }

  commit(partition: GroupPartition): void {
    this.#commits.add(partition);
  }

  async find({ topic, partition }: TopicPartition, to: Seek): Promise<number> {
    try {
      if (typeof to === 'object') {
        const found = await (await this.#context.admin()).fetchTopicOffsetsByTimestamp(topic, to.timestamp);
        return Number(found.find((each) => each.partition === partition)!.offset);
      }
      let { low, high } = (await this.ends(topic)).get(partition)!;
      // Others may have asked before it was there.
      if (typeof to === 'number' && to > high) ({ low, high } = (await this.#askEnds(topic)).get(partition)!);
      if (typeof to !== 'number') return to === 'earliest' ? low : high;
      // Kafka would begin anew with the first message, and so would the group.
      if (to > high)
        throw new ProxyError('OFFSET_OUT_OF_RANGE', `seek: ${topic}/${partition} ends at ${high}, before ${to}`, false, CloseCode.OffsetOutOfRange);
      return Math.max(to, low);
    } catch (error) {
      throw ProxyError.of(error);
    }
  }

  ends(topic: string): Promise<Map<number, { low: number; high: number }>> {
    let asked = this.#ends.get(topic);
    if (!asked) this.#ends.set(topic, (asked = this.#askEnds(topic).finally(() => this.#ends.delete(topic))));
    return asked;
  }

  async #askEnds(topic: string): Promise<Map<number, { low: number; high: number }>> {
    try {
      const ends = await (await this.#context.admin()).fetchTopicOffsets(topic);
      return new Map(ends.map(({ partition, low, high }) => [partition, { low: Number(low), high: Number(high) }]));
    } catch (error) {
      throw ProxyError.of(error);
    }
  }

  #crashed(error: ProxyError, restart: boolean): void {
    if (!restart) return this.#fail(error);
    for (const reader of this.#readers) reader.warn(error);
  }

  /** It cannot go on: its readers are told. */
  #fail(error: ProxyError): void {
    if (this.#closing) return;
    this.#failure = error;
    const readers = [...this.#readers];
    void this.close();
    for (const reader of readers) reader.fail(error);
  }

  /** Commits what is acknowledged, and leaves the group. Never rejects. */
  close(): Promise<void> {
    if (!this.#closing) {
      // Before anything of it runs: nothing is dealt any more, and who comes now has another member.
      this.#closing = Promise.resolve().then(() => this.#close());
      this.#onOver();
    }
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#commits.flush([...this.#partitions.values()], FLUSH_MS);
    this.#commits.end();
    try {
      await within(LEAVE_MS, () => this.#leave());
    } catch (error) {
      this.#context.log.warn(`The group ${this.#wish.group} was not left in order: ${(error as Error).message}`);
    }
  }

  /** Goes on by itself where the brokers are away. */
  async #leave(): Promise<void> {
    try {
      await this.#disconnect();
      // A start that was still on its way to the group has found it closed.
      await this.#started.catch(() => {});
      await this.#disconnect();
    } finally {
      clearInterval(this.#look);
      this.#end([...this.#partitions.values()]);
    }
  }

  async #disconnect(): Promise<void> {
    const disconnected = this.#consumer.disconnect();
    setImmediate(this.#giveBack);
    await disconnected;
  }

  /** The proxy ends. */
  async shut(): Promise<void> {
    await this.#commits.flush([...this.#partitions.values()], FLUSH_MS);
    // Readers have heard of every commit; they hear of none from here on.
    this.#commits.end();
    await Promise.all([this.close(), ...[...this.#readers].map((reader) => reader.close())]);
  }
}

function add<Key, Value>(map: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}
