import type { Bus } from './bus';

/** Figures of one server's connection to Kafka. */
export interface AdapterStats {
  /** Whether what other servers send is heard: something came from Kafka within `heartbeatTimeout`. */
  ready: boolean;
  /** The other servers that were heard in `heartbeatTimeout`. */
  servers: number;
  namespaces: number;
  /** Records of the log behind the one that was read last, as of each partition's last batch. */
  lag: number;
  /** Of the last thousand sends: how many there were in all, and milliseconds until Kafka had them. */
  acknowledgements: { count: number; p50: number; p99: number };
  /** Records that were read. */
  read: number;
  /** Records that a rule left out in Rust. */
  leftOut: number;
  /** Records that were not written: dropped to make room, or refused. Of records that went to Kafka in one call, and of which it refused any, all count. */
  dropped: number;
  /** Records that could not be read. */
  unreadable: number;
  /** Errors that were reported, or would have been again. */
  errors: number;
  /** Records that wait for Kafka, or are under way. */
  queued: { records: number; bytes: number };
  /** Connection state recovery; undefined where it is off. */
  recovery?: {
    packets: number;
    ringBytes: number;
    sessions: number;
    sessionBytes: number;
    /** Clients that came back to their session, and those that had to begin anew. */
    recovered: number;
    notRecovered: number;
    /** Packets that local clients got without an offset, as Kafka was slow. */
    early: number;
  };
}

export function statsOf(bus: Bus): AdapterStats {
  const { figures, recovery } = bus;
  const { lags, read, leftOut, dropped, unreadable, errors } = figures;
  return {
    ready: bus.ready,
    servers: bus.peers.count,
    namespaces: bus.members.size,
    lag: [...lags.values()].reduce((sum, lag) => sum + lag, 0),
    acknowledgements: figures.latency(),
    read,
    leftOut,
    dropped,
    unreadable,
    errors,
    queued: bus.queued,
    ...(recovery && {
      recovery: {
        packets: recovery.ring.length,
        ringBytes: recovery.ring.bytes,
        sessions: recovery.sessions.count,
        sessionBytes: recovery.sessions.bytes,
        recovered: figures.recovered,
        notRecovered: figures.notRecovered,
        early: figures.early,
      },
    }),
  };
}

/** In Prometheus's text format, version 0.0.4. */
export function prometheusOf(bus: Bus): string {
  const stats = statsOf(bus);
  const { recovery } = stats;
  const label = `{key="${bus.topic}"}`;
  const lines: string[] = [];
  const metric = (name: string, type: 'gauge' | 'counter', help: string, value: number | undefined): void => {
    if (value === undefined) return;
    lines.push(`# HELP socket_io_kafka_${name} ${help}`, `# TYPE socket_io_kafka_${name} ${type}`, `socket_io_kafka_${name}${label} ${value}`);
  };
  metric('ready', 'gauge', 'Whether what other servers send is heard.', Number(stats.ready));
  metric('servers', 'gauge', 'Other servers that live.', stats.servers);
  metric('namespaces', 'gauge', 'Namespaces of this server.', stats.namespaces);
  metric('lag', 'gauge', 'Records of the log that are not read yet.', stats.lag);
  const latency = `socket_io_kafka_acknowledgement_seconds`;
  lines.push(`# HELP ${latency} Time until Kafka had a record, of the last thousand.`, `# TYPE ${latency} summary`);
  for (const [quantile, ms] of [
    [0.5, stats.acknowledgements.p50],
    [0.99, stats.acknowledgements.p99],
  ] as const)
    lines.push(`${latency}{key="${bus.topic}",quantile="${quantile}"} ${ms / 1000}`);
  lines.push(`${latency}_count${label} ${stats.acknowledgements.count}`);
  metric('read_total', 'counter', 'Records that were read.', stats.read);
  metric('left_out_total', 'counter', 'Records that a rule left out.', stats.leftOut);
  metric('dropped_total', 'counter', 'Records that were dropped or refused.', stats.dropped);
  metric('unreadable_total', 'counter', 'Records that could not be read.', stats.unreadable);
  metric('errors_total', 'counter', 'Errors that were told.', stats.errors);
  metric('queued_records', 'gauge', 'Records that wait for Kafka.', stats.queued.records);
  metric('queued_bytes', 'gauge', 'Their bytes.', stats.queued.bytes);
  metric('ring_packets', 'gauge', 'Packets that are kept for clients that come back.', recovery?.packets);
  metric('ring_bytes', 'gauge', 'Their bytes.', recovery?.ringBytes);
  metric('sessions', 'gauge', 'Sessions that clients may come back to.', recovery?.sessions);
  metric('session_bytes', 'gauge', 'Their bytes.', recovery?.sessionBytes);
  metric('recovered_total', 'counter', 'Clients that came back to their session.', recovery?.recovered);
  metric('not_recovered_total', 'counter', 'Clients that had to begin anew.', recovery?.notRecovered);
  metric('early_total', 'counter', 'Packets that went out without an offset.', recovery?.early);
  return `${lines.join('\n')}\n`;
}
