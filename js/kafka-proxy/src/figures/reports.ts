// All that is told of a proxy: what it measures itself, and what it asks Kafka for that.

// From the module, not from the globals: fake timers of a test framework must not stop it.
import { clearInterval, setInterval } from 'node:timers';
import type { KafkaAdmin } from 'kafka-native';
import type { FiguresNow, Rate } from '../http/api';
import type { Log } from '../options';
import type { Socket } from '../socket';
import { Alerts, type AlertsOptions } from './alerts';
import type { Figures } from './figures';
import { KafkaLook } from './kafka-look';
import { Ring } from './ring';
import { HISTORY, Samples, type Known } from './samples';
import type { Traffic } from './traffic';

/** Milliseconds between two ticks, and ticks between two entries of the history: ten minutes. */
const TICK = 1000;
const RECORD = 5;
/** Ticks for which sockets' rates are known when nobody looks any more. */
const LOOKED = 15;
/** Groups in an entry of the history: those that lag most. */
const HISTORY_GROUPS = 20;

export class Reports {
  readonly kafka: KafkaLook;
  readonly samples: Samples;
  readonly alerts: Alerts;
  readonly history = new Ring<FiguresNow['history'][number]>(HISTORY);
  readonly #figures: Figures;
  readonly #sockets: ReadonlySet<Socket>;
  readonly #timer: NodeJS.Timeout;
  #ticks = 0;
  /** The tick at which somebody looked at sockets. */
  #looked = Number.NEGATIVE_INFINITY;
  #last: Recorded;

  constructor(admin: () => Promise<KafkaAdmin>, known: Known, figures: Figures, sockets: ReadonlySet<Socket>, alerts: AlertsOptions, log: Log) {
    this.#figures = figures;
    this.#sockets = sockets;
    this.kafka = new KafkaLook(admin);
    this.samples = new Samples(admin, this.kafka, known, log);
    this.alerts = new Alerts(alerts, this.samples, figures, log);
    this.#last = new Recorded(figures);
    this.#figures.tick(performance.now());
    this.#timer = setInterval(() => this.#tick(), TICK).unref();
  }

  /** Somebody looks at sockets: their rates are measured. */
  look(): void {
    if (this.#ticks - this.#looked > LOOKED) this.#tickSockets(performance.now());
    this.#looked = this.#ticks;
  }

  #tick(): void {
    const now = performance.now();
    this.#figures.tick(now);
    if (this.#ticks - this.#looked <= LOOKED) this.#tickSockets(now);
    this.alerts.tick(now);
    this.samples.tick();
    if (++this.#ticks % RECORD === 0) this.#record();
  }

  #tickSockets(now: number): void {
    for (const { traffic } of this.#sockets) traffic.tick(now);
  }

  #record(): void {
    const at = Date.now();
    const next = new Recorded(this.#figures);
    const { sent, received } = next.since(this.#last);
    this.#last = next;
    const lags = Array.from(this.samples.lags(), ([group, { lag }]) => [group, lag ?? 0] as const);
    if (lags.length > HISTORY_GROUPS) lags.sort((a, b) => b[1] - a[1]).splice(HISTORY_GROUPS);
    this.history.push({ at, sockets: this.#sockets.size, sent, received, lag: Object.fromEntries(lags) });
    this.samples.record(at);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.alerts.close();
    await this.samples.close();
  }
}

/** The counters at one moment. */
class Recorded {
  readonly #at = performance.now();
  readonly #sent: Pick<Traffic, 'messages' | 'bytes'>;
  readonly #received: Pick<Traffic, 'messages' | 'bytes'>;

  constructor({ all: { sent, received } }: Figures) {
    this.#sent = { messages: sent.messages, bytes: sent.bytes };
    this.#received = { messages: received.messages, bytes: received.bytes };
  }

  since(before: Recorded): { sent: Rate; received: Rate } {
    const seconds = Math.max(this.#at - before.#at, 1) / 1000;
    const rate = (now: Pick<Traffic, 'messages' | 'bytes'>, then: Pick<Traffic, 'messages' | 'bytes'>): Rate => ({
      messages: (now.messages - then.messages) / seconds,
      bytes: (now.bytes - then.bytes) / seconds,
    });
    return { sent: rate(this.#sent, before.#sent), received: rate(this.#received, before.#received) };
  }
}
