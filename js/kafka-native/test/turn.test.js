'use strict';
const assert = require('node:assert/strict');
const { AsyncLocalStorage } = require('node:async_hooks');
const { test } = require('node:test');
const { immediate, startedConsumer, turn, work } = require('./support.js');
const { Turn } = require('../dist/turn.js');

const large = Array.from({ length: 40 }, () => 'v'.repeat(1000));

/** Ten consumers with three large batches each, whose handlers work for a millisecond. */
async function ten() {
  const all = { done: 0 };
  const consumers = await Promise.all(Array.from({ length: 10 }, () => startedConsumer({
    receive_callback() {
      all.done++;
      work(1);
    },
  })));
  for (let i = 0; i < 3; i++) for (const { arrive } of consumers) arrive(...large);
  return all;
}

test('consumers go on beside a program that keeps each turn of the event loop for long', async () => {
  const all = await ten();
  let turns = 0;
  while (all.done < 30) {
    await immediate();
    turns++;
    work(40);
  }
  assert.ok(turns <= 9, `30 batches in ${turns} turns`);
});

test('those who wait are not taken for a busy program: each turn is as short as the first', async () => {
  const all = await ten();
  await turn(); // behind the work of making them
  let most = 0;
  while (all.done < 30) {
    const before = all.done;
    await immediate();
    most = Math.max(most, all.done - before);
  }
  assert.ok(most <= 3, `${most} batches of a millisecond in a turn`);
});

test('promises that a turn resolves go on before the next one', async () => {
  const order = [];
  const turns = ['a', 'b', 'c'].map((name) => new Turn(async () => {
    order.push(name);
    for (let i = 0; i < 5; i++) await null;
    order.push(`${name}!`);
  }));
  for (const each of turns) each.wait();
  while (order.length < 6) await turn();
  assert.equal(order.join(' '), 'a a! b b! c c!');
});

test('one that waits again comes in another turn of the event loop', async () => {
  const order = [];
  let rounds = 0;
  const again = new Turn(() => {
    order.push(rounds);
    if (order.length < 3) again.wait();
  });
  again.wait();
  for (; order.length < 3; rounds++) await immediate();
  assert.equal(new Set(order).size, 3, order.join(' '));
});

test('each comes in the async context of the program that made it', async () => {
  const storage = new AsyncLocalStorage();
  const order = [];
  const come = () => order.push(storage.getStore());
  const [a, b] = ['a', 'b'].map((name) => storage.run(name, () => new Turn(come)));
  storage.run('another', () => a.wait());
  b.wait();
  while (order.length < 2) await immediate();
  assert.deepEqual(order, ['a', 'b']);
});

test('one that fails takes nobody\'s turn, and gives nobody two', async (t) => {
  const failures = [];
  // The runner of tests has its own listener.
  const { emit } = process;
  t.mock.method(process, 'emit', function (name, ...rest) {
    return name === 'uncaughtException' ? Boolean(failures.push(rest[0].message)) : Reflect.apply(emit, this, [name, ...rest]);
  });
  const order = [];
  const fail = () => {
    throw new Error('mine');
  };
  const turns = [fail, ...['b', 'c', 'd', 'e'].map((name) => () => order.push(name))].map((come) => new Turn(come));
  for (const each of turns) each.wait();
  // An immediate of the test would have the promises go on at once, behind the exception, too.
  while (order.length < 4) await new Promise((resolve) => setTimeout(resolve, 5));
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual([order.join(''), failures], ['bcde', ['mine']]);
});

test('turns come where a test framework has replaced the timers', async (t) => {
  t.mock.timers.enable({ apis: ['setImmediate', 'setTimeout', 'setInterval'] });
  await new Promise((resolve) => new Turn(resolve).wait());
});
