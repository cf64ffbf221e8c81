import { BEGIN, END, UNKNOWN } from '../../logical';
import { toPosix } from './topic-pattern';

export interface ConsumerSubscribeTopic {
  topic: string | RegExp;
  /**
   * Where a partition begins of which the group has no offset, or one that the log does not have: at the log's begin, or its end.
   * Default false, which is for what there is when `run` is called: a topic that is made later, and a partition that is added, begins
   * at its first message.
   */
  fromBeginning?: boolean;
}
export interface ConsumerSubscribeTopics {
  topics: (string | RegExp)[];
  fromBeginning?: boolean;
}

interface Pattern {
  regexp: RegExp;
  /** What librdkafka follows by itself; undefined: we look the topics up. */
  posix: string | undefined;
  fromBeginning: boolean;
}

/** The topics and patterns that a consumer is subscribed to. @internal */
export class Subscription {
  /** What there was of it when the program called `run`, where that was looked up: topics, with how many partitions they had. */
  existing: ReadonlyMap<string, number> | undefined;
  readonly #names = new Map<string, boolean>();
  readonly #patterns: Pattern[] = [];

  add(topic: string | RegExp, fromBeginning: boolean): void {
    if (typeof topic === 'string') this.#names.set(topic, fromBeginning);
    else this.#patterns.push({ regexp: new RegExp(topic.source, topic.flags.replace(/[gy]/g, '')), posix: toPosix(topic), fromBeginning });
  }

  get empty(): boolean {
    return this.#names.size === 0 && this.#patterns.length === 0;
  }

  /** Whether no topic is subscribed to by its name. */
  get patternsOnly(): boolean {
    return this.#names.size === 0;
  }

  /** Whether {@link list} has to know the topics: a pattern has no POSIX form. */
  get needsTopics(): boolean {
    return this.#patterns.some(({ posix }) => posix === undefined);
  }

  /** Whether a topic begins at its end: then it counts whether it is older than `run`. */
  get beginsAtEnds(): boolean {
    return [...this.#names.values(), ...this.#patterns.map(({ fromBeginning }) => fromBeginning)].includes(false);
  }

  has(topic: string): boolean {
    return this.#names.has(topic) || this.#patterns.some(({ regexp }) => regexp.test(topic));
  }

  /**
   * Where a partition begins of which the group has no offset: the begin or the end of its log; one that is younger than `run` at its
   * begin. UNKNOWN for a topic that is none of these.
   */
  begin(topic: string, partition: number): number {
    const fromBeginning = this.#names.get(topic) ?? this.#patterns.find(({ regexp }) => regexp.test(topic))?.fromBeginning;
    const whole = fromBeginning || (this.existing && partition >= (this.existing.get(topic) ?? 0));
    return fromBeginning === undefined ? UNKNOWN : whole ? BEGIN : END;
  }

  /** As librdkafka takes it. @param existing the topics of the cluster, if it {@link needsTopics} */
  list(existing: Iterable<string>): { topics: string[]; earliest: boolean[] } {
    const found = new Map(this.#names);
    for (const { regexp, posix, fromBeginning } of this.#patterns) {
      if (posix !== undefined) found.set(posix, fromBeginning);
      else for (const topic of existing) if (regexp.test(topic) && !found.has(topic)) found.set(topic, fromBeginning);
    }
    return { topics: [...found.keys()], earliest: [...found.values()] };
  }
}
