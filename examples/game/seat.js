// One client at an instance. It says where it is in the log, gets what is behind that, then what comes, each event once.

import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { GAMES, isId, isName, parsed } from './public/engine.js';

/** Milliseconds until a client has to have said which game it wants. */
const HELLO_MS = 10_000;
/** Moves of a client that may be on their way to the log. Ours have 32, and as many that they have read and whose writing is not confirmed yet. */
const MOST_MOVES = 512;
/** Bytes that may wait for a client. One that is so slow comes back with its token. */
const MOST_BYTES = 4 * 1024 * 1024;
/** Milliseconds for a client's goodbye. */
const GOODBYE_MS = 1000;

/** The codes of WebSocket closes. */
const GOING = 1001;
const REFUSED = 1008;
const FAILED = 1011;
const FULL = 1013;

/** @type {WeakMap<import('ws').WebSocket, Seat>} */
const seatOf = new WeakMap();

export class Seat {
  #game = '';
  #player = '';
  /** Of the last event that the client has. */
  #offset = -1;
  #underWay = 0;
  #alive = true;
  /** Its last write. @type {Promise<unknown>} */
  written = Promise.resolve();

  /**
   * @param {import('ws').WebSocket} socket
   * @param {{ log: import('./log.js').Log, seats: Map<string, Set<Seat>>, number: number, ports: number[], session: string }} instance
   */
  constructor(socket, { log, seats, number, ports, session }) {
    this.socket = socket;
    this.log = log;
    this.seats = seats;
    this.number = number;
    this.ports = ports;
    this.session = session;
    seatOf.set(socket, this);
    const late = setTimeout(() => socket.close(REFUSED, 'say hello first'), HELLO_MS);
    socket.on('message', (data) => {
      const message = parsed(data);
      if (message?.type === 'hello' && this.#game === '') {
        clearTimeout(late);
        this.#hello(message);
      } else if (message?.type === 'paint' && this.#game !== '') this.#paint(message);
      else socket.close(REFUSED, 'hello, then paint');
    });
    socket.on('pong', () => (this.#alive = true));
    socket.on('error', () => {}); // its close follows
    socket.on('close', () => {
      clearTimeout(late);
      this.seats.get(this.#game)?.delete(this);
      if (this.#player) this.#write({ type: 'leave', player: this.#player, session: this.session });
    });
  }

  #hello({ game, player, name, log, token }) {
    if (!GAMES.includes(game)) return this.socket.close(REFUSED, 'no such game');
    if (!isId(player) || !isName(name)) return this.socket.close(REFUSED, 'no such player');
    if (!this.log.state(game).hasRoom(player)) return this.socket.close(FULL, 'the game is full');
    this.#game = game;
    // In one turn of the event loop: no event comes between what it gets here and what `give` brings.
    const behind = this.log.behind(game, { log, token });
    if (behind) {
      this.#offset = behind.offset;
      for (const { offset, text } of behind.frames) this.give(offset, text);
      if (!this.log.hasRead(game, behind.offset)) this.#ahead();
    } else this.#snapshot();
    this.seats.get(game)?.add(this);
    this.#send(JSON.stringify({ type: 'welcome', instance: this.number, ports: this.ports }));
    this.#player = player;
    this.#write({ type: 'join', player, name, instance: this.number, session: this.session });
  }

  /** The client has read from another instance what this one has not read yet, or it lies. */
  async #ahead() {
    try {
      await this.log.reader.caughtUp();
    } catch {
      return; // the instance ends
    }
    if (!this.log.hasRead(this.#game, this.#offset)) this.#snapshot();
  }

  #snapshot() {
    const { offset, text } = this.log.snapshot(this.#game);
    this.#offset = offset;
    this.#send(text);
  }

  /** An event of its game. @param {number} offset @param {string} text */
  give(offset, text) {
    if (offset <= this.#offset) return;
    this.#offset = offset;
    this.#send(text);
  }

  #send(text) {
    if (this.socket.readyState !== this.socket.OPEN) return;
    if (this.socket.bufferedAmount > MOST_BYTES) this.socket.terminate();
    else this.socket.send(text);
  }

  #paint({ n, cell }) {
    // The rules are the engine's; but no more than two numbers go into the log.
    if (!Number.isSafeInteger(n) || !Number.isSafeInteger(cell)) return this.socket.close(REFUSED, 'a move has a number and a cell');
    if (this.#underWay >= MOST_MOVES) return this.socket.close(REFUSED, 'too many moves at a time');
    this.#write({ type: 'paint', player: this.#player, n, cell });
  }

  #write(event) {
    this.#underWay++;
    this.written = this.log.write(this.#game, event).then((written) => {
      this.#underWay--;
      // It comes back with its token, and says again what it has not read.
      if (!written) this.socket.close(FAILED, 'the log did not take it');
    });
  }

  /** Ends those who do not answer, and asks the others. @param {Set<import('ws').WebSocket>} sockets */
  static ping(sockets) {
    for (const socket of sockets) {
      const seat = /** @type {Seat} */ (seatOf.get(socket));
      if (!seat.#alive) socket.terminate();
      seat.#alive = false;
      socket.ping();
    }
  }

  /** Sends a client elsewhere; resolves when its goodbye is in the log. @param {import('ws').WebSocket} socket */
  static async end(socket) {
    socket.close(GOING, 'the instance ends');
    const ended = new AbortController();
    const closed = socket.readyState === socket.CLOSED ? undefined : once(socket, 'close', { signal: ended.signal });
    await Promise.race([closed, delay(GOODBYE_MS, undefined, { ref: false })]).catch(() => {});
    ended.abort();
    socket.terminate();
    const { written } = /** @type {Seat} */ (seatOf.get(socket));
    await written;
  }
}
