// The body of a request.

import type { IncomingMessage } from 'node:http';
import { CloseCode, ProxyError } from '../errors';

/**
 * Rejects with a ProxyError when it is larger than `most` bytes, what comes of it then is thrown away, so that the client reads the answer; and when
 * `gone` is aborted before its end.
 */
export function bodyOf(request: IncomingMessage, most: number, gone: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let length = 0;
    const tooLarge = (): void => {
      request.removeAllListeners('data');
      request.resume();
      parts.length = 0;
      reject(new ProxyError('TOO_LARGE', `A body has at most ${most} bytes: send several requests.`, false, CloseCode.TooLarge));
    };
    if (request.readableEnded)
      return reject(
        new ProxyError('INTERNAL', 'Something before the proxy has read the body: let requests come to the proxy first.', false, CloseCode.Internal),
      );
    if (Number(request.headers['content-length']) > most) return tooLarge();
    request.on('data', (part: Buffer) => {
      length += part.length;
      if (length > most) tooLarge();
      else parts.push(part);
    });
    request.once('end', () => resolve(Buffer.concat(parts)));
    // After the end this does nothing. A client that has gone before its body was asked for is not heard of any more, and a proxy that ends waits for nobody's rest.
    const leave = (): void => reject(new ProxyError('GONE', 'The client has gone, or the proxy ends, in the middle of the body.', true, CloseCode.GoingAway));
    if (gone.aborted || request.destroyed) leave();
    request.once('close', leave);
    gone.addEventListener('abort', leave, { once: true });
  });
}

/** The body's JSON. @throws ProxyError */
export function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw new ProxyError('BAD_REQUEST', `The body is no JSON: ${(error as Error).message.slice(0, 200)}`);
  }
}

/** Of the header Content-Type, in small letters, without parameters. */
export function typeOf(request: IncomingMessage): string {
  return (request.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
}
