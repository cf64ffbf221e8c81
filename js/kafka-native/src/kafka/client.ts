import type { Properties } from '../options';
import type { KafkaLogger } from './logger';

/** KafkaJS's retry options; what each of them means here is said where they are read (kafka.ts). */
export interface RetryOptions {
  /** Milliseconds. */
  maxRetryTime?: number;
  /** Milliseconds. */
  initialRetryTime?: number;
  factor?: number;
  multiplier?: number;
  retries?: number;
  restartOnFailure?: (error: Error) => Promise<boolean>;
}

/** What the producers, consumers and admins of one `Kafka` share. @internal */
export interface ClientContext {
  readonly clientId: string;
  /**
   * librdkafka's properties that follow from the configuration of the `Kafka`: brokers (a function of them is called
   * here, so at every `connect`), client id, TLS, SASL, time-outs. Role-specific ones are appended by the client.
   */
  properties(): Promise<Properties>;
  /** The root logger: `logger.namespace('Producer')`. */
  readonly logger: KafkaLogger;
  /** Milliseconds until `connect` gives up on one try; KafkaJS's default 1000. */
  readonly connectionTimeout: number;
  /** Milliseconds that a request may take; KafkaJS's default 30 000. */
  readonly requestTimeout: number;
  readonly retry: Required<Omit<RetryOptions, 'restartOnFailure'>> & Pick<RetryOptions, 'restartOnFailure'>;
  /** For SASL/OAUTHBEARER: asked whenever librdkafka wants a token. */
  readonly tokens?: TokenProvider | undefined;
}

/** A token for SASL/OAUTHBEARER. */
export interface OAuthToken {
  value: string;
  /** When it ends, milliseconds since 1970; read from the `exp` of a JWT when absent. */
  lifetime?: number;
  /** Who it is for; read from the `sub` of a JWT when absent. */
  principal?: string;
  /** SASL extensions. */
  extensions?: Record<string, string>;
}
/** @internal */
export type TokenProvider = () => Promise<OAuthToken>;
