// Bots that play, faults meanwhile, and the proof. A bot writes down what it saw; judge.js compares that with the log.

import { once, EventEmitter } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { inSync, persistently } from './cluster.js';
import { judge } from './judge.js';
import { Client } from './public/client.js';
import { GAMES, HEIGHT, WIDTH } from './public/engine.js';

/** After a fault, and before one, each bot has so many moves back. */
const MOVES = 5;
/** For what has to come, in milliseconds. */
const PATIENCE_MS = 120_000;

/** One bot, and what it saw. */
class Bot extends EventEmitter {
  /** Frames as they came. @type {{ token: string, seq?: number, text: string }[]} */
  saw = [];
  /** Faults of its instances. @type {string[]} */
  faults = [];
  /** Its moves that came back. */
  back = 0;
  made = 0;
  /** The longest of them, in milliseconds, since it was set to 0. */
  longest = 0;
  #timer;

  /** @param {number} number @param {{ urls: string[], game: string, run: string, rate: number }} where */
  constructor(number, { urls, game, run, rate }) {
    super();
    this.setMaxListeners(0);
    this.game = game;
    const who = { urls, first: number % urls.length, game, player: `bot-${run}-${number}`, name: `Bot ${number + 1}`, WebSocket };
    this.client = new Client(who, {
      event: ({ token, seq, text }, ms) => {
        this.saw.push({ token, seq, text });
        if (ms !== undefined) {
          this.back++;
          this.longest = Math.max(this.longest, ms);
        }
        this.emit('saw');
      },
      snapshot: ({ token, text }) => {
        this.saw.push({ token, text });
        this.emit('saw');
      },
      fault: (what) => this.faults.push(what),
    });
    const play = () => {
      this.#timer = setTimeout(play, (0.5 + Math.random()) * (1000 / rate));
      if (this.client.paint((number * 37 + this.made * 13) % (WIDTH * HEIGHT))) this.made++;
    };
    this.#timer = setTimeout(play, Math.random() * (1000 / rate));
  }

  /** No moves any more. */
  rest() {
    clearTimeout(this.#timer);
  }

  /** Waits for something that it sees. @param {() => boolean} done @param {string} what */
  async until(done, what) {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    try {
      while (!done()) await once(this, 'saw', { signal });
    } catch {
      const { token, pending, connected } = this.client;
      throw new Error(`${what}: not within ${PATIENCE_MS} ms; it is ${connected ? '' : 'not '}connected, at ${token}, waits for ${pending.length} moves`);
    }
  }
}

/**
 * Plays, reports, and says whether all is well.
 *
 * @param {object} game
 * @param {InstanceType<typeof import('kafka-native').Kafka>} game.kafka
 * @param {import('./topic.js').Admin} game.admin
 * @param {string} game.topic
 * @param {import('./cluster.js').Cluster | undefined} game.cluster undefined: not ours to stop
 * @param {import('./instances.js').Instances} game.instances
 * @param {(line: string) => void} game.say
 * @param {number} game.bots at each instance
 * @param {number} game.games
 * @param {number} game.rate moves a second of each bot
 * @param {string[]} game.faults of 'stop', 'kill' and 'instance'
 * @returns {Promise<boolean>}
 */
export async function bots({ kafka, admin, topic, cluster, instances, say, bots: perInstance, games, rate, faults }) {
  const count = instances.settings.ports.length;
  const urls = instances.settings.ports.map((_, i) => `${instances.url(i + 1).replace('http', 'ws')}/play`);
  const run = Date.now().toString(36);
  const all = Array.from({ length: perInstance * count }, (_, i) => new Bot(i, { urls, run, rate, game: GAMES[Math.floor(i / count) % games] }));
  say(`${all.length} bots play ${games} games at ${count} instances`);
  const everybody = async (what) => {
    const marks = all.map(({ back }) => back);
    await Promise.all(all.map((bot, i) => bot.until(() => bot.back >= marks[i] + MOVES, `bot ${i + 1} has ${MOVES} moves back ${what}`)));
  };
  /** Makes it happen, and waits until all play as before; says what it was. */
  const happen = async (fault) => {
    const partitions = await inSync(admin, topic);
    for (const bot of all) bot.longest = 0;
    if (fault === 'instance') {
      await instances.kill(2);
      await everybody('after instance 2 was killed');
      await Promise.race([instances.ready(2), late('instance 2 is there again')]);
      return 'an instance killed';
    }
    // The broker that leads most is missed most.
    const leads = (id) => partitions.filter(({ leader }) => leader === id).length;
    const [node] = [.../** @type {import('./cluster.js').Cluster} */ (cluster).nodes].sort((a, b) => leads(b.id) - leads(a.id));
    say(`broker ${node.id}, leader of ${leads(node.id)} of ${partitions.length} partitions: ${fault}`);
    await (fault === 'stop' ? node.stop() : node.kill());
    await everybody(`without broker ${node.id}`);
    await persistently(() => node.start());
    return `a broker ${fault === 'stop' ? 'stopped' : 'killed'}`;
  };
  /** @type {[string, number][]} */
  const pauses = [];
  try {
    await everybody('at the beginning');
    pauses.push(['without a fault', longestOf(all)]);
    for (const fault of faults) {
      if (!cluster && fault !== 'instance') say(`no '${fault}': the brokers are not the game's own`);
      else pauses.push([await happen(fault), longestOf(all)]);
    }
    await inSync(admin, topic);
    for (const bot of all) bot.rest();
    await Promise.all(all.map((bot, i) => bot.until(() => bot.client.pending.length === 0, `bot ${i + 1} has all its moves back`)));
    // All bots of a game have to see the last event that one has seen.
    for (const bot of all) {
      const last = Math.max(...all.filter(({ game }) => game === bot.game).map(({ client }) => client.state.seq));
      await bot.until(() => bot.client.state.seq >= last, `a bot sees all of ${bot.game}`);
    }
  } finally {
    for (const bot of all) {
      bot.rest();
      bot.client.close();
    }
  }
  const verdict = await judge(kafka, { topic, players: all.map(({ client, ...bot }) => ({ ...bot, player: client.player })) });
  for (const [what, ms] of pauses) say(`the longest pause of a move, ${what}: ${(ms / 1000).toFixed(2)} s`);
  const made = all.reduce((sum, bot) => sum + bot.made, 0);
  say(`${made} moves of ${all.length} bots, who came back ${verdict.returns} times; ${verdict.events} events in the log, ${verdict.repeats} repeats left out`);
  for (const problem of verdict.problems.slice(0, 20)) say(`WRONG: ${problem}`);
  if (verdict.problems.length > 20) say(`WRONG: and ${verdict.problems.length - 20} more`);
  if (verdict.problems.length === 0) say('Every bot of a game saw the same sequence: no gap, no duplicate, every move once.');
  return verdict.problems.length === 0;
}

/** Rejects when it is too late. @param {string} what */
async function late(what) {
  await delay(PATIENCE_MS, undefined, { ref: false });
  throw new Error(`${what}: not within ${PATIENCE_MS} ms`);
}

/** @param {Bot[]} all */
const longestOf = (all) => Math.max(...all.map(({ longest }) => longest));
