'use strict';
// `send` of arrays of `batch` values, each awaited, so many at a time that `inFlight` messages are under way.

const { Meter, now } = require('../measure.js');

module.exports = async function produce(load, task) {
  const { batch, inFlight, count, seconds, size, strings } = task;
  const producer = await load().producer(task);
  const values = Array.from({ length: batch }, (_, i) => String(i).padStart(size, 'v')).map((value) => (strings ? value : Buffer.from(value)));
  // One message first, so that connections and the topic are known.
  await producer.send(values.slice(0, 1));

  let sent = 0;
  const meter = new Meter();
  meter.flow(0);
  const deadline = now() + seconds;
  const loop = async () => {
    while (sent < count && now() < deadline) {
      sent += batch;
      await producer.send(values);
    }
  };
  await Promise.all(Array.from({ length: producer.loops ?? inFlight / batch }, loop));
  await producer.flush?.();
  return meter.end(sent);
};
