import type { ConnectionOptions } from 'node:tls';
import { inspect } from 'node:util';
import type { Logger } from '../logger';
import { describe, OptionReader, type DriverOptions, type Properties } from '../options';
import { RETRY, type AssignerName, type ClientContext, type RetryOptions } from './client';
import { KafkaJSConnectionError, KafkaJSNonRetriableError, KafkaJSNotImplemented } from './errors';
import { createLogger, logLevel, logTo, type logCreator } from './logger';
import { Metrics, type Statistics } from './metrics';
import { readSecurity, type Mechanism, type SASLOptions } from './security';
import { giveToken } from './tokens';

export type BrokersFunction = () => string[] | Promise<string[]>;

/** How a {@link Kafka} reaches its cluster: KafkaJS's options, and some more. Times are milliseconds. */
export interface KafkaConfig {
  /** `host:port`; any that answers tells of the others. A function of them is called by every `connect`. */
  brokers: string[] | BrokersFunction;
  /** Shows in the broker's logs and quotas; default `'kafkajs'`. */
  clientId?: string;
  /**
   * TLS: `true`, or `ca`, `cert`, `key`, `passphrase`, `rejectUnauthorized`, `ciphers`, `sigalgs`, `ecdhCurve` of
   * `tls.connect`; what librdkafka cannot do throws and says what can be done. From files: `true`, and `properties` with
   * `ssl.ca.location`, `ssl.certificate.location`, `ssl.key.location`, `ssl.key.password`.
   *
   * Without `ca` the system's authorities are trusted, or Node's where the system has none.
   */
  ssl?: ConnectionOptions | boolean;
  sasl?: SASLOptions | Mechanism;
  /** How long one try to connect may take; default 1000. */
  connectionTimeout?: number;
  /** How long TLS, SASL and the question for a token may take on top; default 10 000. */
  authenticationTimeout?: number;
  /** Has no effect: librdkafka authenticates again, in time, by itself. */
  reauthenticationThreshold?: number;
  /** How long a request may take; default 30 000. */
  requestTimeout?: number;
  /** `false`: a request may take five minutes, librdkafka's most. */
  enforceRequestTimeout?: boolean;
  retry?: RetryOptions;
  /** @deprecated Throws: librdkafka has sockets of its own. */
  socketFactory?: unknown;
  /** Default INFO; the environment's KAFKAJS_LOG_LEVEL wins. */
  logLevel?: logLevel;
  /** Default: a line of JSON to the console. */
  logCreator?: logCreator;
  /** In place of `logCreator`: pino, winston, console, or what has methods like theirs. Each gets one string. */
  logger?: Logger;
  /** How often clients tell their statistics, which `metrics()` and `onStatistics` need; default 0, never. A second or more is right. */
  statisticsInterval?: number;
  /** Gets the statistics of every client of this `Kafka`. */
  onStatistics?: (statistics: Statistics) => unknown;
  /** librdkafka's properties for all clients; they win over the options above. Properties that the engine owns are refused. */
  properties?: DriverOptions;
}

/** Why each of them is not for `properties`, of a `Kafka` or of its clients. @internal */
export const OWNED: Record<string, string> = {
  'bootstrap.servers': 'use brokers',
  'metadata.broker.list': 'use brokers',
  'client.id': 'use clientId',
  'log.queue': 'log lines go to the logger',
  'delivery.report.only.error': 'every message is reported',
  'enable.auto.commit': 'commits follow what was processed',
  'enable.auto.offset.store': 'only what was processed is committed',
  'enable.partition.eof': 'the engine needs it',
  'auto.offset.reset': 'use subscribe({ fromBeginning })',
};

const MAX_INT = 2 ** 31 - 1;
/** The most that librdkafka lets a request take, and its own bounds of the others below. */
const MAX_SOCKET_TIMEOUT = 300_000;

/** Checks the options, and says them in librdkafka's words. @internal */
export function readKafkaConfig(config: unknown, assigner: AssignerName): ClientContext {
  const read = new OptionReader('Kafka', config, true);
  if (read.any('socketFactory') !== undefined) {
    throw new KafkaJSNotImplemented(
      'Kafka: socketFactory is not supported: librdkafka has sockets of its own; for a tunnel or proxy, let `brokers` and the advertised listeners name its address',
    );
  }
  const own = read.properties('properties');
  for (const [name] of own) {
    if (Object.hasOwn(OWNED, name)) throw new KafkaJSNonRetriableError(`Kafka: the property ${name} is the engine's: ${OWNED[name]}`);
  }
  const brokers = read.any('brokers');
  const clientId = read.string('clientId') ?? 'kafkajs';
  const connectionTimeout = read.integer('connectionTimeout', 1000, 1, MAX_INT);
  const authenticationTimeout = read.integer('authenticationTimeout', 10_000, 1, MAX_INT);
  read.any('reauthenticationThreshold');
  const requestTimeout = read.integer('requestTimeout', 30_000, 1, MAX_INT);
  const enforced = read.boolean('enforceRequestTimeout', true);
  const security = readSecurity(read.any('ssl'), read.any('sasl'), own);
  const retry = readRetry(read.any('retry'));

  const bounded = (value: number, min: number, max: number): string => String(Math.min(Math.max(Math.round(value), min), max));
  const statisticsInterval = read.integer('statisticsInterval', 0, 0, 86_400_000);
  // librdkafka writes the id into its JSON as it is.
  if (statisticsInterval > 0 && /["\\\p{Cc}]/u.test(clientId)) {
    throw new KafkaJSNonRetriableError('Kafka: with statisticsInterval the clientId must not contain quotes, backslashes or control characters');
  }
  const onStatistics = read.callback<(statistics: Statistics) => unknown>('onStatistics');
  const setup = security.properties.length > 0 ? connectionTimeout + authenticationTimeout : connectionTimeout;
  const properties: Properties = [
    ['client.id', clientId],
    ['socket.connection.setup.timeout.ms', bounded(setup, 1000, MAX_INT)],
    ['socket.timeout.ms', bounded(enforced ? requestTimeout : MAX_SOCKET_TIMEOUT, 10, MAX_SOCKET_TIMEOUT)],
    ...security.properties,
  ];
  if (statisticsInterval > 0) properties.push(['statistics.interval.ms', String(statisticsInterval)]);
  if (retry.initialRetryTime !== undefined) properties.push(['retry.backoff.ms', bounded(retry.initialRetryTime, 1, 300_000)]);
  // No less than the first, which librdkafka would warn of.
  const longest = retry.maxRetryTime ?? ((retry.initialRetryTime ?? 0) > 1000 ? retry.initialRetryTime : undefined);
  if (longest !== undefined) properties.push(['retry.backoff.max.ms', bounded(longest, 1, 300_000)]);

  const logger = read.logger();
  const creator = logger ? logTo(logger) : read.callback<logCreator>('logCreator');
  const context: ClientContext = {
    clientId,
    assigner,
    metrics: new Metrics(onStatistics, (error) => context.logger.error(`onStatistics failed: ${inspect(error)}`), statisticsInterval > 0),
    properties: async () => {
      const servers = (await addresses(brokers)).join(',');
      if (security.refusal) throw security.refusal;
      return [['bootstrap.servers', servers], ...properties, ...own];
    },
    logger: createLogger(read.any('logLevel') as logLevel | undefined, creator),
    connectionTimeout,
    requestTimeout,
    retry: { ...RETRY, ...retry },
    giveToken: security.tokens && ((native) => void giveToken(native, security.tokens, authenticationTimeout)),
  };
  const unknown = read.unknown();
  if (typeof brokers !== 'function') checkBrokers(brokers, unknown);
  if (unknown.length > 0) context.logger.warn(`Kafka: unknown options are ignored: ${unknown.join(', ')}`);
  return context;
}

/** A retry without what is undefined, so that defaults can be spread below it. */
function readRetry(given: unknown): RetryOptions {
  if (given === undefined) return {};
  const read = new OptionReader('Kafka.retry', given, true);
  const retry: RetryOptions = {};
  for (const name of ['maxRetryTime', 'initialRetryTime', 'factor', 'multiplier', 'retries'] as const) {
    if (read.any(name) !== undefined) retry[name] = read.number(name, 0, 0, MAX_INT);
  }
  const restartOnFailure = read.callback<(error: Error) => Promise<boolean>>('restartOnFailure');
  return restartOnFailure ? { ...retry, restartOnFailure } : retry;
}

/** The brokers of this moment: what a function gives that is wrong rejects `connect`. */
async function addresses(brokers: unknown): Promise<string[]> {
  let list = brokers;
  if (typeof brokers === 'function') {
    try {
      list = await brokers();
    } catch (error) {
      throw new KafkaJSConnectionError(`Failed to connect: "config.brokers" threw: ${(error as Error)?.message ?? error}`, { cause: error });
    }
  }
  return checkBrokers(list, []);
}

/** In KafkaJS's words where it has some. @param unknown options that may be the brokers, misspelt */
function checkBrokers(list: unknown, unknown: readonly string[]): string[] {
  const fail = (what: string): never => {
    throw new KafkaJSNonRetriableError(`Failed to connect: ${what}${unknown.length > 0 ? `; unknown options: ${unknown.join(', ')}` : ''}`);
  };
  if (list === undefined || list === null) return fail('brokers should not be null');
  if (!Array.isArray(list)) return fail(`brokers must be an array of 'host:port', got ${describe(list)}`);
  if (list.length === 0) return fail('brokers array is empty');
  list.forEach((broker: unknown, index) => {
    if (typeof broker !== 'string' || broker === '') fail(`broker at index ${index} is invalid "${String(broker)}"`);
    const why = refusedAddress(broker as string);
    if (why) fail(`broker at index ${index} must be host:port, ${why}, got ${describe(broker)}`);
  });
  return list as string[];
}

/** The fault of an address: librdkafka reads a scheme as a protocol of its own, and 99999 as 34463. Several may stand in one text. */
function refusedAddress(broker: string): string | undefined {
  for (const address of broker.split(',')) {
    if (address.includes('://')) return 'without a scheme (TLS is the option ssl)';
    const [, port] = /^(?:\[[^\]]*\]|[^:[\]]*):(.*)$/s.exec(address.trim()) ?? [];
    if (port !== undefined && !(/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535)) return 'with a port from 1 to 65535';
  }
  return undefined;
}
