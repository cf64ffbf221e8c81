import { inspect } from 'node:util';
import type { NativeLog } from '../binding';
import { eachLine, SafeLogger, type Logger } from '../logger';
import { describe } from '../options';

/** KafkaJS's log levels. */
export enum logLevel {
  NOTHING = 0,
  ERROR = 1,
  WARN = 2,
  INFO = 4,
  DEBUG = 5,
}

/** The argument of a log creator's function, for each line. */
export interface LogEntry {
  namespace: string;
  level: logLevel;
  label: string;
  log: LoggerEntryContent;
}
export interface LoggerEntryContent {
  readonly timestamp: string;
  readonly message: string;
  [key: string]: any;
}
/** Called once with the level of the `Kafka`; returns what is called for each line. */
export type logCreator = (level: logLevel) => (entry: LogEntry) => void;

/** KafkaJS's logger. */
export interface KafkaLogger {
  info(message: string, extra?: object): void;
  error(message: string, extra?: object): void;
  warn(message: string, extra?: object): void;
  debug(message: string, extra?: object): void;
  setLogLevel(level: logLevel): void;
  namespace(namespace: string, level?: logLevel): KafkaLogger;
}

const LABELS = { [logLevel.ERROR]: 'ERROR', [logLevel.WARN]: 'WARN', [logLevel.INFO]: 'INFO', [logLevel.DEBUG]: 'DEBUG' };
type Severity = keyof typeof LABELS;

/** `KAFKAJS_LOG_LEVEL` wins over what a program says, as in KafkaJS. */
function effective(level: logLevel): logLevel {
  return named(process.env.KAFKAJS_LOG_LEVEL ?? '') ?? levelOf(level);
}

/** A name is as good as its number. */
function levelOf(level: logLevel | string): logLevel {
  const found = typeof level === 'string' ? named(level) : level;
  if (found !== undefined) return found;
  const names = Object.keys(logLevel).filter((name) => Number.isNaN(Number(name)));
  throw new TypeError(`Kafka: logLevel must be one of logLevel's ${names.join(', ')}, got ${describe(level)}`);
}

function named(name: string): logLevel | undefined {
  return logLevel[name.toUpperCase() as keyof typeof logLevel];
}

/** A root logger. @internal */
export function createLogger(level: logLevel = logLevel.INFO, creator: logCreator = consoleLogger): KafkaLogger {
  let current = effective(level);
  const write = creator(current);
  const make = (namespace: string, own: logLevel | undefined): KafkaLogger => {
    const line =
      (severity: Severity) =>
      (message: string, extra: object = {}) => {
        if (severity > (own ?? current)) return;
        write({ namespace, level: severity, label: LABELS[severity], log: { timestamp: new Date().toISOString(), logger: 'kafkajs', message, ...extra } });
      };
    return {
      info: line(logLevel.INFO),
      error: line(logLevel.ERROR),
      warn: line(logLevel.WARN),
      debug: line(logLevel.DEBUG),
      setLogLevel: (next) => {
        current = levelOf(next);
      },
      namespace: (name, level) => make(name, level === undefined ? undefined : effective(level)),
    };
  };
  return make('', undefined);
}

const METHODS = { [logLevel.ERROR]: 'error', [logLevel.WARN]: 'warn', [logLevel.INFO]: 'info', [logLevel.DEBUG]: 'debug' } as const;

/** `Event.Log` of a client. @internal */
export function logNative(logger: KafkaLogger, lines: NativeLog[], dropped: number): void {
  eachLine(lines, dropped, (level, line) => logger[level](line));
}

/** Lines as text to a logger of the user's: `[Namespace] message {"more":...}`. @internal */
export function logTo(target: Logger): logCreator {
  const logger = new SafeLogger(target, []);
  return () =>
    ({ namespace, level, log: { message, timestamp: _, logger: __, ...more } }) => {
      logger.write(
        METHODS[level as Severity],
        `${namespace && `[${namespace}] `}${message}${Object.keys(more).length > 0 ? ` ${inspect(more, { breakLength: Infinity })}` : ''}`,
      );
    };
}

/** One line of JSON to the console, as KafkaJS writes it. */
export const consoleLogger: logCreator =
  () =>
  ({ namespace, level, label, log }) => {
    const text = JSON.stringify({ level: label, ...log, message: namespace ? `[${namespace}] ${log.message}` : log.message });
    if (level === logLevel.ERROR) console.error(text);
    else if (level === logLevel.WARN) console.warn(text);
    else if (level === logLevel.DEBUG) console.log(text);
    else console.info(text);
  };
