'use strict';
// The two clients of bench/deepstream.js: one that tells, at the first server, and one that hears, at the last.

const { DeepstreamClient } = require('@deepstream/client');
const { answer, fail, waitFor } = require('../waiting.js');

/** The text of an event beside its number. */
const TEXT = 'x'.repeat(100);

/** @type {DeepstreamClient} */
let teller;
/** @type {any} */
let written;
/** Called with each number that comes. @type {(value: number) => void} */
let onEvent = () => {};
/** @type {(value: number) => void} */
let onRecord = () => {};

/** @param {number[]} ports */
async function connect(ports) {
  const clients = await Promise.all(
    [ports[0], ports[ports.length - 1]].map(async (port, i) => {
      const client = new DeepstreamClient(`ws://127.0.0.1:${port}`);
      client.on('error', (error, event) => fail(new Error(`${event}: ${error}`)));
      await client.login({ username: `client-${i}` });
      return client;
    }),
  );
  teller = clients[0];
  const hearer = clients[1];
  hearer.event.subscribe('news', (/** @type {any} */ [value]) => onEvent(value));
  // Each is made by the server of its client before the first change, as without a shared cache.
  written = await teller.record.getRecord('measured').whenReady();
  const read = await hearer.record.getRecord('measured').whenReady();
  read.subscribe('at', (value) => onRecord(value));
  // The servers know each other when both have come once.
  await waitFor('the first event and change', (resolve) => {
    const come = new Set();
    const note = (what) => come.add(what).size === 2 && resolve();
    onEvent = () => note('event');
    onRecord = () => note('record');
    const timer = setInterval(() => {
      if (come.size === 2) return clearInterval(timer);
      teller.event.emit('news', [0, TEXT]);
      written.set('at', now());
    }, 50);
  });
}

/** Of so many, one after the other at a rate a second, how long each takes, in milliseconds. @param {'event' | 'record'} what */
async function latency(what, count, rate) {
  /** @type {number[]} */
  const took = [];
  let told = 0;
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  await waitFor(`all of ${count} (${what})`, (resolve, reject, alive) => {
    let last = now();
    const hear = (at) => {
      // Of the greetings, which may come late.
      if (at < begun) return;
      if (at <= last) return reject(new Error(`what was told at ${at} came behind ${last} (${what})`));
      last = at;
      took.push((now() - at) / 1e6);
      alive();
      if (took.length === count) resolve();
    };
    const begun = last;
    if (what === 'event') onEvent = hear;
    else onRecord = hear;
    timer = setInterval(() => {
      if (what === 'event') teller.event.emit('news', [now(), TEXT]);
      else written.set('at', now());
      if (++told === count) clearInterval(timer);
    }, 1000 / rate);
  }).finally(() => clearInterval(timer));
  return took;
}

/** A closed loop: so many events are on their way. Rejects when one is missing, comes twice or out of order. */
async function flood(seconds, inFlight) {
  const begun = performance.now();
  let [told, heard] = [0, 0];
  await waitFor('all events', (resolve, reject, alive) => {
    const tell = () => teller.event.emit('news', [-++told, TEXT]);
    onEvent = (value) => {
      if (value >= 0) return; // of the measurement before
      if (value !== -++heard) return reject(new Error(`event ${-value} came where ${heard} was next`));
      alive();
      if (performance.now() - begun < seconds * 1000) tell();
      else if (heard === told) resolve();
    };
    while (told < inFlight) tell();
  });
  return { events: heard, seconds: (performance.now() - begun) / 1000 };
}

function now() {
  return Number(process.hrtime.bigint());
}

process.on('message', (/** @type {any} */ { ports, latency: asked, flood: flooded, end }) => {
  if (ports) answer(connect(ports));
  if (asked) answer(latency(asked.what, asked.count, asked.rate));
  if (flooded) answer(flood(flooded.seconds, flooded.inFlight));
  if (end) process.exit();
});
process.once('disconnect', () => process.exit());
process.send?.({ ready: true });
