import { setImmediate as turn } from 'node:timers/promises';
import type { Room } from 'socket.io-adapter';
import type { Batch, ConsumerConfig, Kafka, KafkaAdmin, KafkaConsumer, KafkaMessage } from 'kafka-native';
import { Header } from '../record';
import { within } from '../within';
import { Ring, type Entry } from './ring';

export interface PastOptions {
  kafka: Kafka;
  consumer: Omit<ConsumerConfig, 'groupId'>;
  /** The log. */
  topic: string;
  /** Of the packets that one pass keeps. */
  maxBytes: number;
  /** Milliseconds: nobody has missed what is older. */
  window: number;
  /** Of each pass: undefined for a record that clients do not miss. Must not throw. */
  reading(): (message: KafkaMessage, partition: number) => Entry | undefined;
}

/** Packets of one namespace that a client has missed, between two offsets. */
export interface Missed {
  namespace: string;
  partition: number;
  after: number;
  before: number;
  rooms: ReadonlySet<Room>;
}

interface Waiting extends Missed {
  /** Milliseconds since 1970: it came. */
  at: number;
  resolve(entries: Entry[]): void;
  reject(error: Error): void;
}

/** Then those who wait begin anew. */
const PASS_MS = 10_000;
/** So many clients have their packets in one turn of the event loop: to each they are written in the same turn. */
const A_TURN = 20;

/**
 * Reads packets from the log for which the ring had no room. A pass over a partition is for all clients that wait when it begins: after an
 * outage that is everybody. Passes go one after another.
 */
export class Past {
  readonly #options: PastOptions;
  readonly #abort = new AbortController();
  #waiting: Waiting[] = [];
  #reading: Promise<void> | undefined;
  readonly #endings = new Set<Promise<unknown>>();

  constructor(options: PastOptions) {
    this.#options = options;
  }

  /** In the log's order. @throws Error where the log lacks some, there are too many of them, or that takes too long */
  read(missed: Missed): Promise<Entry[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...missed, at: Date.now(), resolve, reject });
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
        await this.#answer(partition, pass, await this.#pass(partition, pass));
      } catch (error) {
        for (const { reject } of pass) reject(error as Error);
      }
    }
    this.#reading = undefined;
  }

  /** Each client for itself: one that has missed too much is nobody else's loss. */
  async #answer(partition: number, pass: Waiting[], { ring, begin }: { ring: Ring; begin: number }): Promise<void> {
    for (const [i, { namespace, after, before, rooms, resolve, reject }] of pass.entries()) {
      if (i % A_TURN === A_TURN - 1) await turn();
      const entries = ring.after(namespace, partition, after, rooms);
      if (after + 1 < begin) reject(new Error('the log has lost them: give it a longer retention'));
      else if (!entries) reject(new Error('they have more bytes than maxRecoveryBytes'));
      else resolve(entries.filter(({ offset }) => offset < before));
    }
  }

  /** @returns the packets, as far back as there is room, and the offset from which on the log has all */
  async #pass(partition: number, pass: Waiting[]): Promise<{ ring: Ring; begin: number }> {
    const { kafka, consumer: given } = this.#options;
    const consumer = kafka.consumer({ readUncommitted: true, maxMessagesPerBatch: 100, ...given, groupId: null });
    const admin = kafka.admin();
    let fail!: (error: Error) => void;
    const failed = new Promise<never>((_, reject) => (fail = reject));
    const onAbort = (): void => fail(new Error('the server closes'));
    this.#abort.signal.addEventListener('abort', onAbort);
    consumer.on(consumer.events.OFFSETS_LOST, () => fail(new Error('the log loses records as they are read')));
    try {
      return await within(PASS_MS, Promise.race([this.#fetch(consumer, admin, partition, pass), failed]));
    } finally {
      this.#abort.signal.removeEventListener('abort', onAbort);
      // Nobody waits for that but a server that closes.
      const ending = Promise.allSettled([consumer.disconnect({ timeout: 0 }), admin.disconnect()]).finally(() => this.#endings.delete(ending));
      this.#endings.add(ending);
    }
  }

  async #fetch(consumer: KafkaConsumer, admin: KafkaAdmin, partition: number, pass: Waiting[]): Promise<{ ring: Ring; begin: number }> {
    const { topic, maxBytes, reading } = this.#options;
    await Promise.all([consumer.connect(), admin.connect()]);
    const { begin, since } = await this.#begin(admin, partition, pass);
    const ring = new Ring();
    const entryOf = reading();
    const wanted = new Map<string, Set<Room>>();
    for (const { namespace, rooms } of pass) wanted.set(namespace, new Set([...(wanted.get(namespace) ?? []), ...rooms]));
    const eachBatch = async ({ batch }: { batch: Batch }): Promise<void> => {
      for (const message of batch.messages) {
        const entry = entryOf(message, partition);
        const rooms = entry && wanted.get(entry.namespace);
        if (!rooms || (entry.rooms.length > 0 && !entry.rooms.some((room) => rooms.has(room)))) continue;
        ring.add(entry);
        while (ring.bytes > maxBytes && ring.evict());
      }
    };
    await consumer.assign([{ topic, partition, offset: String(since) }]);
    // An answer is for one server, a packet for all.
    await consumer.run({ until: 'end', only: { all: [{ key: [...wanted.keys()] }, { header: Header.To, absent: true }] }, eachBatch });
    return { ring, begin };
  }

  /** Nobody has missed what is older than the window, and quiet clients have old places. */
  async #begin(admin: KafkaAdmin, partition: number, pass: Waiting[]): Promise<{ begin: number; since: number }> {
    const { topic, window } = this.#options;
    const came = Math.min(...pass.map(({ at }) => at));
    const [lows, sinces] = await Promise.all([
      admin.fetchTopicOffsets(topic, { timeout: PASS_MS }),
      admin.fetchTopicOffsetsByTimestamp(topic, came - window, { timeout: PASS_MS }),
    ]);
    const low = Number(lows.find((each) => each.partition === partition)?.low);
    const since = Number(sinces.find((each) => each.partition === partition)?.offset);
    const first = Math.min(...pass.map(({ after }) => after)) + 1;
    // That the log has something older shows that it has all since then.
    return { begin: low < since ? 0 : low, since: Math.max(first, since) };
  }

  /** Whoever waits is rejected. Resolves when its clients have ended. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#reading;
    await Promise.all(this.#endings);
  }
}
