import type { NativeMockCluster } from './binding';
import { invalidType, native, outOfRange } from './errors';
import { binding } from './loader';
import { describe, OptionReader } from './options';

export interface MockTopicOptions {
  /** Default 1. */
  partitions?: number;
  /** Default 1; at most the number of brokers. */
  replication?: number;
}

/** Options of a client that talks to a mock cluster; plain data, so that they can be sent to another process as JSON. */
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

  /** @param options `brokers`: 1 to 100, default 1; their ids count from 1. */
  constructor(options: { brokers?: number } = {}) {
    const brokers = new OptionReader('MockCluster', options).integer('brokers', 1, 1, 100);
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
    const replication = read.integer('replication', 1, 1, 100);
    checkTopic('createTopic', topic);
    native(() => this.#native.createTopic(topic, partitions, replication));
  }

  /** Closes the broker's connections and takes no new ones. It stays the leader of its partitions: `setLeader` says another. */
  brokerDown(id: number): void {
    checkInteger('brokerDown', 'the broker', id, 1, MAX_BROKER);
    native(() => this.#native.brokerDown(id));
  }

  brokerUp(id: number): void {
    checkInteger('brokerUp', 'the broker', id, 1, MAX_BROKER);
    native(() => this.#native.brokerUp(id));
  }

  /** @param broker an id, or -1: no leader */
  setLeader(topic: string, partition: number, broker: number): void {
    checkTopic('setLeader', topic);
    checkInteger('setLeader', 'the partition', partition, 0, MAX_PARTITION);
    checkInteger('setLeader', 'the broker', broker, -1, MAX_BROKER);
    native(() => this.#native.setLeader(topic, partition, broker));
  }

  /** @param broker an id: fetches are sent there; -1: to the leader */
  setFollower(topic: string, partition: number, broker: number): void {
    checkTopic('setFollower', topic);
    checkInteger('setFollower', 'the partition', partition, 0, MAX_PARTITION);
    checkInteger('setFollower', 'the broker', broker, -1, MAX_BROKER);
    native(() => this.#native.setFollower(topic, partition, broker));
  }

  /**
   * The next requests of one kind fail with these codes, one each, in order.
   * @param apiKey the number of the request in Kafka's protocol: 0 produce, 1 fetch, 2 list offsets, 3 metadata ...
   * @param codes as in `Errors`; 0 lets one request pass, -195 (`_TRANSPORT`) cuts the connection
   */
  injectErrors(apiKey: number, codes: number[]): void {
    checkInteger('injectErrors', 'the request', apiKey, 0, 32_767);
    if (!Array.isArray(codes)) throw invalidType(`injectErrors: the codes must be an array, got ${describe(codes)}`);
    for (const code of codes) checkInteger('injectErrors', 'a code', code, -32_768, 32_767);
    native(() => this.#native.pushErrors(apiKey, codes));
  }

  /** Every request for the topic fails with this code; 0 heals it. */
  setTopicError(topic: string, code: number): void {
    checkTopic('setTopicError', topic);
    checkInteger('setTopicError', 'the code', code, -32_768, 32_767);
    native(() => this.#native.setTopicError(topic, code));
  }

  /**
   * Delays every answer.
   * @param ms for the round trip
   * @param broker an id; default: all
   */
  setLatency(ms: number, broker = -1): void {
    checkInteger('setLatency', 'the time', ms, 0, MAX_LATENCY_MS);
    checkInteger('setLatency', 'the broker', broker, -1, MAX_BROKER);
    native(() => this.#native.setLatency(broker, ms));
  }

  /** Ends the brokers; close the clients first. A second call does nothing. */
  close(): void {
    if (!MockCluster.#open.delete(this)) return;
    native(() => this.#native.close());
  }
}

/** How many there may be is what a cluster was made with: it says so itself. */
const MAX_BROKER = 2 ** 31 - 1;
const MAX_PARTITION = 9999;
const MAX_LATENCY_MS = 86_400_000;

function checkTopic(call: string, topic: unknown): void {
  if (typeof topic !== 'string' || topic === '') throw invalidType(`${call}: the topic must be a string that is not empty, got ${describe(topic)}`);
}

function checkInteger(call: string, what: string, value: unknown, min: number, max: number): void {
  if (typeof value !== 'number') throw invalidType(`${call}: ${what} must be an integer, got ${describe(value)}`);
  if (!Number.isInteger(value) || value < min || value > max) throw outOfRange(`${call}: ${what} must be an integer from ${min} to ${max}, got ${value}`);
}
