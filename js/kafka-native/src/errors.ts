import type { NativeErrorData } from './binding';
import { codeOf, errnoOf } from './codes';

/** Fields of a {@link KafkaError} besides its message. */
export interface KafkaErrorDetails {
  code: string;
  errno: number;
  retriable?: boolean;
  fatal?: boolean;
  txnRequiresAbort?: boolean;
  topic?: string | undefined;
  partition?: number | undefined;
  broker?: string | undefined;
  cause?: unknown;
}

/** Every failure of Kafka, of librdkafka, or of a call in the wrong state. Wrong arguments throw TypeError or RangeError. */
export class KafkaError extends Error {
  /** librdkafka's name: `_TRANSPORT`, `TOPIC_AUTHORIZATION_FAILED`, `_STATE`; `ETIMEDOUT` when a deadline of the call passed. */
  readonly code: string;
  /** librdkafka's number: below zero local, otherwise the broker's. `Errors[errno]` is its C name. */
  readonly errno: number;
  /** Whether the same call can succeed later without a change. */
  readonly retriable: boolean;
  /** Whether the client is of no further use. */
  readonly fatal: boolean;
  /** Whether the transaction can only be aborted; after that the producer can begin another. */
  declare readonly txnRequiresAbort?: boolean;
  /** The topic that the error is about. */
  declare readonly topic?: string;
  /** The partition that the error is about. */
  declare readonly partition?: number;
  /** The broker that the error is about, `host:port/id`. */
  declare readonly broker?: string;

  constructor(message: string, details: KafkaErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = details.code;
    this.errno = details.errno;
    this.retriable = details.retriable ?? false;
    this.fatal = details.fatal ?? false;
    if (details.txnRequiresAbort) this.txnRequiresAbort = true;
    if (details.topic !== undefined) this.topic = details.topic;
    if (details.partition !== undefined) this.partition = details.partition;
    if (details.broker !== undefined) this.broker = details.broker;
  }
}
Object.defineProperty(KafkaError.prototype, 'name', { value: 'KafkaError', configurable: true, writable: true });

/** The error that the addon describes. @internal */
export function fromData(data: NativeErrorData): KafkaError {
  return new KafkaError(data.message, {
    code: data.kind === 'timeout' ? 'ETIMEDOUT' : data.name,
    errno: data.code,
    retriable: data.retriable,
    fatal: data.fatal,
    txnRequiresAbort: data.txnRequiresAbort,
    topic: data.topic,
    partition: data.partition,
    broker: data.broker,
    cause: data.causes?.[0] && fromData(data.causes[0]),
  });
}

/** An error that the addon threw: its `code` is librdkafka's name. Anything else stays what it is. @internal */
export function fromThrown(thrown: unknown): unknown {
  if (thrown instanceof KafkaError) return thrown;
  const code = (thrown as { code?: unknown } | null)?.code;
  const errno = errnoOf(code);
  return errno === undefined ? thrown : new KafkaError((thrown as Error).message, { code: code as string, errno, cause: thrown });
}

/** Runs what may throw out of the addon. @internal */
export function native<T>(call: () => T): T {
  try {
    return call();
  } catch (thrown) {
    throw fromThrown(thrown);
  }
}

/** A call that does not fit the state of its object. @internal */
export function stateError(message: string): KafkaError {
  return new KafkaError(message, codeOf('_STATE'));
}

/** The deadline of a call passed. @internal */
export function timeoutError(message: string): KafkaError {
  return new KafkaError(message, { ...codeOf('_TIMED_OUT'), code: 'ETIMEDOUT', retriable: true });
}

/** @internal */
export function invalidType(message: string): TypeError {
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' });
}

/** @internal */
export function invalidValue(message: string): TypeError {
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_VALUE' });
}

/** @internal */
export function outOfRange(message: string): RangeError {
  return Object.assign(new RangeError(message), { code: 'ERR_OUT_OF_RANGE' });
}
