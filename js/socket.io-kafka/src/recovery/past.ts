import type { ConsumerConfig, Kafka, KafkaAdmin, KafkaMessage } from 'kafka-native';
import { Header } from '../record';
import { within } from '../within';
import type { Entry } from './ring';

export interface PastOptions {
  kafka: Kafka;
  consumer: Omit<ConsumerConfig, 'groupId'>;
  /** The log. */
  topic: string;
  /** Of the packets that one pass keeps. */
  maxBytes: number;
  /** Milliseconds: nobody has missed what is older. */
  window: number;
  /** Undefined for what clients do not miss. Must not throw. */
  entryOf(message: KafkaMessage, partition: number): Entry | undefined;
}

/** What a client has missed: between two offsets, of one namespace. */
export interface Missed {
  namespace: string;
  partition: number;
  after: number;
  before: number;
  /** Whether it is for the client. */
  wants(entry: Entry): boolean;
}

interface Waiting extends Missed {
  entries: Entry[];
  resolve(entries: Entry[]): void;
  reject(error: Error): void;
}

/** Then the client begins anew. */
const PASS_MS = 10_000;

/**
 * Reads packets from the log for which the ring had no room. A pass over a partition is for all clients that wait when it begins: after an
 * outage that is everybody.
 */
export class Past {
  readonly #options: PastOptions;
  readonly #abort = new AbortController();
  #waiting: Waiting[] = [];
  #reading: Promise<void> | undefined;

  constructor(options: PastOptions) {
    this.#options = options;
  }

  /** In the log's order. @throws Error where the log lacks some, there are too many of them, or that takes too long */
  read(missed: Missed): Promise<Entry[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...missed, entries: [], resolve, reject });
      // Of one turn of the event loop all come back in one pass.
      this.#reading ??= Promise.resolve().then(() => this.#read());
    });
  }

  async #read(): Promise<void> {
    while (this.#waiting.length > 0) {
      const { partition } = this.#waiting[0]!;
      const isOfPass = (waiting: Waiting): boolean => waiting.partition === partition;
      const pass = this.#waiting.filter(isOfPass);
      this.#waiting = this.#waiting.filter((waiting) => !isOfPass(waiting));
      try {
        this.#abort.signal.throwIfAborted();
        await this.#pass(partition, pass);
        for (const { resolve, entries } of pass) resolve(entries);
      } catch (error) {
        for (const { reject } of pass) reject(error as Error);
      }
    }
    this.#reading = undefined;
  }

  async #pass(partition: number, pass: Waiting[]): Promise<void> {
    const { kafka, consumer: given, topic, maxBytes } = this.#options;
    const consumer = kafka.consumer({ readUncommitted: true, ...given, groupId: null });
    const admin = kafka.admin();
    let fail!: (error: Error) => void;
    const failed = new Promise<never>((_, reject) => (fail = reject));
    const onAbort = (): void => fail(new Error('the server closes'));
    this.#abort.signal.addEventListener('abort', onAbort);
    consumer.on(consumer.events.OFFSETS_LOST, () => fail(new Error('the log loses records as they are read')));
    const read = async (): Promise<void> => {
      await Promise.all([consumer.connect(), admin.connect()]);
      await consumer.assign([{ topic, partition, offset: await this.#begin(admin, partition, pass) }]);
      let bytes = 0;
      const eachMessage = async ({ message }: { message: KafkaMessage }): Promise<void> => {
        bytes += this.#take(message, partition, pass);
        if (bytes > maxBytes) fail(new Error('what clients have missed has more bytes than maxRecoveryBytes'));
      };
      const namespaces = [...new Set(pass.map(({ namespace }) => namespace))];
      // An answer is for one server, a packet for all.
      await consumer.run({ until: 'end', only: { all: [{ key: namespaces }, { header: Header.To, absent: true }] }, eachMessage });
    };
    try {
      await within(PASS_MS, Promise.race([read(), failed]));
    } finally {
      this.#abort.signal.removeEventListener('abort', onAbort);
      await Promise.allSettled([consumer.disconnect({ timeout: 0 }), admin.disconnect()]);
    }
  }

  /**
   * Where the first of the packets can be: nobody has missed what is older than the window, and quiet clients have old places.
   * @throws Error where the log has begun behind it
   */
  async #begin(admin: KafkaAdmin, partition: number, pass: Waiting[]): Promise<string> {
    const { topic, window } = this.#options;
    const [lows, sinces] = await Promise.all([
      admin.fetchTopicOffsets(topic, { timeout: PASS_MS }),
      admin.fetchTopicOffsetsByTimestamp(topic, Date.now() - window, { timeout: PASS_MS }),
    ]);
    const low = Number(lows.find((each) => each.partition === partition)?.low);
    const since = Number(sinces.find((each) => each.partition === partition)?.offset);
    const after = Math.min(...pass.map((waiting) => waiting.after)) + 1;
    // That the log has something older shows that it has all since then.
    if (!(low <= after || low < since)) throw new Error('the log has lost them: give it a longer retention');
    return String(Math.max(after, since));
  }

  /** How many bytes it takes, if somebody has missed it. */
  #take(message: KafkaMessage, partition: number, pass: Waiting[]): number {
    const offset = Number(message.offset);
    const takers = pass.filter(({ after, before }) => offset > after && offset < before);
    const entry = takers.length > 0 ? this.#options.entryOf(message, partition) : undefined;
    if (!entry) return 0;
    const those = takers.filter((waiting) => waiting.namespace === entry.namespace && waiting.wants(entry));
    for (const { entries } of those) entries.push(entry);
    return those.length > 0 ? entry.bytes : 0;
  }

  /** Whoever waits is rejected. Resolves when its clients have ended. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#reading;
  }
}
