/** An error of Kafka, the proxy or the client. */
export class KafkaProxyError extends Error {
  override readonly name = 'KafkaProxyError';

  constructor(
    /**
     * Kafka's name or the proxy's (docs/protocol.md), or the client's own: `CONNECTION_LOST`, `TIMED_OUT`, `QUEUE_FULL`, `TOO_LARGE`,
     * `CLOSED`, `BAD_TOKEN`, `NO_PROXY` (who answers does not speak protocol 2), `CLOSED_4401` and the like (the proxy closed the socket, and the same would happen again).
     */
    readonly code: string,
    message: string,
    /** The same may succeed later. */
    readonly retriable = false,
    /** Of `produce`: it was sent, and nobody knows whether it was written. */
    readonly maybeWritten = false,
  ) {
    super(message);
  }
}

/** Some of the messages were not written. */
export class ProduceError extends KafkaProxyError {
  constructor(
    code: string,
    message: string,
    retriable: boolean,
    /** The result of each message, in their order. */
    readonly results: readonly ProduceResult[],
  ) {
    super(code, message, retriable);
  }
}

/** Where a message was written, or why it was not. */
export type ProduceResult = { partition: number; offset: number } | { error: { code: string; message: string; retriable: boolean } };
