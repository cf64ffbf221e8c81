import { KafkaError } from '../errors';

/** KafkaJS's root of errors. */
export class KafkaJSError extends Error {
  readonly retriable: boolean;
  readonly helpUrl?: string | undefined;

  constructor(e: Error | string, { retriable = true, cause }: { retriable?: boolean; cause?: unknown } = {}) {
    super(typeof e === 'string' ? e : e.message, cause === undefined ? undefined : { cause });
    this.name = 'KafkaJSError';
    this.retriable = retriable;
    this.helpUrl = typeof e === 'string' ? undefined : (e as { helpUrl?: string }).helpUrl;
  }
}

export class KafkaJSNonRetriableError extends KafkaJSError {
  constructor(e: Error | string, { cause }: { cause?: unknown } = {}) {
    super(e, { retriable: false, cause });
    this.name = 'KafkaJSNonRetriableError';
  }
}

/** An error code of the broker's. */
export class KafkaJSProtocolError extends KafkaJSError {
  /** KafkaJS's name of the code, such as `UNKNOWN_TOPIC_OR_PARTITION`. */
  readonly type: string;
  /** Kafka's number. */
  readonly code: number;

  constructor(e: { message: string; type: string; code: number; retriable: boolean }, { retriable = e.retriable, cause }: { retriable?: boolean; cause?: unknown } = {}) {
    super(e as unknown as Error, { retriable, cause });
    this.name = 'KafkaJSProtocolError';
    this.type = e.type;
    this.code = e.code;
  }
}

/**
 * What the addon or librdkafka raised, as the error that a KafkaJS program expects; its `cause` is the KafkaError.
 * Anything that is not a KafkaError stays what it is.
 * @internal
 */
export function toKafkaJSError(error: unknown): Error {
  if (!(error instanceof KafkaError)) return error as Error;
  if (error.errno > 0) {
    return new KafkaJSProtocolError({ message: error.message, type: error.code, code: error.errno, retriable: error.retriable }, { cause: error });
  }
  return error.retriable ? new KafkaJSError(error.message, { cause: error }) : new KafkaJSNonRetriableError(error.message, { cause: error });
}
