import type { AdminConfig, KafkaAdmin } from './admin';
import type { AssignerName, ClientContext } from './client';
import { readKafkaConfig, type KafkaConfig } from './config';
import { Consumer, type KafkaConsumer } from './consumer/consumer';
import type { ConsumerConfig } from './consumer/config';
import { lazily } from './lazily';
import type { KafkaLogger } from './logger';
import { Producer, type KafkaProducer } from './producer/producer';
import type { ProducerConfig } from './producer/config';
import type { Table } from './table';
import type { TableKey, TableOptions } from './table/options';

/** The KafkaJS-shaped client: what its producers, consumers and admins share. */
export class Kafka {
  readonly #context: ClientContext;
  /** How groups divide partitions where `partitionAssigners` does not say. @internal */
  protected static readonly assigner: AssignerName = 'cooperativeSticky';

  /**
   * Connects to nobody.
   * @throws KafkaJSNotImplemented for what only KafkaJS's own engine can do; the message names the alternative.
   * @throws KafkaJSNonRetriableError for `properties` that the engine owns, TypeError or RangeError for options of a wrong type or size.
   * Credentials that are missing are told by `connect`.
   */
  constructor(config: KafkaConfig) {
    this.#context = readKafkaConfig(config, new.target.assigner);
  }

  /** A consumer in a group, or, with `groupId: null`, one that reads without a group. Connects to nobody. */
  consumer(config: ConsumerConfig): KafkaConsumer {
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
  producer(config?: ProducerConfig): KafkaProducer {
    return new Producer(this.#context, config);
  }

  /**
   * A compacted topic as a Map in memory, which is kept current; resolves when it has everything that the topic has now.
   *
   * Rejects with the signal's reason; KafkaJSProtocolError `UNKNOWN_TOPIC_OR_PARTITION` for a topic that is not there within five seconds
   * (none is made); KafkaJSNonRetriableError beyond `maxEntries` or `maxBytes`; what `consumer.connect` rejects with; TypeError and RangeError
   * naming the option.
   */
  table<K extends TableKey = string, V = any>(options: TableOptions<K, V>): Promise<Table<K, V>> {
    // Loaded with the first call. Not by `lazily`: what a table imports imports that.
    const { Table: table } = require('./table') as typeof import('./table');
    return table.open(this.#context, options);
  }

  /** An admin, which connects when it is told, or with its first call. */
  admin(config?: AdminConfig): KafkaAdmin {
    return new (lazily.admin().Admin)(this.#context, config);
  }

  logger(): KafkaLogger {
    return this.#context.logger;
  }
}
