import type { NativeMockCluster } from './binding';
import { native } from './errors';
import { binding } from './loader';
import { OptionReader } from './options';

export interface MockTopicOptions {
  /** Default 1. */
  partitions?: number;
  /** Default 1; at most the number of brokers. */
  replication?: number;
}

/** What a client needs to talk to a mock cluster; plain data, so that it can be sent to another process as JSON. */
export interface MockClientOptions {
  broker: string;
  driver_options: Record<string, string | number | boolean>;
}

/**
 * librdkafka's mock cluster: brokers in this process, for tests without Kafka. Other processes of the machine reach it,
 * too. It knows neither TLS nor SASL nor admin calls, keeps 5 MiB a partition, and its speed says nothing about Kafka's.
 *
 * ```js
 * const cluster = new MockCluster({ brokers: 1 });
 * cluster.createTopic('clicks', { partitions: 4 });
 * const producer = new Producer({ ...cluster.options });
 * ```
 */
export class MockCluster {
  /** Clients know a cluster by its address alone: collected as garbage, it would take their brokers away. */
  static readonly #open = new Set<MockCluster>();

  readonly #native: NativeMockCluster;

  /** @param options `brokers`: 1 to 1000, default 1; their ids count from 1. */
  constructor(options: { brokers?: number } = {}) {
    const brokers = new OptionReader('MockCluster', options).integer('brokers', 1, 1, 1000);
    this.#native = native(() => new binding.NativeMockCluster(brokers));
    MockCluster.#open.add(this);
  }

  /**
   * To be spread into the options of a client: the brokers' addresses, and properties that make up for what the mock
   * does not do (it never wakes a waiting fetch) and let clients notice its faults quickly.
   */
  get options(): MockClientOptions {
    return {
      broker: native(() => this.#native.bootstrap()),
      driver_options: {
        'fetch.wait.max.ms': 5,
        'fetch.error.backoff.ms': 10,
        'reconnect.backoff.ms': 10,
        'reconnect.backoff.max.ms': 100,
        'topic.metadata.refresh.fast.interval.ms': 50,
      },
    };
  }

  /** @throws KafkaError when it exists already */
  createTopic(topic: string, options: MockTopicOptions = {}): void {
    const read = new OptionReader('MockCluster.createTopic', options);
    const partitions = read.integer('partitions', 1, 1, 10_000);
    const replication = read.integer('replication', 1, 1, 1000);
    native(() => this.#native.createTopic(topic, partitions, replication));
  }

  /** Closes the broker's connections and takes no new ones. */
  brokerDown(id: number): void {
    native(() => this.#native.brokerDown(id));
  }

  brokerUp(id: number): void {
    native(() => this.#native.brokerUp(id));
  }

  /** @param broker an id, or -1: no leader */
  setLeader(topic: string, partition: number, broker: number): void {
    native(() => this.#native.setLeader(topic, partition, broker));
  }

  /** @param broker an id: fetches are sent there */
  setFollower(topic: string, partition: number, broker: number): void {
    native(() => this.#native.setFollower(topic, partition, broker));
  }

  /**
   * The next requests of one kind fail with these codes, one each, in order.
   * @param apiKey the number of the request in Kafka's protocol: 0 produce, 1 fetch, 2 list offsets, 3 metadata ...
   * @param codes as in `Errors`; 0 lets one request pass, -195 (`_TRANSPORT`) cuts the connection
   */
  injectErrors(apiKey: number, codes: number[]): void {
    native(() => this.#native.pushErrors(apiKey, codes));
  }

  /** Every request for the topic fails with this code; 0 heals it. */
  setTopicError(topic: string, code: number): void {
    native(() => this.#native.setTopicError(topic, code));
  }

  /**
   * Delays every answer.
   * @param ms for the round trip
   * @param broker an id; default: all
   */
  setLatency(ms: number, broker = -1): void {
    native(() => this.#native.setLatency(broker, ms));
  }

  /** Ends the brokers; close the clients first. A second call does nothing. */
  close(): void {
    if (!MockCluster.#open.delete(this)) return;
    native(() => this.#native.close());
  }
}
