import type { Properties } from '../options';
import type { ClientContext, RetryOptions } from './client';
import { createLogger, type KafkaLogger, type logCreator, type logLevel } from './logger';

/** How a {@link Kafka} reaches its cluster; KafkaJS's options. */
export interface KafkaConfig {
  /** `host:port`, or a function of them that every `connect` calls. */
  brokers: string[] | (() => string[] | Promise<string[]>);
  clientId?: string;
  /** Milliseconds; default 1000. */
  connectionTimeout?: number;
  /** Milliseconds; default 30 000. */
  requestTimeout?: number;
  retry?: RetryOptions;
  logLevel?: logLevel;
  logCreator?: logCreator;
}

/** The KafkaJS-shaped client: what its producers, consumers and admins share. */
export class Kafka {
  readonly #context: ClientContext;

  constructor(config: KafkaConfig) {
    this.#context = {
      clientId: config.clientId ?? 'kafkajs',
      properties: async (): Promise<Properties> => {
        const brokers = typeof config.brokers === 'function' ? await config.brokers() : config.brokers;
        return [['bootstrap.servers', brokers.join(',')], ['client.id', config.clientId ?? 'kafkajs']];
      },
      logger: createLogger(config.logLevel, config.logCreator),
      connectionTimeout: config.connectionTimeout ?? 1000,
      requestTimeout: config.requestTimeout ?? 30_000,
      retry: { maxRetryTime: 30_000, initialRetryTime: 300, factor: 0.2, multiplier: 2, retries: 5, ...config.retry },
    };
  }

  logger(): KafkaLogger {
    return this.#context.logger;
  }
}
