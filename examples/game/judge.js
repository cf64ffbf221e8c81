// Reads the whole log by itself, plays it, and compares what each player saw with it.

import { GAMES, Game, parsed } from './public/engine.js';
import { homeOf, partitionsOf } from './topic.js';

/**
 * The account of what a player saw and did.
 *
 * @typedef {object} Witness
 * @property {string} player
 * @property {string} game
 * @property {{ token: string, seq?: number, text: string }[]} saw frames as they came: events have a seq, snapshots have none
 * @property {number} made moves
 * @property {string[]} faults that it noticed itself
 */

/**
 * A game as the log has it: the events that counted, the place of each by its token, and each player's moves.
 *
 * @typedef {{ home: number, state: Game, events: { token: string, seq: number, text: string }[], at: Map<string, number>, moves: Map<string, number> }} Played
 */

/**
 * The problems, and how much there was.
 *
 * @param {InstanceType<typeof import('kafka-native').Kafka>} kafka
 * @param {{ topic: string, players: Witness[] }} given
 */
export async function judge(kafka, { topic, players }) {
  /** @type {string[]} */
  const problems = [];
  const asked = snapshotsOf(players);
  const log = await play(kafka, topic, asked, problems);
  let returns = 0;
  for (const witness of players) {
    const { player, game, saw, made, faults } = witness;
    problems.push(...faults.map((fault) => `${player}: ${fault}`));
    const { events, at, moves } = /** @type {Played} */ (log.games.get(game));
    const snapshots = saw.filter(({ seq }) => seq === undefined);
    if (saw[0]?.seq !== undefined || snapshots.length === 0) problems.push(`${player} did not begin with a snapshot`);
    /** The event that has to come next. @type {number | undefined} */
    let next;
    for (const { token, seq, text } of saw) {
      if (seq === undefined) {
        const begins = token.endsWith('--1') ? 0 : (at.get(token) ?? NaN) + 1;
        if (next !== undefined && begins !== next) problems.push(`${player}: from event ${next} to ${begins} it saw a snapshot only, at ${token}`);
        next = begins;
        continue;
      }
      if (next === undefined) break;
      const event = events[next];
      const frame = JSON.parse(text);
      if (event?.token !== token || event.seq !== seq || event.text !== JSON.stringify(frame.event)) {
        problems.push(`${player} saw ${token}, number ${seq}, where the log has ${event ? `${event.token}, number ${event.seq}` : 'nothing'}`);
        break;
      }
      next++;
    }
    const counted = moves.get(player) ?? 0;
    if (counted !== made) problems.push(`${player} made ${made} moves, ${counted} counted`);
    // All that anybody of this game saw.
    const most = Math.max(...players.filter((other) => other.game === game).map(({ saw: theirs }) => theirs.at(-1)?.seq ?? 0));
    if ((saw.at(-1)?.seq ?? 0) < most) problems.push(`${player} did not see ${game} to the end`);
    returns += log.joins.get(player) ?? 0;
  }
  for (const token of asked.keys()) problems.push(`a snapshot stands for ${token}, which is no event of the log`);
  return { problems, events: log.count, repeats: log.repeats, returns: returns - players.length };
}

/** The snapshots that were given, by game and token. @param {Witness[]} players @returns {Map<string, Set<string>>} */
function snapshotsOf(players) {
  const asked = new Map();
  for (const { game, saw } of players)
    for (const { token, seq, text } of saw) {
      if (seq !== undefined) continue;
      const name = `${game} ${token}`;
      asked.set(name, (asked.get(name) ?? new Set()).add(JSON.stringify(JSON.parse(text).state)));
    }
  return asked;
}

/**
 * Plays the log, and compares the snapshots as it passes them.
 *
 * @param {InstanceType<typeof import('kafka-native').Kafka>} kafka
 * @param {string} topic
 * @param {Map<string, Set<string>>} asked
 * @param {string[]} problems
 */
async function play(kafka, topic, asked, problems) {
  const admin = kafka.admin();
  await admin.connect();
  const { length } = await partitionsOf(admin, topic);
  await admin.disconnect();
  const games = new Map(
    GAMES.map((game) => [
      game,
      { home: homeOf(game, length), state: new Game(), events: /** @type {Played['events']} */ ([]), at: new Map(), moves: new Map() },
    ]),
  );
  const joins = new Map();
  let [count, repeats] = [0, 0];
  const look = (game, token, state) => {
    for (const given of asked.get(`${game} ${token}`) ?? [])
      if (given !== JSON.stringify(state.snapshot())) problems.push(`a snapshot of ${game} at ${token} is not what the log makes of it`);
    asked.delete(`${game} ${token}`);
  };
  for (const [game, { home, state }] of games) look(game, `${home}--1`, state);

  const reader = kafka.consumer({ groupId: null });
  await reader.connect();
  try {
    await reader.subscribe({ topics: [topic], from: 'beginning' });
    for await (const { partition, offset, key, value } of reader.messages({ until: 'end' })) {
      count++;
      const game = String(key);
      const known = games.get(game);
      if (!known || known.home !== partition) continue;
      const event = parsed(value);
      if (!known.state.apply(event)) {
        if (event?.type === 'paint') repeats++;
        continue;
      }
      const token = `${partition}-${offset}`;
      known.at.set(token, known.events.length);
      known.events.push({ token, seq: known.state.seq, text: JSON.stringify(event) });
      if (event.type === 'paint') known.moves.set(event.player, (known.moves.get(event.player) ?? 0) + 1);
      if (event.type === 'join') joins.set(event.player, (joins.get(event.player) ?? 0) + 1);
      look(game, token, known.state);
    }
  } finally {
    await reader.disconnect();
  }
  return { games, joins, count, repeats };
}
