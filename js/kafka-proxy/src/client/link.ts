// One WebSocket's life.

import type { Opening } from './credentials';
import { KafkaProxyError } from './errors';
import { type FromServer, type Hello, sizeOf, type Wire } from './wire';

/** The part of a WebSocket that the client uses: a browser's, Node's and that of `ws` fit. */
export interface WebSocketLike {
  readonly protocol: string;
  binaryType: any;
  onmessage: any;
  onclose: any;
  onerror: any;
  send(data: any): void;
  close(code?: number, reason?: string): void;
}
export type WebSocketClass = new (url: string, protocols?: any, options?: any) => WebSocketLike;

/** Why a socket is closed. */
export interface Closed {
  /** A WebSocket's close code; 1006: without one, as when the network or the proxy is gone. */
  code: number;
  reason: string;
}

export interface LinkOwner {
  hello(hello: Hello): void;
  /** @param bytes of the frame, as the proxy counts them */
  received(message: FromServer, bytes: number): void;
  /** Once, the last call. With an error when the same would happen again. */
  closed(closed: Closed, error: KafkaProxyError | undefined): void;
}

/** RFC 6455's codes behind which the same would happen again. */
const FINAL = new Set([1002, 1003, 1007, 1008, 1009, 1010]);

export class Link {
  readonly #socket: WebSocketLike;
  readonly #owner: LinkOwner;
  readonly #wire: Wire;
  #timer: ReturnType<typeof setTimeout>;
  #greeted = false;
  #ended = false;
  /** The text of the socket's error; a browser's says nothing. */
  #fault = '';

  /** @throws what the class throws, for a URL that is none */
  constructor({ url, protocols, options }: Opening, wire: Wire, WebSocket: WebSocketClass, patience: number, owner: LinkOwner) {
    this.#owner = owner;
    this.#wire = wire;
    const offered = [wire.protocol, ...protocols];
    const socket = options ? new WebSocket(url, offered, options) : new WebSocket(url, offered);
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onmessage = ({ data }: { data: unknown }) => this.#received(data);
    socket.onerror = (event: { message?: unknown }) => {
      if (typeof event?.message === 'string') this.#fault = event.message;
    };
    socket.onclose = ({ code = 1006, reason }: Closed) => this.#end({ code, reason: String(reason || this.#fault) }, refusal(code, reason));
    this.#timer = setTimeout(() => this.#end({ code: 1006, reason: `no answer within ${patience} ms` }), patience);
  }

  send(frame: string | Uint8Array): void {
    if (!this.#ended) this.#socket.send(frame);
  }

  /** Says goodbye; the owner is told when the proxy has answered, or a few seconds later. */
  close(): void {
    clearTimeout(this.#timer);
    if (this.#ended) return;
    this.#shut(1000);
    this.#timer = setTimeout(() => this.#end({ code: 1006, reason: 'the proxy has not answered the goodbye' }), 3000);
  }

  #received(data: unknown): void {
    if (this.#ended) return;
    let message: FromServer;
    try {
      message = this.#wire.decode(data);
      if (typeof message?.type !== 'string') throw new Error('no type');
      if (!this.#greeted && (message.type !== 'hello' || message.protocol !== 2)) throw new Error('no hello');
    } catch (error) {
      const reason = `who answers does not speak ${this.#wire.protocol}: ${(error as Error).message}`;
      return this.#end({ code: 1002, reason }, new KafkaProxyError('NO_PROXY', `The socket is closed: ${reason}. Is the URL a kafka-proxy 2?`));
    }
    if (message.type !== 'hello') return this.#owner.received(message, sizeOf(data));
    this.#greeted = true;
    clearTimeout(this.#timer);
    this.#owner.hello(message);
  }

  #end(closed: Closed, error?: KafkaProxyError): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#shut(closed.code === 1002 ? 4002 : 1000);
    this.#owner.closed(closed, error);
  }

  #shut(code: number): void {
    try {
      this.#socket.close(code);
    } catch {
      // It is closed already.
    }
  }
}

function refusal(code: number, reason: string): KafkaProxyError | undefined {
  if (!FINAL.has(code) && (code < 4400 || code >= 4500 || code === 4429)) return undefined;
  return new KafkaProxyError(`CLOSED_${code}`, `The proxy closed the socket (${code}): ${reason || 'without a reason'}.`);
}
