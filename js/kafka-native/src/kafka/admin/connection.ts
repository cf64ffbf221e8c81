import { now, pause } from '../../clock';
import { AdminClient, unwrap, type ItemResult } from '../../admin-client';
import type { AdminRequests } from '../../admin-requests';
import { integerOf } from '../../numbers';
import { guessed } from '../../options';
import { connectDeadline, type ClientContext, type RetryOptions } from '../client';
import {
  KafkaJSConnectionClosedError,
  KafkaJSDeleteTopicRecordsError,
  KafkaJSNonRetriableError,
  KafkaJSNumberOfRetriesExceeded,
  KafkaJSProtocolError,
  toConnectError,
  toKafkaJSError,
  type KafkaJSError,
} from '../errors';
import { checkEvent, Instrumentation, type InstrumentationEvent, type RemoveInstrumentationEventListener } from '../events';
import { logNative, type KafkaLogger } from '../logger';
import { ownMethods } from '../own-methods';
import { millisecondsOf, shown } from '../given';

export interface AdminConfig {
  /** How what KafkaJS tries again is tried again; default: the `Kafka`'s. */
  retry?: RetryOptions;
}

export interface AdminCall {
  /** Milliseconds that the call may take, up to an hour; default: the `Kafka`'s `requestTimeout`. */
  timeout?: number | undefined;
}

const events = {
  CONNECT: 'admin.connect',
  DISCONNECT: 'admin.disconnect',
  REQUEST: 'admin.network.request',
  REQUEST_TIMEOUT: 'admin.network.request_timeout',
  REQUEST_QUEUE_SIZE: 'admin.network.request_queue_size',
} as const;
export type AdminEvents = typeof events;

const AN_HOUR = 3_600_000;
/** Errors after which KafkaJS's admin tries again: the cluster has not heard of it yet, or leaders and coordinators move. */
const PASSING: ReadonlySet<string> = new Set([
  'UNKNOWN_TOPIC_OR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
  'GROUP_LOAD_IN_PROGRESS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
]);

/** How long a topic that a broker does not know may be on its way to it, and the pause between two questions meanwhile. */
const HEARSAY_MS = 1000;
const HEARSAY_PAUSE_MS = 50;

/** The base of every admin: its connection, its events, and how it asks. */
export abstract class AdminConnection {
  /** Names for {@link on}. REQUEST_TIMEOUT and REQUEST_QUEUE_SIZE never fire: librdkafka does not tell. */
  readonly events: AdminEvents = events;
  readonly #context: ClientContext;
  readonly #retry: ClientContext['retry'];
  readonly #log: KafkaLogger;
  readonly #instrumentation: Instrumentation;
  #client: Promise<AdminClient> | undefined;
  #connected = false;
  #disconnected = false;

  /** @internal */
  constructor(context: ClientContext, { retry, ...unknown }: AdminConfig = {}) {
    this.#context = context;
    this.#retry = { ...context.retry, ...retry };
    this.#log = context.logger.namespace('Admin');
    const names = Object.keys(unknown).map((name) => guessed(name, ['retry']));
    if (names.length > 0) this.#log.warn(`Unknown options are ignored: ${names.join(', ')}`);
    this.#instrumentation = new Instrumentation(this.#log, context.clientId);
    ownMethods(this);
  }

  /**
   * Resolves when a broker has answered. Rejects at once for credentials that are missing or refused (KafkaJSSASLAuthenticationError) and
   * for certificates that are refused; when nobody answers, after as long as KafkaJS's retries take. Certificates and silence are a
   * KafkaJSNumberOfRetriesExceeded with a KafkaJSConnectionError as its `cause`.
   */
  async connect(): Promise<void> {
    this.#disconnected = false;
    try {
      await (await this.#open()).connect(connectDeadline(this.#context));
    } catch (error) {
      await this.#close();
      throw toConnectError(error);
    }
    this.#connected = !this.#disconnected;
    this.#instrumentation.emit(events.CONNECT);
  }

  /** Whether `connect` has resolved, and `disconnect` was not called since. Brokers may be away all the same: `describeCluster()` asks one. */
  isConnected(): boolean {
    return this.#connected;
  }

  /** Calls that are pending reject. `connect` may follow. */
  async disconnect(): Promise<void> {
    this.#disconnected = true;
    await this.#close();
    this.#instrumentation.emit(events.DISCONNECT);
  }

  /** `await using admin = kafka.admin()` disconnects at the end of the block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.disconnect();
  }

  /** @throws KafkaJSNonRetriableError for a name that is not among {@link events} */
  on(eventName: AdminEvents[keyof AdminEvents], listener: (event: InstrumentationEvent<any>) => void): RemoveInstrumentationEventListener {
    checkEvent('admin', events, eventName);
    return this.#instrumentation.on(eventName, listener);
  }

  logger(): KafkaLogger {
    return this.#log;
  }

  /** Makes a request; before the first `connect` as well. @internal */
  protected async ask<K extends keyof AdminRequests>(
    name: K,
    fields: AdminRequests[K]['fields'],
    { timeout }: AdminCall = {},
  ): Promise<AdminRequests[K]['answer']> {
    if (this.#disconnected) throw new KafkaJSConnectionClosedError('The admin is disconnected');
    const wait = millisecondsOf(timeout ?? this.#context.requestTimeout);
    try {
      return await (await this.#open()).request(name, fields, Math.ceil(Math.min(wait, AN_HOUR)));
    } catch (error) {
      throw toKafkaJSError(error);
    }
  }

  /**
   * Tries again what KafkaJS tries again, with its pauses; but a topic that no broker has heard of for a second does not exist.
   * @internal
   */
  protected async retry<T>(attempt: () => Promise<T>, passing = PASSING): Promise<T> {
    const { initialRetryTime, maxRetryTime, factor, multiplier, retries } = this.#retry;
    const missing = now() + HEARSAY_MS;
    for (let tries = 0, time = initialRetryTime; ; tries++, time = Math.min(time * multiplier, maxRetryTime)) {
      try {
        return await attempt();
      } catch (error) {
        const type = error instanceof KafkaJSProtocolError ? error.type : undefined;
        const passes = type !== undefined ? passing.has(type) : error instanceof KafkaJSDeleteTopicRecordsError && error.retriable;
        if (!passes) throw error as Error;
        const unknown = type === 'UNKNOWN_TOPIC_OR_PARTITION';
        if (unknown ? now() >= missing : tries >= retries) throw new KafkaJSNumberOfRetriesExceeded(error as Error, { retryCount: tries, retryTime: time });
        await pause(unknown ? HEARSAY_PAUSE_MS : time * (1 - factor + 2 * factor * Math.random()));
      }
    }
  }

  #open(): Promise<AdminClient> {
    return (this.#client ??= this.#make().catch((error: unknown) => {
      this.#client = undefined;
      throw error;
    }));
  }

  async #make(): Promise<AdminClient> {
    const client = new AdminClient(
      await this.#context.properties(),
      {
        error: ({ code, message }) => this.#log.error(`${code}: ${message}`),
        log: (lines, dropped) => logNative(this.#log, lines, dropped),
        stats: (json) => this.#context.metrics.take(this, json),
        kept: this.#context.metrics.wanted,
        request: (broker, figures) => this.#instrumentation.request(broker, figures),
      },
      this.#context.giveToken,
    );
    this.#instrumentation.watch(client);
    return client;
  }

  async #close(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    this.#connected = false;
    await client?.then(
      (open) => {
        this.#instrumentation.forget(open);
        open.close();
      },
      () => {},
    );
    this.#context.metrics.forget(this);
  }
}

/** The value of an item, or its error thrown as KafkaJS's. @internal */
export function valueOf<T>(result: ItemResult<T>): T {
  try {
    return unwrap(result);
  } catch (error) {
    throw toKafkaJSError(error);
  }
}

/** The error of an item. @internal */
export function errorOf(result: ItemResult<unknown>): KafkaJSError | undefined {
  try {
    unwrap(result);
    return undefined;
  } catch (error) {
    return toKafkaJSError(error) as KafkaJSError;
  }
}

/** An argument that no request can be made of. @internal */
export function refuse(message: string): never {
  throw new KafkaJSNonRetriableError(message);
}

/** A non-empty string. @internal */
export function checkName(what: string, name: unknown): asserts name is string {
  if (typeof name !== 'string' || name === '') refuse(`Invalid ${what} ${shown(name)}`);
}

/** An array without holes. @internal */
export function checkArray(what: string, list: unknown): asserts list is any[] {
  if (!Array.isArray(list)) refuse(`Invalid ${what} array ${shown(list)}`);
  checkWhole(what, list);
}

/** @internal */
export function checkWhole(what: string, list: unknown[]): void {
  const hole = list.findIndex((element) => element == null);
  if (hole >= 0) refuse(`Invalid ${what} array, its element ${hole} is missing`);
}

/** Topics of a request, each once. @internal */
export function checkTopics(what: string, topics: unknown): asserts topics is { topic: string }[] {
  checkArray(what, topics);
  const names = topics.map(({ topic }) => topic);
  if (names.some((name) => typeof name !== 'string')) refuse(`Invalid ${what} array, the topic names have to be a valid string`);
  if (new Set(names).size < names.length) refuse(`Invalid ${what} array, it cannot have multiple entries for the same topic`);
}

/** A number of something, `least` or more. @internal */
export function toCount(what: string, given: unknown, least: number): number {
  const count = integerOf(given);
  return count !== undefined && count >= least && count < 2 ** 31 ? count : refuse(`Invalid ${what} ${shown(given)}: it must be an integer from ${least}`);
}
