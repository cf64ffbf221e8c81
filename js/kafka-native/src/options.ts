import { invalidType, outOfRange } from './errors';
import type { Logger } from './logger';
import { numberOf } from './numbers';

/** Properties of librdkafka by name. `undefined` counts as absent; librdkafka judges names and values. */
export type DriverOptions = Record<string, string | number | boolean | undefined>;

/** The names and values as librdkafka takes them, in order: of two with one name, the later wins. @internal */
export type Properties = [string, string][];

/** Reads and checks the options of one constructor or call. `null` counts as absent, 0 and '' are values. @internal */
export class OptionReader {
  readonly #owner: string;
  readonly #numbersAsText: boolean;
  readonly #options: Record<string, unknown>;
  readonly #known = new Set<string>();

  /**
   * @param owner what the messages name: `Producer`, `Producer.stop`
   * @param numbersAsText whether a number may be text, as one of the environment is
   */
  constructor(owner: string, options: unknown, numbersAsText = false) {
    if (typeof options !== 'object' || options === null || Array.isArray(options)) {
      throw invalidType(`${owner}: the options must be an object, got ${describe(options)}`);
    }
    this.#owner = owner;
    this.#numbersAsText = numbersAsText;
    this.#options = options as Record<string, unknown>;
  }

  /** A string that is not empty. */
  string(name: string): string | undefined {
    const value = this.#get(name);
    if (value === undefined || (typeof value === 'string' && value !== '')) return value;
    throw this.#wrong(name, 'a string that is not empty', value);
  }

  requiredString(name: string): string {
    const value = this.string(name);
    if (value === undefined) throw this.#wrong(name, 'a string that is not empty', value);
    return value;
  }

  integer(name: string, fallback: number, min: number, max: number): number {
    return this.#number(name, fallback, min, max, 'an integer', Number.isInteger);
  }

  number(name: string, fallback: number, min: number, max: number): number {
    return this.#number(name, fallback, min, max, 'a number', Number.isFinite);
  }

  boolean(name: string, fallback: boolean): boolean {
    const value = this.#get(name);
    if (value === undefined) return fallback;
    if (typeof value !== 'boolean') throw this.#wrong(name, 'true or false', value);
    return value;
  }

  oneOf<T extends string>(name: string, choices: readonly [T, ...T[]]): T {
    const value = this.#get(name);
    if (value === undefined) return choices[0];
    if (!choices.includes(value as T)) throw this.#wrong(name, choices.map((choice) => `'${choice}'`).join(' or '), value);
    return value as T;
  }

  callback<T extends (argument: any) => unknown>(name: string): T | undefined {
    const value = this.#get(name);
    if (value !== undefined && typeof value !== 'function') throw this.#wrong(name, 'a function', value);
    return value as T | undefined;
  }

  requiredCallback<T extends (argument: any) => unknown>(name: string): T {
    const value = this.callback<T>(name);
    if (value === undefined) throw this.#wrong(name, 'a function', value);
    return value;
  }

  logger(): Logger | undefined {
    const value = this.#get('logger');
    if (value === undefined || typeof value === 'object' || typeof value === 'function') return value as Logger;
    throw this.#wrong('logger', 'an object with error, warn, info and debug', value);
  }

  /** Whatever it is: the caller checks it. */
  any(name: string): unknown {
    return this.#get(name);
  }

  /** Values are never part of a message: they may be secrets. */
  properties(name: string): Properties {
    const value = this.#get(name);
    if (value === undefined) return [];
    if (typeof value !== 'object' || Array.isArray(value)) throw this.#wrong(name, 'an object of librdkafka properties', value);
    const properties: Properties = [];
    for (const [property, setting] of Object.entries(value as object)) {
      if (setting === undefined) continue;
      if (typeof setting !== 'string' && typeof setting !== 'boolean' && !Number.isFinite(setting)) {
        throw invalidType(
          `${this.#owner}: ${name}['${property}'] must be a string, a finite number or a boolean, got ` +
            (typeof setting === 'number' ? setting : setting === null ? 'null' : typeof setting),
        );
      }
      properties.push([property, String(setting)]);
    }
    return properties;
  }

  /** The options that nobody asked for: misspelt, most likely; each with the name that may be meant. */
  unknown(): string[] {
    return Object.keys(this.#options)
      .filter((name) => !this.#known.has(name) && this.#options[name] !== undefined)
      .map((name) => guessed(name, this.#known));
  }

  #get(name: string): unknown {
    this.#known.add(name);
    return this.#options[name] ?? undefined;
  }

  #number(name: string, fallback: number, min: number, max: number, kind: string, fits: (value: number) => boolean): number {
    const given = this.#get(name);
    if (given === undefined) return fallback;
    const value = this.#numbersAsText && typeof given === 'string' ? numberOf(given) : given;
    const expected = `${kind} from ${min} to ${max}`;
    if (typeof value !== 'number') throw this.#wrong(name, expected, given);
    if (!fits(value) || value < min || value > max) {
      throw outOfRange(`${this.#owner}: the option ${name} must be ${expected}, got ${value}`);
    }
    return value;
  }

  #wrong(name: string, expected: string, value: unknown): TypeError {
    const got = value === undefined ? 'it is missing' : `got ${describe(value)}`;
    return invalidType(`${this.#owner}: the option ${name} must be ${expected}, ${got}`);
  }
}

/** A name that is not known, and the one of `known` that is nearest to it, if one is near. @internal */
export function guessed(name: string, known: Iterable<string>): string {
  let nearest = '';
  let least = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editsBetween(name.toLowerCase(), candidate.toLowerCase(), least);
    if (distance < least) [nearest, least] = [candidate, distance];
  }
  return nearest === '' ? name : `${name} (is ${nearest} meant?)`;
}

/** How many letters have to be put in, taken away or replaced; `most` when there are as many or more. */
function editsBetween(one: string, other: string, most: number): number {
  if (Math.abs(one.length - other.length) >= most) return most;
  let row = Array.from({ length: other.length + 1 }, (_, i) => i);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + Number(one[i - 1] !== other[j - 1])));
    }
    row = next;
  }
  return row[other.length]!;
}

/** Whether a broker takes it for a topic's name. @internal */
export function isTopicName(name: string): boolean {
  return /^[A-Za-z0-9._-]{1,249}$/.test(name) && name !== '.' && name !== '..';
}

/** @internal */
export const TOPIC_NAMES = "it has 1 to 249 letters, digits, '.', '_' and '-', and is neither '.' nor '..'";

/** A wrong value in a message: enough to recognise it. @internal */
export function describe(value: unknown): string {
  if (typeof value === 'string') return value.length > 40 ? `'${value.slice(0, 40)}...'` : `'${value}'`;
  if (value === null || typeof value === 'number' || typeof value === 'boolean' || value === undefined) return String(value);
  return Array.isArray(value) ? 'an array' : `${typeof value === 'object' ? 'an' : 'a'} ${typeof value}`;
}
