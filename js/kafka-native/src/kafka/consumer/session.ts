import { clearInterval, clearTimeout, pause, setInterval, setTimeout } from '../../clock';
import type { NativeGroup, NativePlaces, NativeRebalance, NativeRule, NativeTopics } from '../../binding';
import type { Calls } from '../../calls';
import type { KafkaError } from '../../errors';
import { BEGIN, STORED, UNKNOWN } from '../../logical';
import { Assignment, AssignedPartition } from './assignment';
import { Commits, type CommitsOwner, type TopicOffset } from './commits';
import type { ReadConsumerConfig } from './config';
import { KafkaJSError, KafkaJSNonRetriableError, toKafkaJSError } from '../errors';
import type { Instrumentation } from '../events';
import { LagEvents, lagOf, type PartitionLag } from './lag';
import { PackedBatch } from './lazy-batch';
import type { KafkaLogger } from '../logger';
import type { Statistics } from '../metrics';
import { partitionsByTopic, type TopicPartition, type TopicPartitions } from '../partitions';
import type { GroupConnection, GroupReceiver } from './connection';
import { resolvePositions, type Position } from './positions';
import { processed, Reached } from './reached';
import { Rounds } from './rounds';
import { Runner, type ConsumerRunConfig, type Demand, type Retry, type RunnerOwner } from './runner';
import type { Place, Subscription } from './subscription';

/** Milliseconds that a question to the cluster may take. */
const CALL_MS = 10_000;
/** The same for where partitions end: a leader that is gone is not waited for. */
const ENDS_MS = 3000;
/** The same for a remark in the log: a consumer that stops waits for the question. */
const TELL_MS = 1000;
/** As many partitions as there can be: the broker has not said how many. */
const NOT_KNOWN = 2 ** 31 - 1;
/** Milliseconds before a question is asked again that a broker could not answer yet. */
const ASK_AGAIN_MS = 100;
/** Milliseconds after which a question that nobody answers is told. */
const ASKING_MS = 5000;
/** Topics that are asked for one by one, rather than all that there are at once. */
const ASKED_SINGLY = 10;
/** Milliseconds for a topic to come that a broker may not know yet. */
const MISSING_MS = 2000;
/** Milliseconds for the offsets of partitions that come. */
const COMMITTED_MS = 1000;
/** Milliseconds for the last commit of a consumer that stops. */
const LAST_COMMIT_MS = 5000;
/** Milliseconds after which a consumer that waits for its handlers to stop says so. */
const STOP_WARNING_MS = 5000;

/** Whose life it is. @internal */
export interface SessionOwner {
  readonly config: ReadConsumerConfig;
  readonly subscription: Subscription;
  /** Positions given to `assign`. */
  readonly positions: readonly Position[];
  /** Where a session went on that crashed: this one begins there. */
  readonly places: readonly Place[] | undefined;
  /** The ends that a session had to reach which crashed. */
  readonly until: ReadonlyMap<string, number> | undefined;
  readonly events: Instrumentation;
  readonly log: KafkaLogger;
  onCrash(error: Error): void;
  /** So far it is read, also should this session crash. */
  onUntil(ends: ReadonlyMap<string, number>): void;
  /** Everything is processed that `until` wants. */
  onReached(): void;
}

/** One life of a running consumer, from `run` to `stop` or a crash: what it has, what it processes, what it commits. @internal */
export class Session implements GroupReceiver, CommitsOwner, RunnerOwner {
  readonly native: NativeGroup;
  readonly calls: Calls;
  readonly events: Instrumentation;
  readonly log: KafkaLogger;
  /** For the lines that KafkaJS logs as `ConsumerGroup`. */
  readonly #groupLog: KafkaLogger;
  readonly assignment: Assignment;
  readonly commits: Commits;
  readonly #runner: Runner;
  readonly maxMessagesPerBatch: number;
  readonly #config: ReadConsumerConfig;
  /** A member, and not one that took its partitions itself. */
  readonly #inGroup: boolean;
  /** All partitions of topics, without a group. */
  readonly #reads: boolean;
  readonly #owner: SessionOwner;
  readonly #untilEnd: boolean;
  readonly #connection: GroupConnection;
  readonly #rule: NativeRule | undefined;

  #memberId = '';
  #generation = -1;
  #member = false;
  #onJoined!: () => void;
  readonly #joined = new Promise<void>((resolve) => (this.#onJoined = resolve));
  readonly #reached: Reached;
  readonly #highEnds = new Rounds(() => this.#targets(false));
  readonly #stableEnds = new Rounds(() => this.#targets(true));
  /** Without a group: where `assign` said that partitions begin. */
  #placed = new Map<string, number>();
  /** Partitions of topics that were deleted: when they come again, another topic has that name. */
  readonly #lost = new Set<string>();
  /** The ends of all partitions when it began; `until` wants them reached, and nothing behind them. */
  #until: Map<string, number> | undefined;
  /** One that has not reached its end; so that not all are looked at each time. */
  #behind: AssignedPartition | undefined;
  #ended = false;
  /** It is looked for partitions that `until` wants, and that are not here. */
  #finding = false;
  /** Its partitions are all that it will have, unless others come or go. */
  #assigned = false;
  /** Partitions were taken away, and it is not known yet which come back. */
  #away = false;
  readonly #onDivided: (() => void)[] = [];
  #crashed = false;
  #stopping = false;
  /** Stopping, and what is processed is committed. */
  #flushed = false;
  /** Resolves when handlers that still run are not waited for any more. */
  #onLeftBehind!: () => void;
  readonly #leftBehind = new Promise<void>((resolve) => (this.#onLeftBehind = resolve));
  /** Rebalances are worked off one after another. */
  #rebalancing: Promise<void> = Promise.resolve();
  /** When the rebalance was heard of; of one that only brings partitions, that is when they come. */
  #rebalanceBegan: number | undefined = Date.now();
  #fetchBegan = Date.now();
  #heartbeats: NodeJS.Timeout | undefined;
  readonly #lagEvents: LagEvents;
  #watch: NodeJS.Timeout | undefined;
  #subscribed: string[] | undefined;
  /** Until it is settled where they begin. */
  #underWay: Promise<void> = Promise.resolve();
  /** It is settled where each partition begins. */
  #begun = false;
  /** Where it went on when it was stopped, without a group; undefined before it is known where it began. */
  places: Place[] | undefined;
  /** A handler transferred the memory of a batch: from then on each key and value has its own. */
  #own = false;

  constructor(
    owner: SessionOwner,
    connection: GroupConnection,
    options: ConsumerRunConfig,
    rule: NativeRule | undefined,
    retry: Retry,
    demand: Demand | undefined,
  ) {
    const { events, log, config } = owner;
    const { native, calls, paused } = connection;
    this.#connection = connection;
    this.#rule = rule;
    this.native = native;
    this.calls = calls;
    this.events = events;
    this.log = log;
    this.#groupLog = log.namespace('ConsumerGroup');
    this.#owner = owner;
    this.#config = config;
    this.maxMessagesPerBatch = config.native.maxMessagesPerBatch;
    this.#inGroup = config.groupId !== null && owner.positions.length === 0;
    this.#reads = config.groupId === null && !owner.subscription.empty;
    this.#reached = new Reached(this.#inGroup);
    this.assignment = new Assignment(native, calls, paused, (message) => log.warn(message, this.names()));
    this.commits = new Commits(this, {
      autoCommit: config.commits && options.autoCommit !== false,
      files: config.commits && config.groupId === null,
      autoCommitInterval: options.autoCommitInterval ?? null,
      autoCommitThreshold: options.autoCommitThreshold ?? null,
    });
    this.#untilEnd = options.until === 'end';
    this.#runner = new Runner(this, options, retry, demand);
    this.#lagEvents = new LagEvents(this);
    this.events.emit('consumer.fetch_start', { nodeId: -1 });
  }

  /** Joins the group, or takes what was assigned; resolves with the first assignment, a crash, or `stop`. Never rejects. */
  async start(): Promise<void> {
    try {
      if (this.#rule || this.#connection.ruled) await this.setRule(this.#rule);
      if (this.#untilEnd) {
        this.#until = new Map(this.#owner.until ?? (await this.#ends()));
        this.#owner.onUntil(new Map(this.#until));
      }
      await (this.#inGroup ? this.#join() : this.#reads ? this.#read() : this.#take());
    } catch (error) {
      this.crash(toKafkaJSError(error));
    }
    await this.#joined;
    if (this.#until?.size === 0 || !this.#inGroup) this.#assigned = true;
    this.progress();
  }

  /** Where everything that it may read ends. */
  #ends(): Promise<Map<string, number>> {
    const { subscription, positions } = this.#owner;
    const wanted = (topic: string): boolean => subscription.has(topic) || positions.some((position) => position.topic === topic);
    const began = Date.now();
    return this.#ask(async () => {
      const all = await this.#listTopics();
      const missing = subscription.named.find((topic) => !all.has(topic));
      if (missing !== undefined && Date.now() - began < MISSING_MS) throw new KafkaJSError(`the brokers do not know ${missing}`, { retriable: true });
      const there = [...all].filter(([topic]) => wanted(topic));
      const unclear = there.find(([, count]) => count === NOT_KNOWN);
      if (unclear) throw new KafkaJSError(`the brokers do not know yet which partitions ${unclear[0]} has`, { retriable: true });
      // Of what is assigned only these: another partition may have no leader.
      const ours = ({ topic, partition }: TopicPartition): boolean =>
        subscription.has(topic) || positions.some((each) => each.topic === topic && (each.partition ?? partition) === partition);
      const places = there.flatMap(([topic, count]) => Array.from({ length: count }, (_, partition) => ({ topic, partition }))).filter(ours);
      const ends = await this.#endsOf(places, this.#config.readCommitted);
      return new Map(places.map((place, i) => [key(place), ends[i]!]));
    });
  }

  /** Where the partitions end that it has. */
  async #targets(readCommitted: boolean): Promise<Map<AssignedPartition, number>> {
    // A topic that was made a moment ago counts, too.
    if (this.#reads) await this.#ask(() => this.#look(true));
    return this.#ask(async () => {
      if (this.#away && !this.#stopping && !this.#crashed) await new Promise<void>((resolve) => this.#onDivided.push(resolve));
      const partitions = [...this.assignment].filter(({ gone }) => !gone);
      const ends = await this.#endsOf(partitions, readCommitted);
      return new Map(partitions.map((assigned, i) => [assigned, ends[i]!]));
    });
  }

  /** How far what it has is behind. */
  async lag(): Promise<PartitionLag[]> {
    const partitions = [...this.assignment].filter(({ gone }) => !gone);
    const ends = await this.#endsOf(partitions, this.#config.readCommitted);
    return partitions.map((assigned, i) => lagOf(assigned, ends[i]!));
  }

  async #endsOf(places: readonly TopicPartition[], readCommitted: boolean): Promise<number[]> {
    if (places.length === 0) return [];
    return this.calls.start<number[]>((id) =>
      this.native.ends(
        id,
        places.map(({ topic }) => topic),
        places.map(({ partition }) => partition),
        readCommitted,
        ENDS_MS,
      ),
    );
  }

  /** Asks until there is an answer: while a leader moves, or is not there, there is none. */
  async #ask<T>(question: () => Promise<T>): Promise<T> {
    let tell = Date.now() + ASKING_MS;
    for (;;) {
      if (this.#stopping || this.#crashed) throw stopped();
      try {
        return await question();
      } catch (error) {
        if (this.#stopping || this.#crashed) throw stopped();
        const { retriable, code } = error as KafkaError;
        if (!retriable && code !== 'ETIMEDOUT') throw error;
        if (Date.now() >= tell) {
          tell = Infinity;
          this.log.warn(`It is not known where partitions end, and asked again: ${(error as Error).message}`, this.names());
        }
      }
      await pause(ASK_AGAIN_MS);
    }
  }

  /** Resolves when everything is processed that lies in its partitions now. */
  async caughtUp(signal: AbortSignal | undefined): Promise<void> {
    if (this.#runner.handled.inside)
      throw new KafkaJSNonRetriableError(
        'Consumer.caughtUp: a handler waits for itself; call it when the handler has ended: setImmediate(() => consumer.caughtUp())',
      );
    await this.reachEnds(signal, false);
  }

  /**
   * The same, for whose handler waits for nobody. Resolves with the number of partitions.
   *
   * @param readCommitted only up to where the first open transaction begins
   */
  async reachEnds(signal: AbortSignal | undefined, readCommitted: boolean): Promise<number> {
    signal?.throwIfAborted();
    await unlessAborted(signal, this.#joined);
    if (this.#stopping || this.#crashed) throw stopped();
    const targets = await unlessAborted(signal, (readCommitted ? this.#stableEnds : this.#highEnds).next());
    if (this.#stopping || this.#crashed) throw stopped();
    const reached = this.#reached.wait(new Map(targets), signal);
    if (this.#inGroup && !this.#away) this.#reached.divided(this.#current); // what came back before this waited
    await reached;
    return targets.size;
  }

  progress(): void {
    this.#reached.look();
    const until = this.#until;
    if (!until || this.#ended || !this.#assigned || this.#stopping || this.#crashed) return;
    const isBehind = (assigned: AssignedPartition): boolean => !assigned.gone && processed(assigned) < (until.get(key(assigned)) ?? -1);
    if (this.#behind && isBehind(this.#behind)) return;
    this.#behind = undefined;
    for (const assigned of this.assignment) if (isBehind(assigned)) return void (this.#behind = assigned);
    if (this.#reads && [...until].some(([name, end]) => end > 0 && !this.assignment.has(name))) return void this.#findMissing(until);
    this.#ended = true;
    this.#owner.onReached();
  }

  /** A broker that is behind does not know a topic yet, or it was deleted meanwhile. */
  async #findMissing(until: Map<string, number>): Promise<void> {
    if (this.#finding) return;
    this.#finding = true;
    try {
      await pause(ASK_AGAIN_MS);
      await this.#ask(() => this.#look(true));
      const there = await this.#ask(() => this.#listTopics());
      for (const name of until.keys()) {
        const [topic, partition] = name.split('/');
        if (Number(partition) >= (there.get(topic!) ?? 0)) until.delete(name);
      }
    } catch (error) {
      return this.crash(toKafkaJSError(error as Error));
    } finally {
      this.#finding = false;
    }
    this.progress();
  }

  async #take(): Promise<void> {
    const { topics, partitions, offsets } = await resolvePositions(this.calls, this.native, this.#owner.positions);
    if (this.#stopping || this.#crashed) return;
    const places = new Map(this.#owner.places?.map((place) => [key(place), place.offset]));
    const begins = offsets.map((offset, i) => (offset === STORED ? offset : (places.get(key({ topic: topics[i]!, partition: partitions[i]! })) ?? offset)));
    this.#placed = new Map(begins.map((begin, i) => [key({ topic: topics[i]!, partition: partitions[i]! }), begin]));
    await this.calls.start<void>((id) => this.native.assign(id, topics, partitions, begins));
    this.#begun = true;
    this.#onJoined();
    void this.#tellMissing();
  }

  /** librdkafka waits for a partition that does not exist, and says nothing. */
  async #tellMissing(): Promise<void> {
    const named = this.#owner.positions.flatMap(({ topic, partition }) => (partition === undefined ? [] : [{ topic, partition }]));
    for (const [topic, wanted] of partitionsByTopic(named)) {
      const there = await this.calls
        .start<number[]>((id) => this.native.partitionsOf(id, topic, TELL_MS))
        .catch(({ code }: KafkaError) => (code === 'UNKNOWN_TOPIC_OR_PART' ? [] : wanted));
      if (this.#stopping || this.#crashed) return;
      const partitions = wanted.filter((partition) => !there.includes(partition));
      if (partitions.length > 0) this.log.warn('Assigned partitions do not exist: they are read once they do', { topic, partitions });
    }
  }

  /** Resolves when it is settled where each partition begins. */
  async #read(): Promise<void> {
    await this.#look();
    if (this.#stopping || this.#crashed) return;
    this.#begun = true;
    this.#onJoined();
    this.#watchTopics();
  }

  async #join(): Promise<void> {
    const { subscription } = this.#owner;
    const { patternsOnly, needsTopics, beginsAtEnds, empty } = subscription;
    // Without a topic librdkafka does not join: it waits until there is one. Asked for before subscribing, which may make topics.
    // The broker of KIP-848 does not tell that a topic is not there.
    const silent = patternsOnly || this.#config.assigner === '';
    const wanted =
      silent || needsTopics || (beginsAtEnds && !subscription.existing) || (this.#config.createsTopics && subscription.named.length > ASKED_SINGLY);
    const existing = !empty && wanted ? await this.#listTopics() : new Map<string, number>();
    if (this.#stopping || this.#crashed) return;
    if (beginsAtEnds) subscription.existing ??= new Map([...existing].filter(([topic]) => subscription.has(topic)));
    // New ones only: in librdkafka a topic that was asked about begins at its begin, whatever the subscription says.
    const missing = subscription.named.filter((topic) => !existing.has(topic) && !subscription.existing?.has(topic));
    if (this.#config.createsTopics) await Promise.all(missing.map((topic) => this.#makeTopic(topic)));
    if (this.#stopping || this.#crashed) return;
    await this.#subscribe(existing.keys());
    if (empty) this.log.warn('Nothing is subscribed to: this consumer gets nothing', { groupId: this.#config.groupId });
    if (silent && ![...existing.keys()].some((topic) => subscription.has(topic))) this.#onJoined();
    this.#watchTopics();
  }

  /** A topic that is asked for is made, where the brokers do that; the first assignment has its partitions then. */
  async #makeTopic(topic: string): Promise<void> {
    const end = Date.now() + MISSING_MS;
    for (;;) {
      try {
        return void (await this.calls.start<number[]>((id) => this.native.partitionsOf(id, topic, CALL_MS)));
      } catch (error) {
        // Other errors are heard of when the topic is subscribed to.
        if (!IN_THE_MAKING.has((error as KafkaError).code) || Date.now() >= end || this.#stopping || this.#crashed) return;
      }
      await pause(ASK_AGAIN_MS);
    }
  }

  /** Where librdkafka does not find them itself. */
  #watchTopics(): void {
    if (!this.#owner.subscription.needsTopics || this.#stopping || this.#crashed) return;
    this.#watch = setInterval(this.#lookAgain, this.#config.metadataMaxAge);
  }

  async #listTopics(): Promise<Map<string, number>> {
    const { topics, counts } = await this.calls.start<NativeTopics>((id) => this.native.listTopics(id, CALL_MS));
    const { subscription } = this.#owner;
    const all = topics.map((topic, i): [string, number] => [topic, counts[i]!]).filter(([topic]) => subscription.takes(topic));
    // Two answers with the same topics are the same.
    return new Map(all.sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  async #subscribe(there: Iterable<string>, anyway = false): Promise<void> {
    const { subscription } = this.#owner;
    const { topics, earliest, from } = subscription.list(there);
    if (this.#reads) return this.#readTopics(topics, from, anyway);
    if (!anyway && topics.join() === this.#subscribed?.join()) return;
    this.#subscribed = topics;
    const { existing = new Map<string, number>() } = subscription;
    await this.calls.start<void>((id) => this.native.subscribe(id, topics, earliest, [...existing.keys()], [...existing.values()]));
  }

  async #readTopics(wanted: string[], from: number[], anyway: boolean): Promise<void> {
    const { subscription, places: left } = this.#owner;
    const before = this.#subscribed;
    // A broker that is behind takes nothing back; what a crash left goes on where it was.
    const kept = before ?? new Set(left?.map(({ topic }) => topic));
    const topics = [...new Set([...wanted, ...kept])];
    if (!anyway && topics.length === before?.length) return this.#underWay;
    this.#subscribed = topics;
    const places = left ?? subscription.places;
    // Topics that a pattern finds later are new, as are topics that have come since a crash.
    const ids = topics.map((topic) => left?.find((place) => place.topic === topic)?.id ?? '');
    const begins = topics.map((topic, i) => (i >= wanted.length || left || (before && !before.includes(topic)) ? BEGIN : from[i]!));
    this.#underWay = this.calls.start<void>((id) =>
      this.native.read(
        id,
        topics,
        begins,
        ids,
        places.map(({ topic }) => topic),
        places.map(({ partition }) => partition),
        places.map(({ offset }) => offset),
      ),
    );
    try {
      await this.#underWay;
    } catch (error) {
      if (this.#subscribed === topics) this.#subscribed = before;
      throw error;
    }
  }

  /** Looks for topics that are new. @param now also where nothing is new to us: librdkafka may know of more */
  async #look(now = false): Promise<void> {
    const there = this.#owner.subscription.needsTopics ? await this.#listTopics() : new Map<string, number>();
    if (!this.#stopping && !this.#crashed) await this.#subscribe(there.keys(), now);
  }

  readonly #lookAgain = (): void => {
    this.#look().catch((error: Error) => this.log.warn(`Topics could not be looked up, it is tried again: ${error.message}`));
  };

  /** Group, member and generation, in the words of KafkaJS's events. */
  names(): { groupId: string | null; memberId: string; groupGenerationId: number } {
    return { groupId: this.#config.groupId, memberId: this.#memberId, groupGenerationId: this.#generation };
  }

  addLag({ topics }: Statistics): void {
    for (const assigned of this.assignment) {
      const figures = topics[assigned.topic]?.partitions[assigned.partition];
      if (!figures || figures.consumer_lag >= 0) continue;
      const [end, at] = [this.#config.readCommitted ? figures.ls_offset : figures.hi_offset, processed(assigned)];
      if (end >= 0 && at >= 0) figures.consumer_lag = Math.max(0, end - at);
    }
  }

  /** It has ended by itself, and another may follow. */
  get crashed(): boolean {
    return this.#crashed;
  }

  /** It is settled where each partition begins. */
  get begun(): boolean {
    return this.#begun;
  }

  /** Nothing starts any more, and whoever runs the consumer is told; once. */
  readonly crash = (error: Error): void => {
    if (this.#crashed || this.#stopping) return;
    this.#crashed = true;
    this.#runner.running = false;
    this.#onJoined();
    this.#endWaits(error);
    this.#owner.onCrash(error);
  };

  #endWaits(error: Error): void {
    this.#reached.end(error);
    for (const go of this.#onDivided.splice(0)) go();
  }

  /** An error that librdkafka raises on its own; it ends the session if it cannot heal. */
  error(error: KafkaError): void {
    const cure = this.#cure(error);
    if (cure !== undefined && !error.fatal) return this.#waits(error, cure);
    const fatal = error.fatal || UNHEALABLE.has(error.code);
    if (fatal) return this.crash(toKafkaJSError(error));
    this.log.warn(`${error.code}: ${error.message}`, this.names());
    // A topic that is not there: the member waits for it.
    if (UNKNOWN_TOPICS.has(error.code)) this.#onJoined();
  }

  /** Why the group does not let it in yet, and what helps; undefined for what does not heal by itself. */
  #cure({ code }: KafkaError): string | undefined {
    switch (code) {
      case 'INCONSISTENT_GROUP_PROTOCOL':
        return (
          `The group has members of another protocol: none of their partition assigners is '${this.#config.assigner || 'consumer'}'. This consumer keeps trying, and ` +
          "joins when the last of them has left. For a move without a gap let all members have one of partitionAssigners in common, or groupProtocol 'consumer'"
        );
      case 'GROUP_MAX_SIZE_REACHED':
        return (
          'The group has as many members as it may have. This consumer keeps trying, and joins when another leaves. Run fewer members, or let the broker ' +
          "have more: group.max.size, and group.consumer.max.size for groupProtocol 'consumer'"
        );
      case 'UNRELEASED_INSTANCE_ID':
        return (
          'Another member of the group has the groupInstanceId of this one. This consumer keeps trying, and joins when the other has been disconnected, or was ' +
          'silent for the session timeout of the group. If both are to run, give each a groupInstanceId of its own'
        );
    }
    return undefined;
  }

  /** librdkafka asks to be let in once a second, and tells the first refusal: to a program that is what KafkaJS calls a crash. */
  #waits(refusal: KafkaError, cure: string): void {
    const { groupId } = this.#config;
    const error = toKafkaJSError(refusal);
    error.message = `${cure} (${refusal.message})`;
    this.log.error(error.message, { groupId });
    this.events.emit('consumer.crash', { error, groupId, restart: true });
    this.#onJoined();
  }

  batch(id: number, bytes: Uint8Array): void {
    const packed = new PackedBatch(id, bytes, this.#own);
    this.native.started(id);
    if (this.events.listened('consumer.fetch') || this.events.listened('consumer.fetch_start')) {
      this.events.emit('consumer.fetch', { numberOfBatches: packed.runCount, duration: Date.now() - this.#fetchBegan, nodeId: -1 });
      this.#fetchBegan = Date.now();
      this.events.emit('consumer.fetch_start', { nodeId: -1 });
    }
    for (const run of packed.runs()) {
      const { index } = run;
      const assigned = this.assignment.byId(run.topicId, run.partition);
      if (assigned === undefined || assigned.epoch !== run.epoch || assigned.gone || !this.#runner.running || this.#tooHigh(assigned, run.next)) {
        this.native.free(id, index);
        continue;
      }
      if (assigned.begin < 0) assigned.begin = run.firstOffset;
      if (assigned.next < 0) assigned.next = run.firstOffset;
      if (assigned.paused) {
        // told before librdkafka knew
        this.native.free(id, index);
        continue;
      }
      assigned.heard = true;
      const end = this.#until?.get(key(assigned));
      if (end !== undefined && !run.endAt(end)) {
        this.native.free(id, index);
        assigned.told = Math.max(assigned.told, end);
        this.progress();
        continue;
      }
      assigned.runs.push(run);
      this.#runner.offer(assigned);
    }
  }

  /** Behind what was told of the partition there are only transaction markers, and what a rule leaves out, up to this offset. */
  advanced(topicId: number, partition: number, epoch: number, offset: number): void {
    const assigned = this.assignment.byId(topicId, partition);
    if (!assigned || assigned.epoch !== epoch || this.#tooHigh(assigned, offset)) return;
    // Before any message: that is where it begins, also when it is paused.
    if (assigned.begins < 0 && assigned.begin < 0) assigned.begins = offset;
    if (this.#letsGo(assigned)) return;
    const { delivery, runs } = assigned;
    // Runs that a handler still has from before the partition was moved do not count.
    const last = delivery?.stale && runs.length === delivery.count ? undefined : runs.at(-1);
    if (last) {
      last.next = Math.max(last.next, offset);
    } else if (offset > assigned.next) {
      assigned.next = assigned.resolved = offset;
      this.commits.auto();
    }
    this.progress();
  }

  /** Everything below the offset was told, and there is no more. */
  end(topicId: number, partition: number, epoch: number, offset: number): void {
    const assigned = this.assignment.byId(topicId, partition);
    if (!assigned || assigned.epoch !== epoch || this.#letsGo(assigned)) return;
    assigned.told = offset;
    assigned.heard = true;
    this.progress();
  }

  /** Messages were deleted before they were read. */
  lost(topicId: number, partition: number, from: number, to: number): void {
    const topic = this.assignment.byId(topicId, partition)?.topic;
    if (topic !== undefined) this.events.emit('consumer.offsets_lost', { groupId: this.#config.groupId, topic, partition, from: String(from), to: String(to) });
  }

  /** Whether messages of the partition are thrown away now: then news of a place behind them says nothing. */
  #letsGo({ gone, paused }: AssignedPartition): boolean {
    return gone || paused || !this.#runner.running;
  }

  /** A number says 2^53 and what follows it in the same way: progress could not be told. */
  #tooHigh({ topic, partition }: TopicPartition, next: number): boolean {
    if (next <= Number.MAX_SAFE_INTEGER) return false;
    this.crash(new KafkaJSNonRetriableError(`${topic}/${partition} has offsets from 2^53 on, which this client cannot read: copy the topic to a new one`));
    return true;
  }

  /** A handler has taken the memory of what waits. */
  fetchAgain(assigned: AssignedPartition): void {
    if (!this.#own)
      this.log.warn(
        'A handler transferred the memory of a batch away. The rest of it is fetched again, and from now on keys, values and headers are copies',
        this.names(),
      );
    this.#own = true;
    this.assignment.fetchAgain(assigned);
  }

  /** Which messages are told; resolves with where that begins. */
  async setRule(rule: NativeRule | undefined): Promise<TopicOffset[]> {
    this.#connection.ruled ||= rule !== undefined;
    // Below these nothing is fetched again: what decided there can be forgotten.
    const processed = [...this.assignment].filter(({ gone, next }) => !gone && next >= 0);
    const { topics, partitions, offsets } = await this.calls.start<NativePlaces>((id) =>
      this.native.setRule(
        id,
        rule,
        processed.map(({ topic }) => topic),
        processed.map(({ partition }) => partition),
        processed.map(({ next }) => next),
      ),
    );
    return topics.map((topic, i) => ({ topic, partition: partitions[i]!, offset: offsets[i]! }));
  }

  seek(topic: string, partition: number, offset: number): void {
    const assigned = this.assignment.seek(topic, partition, offset);
    if (!assigned || offset < 0) return;
    // The group goes on there, too, should this member die now.
    assigned.resolved = offset;
    this.commits.auto();
  }

  pause(topics: readonly { topic: string; partitions?: number[] }[]): void {
    this.assignment.pause(topics);
  }

  resume(topics: readonly { topic: string; partitions?: number[] }[]): void {
    for (const assigned of this.assignment.resume(topics)) this.#runner.offer(assigned);
  }

  /**
   * Waits for the handlers, commits, leaves the group.
   *
   * @param close ends the client, which leaves by itself; a static member keeps its place then
   */
  async stop(close?: () => Promise<void>): Promise<void> {
    this.#stopping = true;
    this.#onJoined();
    this.#endWaits(stopped());
    clearInterval(this.#watch);
    this.#lagEvents.end();
    const warning = setTimeout(() => {
      this.log.warn(
        `The consumer stops, and has waited for ${STOP_WARNING_MS} ms for handlers that still run: ${this.#busy()}. A handler that awaits stop() or ` +
          'disconnect() waits for itself: call it without await; or give it a timeout, after which handlers are left behind',
        this.names(),
      );
    }, STOP_WARNING_MS);
    await Promise.race([this.#runner.stop(), this.#leftBehind]);
    clearTimeout(warning);
    this.assignment.end();
    await this.commits.flush(LAST_COMMIT_MS);
    this.#flushed = true;
    if (this.#begun && !this.#inGroup)
      this.places = [...this.assignment].map((assigned) => {
        const { topic, partition } = assigned;
        return { topic, partition, offset: whereOf(assigned), id: (this.#reads && this.native.topicId(topic)) || '' };
      });
    for (const assigned of this.assignment) if (!assigned.delivery) this.assignment.drop(assigned, 0);
    try {
      await (close ?? this.#leave)();
    } finally {
      clearInterval(this.#heartbeats);
    }
  }

  /** Messages that handlers still have when the program's patience is over come again, here or at another member. */
  leaveHandlersBehind(timeout: number): void {
    const busy = this.#busy();
    if (busy) this.log.warn(`Handlers that still run after ${timeout} ms are left behind, their messages come again: ${busy}`, this.names());
    this.#onLeftBehind();
  }

  #busy(): string {
    return [...this.assignment]
      .filter(({ delivery }) => delivery)
      .map(({ topic, partition, next }) => `${topic}/${partition} at offset ${next}`)
      .join(', ');
  }

  readonly #leave = async (): Promise<void> => {
    // Leaving takes the partitions away: the hook hears of it, and may commit. Answered when that is through and the coordinator has
    // said that this consumer is out; or when the time for that is over.
    await this.calls.start<void>((id) => (this.#inGroup ? this.native.subscribe(id, [], [], [], []) : this.native.assign(id, [], [], [])));
    if (!this.#inGroup || this.assignment.size === 0) await this.#rebalancing;
  };

  rebalance(rebalance: NativeRebalance): void {
    // At once: nothing of what goes is started or taken in any more, whatever is worked off before.
    const go = rebalance.kind === 'assign' ? [] : this.#known(rebalance);
    if (this.#inGroup) this.#assigned = false;
    if (this.#inGroup && rebalance.kind !== 'assign') this.#away = true;
    for (const assigned of go) this.#goes(assigned, rebalance);
    // A topic that was made anew comes right behind this, under the same name.
    if (!this.#inGroup) {
      for (const assigned of go) {
        this.assignment.remove(assigned);
        this.#until?.delete(key(assigned));
      }
    }
    this.#reached.look();
    // Without a group nobody waits for the hook: the first messages come behind this.
    const taken = rebalance.kind === 'assign' && !this.#inGroup ? this.#taken(rebalance) : [];
    this.#rebalancing = this.#rebalancing
      .then(() => (rebalance.kind === 'assign' ? this.#assign(rebalance, taken) : this.#takeAway(rebalance, this.#inGroup ? this.#known(rebalance) : go)))
      .catch((error: unknown) => this.crash(error as Error));
  }

  #goes(assigned: AssignedPartition, { kind }: NativeRebalance): void {
    assigned.gone = true;
    assigned.lost = kind === 'lost';
    if (assigned.lost && this.#reads) this.#lost.add(key(assigned));
  }

  #known({ topicIds, partitions }: NativeRebalance): AssignedPartition[] {
    return topicIds.flatMap((topicId, i) => this.assignment.byId(topicId, partitions[i]!) ?? []);
  }

  /** Partitions that `assign` brought: librdkafka fetches them already, handlers wait for the hook. */
  #taken(rebalance: NativeRebalance): AssignedPartition[] {
    const come = this.#come(rebalance);
    this.#begun = true; // a handler can crash before the answer comes
    // Behind whatever was committed of the old topic, whose handler did not know: the file is of the new one.
    this.commits.begin(come.filter((assigned) => this.#lost.delete(key(assigned))));
    for (const assigned of come) {
      this.assignment.add(assigned, (waiting) => this.#runner.offer(waiting));
      assigned.waits++;
      assigned.begins = this.#placed.get(key(assigned)) ?? BEGIN;
      const sought = this.assignment.takeSeek(assigned.topic, assigned.partition);
      if (sought !== UNKNOWN) this.seek(assigned.topic, assigned.partition, sought);
    }
    return come;
  }

  #come({ topics, topicIds, partitions, epochs }: NativeRebalance): AssignedPartition[] {
    return topics.map((topic, i) => new AssignedPartition(topic, partitions[i]!, topicIds[i]!, epochs[i]!));
  }

  async #assign(rebalance: NativeRebalance, taken: AssignedPartition[]): Promise<void> {
    const { topics, partitions } = rebalance;
    // A member that keeps all it has hears of a rebalance when it is over.
    if (this.#member && this.#rebalanceBegan === undefined) this.#rebalances([]);
    this.#memberId = rebalance.memberId;
    this.#generation = rebalance.generation;
    // Of the topics that a session read before that crashed, others have the names now.
    const others = new Set(this.#reads ? this.#owner.places?.filter(({ topic, id }) => id && (this.native.topicId(topic) ?? id) !== id).map(key) : []);
    const lost = taken.filter((assigned) => others.has(key(assigned)));
    for (const assigned of lost) this.#until?.delete(key(assigned));
    if (lost.length > 0) await this.#hook('onPartitionsLost', this.#config.hooks.lost, lost);
    if (topics.length > 0)
      await this.#hook(
        'onPartitionsAssigned',
        this.#config.hooks.assign,
        topics.map((topic, i) => ({ topic, partition: partitions[i]! })),
      );
    const begins = await this.#begins(rebalance);
    const come = this.#inGroup ? this.#come(rebalance) : taken;
    if (this.#inGroup) {
      const offsets = come.map((assigned, i) => {
        this.assignment.add(assigned, (waiting) => this.#runner.offer(waiting));
        const sought = this.assignment.takeSeek(assigned.topic, assigned.partition);
        if (sought >= 0) assigned.next = sought;
        return sought === UNKNOWN ? begins[i]! : sought;
      });
      this.native.rebalanced(rebalance.id, offsets);
    } else {
      for (const assigned of come) {
        assigned.waits--;
        this.#runner.offer(assigned);
      }
    }
    const foreign = !this.#inGroup ? [] : come.filter(({ topic }) => !this.#owner.subscription.has(topic));
    if (foreign.length > 0) this.#leaveOut(foreign);
    this.assignment.pauseNative(come.filter(({ paused }) => paused));
    this.assignment.resumeNative(come);
    for (const assigned of this.assignment) assigned.failures = 0;
    this.#onJoined();
    if (!this.#inGroup) return;
    this.#divided();
    const payload = {
      groupId: this.#config.groupId,
      memberId: this.#memberId,
      leaderId: '',
      isLeader: false,
      memberAssignment: this.assignment.byTopic(),
      groupProtocol: this.#config.assigner,
      duration: Date.now() - (this.#rebalanceBegan ?? Date.now()),
    };
    this.#rebalanceBegan = undefined;
    this.events.emit('consumer.group_join', payload);
    this.#groupLog.info('Consumer has joined the group', payload);
    this.#member = true;
    this.#heartbeats ??= setInterval(() => this.#member && this.events.emit('consumer.heartbeat', this.names()), this.#config.heartbeatInterval);
  }

  /**
   * Where partitions begin of which the group has no offset; UNKNOWN leaves it to librdkafka, which would ask for the group's
   * offsets by itself, but lets 100 ms pass before it looks for the begin of a partition that has none.
   */
  async #begins({ topics, partitions }: NativeRebalance): Promise<number[]> {
    const unknown = topics.map(() => UNKNOWN);
    if (!this.#inGroup || topics.length === 0) return unknown;
    try {
      const committed = await this.calls.start<number[]>((id) => this.native.committed(id, topics, partitions, COMMITTED_MS));
      return committed.map((offset, i) => (offset >= 0 ? UNKNOWN : this.#owner.subscription.begin(topics[i]!, partitions[i]!)));
    } catch {
      return unknown; // librdkafka tries on, and tells why it cannot
    }
  }

  /** Leaves out partitions of topics that this member never asked for: a leader of another kind gave them. */
  #leaveOut(foreign: AssignedPartition[]): void {
    const topicsNotSubscribed = [...new Set(foreign.map(({ topic }) => topic))];
    const assignedTopics = Object.keys(this.assignment.byTopic());
    const payload = {
      groupId: this.#config.groupId,
      generationId: this.#generation,
      memberId: this.#memberId,
      assignedTopics,
      topicsSubscribed: assignedTopics.filter((topic) => !topicsNotSubscribed.includes(topic)),
      topicsNotSubscribed,
    };
    this.assignment.pauseNative(foreign);
    for (const assigned of foreign) this.assignment.remove(assigned);
    this.events.emit('consumer.received_unsubscribed_topics', payload);
    this.#groupLog.warn('The group gave this consumer topics that it has not subscribed to; they are left out', payload);
  }

  async #takeAway(rebalance: NativeRebalance, go: AssignedPartition[]): Promise<void> {
    const { kind, topics, partitions } = rebalance;
    for (const assigned of go) this.#goes(assigned, rebalance);
    if (kind === 'lost') this.#member = false;
    this.#rebalances(topics.map((topic, i) => `${topic}/${partitions[i]}`));
    const these = topics.map((topic, i) => ({ topic, partition: partitions[i]! }));
    if (kind === 'revoke') {
      await this.#handlersOf(go);
      // `stop` has done that already.
      if (!this.#flushed) await this.commits.flush(this.#config.rebalanceTimeout - this.#patience, go);
      await this.#hook('onPartitionsRevoked', this.#config.hooks.revoke, these);
    } else {
      await this.#hook('onPartitionsLost', this.#config.hooks.lost, these);
    }
    if (this.#inGroup) for (const assigned of go) this.assignment.remove(assigned);
    this.native.rebalanced(rebalance.id, null);
    // Of a cooperative group what is left is what it has; otherwise all is divided anew.
    if (kind === 'revoke' && rebalance.protocol === 'COOPERATIVE') this.#divided();
  }

  /** @param go the partitions that leave this member */
  #rebalances(go: string[]): void {
    this.#rebalanceBegan = Date.now();
    if (this.#stopping || !this.#inGroup) return;
    this.events.emit('consumer.rebalancing', { groupId: this.#config.groupId, memberId: this.#memberId });
    this.#runner.log.warn('The group is rebalancing', { ...this.names(), partitions: go });
  }

  readonly #current = ({ topic, partition }: AssignedPartition): AssignedPartition | undefined => this.assignment.find(topic, partition);

  /** The assignment is known again. */
  #divided(): void {
    this.#assigned = true;
    this.#away = false;
    this.#reached.divided(this.#current);
    for (const go of this.#onDivided.splice(0)) go();
    this.progress();
  }

  /** Milliseconds that a rebalance waits for handlers: as long as the group waits for this member, less some time to commit. */
  get #patience(): number {
    return this.#config.rebalanceTimeout * 0.8;
  }

  /** Waits for the handlers that have these partitions, unless they are left behind. */
  async #handlersOf(partitions: AssignedPartition[]): Promise<void> {
    const busy = partitions.filter(({ delivery }) => delivery);
    if (busy.length === 0) return;
    const patience = this.#patience;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        const names = busy.filter(({ delivery }) => delivery).map(({ topic, partition }) => `${topic}/${partition}`);
        this.log.warn(
          `Handlers of partitions that go to other members still run after ${patience} ms (rebalanceTimeout), and are not waited for: their messages come again there`,
          { ...this.names(), partitions: names },
        );
        resolve();
      }, patience);
    });
    const idle = Promise.all(busy.map((assigned) => new Promise<void>((resolve) => assigned.whenIdle(resolve))));
    await Promise.race([idle, late, this.#leftBehind]);
    clearTimeout(timer);
  }

  async #hook(name: string, hook: ((partitions: TopicPartitions[]) => unknown) | undefined, partitions: TopicPartition[]): Promise<void> {
    if (!hook) return;
    const topics = new Map<string, number[]>();
    for (const { topic, partition } of partitions) topics.set(topic, [...(topics.get(topic) ?? []), partition]);
    try {
      await hook([...topics].map(([topic, list]) => ({ topic, partitions: list })));
    } catch (error) {
      this.log.error(`${name} failed; the rebalance goes on: ${(error as Error)?.message}`, { stack: (error as Error)?.stack });
    }
  }
}

/** Where it goes on. */
function whereOf({ next, told, begins }: AssignedPartition): number {
  return next !== UNKNOWN ? next : told >= 0 ? told : begins;
}

function key({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

/** Rejects with the signal's reason at once. @internal */
export async function unlessAborted<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  if (!signal) return work;
  let onAbort!: () => void;
  const aborted = new Promise<never>((_, reject) => (onAbort = () => reject(signal.reason as Error)));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function stopped(): Error {
  return new KafkaJSNonRetriableError('Consumer.caughtUp: the consumer has stopped meanwhile');
}

/** Of the broker's answers to joining, fetching and committing: what stays as it is until somebody changes something. */
const UNHEALABLE = new Set([
  '_AUTHENTICATION',
  '_SSL',
  'SASL_AUTHENTICATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'TOPIC_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'INVALID_GROUP_ID',
  'INVALID_SESSION_TIMEOUT',
  'FENCED_INSTANCE_ID',
  'UNSUPPORTED_VERSION',
  'UNSUPPORTED_ASSIGNOR',
  'INVALID_REGULAR_EXPRESSION',
]);
/** Told of a topic while the brokers make it. */
const IN_THE_MAKING = new Set(['UNKNOWN_TOPIC_OR_PART', 'LEADER_NOT_AVAILABLE']);
const UNKNOWN_TOPICS = new Set(['UNKNOWN_TOPIC_OR_PART', '_UNKNOWN_TOPIC', '_UNKNOWN_PARTITION']);
