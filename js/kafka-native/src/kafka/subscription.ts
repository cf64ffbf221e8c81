import { Offsets } from '../codes';
import { UNKNOWN } from './assignment';
import { toPosix } from './topic-pattern';

export interface ConsumerSubscribeTopic {
  topic: string | RegExp;
  /** Where a partition begins of which the group has no offset, or one that the log does not have: at the log's begin, or its end. Default false. */
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

  /** Whether topics have to be looked up: a pattern has no POSIX form. */
  get watches(): boolean {
    return this.#patterns.some(({ posix }) => posix === undefined);
  }

  has(topic: string): boolean {
    return this.#names.has(topic) || this.#patterns.some(({ regexp }) => regexp.test(topic));
  }

  /** Where a partition of the topic begins of which the group has no offset: the begin or the end of its log; UNKNOWN for a topic that is none of these. */
  begin(topic: string): number {
    const fromBeginning = this.#names.get(topic) ?? this.#patterns.find(({ regexp }) => regexp.test(topic))?.fromBeginning;
    return fromBeginning === undefined ? UNKNOWN : fromBeginning ? Offsets.RD_KAFKA_OFFSET_BEGINNING : Offsets.RD_KAFKA_OFFSET_END;
  }

  /** As librdkafka takes it. @param existing the topics of the cluster, if it {@link watches} */
  list(existing: readonly string[]): { topics: string[]; earliest: boolean[] } {
    const found = new Map(this.#names);
    for (const { regexp, posix, fromBeginning } of this.#patterns) {
      if (posix !== undefined) found.set(posix, fromBeginning);
      else for (const topic of existing) if (regexp.test(topic) && !found.has(topic)) found.set(topic, fromBeginning);
    }
    return { topics: [...found.keys()], earliest: [...found.values()] };
  }
}
