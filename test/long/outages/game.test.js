'use strict';
// The whole of examples/game: 60 bots in 8 games, three brokers (nodes: 3), each fault. Then the same for other machines.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const { KafkaCluster } = require('@kafka-native/kafka-for-tests');
const { Example } = require('../../../examples/test/support.js');
const { cleanup } = require('../../support/cleanup.js');
const { PATIENCE, folder } = require('../../support/flow.js');

const SEEN = /^Every bot of a game saw the same sequence: no gap, no duplicate, every move once\.$/m;

/** @param {import('node:test').TestContext} t */
function place(t) {
  const dir = path.join(folder(), 'kafka');
  cleanup(t, () => KafkaCluster.open(dir)?.stop({ wipe: true }));
  return { dir, args: ['--dir', dir, '--kafka-ports', 'any', '--port', '0'] };
}

test('60 bots in 8 games miss and repeat nothing while a broker is stopped, a broker killed and an instance killed, twice', async (t) => {
  const { dir, args } = place(t);
  for (const _ of [1, 2]) {
    const bots = new Example(t, 'game', { args: ['bots', ...args], env: { KAFKA_BROKERS: undefined, MY_IP: undefined } });
    assert.deepEqual(await bots.exit(10 * PATIENCE), { code: 0, signal: null }, bots.stdout + bots.stderr);
    assert.match(bots.stdout, SEEN);
    assert.match(bots.stdout, /^60 bots play 8 games at 3 instances$/m);
    const pauses = bots.all(/^the longest pause of a move, (.*): .*$/);
    assert.deepEqual(pauses.map(([, what]) => what), ['without a fault', 'a broker stopped', 'a broker killed', 'an instance killed']);
    for (const [line] of pauses) t.diagnostic(line);
    t.diagnostic(bots.all(/^\d+ moves of .*$/)[0][0]);
  }
  const down = new Example(t, 'game', { args: ['down', ...args] });
  assert.deepEqual(await down.exit(), { code: 0, signal: null }, down.stderr);
  assert.equal(fs.existsSync(dir), false);
});

const [own] = Object.values(os.networkInterfaces()).flatMap((all) => all ?? []).filter(({ family, internal }) => family === 'IPv4' && !internal);

test('with MY_IP brokers and page are found under that address, also where they were there without it; Ctrl-C ends bots', { skip: !own }, async (t) => {
  const { args } = place(t);
  for (const [MY_IP, host] of [[undefined, '127.0.0.1'], [own.address, own.address]]) {
    const game = new Example(t, 'game', { args: ['bots', '--bots', '2', ...args], env: { KAFKA_BROKERS: undefined, MY_IP } });
    const [, brokers] = await game.writes(/^brokers: (\S+);/m, PATIENCE);
    assert.ok(brokers.split(',').every((broker) => broker.startsWith(`${host}:`)), brokers);
    const [, url] = await game.writes(/^Open (\S+) and/m, PATIENCE);
    assert.ok(url.startsWith(`http://${host}:`), url);
    assert.equal((await fetch(url)).status, 200);
    await game.writes(/^broker \d, leader of/m, PATIENCE);
    assert.deepEqual(await game.kill('SIGINT'), { code: 0, signal: null }, game.stderr);
  }
});
