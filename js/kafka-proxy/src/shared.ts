// Parts that the conversations of one proxy share: its clients of Kafka, made when somebody needs them, and ended with it.

import type { Kafka, KafkaAdmin } from 'kafka-native';
import type { KafkaProducer, ProducerConfig } from 'kafka-native';
import { WHOLLY, type Access, type Permission } from './access';
import { Apart } from './apart';
import type { Context } from './context';
import { Audit } from './doors/audit';
import { withoutSecrets } from './doors/hooks';
import type { Identity } from './doors/identity';
import { Rates } from './doors/rates';
import { Tickets } from './doors/tickets';
import { CloseCode, ProxyError } from './errors';
import { Figures } from './figures/figures';
import { Metrics } from './figures/metrics';
import { Reports } from './figures/reports';
import type { Samples } from './figures/samples';
import { Groups } from './group/groups';
import { Logs } from './log/logs';
import type { LegacyOptions, Limits, Log, ReadOptions } from './options';
import { SlowSockets } from './slow';
import { Sockets } from './sockets';
import { Writers } from './v2/producing';
import { within } from './within';

export class Shared implements Context {
  readonly kafka: Kafka;
  readonly limits: Limits;
  readonly legacy: LegacyOptions;
  readonly log: Log;
  readonly ui: boolean;
  readonly figures = new Figures();
  readonly audit: Audit;
  readonly sockets: Sockets;
  readonly slow: SlowSockets;
  readonly writers: Writers;
  readonly tickets: Tickets;
  readonly rates: Rates;
  readonly logs: Logs;
  readonly groups: Groups;
  readonly reports: Reports;
  readonly metrics: Metrics;
  closing = false;
  readonly #options: ReadOptions;
  readonly #admin: Lasting<KafkaAdmin>;
  readonly #producer: Lasting<KafkaProducer>;
  readonly #careful: Lasting<KafkaProducer>;
  readonly apart = new Apart(() => this.#careful.get());
  /** Asks for figures, beside those who want something: nothing waits behind it, and it tries nothing again. */
  readonly #looker: Lasting<KafkaAdmin>;

  constructor(options: ReadOptions) {
    const { kafka } = options;
    this.#options = options;
    this.kafka = kafka;
    this.limits = options.limits;
    this.legacy = options.legacy;
    this.log = options.log;
    this.ui = options.ui;
    this.audit = new Audit(options.log, options.audit);
    this.sockets = new Sockets(this.audit);
    this.slow = new SlowSockets(options.limits.slow);
    this.writers = new Writers(options.limits.writing);
    this.tickets = new Tickets(options.ticketLifetime);
    this.rates = new Rates(options.limits);
    this.#admin = new Lasting(
      () => kafka.admin(),
      (admin) => admin.disconnect(),
    );
    const producer = (config: ProducerConfig): Lasting<KafkaProducer> =>
      new Lasting(
        () => kafka.producer({ idempotent: true, allowAutoTopicCreation: false, ...config }),
        (made, timeout) => made.disconnect({ timeout }),
      );
    this.#producer = producer({});
    // One request after another: nothing comes that could go with it.
    this.#careful = producer({ linger: 0 });
    this.#looker = new Lasting(
      () => kafka.admin({ retry: { retries: 0 } }),
      (admin) => admin.disconnect(),
    );
    this.logs = new Logs(this);
    this.groups = new Groups(this);
    const known = {
      groups: () => this.groups.wished(),
      read: (topic: string) => this.logs.read(topic),
      counted: (topic: string) => this.figures.topics.get(topic),
    };
    this.reports = new Reports(() => this.#looker.get(), known, this.figures, this.sockets, options.alerts, options.log);
    this.metrics = new Metrics(this);
  }

  get samples(): Samples {
    return this.reports.samples;
  }

  admin(): Promise<KafkaAdmin> {
    return this.#admin.get();
  }

  producer(): Promise<KafkaProducer> {
    return this.#producer.get();
  }

  get guarded(): boolean {
    const { rules, authorize } = this.#options;
    return Boolean(rules ?? authorize);
  }

  async allow(identity: Identity, access: Access): Promise<Permission> {
    const { rules, authorize } = this.#options;
    if (!rules && !authorize && identity.stranger && access.operation === 'admin') throw new ProxyError('FORBIDDEN', STRANGER, false, CloseCode.Forbidden);
    const permission = rules ? rules.allow(identity, access) : WHOLLY;
    if (!permission) throw forbidden(access);
    if (authorize) await this.#ask(authorize, identity, access);
    if (access.operation !== 'write' || !this.rates.writing) return permission;
    return { ...permission, spend: (messages, bytes) => this.rates.write(identity, messages, bytes) };
  }

  async #ask(authorize: NonNullable<ReadOptions['authorize']>, { principal }: Identity, access: Access): Promise<void> {
    const { hookTimeout, log } = this.#options;
    let allowed: unknown;
    try {
      allowed = await within(hookTimeout, () => authorize(principal, access));
    } catch (error) {
      log.error(`authorize failed for ${what(access)}: ${withoutSecrets(error, [])}`);
      throw new ProxyError('AUTHORIZATION_FAILED', `The proxy cannot find out whether you may ${what(access)}; try again later.`, true, CloseCode.Internal);
    }
    if (allowed !== true) throw forbidden(access);
  }

  /** Writes and acks are with Kafka when it resolves, if that takes no longer than `timeout`. Never rejects. */
  async close(timeout: number): Promise<void> {
    const deadline = performance.now() + timeout;
    const left = (): number => Math.max(deadline - performance.now(), 1);
    const end = (name: string, ended: () => Promise<void>): Promise<void> =>
      within(left(), ended).catch((error: Error) => this.log.warn(`${name} ended with an error: ${error.message}`));
    await Promise.all([end('reading', () => this.logs.close()), end('groups', () => this.groups.close())]);
    await Promise.all([
      end('the producer', () => this.#producer.close(left())),
      end('the producer of what was refused', () => this.#careful.close(left())),
      end('the admin', () => this.#admin.close(left())),
      end('figures', async () => {
        await this.#looker.close(left());
        await this.reports.close();
      }),
    ]);
  }
}

const STRANGER =
  'Nobody is asked who they are, and others than this machine may come in: set users, jwt or another way, or rules, or the host 127.0.0.1, to see brokers and sockets and to set offsets.';

function forbidden(access: Access): ProxyError {
  return new ProxyError('FORBIDDEN', `You may not ${what(access)}.`, false, CloseCode.Forbidden);
}

/** For people; a client's words may be long. */
function what(access: Access): string {
  const short = (name: string): string => name.slice(0, 249);
  switch (access.operation) {
    case 'group':
      return `be in the group ${short(access.group)}`;
    case 'admin':
      return access.group === undefined ? 'see the brokers and sockets' : `set the offsets of the group ${short(access.group)}`;
    case 'metrics':
      return 'see the metrics';
    default:
      return 'topic' in access ? `${access.operation} ${short(access.topic)}` : `read topics like ${short(access.pattern)}`;
  }
}

interface Client {
  connect(): Promise<void>;
}

/** A client that is connected when it is asked for, and asked again when that failed. */
class Lasting<C extends Client> {
  readonly #make: () => C;
  readonly #end: (client: C, timeout: number) => Promise<void>;
  #client: C | undefined;
  #connected: Promise<C> | undefined;
  #closed = false;

  constructor(make: () => C, end: (client: C, timeout: number) => Promise<void>) {
    this.#make = make;
    this.#end = end;
  }

  get(): Promise<C> {
    if (this.#closed) return Promise.reject(new ProxyError('CLOSING', 'The proxy ends; connect again.', true, CloseCode.GoingAway));
    return (this.#connected ??= this.#connect());
  }

  async #connect(): Promise<C> {
    const client = (this.#client ??= this.#make());
    try {
      await client.connect();
      return client;
    } catch (error) {
      this.#connected = undefined;
      throw error;
    }
  }

  async close(timeout: number): Promise<void> {
    this.#closed = true;
    if (this.#client) await this.#end(this.#client, timeout);
  }
}
