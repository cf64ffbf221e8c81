/** librdkafka's statistics of one client: its STATISTICS.md has all of it. */
export interface Statistics {
  /** The client, unique in its process: `kafkajs#producer-1`. */
  name: string;
  client_id: string;
  type: 'producer' | 'consumer';
  /** The consumer's group, which librdkafka's statistics lack. */
  group?: string;
  brokers: Record<string, BrokerStatistics>;
  topics: Record<string, { topic: string; partitions: Record<string, PartitionStatistics> }>;
  [field: string]: any;
}
interface BrokerStatistics {
  /** `host:port/id`, `host:port/bootstrap` or `GroupCoordinator`. */
  name: string;
  [field: string]: any;
}
interface PartitionStatistics {
  /** -1: what belongs to no partition yet. */
  partition: number;
  [field: string]: any;
}

type Labels = Record<string, string | number>;
interface Metric<T> {
  name: string;
  type: 'counter' | 'gauge';
  help: string;
  /** Undefined: unknown at this moment, so there is no sample. */
  value: (from: T) => number | undefined;
}

const counter = <T>(name: string, help: string, value: Metric<T>['value']): Metric<T> => ({ name: `kafka_client_${name}_total`, type: 'counter', help, value });
const gauge = <T>(name: string, help: string, value: Metric<T>['value']): Metric<T> => ({ name: `kafka_client_${name}`, type: 'gauge', help, value });
/** librdkafka's -1 and -1001 are "not known". */
const known = (value: number | undefined): number | undefined => (value !== undefined && value >= 0 ? value : undefined);
const seconds = (micros: number | undefined): number | undefined => (micros === undefined ? undefined : micros / 1e6);

const OF_CLIENTS: Metric<Statistics>[] = [
  counter('requests', 'Requests sent to brokers.', (s) => s.tx),
  counter('request_bytes', 'Bytes sent to brokers.', (s) => s.tx_bytes),
  counter('responses', 'Responses received from brokers.', (s) => s.rx),
  counter('response_bytes', 'Bytes received from brokers.', (s) => s.rx_bytes),
  counter('messages_sent', 'Messages sent to brokers.', (s) => s.txmsgs),
  counter('message_bytes_sent', 'Bytes of messages sent to brokers.', (s) => s.txmsg_bytes),
  counter('messages_received', 'Messages received from brokers.', (s) => s.rxmsgs),
  counter('message_bytes_received', 'Bytes of messages received from brokers.', (s) => s.rxmsg_bytes),
  gauge('producer_queue_messages', 'Messages of a producer that are queued or in flight.', (s) => (s.type === 'producer' ? s.msg_cnt : undefined)),
  gauge('producer_queue_bytes', 'Bytes of messages of a producer that are queued or in flight.', (s) => (s.type === 'producer' ? s.msg_size : undefined)),
  gauge('assigned_partitions', 'Partitions assigned to a consumer by its group.', (s) => s.cgrp?.assignment_size),
  counter('rebalances', 'Rebalances that a consumer took part in.', (s) => s.cgrp?.rebalance_cnt),
];

const OF_BROKERS: Metric<BrokerStatistics>[] = [
  gauge('broker_up', 'Whether the client is connected to the broker.', (b) => Number(b.state === 'UP')),
  gauge('broker_rtt_average_seconds', 'Average round-trip time of requests in the last interval.', (b) => (b.rtt?.cnt ? seconds(b.rtt.avg) : undefined)),
  gauge('broker_rtt_p99_seconds', '99th percentile of round-trip times in the last interval.', (b) => (b.rtt?.cnt ? seconds(b.rtt.p99) : undefined)),
  gauge('broker_requests_in_flight', 'Requests that the broker has not answered.', (b) => b.waitresp_cnt),
  gauge('broker_requests_waiting', 'Requests that wait to be sent to the broker.', (b) => b.outbuf_cnt),
  gauge('broker_throttle_average_seconds', 'Average time that the broker throttled requests by in the last interval.', (b) =>
    b.throttle?.cnt ? b.throttle.avg / 1e3 : undefined,
  ),
  counter('broker_request_errors', 'Requests that could not be sent.', (b) => b.txerrs),
  counter('broker_request_retries', 'Requests that were tried again.', (b) => b.txretries),
  counter('broker_request_timeouts', 'Requests that were not answered in time.', (b) => b.req_timeouts),
  counter('broker_response_errors', 'Responses that could not be read.', (b) => b.rxerrs),
  counter('broker_connects', 'Tries to connect to the broker.', (b) => b.connects),
  counter('broker_disconnects', 'Connections to the broker that ended.', (b) => b.disconnects),
];

const OF_PARTITIONS: Metric<PartitionStatistics>[] = [
  gauge(
    'partition_consumer_lag',
    "Messages between a consumer group's committed offset, or without a group what is processed, and the end of the partition.",
    (p) => known(p.consumer_lag),
  ),
  gauge('partition_committed_offset', 'The offset that the consumer group committed.', (p) => known(p.committed_offset)),
  gauge('partition_high_watermark', 'The end of the partition, as the last fetch told it.', (p) => known(p.hi_offset)),
  gauge('partition_prefetched_messages', 'Messages fetched and not yet taken.', (p) => p.fetchq_cnt),
  gauge('partition_queued_messages', 'Messages that wait to be sent.', (p) => p.msgq_cnt),
  counter('partition_messages_sent', 'Messages sent to the partition.', (p) => p.txmsgs),
  counter('partition_messages_received', 'Messages received from the partition.', (p) => p.rxmsgs),
];

/**
 * The statistics of one or any number of clients in Prometheus's text format, version 0.0.4 (`text/plain; version=0.0.4`). Every
 * sample is labelled with `client` and `client_id`; with `broker`; with `topic`, `partition` and the consumer's `group`.
 */
export function prometheus(statistics: Statistics | Iterable<Statistics>): string {
  const clients = Symbol.iterator in statistics ? [...(statistics as Iterable<Statistics>)] : [statistics];
  const lists: [Statistics, Labels][] = clients.map((one) => [one, { client: one.name, client_id: one.client_id }]);
  const brokers = lists.flatMap(([{ brokers }, labels]) =>
    Object.values(brokers ?? {}).map((broker): [BrokerStatistics, Labels] => [broker, { ...labels, broker: broker.name }]),
  );
  const partitions = lists.flatMap(([{ topics, group }, labels]) =>
    Object.values(topics ?? {}).flatMap(({ topic, partitions }) =>
      Object.values(partitions)
        .filter(({ partition }) => partition >= 0)
        .map((one): [PartitionStatistics, Labels] => [one, { ...labels, ...(group !== undefined && { group }), topic, partition: one.partition }]),
    ),
  );
  return [
    ...OF_CLIENTS.flatMap((metric) => expose(metric, lists)),
    ...OF_BROKERS.flatMap((metric) => expose(metric, brokers)),
    ...OF_PARTITIONS.flatMap((metric) => expose(metric, partitions)),
  ].join('');
}

/** The lines of one metric, which the format wants together. */
function expose<T>({ name, type, help, value }: Metric<T>, of: [T, Labels][]): string[] {
  const samples = of.flatMap(([from, labels]) => {
    const sample = value(from);
    return sample === undefined
      ? []
      : [
          `${name}{${Object.entries(labels)
            .map(([label, text]) => `${label}="${escape(String(text))}"`)
            .join(',')}} ${sample}\n`,
        ];
  });
  return samples.length === 0 ? [] : [`# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`, ...samples];
}

function escape(label: string): string {
  return label.replace(/[\\"\n]/g, (char) => (char === '\n' ? '\\n' : `\\${char}`));
}

/** The newest statistics of the clients of a `Kafka`. @internal */
export class Metrics {
  /** Whether clients tell their statistics, and are kept for it until they are disconnected. */
  readonly wanted: boolean;
  readonly #newest = new Map<object, string>();
  readonly #onStatistics: ((statistics: Statistics) => unknown) | undefined;
  readonly #onFailure: (error: unknown) => void;

  /** @param onFailure gets what `onStatistics` throws */
  constructor(onStatistics: ((statistics: Statistics) => unknown) | undefined, onFailure: (error: unknown) => void, wanted = false) {
    this.wanted = wanted;
    this.#onStatistics = onStatistics;
    this.#onFailure = onFailure;
  }

  /** `Event.Stats` of a client. @param complete adds what librdkafka does not know */
  take(client: object, json: string, complete?: (statistics: Statistics) => void): void {
    const statistics = complete || this.#onStatistics ? (JSON.parse(json) as Statistics) : undefined;
    if (statistics) complete?.(statistics);
    this.#newest.set(client, complete ? JSON.stringify(statistics) : json);
    if (!this.#onStatistics) return;
    try {
      Promise.resolve(this.#onStatistics(statistics!)).catch(this.#onFailure);
    } catch (error) {
      this.#onFailure(error);
    }
  }

  /** The client was disconnected. */
  forget(client: object): void {
    this.#newest.delete(client);
  }

  text(): string {
    return prometheus([...this.#newest.values()].map((json) => JSON.parse(json) as Statistics));
  }
}
