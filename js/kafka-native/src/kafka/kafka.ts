import type { AdminConfig, KafkaAdmin } from './admin';
import type { ClientContext } from './client';
import { readKafkaConfig, type KafkaConfig } from './config';
import { Consumer } from './consumer/consumer';
import type { ConsumerConfig } from './consumer/config';
import { lazily } from './lazily';
import type { KafkaLogger } from './logger';
import { Producer } from './producer/producer';
import type { ProducerConfig } from './producer/config';

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

  /** A consumer in a group, or, with `groupId: null`, of assigned partitions. Connects to nobody. */
  consumer(config: ConsumerConfig): Consumer {
    return new Consumer(this.#context, config);
  }

  /**
   * The newest statistics of all clients that are connected, in Prometheus's text format (`text/plain; version=0.0.4`):
   * queues, requests, errors and round-trip times a broker, lag a partition. Empty without the option `statisticsInterval`.
   */
  metrics(): string {
    return this.#context.metrics.text();
  }

  /**
   * A producer, which connects when it is told.
   * @throws TypeError, RangeError naming the option; KafkaJSNonRetriableError for `properties` that the engine owns
   */
  producer(config?: ProducerConfig): Producer {
    return new Producer(this.#context, config);
  }

  /** An admin, which connects when it is told, or with its first call. */
  admin(config?: AdminConfig): KafkaAdmin {
    return new (lazily.admin().KafkaAdmin)(this.#context, config);
  }

  logger(): KafkaLogger {
    return this.#context.logger;
  }
}
