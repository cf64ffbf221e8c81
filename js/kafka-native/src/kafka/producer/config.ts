import { OptionReader, type DriverOptions, type Properties } from '../../options';
import type { ClientContext, RetryOptions } from '../client';
import { OWNED as KAFKAS } from '../config';
import { KafkaJSNonRetriableError } from '../errors';
import type { KafkaLogger } from '../logger';
import type { OutboxLimits } from './outbox';
import { Partitioners, type ICustomPartitioner } from './partitioners';

/** How a producer sends: KafkaJS's options, and some more. Times are milliseconds. */
export interface ProducerConfig {
  /** Chooses partitions in JavaScript; default `Partitioners.DefaultPartitioner`, which librdkafka does. */
  createPartitioner?: ICustomPartitioner;
  /**
   * How long a send is tried: what a request may take (`requestTimeout`) and the pauses between the tries; with
   * `idempotent`, five minutes unless it is given. `retries: 0` tries once. librdkafka: `message.timeout.ms`.
   */
  retry?: RetryOptions;
  /** How often topics are looked up again; default 300 000. librdkafka: `topic.metadata.refresh.interval.ms`. */
  metadataMaxAge?: number;
  /** Whether sending may make a topic, where the broker does that; default true. */
  allowAutoTopicCreation?: boolean;
  /** No duplicates, and the order kept, over retries; default false. It takes `acks: -1` only. */
  idempotent?: boolean;
  /** For transactions: one id for each producer, the same after a restart. */
  transactionalId?: string;
  /** After which the broker aborts a transaction; default 60 000. */
  transactionTimeout?: number;
  /** Requests on their way to one broker; default: no bound, and 5 with `idempotent`, which is its most. */
  maxInFlightRequests?: number | null;
  /** How long a message waits for others to share its request with; default 0.5. librdkafka: `linger.ms`. */
  linger?: number;
  /** How long a send waits for room in the buffer before it rejects; default: as long as it takes. */
  maxBlock?: number;
  /**
   * librdkafka's properties, global or of topics; they win over the options above. Properties that the engine owns are refused. The buffer
   * is `queue.buffering.max.messages` (100 000, 0 = no bound) and `queue.buffering.max.kbytes` (1 048 576).
   */
  properties?: DriverOptions;
}

/** Why each of them is not for `properties`. */
const OWNED: Record<string, string> = {
  ...KAFKAS,
  'transactional.id': 'use transactionalId',
  'enable.idempotence': 'use idempotent',
};

/** Settings that follow from the options. @internal */
export interface ReadProducerConfig {
  idempotent: boolean;
  transactionalId: string | undefined;
  transactionTimeout: number;
  createPartitioner: ICustomPartitioner | undefined;
  metadataMaxAge: number;
  limits: OutboxLimits;
  /** For every native client, behind those of the `Kafka`; then for the one of transactions. */
  properties: Properties;
  transactional: Properties;
  /** Which options of a send the user's properties set, too: a send without them leaves those alone. */
  own: Record<'acks' | 'compression' | 'timeout', boolean>;
}

const MAX_INT = 2 ** 31 - 1;
const FIVE_MINUTES = 300_000;

/** Checks the options, and says them in librdkafka's words. @internal */
export function readProducerConfig(config: unknown, context: ClientContext, logger: KafkaLogger): ReadProducerConfig {
  const read = new OptionReader('Producer', config ?? {}, true);
  const given = read.properties('properties');
  for (const [name] of given) {
    if (Object.hasOwn(OWNED, name)) throw new KafkaJSNonRetriableError(`Producer: the property ${name} is the engine's: ${OWNED[name]}`);
  }
  const properties = new Map(given);
  const budget = (name: string, fallback: number): number => {
    const value = properties.get(name) ?? String(fallback);
    properties.delete(name);
    if (/^\d+$/.test(value)) return Number(value) || Infinity;
    throw new RangeError(`Producer: the property ${name} must be a whole number, got '${value}'`);
  };
  const limits: OutboxLimits = {
    messages: budget('queue.buffering.max.messages', 100_000),
    bytes: budget('queue.buffering.max.kbytes', 1_048_576) * 1024,
    maxBlock: read.any('maxBlock') === Infinity ? Infinity : read.number('maxBlock', Infinity, 0, MAX_INT),
  };

  const idempotent = read.boolean('idempotent', false);
  const transactionalId = read.string('transactionalId');
  // KafkaJS takes less; these are librdkafka's least.
  const transactionTimeout = Math.max(read.integer('transactionTimeout', 60_000, 0, MAX_INT), 1000);
  const metadataMaxAge = Math.max(read.integer('metadataMaxAge', FIVE_MINUTES, 0, 3_600_000), 10);
  const linger = read.number('linger', 0.5, 0, 900_000);
  const allowAutoTopicCreation = read.boolean('allowAutoTopicCreation', true);
  const inFlight = read.any('maxInFlightRequests') == null ? undefined : read.integer('maxInFlightRequests', 1, 1, 1_000_000);
  const createPartitioner = read.callback<ICustomPartitioner>('createPartitioner') as ICustomPartitioner | undefined;
  const retry = (read.any('retry') ?? undefined) as RetryOptions | undefined;
  const unknown = read.unknown();
  if (unknown.length > 0) logger.warn(`Unknown options are ignored: ${unknown.join(', ')}`);

  const retries = retry?.retries ?? context.retry.retries;
  if (idempotent && retry !== undefined && retries < 1) {
    throw new KafkaJSNonRetriableError('Idempotent producer must allow retries to protect against transient errors');
  }
  const pauses = sumOfPauses({ ...context.retry, ...retry });
  const tried = idempotent && retry?.retries === undefined ? FIVE_MINUTES : context.requestTimeout + pauses;
  const messageTimeout = Math.min(Math.max(tried, Math.ceil(linger) + 1), MAX_INT);
  const translated: Properties = [
    ['linger.ms', String(linger)],
    ['partitioner', 'murmur2_round_robin'],
    // The broker judges, topic by topic.
    ['message.max.bytes', '1000000000'],
    ['message.timeout.ms', String(messageTimeout)],
    // How long a topic may be unknown, because the brokers are making it, or have not heard of it yet.
    ['topic.metadata.propagation.max.ms', allowAutoTopicCreation ? '2000' : '1000'],
    ['topic.metadata.refresh.interval.ms', String(metadataMaxAge)],
    ['allow.auto.create.topics', String(allowAutoTopicCreation)],
    ...(retries < 1 ? [['retries', '0'] satisfies [string, string]] : []),
  ];
  if (idempotent) translated.push(['enable.idempotence', 'true']);
  if (inFlight !== undefined) translated.push(['max.in.flight.requests.per.connection', String(inFlight)]);
  return {
    idempotent,
    transactionalId,
    transactionTimeout,
    createPartitioner: createPartitioner === Partitioners.DefaultPartitioner ? undefined : createPartitioner,
    metadataMaxAge,
    limits,
    properties: [...translated, ...properties],
    transactional: [
      ['transactional.id', transactionalId ?? ''],
      ['transaction.timeout.ms', String(transactionTimeout)],
      // librdkafka's rule: no request may take longer than the transaction.
      ['socket.timeout.ms', String(Math.min(context.requestTimeout, transactionTimeout, 300_000))],
      ['message.timeout.ms', String(Math.min(messageTimeout, transactionTimeout))],
      ['max.in.flight.requests.per.connection', String(Math.min(inFlight ?? 5, 5))],
      ['retries', String(MAX_INT)],
    ],
    own: {
      acks: properties.has('acks') || properties.has('request.required.acks'),
      compression: properties.has('compression.type') || properties.has('compression.codec'),
      timeout: properties.has('request.timeout.ms'),
    },
  };
}

/** Milliseconds that KafkaJS's tries pause in all. */
function sumOfPauses({ initialRetryTime, multiplier, maxRetryTime, retries }: Required<Omit<RetryOptions, 'restartOnFailure'>>): number {
  let total = 0;
  for (let n = 0, pause = initialRetryTime; n < retries && total < MAX_INT; n++, pause *= multiplier) total += Math.min(pause, maxRetryTime);
  return total;
}
