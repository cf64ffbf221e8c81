// The answer to an upgrade that is not let in.

import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';

/** An HTTP answer in place of a WebSocket. The reason is shown to the client: nothing of what it sent is in it. */
export class Refusal {
  constructor(
    readonly status: 400 | 401 | 403 | 404 | 429 | 500 | 503,
    readonly reason: string,
    readonly headers: Record<string, string> = {},
  ) {}
}

/** How long a client has to read the answer, and to close, milliseconds. */
const LINGER = 1000;

/** Answers, and ends the connection. */
export function refuse(socket: Duplex, { status, reason, headers }: Refusal): void {
  if (socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const lines = { Connection: 'close', 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': String(Buffer.byteLength(reason)), ...headers };
  const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head.join('')}\r\n${reason}`);
  // Bytes that the client has sent besides are read: the system would cut the connection, and the answer with it.
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), LINGER).unref();
  socket.once('close', () => clearTimeout(timer));
}
