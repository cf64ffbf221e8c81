import { BEGIN, END, UNKNOWN } from '../../logical';
import { integerOf } from '../../numbers';
import { describe } from '../../options';
import { KafkaJSNonRetriableError } from '../errors';
import { toPosix } from './topic-pattern';

export interface ConsumerSubscribeTopic {
  topic: string | RegExp;
  /**
   * Where a partition begins of which the group has no offset, or one that the log does not have: at the log's begin, or its end.
   * Default false, which is for what there is when `run` is called: a topic that is made later, and a partition that is added, begins
   * at its first message.
   */
  fromBeginning?: boolean;
  /** Without a group: where reading begins. */
  from?: ReadStart;
}
export interface ConsumerSubscribeTopics {
  topics: (string | RegExp)[];
  fromBeginning?: boolean;
  /** Without a group: where reading begins. */
  from?: ReadStart;
}

/**
 * Where a consumer without a group begins to read what there is when it runs: `'end'` (the default), `'beginning'`, at the first message
 * that is not older than a Date or milliseconds since 1970, or at offsets: `{ clicks: { 0: '42', 1: 'end' } }`, or `{ 0: '42', 1: 'end' }` of
 * each topic that is named, where a partition that is not named begins with its first message. Partitions made later begin with their first
 * message in any case.
 */
export type ReadStart = 'beginning' | 'end' | number | Date | Record<number, string | number> | Record<string, Record<number, string | number>>;

/** Where a partition begins. @internal */
export interface Place {
  topic: string;
  partition: number;
  offset: number;
  /** Of the topic that was read; '': not known. */
  id?: string;
}

/** The same, checked. @internal */
export interface Start {
  /** BEGIN, END, or milliseconds since 1970. */
  from: number;
  /** Topic '': each that is named. */
  places: Place[];
}

/** @internal */
export function readStart(given: unknown): Start {
  const refused = (): Error =>
    new KafkaJSNonRetriableError(
      `Consumer.subscribe: from must be 'beginning', 'end', a Date or milliseconds since 1970, or offsets as { topic: { 0: '42' } }, got ${describe(given)}`,
    );
  if (given === 'beginning' || given === 'end') return { from: given === 'end' ? END : BEGIN, places: [] };
  if (typeof given === 'number' || given instanceof Date) {
    const from = Number(given);
    if (!(Number.isInteger(from) && from >= 0)) throw refused();
    return { from, places: [] };
  }
  if (typeof given !== 'object' || given === null) throw refused();
  const entries = Object.entries(given);
  const ofEach = entries.length > 0 && entries.every(([, offset]) => typeof offset !== 'object');
  const places = (ofEach ? [['', given] as const] : entries).flatMap(([topic, partitions]) => {
    if (typeof partitions !== 'object' || partitions === null) throw refused();
    return Object.entries(partitions as Record<string, unknown>).map(([partition, offset]) => {
      const at = offset === 'beginning' ? BEGIN : offset === 'end' ? END : integerOf(offset);
      if (!/^\d{1,9}$/.test(partition) || at === undefined || at < BEGIN) throw refused();
      return { topic, partition: Number(partition), offset: at };
    });
  });
  return { from: BEGIN, places };
}

/** Where what a subscription names begins: with and without a group. */
interface Begin {
  fromBeginning: boolean;
  /** BEGIN, END, or milliseconds since 1970. */
  from: number;
}

interface Pattern extends Begin {
  regexp: RegExp;
  /** The expression that librdkafka follows by itself; undefined: we look the topics up. */
  posix: string | undefined;
}

/** Kafka's own topics: no pattern finds them. */
const INTERNAL = ['__consumer_offsets', '__transaction_state', '__share_group_state'];

/** The topics and patterns that a consumer is subscribed to. @internal */
export class Subscription {
  /** Its topics that existed when the program called `run`, where that was looked up, with how many partitions they had. */
  existing: ReadonlyMap<string, number> | undefined;
  /** Without a group: offsets at which partitions begin. */
  readonly places: Place[] = [];
  readonly #names = new Map<string, Begin>();
  readonly #patterns: Pattern[] = [];

  /** @param start without a group */
  add(topic: string | RegExp, fromBeginning: boolean, start?: Start): void {
    const { from, places } = start ?? { from: END, places: [] };
    if (typeof topic !== 'string' && places.some((place) => place.topic === ''))
      throw new KafkaJSNonRetriableError("Consumer.subscribe: offsets of a pattern need its topics: { topic: { 0: '42' } }");
    const begin = { fromBeginning, from };
    if (typeof topic === 'string') this.#names.set(topic, begin);
    else {
      const regexp = new RegExp(topic.source, topic.flags.replace(/[gy]/g, ''));
      // In a group librdkafka would read Kafka's own topics, too: each commit as a message, whose commit is a message.
      const follows = start !== undefined || !INTERNAL.some((name) => regexp.test(name));
      this.#patterns.push({ regexp, posix: follows ? toPosix(topic) : undefined, ...begin });
    }
    for (const place of places) {
      if (typeof topic === 'string' && (place.topic === '' || place.topic === topic)) this.places.push({ ...place, topic });
      else if (typeof topic !== 'string' && this.#patterns.at(-1)!.regexp.test(place.topic)) this.places.push(place);
    }
  }

  get empty(): boolean {
    return this.#names.size === 0 && this.#patterns.length === 0;
  }

  /** Whether no topic is subscribed to by its name. */
  get patternsOnly(): boolean {
    return this.#names.size === 0;
  }

  /** Whether {@link list} has to know the topics: a pattern cannot be left to librdkafka. */
  get needsTopics(): boolean {
    return this.#patterns.some(({ posix }) => posix === undefined);
  }

  /** Whether a topic begins at its end: then it counts whether it is older than `run`. */
  get beginsAtEnds(): boolean {
    return [...this.#names.values(), ...this.#patterns].some(({ fromBeginning }) => !fromBeginning);
  }

  /** The topics that are subscribed to by their names. */
  get named(): string[] {
    return [...this.#names.keys()];
  }

  /** Kafka's own topics are taken by their names only. */
  takes(topic: string): boolean {
    return !INTERNAL.includes(topic) || this.#names.has(topic);
  }

  has(topic: string): boolean {
    return this.#names.has(topic) || this.#patterns.some(({ regexp }) => regexp.test(topic));
  }

  /**
   * Where a partition begins of which the group has no offset: the begin or the end of its log; one that is younger than `run` at its
   * begin. UNKNOWN for a topic that is none of these.
   */
  begin(topic: string, partition: number): number {
    const begin = this.#names.get(topic) ?? this.#patterns.find(({ regexp }) => regexp.test(topic));
    if (!begin) return UNKNOWN;
    return begin.fromBeginning || (this.existing && partition >= (this.existing.get(topic) ?? 0)) ? BEGIN : END;
  }

  /** As librdkafka takes it. @param existing the topics of the cluster, if it {@link needsTopics} */
  list(existing: Iterable<string>): { topics: string[]; earliest: boolean[]; from: number[] } {
    const found = new Map(this.#names);
    for (const pattern of this.#patterns) {
      if (pattern.posix !== undefined) found.set(pattern.posix, pattern);
      else for (const topic of existing) if (pattern.regexp.test(topic) && !found.has(topic)) found.set(topic, pattern);
    }
    const begins = [...found.values()];
    return { topics: [...found.keys()], earliest: begins.map(({ fromBeginning }) => fromBeginning), from: begins.map(({ from }) => from) };
  }
}
