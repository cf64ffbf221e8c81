import type { Readable } from 'node:stream';
import { clearTimeout, setTimeout } from '../../clock';
import type { NativeRule } from '../../binding';
import { hold, release } from '../../lifetime';
import { describe, guessed, isTopicName, TOPIC_NAMES } from '../../options';
import type { GroupDescription } from '../admin';
import type { ClientContext } from '../client';
import type { AssignedPartition } from './assignment';
import { rebalancing, type TopicOffset, type TopicOffsets } from './commits';
import { readConsumerConfig, type ConsumerConfig, type ReadConsumerConfig } from './config';
import { CONSUMER_EVENTS, type ConsumerEventPayloads, type ConsumerEvents } from './events';
import { invalidTopic, toKafkaJSError, KafkaJSNonRetriableError } from '../errors';
import { checkEvent, Instrumentation, type InstrumentationEvent, type RemoveInstrumentationEventListener } from '../events';
import { GroupConnection } from './connection';
import { positionOf, type PartitionLag } from './lag';
import type { Batch } from './lazy-batch';
import { lazily } from '../lazily';
import type { KafkaLogger } from '../logger';
import { ownMethods } from '../own-methods';
import type { TopicPartition, TopicPartitions } from '../partitions';
import { checkPartitions, readPositions, type AssignedPosition, type Position } from './positions';
import { concurrencyOf, RUN_OPTIONS, type ConsumerRunConfig, type Demand, type Retry } from './runner';
import { readRule, type MessageRule } from './rule';
import { Session, unlessAborted } from './session';
import { batches, messages, readable, type ReadMessage, type ReadOptions, type Source } from './streams';
import { readStart, Subscription, type Place, type ConsumerSubscribeTopic, type ConsumerSubscribeTopics } from './subscription';
import { LONGEST_TIMER, checkCommit, checkPartition, checkSeek, millisecondsOf, shown } from '../given';

export interface TopicPartitionOffset {
  topic: string;
  partition: number;
  /** The next offset to be read. */
  offset: string;
}
export interface TopicPartitionOffsetAndMetadata extends TopicPartitionOffset {
  metadata?: string | null;
}

/** Milliseconds in which the coordinator says what is committed. */
const COMMITTED_MS = 10_000;

/** Of `stop` and `disconnect`. */
export interface StopOptions {
  /**
   * Milliseconds for handlers that run; then they are left behind: what they resolved is committed, the rest comes again. Default:
   * as long as they take; after five seconds the log says which they are.
   */
  timeout?: number;
}

/** A call of `run`, and the reader that is behind it. */
interface Running {
  options: ConsumerRunConfig;
  /** Which messages are wanted; undefined: all. */
  rule: NativeRule | undefined;
  demand: Demand | undefined;
  onEnd: ((error?: Error) => void) | undefined;
  /** Why it ended by itself. */
  error?: Error;
  /** Where it goes on after a crash. */
  places?: Place[];
  /** The ends that `until` wants reached. */
  until?: ReadonlyMap<string, number>;
  /** It is settled where each partition begins, or it has ended. */
  readonly begun: Promise<void>;
  onBegun(): void;
}

/** The consumer that `kafka.consumer()` makes: its methods can be taken off it. */
export interface KafkaConsumer extends Pick<Consumer, keyof Consumer> {}

/**
 * A consumer in a group, as KafkaJS has it.
 *
 * ```js
 * const consumer = kafka.consumer({ groupId: 'clicks' });
 * await consumer.connect();
 * await consumer.subscribe({ topics: ['clicks'], fromBeginning: true });
 * await consumer.run({
 *   eachMessage: async ({ topic, partition, message }) => console.log(topic, partition, message.offset, String(message.value)),
 * });
 * ```
 *
 * A running consumer keeps the process alive until `stop` or `disconnect`. Errors of its calls are KafkaJS's.
 */
export class Consumer {
  readonly events: ConsumerEvents = CONSUMER_EVENTS;
  readonly #context: ClientContext;
  readonly #config: ReadConsumerConfig;
  readonly #retry: Retry;
  readonly #log: KafkaLogger;
  readonly #instrumentation: Instrumentation;
  #subscription = new Subscription();
  #positions: Position[] = [];

  #connection: Promise<GroupConnection> | undefined;
  #opened: GroupConnection | undefined;
  /** Of the newest connection: nobody waits for it any more. */
  #giveUp = new AbortController();
  #session: Session | undefined;
  /** The call of `run`, as long as the program wants it to run. */
  #running: Running | undefined;
  #stopping: Promise<void> | undefined;
  #restart: NodeJS.Timeout | undefined;
  /** Calls that wait for the session behind a crash. */
  readonly #onSession: (() => void)[] = [];

  /** @internal */
  constructor(context: ClientContext, config: ConsumerConfig) {
    this.#context = context;
    this.#config = readConsumerConfig(config, context);
    this.#retry = { ...context.retry, ...this.#config.retry };
    this.#log = context.logger.namespace('Consumer');
    this.#tellUnknown('Unknown options are ignored', this.#config.unknown);
    if (this.#config.replaced)
      this.#log.warn(
        'partitionAssigners: a function is not run, because librdkafka divides the partitions; roundRobin stands in its place, name it to be rid of this line',
      );
    this.#instrumentation = new Instrumentation(this.#log, context.clientId);
    ownMethods(this);
  }

  logger(): KafkaLogger {
    return this.#log;
  }

  #tellUnknown(what: string, names: readonly string[]): void {
    if (names.length > 0) this.#log.warn(`${what}: ${names.join(', ')}`);
  }

  /** Resolves when a broker has answered. */
  async connect(): Promise<void> {
    await this.#connect();
    this.#instrumentation.emit(CONSUMER_EVENTS.CONNECT);
  }

  #connect(): Promise<GroupConnection> {
    return (this.#connection ??= this.#open());
  }

  #open(): Promise<GroupConnection> {
    this.#giveUp = new AbortController();
    const opening = GroupConnection.open(this.#context, this.#config, this.#log, this.#instrumentation, this.#giveUp.signal).then(
      (connection) => {
        if (this.#connection === opening) this.#opened = connection; // else a disconnect came first
        return connection;
      },
      (error: unknown) => {
        if (this.#connection === opening) this.#connection = undefined;
        throw error;
      },
    );
    return opening;
  }

  /**
   * Stops, as `stop` does, and ends the client. `connect` may follow. A static member keeps its place in the group for `sessionTimeout`. A `connect` that
   * has reached nobody within `timeout` rejects.
   */
  async disconnect(options?: StopOptions): Promise<void> {
    await this.#within(options, async () => {
      this.#unwanted();
      await this.#stopping;
      await this.#end(true);
    });
  }

  /** Kafka's id of a topic that is read without a group, as text: of one that was deleted and made anew it is another. null: nothing is known of it. */
  topicId(topic: string): string | null {
    return this.#opened?.native.topicId(topic) ?? null;
  }

  /** The same as `disconnect`: `await using consumer = kafka.consumer(...)`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.disconnect();
  }

  /**
   * Adds topics, before `run`. A topic that is made later, and has one of the names or matches a RegExp, and a partition that is added to
   * a topic, are found within seconds and read from their first message, whatever `fromBeginning` says. Kafka's own topics
   * (`__consumer_offsets`, `__transaction_state`, `__share_group_state`) are read by their names only: no RegExp finds them.
   *
   * Without a group (`groupId: null`) every partition of the topics is read, by each such consumer, from where `from` says. `run` resolves
   * when it is settled where each begins: what is produced after that is read. With an `offsetDirectory` a partition goes on behind what
   * its file says. A topic that was deleted and made anew, also while nobody read, is read from its first message, and the log says so.
   * @throws KafkaJSNonRetriableError while the consumer runs, for no topic, and for one that no broker can have
   */
  async subscribe(subscription: ConsumerSubscribeTopics | ConsumerSubscribeTopic): Promise<void> {
    const { topic, topics, fromBeginning = false, from, ...unknown } = (subscription ?? {}) as ConsumerSubscribeTopic & Partial<ConsumerSubscribeTopics>;
    this.#tellUnknown(
      'Consumer.subscribe: unknown options are ignored',
      Object.keys(unknown).map((name) => guessed(name, ['topic', 'topics', 'fromBeginning', 'from'])),
    );
    if (this.#session) throw new KafkaJSNonRetriableError('Cannot subscribe to topic while consumer is running');
    if (this.#positions.length > 0) throw new KafkaJSNonRetriableError('Consumer.subscribe: partitions are assigned already; assign([]) takes them back');
    if (topics !== undefined && topics !== null && !Array.isArray(topics)) throw new KafkaJSNonRetriableError('Argument "topics" must be an array');
    if (!topic && !topics) throw new KafkaJSNonRetriableError('Missing required argument "topics"');
    const wanted = topics ?? [topic];
    if (wanted.length === 0) throw new KafkaJSNonRetriableError('Consumer.subscribe: "topics" is empty');
    for (const each of wanted) {
      if (typeof each !== 'string' && !(each instanceof RegExp))
        throw new KafkaJSNonRetriableError(`Invalid topic ${shown(each)} (${typeof each}), the topic name has to be a String or a RegExp`);
      // librdkafka would take some for patterns, and keep looking for the others.
      if (typeof each === 'string' && !isTopicName(each))
        throw invalidTopic(
          `Consumer.subscribe: no topic is called ${describe(each)}: ${each.startsWith('^') ? `a pattern is a RegExp, as /${each}/` : TOPIC_NAMES}`,
        );
    }
    const alone = this.#config.groupId === null;
    if (!alone && from !== undefined)
      throw new KafkaJSNonRetriableError(
        'Consumer.subscribe: from is for a consumer without a group; a group goes on where it has committed: use fromBeginning',
      );
    const start = alone ? readStart(from !== undefined ? from : fromBeginning ? 'beginning' : 'end') : undefined;
    for (const each of wanted) this.#subscription.add(each, fromBeginning, start);
  }

  /**
   * Takes partitions without a group, instead of `subscribe`, before `run`. With a `groupId`, or an
   * `offsetDirectory`, offsets can be committed and begun from.
   *
   * ```js
   * const consumer = kafka.consumer({ groupId: null });
   * await consumer.assign([
   *   { topic: 'clicks', partition: 0, offset: '42' },
   *   { topic: 'clicks', partition: 1, timestamp: Date.now() - 60_000 },
   *   { topic: 'views', offset: 'end' }, // every partition
   * ]);
   * ```
   */
  async assign(positions: AssignedPosition[]): Promise<void> {
    if (this.#session) throw new KafkaJSNonRetriableError('Consumer.assign: the consumer runs already; assign before run(), or stop() first');
    if (!this.#subscription.empty) throw new KafkaJSNonRetriableError('Consumer.assign: the consumer has subscribed already; use another one');
    this.#positions = readPositions(positions, this.#config.commits);
  }

  /**
   * Joins the group and calls the handler. Resolves with the first assignment, which may be empty. An error later, or
   * in joining, is the event CRASH. Without a group it rejects where it ends before it has begun.
   */
  async run(options: ConsumerRunConfig = {}): Promise<void> {
    if (this.#running) {
      this.#log.warn('consumer#run was called, but the consumer is already running', { groupId: this.#config.groupId });
      return;
    }
    this.#tellUnknown(
      'Consumer.run: unknown options are ignored',
      Object.keys(options)
        .filter((name) => !Object.hasOwn(RUN_OPTIONS, name))
        .map((name) => guessed(name, Object.keys(RUN_OPTIONS))),
    );
    if (!options.eachMessage && !options.eachBatch) throw new KafkaJSNonRetriableError('Consumer.run: "eachMessage" or "eachBatch" is missing');
    if (options.until === undefined) return this.#run(options);
    await new Promise<void>((resolve, reject) => {
      const onEnd = (error?: Error): void => (error ? reject(error) : resolve());
      this.#run(options, undefined, onEnd).catch(reject);
    });
  }

  async #run(options: ConsumerRunConfig, demand?: Demand, onEnd?: (error?: Error) => void): Promise<void> {
    concurrencyOf(options);
    if (options.until !== undefined && options.until !== 'end')
      throw new KafkaJSNonRetriableError(`Consumer.run: until must be 'end', got ${describe(options.until)}`);
    const rule = readRule('Consumer.run', options.only);
    this.#subscription.existing = undefined;
    let onBegun!: () => void;
    const begun = new Promise<void>((resolve) => (onBegun = resolve));
    this.#running = { options, rule, demand, onEnd, begun, onBegun };
    hold(this);
    const running = this.#running;
    await this.#start(running);
    if (this.#config.groupId !== null) return;
    await running.begun;
    if (running.error) throw running.error;
  }

  async #start(running: Running): Promise<void> {
    const { options, rule, demand } = running;
    this.#log.info('Starting', { groupId: this.#config.groupId });
    let connection = this.#opened;
    if (!connection) {
      try {
        connection = await this.#connect();
      } catch (error) {
        if (this.#running !== running) return; // stopped meanwhile
        return this.#crashed(error as Error);
      }
    }
    if (this.#running !== running) return;
    let crashed: Promise<void> | undefined;
    const session = new Session(
      {
        config: this.#config,
        subscription: this.#subscription,
        positions: this.#positions,
        places: running.places,
        until: running.until,
        events: this.#instrumentation,
        log: this.#log,
        onCrash: (error) => (crashed = this.#crashed(error)),
        onUntil: (ends) => (running.until = ends),
        onReached: () => void this.#reachedEnd(running),
      },
      connection,
      options,
      rule,
      this.#retry,
      demand,
    );
    this.#session = connection.receiver = session;
    for (const go of this.#onSession.splice(0)) go();
    this.#instrumentation.emit(CONSUMER_EVENTS.CONNECT);
    await session.start();
    await crashed;
    if (session.begun && !session.crashed) running.onBegun();
  }

  /** The messages that `until` wants are processed. */
  async #reachedEnd(running: Running): Promise<void> {
    await this.#end(false);
    if (this.#running === running) this.#ended();
  }

  /** Ends the session, tells, and starts anew where that can help; KafkaJS's order and rules. */
  async #crashed(error: Error & { retryCount?: number; retryTime?: number }): Promise<void> {
    const { groupId } = this.#config;
    const running = this.#running;
    this.#log.error(`Crash: ${error.name}: ${error.message}`, { groupId, retryCount: error.retryCount, stack: error.stack });
    const session = this.#session;
    await this.#end(true);
    if (running && session?.places) running.places = session.places;
    let restart = error.name === 'KafkaJSNumberOfRetriesExceeded' || (root(error) as { retriable?: boolean }).retriable === true;
    if (restart && this.#retry.restartOnFailure) {
      try {
        restart = await this.#retry.restartOnFailure(error);
      } catch (failure) {
        this.#log.error('restartOnFailure failed; the consumer is restarted', { error: (failure as Error)?.message ?? failure, cause: error.message, groupId });
      }
    }
    this.#instrumentation.emit(CONSUMER_EVENTS.CRASH, { error, groupId, restart });
    if (running === undefined || this.#running !== running) return; // the program stopped it meanwhile
    if (!restart) return this.#ended(error);
    const retryTime = error.retryTime || this.#retry.initialRetryTime;
    this.#log.error(`Restarting the consumer in ${retryTime}ms`, { retryCount: error.retryCount, retryTime, groupId });
    this.#restart = setTimeout(() => void this.#start(running), retryTime);
  }

  /**
   * No handler starts any more; resolves when those that run have ended, what they processed is committed, and the group is
   * left. A handler must not await it without a `timeout`: it would wait for itself. `run` may follow.
   */
  async stop(options?: StopOptions): Promise<void> {
    await this.#within(options, async () => {
      this.#unwanted();
      await (this.#stopping ?? this.#end(false));
    });
  }

  async #within(options: StopOptions | undefined, end: () => Promise<void>): Promise<void> {
    const timeout = millisecondsOf(options?.timeout ?? Infinity);
    const session = this.#session;
    const giveUp = this.#giveUp;
    const late = (): void => {
      session?.leaveHandlersBehind(timeout);
      giveUp.abort();
    };
    const timer = timeout > LONGEST_TIMER ? undefined : setTimeout(late, timeout);
    try {
      await end();
    } finally {
      clearTimeout(timer);
    }
  }

  #unwanted(): void {
    clearTimeout(this.#restart);
    this.#ended();
  }

  #end(disconnect: boolean): Promise<void> {
    return (this.#stopping = this.#endSession(disconnect).finally(() => (this.#stopping = undefined)));
  }

  /** The program wants it to run no longer, or it cannot. */
  #ended(error?: Error): void {
    const running = this.#running;
    if (!running) return;
    this.#running = undefined;
    running.error = error;
    running.onBegun();
    running.onEnd?.(error);
    for (const go of this.#onSession.splice(0)) go();
    release(this);
  }

  async #endSession(disconnect: boolean): Promise<void> {
    const { groupId } = this.#config;
    const session = this.#session;
    const connection = this.#connection;
    if (disconnect) this.#connection = this.#opened = undefined;
    const close = async (): Promise<void> => (await connection?.catch(() => {}))?.close();
    try {
      if (session) await session.stop(disconnect ? close : undefined);
      else if (disconnect) await close();
    } catch (error) {
      this.#log.error(`The consumer did not leave its group in order: ${(error as Error).message}`, { groupId, stack: (error as Error).stack });
    }
    // The end of a crash and that of the program may meet.
    if (session && this.#session === session) {
      this.#session = undefined;
      if (this.#opened) this.#opened.receiver = undefined;
      this.#instrumentation.emit(CONSUMER_EVENTS.STOP);
    }
    this.#log.info('Stopped', { groupId });
    if (disconnect) this.#instrumentation.emit(CONSUMER_EVENTS.DISCONNECT);
  }

  /** Whether `connect` has resolved, and nothing has ended the client since. Brokers may be away all the same: `lag()` asks them. */
  isConnected(): boolean {
    return this.#opened !== undefined;
  }

  /** Takes back what `subscribe` and `assign` said, before `run` or after `stop`. @throws KafkaJSNonRetriableError while the consumer runs */
  async unsubscribe(): Promise<void> {
    if (this.#running || this.#session) throw new KafkaJSNonRetriableError('Consumer.unsubscribe: the consumer runs; stop() first');
    this.#subscription = new Subscription();
    this.#positions = [];
  }

  /** The partitions that this consumer has. */
  assignment(): TopicPartition[] {
    return this.#has().map(({ topic, partition }) => ({ topic, partition }));
  }

  /** Of each partition that this consumer has the next offset to be processed; '-1': nothing was heard of the partition yet. */
  position(): TopicPartitionOffset[] {
    return this.#has().map((assigned) => ({ topic: assigned.topic, partition: assigned.partition, offset: String(positionOf(assigned)) }));
  }

  #has(): AssignedPartition[] {
    return [...(this.#session?.assignment ?? [])].filter(({ gone }) => !gone);
  }

  /**
   * The offsets that the group has committed, of these partitions or of all that this consumer has; '-1': none.
   * @param options `timeout`: milliseconds, default 10 000
   * @throws KafkaJSNonRetriableError when it is not connected, or has no group; KafkaJSProtocolError when the coordinator refuses
   */
  async committed(
    topicPartitions: TopicPartition[] = this.assignment(),
    { timeout = COMMITTED_MS }: { timeout?: number } = {},
  ): Promise<TopicPartitionOffset[]> {
    if (!Array.isArray(topicPartitions))
      throw new KafkaJSNonRetriableError(`Consumer.committed: takes an array of { topic, partition }, got ${describe(topicPartitions)}`);
    if (this.#config.groupId === null) throw new KafkaJSNonRetriableError('Consumer.committed: the consumer has no group');
    const places = topicPartitions.map(({ topic, partition }) => ({ topic, partition: checkPartition(topic, partition) }));
    const opened = this.#opened;
    if (!opened) throw new KafkaJSNonRetriableError('Consumer.committed: the consumer is not connected');
    if (places.length === 0) return [];
    try {
      const offsets = await opened.calls.start<number[]>((id) =>
        opened.native.committed(
          id,
          places.map(({ topic }) => topic),
          places.map(({ partition }) => partition),
          Math.ceil(Math.min(millisecondsOf(timeout), LONGEST_TIMER)),
        ),
      );
      return places.map((place, i) => ({ ...place, offset: String(offsets[i]!) }));
    } catch (error) {
      throw toKafkaJSError(error);
    }
  }

  /**
   * How far each partition that this consumer has is behind, as the brokers say now. The event LAG tells the same every 5 s.
   * @throws KafkaJSNonRetriableError when the consumer does not run; KafkaJSError when a leader does not answer within 3 s
   */
  async lag(): Promise<PartitionLag[]> {
    try {
      return await this.#runningSession().lag();
    } catch (error) {
      throw toKafkaJSError(error);
    }
  }

  /** Commits the next offsets to be read. Resolves when the coordinator has them; what was processed before them is not committed over them. */
  async commitOffsets(topicPartitions: TopicPartitionOffsetAndMetadata[] = []): Promise<void> {
    if (!Array.isArray(topicPartitions))
      throw new KafkaJSNonRetriableError(`Consumer.commitOffsets: takes an array of { topic, partition, offset }, got ${describe(topicPartitions)}`);
    const topics: TopicOffsets[] = topicPartitions.map(({ topic, partition, offset, metadata = null }) => {
      const place = { partition: checkPartition(topic, partition), offset: String(checkCommit(offset)) };
      if (metadata !== null && typeof metadata !== 'string')
        throw new KafkaJSNonRetriableError(`Invalid offset metadata, expected string or null, received ${shown(metadata)}`);
      return { topic, partitions: [{ ...place, metadata }] };
    });
    await this.#runningSession().commits.commit(topics);
  }

  /** The group, its state and members, as its coordinator has it. Takes a connection of its own. */
  async describeGroup(): Promise<GroupDescription> {
    const { groupId } = this.#config;
    if (groupId === null) throw new KafkaJSNonRetriableError('Consumer.describeGroup: the consumer has no group');
    const admin = new (lazily.admin().Admin)(this.#context);
    try {
      await admin.connect();
      const { groups } = await admin.describeGroups([groupId]);
      return groups[0]!;
    } finally {
      await admin.disconnect();
    }
  }

  /**
   * This member's identity in its group, for `sendOffsets` of a transaction: the broker then refuses the offsets of a member that
   * the group has replaced.
   */
  async groupMetadata(): Promise<Buffer> {
    const opened = this.#opened;
    if (!opened) throw new KafkaJSNonRetriableError('Consumer.groupMetadata: the consumer is not connected');
    try {
      return await opened.calls.start<Buffer>((id) => opened.native.groupMetadata(id));
    } catch (error) {
      throw toKafkaJSError(error);
    }
  }

  /** {@link groupMetadata}, if this consumer has these partitions still. @internal */
  async groupMetadataOf(offsets: readonly TopicOffset[]): Promise<Buffer> {
    const metadata = await this.groupMetadata();
    const assignment = this.#session?.assignment;
    const gone = offsets.filter(({ topic, partition }) => {
      const assigned = assignment?.find(topic, partition);
      return !assigned || assigned.lost;
    });
    if (gone.length === 0) return metadata;
    throw rebalancing(
      `The consumer does not have ${gone.map(({ topic, partition }) => `${topic}/${partition}`).join(', ')} any more: abort the transaction, who has them now reads their messages again`,
    );
  }

  /** A transaction has these offsets; what is returned takes them back. @internal */
  offsetsSent(offsets: readonly TopicOffset[]): () => void {
    return this.#session?.commits.sent(offsets) ?? (() => {});
  }

  /**
   * The next message of the partition is the one with this offset; '-2' = the first of the log, '-1' = the next to come. Of
   * a partition that this consumer does not have it counts when it comes.
   */
  seek({ topic, partition, offset }: TopicPartitionOffset): void {
    const [number, at] = [checkPartition(topic, partition), checkSeek(offset)];
    this.#runningSession().seek(topic, number, at);
  }

  /** No handler gets these topics or partitions until `resume`, whether this consumer has them yet or not. */
  pause(topicPartitions: { topic: string; partitions?: number[] }[] = []): void {
    const places = checkPartitions('pause', topicPartitions);
    this.#runningSession().pause(places);
  }

  /** This consumer's partitions that are paused. */
  paused(): TopicPartitions[] {
    return this.#session?.assignment.paused() ?? [];
  }

  resume(topicPartitions: { topic: string; partitions?: number[] }[] = []): void {
    const places = checkPartitions('resume', topicPartitions);
    this.#runningSession().resume(places);
  }

  #runningSession(): Session {
    if (this.#session) return this.#session;
    throw notRunning();
  }

  /** Calls the listener at every event of this name; returns what removes it. Errors that it throws are logged. */
  on<K extends keyof ConsumerEventPayloads>(
    eventName: K,
    listener: (event: InstrumentationEvent<ConsumerEventPayloads[K]>) => unknown,
  ): RemoveInstrumentationEventListener {
    checkEvent('consumer', CONSUMER_EVENTS, eventName);
    return this.#instrumentation.on(eventName, listener);
  }

  /**
   * Runs the consumer, and gives message after message; nothing is fetched ahead of the reader but what the buffer holds.
   *
   * ```js
   * for await (const { topic, partition, offset, value } of consumer.messages()) console.log(topic, partition, offset, String(value));
   * ```
   *
   * A message is processed, and may be committed, when the next is asked for. The end of the loop stops the consumer: the
   * message at which it was left comes again.
   */
  messages(options: ReadOptions = {}): AsyncGenerator<ReadMessage, void, void> {
    return messages(this.#source('messages'), options);
  }

  /**
   * Resolves when everything that lies in this consumer's partitions at the call, up to their high watermarks, was given to the handler and
   * is processed: who produced a message before has it read then. A transaction that is open is waited for; so is a partition that is
   * paused. A partition that goes to another member is not.
   *
   * @throws the signal's reason; KafkaJSNonRetriableError in this consumer's own handler, and when it stops
   */
  async caughtUp({ signal }: { signal?: AbortSignal } = {}): Promise<void> {
    await this.#overCrashes(signal, (session) => session.caughtUp(signal));
  }

  /**
   * The same, for whose handler waits for nobody. Resolves with the number of partitions.
   *
   * @param readable only what its isolation reads now: no open transaction is waited for
   * @internal
   */
  async reachEnds(signal: AbortSignal | undefined, readable: boolean): Promise<number> {
    return this.#overCrashes(signal, (session) => session.reachEnds(signal, readable && this.#config.readCommitted));
  }

  /** Asks the session, and the one behind it should it crash. */
  async #overCrashes<T>(signal: AbortSignal | undefined, ask: (session: Session) => Promise<T>): Promise<T> {
    const running = this.#running;
    for (;;) {
      const session = this.#session;
      if (session && !session.crashed) {
        try {
          return await ask(session);
        } catch (error) {
          if (!session.crashed || this.#running !== running) throw error;
        }
      } else if (!running || this.#running !== running) {
        throw running?.error ?? notRunning();
      } else {
        await unlessAborted(signal, new Promise<void>((resolve) => this.#onSession.push(resolve)));
      }
    }
  }

  /**
   * Replaces the rule of `run` by which messages reach the handler; null: all do. Resolves with the offset of each partition from which on
   * the new rule decides: what lies below was decided by the one before, and still is when it is given again. `'-2'`: of this partition
   * nothing was decided yet. Where the program seeks, in partitions that come and after a crash, the newest rule decides everything.
   */
  async only(rule: MessageRule | null): Promise<TopicPartitionOffset[]> {
    const session = this.#runningSession();
    const running = this.#running;
    const read = readRule('Consumer.only', rule);
    try {
      const from = await session.setRule(read);
      if (running) running.rule = read;
      return from.map(({ topic, partition, offset }) => ({ topic, partition, offset: String(offset) }));
    } catch (error) {
      throw toKafkaJSError(error);
    }
  }

  /** The same with batches; a batch is processed when the next is asked for. */
  batches(options: ReadOptions = {}): AsyncGenerator<Batch, void, void> {
    return batches(this.#source('batches'), options);
  }

  /**
   * The same as a stream of message objects; it buffers none. Piped, a message is processed when the destination took it.
   * `Readable.toWeb(consumer.stream(), { strategy: { highWaterMark: 0 } })` is a Web stream.
   */
  stream(options: ReadOptions = {}): Readable {
    return readable(this.#source('stream'), options);
  }

  #source(call: string): Source {
    return {
      run: (eachBatch, demand, { until, only }, onEnd) => {
        if (this.#running) throw new KafkaJSNonRetriableError(`Consumer.${call}: the consumer runs already`);
        return this.#run({ eachBatch, eachBatchAutoResolve: false, ...(until && { until }), ...(only && { only }) }, demand, onEnd);
      },
      stop: () => this.stop(),
    };
  }
}

function notRunning(): Error {
  return new KafkaJSNonRetriableError('Consumer group was not initialized, consumer#run must be called first');
}

/** The error at the bottom. */
function root(error: Error): unknown {
  return error.cause instanceof Error ? root(error.cause) : error;
}
