import { EventEmitter } from 'node:events';
import { KafkaJSNonRetriableError } from './errors';
import type { KafkaLogger } from './logger';

/** What a listener of an instrumentation event gets. */
export interface InstrumentationEvent<P> {
  id: number;
  type: string;
  /** Milliseconds since 1970. */
  timestamp: number;
  payload: P;
}
export type RemoveInstrumentationEventListener = () => void;

export type ConnectEvent = InstrumentationEvent<null>;
export type DisconnectEvent = InstrumentationEvent<null>;
/** Never told: librdkafka tells of no single request. */
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

/** KafkaJS's instrumentation: events by name, made only when somebody listens. @internal */
export class Instrumentation {
  readonly #emitter = new EventEmitter().setMaxListeners(0);
  readonly #logger: KafkaLogger;

  /** @param logger hears of listeners that fail, and nobody else does */
  constructor(logger: KafkaLogger) {
    this.#logger = logger;
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
    return () => void this.#emitter.off(type, call);
  }
}
