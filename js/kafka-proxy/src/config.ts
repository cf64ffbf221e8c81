// Settings of the command: by flags, by the environment, by a file; the first that says something counts.

import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import type { Jwk } from './doors/keys';
import type { LogLevel } from './log';
import type { ProxyOptions } from './options';

/** A file has the options of {@link ProxyOptions} that are no functions, and `logLevel`. */
export interface FileOptions extends ProxyOptions {
  logLevel?: LogLevel;
}

/**
 * A file of JSON or YAML. `tls.key`, `cert`, `ca` and `pfx`, `jwt.key` and `jwt.jwks` may name files, seen from the file's folder.
 *
 * @throws Error saying what is wrong with it, and nothing of what is in it
 */
export function readConfig(path: string): FileOptions {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`the file ${path} cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
  const lineCounter = new LineCounter();
  // Its own words would show the line, and a password in it.
  const document = parseDocument(text, { prettyErrors: false, lineCounter });
  const [error] = document.errors;
  if (error) {
    const { line, col } = lineCounter.linePos(error.pos[0]);
    throw new Error(`${path}, line ${line}, column ${col}: this is no YAML or JSON (${error.code})`);
  }
  let options: unknown;
  try {
    options = document.toJS({ maxAliasCount: 100 }) ?? {};
  } catch {
    throw new Error(`${path} cannot be used: an alias in it has no anchor, or there are too many`);
  }
  if (typeof options !== 'object' || Array.isArray(options)) throw new Error(`${path} must have options, such as 'brokers: localhost:9092'`);
  const { tls } = options as { tls?: Record<string, unknown> };
  if (typeof tls === 'object' && tls !== null) for (const name of ['key', 'cert', 'ca', 'pfx']) tls[name] = load(tls[name], path, `tls.${name}`);
  const { jwt } = options as { jwt?: Record<string, unknown> };
  if (typeof jwt === 'object' && jwt !== null) {
    jwt.key = load(jwt.key, path, 'jwt.key');
    if (typeof jwt.jwks === 'string' && !URL.canParse(jwt.jwks)) jwt.jwks = readKeySet(resolve(dirname(path), jwt.jwks), 'jwt.jwks');
    for (const name of ['key', 'jwks']) if (jwt[name] === undefined) delete jwt[name];
  }
  return options as FileOptions;
}

/** @throws Error naming the option and the file */
export function readKeySet(path: string, name: string): { keys: Jwk[] } {
  try {
    return JSON.parse(readKeyFile(path, name).toString()) as { keys: Jwk[] };
  } catch (error) {
    if (error instanceof SyntaxError) throw new Error(`${name}: the file ${path} is no JSON`);
    throw error;
  }
}

/** A text with the head of a PEM is the key itself; any other is a file's name. */
function load(value: unknown, config: string, name: string): unknown {
  if (Array.isArray(value)) return value.map((each) => load(each, config, name));
  if (typeof value !== 'string' || value.includes('-----BEGIN')) return value;
  return readKeyFile(resolve(dirname(config), value), name);
}

/** @throws Error naming the option and the file */
export function readKeyFile(path: string, name: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Error(`${name}: the file ${path} cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
}
