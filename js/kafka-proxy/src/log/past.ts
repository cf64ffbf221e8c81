// Messages below the tails of the logs: read by a few consumers, each leased for one read.

import type { Batch, Kafka } from 'kafka-native';
import { Page, type Cache } from './page';
import type { PartitionLog } from './partition-log';
import { within } from '../within';

/** Pages from an offset on. */
export interface Answer {
  pages: Page[];
  /** The offset behind them. Without pages: up to here there is no message. */
  next: number;
  /** Below this offset retention has deleted what was asked for. */
  deleted: number;
}

type Waiting = (answer: Answer | Error) => void;

interface Question {
  log: PartitionLog;
  offset: number;
  waiting: Set<Waiting>;
}

interface Options {
  kafka: Kafka;
  cache: Cache;
  /** How many consumers there may be. */
  most: number;
  /** Where the partition's log begins now. */
  low(log: PartitionLog): Promise<number>;
}

/** Bytes of a read. */
const READ = 1024 * 1024;
/** Bytes that a consumer fetches ahead. */
const AHEAD = 8 * 1024 * 1024;
/** Milliseconds that a read waits for a broker; then others have their turn. */
const PATIENCE = 5000;
/** Milliseconds that a broker waits for messages: whoever is turned to another place waits for the last answer of the old one. */
const WAIT = 10;
/** Milliseconds that a read waits for more when it has something. */
const MORE = 20;
/** Milliseconds after which a consumer that nobody needs is ended. */
const IDLE = 15_000;
/** Milliseconds before a read that failed is tried again. */
const AGAIN = 500;

export class Past {
  readonly #options: Options;
  readonly #readers = new Set<PastReader>();
  /** In the order in which they came; each log and offset once. */
  readonly #questions: Question[] = [];
  readonly #asked = new Map<PartitionLog, Map<number, Question>>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #closed = false;

  constructor(options: Options) {
    this.#options = options;
  }

  /**
   * Asks for what is there from an offset below the log's tail. `then` is called once, later, with at least one page, or a `next` behind the
   * offset; with an error when the log has ended. The returned function takes the question back.
   */
  ask(log: PartitionLog, offset: number, then: Waiting): () => void {
    let of = this.#asked.get(log);
    if (!of) this.#asked.set(log, (of = new Map()));
    let question = of.get(offset);
    if (!question) {
      question = { log, offset, waiting: new Set() };
      of.set(offset, question);
      this.#questions.push(question);
      queueMicrotask(() => this.#serve());
    }
    const { waiting } = question;
    waiting.add(then);
    return () => waiting.delete(then);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    await Promise.all(Array.from(this.#readers, (reader) => reader.close()));
  }

  #serve(): void {
    for (let i = 0; i < this.#questions.length && !this.#closed; ) {
      const question = this.#questions[i]!;
      if (question.waiting.size === 0 || question.log.ended) {
        this.#questions.splice(i, 1);
        this.#answer(question, new Error('the log has ended'));
        continue;
      }
      const reader = this.#readerFor(question);
      if (!reader) return;
      this.#questions.splice(i, 1);
      void this.#read(reader, question);
    }
  }

  #readerFor({ log, offset }: Question): PastReader | undefined {
    const idle = [...this.#readers].filter((each) => !each.busy);
    const goesOn = idle.find((each) => each.log === log && each.next === offset);
    if (goesOn) return goesOn;
    if (this.#readers.size < this.#options.most) {
      const made = new PastReader(this.#options, () => this.#readers.delete(made));
      this.#readers.add(made);
      return made;
    }
    return idle.sort((a, b) => a.since - b.since)[0];
  }

  /** Never rejects. */
  async #read(reader: PastReader, question: Question): Promise<void> {
    let answer: Answer | undefined;
    try {
      answer = await reader.read(question.log, question.offset);
    } catch {
      // A broker is away, or slow: others have their turn first.
    }
    if (this.#closed) return;
    if (answer && !question.log.ended) {
      question.log.keep(answer.pages);
      this.#answer(question, answer);
    } else {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        this.#questions.push(question);
        this.#serve();
      }, AGAIN);
      this.#timers.add(timer);
    }
    this.#serve();
  }

  #answer(question: Question, answer: Answer | Error): void {
    const of = this.#asked.get(question.log);
    of?.delete(question.offset);
    if (of?.size === 0) this.#asked.delete(question.log);
    for (const then of question.waiting) then(answer);
    question.waiting.clear();
  }
}

/** One consumer. */
class PastReader {
  readonly #options: Options;
  readonly #consumer: ReturnType<Kafka['consumer']>;
  readonly #onClose: () => void;
  log: PartitionLog | undefined;
  /** Where it goes on without a turn. */
  next = -1;
  /** When it was used last. */
  since = 0;
  busy = false;
  #batches: AsyncGenerator<Batch, void, void> | undefined;
  /** The batch that was asked for, and has not come yet. */
  #coming: Promise<IteratorResult<Batch, void>> | undefined;
  #abort = new AbortController();
  /** Everything below this offset is read when the batches end by themselves. */
  #end = 0;
  #idle: NodeJS.Timeout | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: Options, onClose: () => void) {
    this.#options = options;
    this.#onClose = onClose;
    this.#consumer = options.kafka.consumer({ groupId: null, maxBufferedBytes: AHEAD, maxBytesPerPartition: READ, maxWaitTimeInMs: WAIT });
  }

  /** Rejects when no broker answers: then it is closed. */
  async read(log: PartitionLog, offset: number): Promise<Answer> {
    this.busy = true;
    clearTimeout(this.#idle);
    try {
      if (!this.#batches || this.log !== log || this.next !== offset) await within(PATIENCE, () => this.#turn(log, offset));
      return await this.#read(log, offset);
    } catch (error) {
      void this.close();
      throw error;
    } finally {
      this.since = performance.now();
      this.busy = this.#closed !== undefined;
      if (!this.busy) this.#idle = setTimeout(() => void this.close(), IDLE).unref();
    }
  }

  async #read(log: PartitionLog, offset: number): Promise<Answer> {
    const pages: Page[] = [];
    let bytes = 0;
    let gap = false;
    let next = offset;
    while (bytes < READ && next < log.begin) {
      this.#coming ??= this.#batches!.next();
      const coming = this.#coming;
      const come = await within(pages.length > 0 ? MORE : PATIENCE, () => coming).catch((error: unknown) => {
        // It goes on where this read ends.
        if (pages.length === 0) throw error;
      });
      if (!come) break;
      this.#coming = undefined;
      if (come.done) {
        this.#batches = undefined;
        // The rest are transaction markers, and what compaction took away.
        if (this.#end > next) [gap, next] = [true, this.#end];
        break;
      }
      const batch = come.value;
      const end = Number(batch.lastOffset()) + 1;
      if (end <= next) continue;
      const page = new Page(this.#options.cache, batch, next, end, 0);
      gap ||= page.first > next;
      next = page.next;
      bytes += page.bytes;
      pages.push(page);
    }
    this.next = next;
    // It has joined the tail.
    if (next >= log.begin) await within(PATIENCE, () => this.#halt());
    const deleted = gap ? await this.#options.low(log) : 0;
    for (const page of pages) page.deleted = deleted;
    return { pages, next, deleted };
  }

  async #turn(log: PartitionLog, offset: number): Promise<void> {
    await this.#halt();
    const { topic, partition } = log;
    const { signal } = (this.#abort = new AbortController());
    await this.#consumer.assign([{ topic, partition, offset: String(offset) }]);
    // A consumer that reads behind its end connects anew, and nobody ends it.
    if (this.#closed) throw new Error('the reader is closed');
    this.log = log;
    this.next = offset;
    // The tail begins below the last stable offset, and so below where these batches end.
    this.#end = log.begin;
    this.#batches = this.#consumer.batches({ until: 'end', signal });
  }

  async #halt(): Promise<void> {
    const batches = this.#batches;
    this.#batches = this.#coming = undefined;
    this.#abort.abort();
    await batches?.return();
  }

  /** Never rejects. */
  close(): Promise<void> {
    return (this.#closed ??= (async () => {
      clearTimeout(this.#idle);
      this.busy = true;
      this.#onClose();
      this.#coming?.catch(() => {});
      // Calls that wait for a broker end with the client.
      await Promise.allSettled([this.#halt(), this.#consumer.disconnect()]);
    })());
  }
}
