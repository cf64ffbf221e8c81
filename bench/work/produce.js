'use strict';
// `send` of arrays of `batch` values, each awaited, so many at a time that `inFlight` messages are under way; with `json` of messages of the
// usual program, which are made before.

const { Meter, now } = require('../measure.js');
const { usual } = require('../usual.js');

/** Messages of the usual program that are sent in turn. */
const DIFFERENT = 1000;

module.exports = async function produce(load, task) {
  const { batch, inFlight, count, seconds, size, strings, json } = task;
  const producer = await load().producer(task);
  const values = Array.from({ length: batch }, (_, i) => String(i).padStart(size, 'v')).map((value) => (strings ? value : Buffer.from(value)));
  const messages = json ? Array.from({ length: DIFFERENT }, (_, i) => [usual(i)]) : [values];
  // One message first, so that connections and the topic are known.
  await producer.send(messages[0].slice(0, 1));

  let sent = 0;
  const meter = new Meter();
  meter.flow(0);
  const deadline = now() + seconds;
  const loop = async () => {
    while (sent < count && now() < deadline) {
      sent += batch;
      await producer.send(messages[(sent / batch) % messages.length]);
    }
  };
  await Promise.all(Array.from({ length: producer.loops ?? inFlight / batch }, loop));
  await producer.flush?.();
  return meter.end(sent);
};
