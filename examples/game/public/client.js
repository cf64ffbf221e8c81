// A player's side: connects, comes back at the next instance with its token, says again what it has not read back, and holds the board. The page
// and the bots use it.

import { Game } from './engine.js';

/** Moves that may be on their way. */
const MOST_PENDING = 32;
/** Milliseconds between two tries, at first and at most. */
const PAUSE_MS = [100, 2000];
/** How long an instance may keep a move to itself, in milliseconds: then another one is tried. */
const SILENT_MS = 15_000;

/**
 * Callbacks of a client. `event`: an event that counted; `ms` is the time from click to log to screen of an own move. `fault`: the instance broke its
 * word; then a snapshot is asked for.
 *
 * @typedef {object} Told
 * @property {(frame: { token: string, seq: number, event: import('./engine.js').Event, late: number | null, text: string }, ms: number | undefined) => void} [event]
 * @property {(frame: { token: string, text: string }) => void} [snapshot]
 * @property {(status: { instance?: number, connected: boolean, why?: string }) => void} [status]
 * @property {(what: string) => void} [fault]
 */

export class Client {
  state = new Game();
  /** The last event's place in the log, `partition-offset`. @type {string | undefined} */
  token;
  /** Own moves that are not read back, the oldest first: the cell, and when it was clicked. @type {{ cell: number, at: number }[]} */
  pending = [];
  connected = false;
  /** Times it was welcomed. */
  welcomes = 0;
  #log;
  /** @type {any} */
  #socket;
  #tries = 0;
  #timer;
  #watch;
  #over = false;
  /** When it was welcomed last. */
  #since = 0;

  /**
   * @param {{ urls: string[], first?: number, game: string, player: string, name: string, WebSocket: any }} who urls: of all instances, where they are
   *   known; the first to be tried is at `first`
   * @param {Told} told
   */
  constructor({ urls, first = 0, game, player, name, WebSocket }, told) {
    this.urls = urls;
    this.at = first;
    this.game = game;
    this.player = player;
    this.name = name;
    this.WebSocket = WebSocket;
    this.told = told;
    this.#connect();
    this.#watch = setInterval(() => {
      if (this.connected && this.pending.length > 0 && performance.now() - Math.max(this.pending[0].at, this.#since) > SILENT_MS) this.#next('silent');
    }, 1000);
  }

  /** How many moves of this player are in the board. */
  get moves() {
    return this.state.players.get(this.player)?.n ?? 0;
  }

  #connect() {
    const socket = new this.WebSocket(this.urls[this.at % this.urls.length]);
    this.#socket = socket;
    socket.onopen = () => {
      const { game, player, name, token } = this;
      socket.send(JSON.stringify({ type: 'hello', game, player, name, log: this.#log, token }));
    };
    socket.onmessage = ({ data }) => this.#hear(String(data));
    socket.onclose = ({ reason }) => this.#next(reason || 'the connection is lost');
    socket.onerror = () => {}; // its close follows
  }

  /** Leaves this instance, and tries the next one, or the one at `to`. */
  #next(why, to = this.at + 1) {
    if (this.#over) return;
    this.#drop();
    this.at = to % this.urls.length;
    this.told.status?.({ connected: false, why });
    const pause = Math.min(PAUSE_MS[0] * 2 ** this.#tries++, PAUSE_MS[1]);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#connect(), pause * (0.5 + Math.random()));
  }

  /** Nobody hears what a connection that was left still says. */
  #drop() {
    this.connected = false;
    const socket = this.#socket;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    this.#socket = undefined;
  }

  #hear(text) {
    const frame = JSON.parse(text);
    if (frame.type === 'snapshot') this.#snapshot(frame, text);
    else if (frame.type === 'event') this.#event(frame, text);
    else if (frame.type === 'welcome') this.#welcome(frame);
  }

  #snapshot({ log, token, state }, text) {
    const before = this.#log === undefined || this.#log === log ? this.moves : 0;
    this.state = Game.from(state);
    this.#log = log;
    this.token = token;
    // Of what was on its way, so many arrived.
    this.pending.splice(0, Math.max(0, this.moves - before));
    this.told.snapshot?.({ token, text });
  }

  #event({ token, seq, event, late }, text) {
    if (seq !== this.state.seq + 1 || !this.state.apply(event)) {
      this.token = undefined;
      this.told.fault?.(`the event ${token} is number ${seq}, behind ${this.state.seq}`);
      return this.#next('the instance skipped or repeated an event');
    }
    this.token = token;
    const mine = event.type === 'paint' && event.player === this.player;
    const own = mine && event.cell === this.pending[0]?.cell ? this.pending.shift() : undefined;
    this.told.event?.({ token, seq, event, late, text }, own && performance.now() - own.at);
    // A duplicate of this tab, or this tab before it was loaded again, has taken the number.
    if (mine && !own && this.connected) this.#sendAll();
  }

  /** All that was missed has come: what is still pending is not in the log, or still on its way into it, where it counts once. */
  #welcome({ instance, ports }) {
    this.connected = true;
    this.welcomes++;
    this.#tries = 0;
    this.#since = performance.now();
    const { protocol, hostname, pathname } = new URL(this.urls[this.at % this.urls.length]);
    this.urls = ports.map((port) => `${protocol}//${hostname}:${port}${pathname}`);
    this.at = instance - 1;
    this.#sendAll();
    this.told.status?.({ connected: true, instance });
  }

  #sendAll() {
    this.pending.forEach(({ cell }, i) => this.#send(cell, i));
  }

  #send(cell, place) {
    this.#socket.send(JSON.stringify({ type: 'paint', n: this.moves + 1 + place, cell }));
  }

  /** Paints a cell. False: too many moves are on their way. @param {number} cell */
  paint(cell) {
    if (this.pending.length >= MOST_PENDING) return false;
    this.pending.push({ cell, at: performance.now() });
    if (this.connected) this.#send(cell, this.pending.length - 1);
    return true;
  }

  /** Goes to another instance. @param {number} instance from 1 */
  move(instance) {
    this.#tries = 0;
    this.#next('you left', instance - 1);
  }

  close() {
    this.#over = true;
    clearTimeout(this.#timer);
    clearInterval(this.#watch);
    this.#drop();
  }
}
