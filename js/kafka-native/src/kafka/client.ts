import type { NativeTokens } from '../binding';
import type { Properties } from '../options';
import type { KafkaLogger } from './logger';
import type { Metrics } from './metrics';

/**
 * KafkaJS's retry options. They say how long `connect` tries ({@link connectDeadline}) and when a failed handler is run
 * again; requests are tried again by librdkafka, with pauses from `initialRetryTime` to `maxRetryTime` where those are given.
 */
export interface RetryOptions {
  /** The longest pause between two tries, milliseconds; default 30 000. */
  maxRetryTime?: number;
  /** The first pause, milliseconds; default 300. */
  initialRetryTime?: number;
  /** How far a pause may be off, to either side; default 0.2. */
  factor?: number;
  /** Ratio of each pause to the one before; default 2. */
  multiplier?: number;
  /** Tries behind the first; default 5. */
  retries?: number;
  /** Consumers: whether to go on after an error that is not retriable, or after the last retry; default: after retriable ones. */
  restartOnFailure?: (error: Error) => Promise<boolean>;
}

/** Defaults of {@link RetryOptions}. @internal */
export const RETRY = { maxRetryTime: 30_000, initialRetryTime: 300, factor: 0.2, multiplier: 2, retries: 5 } as const;

/** How a group can divide partitions. */
export type AssignerName = 'roundRobin' | 'range' | 'cooperativeSticky';

/** The context that the producers, consumers and admins of one `Kafka` share. @internal */
export interface ClientContext {
  readonly clientId: string;
  /** How groups divide partitions where a consumer does not say. */
  readonly assigner: AssignerName;
  /**
   * librdkafka's properties that follow from the configuration of the `Kafka`: brokers (a function of them is called
   * here, so at every `connect`), client id, TLS, SASL, time-outs. Role-specific ones are appended by the client.
   */
  properties(): Promise<Properties>;
  /** The root logger: `logger.namespace('Producer')`. */
  readonly logger: KafkaLogger;
  /** Milliseconds of one try to connect. */
  readonly connectionTimeout: number;
  /** Milliseconds that a request may take. */
  readonly requestTimeout: number;
  readonly retry: Required<Omit<RetryOptions, 'restartOnFailure'>> & Pick<RetryOptions, 'restartOnFailure'>;
  /** With SASL/OAUTHBEARER: answers `Event.Token` of a client that was made with the option `tokens`. */
  readonly giveToken: ((native: NativeTokens) => void) | undefined;
  /** `take` what `Event.Stats` brings, and `forget` a client that was disconnected. How often they come is among the properties. */
  readonly metrics: Metrics;
}

/**
 * Milliseconds after which `connect` gives up where nobody answers: what KafkaJS's tries and the pauses between them take. A
 * refusal (a password, a certificate) ends it at once. @internal
 */
export function connectDeadline({ connectionTimeout, retry }: ClientContext): number {
  let total = connectionTimeout;
  for (let n = 0, pause = retry.initialRetryTime; n < retry.retries; n++, pause *= retry.multiplier) {
    total += connectionTimeout + Math.min(pause, retry.maxRetryTime);
  }
  return Math.min(total, 2 ** 31 - 1);
}
