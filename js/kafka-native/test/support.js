'use strict';
const path = require('node:path');
const { after } = require('node:test');

// The fake must be chosen before the package is loaded.
process.env.KAFKA_NATIVE_ADDON = path.join(__dirname, 'fake-addon.js');
const kafka = require('..');
const fake = require('./fake-addon.js');
const { Event } = require('../dist/binding.js');

const made = [];
// Clients that were not stopped keep the process alive.
after(async () => {
  for (const { client, native } of made) {
    const stopped = client.stop();
    await turn();
    for (const [name, id] of native.calls) if (['start', 'partitionCount', 'stop'].includes(name)) native.emit(Event.Reply, id, undefined, 0);
    await stopped.catch(() => {});
  }
});

/** A logger that remembers: lines as `level: message`. */
function memoryLogger() {
  const lines = [];
  const logger = { lines };
  for (const level of ['error', 'warn', 'info', 'debug']) logger[level] = (message) => lines.push(`${level}: ${message}`);
  return logger;
}

function makeProducer(options = {}) {
  const logger = memoryLogger();
  const producer = new kafka.Producer({ broker: 'b', logger, ...options });
  const native = fake.made.producers.at(-1);
  made.push({ client: producer, native });
  return { producer, logger, native };
}

function makeConsumer(options = {}) {
  const logger = memoryLogger();
  const consumer = new kafka.Consumer({ broker: 'b', topic: 't', offset_directory: '/nowhere', receive_callback() {}, logger, ...options });
  const native = fake.made.consumers.at(-1);
  made.push({ client: consumer, native });
  let lastId = 0;
  /** Hands over a batch of one message per value; returns its id. */
  const arrive = (...values) => {
    const messages = values.map((value, i) => ({ offset: 100 * lastId + i, value }));
    native.emit(Event.Batch, ++lastId, fake.pack([{ partition: 0, messages }]));
    return lastId;
  };
  return { consumer, logger, native, arrive };
}

async function startedConsumer(options) {
  const made = makeConsumer(options);
  const started = made.consumer.start();
  made.native.reply('start', [0]);
  await started;
  await turn();
  return made;
}

/** One turn of the event loop. */
const immediate = () => new Promise((resolve) => setImmediate(resolve));
/** Long enough for promises and one round of setImmediate. */
const turn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

/** Keeps the event loop busy. */
function work(milliseconds) {
  for (const end = performance.now() + milliseconds; performance.now() < end; );
}

/** A promise and its ends. */
function deferred() {
  const ends = {};
  const promise = new Promise((resolve, reject) => Object.assign(ends, { resolve, reject }));
  return { promise, ...ends };
}

module.exports = { kafka, fake, Event, memoryLogger, makeProducer, makeConsumer, startedConsumer, turn, deferred, immediate, work };
