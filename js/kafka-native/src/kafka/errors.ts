import { KafkaError } from '../errors';
import { codeOf, failureOf, protocolCode, UNKNOWN, type ProtocolFailure, type ProtocolType } from './protocol-codes';

/** The message argument of KafkaJS's constructors: a text, or an error whose message and help they show. */
type Reason = Error | string;

/** KafkaJS's root of errors. `retriable`: whether the same call can succeed later without a change. */
export class KafkaJSError extends Error {
  override readonly name: string = 'KafkaJSError';
  readonly retriable: boolean;
  readonly helpUrl?: string | undefined;

  constructor(e: Reason = '', { retriable = true, cause }: { retriable?: boolean; cause?: unknown } = {}) {
    super(typeof e === 'string' ? e : e.message, cause === undefined ? undefined : { cause });
    this.retriable = retriable;
    this.helpUrl = typeof e === 'string' ? undefined : (e as { helpUrl?: string }).helpUrl;
  }
}

export class KafkaJSNonRetriableError extends KafkaJSError {
  override readonly name: string = 'KafkaJSNonRetriableError';

  constructor(e?: Reason, { cause }: { cause?: unknown } = {}) {
    super(e, { retriable: false, cause });
  }
}

/** An error code of a broker. */
export class KafkaJSProtocolError extends KafkaJSError {
  override readonly name: string = 'KafkaJSProtocolError';
  /** KafkaJS's name of the code, such as `UNKNOWN_TOPIC_OR_PARTITION`. */
  readonly type: string;
  /** Kafka's number. */
  readonly code: number;

  constructor(e: Reason | ProtocolFailure, { retriable, cause }: { retriable?: boolean | undefined; cause?: unknown } = {}) {
    const { type, code, retriable: own } = e as ProtocolFailure;
    super(e as Reason, { retriable: retriable ?? own, cause });
    this.type = type;
    this.code = code;
  }
}

/** The log does not have the wanted offset. */
export class KafkaJSOffsetOutOfRange extends KafkaJSProtocolError {
  override readonly name: string = 'KafkaJSOffsetOutOfRange';
  readonly topic: string;
  readonly partition: number;

  constructor(e: Reason | ProtocolFailure, { topic, partition, cause }: { topic: string; partition: number; cause?: unknown }) {
    super(e, { cause });
    this.topic = topic;
    this.partition = partition;
  }
}

export class KafkaJSMemberIdRequired extends KafkaJSProtocolError {
  override readonly name: string = 'KafkaJSMemberIdRequired';
  readonly memberId: string;

  constructor(e: Reason | ProtocolFailure, { memberId }: { memberId: string }) {
    super(e);
    this.memberId = memberId;
  }
}

/** Tried until the retries or their time were used up; `cause` is the last failure. */
export class KafkaJSNumberOfRetriesExceeded extends KafkaJSNonRetriableError {
  override readonly name: string = 'KafkaJSNumberOfRetriesExceeded';
  /** How often it was tried again, where that is known: librdkafka does not count. */
  readonly retryCount: number;
  /** Milliseconds of the last pause between two tries, where that is known. */
  readonly retryTime: number;

  constructor(e: Reason, { retryCount, retryTime }: { retryCount: number; retryTime: number }) {
    super(e, { cause: e });
    this.stack = `${this.name}\n  Caused by: ${(e as Error).stack}`;
    this.retryCount = retryCount;
    this.retryTime = retryTime;
  }
}

/** No connection, or it was lost: the network, the name, or TLS. */
export class KafkaJSConnectionError extends KafkaJSError {
  override readonly name: string = 'KafkaJSConnectionError';
  /** `host:port` */
  readonly broker?: string | undefined;
  /** `ECONNREFUSED`, `ENOTFOUND`, `ETIMEDOUT`; else librdkafka's name, such as `_SSL`. */
  readonly code?: string | undefined;

  constructor(e?: Reason, { broker, code, cause }: { broker?: string | undefined; code?: string | undefined; cause?: unknown } = {}) {
    super(e, { cause });
    this.broker = broker;
    this.code = code;
  }
}

export class KafkaJSConnectionClosedError extends KafkaJSConnectionError {
  override readonly name: string = 'KafkaJSConnectionClosedError';
  readonly host?: string | undefined;
  readonly port?: number | undefined;

  constructor(e?: Reason, { host, port }: { host?: string; port?: number } = {}) {
    super(e, { broker: `${host}:${port}` });
    this.host = host;
    this.port = port;
  }
}

/** A request was not answered in time. Fields only KafkaJS's own connections know (`correlationId` and the times) are undefined. */
export class KafkaJSRequestTimeoutError extends KafkaJSError {
  override readonly name: string = 'KafkaJSRequestTimeoutError';
  readonly broker?: string | undefined;
  readonly correlationId?: number | undefined;
  readonly createdAt?: number | undefined;
  readonly sentAt?: number | undefined;
  readonly pendingDuration?: number | undefined;

  constructor(
    e?: Reason,
    metadata: {
      broker?: string | undefined;
      clientId?: string;
      correlationId?: number;
      createdAt?: number;
      sentAt?: number;
      pendingDuration?: number;
      cause?: unknown;
    } = {},
  ) {
    super(e, { cause: metadata.cause });
    this.broker = metadata.broker;
    this.correlationId = metadata.correlationId;
    this.createdAt = metadata.createdAt;
    this.sentAt = metadata.sentAt;
    this.pendingDuration = metadata.pendingDuration;
  }
}

export class KafkaJSMetadataNotLoaded extends KafkaJSError {
  override readonly name: string = 'KafkaJSMetadataNotLoaded';
}

export class KafkaJSTopicMetadataNotLoaded extends KafkaJSMetadataNotLoaded {
  override readonly name: string = 'KafkaJSTopicMetadataNotLoaded';
  readonly topic?: string | undefined;

  constructor(e?: Reason, { topic }: { topic?: string } = {}) {
    super(e);
    this.topic = topic;
  }
}

export class KafkaJSStaleTopicMetadataAssignment extends KafkaJSError {
  override readonly name: string = 'KafkaJSStaleTopicMetadataAssignment';
  readonly topic?: string | undefined;
  readonly unknownPartitions?: unknown;

  constructor(e?: Reason, { topic, unknownPartitions }: { topic?: string; unknownPartitions?: unknown } = {}) {
    super(e);
    this.topic = topic;
    this.unknownPartitions = unknownPartitions;
  }
}

/** Of some groups only; `groups` has each that was not deleted. */
export class KafkaJSDeleteGroupsError extends KafkaJSError {
  override readonly name: string = 'KafkaJSDeleteGroupsError';
  readonly groups: { groupId: string; errorCode?: number; error?: KafkaJSError }[];

  constructor(e?: Reason, groups: { groupId: string; errorCode?: number; error?: KafkaJSError }[] = []) {
    super(e);
    this.groups = groups;
  }
}

export class KafkaJSServerDoesNotSupportApiKey extends KafkaJSNonRetriableError {
  override readonly name: string = 'KafkaJSServerDoesNotSupportApiKey';
  readonly apiKey?: number | undefined;
  readonly apiName?: string | undefined;

  constructor(e?: Reason, { apiKey, apiName, ...options }: { apiKey?: number; apiName?: string; cause?: unknown } = {}) {
    super(e, options);
    this.apiKey = apiKey;
    this.apiName = apiName;
  }
}

export class KafkaJSBrokerNotFound extends KafkaJSError {
  override readonly name: string = 'KafkaJSBrokerNotFound';
}

export class KafkaJSPartialMessageError extends KafkaJSNonRetriableError {
  override readonly name: string = 'KafkaJSPartialMessageError';
}

/** The broker refused the credentials, or there are none: a token provider that failed. */
export class KafkaJSSASLAuthenticationError extends KafkaJSNonRetriableError {
  override readonly name: string = 'KafkaJSSASLAuthenticationError';
}

export class KafkaJSGroupCoordinatorNotFound extends KafkaJSNonRetriableError {
  override readonly name: string = 'KafkaJSGroupCoordinatorNotFound';
}

/** KafkaJS has it, this client does not; the message names the alternative. */
export class KafkaJSNotImplemented extends KafkaJSNonRetriableError {
  override readonly name: string = 'KafkaJSNotImplemented';
}

export class KafkaJSTimeout extends KafkaJSNonRetriableError {
  override readonly name: string = 'KafkaJSTimeout';
}

export class KafkaJSLockTimeout extends KafkaJSTimeout {
  override readonly name: string = 'KafkaJSLockTimeout';
}

export class KafkaJSUnsupportedMagicByteInMessageSet extends KafkaJSNonRetriableError {
  override readonly name: string = 'KafkaJSUnsupportedMagicByteInMessageSet';
}

/** Of some partitions only; retriable when every one of their errors is. */
export class KafkaJSDeleteTopicRecordsError extends KafkaJSError {
  override readonly name: string = 'KafkaJSDeleteTopicRecordsError';
  readonly partitions: { partition: number; offset: string; error?: KafkaJSError }[];

  constructor({ partitions }: { topic?: string; partitions: { partition: number; offset: string; error?: KafkaJSError }[] }) {
    super('Error while deleting records', { retriable: partitions.every(({ error }) => error == null || error.retriable === true) });
    this.partitions = partitions;
  }
}

/** A bug of this package. */
export class KafkaJSInvariantViolation extends KafkaJSNonRetriableError {
  override readonly name: string = 'KafkaJSInvariantViolation';

  constructor(e: Reason) {
    super(`Invariant violated: ${typeof e === 'string' ? e : e.message}. This is likely a bug and should be reported.`);
  }
}

/** Carries its parent's name, as in KafkaJS. */
export class KafkaJSInvalidVarIntError extends KafkaJSNonRetriableError {}

/** Carries its parent's name, as in KafkaJS. */
export class KafkaJSInvalidLongError extends KafkaJSNonRetriableError {}

/** A topic that was not made; one of the `errors` of a {@link KafkaJSAggregateError}. */
export class KafkaJSCreateTopicError extends KafkaJSProtocolError {
  override readonly name: string = 'KafkaJSCreateTopicError';
  readonly topic: string;

  constructor(e: Reason | ProtocolFailure, topicName: string, options?: { cause?: unknown }) {
    super(e, options);
    this.topic = topicName;
  }
}

export class KafkaJSAlterPartitionReassignmentsError extends KafkaJSProtocolError {
  override readonly name: string = 'KafkaJSAlterPartitionReassignmentsError';
  readonly topic?: string | undefined;
  readonly partition?: number | undefined;

  constructor(e: Reason | ProtocolFailure, topicName?: string, partition?: number) {
    super(e);
    this.topic = topicName;
    this.partition = partition;
  }
}

/** Several items failed, each for a reason of its own. */
export class KafkaJSAggregateError extends Error {
  override readonly name: string = 'KafkaJSAggregateError';
  readonly errors: (Error | string)[];

  constructor(message: Reason, errors: (Error | string)[]) {
    super(String(message));
    this.errors = errors;
  }
}

export class KafkaJSFetcherRebalanceError extends Error {}

export class KafkaJSNoBrokerAvailableError extends KafkaJSError {
  override readonly name: string = 'KafkaJSNoBrokerAvailableError';

  constructor() {
    super('No broker available');
  }
}

/** Errors that librdkafka finds out itself, and KafkaJS would hear from a broker. */
const AS_IF_SENT: Record<string, ProtocolType> = {
  _UNKNOWN_TOPIC: 'UNKNOWN_TOPIC_OR_PARTITION',
  _UNKNOWN_PARTITION: 'UNKNOWN_TOPIC_OR_PARTITION',
  _AUTO_OFFSET_RESET: 'OFFSET_OUT_OF_RANGE',
  // A producer whose transactional id another one took: KafkaJS programs look for INVALID_PRODUCER_EPOCH.
  _FENCED: 'INVALID_PRODUCER_EPOCH',
  PRODUCER_FENCED: 'INVALID_PRODUCER_EPOCH',
};

/** Answers of a broker to credentials that it does not take. */
const REFUSED = new Set(['_AUTHENTICATION', 'SASL_AUTHENTICATION_FAILED', 'UNSUPPORTED_SASL_MECHANISM']);

/**
 * An error of the addon or of librdkafka, as a KafkaJS program expects it; a KafkaError is behind it as `cause`.
 * Anything that is not a KafkaError stays what it is.
 * @internal
 */
export function toKafkaJSError(error: unknown): Error {
  if (!(error instanceof KafkaError)) return error as Error;
  const { message, code: name, topic, partition } = error;
  if (REFUSED.has(name)) return new KafkaJSSASLAuthenticationError(message, { cause: error });
  const asIfSent = AS_IF_SENT[name];
  const code = asIfSent === undefined ? error.errno : codeOf(asIfSent);
  if (code >= UNKNOWN) {
    const failure = { message, code, ...(protocolCode(code) ?? { type: name, retriable: error.retriable }) };
    return failure.type === 'OFFSET_OUT_OF_RANGE' && topic !== undefined && partition !== undefined
      ? new KafkaJSOffsetOutOfRange(failure, { topic, partition, cause: error })
      : new KafkaJSProtocolError(failure, { cause: error });
  }
  switch (name) {
    case 'ETIMEDOUT':
    case '_MSG_TIMED_OUT': {
      // It was tried again until its time was over.
      const { cause } = error;
      // That all brokers are down says nothing; the error itself does.
      const last = !(cause instanceof KafkaError)
        ? new KafkaJSRequestTimeoutError(message, { cause: error })
        : cause.code === '_ALL_BROKERS_DOWN'
          ? new KafkaJSConnectionError(message, { code: cause.code, cause: error })
          : toKafkaJSError(cause);
      return (last as KafkaJSError).retriable ? new KafkaJSNumberOfRetriesExceeded(last, { retryCount: 0, retryTime: 0 }) : last;
    }
    case '_TIMED_OUT':
    case '_TIMED_OUT_QUEUE':
      return new KafkaJSRequestTimeoutError(message, { broker: address(error), cause: error });
    case '_TRANSPORT':
    case '_RESOLVE':
    case '_ALL_BROKERS_DOWN':
    case '_SSL':
      return new KafkaJSConnectionError(message, { broker: address(error), code: connectionCode(error), cause: error });
    case '_UNSUPPORTED_FEATURE':
      return new KafkaJSServerDoesNotSupportApiKey(message, { cause: error });
    case '_WAIT_COORD':
      return new KafkaJSGroupCoordinatorNotFound(message, { cause: error });
    default:
      return error.retriable ? new KafkaJSError(message, { cause: error }) : new KafkaJSNonRetriableError(message, { cause: error });
  }
}

/** Why `connect` has failed: a connection that could not be made is behind the error of all tries. @internal */
export function toConnectError(error: unknown): Error {
  const why = toKafkaJSError(error);
  const tried = why instanceof KafkaJSConnectionError && why.cause instanceof KafkaError;
  return tried ? new KafkaJSNumberOfRetriesExceeded(why, { retryCount: 0, retryTime: 0 }) : why;
}

/** A name that no topic can have, as the error of the broker that would be asked. @internal */
export function invalidTopic(message: string): KafkaJSProtocolError {
  return new KafkaJSProtocolError(failureOf('INVALID_TOPIC_EXCEPTION', message));
}

/** `host:port` of librdkafka's `sasl_ssl://host:port/1` or `host:port/bootstrap`. */
function address({ broker }: KafkaError): string | undefined {
  return broker?.replace(/^[a-z_]+:\/\//, '').replace(/\/[^/]*$/, '');
}

/** Node's code where librdkafka's text tells it: what KafkaJS's sockets report. */
function connectionCode({ code, message }: KafkaError): string {
  if (code === '_RESOLVE') return 'ENOTFOUND';
  if (code === '_TRANSPORT' && message.includes('Connection refused')) return 'ECONNREFUSED';
  return code;
}
