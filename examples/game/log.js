// An instance's side of the log. It reads every partition without a group, and makes the games of what it reads: its own events, too, come to it
// from there only. So all instances see one order. The log's offsets are the only clock.

import { EventEmitter } from 'node:events';
import { randomBytes } from 'node:crypto';
import { GAMES, Game, parsed } from './public/engine.js';
import { homeOf, snapshotsOf } from './topic.js';

/** A snapshot is written every so many events of a game. Clients that were away no longer than that see each event that they missed. */
export const EVERY = 500;

/**
 * A game as this instance has it.
 *
 * @typedef {object} Known
 * @property {number} partition
 * @property {Game} state
 * @property {number} offset of the last event that counted; -1: none
 * @property {{ offset: number, text: string }[]} tail the last frames, for those who come back: at most twice EVERY
 * @property {number} since the tail has every event behind this offset
 * @property {{ offset: number, state: import('./public/engine.js').Snapshot }} kept the game as it was EVERY events ago or less
 */

/** Emits `event` (game, offset, text) for each event that counted, and `error` when it cannot go on. */
export class Log extends EventEmitter {
  /** This run of the instance. */
  life = randomBytes(4).toString('hex');
  /** Kafka's id of the topic: tokens and snapshots of one that was deleted are not of this log. */
  id = '';
  /** @type {Map<string, Known>} */
  #games = new Map();
  /** The offset that comes next, of each partition. @type {Map<number, number>} */
  #next = new Map();
  #open = false;

  /**
   * @param {InstanceType<typeof import('kafka-native').Kafka>} kafka
   * @param {{ topic: string, partitions: number }} where
   */
  constructor(kafka, { topic, partitions }) {
    super();
    this.kafka = kafka;
    this.topic = topic;
    this.homes = new Map(GAMES.map((game) => [game, homeOf(game, partitions)]));
    // Idempotent: what is tried again is written once, and in order. acks -1: by every replica in sync. In 30 s a leader is found, or the client hears.
    this.producer = kafka.producer({ idempotent: true, allowAutoTopicCreation: false, properties: { 'message.timeout.ms': '30000' } });
    this.reader = kafka.consumer({
      groupId: null,
      maxWaitTimeInMs: 100,
      onPartitionsAssigned: (partitions) => this.#begin(partitions),
      onPartitionsLost: () => void this.emit('error', new Error(`the topic ${topic} was deleted`)),
    });
  }

  /** Resolves when all games are what the log says now. */
  async open() {
    await this.producer.connect();
    const table = await this.kafka.table({ topic: snapshotsOf(this.topic), producer: this.producer });
    this.snapshots = new Map(table);
    await table.close();
    await this.reader.connect();
    await this.reader.subscribe({ topics: [this.topic], from: 'beginning' });
    this.reader.on(this.reader.events.CRASH, ({ payload }) => payload.restart || this.emit('error', payload.error));
    await this.reader.run({
      eachMessage: async ({ partition, message }) => this.#read(partition, message),
    });
    await this.reader.caughtUp();
    this.#open = true;
  }

  async close() {
    await this.producer.disconnect(); // delivers what is under way
    await this.reader.disconnect();
  }

  /** Before the first message of these partitions: each begins behind the oldest snapshot of its games. */
  #begin(partitions) {
    this.id = this.reader.topicId(this.topic) ?? '';
    for (const partition of partitions.flatMap((each) => each.partitions)) {
      let first = Infinity;
      for (const [game, home] of this.homes) {
        if (home !== partition) continue;
        const { offset, state } = this.#snapshotOf(game, partition);
        this.#games.set(game, { partition, state, offset, tail: [], since: offset, kept: { offset, state: state.snapshot() } });
        first = Math.min(first, offset + 1);
      }
      if (first === Infinity) first = 0;
      this.#next.set(partition, first);
      this.reader.seek({ topic: this.topic, partition, offset: String(first) });
    }
  }

  /** The newest one that was written; the empty game when there is none of this log. */
  #snapshotOf(game, partition) {
    const written = this.snapshots?.get(game);
    try {
      if (written?.log === this.id && this.id !== '' && written.partition === partition && Number.isSafeInteger(written.offset))
        return { offset: written.offset, state: Game.from(written.state) };
    } catch (error) {
      console.error(`the snapshot of ${game} is not used: ${/** @type {Error} */ (error).message}`);
    }
    return { offset: -1, state: new Game() };
  }

  #read(partition, { key, value, offset: text, timestamp, headers }) {
    const offset = Number(text);
    this.#next.set(partition, offset + 1);
    const game = String(key);
    const known = this.#games.get(game);
    // Of another partition, or in the snapshot already.
    if (!known || known.partition !== partition || offset <= known.offset) return;
    const event = parsed(value);
    if (!known.state.apply(event)) return;
    known.offset = offset;
    const { seq } = known.state;
    // Milliseconds from its writing to its reading; of what was there before this instance nobody wants to know.
    const late = this.#open ? Math.max(0, Date.now() - Number(timestamp)) : null;
    const frame = JSON.stringify({ type: 'event', token: `${partition}-${offset}`, seq, event, late });
    known.tail.push({ offset, text: frame });
    this.emit('event', game, offset, frame);
    if (seq % EVERY === 0) this.#turn(game, known, String(headers.life) === this.life);
  }

  /**
   * Every EVERY events: who wrote this one writes the snapshot that was kept the last time. An older one than could be, so that a new instance
   * reads at least EVERY events besides, and has them for clients that come back. Should its writer die, the next one's comes; should two be
   * written at a time, and the older one last, an instance that starts reads more. Each says for which offset it stands.
   */
  #turn(game, known, mine) {
    const { offset, state } = known.kept;
    if (mine && offset >= 0) {
      const value = JSON.stringify({ log: this.id, partition: known.partition, offset, state });
      this.producer.send({ topic: snapshotsOf(this.topic), messages: [{ key: game, value }] }).catch((error) => this.#failed(error, `the snapshot of ${game}`));
    }
    known.tail = known.tail.filter((frame) => frame.offset > offset);
    known.since = offset;
    known.kept = { offset: known.offset, state: known.state.snapshot() };
  }

  /**
   * Writes an event; resolves with true when every replica in sync has it, with false when it may not be written.
   *
   * @param {string} game
   * @param {import('./public/engine.js').Event} event
   */
  async write(game, event) {
    try {
      await this.producer.send({ topic: this.topic, messages: [{ key: game, value: JSON.stringify(event), headers: { life: this.life } }] });
      return true;
    } catch (error) {
      this.#failed(error, `${event.type} of ${game}`);
      return false;
    }
  }

  /** A producer with a fatal error writes nothing any more. */
  #failed(error, what) {
    console.error(`${what} is not written: ${error.message}`);
    if (error.cause?.fatal) this.emit('error', error);
  }

  /** @param {string} game */
  state(game) {
    return this.#known(game).state;
  }

  #known(game) {
    const known = this.#games.get(game);
    if (!known) throw new Error(`there is no game ${game}`);
    return known;
  }

  /** The game now, as a frame. @param {string} game */
  snapshot(game) {
    const { partition, offset, state } = this.#known(game);
    return { offset, text: JSON.stringify({ type: 'snapshot', log: this.id, token: `${partition}-${offset}`, state: state.snapshot() }) };
  }

  /**
   * The frames behind a token; undefined: it takes a snapshot, because the token is too old, or not of this game's log.
   *
   * @param {string} game
   * @param {{ log?: unknown, token?: unknown }} place
   */
  behind(game, { log, token }) {
    const { partition, tail, since } = this.#known(game);
    const [, of, at] = (typeof token === 'string' && /^(\d{1,9})-(-1|\d{1,15})$/.exec(token)) || [];
    if (log !== this.id || Number(of) !== partition || at === undefined || Number(at) < since) return undefined;
    const offset = Number(at);
    return { offset, frames: tail.filter((frame) => frame.offset > offset) };
  }

  /** Whether the offset of a token was read here. */
  hasRead(game, offset) {
    return offset < (this.#next.get(this.#known(game).partition) ?? 0);
  }
}
