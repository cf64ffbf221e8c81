/** Why a client is refused, or its subscription ends. `code` is Kafka's name where Kafka said it, one of ours otherwise. */
export class ProxyError extends Error {
  override readonly name = 'ProxyError';

  constructor(
    readonly code: string,
    message: string,
    /** Whether the same may succeed later. */
    readonly retriable = false,
    /** With which code the socket is closed, where it is. */
    readonly close: CloseCode = CloseCode.BadRequest,
  ) {
    super(message);
  }

  /** An error as a client gets it: with Kafka's code, or INTERNAL. */
  static of(error: unknown): ProxyError {
    if (error instanceof ProxyError) return error;
    const { type, code, message, retriable, name, cause } = (error ?? {}) as Record<string, unknown>;
    const known = [type, code].find((each) => typeof each === 'string') as string | undefined;
    const will = retriable === true;
    // An error without a code, or of several tries in vain: the error behind it says why.
    if ((known === undefined || name === 'KafkaJSNumberOfRetriesExceeded') && cause) {
      const behind = ProxyError.of(cause);
      return new ProxyError(behind.code, behind.message, will || behind.retriable, behind.close);
    }
    const text = typeof message === 'string' ? message : String(error);
    return new ProxyError(known ?? 'INTERNAL', text, will, CLOSES.get(known ?? '') ?? CloseCode.Internal);
  }
}

/** Why the proxy closes a socket. 4000 and above are ours, the others are RFC 6455's. */
export enum CloseCode {
  /** The proxy ends: connect again, to another if there is one. */
  GoingAway = 1001,
  Internal = 1011,
  /** The client reads too slowly. */
  TooSlow = 1013,
  /** A URL or a message that the proxy does not understand. */
  BadRequest = 4400,
  Unauthorized = 4401,
  Forbidden = 4403,
  UnknownTopic = 4404,
  /** Another socket has taken the place of this one. */
  Replaced = 4409,
  OffsetOutOfRange = 4410,
  /** Of requests of HTTP (413): no socket is closed with it. */
  TooLarge = 4413,
  TooManyRequests = 4429,
}

/** Kafka's errors that have a close code of their own. */
const CLOSES: ReadonlyMap<string, CloseCode> = new Map([
  ['UNKNOWN_TOPIC_OR_PARTITION', CloseCode.UnknownTopic],
  ['TOPIC_AUTHORIZATION_FAILED', CloseCode.Forbidden],
  ['GROUP_AUTHORIZATION_FAILED', CloseCode.Forbidden],
  ['OFFSET_OUT_OF_RANGE', CloseCode.OffsetOutOfRange],
]);
