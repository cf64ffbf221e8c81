'use strict';
// The game's rules, without a Kafka.

const assert = require('node:assert/strict');
const { before, test } = require('node:test');

/** @type {typeof import('../game/public/engine.js')} */ let engine;
before(async () => (engine = await import('../game/public/engine.js')));

const join = (player, { name = player, instance = 1, session = `life1.${player}` } = {}) => ({ type: 'join', player, name, instance, session });
const paint = (player, n, cell) => ({ type: 'paint', player, n, cell });

function played(...events) {
  const game = new engine.Game();
  return { game, counted: events.map((event) => game.apply(event)) };
}

test('a move that is said again counts once, and one counts only behind its predecessor', () => {
  const { game, counted } = played(join('ann'), paint('ann', 1, 5), paint('ann', 1, 5), paint('ann', 3, 7), paint('ann', 2, 6), paint('ann', 1, 9), paint('ann', 3, 7));
  assert.deepEqual(counted, [true, true, false, false, true, false, true]);
  assert.equal(game.seq, 4);
  assert.deepEqual([5, 6, 7, 9].map((cell) => game.cells[cell]), ['ann', 'ann', 'ann', null]);
});

test('what is no event changes nothing', () => {
  const { game } = played(join('ann'));
  const before = JSON.stringify(game.snapshot());
  const cells = engine.WIDTH * engine.HEIGHT;
  const nonsense = [undefined, null, 7, 'paint', [], {}, { type: 'paint' }, paint('bob', 1, 0), paint('ann', '1', 0), paint('ann', 1, cells), paint('ann', 1, -1), paint('ann', 1, 0.5),
    paint('ann', 1, '__proto__'), paint('__proto__', 1, 0), paint(['ann'], 1, 0), join(''), join('a b'), join('bob', { name: '' }), join('bob', { name: 'x'.repeat(21) }),
    join('bob', { instance: /** @type {any} */ ('1') }), join('bob', { session: '' }), { type: 'leave', player: 'ann', session: '' }, { type: 'restart', instance: 1 },
    { type: 'toString', player: 'ann' }];
  for (const event of nonsense) assert.equal(game.apply(event), false, JSON.stringify(event));
  assert.equal(JSON.stringify(game.snapshot()), before);
});

test('a goodbye of a connection that has a successor does nothing; a new life of an instance ends all that were there before', () => {
  const { game } = played(join('ann', { session: 'life1.1' }), join('ann', { instance: 2, session: 'life9.4' }), join('bob'), join('cid', { session: 'life2.1' }));
  assert.equal(game.apply({ type: 'leave', player: 'ann', session: 'life1.1' }), false);
  assert.equal(game.apply({ type: 'restart', instance: 1, life: 'life2' }), true);
  assert.deepEqual(game.scores().map(({ id, instance }) => [id, instance]), [['ann', 2], ['cid', 1]]);
  assert.equal(game.apply({ type: 'restart', instance: 1, life: 'life2' }), false);
  // Events that the dead instance had written on behalf of Bob still count, and he goes on with his numbers.
  assert.equal(game.apply(paint('bob', 1, 0)), true);
  assert.equal(game.apply(join('bob', { session: 'life3.1' })), true);
  assert.equal(game.apply(paint('bob', 1, 1)), false);
  assert.equal(game.apply(paint('bob', 2, 1)), true);
});

test('a game that goes on from a snapshot is the same to the letter', () => {
  const { game } = played(join('ann'), join('bob'), paint('ann', 1, 3), paint('bob', 1, 3), { type: 'leave', player: 'ann', session: 'life1.ann' });
  const copy = engine.Game.from(JSON.parse(JSON.stringify(game.snapshot())));
  for (const event of [join('ann', { session: 'life1.2' }), paint('ann', 2, 4), paint('bob', 2, 4), { type: 'restart', instance: 1, life: 'x' }, join('dan')]) {
    assert.equal(copy.apply(event), game.apply(event));
    assert.equal(JSON.stringify(copy.snapshot()), JSON.stringify(game.snapshot()));
  }
  for (const broken of [{}, { seq: 1, cells: [], players: [] }, { ...game.snapshot(), seq: -1 }, { ...game.snapshot(), players: [['ann', {}]] }])
    assert.throws(() => engine.Game.from(/** @type {any} */ (broken)));
});

test('a game remembers a bounded number of players: who is away longest and owns nothing is forgotten, and a full one takes nobody', () => {
  const { game } = played(join('owner'), paint('owner', 1, 0), { type: 'leave', player: 'owner', session: 'life1.owner' });
  for (let i = 0; i < 1000; i++) {
    assert.equal(game.apply(join(`p${i}`)), true);
    assert.equal(game.apply({ type: 'leave', player: `p${i}`, session: `life1.p${i}` }), true);
  }
  assert.ok(game.players.size <= 200);
  assert.equal(game.cells[0], 'owner');
  assert.equal(game.players.get('owner')?.n, 1);
  assert.ok(game.players.has('p999') && !game.players.has('p0'));
  for (let i = 0; i < 199; i++) game.apply(join(`here${i}`));
  assert.equal(game.hasRoom('one-more'), false);
  assert.equal(game.apply(join('one-more')), false);
  assert.equal(game.hasRoom('here3'), true);
});
