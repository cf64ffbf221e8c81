// The page at /ui: files that the package's build has made. They hold no data, so nobody is asked for them; what they show comes from the other routes.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { CloseCode, ProxyError } from '../errors';
import type { Ask, Route } from './router';

const FOLDER = join(__dirname, '..', 'ui');
const TYPES: Record<string, string> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  txt: 'text/plain; charset=utf-8',
};

/** Only its own script runs, it talks to nobody but its proxy, and text can't become a script. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');
const HEADERS = {
  'Content-Security-Policy': POLICY,
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
};

interface File {
  readonly type: string;
  readonly etag: string;
  readonly plain: Buffer;
  /** As the build has compressed it. */
  readonly gzip: Buffer | undefined;
  /** Its name has its hash. */
  readonly lasting: boolean;
}

/** By name, read once: there are no others, whatever a path says. */
let files: Map<string, File> | undefined;

export const PAGE_ROUTES: readonly Route[] = [
  { method: 'GET', path: '/ui', open: true, answer: (ask) => redirect(ask, 'ui/') },
  { method: 'GET', path: '/ui/*', open: true, answer: serve },
];

/** A browser that is shown the proxy's address wants the page: true, it is sent there. */
export function leadsToPage(ask: Ask): boolean {
  if (!ask.context.ui || !/\btext\/html\b/i.test(ask.request.headers.accept ?? '')) return false;
  redirect(ask, 'ui/');
  return true;
}

function serve(ask: Ask): void {
  checkOn(ask);
  files ??= read();
  const { rest } = ask.names;
  const file = files.get(rest === '' ? 'index.html' : rest!);
  if (!file) throw new ProxyError('NOT_FOUND', 'The page has no such file; it begins at /ui/.', false, CloseCode.UnknownTopic);
  const { type, etag, plain, gzip, lasting } = file;
  const { request, response } = ask;
  const headers = { ...HEADERS, ETag: etag, Vary: 'Accept-Encoding', 'Cache-Control': lasting ? 'public, max-age=31536000, immutable' : 'no-cache' };
  if (knows(request, etag)) {
    response.writeHead(304, headers).end();
    return;
  }
  const small = gzip && /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/i.test(String(request.headers['accept-encoding'] ?? ''));
  const body = small ? gzip : plain;
  response.writeHead(200, { ...headers, 'Content-Type': type, 'Content-Length': body.length, ...(small && { 'Content-Encoding': 'gzip' }) });
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** To a path beside the one that was asked for: who stands before the proxy may have another base. */
function redirect(ask: Ask, to: string): void {
  checkOn(ask);
  const { originalUrl, url } = ask.request as IncomingMessage & { originalUrl?: string };
  const last = (originalUrl ?? url ?? '/')
    .replace(/[?#].*$|^\w+:\/\/[^/]*/gs, '')
    .split('/')
    .at(-1)!;
  // Of `/kafka` the page is at `kafka/ui/`; of `/ui` it is at `ui/`.
  const location = last === '' || last === 'ui' ? to : `${last}/${to}`;
  ask.response.writeHead(302, { ...HEADERS, Location: `./${location}`, 'Cache-Control': 'no-store', Vary: 'Accept', 'Content-Length': 0 }).end();
}

function checkOn({ context }: Ask): void {
  if (!context.ui) throw new ProxyError('NOT_FOUND', 'This proxy has no page: its option `ui` is false.', false, CloseCode.UnknownTopic);
}

function knows({ headers }: IncomingMessage, etag: string): boolean {
  return (headers['if-none-match'] ?? '').split(',').some((each) => each.trim().replace(/^W\//, '') === etag);
}

function read(): Map<string, File> {
  const names = readdirSync(FOLDER);
  const found = new Map<string, File>();
  for (const name of names) {
    const type = TYPES[name.split('.').at(-1)!];
    if (!type) continue;
    const plain = readFileSync(join(FOLDER, name));
    const etag = `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`;
    const gzip = names.includes(`${name}.gz`) ? readFileSync(join(FOLDER, `${name}.gz`)) : undefined;
    found.set(name, { type, etag, plain, gzip, lasting: /-[A-Z\d]{8}\.\w+$/.test(name) });
  }
  return found;
}
