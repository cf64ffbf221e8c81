// An answer of HTTP that goes on, as a socket: server-sent events.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Conversation, Reads } from '../context';
import type { Identity } from '../doors/identity';
import { Ending } from '../ending';
import { CloseCode } from '../errors';
import { Exchange } from '../figures/traffic';
import { LOW, type Socket } from '../socket';
import { nextNumber, takenOf, type Owner } from '../ws-socket';

/** How long a client has to take what waits for it when its answer ends, milliseconds. */
const LAST = 5000;
const ALIVE = ':\n\n';

/** The last text: `event: error`, and the end of the answer. */
export type Farewell = (code: CloseCode, reason: string) => string;

export class StreamSocket implements Socket {
  readonly number = nextNumber();
  readonly id = this.number.toString(36);
  readonly since = Date.now();
  readonly traffic = new Exchange();
  readonly closed = new Ending();
  readonly #response: ServerResponse;
  readonly #owner: Owner;
  #conversation: Conversation | undefined;
  #farewell: Farewell = () => '';
  /** The code that it is closed with. */
  #code: CloseCode | undefined;
  #gone = false;
  #waiting: { low: number; resolve: () => void }[] = [];
  #last: NodeJS.Timeout | undefined;
  /** Bytes of all frames, and how many of them the system had taken at the last look. */
  #sent = 0;
  #taken = -1;

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    readonly identity: Identity,
    readonly address: string,
    readonly protocol: string,
    readonly path: string,
    owner: Owner,
  ) {
    this.#response = response;
    this.#owner = owner;
    // The system notices a client that vanishes without a word.
    request.socket.setKeepAlive(true, 60_000);
    // Of an answer before it on this connection, or of a server that cuts off what is silent: pings are for that.
    response.setTimeout(0);
    response.on('error', ignore);
    response.once('close', () => this.#end());
    if (response.destroyed || request.socket.destroyed) process.nextTick(() => this.#end());
  }

  /** @param farewell what is told before the proxy ends the answer */
  begin(conversation: Conversation, farewell: Farewell): void {
    this.#conversation = conversation;
    this.#farewell = farewell;
  }

  get reads(): Iterable<Reads> {
    return this.#conversation?.reads?.() ?? [];
  }

  get open(): boolean {
    return this.#code === undefined && !this.#gone && !this.#response.destroyed;
  }

  get buffered(): number {
    const waiting = this.#response.writableLength;
    const net = this.#response.socket;
    if (waiting === 0 || this.#gone) return 0;
    return net ? Math.max(waiting - takenOf(net), 0) : waiting;
  }

  get taken(): number {
    return this.#sent - this.buffered;
  }

  send(frame: Buffer | string): void {
    if (this.open) this.#write(frame);
  }

  #write(frame: Buffer | string): void {
    this.#sent += Buffer.byteLength(frame);
    this.#response.write(frame, this.#written);
  }

  readonly #written = (): void => {
    if (this.#waiting.length === 0) return;
    const { buffered } = this;
    const ready = this.#waiting.filter(({ low }) => buffered <= low);
    this.#waiting = this.#waiting.filter(({ low }) => buffered > low);
    for (const { resolve } of ready) resolve();
  };

  drained(low = LOW): Promise<void> {
    if (this.buffered <= low || !this.open) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ low, resolve }));
  }

  /** Clients have nothing to say. */
  hold(): void {}
  release(): void {}

  close(code: CloseCode, reason: string): void {
    if (!this.open) return;
    const last = this.#farewell(code, reason);
    if (last !== '') this.#write(last);
    this.#code = code;
    this.#response.end();
    this.#leave();
    // A client that has not read for so long will not read on.
    if (code === CloseCode.TooSlow) return this.terminate();
    this.#last = setTimeout(() => this.terminate(), LAST).unref();
  }

  terminate(): void {
    this.#response.destroy();
  }

  /** Says that it is there. A client that has taken nothing since the last time, and has something waiting, is gone. */
  ping(): void {
    if (!this.open) return;
    const { buffered, taken } = this;
    if (buffered > 0 && taken === this.#taken) return this.terminate();
    this.#taken = taken;
    if (buffered === 0 && this.#response.headersSent) this.send(ALIVE);
  }

  /** The connection is gone, or the answer complete. */
  #end(): void {
    if (this.#gone) return;
    this.#gone = true;
    clearTimeout(this.#last);
    this.#leave();
    this.#owner.closed(this, this.#code ?? 1006);
  }

  #leave(): void {
    if (this.closed.over) return;
    this.closed.come();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { resolve } of waiting) resolve();
    this.#owner.ended((async () => this.#conversation?.end())().catch((error: unknown) => this.#owner.failed(error, this)));
  }
}

const ignore = (): void => {};
