'use strict';
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { immediate, work } = require('./support.js');
const { Outbox } = require('../dist/kafka/producer/outbox.js');
const { Turn } = require('../dist/turn.js');

/** An outbox, and a lane that takes everything. */
function outbox() {
  const tickets = [];
  let messages = 0;
  const sendTickets = (bytes, index, count, timestamps, partitions, columns, length) => {
    for (let i = 0; i < length; i++) tickets.push(columns[3 * i]);
    messages += count;
  };
  const box = new Outbox({ messages: 1e6, bytes: 1e9, maxBlock: Infinity }, undefined, Infinity);
  const [topic, place] = [box.topic('t'), { lane: { native: { sendTickets } }, id: 0, acknowledged: true }];
  const done = [];
  return {
    done,
    /** Resolves when so many sends of these messages are handed over. */
    async send(sends, batch) {
      for (let i = 0; i < sends; i++) void box.send(topic, place, box.pack('t', batch), undefined).then(() => done.push(i));
      while (messages < sends * batch.length) await immediate();
    },
    /** One receipt of all. */
    receive: () => box.settle(Float64Array.from(tickets.splice(0).flatMap((ticket) => [ticket, -1, 1, 0, ticket, -1])), []),
  };
}

/** How many sends end in each turn. */
async function ends({ done, receive }, count) {
  const inTurn = [];
  receive();
  for (let before = 0; before < count; before = done.length) {
    await immediate();
    inTurn.push(done.length - before);
  }
  return inTurn;
}

test('a turn settles a thousand messages, however many are acknowledged at once', async () => {
  const box = outbox();
  await box.send(40, Array(100).fill({ value: 'v' }));
  const inTurn = await ends(box, 40);
  assert.ok(inTurn.every((sends, i) => sends <= (i === 0 ? 22 : 11)), inTurn.join(' ')); // the first: on its event, and in the turn behind it
});

test('a turn settles a megabyte of them', async () => {
  const box = outbox();
  await box.send(20, Array(5).fill({ value: 'x'.repeat(100_000) }));
  const inTurn = await ends(box, 20);
  assert.ok(inTurn.every((sends, i) => sends <= (i === 0 ? 6 : 3)), inTurn.join(' '));
});

test('acknowledgements do not stand in the line of the consumers', async () => {
  const box = outbox();
  await box.send(30, Array(500).fill({ value: 'v' }));
  let busy = true;
  for (let i = 0; i < 10; i++) {
    const consumer = new Turn(() => {
      work(3);
      if (busy) consumer.wait();
    });
    consumer.wait();
  }
  const inTurn = await ends(box, 30);
  busy = false;
  assert.ok(inTurn.slice(0, -1).every((sends) => sends > 0), inTurn.join(' '));
});
