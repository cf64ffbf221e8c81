'use strict';
// `send` of arrays of `batch` messages, which are made before, each awaited, so many at a time that `inFlight` messages are under way; with
// `json` they are those of the usual program, with `headers` they have its keys and two of its headers. Of those that are
// compressed 40 arrays are sent in turn: a compressor finds nothing that it has seen in the one before (in thousands, they are 4 MB).

const { Meter, now } = require('../measure.js');
const { values } = require('../text.js');
const { usual } = require('../usual.js');

/** Messages of the usual program, and batches to be compressed, that are sent in turn. */
const USUAL = 1000;
const COMPRESSED = 40;

module.exports = async function produce(load, task) {
  const { batch, inFlight, count, seconds, size, strings, headers, json, codec } = task;
  const producer = await load().producer(task);
  const text = codec === 'none' ? (i) => String(i).padStart(size, 'v') : values(size);
  const plain = (i) => {
    const value = strings ? text(i) : Buffer.from(text(i));
    if (!headers) return { value };
    const { key, headers: all } = usual(i);
    const { source: _, ...two } = all;
    return { key, value, headers: two };
  };
  const batches = json
    ? Array.from({ length: USUAL }, (_, i) => [usual(i)])
    : Array.from({ length: codec === 'none' ? 1 : COMPRESSED }, (_, n) => Array.from({ length: batch }, (_, i) => plain(n * batch + i)));
  // One message first, so that connections and the topic are known.
  await producer.send(batches[0].slice(0, 1));

  let sent = 0;
  const meter = new Meter();
  meter.flow(0);
  const deadline = now() + seconds;
  const loop = async () => {
    while (sent < count && now() < deadline) {
      sent += batch;
      await producer.send(batches[(sent / batch) % batches.length]);
    }
  };
  await Promise.all(Array.from({ length: producer.loops ?? inFlight / batch }, loop));
  await producer.flush?.();
  return meter.end(sent);
};
