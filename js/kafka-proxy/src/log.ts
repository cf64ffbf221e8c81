// The proxy's lines, to whatever logger there is.

import { inspect } from 'node:util';
import type { Logger } from 'kafka-native';

/** Where the proxy logs. */
export interface Log {
  error(message: string, details?: object): void;
  warn(message: string, details?: object): void;
  info(message: string, details?: object): void;
  debug(message: string, details?: object): void;
}

const LEVELS = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LEVELS)[number] | 'silent';

/** Errors and warnings to the console: what a program has that said nothing. */
export const QUIET: Logger = { error: console.error, warn: console.warn, info: () => {}, debug: () => {} };

/** Lines with the time and the level to standard error, up to this level. */
export function linesUpTo(level: LogLevel): Logger {
  const last = (LEVELS as readonly string[]).indexOf(level);
  const write = (name: string) => (line: string) => void process.stderr.write(`${new Date().toISOString()} ${name.padEnd(5)} ${line}\n`);
  return Object.fromEntries(LEVELS.map((name, index) => [name, index <= last ? write(name) : () => {}]));
}

/** A logger that is whole, takes details, and cannot throw. Text that clients sent cannot make lines of its own. */
export function logTo(target: Logger): Log {
  const line = (level: keyof Logger) => (message: string, details?: object) => {
    try {
      const more =
        details && Object.keys(details).length > 0 ? ` ${inspect(details, { breakLength: Number.POSITIVE_INFINITY, depth: 3, maxStringLength: 500 })}` : '';
      const text = printable(`${message}${more}`);
      const write = target[level] ?? QUIET[level];
      write?.call(target, text);
    } catch {
      // There is nowhere to say it.
    }
  };
  return { error: line('error'), warn: line('warn'), info: line('info'), debug: line('debug') };
}

/** The text in one line, without what steers a terminal. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
