import type { ClientContext } from './client';
import { readKafkaConfig, type KafkaConfig } from './config';
import type { KafkaLogger } from './logger';

/** The KafkaJS-shaped client: what its producers, consumers and admins share. */
export class Kafka {
  readonly #context: ClientContext;

  /**
   * Connects to nobody.
   * @throws KafkaJSNotImplemented for what only KafkaJS's own engine can do; the message names the alternative.
   * @throws KafkaJSSASLAuthenticationError for credentials that are missing, KafkaJSNonRetriableError for `properties` that
   * the engine owns, TypeError or RangeError for options of a wrong type or size.
   */
  constructor(config: KafkaConfig) {
    this.#context = readKafkaConfig(config);
  }

  logger(): KafkaLogger {
    return this.#context.logger;
  }
}
