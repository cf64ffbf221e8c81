// A WebSocket as the protocols see it.

import type { Identity } from './doors/identity';
import type { Ending } from './ending';
import type { CloseCode } from './errors';
import type { Exchange } from './figures/traffic';
import type { Reads } from './context';

/** The opener of the socket, as `authenticate` said it; undefined: nobody was asked. */
export type Principal = unknown;

/** One client's socket. Everything runs on the JavaScript thread. */
export interface Socket {
  /** Unique in this process. */
  readonly id: string;
  readonly identity: Identity;
  /** Where it comes from; IPv4 in its own form. */
  readonly address: string;
  /** 'kafka.v2.json' ..., 'kafka-proxy 1.0', 'events'. */
  readonly protocol: string;
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly traffic: Exchange;
  /** Its subscriptions now. */
  readonly reads: Iterable<Reads>;
  /** False once it is closing: nothing that is sent reaches the client any more. */
  readonly open: boolean;
  /** Bytes that were sent and the operating system has not taken yet. */
  readonly buffered: number;
  /** Bytes of frames that the operating system has taken since the socket was opened, about. */
  readonly taken: number;
  /** Never throws. A string is a text frame. */
  send(frame: Buffer | string, options?: { binary?: boolean }): void;
  /** Resolves when `buffered` is at most `low` (default {@link LOW}), or the socket is closed. */
  drained(low?: number): Promise<void>;
  /** Reads no more frames of the client's until `release`: it writes faster than they can be worked off. Its close is still noticed. */
  hold(): void;
  release(): void;
  /** Sends a close frame. The reason is cut to 123 bytes. The second call does nothing. */
  close(code: CloseCode, reason: string): void;
  /** Where it was opened, without the query. */
  readonly path?: string | undefined;
  /** It comes when the socket is closed, whoever closed it. */
  readonly closed: Ending;
}

/** A socket whose client answers pings: WebSockets are. */
export interface AnsweringSocket extends Socket {
  /**
   * Resolves with true when the client has answered a ping that was sent behind everything before: it has got it, whatever still lies in the
   * system's buffers. Of a socket that the proxy has closed, a ping that was sent before the close frame. False: the connection has ended before.
   */
  reached(): Promise<boolean>;
  /** Sends a text frame; resolves as `reached`, for this frame. */
  sendAsking(frame: Buffer): Promise<boolean>;
}

/** A socket that has so many bytes waiting gets no more until they are written. */
export const HIGH = 1024 * 1024;
/** So few bytes must wait before it gets more. */
export const LOW = 256 * 1024;
/** Of live topics a socket gets more, for bursts, until so many bytes wait. */
export const FULL = 3 * 1024 * 1024;
/** Bytes that may wait for a socket at the most, besides one frame: behind FULL there is room for answers. */
export const LIMIT = 4 * 1024 * 1024;
