// One client's WebSocket, as the protocols see it.

import type { Socket as NetSocket } from 'node:net';
import type { RawData, WebSocket } from 'ws';
import type { Conversation, Reads } from './context';
import type { Identity } from './doors/identity';
import { Ending } from './ending';
import { CloseCode } from './errors';
import { Exchange } from './figures/traffic';
import { type AnsweringSocket, LIMIT, LOW, type Socket } from './socket';

const TEXT = { binary: false };
/** Bytes of a frame that goes into one packet with a ping. */
const PACKET = 1200;
const BINARY = { binary: true };
/** So much of a frame's reason fits into a close frame, bytes. */
const REASON = 123;
/** Frames may come so many seconds ahead of their rate. */
const BURST = 10;
let sockets = 0;

/** Of the next socket of this process, of whatever kind. */
export function nextNumber(): number {
  return ++sockets;
}

/** Of all sockets of a proxy. */
export interface Owner {
  /** Frames a second that a client may send. */
  readonly rate: number;
  /** Called once, when the socket is closed, or on its way to it, and its conversation ends. */
  ended(ending: Promise<void>): void;
  /** The connection is gone. */
  closed(socket: Socket, code: number): void;
  /** An error of the protocol's. */
  failed(error: unknown, socket: Socket): void;
}

export class WsSocket implements AnsweringSocket {
  readonly number = nextNumber();
  readonly id = this.number.toString(36);
  readonly identity: Identity;
  readonly address: string;
  readonly protocol: string;
  readonly path: string | undefined;
  readonly since = Date.now();
  readonly traffic = new Exchange();
  readonly closed = new Ending();
  readonly #ws: WebSocket;
  readonly #net: NetSocket;
  readonly #owner: Owner;
  #frames: number;
  #counted = Date.now();
  #conversation: Conversation | undefined;
  #waiting: { low: number; resolve: () => void }[] = [];
  /** Bytes of the largest frame since the socket had written everything: one may be larger than the limit. */
  #largest = 0;
  #held = false;
  /** Whether it was heard of since the last ping, or took something while the ping waits behind other frames. */
  #alive = true;
  /** Bytes of all frames, and how many of them the system had taken at the last ping. */
  #sent = 0;
  #taken = 0;
  #pinging = false;
  #late = false;
  /** The number of the last ping of `reached`, that of the last one that was answered, and that of the one before the proxy's close frame. */
  #asked = 0;
  #answered = 0;
  #last = Number.POSITIVE_INFINITY;
  #asking: { ping: number; resolve: (reached: boolean) => void }[] | undefined;

  constructor(ws: WebSocket, net: NetSocket, identity: Identity, address: string, owner: Owner, path?: string) {
    this.#ws = ws;
    this.#net = net;
    this.identity = identity;
    this.address = address;
    this.path = path;
    this.protocol = ws.protocol || 'kafka-proxy 1.0';
    this.#owner = owner;
    this.#frames = owner.rate * BURST;
    ws.on('message', (data, binary) => this.#received(data, binary));
    ws.on('ping', (data) => this.#heard() && this.buffered < LIMIT && ws.pong(data, false, this.#written));
    ws.on('pong', (data) => this.#isAnswer(data) || this.#heard());
    // ws closes it with 1002, 1007, 1008 or 1009 by itself.
    ws.on('error', ignore);
    ws.on('close', (code) => {
      for (const { resolve } of this.#asking ?? []) resolve(false);
      this.#asking = undefined;
      this.#leave();
      owner.closed(this, code);
    });
  }

  /** Frames of the client are for this conversation, from now on. */
  begin(conversation: Conversation): void {
    this.#conversation = conversation;
  }

  get reads(): Iterable<Reads> {
    return this.#conversation?.reads?.() ?? [];
  }

  get open(): boolean {
    return this.#ws.readyState === this.#ws.OPEN;
  }

  get buffered(): number {
    const waiting = this.#ws.bufferedAmount;
    return waiting === 0 || this.closed.over ? 0 : waiting - takenOf(this.#net);
  }

  get taken(): number {
    return this.#sent - this.buffered;
  }

  send(frame: Buffer | string, options?: { binary?: boolean }): void {
    const ws = this.#ws;
    const waiting = ws.bufferedAmount;
    if (waiting === 0) this.#largest = 0;
    else if (waiting - this.#largest > LIMIT && this.buffered - this.#largest > LIMIT && this.open) {
      // Those who send messages have stopped before: answers to a client that asks, and does not read.
      this.close(CloseCode.TooSlow, 'the client does not read what it asked for');
      this.terminate();
    }
    if (!this.open) return;
    if (frame.length > this.#largest) this.#largest = frame.length;
    this.#sent += frame.length;
    const binary = options?.binary ?? typeof frame !== 'string';
    ws.send(frame, binary ? BINARY : TEXT, this.#written);
  }

  drained(low = LOW): Promise<void> {
    if (this.buffered <= low || this.closed.over) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ low, resolve }));
  }

  /** One function for all frames. */
  readonly #written = (): void => {
    if (this.#waiting.length === 0) return;
    const { buffered } = this;
    const ready = this.#waiting.filter(({ low }) => buffered <= low);
    if (ready.length === 0) return;
    this.#waiting = this.#waiting.filter(({ low }) => buffered > low);
    for (const { resolve } of ready) resolve();
  };

  hold(): void {
    this.#held = true;
    if (this.open) this.#ws.pause();
  }

  release(): void {
    this.#held = false;
    this.#alive = true;
    this.#ws.resume();
  }

  close(code: CloseCode, reason: string): void {
    if (!this.open) return;
    this.release();
    // In a moment the client answers nothing more.
    if (this.#asked > 0) this.#last = this.#ask();
    this.#ws.close(code, cut(reason));
    // A proxy that ends hears what the client has acknowledged before it knew. All others have said enough.
    if (code !== CloseCode.GoingAway) process.nextTick(() => this.#leave());
  }

  terminate(): void {
    this.#ws.terminate();
  }

  /** Asks whether somebody is there. A client that has not answered the last time is gone. */
  ping(): void {
    if (!this.open) return;
    const { taken } = this;
    if (this.#pinging && taken > this.#taken) this.#alive = true;
    this.#taken = taken;
    if (!this.#alive && !this.#held) return this.terminate();
    this.#alive = false;
    // The last one waits behind frames that a slow client has still to read.
    if (this.#pinging) {
      this.#late = true;
      return;
    }
    this.#pinging = true;
    // A client may answer the newest ping only.
    this.#ws.ping(this.#asked > 0 ? String(++this.#asked) : undefined, false, () => {
      this.#pinging = false;
      if (this.#late) this.#alive = true;
      this.#late = false;
    });
  }

  reached(): Promise<boolean> {
    const ping = this.open ? this.#ask() : this.#last;
    if (this.#answered >= ping) return Promise.resolve(true);
    if (this.#ws.readyState === this.#ws.CLOSED) return Promise.resolve(false);
    return new Promise((resolve) => (this.#asking ??= []).push({ ping, resolve }));
  }

  sendAsking(frame: Buffer): Promise<boolean> {
    // A client that says goodbye because of the frame answers nothing behind it. So the ping of a small one is in front of it, in one packet: the client
    // has both or neither, as nothing else is on its way.
    const small = frame.length <= PACKET && this.#answered === this.#asked && this.buffered === 0 && this.#ws.extensions === '';
    if (small) this.#net.cork();
    const reached = small ? this.reached() : undefined;
    this.send(frame, TEXT);
    if (small) this.#net.uncork();
    return reached ?? this.reached();
  }

  #ask(): number {
    this.#ws.ping(String(++this.#asked), false, this.#written);
    return this.#asked;
  }

  /** An answer that was asked for is no frame of the client's own. */
  #isAnswer(data: Buffer): boolean {
    const ping = Number(data.toString('latin1'));
    if (!(ping > this.#answered && ping <= this.#asked)) return false;
    this.#answered = ping;
    this.#alive = true;
    const asking = this.#asking ?? [];
    this.#asking = asking.filter((each) => each.ping > ping);
    for (const each of asking) if (each.ping <= ping) each.resolve(true);
    return true;
  }

  #received(data: RawData, binary: boolean): void {
    if (!this.#heard()) return;
    try {
      this.#conversation?.received(data as Buffer, binary);
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Whether the client may still say something. */
  #heard(): boolean {
    this.#alive = true;
    if (this.closed.over) return false;
    const { rate } = this.#owner;
    if (rate === Number.POSITIVE_INFINITY) return true;
    const now = Date.now();
    // A clock that is set back gives nothing, and takes nothing.
    this.#frames = Math.min(rate * BURST, this.#frames + (Math.max(now - this.#counted, 0) / 1000) * rate);
    this.#counted = now;
    if (this.#frames < 1) {
      this.close(CloseCode.TooManyRequests, `more than ${rate} frames a second`);
      return false;
    }
    this.#frames--;
    return true;
  }

  #failed(error: unknown): void {
    this.#owner.failed(error, this);
    this.close(CloseCode.Internal, 'an error of the proxy');
  }

  #leave(): void {
    if (this.closed.over) return;
    this.closed.come();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { resolve } of waiting) resolve();
    this.#owner.ended((async () => this.#conversation?.end())().catch((error: unknown) => this.#failed(error)));
  }
}

const ignore = (): void => {};

interface Handle {
  writeQueueSize?: number;
  /** Of TLS: the handle of TCP. */
  _parent?: Handle;
}

/**
 * Bytes of the write under way that the system has taken already. Node counts it as a whole, and what a slow client has waiting becomes one
 * write: it would look as if it took nothing. Where Node does not say it is 0.
 */
export function takenOf(net: NetSocket): number {
  const { _writableState: state, _handle: handle } = net as unknown as { _writableState?: { writelen?: number }; _handle?: Handle | null };
  const taken = (state?.writelen ?? 0) - ((handle?._parent ?? handle)?.writeQueueSize ?? Number.POSITIVE_INFINITY);
  return taken > 0 ? taken : 0;
}

/** At a character's end. */
function cut(reason: string): Buffer {
  const bytes = Buffer.from(reason);
  let end = Math.min(bytes.length, REASON);
  while (end < bytes.length && (bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}
