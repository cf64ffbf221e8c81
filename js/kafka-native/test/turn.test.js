'use strict';
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { startedConsumer, turn } = require('./support.js');
const { Turn } = require('../dist/turn.js');

const large = Array.from({ length: 40 }, () => 'v'.repeat(1000));

function work(ms) {
  for (const end = performance.now() + ms; performance.now() < end; );
}

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
    await new Promise((resolve) => setImmediate(resolve));
    turns++;
    work(40);
  }
  assert.ok(turns <= 15, `30 batches in ${turns} turns`);
});

test('those who wait are not taken for a busy program: each turn is as short as the first', async () => {
  const all = await ten();
  await turn(); // behind the work of making them
  let most = 0;
  while (all.done < 30) {
    const before = all.done;
    await new Promise((resolve) => setImmediate(resolve));
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

test('who waits again has another turn, also where the wait begins just before one', async () => {
  const order = [];
  let rounds = 0;
  const a = new Turn(() => {
    order.push(`a${rounds}`);
    if (order.length < 3) a.wait();
  });
  a.wait();
  for (; order.length < 3; rounds++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(new Set(order).size, 3, order.join(' '));
});

test('a turn that fails takes nobody else\'s', async (t) => {
  const failed = new Promise((resolve) => t.mock.method(process, 'emit', (name, ...rest) => {
    if (name === 'uncaughtException') return resolve(rest[0]), true;
    return Reflect.apply(process.constructor.prototype.emit, process, [name, ...rest]);
  }));
  const order = [];
  const turns = [() => { throw new Error('mine'); }, () => order.push('b'), () => order.push('c')].map((come) => new Turn(come));
  for (const each of turns) each.wait();
  while (order.length < 2) await turn();
  assert.deepEqual(order, ['b', 'c']);
  assert.equal((await failed).message, 'mine');
});
