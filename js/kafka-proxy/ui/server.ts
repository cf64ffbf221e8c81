// What the page asks its proxy: by paths beside its own, as whoever has signed in.

import type { Failure, WhoAmI } from '../src/http/api';
import { Store } from './parts/store';

/** Why there is no answer, and what to do. */
export class Failed extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly status: number,
    readonly retriable: boolean,
  ) {
    super(message);
  }

  static of(error: unknown): Failed {
    if (error instanceof Failed) return error;
    const { code, message, retriable } = (error ?? {}) as Partial<Failure>;
    return new Failed(String(code ?? 'ERROR'), String(message ?? error), 0, retriable === true);
  }
}

/** Who asks; `unknown`: the proxy wants to know. */
export type Session = { state: 'asking' } | { state: 'unknown'; reason: string } | { state: 'known'; who: WhoAmI };
export const session = new Store<Session>({ state: 'asking' });
/** Since when the proxy has not answered, milliseconds; undefined: it does. */
export const away = new Store<number | undefined>(undefined);

/** Of the proxy: the folder above the page's. */
const BASE = new URL('../', location.href.replace(/[?#].*$/s, ''));
const PATIENCE = 20_000;
const DOTS = /(^|\/)(\.|%2e){1,2}(\/|$)/i;

/** As the header says it. In memory alone: who reloads the page is asked again. */
let authorization: { readonly header: string } | undefined;

/** `topics/${name}/messages`, where the name may be anything. */
export function path(parts: TemplateStringsArray, ...names: (string | number)[]): string {
  return parts.reduce((made, part, i) => `${made}${encodeURIComponent(wellFormed(String(names[i - 1])))}${part}`);
}

/** @throws Failed */
export async function ask<T>(where: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  // A browser would leave them out, and ask for another path.
  if (DOTS.test(where.split('?')[0]!)) throw new Failed('BAD_NAME', "A browser can't ask for what is named '.' or '..': use a script.", 0, false);
  // Who is not known signs in by the page's form, not by the browser's window.
  const headers: Record<string, string> = { Accept: 'application/json', 'X-Requested-With': 'kafka-proxy' };
  if (authorization !== undefined) headers.Authorization = authorization.header;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  let response: Response;
  let text: string;
  const late = AbortSignal.timeout(PATIENCE);
  const said = authorization;
  try {
    response = await fetch(new URL(where, BASE), {
      method: body === undefined ? 'GET' : 'POST',
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      cache: 'no-store',
      signal: signal ? AbortSignal.any([signal, late]) : late,
    });
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    if (away.value === undefined) away.set(Date.now());
    throw new Failed('UNREACHABLE', 'The proxy does not answer. The page tries again by itself.', 0, true);
  }
  away.set(undefined);
  const document = parsed(text);
  if (response.ok && document !== undefined) return document as T;
  const { code, message, retriable } = (document ?? {}) as Partial<Failure>;
  const reason = message ?? `The answer was ${response.status} and no JSON: something between the page and the proxy has answered.`;
  // What was asked before a newer sign-in says nothing of that one.
  if (response.status === 401 && said === authorization) session.set({ state: 'unknown', reason });
  throw new Failed(String(code ?? `HTTP_${response.status}`), String(reason), response.status, retriable ?? response.status >= 500);
}

/** Finds out who asks: by a cookie or a certificate that the browser has, or by what was said in the form. */
export async function whoAmI(): Promise<void> {
  const who = await ask<WhoAmI>('whoami');
  session.set({ state: 'known', who });
}

/** Resolves when the proxy knows who this is. @throws Failed */
export async function signIn(header: string): Promise<void> {
  // Headers are bytes: text is its UTF-8.
  authorization = { header: binary(header) };
  try {
    await whoAmI();
  } catch (error) {
    authorization = undefined;
    throw error;
  }
}

export function signOut(): void {
  authorization = undefined;
  session.set({ state: 'unknown', reason: 'You have signed out.' });
}

export const hasSignedIn = (): boolean => authorization !== undefined;

/** Name and password as HTTP's Basic authentication has them. */
export function basic(name: string, password: string): string {
  return `Basic ${btoa(binary(`${name}:${password}`))}`;
}

/** Where this page's WebSocket is; who is known takes a ticket for it, good for once. @throws Failed */
export async function socketUrl(): Promise<string> {
  const now = session.value;
  if (now.state !== 'known') throw new Failed('UNAUTHORIZED', 'Sign in first.', 401, false);
  const url = new URL(socketPath(now.who.socket), BASE);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  if (now.who.way === 'none') return url.href;
  try {
    const { ticket } = await ask<{ ticket: string }>('tickets', {});
    url.searchParams.set('ticket', ticket);
  } catch (error) {
    // A proxy without tickets: the browser may have a certificate, a cookie or a password that it sends by itself.
    if (![404, 405].includes(Failed.of(error).status)) throw error;
  }
  return url.href;
}

/** The proxy names a path of its own; who stands before it may have put another before that. */
function socketPath(given: string): string {
  const base = BASE.pathname.replace(/\/$/, '');
  const own = given.replace(/^\/+/, '/');
  return own === base || own.startsWith(`${base}/`) ? own : `${base}${own}`;
}

function parsed(text: string): unknown {
  try {
    const document: unknown = JSON.parse(text);
    return typeof document === 'object' && document !== null ? document : undefined;
  } catch {
    return undefined;
  }
}

function binary(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join('');
}

/** encodeURIComponent throws for half a character. */
function wellFormed(text: string): string {
  return text.replace(/\p{Cs}/gu, '\ufffd');
}
