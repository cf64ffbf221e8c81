import { inspect } from 'node:util';
import type { NativeLog } from './binding';
import type { KafkaError } from './errors';

/**
 * Where a client writes what has no other receiver: `console`, or any object with these methods (pino, winston,
 * log4js ...). Each gets one string. A method that is missing falls back to the one of `console`, `debug` only when
 * librdkafka's property `debug` asks for such lines.
 */
export interface Logger {
  error?(message: string): void;
  warn?(message: string): void;
  info?(message: string): void;
  debug?(message: string): void;
}

export type Level = 'error' | 'warn' | 'info' | 'debug';

/** Lines of the addon or of librdkafka, whose levels are syslog's, in the four of everybody's loggers. @internal */
export function eachLine(lines: NativeLog[], dropped: number, write: (level: Level, line: string) => void): void {
  for (const { level, facility, message } of lines) {
    write(level <= 3 ? 'error' : level === 4 ? 'warn' : level <= 6 ? 'info' : 'debug', facility ? `${facility}: ${message}` : message);
  }
  if (dropped > 0) write('warn', `${dropped} more log lines were dropped: they came faster than they were written`);
}

/** A user's logger that is whole and cannot throw. @internal */
export class SafeLogger {
  readonly #target: Logger;
  /** Whether the console shows debug lines. */
  readonly #debug: boolean;

  /** @param properties librdkafka's, as the client gets them */
  constructor(target: Logger | undefined, properties: readonly (readonly [string, string])[]) {
    this.#target = target ?? {};
    this.#debug = properties.some(([name, value]) => name === 'debug' && value !== '');
  }

  error(message: string): void {
    this.write('error', message);
  }

  warn(message: string): void {
    this.write('warn', message);
  }

  info(message: string): void {
    this.write('info', message);
  }

  /** `Event.Log` */
  native(lines: NativeLog[], dropped: number): void {
    eachLine(lines, dropped, (level, line) => this.write(level, line));
  }

  /** For an error that has no caller: to the user's `error_callback`, else it is logged. */
  report(callback: ((error: KafkaError) => unknown) | undefined, error: KafkaError): void {
    if (callback) this.guard('error_callback', callback, error);
    else this.error(`${error.code}: ${error.message}`);
  }

  /**
   * Calls a callback of the user that cannot be the caller's business: what it throws, or rejects with when it is
   * async, is logged.
   */
  guard<T>(name: string, callback: (argument: T) => unknown, argument: T): void {
    try {
      const result = callback(argument);
      if (typeof (result as PromiseLike<unknown> | null)?.then !== 'function') return;
      Promise.resolve(result).catch((error: unknown) => this.error(`${name} failed: ${inspect(error)}`));
    } catch (error) {
      this.error(`${name} failed: ${inspect(error)}`);
    }
  }

  write(level: Level, message: string): void {
    try {
      if (typeof this.#target[level] === 'function') this.#target[level](message);
      else if (level !== 'debug' || this.#debug) console[level](message);
    } catch (error) {
      console.error(`logger.${level} failed: ${inspect(error)}; the message was: ${message}`);
    }
  }
}
