// The figures as Prometheus reads them.

import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import { version } from '../../package.json';
import type { Context } from '../context';
import type { Traffic } from './traffic';

/** Of the process, which may have several proxies: measured from the first scrape on. */
let ofProcess: Registry | undefined;

function processRegistry(): Registry {
  if (!ofProcess) collectDefaultMetrics({ register: (ofProcess = new Registry()) });
  return ofProcess;
}

/** One a proxy. All is read where it is counted, when somebody scrapes. */
export class Metrics {
  readonly #registry = new Registry();

  constructor(context: Context) {
    const { figures, sockets, reports } = context;
    this.#gauge('info', 'The version of kafka-proxy.', ['version'], (set) => set({ version }, 1));
    this.#gauge('sockets', 'Open sockets, by protocol.', ['protocol'], (set) => {
      const counts = new Map<string, number>();
      for (const { protocol } of sockets) counts.set(protocol, (counts.get(protocol) ?? 0) + 1);
      for (const [protocol, count] of counts) set({ protocol }, count);
    });
    const byTopic = (direction: 'sent' | 'received'): Iterable<[string, Traffic]> =>
      Array.from(figures.topics, ([topic, exchange]) => [topic, exchange[direction]]);
    this.#traffic('sent', 'sent to clients', 'topic', () => byTopic('sent'));
    this.#traffic('received', 'of clients written to Kafka', 'topic', () => byTopic('received'));
    this.#traffic('group_sent', 'sent to members of groups', 'group', () => Array.from(figures.groups, ([group, { sent }]) => [group, sent]));
    this.#counter('refused_total', 'Upgrades and requests that were refused, by HTTP status.', ['status'], (add) => {
      for (const [status, count] of figures.refused) add({ status: String(status) }, count);
    });
    this.#gauge(
      'group_lag_messages',
      'Messages that groups are behind, of groups with members here, with an alert, or that somebody looks at.',
      ['group', 'topic'],
      (set) => {
        for (const [group, { topics }] of reports.samples.lags()) for (const [topic, lag] of Object.entries(topics)) set({ group, topic }, lag);
      },
    );
    this.#gauge('readers', 'Clients of Kafka that read: topics without a group, and groups.', ['kind'], (set) => {
      set({ kind: 'topic' }, context.logs.readers);
      set({ kind: 'group' }, context.groups.readers);
    });
    this.#gauge('cache_bytes', 'Messages and frames that are kept for readers of the same topics.', [], (set) => set({}, context.logs.cached));
    this.#gauge('kafka_up', 'Whether Kafka answers: 1, or 0.', [], async (set) => set({}, (await reports.kafka.fresh()) ? 1 : 0));
    this.#gauge('alert_firing', 'Whether the alert fires, as far as it is known: 1, or 0.', ['alert'], (set) => {
      for (const { name, firing } of reports.alerts.all) set({ alert: name }, firing ? 1 : 0);
    });
    this.#gauge('alert_unknown', 'Whether it is not known if the alert should fire: 1, or 0.', ['alert'], (set) => {
      for (const { name, state } of reports.alerts.all) set({ alert: name }, state === 'unknown' ? 1 : 0);
    });
  }

  get type(): string {
    return this.#registry.contentType;
  }

  async text(): Promise<string> {
    const [own, process] = await Promise.all([this.#registry.metrics(), processRegistry().metrics()]);
    return own + process;
  }

  #gauge<L extends string>(name: string, help: string, labelNames: L[], read: (set: (labels: Record<L, string>, value: number) => void) => unknown): void {
    new Gauge({
      name: `kafka_proxy_${name}`,
      help,
      labelNames,
      registers: [this.#registry],
      async collect() {
        // All at once: another scrape may be under way.
        const found: [Record<L, string>, number][] = [];
        await read((labels, value) => found.push([labels, value]));
        this.reset();
        for (const [labels, value] of found) this.set(labels, value);
      },
    });
  }

  #counter<L extends string>(name: string, help: string, labelNames: L[], read: (add: (labels: Record<L, string>, value: number) => void) => void): void {
    new Counter({
      name: `kafka_proxy_${name}`,
      help,
      labelNames,
      registers: [this.#registry],
      collect() {
        this.reset();
        read((labels, value) => this.inc(labels, value));
      },
    });
  }

  #traffic(name: string, what: string, label: 'topic' | 'group', read: () => Iterable<[string, Traffic]>): void {
    for (const unit of ['messages', 'bytes'] as const) {
      const help = unit === 'messages' ? `Messages ${what}.` : `Bytes of messages ${what}.`;
      this.#counter(`${name}_${unit}_total`, help, [label], (add) => {
        for (const [value, traffic] of read()) add({ [label]: value } as Record<typeof label, string>, traffic[unit]);
      });
    }
  }
}
