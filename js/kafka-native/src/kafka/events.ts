import { EventEmitter } from 'node:events';
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

let nextId = 0;

/** KafkaJS's instrumentation: events by name, made only when somebody listens. @internal */
export class Instrumentation {
  readonly #emitter = new EventEmitter().setMaxListeners(0);
  readonly #logger: KafkaLogger | undefined;

  /** @param logger hears of listeners that fail; without one their errors reach whoever emits */
  constructor(logger?: KafkaLogger) {
    this.#logger = logger;
  }

  listened(type: string): boolean {
    return this.#emitter.listenerCount(type) > 0;
  }

  emit(type: string, payload: unknown = null): void {
    if (this.listened(type)) this.#emitter.emit(type, { id: nextId++, type, timestamp: Date.now(), payload });
  }

  on(type: string, listener: (event: InstrumentationEvent<any>) => void): RemoveInstrumentationEventListener {
    const logger = this.#logger;
    const call = !logger ? listener : async (event: InstrumentationEvent<any>): Promise<void> => {
      try {
        await listener(event);
      } catch (error) {
        logger.error(`A listener of ${type} failed: ${(error as Error)?.message ?? error}`, { stack: (error as Error)?.stack });
      }
    };
    this.#emitter.on(type, call);
    return () => void this.#emitter.off(type, call);
  }
}
