// Parts of a proxy that its protocols share.

import type { Kafka, KafkaAdmin } from 'kafka-native';
import type { KafkaProducer } from 'kafka-native';
import type { Access, Permission } from './access';
import type { Apart } from './apart';
import type { Audit } from './doors/audit';
import type { Identity } from './doors/identity';
import type { Tickets } from './doors/tickets';
import type { Figures } from './figures/figures';
import type { Metrics } from './figures/metrics';
import type { Reports } from './figures/reports';
import type { Samples } from './figures/samples';
import type { Groups } from './group/groups';
import type { Logs } from './log/logs';
import type { LegacyOptions, Limits, Log } from './options';
import type { SlowSockets } from './slow';
import type { AnsweringSocket, Socket } from './socket';
import type { Writers } from './v2/producing';

/** One a proxy. Its clients of Kafka are made when somebody needs them, and ended by the proxy. */
export interface Context {
  readonly kafka: Kafka;
  readonly limits: Limits;
  readonly legacy: LegacyOptions;
  readonly log: Log;
  /** Whether the page is served. */
  readonly ui: boolean;
  readonly figures: Figures;
  /** Kafka's figures of topics and groups, as long as somebody looks. */
  readonly samples: Samples;
  readonly reports: Reports;
  readonly metrics: Metrics;
  /** The proxy ends. */
  readonly closing: boolean;
  /** Everybody's sockets, and answers that go on. They are closed with the proxy, and when their identity expires. */
  readonly sockets: Set<Socket>;
  /** Closes those that take nothing of what they are sent. */
  readonly slow: SlowSockets;
  readonly writers: Writers;
  readonly tickets: Tickets;
  readonly audit: Audit;
  /** Readers without a group. */
  readonly logs: Logs;
  /** Readers in groups. */
  readonly groups: Groups;
  /** Connected. */
  admin(): Promise<KafkaAdmin>;
  /** Connected; idempotent, acks all, makes no topics. */
  producer(): Promise<KafkaProducer>;
  /** For messages that were refused with others. */
  readonly apart: Apart;
  /** Whether rules or `authorize` decide: what they said of an access is worth keeping. */
  readonly guarded: boolean;
  /** Rejects with a ProxyError FORBIDDEN (CloseCode.Forbidden) when rules or `authorize` say no. */
  allow(identity: Identity, access: Access): Promise<Permission>;
}

/** A subscription as it is shown. */
export interface Reads {
  readonly id: string | number;
  readonly topics: readonly string[];
  readonly pattern?: string | undefined;
  readonly group?: string | undefined;
}

/** One client's conversation. */
export interface Conversation {
  /** A frame of the client's. Never throws. */
  received(data: Buffer, binary: boolean): void;
  /** Its subscriptions now, for people. */
  reads?(): Iterable<Reads>;
  /** The proxy ends, or the socket is closed: no more is given; what the client acknowledged is committed when it resolves. Never rejects. */
  end(): Promise<void>;
}

/** A protocol: begins the conversation of a socket that was let in. */
export type Protocol = (socket: AnsweringSocket, context: Context, query: URLSearchParams) => Conversation;
