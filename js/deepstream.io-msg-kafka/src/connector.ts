import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { inspect } from 'node:util';
import type { Logger } from 'kafka-native';
import type { KafkaAdmin, KafkaMessage, KafkaProducer } from 'kafka-native';
import { kafkaTopic } from './connector/names';
import { Places } from './connector/places';
import { Reader, type Feed } from './connector/reader';
import { readOptions, type ReadOptions, type SharedOptions } from './options';
import { LARGEST_RECORD, Outbox, producerConfig } from './outbox';
import { Troubles } from './troubles';
import { within } from './within';

/** Of the message connector: those of kafka-native's `Kafka`, too. */
export interface MessageConnectorOptions extends SharedOptions {
  /** `host:port` of Kafka's brokers, several separated by commas. */
  connectionString: string;
  /** The identity of this server: messages with the same one are its own, and are not heard. Default: random. */
  clientId?: string | number | null;
}

export type MessageCallback = (message: any) => unknown;

const { name, version } = require('../package.json') as { name: string; version: string };

/** Milliseconds for what waits when it is closed. */
const FLUSH_MS = 5000;
/** The same for its clients. */
const END_MS = 2000;
const RETRY_MS = 1000;

/** A deepstream topic that was published to, or subscribed to. */
interface Sending {
  outbox: Outbox;
  /** Resolves when the topic is there, or nothing is sent any more. */
  opened: Promise<unknown>;
  /** Why nothing more is sent. */
  broken?: Error;
}

interface Listening extends Feed {
  callbacks: MessageCallback[];
  reading: Promise<void>;
}

/**
 * The message connector of deepstream 2 and 3: one Kafka topic a deepstream topic, whose messages every other connector gets.
 *
 * Events: `ready`; `close`; `error` with a string, as ever, and the Error behind it as a second argument. An error that nobody listens to goes to the
 * logger.
 */
export class MessageConnector extends EventEmitter {
  readonly name = name;
  readonly version = version;
  /** Whether Kafka has answered. Publications and subscriptions from before wait for it. */
  isReady = false;

  readonly #clientId: string | number;
  readonly #header: string;
  readonly #options: ReadOptions;
  readonly #logger: Logger;
  readonly #admin: KafkaAdmin;
  readonly #places: Places;
  readonly #producer: KafkaProducer;
  readonly #reader: Reader;
  readonly #sending = new Map<string, Sending>();
  readonly #listening = new Map<string, Listening>();
  readonly #connected: Promise<void>;
  #closing: Promise<void> | undefined;
  /** Nothing is sent any more. */
  #ended = false;
  #onEnded!: () => void;
  readonly #whenEnded = new Promise<void>((resolve) => (this.#onEnded = resolve));
  readonly #troubles = new Troubles();

  /**
   * @throws TypeError, RangeError or URIError that names the option: `connectionString` must be text with brokers
   */
  constructor(options: MessageConnectorOptions) {
    super();
    if (typeof options?.connectionString !== 'string')
      throw new TypeError(`deepstream.io-msg-kafka: the option connectionString is missing: give the brokers as text, such as 'localhost:9092'`);
    this.#logger = options.logger ?? console;
    this.#options = readOptions(options, this.#logger);
    this.#clientId = options.clientId || randomBytes(12).toString('hex');
    this.#header = JSON.stringify(this.#clientId);
    const { kafka, producer } = this.#options;
    this.#admin = kafka.admin();
    this.#places = new Places(this.#admin, this.#options);
    this.#producer = kafka.producer(producerConfig(producer));
    this.#reader = new Reader(this.#options, { not: { header: 'from', is: this.#header } }, (error) =>
      this.#tell(`read ${error.message}`, error.message, error),
    );
    this.#connected = this.#connect();
  }

  /**
   * Sends a message to every other connector that is subscribed. It is written down in this call; what the caller changes later does not matter. While
   * Kafka is away messages wait, in order, up to `maxQueuedBytes`: beyond that an `error` says so, and nothing more is sent on that topic.
   *
   * @throws TypeError for what has no form as JSON, RangeError for more than 16 MiB; then nothing is sent
   */
  publish(topic: string, message: unknown): void {
    checkTopic(topic);
    const data = toJSON(message);
    const value = `{"data":${data},"_s":${this.#header}}`;
    const bytes = Buffer.byteLength(value) + 1000;
    if (bytes > LARGEST_RECORD)
      throw new RangeError(`deepstream.io-msg-kafka: a message of ${bytes} bytes is too large, at most ${LARGEST_RECORD} go through Kafka`);
    if (this.#closing) return this.#tell('closed', `a message for ${inspect(topic)} was published after close(): it is not sent`);
    const sending = this.#send(topic);
    if (!sending.broken && this.#queued() + bytes > this.#options.maxQueuedBytes)
      sending.broken = new Error(`more than ${this.#options.maxQueuedBytes} bytes (maxQueuedBytes) wait for Kafka`);
    if (sending.broken)
      return this.#tell(
        `broken ${topic}`,
        `nothing more is sent on the topic ${inspect(topic)}, close this connector and make a new one: ${sending.broken.message}`,
        sending.broken,
      );
    const name = kafkaTopic(topic);
    const headers: Record<string, string> = { from: this.#header };
    if (name.length === 249) headers.topic = topic;
    // Version 0.1.2 reads no other partition.
    sending.outbox.add({ topic: name, key: '', value, headers, partition: 0 });
  }

  /**
   * Calls the callback with each message of the others, as often as it was subscribed. A topic that exists is read from its end as of this call, one
   * that does not is made, and read from its beginning.
   *
   * @returns resolves when that is settled, or the subscription is over; never rejects. A step that cannot be taken yet is an `error`, and tried again.
   */
  subscribe(topic: string, callback: MessageCallback): Promise<void> {
    checkTopic(topic);
    if (typeof callback !== 'function') throw new TypeError(`deepstream.io-msg-kafka: a callback must be a function, got ${inspect(callback)}`);
    if (this.#closing) {
      this.#tell('closed', `the topic ${inspect(topic)} was subscribed to after close(): nothing is heard`);
      return Promise.resolve();
    }
    const listening = this.#listening.get(topic) ?? this.#listen(topic);
    listening.callbacks.push(callback);
    return listening.reading;
  }

  /** From now on the callback is not called; one that was subscribed more than once is called once less. With the last one the topic is left. */
  unsubscribe(topic: string, callback: MessageCallback): void {
    checkTopic(topic);
    const listening = this.#listening.get(topic);
    const index = listening?.callbacks.lastIndexOf(callback) ?? -1;
    if (!listening || index < 0) return;
    listening.callbacks.splice(index, 1);
    if (listening.callbacks.length > 0) return;
    this.#listening.delete(topic);
    this.#reader.remove(kafkaTopic(topic), listening);
    listening.onReading();
  }

  /** Hears nothing more, sends what waits, for 5 s at most, and ends. Resolves, with the event `close`, also where Kafka does not answer. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #connect(): Promise<void> {
    while (!this.#ended) {
      try {
        await Promise.all([this.#admin.connect(), this.#producer.connect()]);
        break;
      } catch (error) {
        if (this.#ended) return;
        this.#tell('connect', `Kafka (${this.#options.where}) cannot be reached yet: ${(error as Error).message}`, error as Error);
        await this.#pause();
      }
    }
    if (this.#closing) return;
    this.isReady = true;
    this.#emit('ready');
  }

  async #close(): Promise<void> {
    this.isReady = false;
    for (const listening of this.#listening.values()) listening.onReading();
    this.#listening.clear();
    const flushed = [...this.#sending.values()].map(({ opened, outbox }) => opened.then(() => outbox.flushed(FLUSH_MS)));
    await Promise.all([within(END_MS, this.#reader.stop()), within(FLUSH_MS, Promise.all(flushed))]);
    this.#ended = true;
    this.#onEnded();
    const bytes = this.#queued();
    if (bytes > 0) this.#tell('lost', `closed with ${bytes} bytes of messages that Kafka has not taken: they are lost`);
    await within(END_MS, Promise.allSettled([this.#producer.disconnect({ timeout: 0 }), this.#admin.disconnect(), this.#connected]));
    this.#emit('close');
  }

  #queued(): number {
    let bytes = 0;
    for (const { outbox } of this.#sending.values()) bytes += outbox.bytes;
    return bytes;
  }

  #send(topic: string): Sending {
    const found = this.#sending.get(topic);
    if (found) return found;
    const onBroken = (reason: Error): void => {
      sending.broken = reason;
      if (!this.#ended) this.#tell(`broken ${topic}`, `the topic ${inspect(topic)}: ${reason.message}`, reason);
    };
    const onTooLarge = (_: unknown, { message }: Error): void =>
      this.#tell(
        `large ${topic}`,
        `a message of the topic ${inspect(topic)} is left out: ${message}; max.message.bytes of ${kafkaTopic(topic)} says how large one may be`,
      );
    const make = (): Promise<void> =>
      this.#prepare(
        topic,
        () => !this.#ended,
        async (name) => void (await this.#places.make(name)),
      );
    // The producer learns of the new topic a moment after it is made.
    const onMissing = (): Promise<void> => make().then(() => this.#pause());
    const outbox = new Outbox({ maxBytes: Infinity, onTooLarge, onMissing, onBroken });
    const opened = make().then(() => outbox.open(this.#producer));
    const sending: Sending = { outbox, opened };
    this.#sending.set(topic, sending);
    return sending;
  }

  #listen(topic: string): Listening {
    let onReading!: () => void;
    const reading = new Promise<void>((resolve) => (onReading = resolve));
    const onMessage = (message: KafkaMessage, partition: number): void => this.#onMessage(topic, listening, message, partition);
    const listening: Listening = { callbacks: [], reading, place: {}, onMessage, onReading };
    this.#listening.set(topic, listening);
    const wanted = (): boolean => this.#listening.get(topic) === listening;
    const time = Date.now();
    void this.#prepare(topic, wanted, async (name) => {
      listening.place = await this.#places.endOf(name, time);
      if (wanted()) this.#reader.add(name, listening);
    });
    return listening;
  }

  /** Does it with Kafka's topic, until that has worked once or is not wanted any more. Never rejects. */
  async #prepare(topic: string, wanted: () => boolean, work: (name: string) => Promise<void>): Promise<void> {
    await this.#connected;
    while (wanted()) {
      try {
        return await work(kafkaTopic(topic));
      } catch (error) {
        if (!wanted()) return;
        this.#tell(`prepare ${topic}`, `the topic ${inspect(topic)} cannot be used yet: ${(error as Error).message}`, error as Error);
        await this.#pause();
      }
    }
  }

  #onMessage(topic: string, { callbacks }: Listening, { value, headers, offset }: KafkaMessage, partition: number): void {
    let message: { data?: unknown; _s?: unknown } | null;
    try {
      message = JSON.parse(value?.toString() ?? '') as typeof message;
      if (typeof message !== 'object' || message === null || Array.isArray(message)) throw new Error('it is no object with data and _s');
    } catch (error) {
      const where = `${kafkaTopic(topic)}/${partition}: the message at offset ${offset}`;
      return this.#tell(`unreadable ${topic}`, `${where} cannot be read, and is left out: ${(error as Error).message}`, error as Error);
    }
    // Version 0.1.2 writes no header.
    if (message._s === this.#clientId) return;
    if (headers?.topic !== undefined && String(headers.topic) !== Buffer.from(topic).toString()) return;
    for (const callback of [...callbacks]) {
      // One before it may have unsubscribed it.
      if (!callbacks.includes(callback)) continue;
      try {
        const result = callback(message.data) as Promise<unknown> | undefined;
        if (typeof result?.then === 'function') result.then(undefined, (error: unknown) => this.#failed(topic, error));
      } catch (error) {
        this.#failed(topic, error);
      }
    }
  }

  #failed(topic: string, error: unknown): void {
    this.#tell(`callback ${topic}`, `a callback of the topic ${inspect(topic)} has thrown: ${error instanceof Error ? error.message : inspect(error)}`, error);
  }

  /** As an `error` event, or else to the logger; one of a kind in ten seconds, with the number of the others. */
  #tell(kind: string, text: string, cause?: unknown): void {
    this.#troubles.tell(kind, text, (told) => {
      const message = `deepstream.io-msg-kafka: ${told}`;
      if (this.listenerCount('error') > 0) this.#emit('error', message, cause instanceof Error ? cause : new Error(message));
      else this.#log(message);
    });
  }

  /** A listener that throws ends nothing here. */
  #emit(event: string, ...args: unknown[]): void {
    try {
      this.emit(event, ...args);
    } catch (error) {
      this.#log(`deepstream.io-msg-kafka: a listener of '${event}' has thrown: ${error instanceof Error ? error.stack : inspect(error)}`);
    }
  }

  #log(message: string): void {
    try {
      this.#logger.error?.(message);
    } catch {
      // A logger that throws has nobody to tell.
    }
  }

  /** Ends early when this is closed. */
  async #pause(): Promise<void> {
    await within(RETRY_MS, this.#whenEnded);
  }
}

function checkTopic(topic: unknown): asserts topic is string {
  if (typeof topic !== 'string') throw new TypeError(`deepstream.io-msg-kafka: a topic must be text, got ${inspect(topic)}`);
}

function toJSON(message: unknown): string {
  let text: string | undefined;
  let cause: unknown;
  try {
    text = JSON.stringify(message);
  } catch (error) {
    cause = error;
  }
  if (text !== undefined) return text;
  const why = cause instanceof Error ? `: ${cause.message}` : '';
  throw new TypeError(`deepstream.io-msg-kafka: a message must have a form as JSON, got ${typeof message}${why}`, { cause });
}
