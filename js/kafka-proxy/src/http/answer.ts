// Answers of HTTP: JSON, and errors as JSON.

import type { ServerResponse } from 'node:http';
import { CloseCode, type ProxyError } from '../errors';

/** Answers are of the moment, and say their type: browsers guess nothing. */
export const HEADERS = { 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff', 'Cross-Origin-Resource-Policy': 'same-origin' };

const STATUS: ReadonlyMap<CloseCode, number> = new Map([
  [CloseCode.BadRequest, 400],
  [CloseCode.Unauthorized, 401],
  [CloseCode.Forbidden, 403],
  [CloseCode.UnknownTopic, 404],
  [CloseCode.Replaced, 409],
  [CloseCode.OffsetOutOfRange, 416],
  [CloseCode.TooLarge, 413],
  [CloseCode.TooManyRequests, 429],
  [CloseCode.GoingAway, 503],
  [CloseCode.TooSlow, 503],
]);

/** Of old brokers, and of the embedded cluster. */
const UNSUPPORTED = '_UNSUPPORTED_FEATURE';

/** Errors that a socket has no code for. */
const BY_CODE: ReadonlyMap<string, number> = new Map([
  ['UNSUPPORTED_MEDIA_TYPE', 415],
  ['MESSAGE_TOO_LARGE', 413],
  [UNSUPPORTED, 501],
]);

/** So many bytes are for the system to keep. */
const SMALL = 16 * 1024;
/** Milliseconds in which a client takes some of its answer. */
const PATIENCE = 10_000;

export function json(response: ServerResponse, status: number, document: unknown, headers: Record<string, string> = {}): void {
  whole(response, status, 'application/json', Buffer.from(`${JSON.stringify(document)}\n`), headers);
}

/** A document that is there as bytes. */
export function whole(response: ServerResponse, status: number, type: string, body: Buffer, headers: Record<string, string> = {}): void {
  // Half an answer is none; a whole one stays.
  if (response.headersSent) return void (response.writableEnded || response.destroy());
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': body.length, ...HEADERS, ...headers });
  response.end(response.req.method === 'HEAD' ? undefined : body);
  // An answer of which the client takes nothing is not kept.
  if (body.length > SMALL) response.setTimeout(PATIENCE, () => response.destroy());
}

/** `{ code, message, retriable }`: the message says what to do. */
export function failure(response: ServerResponse, error: ProxyError, headers: Record<string, string> = {}): void {
  const { code, retriable } = error;
  const message =
    code === UNSUPPORTED ? 'This Kafka does not answer such a request: ask a newer one; the embedded cluster does not know it either.' : error.message;
  const status = statusOf(error);
  json(response, status, { code, message, retriable }, status === 503 || status === 429 ? { 'Retry-After': '5', ...headers } : headers);
}

export function statusOf({ code, close, retriable }: ProxyError): number {
  return BY_CODE.get(code) ?? STATUS.get(close) ?? (retriable ? 503 : 500);
}
