// Messages that Kafka has refused, sent apart from those of others.

import type { KafkaProducer } from 'kafka-native';
import type { Message } from 'kafka-native/kafkajs';
import { ProxyError } from './errors';

/** The fate of a message. */
export type Result = PromiseSettledResult<{ partition: number; baseOffset?: string }[]>;

/** The message was in a batch with one that Kafka refused. */
export const ANOTHER = '_INVALID_DIFFERENT_RECORD';
/** Kafka refuses a batch as a whole, and clients share batches: one message's fault, or that of all together, says nothing of each. */
const SHARED: ReadonlySet<string> = new Set([ANOTHER, 'INVALID_RECORD', 'INVALID_TIMESTAMP', 'MESSAGE_TOO_LARGE']);
/** One request has no more of the producer. */
const MOST_SENDS = 1000;

/** Each has its own answer; those of one turn of the event loop share a call into the addon. */
export function send(producer: KafkaProducer, topic: string, messages: readonly Message[]): Promise<Result[]> {
  return Promise.allSettled(messages.map((message) => producer.send({ topic, messages: [message] })));
}

/** With a producer of its own, for one request at a time: a batch never has messages of two. */
export class Apart {
  readonly #producer: () => Promise<KafkaProducer>;
  #last: Promise<unknown> = Promise.resolve();

  constructor(producer: () => Promise<KafkaProducer>) {
    this.#producer = producer;
  }

  /**
   * Settles, in `results`, the messages of one request that were refused with others: by halves, until each is written or was refused alone.
   * Requests take turns, so that none waits for all of another's.
   */
  async settle(topic: string, messages: readonly Message[], results: Result[]): Promise<void> {
    const refused = (some: number[]): number[] => some.filter((i) => isShared(results[i]!));
    const first = refused([...messages.keys()]);
    const groups = first.length > 0 ? [first] : [];
    for (let sends = 0; sends < MOST_SENDS && groups.length > 0; sends++) {
      const group = groups.pop()!;
      const outcomes = await this.#turn(
        topic,
        group.map((i) => messages[i]!),
      ).catch(() => undefined);
      if (!outcomes) {
        // The proxy ends.
        groups.push(group);
        break;
      }
      outcomes.forEach((outcome, at) => (results[group[at]!] = outcome));
      const again = refused(group);
      if (again.length === 0 || group.length === 1) continue;
      const half = Math.ceil(again.length / 2);
      // The first half goes first.
      groups.push(...[again.slice(half), again.slice(0, half)].filter((some) => some.length > 0));
    }
    const reason = new ProxyError(
      ANOTHER,
      'Kafka has refused this message with others, and which is at fault was not found out: send fewer in one request.',
      true,
    );
    for (const i of groups.flat()) results[i] = { status: 'rejected', reason };
  }

  #turn(topic: string, messages: Message[]): Promise<Result[]> {
    const turn = this.#last.then(async () => send(await this.#producer(), topic, messages));
    this.#last = turn.catch(() => {});
    return turn;
  }
}

function isShared(result: Result): boolean {
  return result.status === 'rejected' && SHARED.has(ProxyError.of(result.reason).code);
}
