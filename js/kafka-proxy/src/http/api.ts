// Answers of HTTP, as JSON: for the routes, which give them, and for the page, which shows them. Offsets are numbers, times milliseconds since 1970.

/** A second's average; null: not known (yet). */
export interface Rate {
  messages: number | null;
  bytes: number | null;
}

/** Counted since the proxy began. */
export interface Counted {
  messages: number;
  bytes: number;
}

/** `GET /whoami` */
export interface WhoAmI {
  /** null: nobody is asked. */
  name: string | null;
  way: string;
  /** When sockets are closed and answers are 401; null: never. */
  expires: number | null;
  /** Whether it may see brokers and sockets. */
  admin: boolean;
  /** Whether it may see figures, alerts and metrics. */
  metrics: boolean;
  /** The proxy's version, and where its WebSockets are: a path. */
  version: string;
  socket: string;
}

/** `GET /cluster`: who may `admin`. */
export interface Cluster {
  id: string | null;
  controller: number | null;
  brokers: { id: number; host: string; port: number }[];
  /** Why some of it is not known. */
  missing?: string;
}

/** `GET /topics`: those that may be read, by name. */
export interface Topics {
  topics: TopicSummary[];
}
export interface TopicSummary {
  topic: string;
  partitions: number;
  replicas: number;
  /** Partitions of which a replica is not in sync. */
  underReplicated: number;
  /** Partitions without a leader. */
  offline: number;
  /** Between the first and the last offset, markers and what compaction left out included; null: not asked yet. */
  messages: number | null;
  /** Messages written to it. Bytes: only where the proxy reads the topic. */
  rate: Rate;
}

/** `GET /topics/:topic` */
export interface TopicDetail extends TopicSummary {
  details: {
    partition: number;
    /** A broker's id; -1: none. */
    leader: number;
    replicas: number[];
    isr: number[];
    /** -1: not known, while a partition of the topic has no leader. */
    low: number;
    end: number;
  }[];
}

/** A message, as protocol 2 has it, with its topic's partition. Keys, values and headers that are no UTF-8 are in `keyBase64` .... */
export interface HttpMessage {
  partition: number;
  offset: number;
  timestamp: number;
  key?: string;
  keyBase64?: string;
  value?: unknown;
  valueBase64?: string;
  headers?: Record<string, string | null | (string | null)[]>;
  headersBase64?: Record<string, string | null | (string | null)[]>;
}
/** `GET /topics/:topic/messages` */
export interface Messages {
  messages: HttpMessage[];
  /** By partition: the offset behind the last message, or where it ends. */
  next: Record<string, number>;
}

/** `POST /topics/:topic/messages`: what became of each, in their order. */
export interface Written {
  results: ({ partition: number; offset: number } | { error: { code: string; message: string; retriable: boolean } })[];
}

/** `GET /groups`: those that may be seen, by name. */
export interface Groups {
  groups: GroupSummary[];
}
export interface GroupSummary {
  group: string;
  /** Kafka's word: Stable, Empty ...; null: not known. */
  state: string | null;
  protocol: string | null;
  members: number | null;
  /** Messages behind the ends of all its partitions; null: not asked yet. */
  lag: number | null;
}
/** `GET /groups/:group` */
export interface GroupDetail extends GroupSummary {
  assignments: { member: string; client: string; host: string; partitions: { topic: string; partition: number }[] }[];
  /** Those that it has committed, or has members for. offset: null: none is committed; low, end: null: the partition has no leader. */
  offsets: { topic: string; partition: number; offset: number | null; low: number | null; end: number | null; lag: number | null; member: string | null }[];
}
/** `POST /groups/:group/offsets`: what it was, and is (with `dryRun`: would be). */
export interface Reset {
  group: string;
  topic: string;
  dryRun: boolean;
  /** wanted: what was asked for, where the log does not have it: the nearest that it has was taken. */
  offsets: { partition: number; before: number | null; offset: number; wanted?: number }[];
}

/** `GET /sockets`: who may `admin`. */
export interface Sockets {
  /** How many there are; `?limit=` of them, 1000 by default, are in the answer. */
  total: number;
  sockets: SocketFigures[];
}
export interface SocketFigures {
  id: string;
  address: string;
  name: string | null;
  way: string;
  protocol: string;
  since: number;
  /** To the client, and from it. */
  sent: Counted & { rate: Rate };
  received: Counted & { rate: Rate };
  /** Bytes that wait for it. */
  buffered: number;
  /** The first 20, and 20 topics of each; `more`: so many are left out. */
  reads: { id: string | number; topics: readonly string[]; more?: number; pattern?: string; group?: string }[];
  more?: number;
}

/** `GET /figures`: who may see metrics. */
export interface FiguresNow {
  /** Milliseconds since the proxy began. */
  uptime: number;
  memory: number;
  sockets: number;
  sent: Counted & { rate: Rate };
  received: Counted & { rate: Rate };
  refused: Record<string, number>;
  /** Of topics that clients read or wrote. */
  topics: { topic: string; sent: Counted & { rate: Rate }; received: Counted & { rate: Rate } }[];
  groups: { group: string; sent: Counted & { rate: Rate }; lag: number | null }[];
  /** The last minutes, oldest first, evenly apart. */
  history: { at: number; sockets: number; sent: Rate; received: Rate; lag: Record<string, number> }[];
}

/** `GET /groups/:group/history`: of the group's lag, as long as it is watched: by this call, an alert or a client. */
export interface LagHistory {
  group: string;
  history: { at: number; lag: number | null; topics: Record<string, number> }[];
}

/** `GET /alerts`: who may see metrics. */
export interface Alerts {
  alerts: AlertState[];
}
export interface AlertState {
  name: string;
  state: 'ok' | 'firing' | 'unknown';
  /** Since when. */
  since: number;
  /** The situation, in a sentence. */
  message: string;
}

/** Every error: the message says what to do. */
export interface Failure {
  code: string;
  message: string;
  retriable: boolean;
}
