// Keys, values and headers: what the program has, and what the wire has.

import { bytesOf, fromBase64, type Headers, textOf, toBase64, type Wire, type WireRecord } from './wire';

/** How the program wants a key, a value or the headers; false: not at all. */
export type ValueForm = 'text' | 'json' | 'binary' | false;

type Raw = string | Uint8Array | null | undefined;
type Read = (raw: Raw) => unknown;

/** The encoding that the proxy is asked for, so that `read` can make the form of it. */
export function wireForm(form: ValueForm, wire: Wire): string | false {
  if (form === false) return false;
  return form === 'binary' ? wire.bytes : wire.text;
}

const readers: Record<string, Read> = {
  text: (raw) => (raw == null ? null : typeof raw === 'string' ? raw : textOf(raw)),
  binary: (raw) => (raw == null ? null : typeof raw === 'string' ? fromBase64(raw) : raw),
  json(raw) {
    if (raw == null) return null;
    try {
      return JSON.parse(typeof raw === 'string' ? raw : textOf(raw));
    } catch {
      return typeof raw === 'string' ? bytesOf(raw) : raw;
    }
  },
};

/** The form of a record's `key` or `value` that the program gets. */
export function reader(field: 'key' | 'value', form: ValueForm): (record: WireRecord) => unknown {
  if (form === false) return () => undefined;
  const read = readers[form]!;
  return (record) => {
    const base64 = record[`${field}Base64`];
    return read(base64 === undefined ? record[field] : fromBase64(base64));
  };
}

export function headersReader(form: ValueForm): (record: WireRecord) => Headers {
  if (form === false) return () => ({});
  const one = readers[form]!;
  const each = (value: unknown, read: Read): unknown => (Array.isArray(value) ? value.map((raw) => read(raw)) : read(value as Raw));
  return ({ headers, headersBase64 }) => {
    if (!headers && !headersBase64) return {};
    const entries: [string, unknown][] = [];
    for (const name of Object.keys(headers ?? {})) entries.push([name, each(headers![name], one)]);
    for (const name of Object.keys(headersBase64 ?? {}))
      entries.push([name, each(headersBase64![name], (raw) => one(raw == null ? null : fromBase64(raw as string)))]);
    return Object.fromEntries(entries);
  };
}

/** Text and bytes are written as they are, null is none, anything else is written as JSON. */
export type Writable = string | Uint8Array | null | number | boolean | object;

/** A message to be written. */
export interface NewMessage {
  key?: string | Uint8Array | null;
  /** null: a tombstone. */
  value: Writable;
  headers?: Record<string, string | Uint8Array | null | readonly (string | Uint8Array | null)[]>;
  /** Where it goes; by the key, if undefined. */
  partition?: number;
  /** Milliseconds since 1970; the time of writing, if undefined. */
  timestamp?: number;
}

/** A message as the wire has it. @throws TypeError for what cannot be written */
export function written({ key, value, headers, partition, timestamp }: NewMessage, wire: Wire): object {
  const base64 = wire.bytes === 'base64';
  const field = (name: string, given: Raw): object => (base64 && given instanceof Uint8Array ? { [`${name}Base64`]: toBase64(given) } : { [name]: given });
  const message: Record<string, unknown> = { partition, timestamp, ...field('value', content(value)) };
  if (key != null) Object.assign(message, field('key', key));
  // msgpack has no undefined.
  for (const name of ['partition', 'timestamp']) if (message[name] == null) delete message[name];
  const texts: [string, unknown][] = [];
  const encoded: [string, unknown][] = [];
  for (const [name, given] of Object.entries(headers ?? {})) {
    const values = Array.isArray(given) ? given : [given];
    const inBase64 = base64 && values.some((each) => each instanceof Uint8Array);
    const all = inBase64 ? values.map((each) => (each === null ? null : toBase64(typeof each === 'string' ? bytesOf(each) : each))) : values;
    (inBase64 ? encoded : texts).push([name, Array.isArray(given) ? all : all[0]]);
  }
  if (texts.length > 0) message.headers = Object.fromEntries(texts);
  if (encoded.length > 0) message.headersBase64 = Object.fromEntries(encoded);
  return message;
}

function content(value: Writable): string | Uint8Array | null {
  if (value === null || typeof value === 'string' || value instanceof Uint8Array) return value;
  const text: string | undefined = JSON.stringify(value);
  if (text === undefined) throw new TypeError(`produce: a message's value is text, a Uint8Array, null or what JSON knows, got ${typeof value}`);
  return text;
}
