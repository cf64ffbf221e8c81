// The game itself: a board that everybody paints. It knows nothing of Kafka, sockets or pages; the instances, the page and the judge of the
// bots all run this file. Whoever applies the same events in the same order has the same board, to the letter.

export const WIDTH = 16;
export const HEIGHT = 10;
const CELLS = WIDTH * HEIGHT;

/** The games there are: two on each of the topic's four partitions. Fixed, so that nobody can fill an instance's memory with new ones. */
export const GAMES = ['amber', 'iris', 'meadow', 'fjord', 'reef', 'lagoon', 'pine', 'summit'];

/** Players that a game remembers. More than cells: of those who are away, somebody owns none and can be forgotten. */
const MOST_PLAYERS = 200;

const ID = /^[\w.-]{1,40}$/;
/** Whether it can be a player's id, or a session. */
export const isId = (value) => typeof value === 'string' && ID.test(value);
/** Whether it can be a player's name. */
export const isName = (value) => typeof value === 'string' && value.length > 0 && value.length <= 20;
const isCount = (value) => Number.isSafeInteger(value) && value >= 0;

/** The value of a text that somebody has written or sent: it may be anything. undefined: the text is no JSON. */
export function parsed(value) {
  try {
    return JSON.parse(String(value));
  } catch {
    return undefined;
  }
}

/**
 * A player, as the log knows him.
 *
 * @typedef {object} Player
 * @property {string} name
 * @property {number} n his last move's number, from 1; 0: none yet
 * @property {number} instance where he was last
 * @property {string} session his connection there; '' while he is away. It begins with the instance's life, and a dot
 */

/**
 * Moves are numbered by their player. `session` says which connection came or went, so that a goodbye that comes late, of a connection that has a
 * successor, does nothing. `life` is one run of an instance: in a new one nobody is there who was there before.
 *
 * @typedef {{ type: 'join', player: string, name: string, instance: number, session: string }
 *   | { type: 'paint', player: string, n: number, cell: number }
 *   | { type: 'leave', player: string, session: string }
 *   | { type: 'restart', instance: number, life: string }} Event
 */

/** @typedef {{ seq: number, cells: (string | null)[], players: [string, Player][] }} Snapshot */

export class Game {
  /** Events that counted. */
  seq = 0;
  /** The owner of each cell. @type {(string | null)[]} */
  cells = new Array(CELLS).fill(null);
  /** Those who are away longest come first. @type {Map<string, Player>} */
  players = new Map();

  /**
   * The game of a snapshot; throws when it is none.
   *
   * @param {Snapshot} snapshot
   */
  static from({ seq, cells, players }) {
    const game = new Game();
    if (!isCount(seq) || cells.length !== CELLS || !cells.every((owner) => owner === null || isId(owner))) throw new TypeError('this is no snapshot of a game');
    game.seq = seq;
    game.cells = [...cells];
    for (const [id, { name, n, instance, session }] of players) {
      if (!isId(id) || !isName(name) || !isCount(n) || !isCount(instance) || (session !== '' && !isId(session)))
        throw new TypeError(`this is no player: ${id}`);
      game.players.set(id, { name, n, instance, session });
    }
    return game;
  }

  /** Everything, as plain data: equal games have equal snapshots, as JSON, too. @returns {Snapshot} */
  snapshot() {
    return { seq: this.seq, cells: [...this.cells], players: [...this.players].map(([id, player]) => [id, { ...player }]) };
  }

  /**
   * Applies what the log has next. Anybody can write to a topic, so it may be anything.
   *
   * @param {any} event
   * @returns {boolean} whether it counted; otherwise nothing has changed
   */
  apply(event) {
    const counted = this.#apply(event ?? {});
    if (counted) this.seq++;
    return counted;
  }

  /** @param {any} event */
  #apply({ type, player: id, ...event }) {
    if (type === 'restart') return this.#restart(event.instance, event.life);
    if (!isId(id)) return false;
    if (type === 'join') return this.#join(id, event);
    const player = this.players.get(id);
    if (!player) return false;
    if (type === 'leave') return player.session !== '' && event.session === player.session && this.#away(id, player);
    if (type !== 'paint') return false;
    // The next move only. A client that lost its instance sends again what it has not read back, and the instance may have written it before it
    // died: then its number is over. And where a move was not written, those behind it do not count, until their player has sent all again.
    if (event.n !== player.n + 1 || !isCount(event.cell) || event.cell >= CELLS) return false;
    player.n = event.n;
    this.cells[event.cell] = id;
    return true;
  }

  #join(id, { name, instance, session }) {
    if (!isName(name) || !isCount(instance) || !isId(session) || !this.hasRoom(id)) return false;
    const known = this.players.get(id);
    if (!known && this.players.size >= MOST_PLAYERS) this.players.delete(/** @type {string} */ (this.#forgettable()));
    this.players.set(id, { name, n: known?.n ?? 0, instance, session });
    return true;
  }

  #restart(instance, life) {
    if (!isCount(instance) || !isId(life)) return false;
    const gone = [...this.players].filter(([, player]) => player.session !== '' && player.instance === instance && !player.session.startsWith(`${life}.`));
    for (const [id, player] of gone) this.#away(id, player);
    return gone.length > 0;
  }

  #away(id, player) {
    player.session = '';
    this.players.delete(id);
    this.players.set(id, player);
    return true;
  }

  /** Whether there is a place for this player. @param {string} id */
  hasRoom(id) {
    return this.players.has(id) || this.players.size < MOST_PLAYERS || this.#forgettable() !== undefined;
  }

  /** Of those who own nothing, who is away longest. */
  #forgettable() {
    const owners = new Set(this.cells);
    for (const [id, { session }] of this.players) if (session === '' && !owners.has(id)) return id;
    return undefined;
  }

  /** Players who own cells or are here, the best first. */
  scores() {
    const count = new Map();
    for (const owner of this.cells) if (owner) count.set(owner, (count.get(owner) ?? 0) + 1);
    return [...this.players]
      .map(([id, { name, instance, session }]) => ({ id, name, instance, here: session !== '', cells: count.get(id) ?? 0 }))
      .filter(({ here, cells }) => here || cells > 0)
      .sort((a, b) => b.cells - a.cells || (a.name < b.name ? -1 : 1));
  }
}
