// Options of a proxy, and their defaults.

import type { IncomingMessage } from 'node:http';
import { createSecureContext, type TlsOptions } from 'node:tls';
import { inspect } from 'node:util';
import { Kafka, logLevel, type KafkaConfig, type Logger } from 'kafka-native';
import { z } from 'zod';
import type { Access } from './access';
import type { AuditEvent } from './doors/audit';
import type { CertificateOptions } from './doors/certificates';
import { ALGORITHMS, type Jwk } from './doors/keys';
import { ALERT_HOOK, ALERTS, WEBHOOK, type AlertHook, type AlertOptions, type Webhook } from './figures/alert-options';
import type { AlertsOptions } from './figures/alerts';
import type { Origins } from './doors/origins';
import { Rules, type RuleOptions } from './doors/rules';
import { Tokens, type JwtOptions } from './doors/tokens';
import { logTo, QUIET, type Log } from './log';
import type { Principal } from './socket';

export type { Log } from './log';

/** Limits of one client, and of all together. */
export interface Limits {
  /** Bytes of a frame that a client sends. Default 1 MiB. */
  payload: number;
  /** Sockets of this proxy. Default 20 000. */
  sockets: number;
  /** Sockets of one address; of IPv6, of the first 64 bits. Default: any. */
  socketsPerAddress: number;
  /** Sockets of one principal. Default: any. */
  socketsPerPrincipal: number;
  /** Messages a second that a principal, or, without one, an address may write, over ten seconds. Default: any. */
  messagesPerSecond: number;
  /** Bytes of them: keys, values and headers. Default: any. */
  bytesPerSecond: number;
  /** Requests of HTTP a second, of a principal or an address, over ten seconds. Default: any. */
  requestsPerSecond: number;
  /** Wrong passwords, tokens and tickets of an address in a minute; then nobody of it comes in for a minute. Default 60. */
  failedLogins: number;
  /** Frames a second that a client may send, over ten seconds. Default 1000. */
  framesPerSecond: number;
  /** Subscriptions of a socket. Default 100. */
  subscriptions: number;
  /** Topics and partitions of a subscription. Default 1000. */
  topics: number;
  /** Bytes of a socket's messages that are being written to Kafka; more are read when these are written. Default 4 MiB. */
  producing: number;
  /** The same of all sockets: then no socket that writes is read further, and beyond twice as much messages are refused. Default 64 MiB. */
  writing: number;
  /** Bytes of messages that are kept for readers of the same topics. Default 64 MiB. */
  cache: number;
  /**
   * Topics that are read without a group, and groups, so many of each: a client of Kafka for each, with threads of its own. One principal, or one
   * socket of nobody with a name, is in a quarter of the groups at the most. Default 200.
   */
  readers: number;
  /** Clients of Kafka that read the past. Default 8. */
  past: number;
  /** Milliseconds that a socket whose 4 MiB are full has to take some of it. Default 5000. */
  slow: number;
}

/** How the sockets without a subprotocol are served, those of kafka-proxy 1.0. Its names, its defaults. */
export interface LegacyOptions {
  /** Milliseconds in which a socket gets `maxBytes` at the most. Default 1000. */
  idleTimeout: number;
  /** Bytes of messages that a socket gets in `idleTimeout`; a message that is larger comes alone. Default 500 000. */
  maxBytes: number;
  /** The partition of a socket whose URL names none. Default 0. */
  partition: number;
  /** Milliseconds between the lines with figures in the log (debug), while there are such sockets. Default 5000. */
  recordInterval: number;
}

/** Of a {@link KafkaProxy}. Times are milliseconds. `wsPort` and `kafka` as text are the names of kafka-proxy 1.0, which still work. */
export interface ProxyOptions extends Partial<LegacyOptions> {
  /** Default 8080; 0: one that is free, which `listen` says. */
  port?: number;
  /** The same as `port`. */
  wsPort?: number | string;
  /** Default: without authentication 127.0.0.1, else every address of the machine. */
  host?: string;
  /** Where WebSockets are opened, such as `/kafka`. Default: anywhere. */
  path?: string;
  /** Whether requests of HTTP are answered: docs/http.md. Default true; false: with 426, WebSockets alone are. */
  http?: boolean;
  /** `host:port`, several as an array or separated by commas. */
  brokers?: string | string[];
  /** A `Kafka` of kafka-native or its options (`ssl`, `sasl`, `properties` ...), or brokers as text. */
  kafka?: string | Kafka | Partial<KafkaConfig>;
  /** Options of `https.createServer`: `key` and `cert`, `ca` ... Default: no TLS. */
  tls?: TlsOptions;
  /** The secret of kafka-proxy 1.0: clients send the header `authorization: basic <secret>`. */
  auth?: string | null;
  /** Names and passwords of HTTP's Basic authentication. */
  users?: Record<string, string>;
  /** Bearer tokens that open the door: `Authorization: Bearer`, or the subprotocol `bearer.<token>`. */
  jwt?: JwtOptions;
  /** Certificates of the authorities in `tls.ca` open the door. */
  certificates?: boolean | CertificateOptions;
  /** Milliseconds for which a ticket of `POST /tickets` is good: 1000 to 3 600 000. Default 30 000. */
  ticketLifetime?: number;
  /** The principal that opens this socket; null, undefined and false: nobody who may. */
  authenticate?: (request: IncomingMessage) => unknown;
  /** Rules of who may do what; what none of them grants is forbidden. Default: everybody who is let in may do everything. */
  rules?: readonly RuleOptions[];
  /** Whether that principal may do this; only `true` is yes. Where there are rules, too, both must say it. Default: everything. */
  authorize?: (principal: Principal, access: Access) => boolean | PromiseLike<boolean>;
  /** How long `authenticate` and `authorize` may take; default 10 000. */
  hookTimeout?: number;
  /** Which web pages may open sockets: origins, '*', or a function. Default: those of the host that they connect to. */
  origins?: Origins;
  limits?: Partial<Limits>;
  /** Is told who comes in, is refused and leaves, and what is changed by whom; besides the log's lines (info). */
  audit?: (event: AuditEvent) => unknown;
  /** Between two pings of a socket; who does not answer one before the next is cut off. Default 30 000. 0: none. */
  pingInterval?: number;
  /** How long `close` may take, and a client to answer a close frame; default 10 000. */
  closeTimeout?: number;
  /** permessage-deflate, for clients that want it; default false. It takes CPU for each socket. */
  compression?: boolean;
  /** The page at `/ui`; default true. */
  ui?: boolean;
  /** Figures that are watched, and reported when they are not as they should be. */
  alerts?: AlertOptions[];
  /** Called with what alerts tell. */
  alertHook?: AlertHook;
  /** An address to which it is POSTed as JSON. */
  alertWebhook?: Webhook;
  /** Default: errors and warnings to the console. */
  logger?: Logger;
}

/** With the defaults in place. */
export interface ReadOptions {
  port: number;
  host: string | undefined;
  path: string | undefined;
  http: boolean;
  kafka: Kafka;
  /** As it was given, for people to read. */
  brokers: string;
  tls: TlsOptions | undefined;
  auth: string | undefined;
  users: Record<string, string> | undefined;
  tokens: Tokens | undefined;
  certificates: CertificateOptions | undefined;
  ticketLifetime: number;
  rules: Rules | undefined;
  audit: ((event: AuditEvent) => unknown) | undefined;
  authenticate: ((request: IncomingMessage) => unknown) | undefined;
  authorize: ((principal: Principal, access: Access) => unknown) | undefined;
  hookTimeout: number;
  origins: Origins | undefined;
  limits: Limits;
  pingInterval: number;
  closeTimeout: number;
  compression: boolean;
  ui: boolean;
  alerts: AlertsOptions;
  log: Log;
  legacy: LegacyOptions;
}

const MAX_INT = 2 ** 31 - 1;

const whole = (min: number, max: number) =>
  z.custom<number>((value) => Number.isInteger(value) && (value as number) >= min && (value as number) <= max, `must be a whole number from ${min} to ${max}`);
const count = (min: number) =>
  z.custom<number>(
    (value) => value === Number.POSITIVE_INFINITY || (Number.isSafeInteger(value) && (value as number) >= min),
    `must be a whole number from ${min}, or Infinity`,
  );
const text = z.string('must be a string').min(1, 'must not be empty');
const callback = <T>() => z.custom<T>((value) => typeof value === 'function', 'must be a function');
const object = <T>(what: string) => z.custom<T>((value) => typeof value === 'object' && value !== null && !Array.isArray(value), `must be ${what}`);
/** kafka-proxy 1.0 took numbers as text, and its default for 0. */
const loose = (max: number) =>
  z.custom<number | string>(
    (value) => ['number', 'string'].includes(typeof value) && Number.isInteger(Number(value)) && Number(value) >= 0 && Number(value) <= max,
    `must be a whole number from 0 to ${max}`,
  );

const LIMITS = z.strictObject({
  payload: whole(1, 512 * 1024 * 1024),
  sockets: count(1),
  socketsPerAddress: count(1),
  socketsPerPrincipal: count(1),
  messagesPerSecond: count(1),
  bytesPerSecond: count(1),
  requestsPerSecond: count(1),
  failedLogins: count(1),
  framesPerSecond: count(1),
  subscriptions: count(1),
  topics: count(1),
  producing: count(1),
  writing: count(1),
  cache: count(0),
  readers: count(1),
  past: whole(1, 1000),
  slow: whole(1, 3_600_000),
});

function areUsers(users: unknown): boolean {
  if (typeof users !== 'object' || users === null || Array.isArray(users)) return false;
  return Object.entries(users).every(([name, password]) => /^[^:]+$/.test(name) && typeof password === 'string' && password !== '');
}

const texts = z.union([text, z.array(text).min(1)], 'must be a string, or several');
const claim = z.string('must be the name of a claim').regex(/^[^\s"\\]{1,100}$/, 'must be the name of a claim');
const JWT = z
  .strictObject({
    jwks: z.custom<string | { keys: Jwk[] }>(isKeySet, 'must be a URL (https:, or http:, without a password), or a set of keys'),
    key: z.custom<NonNullable<JwtOptions['key']>>(isGiven, 'must be a public key, PEM or JWK, or several'),
    secret: z.custom<NonNullable<JwtOptions['secret']>>(isGiven, 'must be a secret, or several'),
    issuer: texts,
    audience: texts,
    algorithms: z.array(z.enum(ALGORITHMS, `must be one of ${ALGORITHMS.join(', ')}`)).min(1),
    clockTolerance: whole(0, 3_600_000),
    principal: claim,
    required: z.array(claim),
    refresh: whole(1000, MAX_INT),
    cooldown: whole(0, 3_600_000),
  })
  .partial()
  .refine(({ jwks, key, secret }) => jwks !== undefined || key !== undefined || secret !== undefined, 'needs jwks, key or secret: who signs the tokens?');

function isKeySet(given: unknown): boolean {
  if (typeof given !== 'string') return typeof given === 'object' && given !== null;
  const url = URL.canParse(given) ? new URL(given) : undefined;
  return url !== undefined && ['https:', 'http:'].includes(url.protocol) && url.username === '' && url.password === '';
}

function isGiven(given: unknown): boolean {
  const all: unknown[] = Array.isArray(given) ? given : [given];
  return all.length > 0 && all.every((each) => (typeof each === 'string' && each !== '') || (typeof each === 'object' && each !== null));
}

const OPTIONS = z
  .strictObject({
    port: whole(0, 65_535),
    wsPort: loose(65_535),
    host: text,
    path: z.string('must be a string').regex(/^\/[^?#\s]*$/, "must begin with '/', such as '/kafka'"),
    http: z.boolean('must be true or false'),
    brokers: z.union([text, z.array(text).min(1)], "must be 'host:port', or several of them"),
    kafka: z.union([text, object<Kafka | Partial<KafkaConfig>>('')], "must be a Kafka of kafka-native, its options, or 'host:port'"),
    tls: object<TlsOptions>('what https.createServer takes'),
    auth: text.nullable(),
    users: z.custom<Record<string, string>>(areUsers, 'must be an object of names, without a colon, and passwords as text, none of them empty'),
    jwt: JWT,
    certificates: z.union(
      [z.boolean(), z.strictObject({ name: z.enum(['CN', 'email', 'DNS', 'URI']).optional() })],
      "must be true, false or { name: 'CN', 'email', 'DNS' or 'URI' }",
    ),
    ticketLifetime: whole(1000, 3_600_000),
    rules: z.custom<readonly RuleOptions[]>(Array.isArray, 'must be an array of rules'),
    audit: callback<(event: AuditEvent) => unknown>(),
    authenticate: callback<(request: IncomingMessage) => unknown>(),
    authorize: callback<(principal: Principal, access: Access) => unknown>(),
    hookTimeout: whole(1, 3_600_000),
    origins: z.union(
      [z.literal('*'), z.array(text), callback<(origin: string, request: IncomingMessage) => boolean>()],
      "must be an array of origins such as 'https://example.com', '*', or a function",
    ),
    limits: LIMITS.partial(),
    pingInterval: whole(0, MAX_INT),
    closeTimeout: whole(1, 3_600_000),
    compression: z.boolean('must be true or false'),
    ui: z.boolean('must be true or false'),
    alerts: ALERTS as z.ZodType<AlertOptions[]>,
    alertHook: ALERT_HOOK,
    alertWebhook: WEBHOOK,
    logger: object<Logger>('an object with error, warn, info and debug'),
    idleTimeout: loose(MAX_INT),
    maxBytes: loose(MAX_INT),
    recordInterval: loose(MAX_INT),
    partition: loose(MAX_INT),
  })
  .partial();

/** Options that are not shown in an error. */
const SECRET = new Set(['auth', 'users', 'jwt', 'tls', 'kafka', 'brokers', 'alerts', 'alertWebhook']);

/**
 * @throws Error, in the words of kafka-proxy 1.0, when nothing says where Kafka is, or where to listen
 * @throws TypeError, RangeError naming the option
 */
export function readOptions(options: unknown): ReadOptions {
  if (typeof options !== 'object' || options === null) throw new TypeError(`kafka-proxy: the options must be an object, got ${inspect(options)}`);
  const given = parse(OPTIONS, Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)));
  const { port, wsPort, kafka, brokers, limits, tls, origins } = given;
  if (kafka === undefined && brokers === undefined) {
    if (port === undefined && !wsPort)
      throw new Error('kafka-proxy: web socket port needed, please set e.g. {wsPort: 9999}, and where Kafka is, e.g. {kafka: "localhost:9092"}');
    throw new Error('kafka-proxy: kafka server address needed, please set e.g. {kafka: "localhost:9092"}');
  }
  // A caller with the options of kafka-proxy 1.0 gets its errors.
  if (typeof kafka === 'string' && port === undefined && !wsPort) throw new Error('kafka-proxy: web socket port needed, please set e.g. {wsPort: 9999}');
  if (tls) checkTls(tls);
  const certificates = given.certificates === true ? {} : given.certificates || undefined;
  // Without it every authority that Node knows would do: anybody has a certificate of one of these.
  if (certificates && !(tls?.ca && tls.ca.length > 0))
    throw new TypeError('kafka-proxy: certificates needs tls.ca: the authority that signs the certificates of your clients, and nobody else');
  const log = logTo(given.logger ?? QUIET);
  const rules = given.rules && new Rules(given.rules);
  const tokens = given.jwt && new Tokens(given.jwt as JwtOptions, log);
  const integer = (value: number | string | undefined, fallback: number): number => Number(value ?? 0) || fallback;
  return {
    port: port ?? Number(wsPort ?? 8080),
    host: given.host,
    path: given.path,
    http: given.http ?? true,
    ...kafkaOf(kafka, brokers, log),
    tls,
    auth: given.auth ?? undefined,
    users: given.users,
    tokens,
    certificates,
    ticketLifetime: given.ticketLifetime ?? 30_000,
    rules,
    audit: given.audit,
    authenticate: given.authenticate,
    authorize: given.authorize,
    hookTimeout: given.hookTimeout ?? 10_000,
    origins: Array.isArray(origins) ? origins.map((origin) => origin.toLowerCase().replace(/\/$/, '')) : origins,
    limits: {
      payload: 1024 * 1024,
      sockets: 20_000,
      socketsPerAddress: Number.POSITIVE_INFINITY,
      socketsPerPrincipal: Number.POSITIVE_INFINITY,
      messagesPerSecond: Number.POSITIVE_INFINITY,
      bytesPerSecond: Number.POSITIVE_INFINITY,
      requestsPerSecond: Number.POSITIVE_INFINITY,
      failedLogins: 60,
      framesPerSecond: 1000,
      subscriptions: 100,
      topics: 1000,
      producing: 4 * 1024 * 1024,
      writing: 64 * 1024 * 1024,
      cache: 64 * 1024 * 1024,
      readers: 200,
      past: 8,
      slow: 5000,
      ...Object.fromEntries(Object.entries(limits ?? {}).filter(([, value]) => value !== undefined)),
    },
    pingInterval: given.pingInterval ?? 30_000,
    closeTimeout: given.closeTimeout ?? 10_000,
    compression: given.compression ?? false,
    ui: given.ui ?? true,
    alerts: { alerts: given.alerts ?? [], hook: given.alertHook, webhook: given.alertWebhook },
    log,
    legacy: {
      idleTimeout: integer(given.idleTimeout, 1000),
      maxBytes: integer(given.maxBytes, 500_000),
      recordInterval: integer(given.recordInterval, 5000),
      partition: integer(given.partition, 0),
    },
  };
}

function parse<T>(schema: z.ZodType<T>, given: object): T {
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const [first] = issue.path;
  if (issue.code === 'unrecognized_keys') {
    const name = [...issue.path, issue.keys[0]].join('.');
    throw new TypeError(`kafka-proxy: there is no option ${name}`);
  }
  const value = issue.path.reduce<unknown>((from, name) => (from as Record<PropertyKey, unknown> | undefined)?.[name], given);
  const got = SECRET.has(String(first)) ? '' : `, got ${inspect(value, { depth: 0 })}`;
  const Kind = issue.code === 'custom' && typeof value === 'number' ? RangeError : TypeError;
  throw new Kind(`kafka-proxy: ${issue.path.join('.')} ${issue.message}${got}`);
}

function kafkaOf(kafka: string | Kafka | Partial<KafkaConfig> | undefined, given: string | string[] | undefined, log: Log): { kafka: Kafka; brokers: string } {
  if (isKafka(kafka)) {
    if (given !== undefined) throw new TypeError('kafka-proxy: brokers and a Kafka are one too many: the Kafka has brokers');
    return { kafka, brokers: 'the given Kafka' };
  }
  if (typeof kafka === 'string' && given !== undefined) throw new TypeError('kafka-proxy: brokers and kafka say both where Kafka is; give one of them');
  const { brokers: own, ...config } = typeof kafka === 'object' ? kafka : {};
  if (typeof own === 'function' && given === undefined) {
    return { kafka: new Kafka({ clientId: 'kafka-proxy', logLevel: logLevel.WARN, logger: log, ...config, brokers: own }), brokers: 'the given brokers' };
  }
  const text = given ?? (typeof kafka === 'string' ? kafka : (own as string | string[] | undefined));
  const brokers = (Array.isArray(text) ? text : String(text ?? '').split(',')).map(address).filter((each) => each !== '');
  if (brokers.length === 0) throw new Error('kafka-proxy: kafka server address needed, please set e.g. {kafka: "localhost:9092"}');
  return { kafka: new Kafka({ clientId: 'kafka-proxy', logLevel: logLevel.WARN, logger: log, ...config, brokers }), brokers: brokers.join(',') };
}

/** `host:port` of what people write: with a scheme, a slash, without a port. */
function address(broker: string): string {
  const text = String(broker)
    .trim()
    .replace(/^\w+:\/\//, '')
    .replace(/\/.*$/, '');
  if (/:2181$/.test(text))
    throw new RangeError(`kafka-proxy: ${text} is ZooKeeper's port; give Kafka's brokers, such as ${text.replace(/2181$/, '9092')}, not ZooKeeper`);
  return text === '' || /:\d+$/.test(text) ? text : `${text}:9092`;
}

/** Not by its class: a program may have two copies of kafka-native. */
function isKafka(target: unknown): target is Kafka {
  const { producer, consumer } = (target ?? {}) as Kafka;
  return typeof producer === 'function' && typeof consumer === 'function';
}

function checkTls(tls: TlsOptions): void {
  try {
    createSecureContext(tls);
  } catch (error) {
    throw new TypeError(`kafka-proxy: tls cannot be used: ${(error as Error).message}`);
  }
}
