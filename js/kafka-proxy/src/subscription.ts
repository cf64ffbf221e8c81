// The seam between the protocols and what reads Kafka: who reads gives frames to an Outlet; who speaks with the client steers a Subscription.

import type { ProxyError } from './errors';
import type { Flow } from './flow';
import type { Frame, FrameFormat } from './frames';

export interface TopicPartition {
  topic: string;
  partition: number;
}
/** `offset`: of the next message. */
export interface Place extends TopicPartition {
  offset: number;
}
export interface Lag extends Place {
  /** The offset behind the partition's last message. */
  end: number;
  /** Messages that the client has still to get (without a group) or to acknowledge (in one). */
  lag: number;
}
/** Where a partition begins, or goes on. */
export type Seek = number | 'earliest' | 'latest' | { timestamp: number };

/** Events of a subscription besides its messages. */
export type Notice =
  /** Partitions that it has from now on; the next message of each has this offset or a greater one. Also the answer to a seek and a nack. */
  | { type: 'assigned'; partitions: Place[] }
  | { type: 'revoked'; partitions: TopicPartition[] }
  /** All that was there when it subscribed was sent. */
  | { type: 'caughtUp' }
  | { type: 'lag'; partitions: Lag[] }
  /** The group's coordinator has it: this message, and those before it, never come again. `offset` is the message's own. */
  | { type: 'committed'; topic: string; partition: number; offset: number };

/** The receiver of a subscription, written for each protocol. */
export interface Outlet {
  readonly flow: Flow;
  readonly format: FrameFormat;
  /** Sends a frame of messages of one partition; `next` is the offset behind them. Takes it from the flow's credit. Never throws. */
  batch(topic: string, partition: number, frame: Frame, next: number): void;
  /** It goes on at this offset: what lies before it is no message, or none that the format's rule wants. Without a group. */
  passed?(topic: string, partition: number, next: number): void;
  notice(notice: Notice): void;
  /** The subscription goes on; the client is told. */
  warn(error: ProxyError, where?: TopicPartition): void;
  /** The subscription has ended by itself. */
  fail(error: ProxyError): void;
}

/** A running subscription. Calls about partitions that it does not have throw a ProxyError, as do those that its kind does not know. */
export interface Subscription {
  /** Which partitions, all if none is given. The credit's pause is the outlet's flow's. */
  pause(where: TopicPartition[]): void;
  resume(where: TopicPartition[]): void;
  /** Answered by a notice 'assigned'. */
  seek(where: TopicPartition, to: Seek): Promise<void>;
  /** Everything up to this message is processed. */
  ack?(where: TopicPartition, offset: number): void;
  /** This message and those behind it come again, `delay` milliseconds later. */
  nack?(where: TopicPartition, offset: number, delay: number): void;
  /** Answered by a notice 'lag'. */
  lag(): Promise<void>;
  /** Nothing is given to the outlet afterwards. Resolves when what it holds is given back. The second call gives the first one's promise. */
  close(): Promise<void>;
}
