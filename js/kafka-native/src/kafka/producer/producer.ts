import type { Writable } from 'node:stream';
import { now } from '../../clock';
import { integerOf } from '../../numbers';
import { describe, type Properties } from '../../options';
import { connectDeadline, type ClientContext } from '../client';
import { KafkaJSError, KafkaJSNonRetriableError, KafkaJSTimeout, toConnectError } from '../errors';
import {
  checkEvent,
  Instrumentation,
  type InstrumentationEvent,
  type RemoveInstrumentationEventListener,
  type RequestEvent,
  type RequestQueueSizeEvent,
  type RequestTimeoutEvent,
} from '../events';
import { Lane } from './lane';
import type { KafkaLogger } from '../logger';
import {
  checkTopic,
  CompressionTypes,
  copyOf,
  listOf,
  ownMessage,
  SEND,
  withHeaders,
  type Message,
  type ProducerBatch,
  type ProducerRecord,
  type RecordMetadata,
  type SendOptions,
} from './messages';
import { Outbox } from './outbox';
import { ownMethods } from '../own-methods';
import { checkMessages, type Packed } from './packer';
import { readProducerConfig, type ProducerConfig, type ReadProducerConfig } from './config';
import { producerStream, type ProducerStreamOptions } from './stream';
import type { Place, Topic } from './send';
import { trace, traced } from '../tracing';
import { Transaction, type KafkaTransaction } from './transaction';
import { LONGEST_TIMER, millisecondsOf } from '../given';

const events = {
  CONNECT: 'producer.connect',
  DISCONNECT: 'producer.disconnect',
  REQUEST: 'producer.network.request',
  REQUEST_TIMEOUT: 'producer.network.request_timeout',
  REQUEST_QUEUE_SIZE: 'producer.network.request_queue_size',
} as const;
export type ProducerEvents = typeof events;

export interface FlushOptions {
  /** Milliseconds; default: as long as it takes. */
  timeout?: number;
  signal?: AbortSignal;
}

/** librdkafka's names. */
const CODECS: Record<number, string> = {
  [CompressionTypes.None]: 'none',
  [CompressionTypes.GZIP]: 'gzip',
  [CompressionTypes.Snappy]: 'snappy',
  [CompressionTypes.LZ4]: 'lz4',
  [CompressionTypes.ZSTD]: 'zstd',
};
/** The key of the one place that a topic has in transactions. */
const IN_TRANSACTIONS = 'transactions';

/** From `connect` to `disconnect`. */
interface Connection {
  outbox: Outbox;
  properties: Properties;
  /** The first is there at once, others when a topic is sent to in a further way. */
  lanes: Lane[];
  /** Made by the first transaction, and ready when the promise resolves. */
  transactions?: Promise<Lane>;
}

/** The producer that `kafka.producer()` makes: its methods can be taken off it. */
export interface KafkaProducer extends Pick<Producer, keyof Producer> {}

/**
 * KafkaJS's producer on librdkafka.
 *
 * ```js
 * const producer = kafka.producer();
 * await producer.connect();
 * await producer.send({ topic: 'clicks', messages: [{ key: 'user-1', value: 'one' }, { value: 'two' }] });
 * await producer.disconnect();
 * ```
 *
 * Messages of one partition keep the order of the calls, awaited or not; over retries those of one send do that was sent alone, up to
 * 1024 messages and 1 MB, and all of them with `idempotent`. Sends without room in the buffer wait, in that order. The process stays alive while a send or call is pending.
 */
export class Producer {
  /** Names for {@link on}. REQUEST_TIMEOUT and REQUEST_QUEUE_SIZE never fire: librdkafka does not tell. */
  readonly events: ProducerEvents = events;

  readonly #context: ClientContext;
  readonly #config: ReadProducerConfig;
  readonly #logger: KafkaLogger;
  readonly #instrumentation: Instrumentation;
  /** While `connect` waits for a broker. */
  #connecting: Lane | undefined;
  #state: 'disconnected' | 'connecting' | 'connected' | 'disconnecting' = 'disconnected';
  #connection: Connection | undefined;
  /** The way to the other state, while it is being gone. */
  #changing: Promise<void> | undefined;
  #transaction: Transaction | 'beginning' | undefined;

  /**
   * Connects to nobody.
   * @throws TypeError, RangeError naming the option; KafkaJSNonRetriableError for properties that the engine owns
   * @internal
   */
  constructor(context: ClientContext, config?: ProducerConfig) {
    this.#context = context;
    this.#logger = context.logger.namespace('Producer');
    this.#instrumentation = new Instrumentation(this.#logger, context.clientId);
    this.#config = readProducerConfig(config, context, this.#logger);
    ownMethods(this);
  }

  /**
   * Resolves when a broker has answered. Rejects at once for credentials that are missing or refused (KafkaJSSASLAuthenticationError) and
   * for certificates that are refused; when nobody answers, after as long as KafkaJS's retries take. Certificates and silence are a
   * KafkaJSNumberOfRetriesExceeded with a KafkaJSConnectionError as its `cause`. A connected producer stays connected.
   */
  async connect(): Promise<void> {
    while (this.#changing) await this.#changing.catch(() => {});
    if (this.#state === 'connected') return;
    this.#state = 'connecting';
    return (this.#changing = this.#connect().finally(() => (this.#changing = undefined)));
  }

  async #connect(): Promise<void> {
    const { limits, createPartitioner, metadataMaxAge } = this.#config;
    let connection: Connection | undefined;
    try {
      const properties = [...(await this.#context.properties()), ...this.#config.properties];
      const outbox = new Outbox(limits, createPartitioner?.(), metadataMaxAge);
      connection = { outbox, properties, lanes: [] };
      const lane = (this.#connecting = this.#lane(connection, 0));
      await lane.call((native, id) => native.connect(id, connectDeadline(this.#context)));
      this.#connection = connection;
      this.#state = 'connected';
    } catch (error) {
      this.#state = 'disconnected';
      await connection?.lanes[0]?.stop(0);
      throw toConnectError(error);
    } finally {
      this.#connecting = undefined;
    }
    this.#instrumentation.emit(events.CONNECT);
  }

  /** Whether `connect` has resolved, and `disconnect` was not called since. Brokers may be away all the same. */
  isConnected(): boolean {
    return this.#state === 'connected';
  }

  /**
   * Takes no more messages, delivers those that are under way, for `timeout` milliseconds, or by default as long as a request may take
   * (`requestTimeout`), and ends the clients; what is left rejects, and so does a `connect` that has reached nobody by then. An open
   * transaction is aborted. After it `connect` can be called again.
   */
  async disconnect(options?: { timeout?: number }): Promise<void> {
    const { timeout = this.#context.requestTimeout } = options ?? {};
    const wait = millisecondsOf(timeout);
    // A producer that is connecting has nothing to deliver.
    const giveUp = this.#state === 'connecting' ? setTimeout(() => void this.#connecting?.stop(0).catch(() => {}), Math.min(wait, LONGEST_TIMER)) : undefined;
    while (this.#changing) await this.#changing.catch(() => {});
    clearTimeout(giveUp);
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#state = 'disconnecting';
    return (this.#changing = this.#disconnect(connection, Math.min(wait, LONGEST_TIMER)).finally(() => (this.#changing = undefined)));
  }

  async #disconnect(connection: Connection, timeout: number): Promise<void> {
    const { outbox, lanes, transactions } = connection;
    const end = now() + timeout;
    const left = (): number => Math.max(0, Math.ceil(end - now()));
    try {
      if (this.#transaction instanceof Transaction)
        await this.#transaction.abort().catch((error: Error) => this.#logger.warn(`The open transaction was not aborted: ${error.message}`));
      await this.#flush(connection, { timeout: left() }).catch(() => outbox.giveUp(new KafkaJSError('The producer is disconnected')));
      const transactional = await transactions?.catch(() => undefined);
      await Promise.all([...lanes, ...(transactional ? [transactional] : [])].map((lane) => lane.stop(left())));
      outbox.settleRest();
    } finally {
      this.#connection = undefined;
      this.#transaction = undefined;
      this.#state = 'disconnected';
    }
    this.#instrumentation.emit(events.DISCONNECT);
  }

  /**
   * Resolves when all messages are written, with where that was, one element a partition; `acks: 0` resolves with `[]`.
   *
   * Rejects before anything is sent for arguments that cannot be sent (KafkaJSNonRetriableError naming the field), and with the
   * first failure of a message, such as KafkaJSProtocolError `MESSAGE_TOO_LARGE`; others of the call may be written then.
   */
  send(record: ProducerRecord): Promise<RecordMetadata[]> {
    return this.sendIn(undefined, record);
  }

  /** Like `send`, to several topics. */
  sendBatch(batch: ProducerBatch): Promise<RecordMetadata[]> {
    return this.sendBatchIn(undefined, batch);
  }

  /** @internal */
  sendIn(lane: Lane | undefined, record: ProducerRecord): Promise<RecordMetadata[]> {
    try {
      if (typeof record !== 'object' || record === null) throw new KafkaJSNonRetriableError(`send takes { topic, messages }, got ${describe(record)}`);
      const { topic: name, messages } = record;
      checkTopic(name);
      const options = this.#options(record, lane !== undefined);
      const list = listOf(name, messages);
      const connection = this.#connected(name, list);
      const topic = connection.outbox.topic(name);
      if (list.length === 0) return Promise.resolve([]);
      if (traced('send')) return this.#traced(lane, connection, topic, list, options);
      return connection.outbox.send(topic, this.#placeOf(lane, connection, topic, options), connection.outbox.pack(name, list), options.signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** @internal */
  async sendBatchIn(lane: Lane | undefined, batch: ProducerBatch): Promise<RecordMetadata[]> {
    if (typeof batch !== 'object' || batch === null) throw new KafkaJSNonRetriableError(`sendBatch takes { topicMessages }, got ${describe(batch)}`);
    const { topicMessages } = batch;
    if (topicMessages != null && !Array.isArray(topicMessages))
      throw new KafkaJSNonRetriableError(`Invalid topicMessages: it must be an array, got ${describe(topicMessages)}`);
    const options = this.#options(batch, lane !== undefined);
    const byTopic = new Map<string, Message[]>();
    for (const entry of copyOf(topicMessages ?? [])) {
      const { topic, messages } = entry ?? {};
      checkTopic(topic);
      const list = listOf(topic, messages);
      byTopic.set(topic, byTopic.get(topic)?.concat(list) ?? list);
    }
    let connection = this.#connection;
    for (const [name, list] of byTopic) connection = this.#connected(name, list);
    if (connection === undefined) throw this.#disconnected();
    const { outbox } = connection;
    const sends: { topic: Topic; place: Place; list: Message[]; packed: Packed }[] = [];
    try {
      // All of them first: one that cannot be sent stops every one.
      for (const [name, list] of byTopic) {
        const topic = outbox.topic(name);
        if (list.length > 0) sends.push({ topic, place: this.#placeOf(lane, connection, topic, options), list, packed: outbox.pack(name, list) });
      }
    } catch (error) {
      for (const { packed } of sends) outbox.drop(packed);
      throw error;
    }
    const results = sends.map(({ topic, place, list, packed }) => {
      if (!traced('send')) return outbox.send(topic, place, packed, options.signal);
      outbox.drop(packed);
      return this.#traced(lane, connection, topic, list, options);
    });
    return (await Promise.all(results)).flat();
  }

  /** Whoever follows may add headers, to copies. */
  #traced(lane: Lane | undefined, connection: Connection, topic: Topic, list: Message[], options: SendOptions): Promise<RecordMetadata[]> {
    const messages = list.map((message) => withHeaders(ownMessage(message)));
    return trace('send', { topic: topic.name, messages }, async () => {
      const packed = connection.outbox.pack(topic.name, messages);
      return connection.outbox.send(topic, this.#placeOf(lane, connection, topic, options), packed, options.signal);
    });
  }

  /** Read once, and checked. */
  #options(given: SendOptions, inTransaction: boolean): SendOptions {
    const { compression, signal, acks: givenAcks, timeout: givenTimeout } = given;
    const acks = integerOf(givenAcks) ?? givenAcks;
    const timeout = integerOf(givenTimeout) ?? givenTimeout;
    if (acks !== undefined && acks !== -1) {
      if (this.#config.idempotent || inTransaction) {
        throw new KafkaJSNonRetriableError("Not requiring ack for all messages invalidates the idempotent producer's EoS guarantees");
      }
      if (acks !== 0 && acks !== 1) throw new KafkaJSNonRetriableError(`Invalid acks ${describe(acks)}: it must be -1, 0 or 1`);
    }
    if (compression !== undefined && (typeof compression === 'object' || !Object.hasOwn(CODECS, compression))) {
      throw new KafkaJSNonRetriableError(`Invalid compression ${describe(compression)}: it must be one of CompressionTypes`);
    }
    if (timeout !== undefined && !(Number.isInteger(timeout) && timeout >= 1 && timeout <= 900_000)) {
      throw new KafkaJSNonRetriableError(`Invalid timeout ${describe(timeout)}: it must be an integer from 1 to 900000, milliseconds`);
    }
    if (signal !== undefined) checkSignal(signal);
    return { acks, compression, timeout, signal };
  }

  /** Messages that cannot be sent are reported before the missing connection. */
  #connected(topic?: string, list?: Message[]): Connection {
    if (this.#state === 'connected') return this.#connection!;
    if (topic !== undefined) checkMessages(topic, list!);
    throw this.#disconnected();
  }

  #disconnected(): KafkaJSError {
    if (this.#state === 'disconnecting')
      return new KafkaJSNonRetriableError("The producer is disconnecting; therefore, it can't safely accept messages anymore");
    return new KafkaJSError('The producer is disconnected');
  }

  #placeOf(lane: Lane | undefined, connection: Connection, topic: Topic, options: SendOptions): Place {
    return lane ? this.#placeIn(lane, topic, options) : this.#place(connection, topic, options);
  }

  /** Where a topic's messages go that are sent in this way; each further way takes a lane more. */
  #place(connection: Connection, topic: Topic, options: SendOptions): Place {
    const properties = this.#topicProperties(options);
    const key = properties.length === 0 ? '' : properties.join();
    let place = topic.places.get(key);
    if (place === undefined) {
      const others = topic.places.size - (topic.places.has(IN_TRANSACTIONS) ? 1 : 0);
      const lane = this.#lane(connection, others);
      topic.places.set(key, (place = { lane, id: lane.native.topic(topic.name, properties), acknowledged: options.acks !== 0 }));
    }
    return place;
  }

  #placeIn(lane: Lane, topic: Topic, options: SendOptions): Place {
    let place = topic.places.get(IN_TRANSACTIONS);
    if (place === undefined) {
      topic.places.set(IN_TRANSACTIONS, (place = { lane, id: lane.native.topic(topic.name, this.#topicProperties(options)), acknowledged: true }));
    }
    return place;
  }

  /** Properties that differ from the producer's own settings. */
  #topicProperties({ acks, timeout, compression }: SendOptions): Properties {
    const { own } = this.#config;
    const properties: Properties = [];
    if (acks !== undefined && (acks !== SEND.acks || own.acks)) properties.push(['acks', String(acks)]);
    if (compression !== undefined && (compression !== SEND.compression || own.compression)) properties.push(['compression.codec', CODECS[compression]!]);
    if (timeout !== undefined && (timeout !== SEND.timeout || own.timeout)) properties.push(['request.timeout.ms', String(timeout)]);
    return properties;
  }

  #lane({ lanes, properties, outbox }: Connection, index: number): Lane {
    return (lanes[index] ??= new Lane(this.#context, this.#logger, this.#instrumentation, properties, outbox.settle));
  }

  /**
   * Resolves when everything that was sent before has been written or has failed; nothing waits for its linger.
   *
   * Rejects with KafkaJSTimeout, or with the reason of the signal.
   */
  async flush(options?: FlushOptions): Promise<void> {
    return this.#flush(this.#connected(), options);
  }

  async #flush({ outbox, lanes, transactions }: Connection, options?: FlushOptions): Promise<void> {
    const { timeout = Infinity, signal } = options ?? {};
    const wait = millisecondsOf(timeout);
    if (signal !== undefined) checkSignal(signal);
    signal?.throwIfAborted();
    let over = false;
    const settled = outbox.settled().finally(() => (over = true));
    let timer: NodeJS.Timeout | undefined;
    let abort: (() => void) | undefined;
    const late = new Promise<never>((_, reject) => {
      if (wait < LONGEST_TIMER) timer = setTimeout(() => reject(new KafkaJSTimeout(`Not everything was delivered within ${wait} ms`)), wait);
      signal?.addEventListener('abort', (abort = () => reject(signal.reason)));
    });
    const hurry = async (): Promise<void> => {
      const transactional = await transactions?.catch(() => undefined);
      const all = transactional ? [...lanes, transactional] : lanes;
      // Messages that wait for room come behind, with a linger of their own.
      while (!over) await Promise.all(all.map((lane) => lane.call((native, id) => native.flush(id, 1000)).catch(() => {})));
    };
    void hurry();
    try {
      await Promise.race([settled, late]);
    } finally {
      over = true;
      clearTimeout(timer);
      if (abort) signal?.removeEventListener('abort', abort);
    }
  }

  /**
   * Begins a transaction: what is sent through it is seen whole, when it is committed, or not at all. The first one takes the
   * `transactionalId` over from whoever had it: that producer is fenced.
   *
   * @throws KafkaJSNonRetriableError without a `transactionalId`, or while another transaction is open
   */
  async transaction(): Promise<KafkaTransaction> {
    if (this.#config.transactionalId === undefined) throw new KafkaJSNonRetriableError('Must provide transactional id for transactional producer');
    const connection = this.#connected();
    if (this.#transaction !== undefined) {
      throw new KafkaJSNonRetriableError('There is already an ongoing transaction for this producer. Please end the transaction before beginning another.');
    }
    this.#transaction = 'beginning';
    try {
      const lane = await (connection.transactions ??= this.#initTransactions(connection));
      await lane.call((native, id) => native.beginTransaction(id));
      return (this.#transaction = new Transaction(this, lane, connection.outbox, this.#config.transactionTimeout, () => (this.#transaction = undefined)));
    } catch (error) {
      this.#transaction = undefined;
      throw error;
    }
  }

  async #initTransactions(connection: Connection): Promise<Lane> {
    const lane = new Lane(
      this.#context,
      this.#logger,
      this.#instrumentation,
      [...connection.properties, ...this.#config.transactional],
      connection.outbox.settle,
    );
    try {
      await lane.call((native, id) => native.initTransactions(id, Math.max(connectDeadline(this.#context), this.#config.transactionTimeout)));
      return lane;
    } catch (error) {
      delete connection.transactions;
      await lane.stop(0);
      throw error;
    }
  }

  /**
   * A `Writable` of messages for one topic, with back-pressure: `messages.pipe(producer.stream({ topic }))`. For a
   * WritableStream: `Writable.toWeb(producer.stream({ topic }))`.
   */
  stream(options: ProducerStreamOptions): Writable {
    if (typeof options !== 'object' || options === null) throw new KafkaJSNonRetriableError(`stream takes { topic }, got ${describe(options)}`);
    return producerStream(this, options);
  }

  isIdempotent(): boolean {
    return this.#config.idempotent;
  }

  /**
   * Calls the listener at every event of this name; returns what removes it. Errors that it throws are logged.
   * @throws KafkaJSNonRetriableError for a name that is none of {@link events}
   */
  on(eventName: ProducerEvents['CONNECT' | 'DISCONNECT'], listener: (event: InstrumentationEvent<null>) => void): RemoveInstrumentationEventListener;
  on(eventName: ProducerEvents['REQUEST'], listener: (event: RequestEvent) => void): RemoveInstrumentationEventListener;
  on(eventName: ProducerEvents['REQUEST_TIMEOUT'], listener: (event: RequestTimeoutEvent) => void): RemoveInstrumentationEventListener;
  on(eventName: ProducerEvents['REQUEST_QUEUE_SIZE'], listener: (event: RequestQueueSizeEvent) => void): RemoveInstrumentationEventListener;
  on(eventName: ProducerEvents[keyof ProducerEvents], listener: (event: InstrumentationEvent<any>) => void): RemoveInstrumentationEventListener;
  on(eventName: ProducerEvents[keyof ProducerEvents], listener: (event: InstrumentationEvent<any>) => void): RemoveInstrumentationEventListener {
    checkEvent('producer', events, eventName);
    return this.#instrumentation.on(eventName, listener);
  }

  logger(): KafkaLogger {
    return this.#logger;
  }

  /** `await using producer = kafka.producer()` disconnects at the end of the block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.disconnect();
  }
}

function checkSignal(signal: unknown): asserts signal is AbortSignal {
  if (!(signal instanceof AbortSignal)) throw new KafkaJSNonRetriableError(`Invalid signal: it must be an AbortSignal, got ${describe(signal)}`);
}
