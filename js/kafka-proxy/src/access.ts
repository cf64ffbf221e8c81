// The question before a client reads, writes or looks.

import type { MessageRule } from 'kafka-native';

/** The operation that a client wants; `authorize` says whether it may. */
export type Access =
  | { operation: 'read'; topic: string }
  | { operation: 'read'; pattern: string }
  | { operation: 'write'; topic: string }
  | { operation: 'group'; group: string }
  /** To see brokers and sockets, or, with a group, to set its offsets. */
  | { operation: 'admin'; group?: string }
  /** `/metrics`, and the figures and alerts of the page. With `rules`, `admin` without `groups` includes this. */
  | { operation: 'metrics' };

/** How much of it, where it is allowed. */
export interface Permission {
  /** Only these messages are read, or may be written; undefined: all. */
  readonly only?: MessageRule | undefined;
  /** Called before so much is written. Throws a ProxyError TOO_MANY_REQUESTS. */
  readonly spend?: ((messages: number, bytes: number) => void) | undefined;
}

/** All of it. */
export const WHOLLY: Permission = {};
