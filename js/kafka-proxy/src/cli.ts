#!/usr/bin/env node
// The command: `npx kafka-proxy --brokers localhost:9092`.

import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { Kafka } from 'kafka-native';
import { version } from '../package.json';
import { readConfig, readKeyFile, readKeySet, type FileOptions } from './config';
import { DEMO_TOPICS, startDemo, type Demo } from './demo';
import { linesUpTo, logTo, printable, type Log, type LogLevel } from './log';
import { readOptions, type ProxyOptions } from './options';
import { KafkaProxy } from './proxy';

interface Flags {
  brokers?: string;
  port?: number;
  host?: string;
  path?: string;
  http?: boolean;
  config?: string;
  auth?: string;
  jwks?: string;
  jwtIssuer?: string;
  jwtAudience?: string;
  origins?: string[];
  tlsKey?: string;
  tlsCert?: string;
  closeTimeout?: number;
  ui?: boolean;
  demo?: boolean;
  logLevel?: LogLevel;
}

const PREFIX = 'KAFKA_PROXY_';
/** The command ends with 2 when its settings are wrong, with 1 when it cannot follow them. */
const WRONG = 2;
const FAILED = 1;
/** How long Kafka may be silent before that is said, milliseconds; and the pause between two tries. */
const SILENCE = 3000;

const EXAMPLES = `
Examples:
  See something at once, without Kafka:
    $ kafka-proxy --demo
    $ npx wscat -c 'ws://localhost:8080/?topic=orders'

  Your Kafka, for programs on this machine:
    $ kafka-proxy --brokers localhost:9092

  For others, with a password, and for the pages of one site:
    $ KAFKA_PROXY_AUTH=secret kafka-proxy --brokers kafka:9092 --origins https://example.com
    $ npx wscat -H 'authorization: basic secret' -c 'ws://proxy:8080/?topic=orders'

  With a file (YAML or JSON; the options of new KafkaProxy, such as users, jwt, rules, limits, tls, kafka.sasl):
    $ kafka-proxy --config proxy.yaml

A flag counts more than its environment variable (${PREFIX}BROKERS, ${PREFIX}LOG_LEVEL ...), and that more than the file.
SIGTERM and Ctrl-C let clients go (1001), commit what they have acknowledged, and end; a second one ends at once.
Exit code: 0 when it was told to end, ${FAILED} when it cannot go on, ${WRONG} for a wrong option.
`;

function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isInteger(value) || value < min || value > max)
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
    return value;
  };
}

function boolean(text: string): boolean {
  if (text !== 'true' && text !== 'false') throw new InvalidArgumentError('It must be true or false.');
  return text === 'true';
}

function command(): Command {
  const list = (text: string): string[] => text.split(',').map((each) => each.trim());
  const option = (flags: string, description: string, parse?: (text: string) => unknown): Option => {
    const made = new Option(flags, description);
    if (parse) made.argParser(parse);
    return made.env(PREFIX + made.name().toUpperCase().replaceAll('-', '_'));
  };
  return new Command('kafka-proxy')
    .description('A WebSocket door to Kafka.')
    .version(version)
    .addOption(option('-b, --brokers <host:port,...>', "Kafka's brokers; any that answers tells of the others"))
    .addOption(option('-p, --port <number>', 'where to listen; 0: a free port (default: 8080)', integer(0, 65_535)))
    .addOption(option('--host <address>', 'default: this machine alone without authentication, else every address'))
    .addOption(option('--path <path>', 'where WebSockets are opened, such as /kafka (default: anywhere)'))
    .addOption(option('--http <true|false>', 'whether requests of HTTP are answered, beside WebSockets (default: true)', boolean))
    .addOption(option('-c, --config <file>', 'options as YAML or JSON'))
    .addOption(option('--auth <secret>', "what clients must send as 'authorization: basic <secret>'; better said by the variable, which others do not see"))
    .addOption(option('--jwks <url>', 'where the keys are published that sign the tokens (JWT) of clients; or a file'))
    .addOption(option('--jwt-issuer <text>', 'who must have issued a token (iss)'))
    .addOption(option('--jwt-audience <text>', 'for whom a token must be (aud)'))
    .addOption(option('--origins <origin,...>', "web pages that may connect, '*': any (default: those of the same host)", list))
    .addOption(option('--tls-cert <file>', 'the certificate, PEM'))
    .addOption(option('--tls-key <file>', 'its key, PEM'))
    .addOption(option('--close-timeout <ms>', 'how long the end may take (default: 10000)', integer(1, 3_600_000)))
    .addOption(option('--no-ui', 'without the page at /ui'))
    .option('--demo', 'a Kafka in this process, with traffic')
    .addOption(option('--log-level <level>', 'to standard error (default: info; error with --demo)').choices(['error', 'warn', 'info', 'debug', 'silent']))
    .addHelpText('after', EXAMPLES)
    .allowExcessArguments(false)
    .exitOverride()
    .showHelpAfterError('(kafka-proxy --help shows the options, with examples)');
}

/** Flags and variables over the file. @throws Error */
function settings(flags: Flags): { options: ProxyOptions; logLevel: LogLevel } {
  const { config, tlsKey, tlsCert, demo, logLevel, brokers, ui, jwks, jwtIssuer, jwtAudience, ...own } = flags;
  const { logLevel: fileLevel, ...file }: FileOptions = config === undefined ? {} : readConfig(config);
  const options: ProxyOptions = { ...file, ...own };
  // Commander says true when nobody has said anything.
  if (ui === false) options.ui = false;
  if (own.origins?.includes('*')) options.origins = '*';
  if (brokers !== undefined) {
    options.brokers = brokers;
    if (typeof file.kafka === 'string') delete options.kafka;
  }
  if (tlsKey !== undefined || tlsCert !== undefined) {
    if (tlsKey === undefined || tlsCert === undefined) throw new Error('--tls-key and --tls-cert belong together');
    options.tls = { ...file.tls, key: readKeyFile(tlsKey, '--tls-key'), cert: readKeyFile(tlsCert, '--tls-cert') };
  }
  if (jwks !== undefined || jwtIssuer !== undefined || jwtAudience !== undefined) {
    const published = jwks === undefined || URL.canParse(jwks) ? jwks : readKeySet(jwks, '--jwks');
    options.jwt = {
      ...file.jwt,
      ...(published !== undefined && { jwks: published }),
      ...(jwtIssuer !== undefined && { issuer: jwtIssuer }),
      ...(jwtAudience !== undefined && { audience: jwtAudience }),
    };
  }
  // The demo's cluster cannot commit what clients of kafka-proxy 1.0 have read, which is no news to anybody.
  const level = logLevel ?? fileLevel ?? (demo ? 'error' : 'info');
  if (!['error', 'warn', 'info', 'debug', 'silent'].includes(level)) throw new Error("logLevel must be 'error', 'warn', 'info', 'debug' or 'silent'");
  if (demo) {
    delete options.brokers;
    delete options.kafka;
  } else if (options.brokers === undefined && options.kafka === undefined) {
    throw new Error('where is Kafka? Say --brokers localhost:9092, or try --demo');
  }
  return { options, logLevel: level };
}

async function main(): Promise<void> {
  // A reader of its output may have read enough.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  const program = command();
  let read: ReturnType<typeof settings>;
  let flags: Flags;
  try {
    withoutKubernetes(process.env);
    flags = program.parse().opts<Flags>();
    read = settings(flags);
  } catch (error) {
    if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : WRONG);
    return fail(WRONG, error);
  }
  const { options, logLevel } = read;
  const logger = linesUpTo(logLevel);
  const log = logTo(logger);
  for (const name of unknownVariables(program)) log.warn(`the environment variable ${name} means nothing; kafka-proxy --help has those that do`);

  let demo: Demo | undefined;
  let proxy: KafkaProxy;
  let kafka: Kafka;
  let brokers: string;
  try {
    if (flags.demo) demo = await startDemo();
    ({ kafka, brokers } = readOptions({ logger, ...options, ...(demo && { kafka: demo.kafka }) }));
    const { brokers: _, ...rest } = options;
    proxy = new KafkaProxy({ logger, ...rest, kafka });
  } catch (error) {
    return fail(WRONG, error);
  }
  const ending = new AbortController();
  const end = async (signal: string): Promise<void> => {
    if (ending.signal.aborted) process.exit(FAILED);
    log.info(`${signal}: the sockets are closed, and what was acknowledged is committed`);
    ending.abort();
    await proxy.close();
    await demo?.close();
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void end(signal));
  try {
    await proxy.listen();
  } catch (error) {
    return fail(FAILED, error);
  }
  greet(proxy, options, demo ? 'a demo in this process' : brokers);
  if (!demo) await untilKafkaAnswers(kafka, brokers, log, ending.signal);
}

function greet({ port }: KafkaProxy, { host, path, tls, auth, users, jwt, http, ui }: ProxyOptions, kafka: string): void {
  const name = host === undefined || ['0.0.0.0', '::', '127.0.0.1'].includes(host) ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  const url = `${tls ? 'wss' : 'ws'}://${name}:${port}${path ?? '/'}`;
  const header = auth ? ` -H "authorization: basic $${PREFIX}AUTH"` : users ? ' --auth NAME:PASSWORD' : jwt ? ' -H "authorization: Bearer $TOKEN"' : '';
  const topics = kafka.startsWith('a demo') ? Object.entries(DEMO_TOPICS) : [['TOPIC', '']];
  const lines = topics.map(([topic, what]) => `  npx wscat${header} -c '${url}?topic=${topic}'${what ? `   # ${what}` : ''}`);
  const page = http === false || ui === false ? '' : `  its page: ${url.replace(/^ws/, 'http').replace(/\/?$/, '/ui/')}\n`;
  process.stdout.write(`kafka-proxy ${version} listens on ${url} for ${kafka}; try:\n${lines.join('\n')}\n${page}`);
}

/** Says when Kafka is not there, and when it is; the proxy's own clients go on trying by themselves. */
async function untilKafkaAnswers(kafka: Kafka, brokers: string, log: Log, ending: AbortSignal): Promise<void> {
  for (;;) {
    const admin = kafka.admin();
    const silent = setTimeout(() => log.warn(`Kafka at ${brokers} has not answered yet; it is tried again and again`), SILENCE);
    try {
      await admin.connect();
      log.info(`Kafka at ${brokers} answers`);
      return;
    } catch (error) {
      log.warn(`Kafka at ${brokers} does not answer: ${(error as Error).message}; it is tried again`);
    } finally {
      clearTimeout(silent);
      await admin.disconnect().catch(() => {});
    }
    if (ending.aborted) return;
    await new Promise((resolve) => setTimeout(resolve, SILENCE).unref());
  }
}

/** Kubernetes gives pods variables that are named after services: one of a service `kafka-proxy` is no port. */
function withoutKubernetes(env: NodeJS.ProcessEnv): void {
  for (const [name, value] of Object.entries(env)) {
    if (name.startsWith(`${PREFIX}SERVICE_`) || name.startsWith(`${PREFIX}PORT_`) || (name === `${PREFIX}PORT` && value?.includes('://'))) delete env[name];
  }
}

function unknownVariables(program: Command): string[] {
  const known = new Set(program.options.map(({ envVar }) => envVar));
  return Object.keys(process.env).filter((name) => name.startsWith(PREFIX) && !known.has(name));
}

function fail(code: number, error: unknown): never {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`error: ${printable(message.replace(/^kafka-proxy: /, ''))}\n`);
  process.exit(code);
}

void main();
