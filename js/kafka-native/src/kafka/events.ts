import { EventEmitter } from 'node:events';
import type { NativeWatched } from '../binding';
import { apiName } from './api-names';
import { KafkaJSNonRetriableError } from './errors';
import type { KafkaLogger } from './logger';

/** The argument of a listener of an instrumentation event. */
export interface InstrumentationEvent<P> {
  id: number;
  type: string;
  /** Milliseconds since 1970. */
  timestamp: number;
  payload: P;
}
export type RemoveInstrumentationEventListener<_Name = string> = () => void;

export type ConnectEvent = InstrumentationEvent<null>;
export type DisconnectEvent = InstrumentationEvent<null>;
/**
 * A broker has answered a request. librdkafka does not tell its `correlationId`, which is -1, nor how long it waited to be sent: `createdAt` is
 * `sentAt`, `pendingDuration` is 0. `size`: bytes of the answer; `duration`: milliseconds from sending until it came.
 */
export type RequestEvent = InstrumentationEvent<RequestTimeoutEvent['payload'] & { duration: number; size: number }>;
/** Never told. */
export type RequestTimeoutEvent = InstrumentationEvent<{
  apiKey: number;
  apiName: string;
  apiVersion: number;
  broker: string;
  clientId: string;
  correlationId: number;
  createdAt: number;
  pendingDuration: number;
  sentAt: number;
}>;
/** Never told. */
export type RequestQueueSizeEvent = InstrumentationEvent<{ broker: string; clientId: string; queueSize: number }>;

/** @throws KafkaJSNonRetriableError for a name that is not among `events` of this role. @internal */
export function checkEvent(role: 'admin' | 'consumer' | 'producer', events: Record<string, string>, eventName: string): void {
  if (!Object.values(events).includes(eventName)) {
    throw new KafkaJSNonRetriableError(
      `Event name should be one of ${Object.keys(events)
        .map((key) => `${role}.events.${key}`)
        .join(', ')}`,
    );
  }
}

let nextId = 0;

const REQUEST = /\.network\.request$/;

/** KafkaJS's instrumentation: events by name, made only when somebody listens. @internal */
export class Instrumentation {
  readonly #emitter = new EventEmitter().setMaxListeners(0);
  readonly #logger: KafkaLogger;
  readonly #clientId: string;
  /** Native clients whose requests are told while somebody listens. */
  readonly #watched = new Set<NativeWatched>();
  /** The name of REQUEST, when somebody listens to it. */
  #request: string | undefined;

  /** @param logger hears of listeners that fail, and nobody else does */
  constructor(logger: KafkaLogger, clientId: string) {
    this.#logger = logger;
    this.#clientId = clientId;
  }

  /** This client's requests are told from now on where somebody listens. */
  watch(client: NativeWatched): void {
    this.#watched.add(client);
    if (this.#request !== undefined) client.watchRequests(true);
  }

  /** The client ends. */
  forget(client: NativeWatched): void {
    this.#watched.delete(client);
  }

  /** `Event.Request` of one that is watched. */
  request(broker: string, [apiKey, apiVersion, size, duration]: number[]): void {
    if (this.#request === undefined) return;
    const sentAt = Date.now() - duration!;
    const times = { createdAt: sentAt, sentAt, pendingDuration: 0, duration };
    this.emit(this.#request, { apiKey, apiName: apiName(apiKey!), apiVersion, broker, clientId: this.#clientId, correlationId: -1, size, ...times });
  }

  /** Somebody has begun, or ceased, to listen. */
  #changed(type: string): void {
    if (!REQUEST.test(type) || this.listened(type) === (this.#request !== undefined)) return;
    this.#request = this.listened(type) ? type : undefined;
    for (const client of this.#watched) client.watchRequests(this.#request !== undefined);
  }

  listened(type: string): boolean {
    return this.#emitter.listenerCount(type) > 0;
  }

  emit(type: string, payload: unknown = null): void {
    if (this.listened(type)) this.#emitter.emit(type, { id: nextId++, type, timestamp: Date.now(), payload });
  }

  on(type: string, listener: (event: InstrumentationEvent<any>) => unknown): RemoveInstrumentationEventListener {
    const call = async (event: InstrumentationEvent<any>): Promise<void> => {
      try {
        await listener(event);
      } catch (error) {
        this.#logger.error(`A listener of ${type} failed: ${(error as Error)?.message ?? error}`, { stack: (error as Error)?.stack });
      }
    };
    this.#emitter.on(type, call);
    this.#changed(type);
    return () => {
      this.#emitter.off(type, call);
      this.#changed(type);
    };
  }
}
