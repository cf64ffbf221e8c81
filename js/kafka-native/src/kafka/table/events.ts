/** The change that a message made. */
export interface TableChange<K, V> {
  key: K;
  /** undefined: deleted. */
  value: V | undefined;
  /** undefined: there was none. */
  previous: V | undefined;
  topic: string;
  /** Of the message; of an entry that went with its topic the partition where it was. */
  partition: number;
  /** Of the message; undefined: the topic was deleted. */
  offset: string | undefined;
}

/** Why a message was not applied; the entry is as it was. The error thrown is the `cause`. */
export interface TableMessageError extends Error {
  topic: string;
  partition: number;
  offset: string;
}

/** The events of a table. */
export interface TableEvents<K, V> {
  /** The table has changed: it has `value` already. Errors that a listener throws, or rejects with, are logged. */
  change: [change: TableChange<K, V>];
  /** A message that was not applied, a {@link TableMessageError}; or what has ended the table. Logged where nobody listens. */
  error: [error: Error | TableMessageError];
}
