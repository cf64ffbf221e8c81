// Pages of other origins: what their browsers are told, and what is refused that they do not say.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Origins } from '../doors/origins';
import { Refusal } from '../doors/refusal';

/** Seconds that a browser may remember the answer to its question. */
const REMEMBERED = '600';
const TOKENS = /^[\w!#$%&'*+.^`|~-]+(?:\s*,\s*[\w!#$%&'*+.^`|~-]+)*$/;
const FOREIGN = new Refusal(
  403,
  'pages of other origins may not ask without saying which they are; ask with fetch, and name the origin in the option `origins`',
);

/** Lets the page read the answer. It has been let in: its origin is one of `origins`, or of this host. */
export function share({ headers: { origin } }: IncomingMessage, response: ServerResponse, origins: Origins | undefined): void {
  if (origins === '*') return void response.setHeader('Access-Control-Allow-Origin', '*');
  response.setHeader('Vary', 'Origin');
  if (origin === undefined) return;
  response.setHeader('Access-Control-Allow-Origin', origin);
  // Passwords and cookies that the browser sends by itself: for pages that somebody has named.
  if (origins !== undefined) response.setHeader('Access-Control-Allow-Credentials', 'true');
}

/** The answer to OPTIONS: what may be asked here, of a browser's question too. */
export function offer({ headers }: IncomingMessage, response: ServerResponse, methods: readonly string[]): void {
  response.setHeader('Allow', methods.join(', '));
  if (headers.origin !== undefined && headers['access-control-request-method'] !== undefined) {
    response.setHeader('Access-Control-Allow-Methods', methods.join(', '));
    // Any: a message's headers are among them.
    const wanted = headers['access-control-request-headers'];
    if (wanted !== undefined && TOKENS.test(wanted)) response.setHeader('Access-Control-Allow-Headers', wanted);
    response.setHeader('Access-Control-Max-Age', REMEMBERED);
  }
  response.writeHead(204).end();
}

/** Browsers say of some requests of foreign pages only that they are foreign: forms of old ones, images. A link may be followed. */
export function refusesForeign({ method, headers }: IncomingMessage, origins: Origins | undefined): Refusal | undefined {
  if (origins === '*' || headers.origin !== undefined || headers['sec-fetch-site'] !== 'cross-site') return undefined;
  const looks = (method === 'GET' || method === 'HEAD') && headers['sec-fetch-mode'] === 'navigate';
  return looks ? undefined : FOREIGN;
}
