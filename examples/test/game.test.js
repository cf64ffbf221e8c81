'use strict';
// The game on three brokers of its own (nodes: 3), as a user runs it.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { EventEmitter, once } = require('node:events');
const { after, before, test } = require('node:test');
const { Kafka, logLevel } = require('kafka-native');
const { KafkaCluster } = require('@kafka-native/kafka-for-tests');
const { WebSocket } = require('ws');
const { cleanup } = require('../../test/support/cleanup.js');
const { PATIENCE, folder, within } = require('../../test/support/flow.js');
const { Example } = require('./support.js');

/** Where its brokers live. */
const dir = path.join(folder(), 'kafka');
const OURS = ['--dir', dir, '--kafka-ports', 'any', '--port', '0'];
const ENV = { KAFKA_BROKERS: undefined, MY_IP: undefined };
const brokers = () => /** @type {InstanceType<typeof KafkaCluster>} */ (KafkaCluster.open(dir));
after(() => KafkaCluster.open(dir)?.stop({ wipe: true }));

/** @type {typeof import('../game/judge.js')} */ let judging;
/** @type {typeof import('../game/public/engine.js')} */ let engine;
before(async () => {
  [judging, engine] = await Promise.all([import('../game/judge.js'), import('../game/public/engine.js')]);
});

/** The command with arguments. @param {import('node:test').TestContext} t @param {string[]} args */
const command = (t, ...args) => new Example(t, 'game', { args: [...args, ...OURS], env: ENV });

/** The game, ready to be played. @param {import('node:test').TestContext} t */
async function up(t) {
  const game = command(t, 'up');
  await game.writes(/^Open http:\S+ and http:\S+: one board/m, PATIENCE);
  const urls = [1, 2, 3].map((number) => String(game.all(`^instance ${number}: (http:\\S+), process`)[0][1]).replace('http', 'ws').concat('/play'));
  return { game, urls, pid: (/** @type {number} */ number) => Number(game.all(`^instance ${number}: http:\\S+, process (\\d+)`).at(-1)?.[1]) };
}

function kafka() {
  return new Kafka({ brokers: brokers().brokers.split(','), logLevel: logLevel.NOTHING });
}

/** Somebody at a WebSocket who says what he likes. */
class Peer extends EventEmitter {
  frames = /** @type {any[]} */ ([]);

  /** @param {import('node:test').TestContext} t @param {string} url @param {object} [hello] @param {object} [options] */
  constructor(t, url, hello, options) {
    super();
    this.socket = new WebSocket(url, options);
    cleanup(t, () => this.socket.terminate());
    this.socket.on('open', () => hello && this.say({ type: 'hello', name: 'Peer', ...hello }));
    this.socket.on('message', (data) => {
      this.frames.push(JSON.parse(String(data)));
      this.emit('frame');
    });
    this.socket.on('error', (error) => (this.error = error));
    this.closed = new Promise((resolve) => this.socket.on('close', resolve));
  }

  say(message) {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  paint(n, cell) {
    this.say({ type: 'paint', n, cell });
  }

  get events() {
    return this.frames.filter(({ type }) => type === 'event');
  }

  /** The first frame that fits, past or to come. */
  async until(fits, what = String(fits)) {
    return within(PATIENCE, () => `${what}; the last: ${JSON.stringify(this.frames.slice(-3)).slice(0, 600)}`, async () => {
      for (let seen = 0; ; ) {
        for (; seen < this.frames.length; seen++) if (fits(this.frames[seen])) return this.frames[seen];
        await once(this, 'frame');
      }
    });
  }

  painted(player, n) {
    return this.until(({ event }) => event?.type === 'paint' && event.player === player && event.n === n, `move ${n} of ${player}`);
  }
}

test('no bot misses or repeats an event while a broker and an instance are killed; whatever was killed before, the command starts again', async (t) => {
  const { game } = await up(t);
  assert.deepEqual(await game.kill('SIGKILL'), { code: null, signal: 'SIGKILL' });
  await brokers().nodes[0].kill();

  const bots = command(t, 'bots', '--bots', '3', '--games', '4', '--faults', 'kill,instance');
  assert.deepEqual(await bots.exit(2 * PATIENCE), { code: 0, signal: null }, bots.stdout + bots.stderr);
  assert.match(bots.stdout, /^Every bot of a game saw the same sequence: no gap, no duplicate, every move once\.$/m);
  for (const what of ['without a fault', 'a broker killed', 'an instance killed']) t.diagnostic(String(bots.all(`^the longest pause of a move, ${what}: .*$`)[0]));
  const [, made, back] = bots.all(/^(\d+) moves of 9 bots, who came back (\d+) times/)[0];
  assert.ok(Number(made) >= 9 * 15, made);
  assert.ok(Number(back) >= 3, back);
});

test('a reader of partition 0 alone misses most of the games; one of all partitions has them all', async (t) => {
  const read = async (partitions) => {
    const reader = kafka().consumer({ groupId: null });
    cleanup(t, () => reader.disconnect());
    await reader.connect();
    if (partitions) await reader.assign(partitions.map((partition) => ({ topic: 'game', partition, offset: 'beginning' })));
    else await reader.subscribe({ topics: ['game'], from: 'beginning' });
    const found = [];
    for await (const { key } of reader.messages({ until: 'end' })) found.push(String(key));
    return found;
  };
  const [part, all] = [await read([0]), await read()];
  assert.deepEqual([...new Set(all)].sort(), [...engine.GAMES].sort());
  assert.deepEqual([...new Set(part)].sort(), ['amber', 'reef']);
  assert.ok(part.length < all.length / 2, `${part.length} of ${all.length}`);
});

test('clients come back with a token to each event behind it, once; late ones get the board; what nobody should say does no harm', async (t) => {
  const { game, urls, pid } = await up(t);
  const [one, two] = [new Peer(t, urls[0], { game: 'iris', player: 'ann' }), new Peer(t, urls[1], { game: 'iris', player: 'bob' })];
  const { log, state, token: begin } = await one.until(({ type }) => type === 'snapshot');
  await two.until(({ type }) => type === 'welcome');
  assert.equal(begin.split('-')[0], '1');

  // More than two snapshots, moves said twice among them.
  const PER = 60;
  let n = 0;
  for (let round = 0; round < 26; round++) {
    for (let i = 0; i < PER; i++) one.paint(++n, n % 160);
    await one.painted('ann', n);
  }
  two.paint(1, 0);
  two.paint(1, 0);
  two.paint(2, 1);
  await Promise.all([one, two].map((peer) => peer.painted('bob', 2)));
  const sequence = (peer) => peer.events.map(({ token, seq, event }) => JSON.stringify({ token, seq, event }));
  const all = sequence(one);
  // Either may have got its board first.
  const seen = Math.min(all.length, two.events.length);
  assert.deepEqual(sequence(two).slice(-seen), all.slice(-seen));
  assert.equal(one.events.filter(({ event }) => event.player === 'bob' && event.type === 'paint').length, 2);
  assert.deepEqual(one.events.map(({ seq }) => seq), Array.from(all, (_, i) => state.seq + 1 + i));

  // Behind a token: at another instance, and at one that was killed and has read its games anew.
  const behind = async (url, token, of = log) => {
    const peer = new Peer(t, url, { game: 'iris', player: 'cid', log: of, token });
    await peer.until(({ type }) => type === 'welcome');
    const until = peer.frames.findIndex(({ type }) => type === 'welcome');
    const came = peer.frames.slice(0, until);
    peer.socket.terminate();
    return came;
  };
  const recent = one.events.length - 400;
  const expected = () => sequence(one).slice(recent + 1);
  const tokenOf = (i) => one.events[i].token;
  const killed = pid(3);
  process.kill(killed, 'SIGKILL');
  await game.until(() => pid(3) !== killed, 'a new instance 3', PATIENCE);
  for (const url of [urls[1], urls[2]]) {
    const came = (await behind(url, tokenOf(recent))).map(({ token, seq, event }) => JSON.stringify({ token, seq, event }));
    // Others come and go at the end of it.
    assert.deepEqual(came.slice(0, expected().length).slice(0, 399), expected().slice(0, 399));
  }
  // Nothing for who has all; the board for who was away too long, was never here, or lies.
  const last = one.frames.at(-1).token;
  assert.ok((await behind(urls[0], last)).every(({ type }) => type === 'event'));
  for (const [token, of] of [[undefined, log], [tokenOf(0), log], [last, 'another'], ['0-5', log], ['1-', log], [{}, log], ['1--1', log], [`1-${'9'.repeat(30)}`, log]]) {
    const came = await behind(urls[2], token, of);
    assert.deepEqual(came.map(({ type }) => type), ['snapshot'], JSON.stringify(token));
  }
  // The killed one began with a snapshot, and has the board that the log makes.
  const snapshots = kafka().consumer({ groupId: null });
  cleanup(t, () => snapshots.disconnect());
  await snapshots.connect();
  await snapshots.subscribe({ topics: ['game-snapshots'], from: 'beginning' });
  const written = [];
  for await (const { key, value } of snapshots.messages({ until: 'end' })) written.push({ game: String(key), ...JSON.parse(String(value)) });
  assert.deepEqual(written.filter(({ game: of }) => of === 'iris').map(({ state: { seq } }) => seq), [500, 1000]);
  const late = new Peer(t, urls[2], { game: 'iris', player: 'late' });
  await late.until(({ type }) => type === 'welcome');
  const board = late.frames.slice(0, 1).map((frame) => ({ token: frame.token, seq: frame.seq, text: JSON.stringify(frame) }));
  assert.deepEqual((await judging.judge(kafka(), { topic: 'game', players: [{ player: 'late', game: 'iris', made: 0, faults: [], saw: board }] })).problems, []);

  const future = new Peer(t, urls[2], { game: 'iris', player: 'cid', log, token: '1-999999999' });
  await future.until(({ type }) => type === 'snapshot', 'the board for a token that the log does not have');

  // Records of others in the topic: no JSON, no event, the game's key in another partition.
  const producer = kafka().producer();
  cleanup(t, () => producer.disconnect());
  await producer.connect();
  const paint = JSON.stringify({ type: 'paint', player: 'bob', n: 3, cell: 9 });
  await producer.send({
    topic: 'game',
    messages: [{ key: 'iris', value: 'no JSON' }, { key: 'iris', value: null }, { key: 'iris', value: '[]' }, { value: paint, partition: 1 }, { key: 'iris', value: paint, partition: 0 }],
  });
  // Also where its offset there is above those of the game.
  const dan = new Peer(t, urls[0], { game: 'fjord', player: 'dan' });
  await dan.until(({ event }) => event?.type === 'join' && event.player === 'dan');
  await producer.send({ topic: 'game', messages: [{ key: 'fjord', partition: 1, value: JSON.stringify({ type: 'paint', player: 'dan', n: 1, cell: 9 }) }] });
  // All instances have read it when one has read what came behind it.
  two.paint(3, 2);
  await Promise.all([one, two].map((peer) => peer.painted('bob', 3)));
  dan.paint(1, 2);
  const { event: first, token: at } = await dan.painted('dan', 1);
  assert.deepEqual([first.cell, at.split('-')[0]], [2, '3']);

  // A move that two instances write, as when the first one is killed before its player has read it.
  const again = new Peer(t, urls[2], { game: 'iris', player: 'bob' });
  await again.until(({ type }) => type === 'welcome');
  for (const peer of [two, again, two, again]) peer.paint(4, 3);
  again.paint(5, 4);
  await Promise.all([one, again].map((peer) => peer.painted('bob', 5)));
  assert.equal(one.events.filter(({ event }) => event.player === 'bob' && event.n === 4).length, 1);
  assert.equal((await one.painted('bob', 3)).event.cell, 2);

  // Clients that do not keep to the rules go; nobody else notices.
  for (const words of ['no JSON', '[]', 'null', { type: 'paint', n: 1, cell: 1 }, { type: 'hello', game: '__proto__', player: 'x', name: 'x' }, { type: 'hello', game: 'iris', player: 'x', name: 'x'.repeat(21) }]) {
    const rude = new Peer(t, urls[0]);
    await once(rude.socket, 'open');
    rude.say(words);
    assert.equal(await rude.closed, 1008, JSON.stringify(words));
  }
  const loud = new Peer(t, urls[0], { game: 'iris', player: 'loud' });
  await loud.until(({ type }) => type === 'welcome');
  loud.say('x'.repeat(5000));
  await loud.closed;
  // Another site's page.
  const foreign = new Peer(t, urls[0], undefined, { origin: 'http://example.org' });
  await foreign.closed;
  assert.match(String(foreign.error), /401/);
  const status = async (path, headers = {}) => {
    const [response] = await once(http.request(new URL(path, urls[0].replace('ws', 'http')), { headers }).end(), 'response');
    response.resume();
    return response.statusCode;
  };
  assert.deepEqual(await Promise.all(['/', '/engine.js', '/log.js', '/../log.js'].map((path) => status(path))), [200, 200, 404, 404]);
  assert.equal(await status('/', { host: 'example.org' }), 403);

  // The judge sees what is wrong with what somebody says he saw.
  const witness = { player: 'ann', game: 'iris', made: n, faults: [], saw: one.frames.filter(({ token }) => token).map((frame) => ({ token: frame.token, seq: frame.seq, text: JSON.stringify(frame) })) };
  const problems = async (saw, made = n) => (await judging.judge(kafka(), { topic: 'game', players: [{ ...witness, saw, made }] })).problems;
  const { saw } = witness;
  assert.deepEqual(await problems(saw), []);
  assert.equal((await problems(saw, n + 1)).length, 1);
  for (const lie of [saw.toSpliced(50, 1), saw.toSpliced(50, 0, saw[50]), saw.toSpliced(50, 2, saw[51], saw[50])]) assert.match(String(await problems(lie)), /saw 1-\d+, number/);
  const other = { ...saw[0], text: JSON.stringify({ ...JSON.parse(saw[0].text), state: { ...state, seq: state.seq + 1 } }) };
  assert.match(String(await problems([other, ...saw.slice(1)])), /is not what the log makes of it/);

  // An instance that starts needs nothing below its snapshots.
  const admin = kafka().admin();
  cleanup(t, () => admin.disconnect());
  await admin.connect();
  const { offset } = written.filter(({ game: of }) => of === 'iris').at(-1);
  await admin.deleteTopicRecords({ topic: 'game', partitions: [{ partition: 1, offset: String(offset + 1) }] });
  const before = pid(3);
  process.kill(before, 'SIGKILL');
  await game.until(() => pid(3) !== before, 'another instance 3', PATIENCE);
  const boards = await Promise.all([urls[0], urls[2]].map(async (url) => (await behind(url))[0].state));
  assert.ok(boards[0].seq > 1500);
  assert.deepEqual(boards[1].cells, boards[0].cells);
  assert.equal(boards[1].players.find(([player]) => player === 'ann')[1].n, n);

  assert.deepEqual(await game.kill('SIGINT'), { code: 0, signal: null }, game.stderr);
  const down = command(t, 'down');
  assert.deepEqual(await down.exit(), { code: 0, signal: null }, down.stderr);
  assert.equal(fs.existsSync(dir), false);
});
