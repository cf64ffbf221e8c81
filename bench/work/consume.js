'use strict';
// A backlog: every value is read and its length looked at, and with `headers` every key and header, too. With `json` every value is parsed, and
// nothing else is read. With `pause` each call of the handler takes that many milliseconds.

const { setTimeout: sleep } = require('node:timers/promises');
const { Meter, now, threadCpu } = require('../measure.js');
const { usual } = require('../usual.js');

module.exports = async function consume(load, task) {
  const client = load();
  const { payload = (message) => message.value } = client;
  const { count, seconds, size, headers, json, pause, clients = 1 } = task;
  let received = 0;
  let deadline;
  let ended = false;
  const meter = new Meter();

  function look(message) {
    if (payload(message).length !== size) throw new Error('a value of the wrong size');
    if (headers && !(message.key.length > 0 && hasHeaders(message.headers))) throw new Error('a message without its key or headers');
  }
  function parse(message) {
    if (JSON.parse(payload(message)).currency !== 'EUR') throw new Error('a value that is another');
  }
  const handle = json ? parse : look;

  return new Promise((resolve, reject) => {
    const waiting = new Set(Array.from({ length: clients }, (_, client) => client));
    function receive(client, messages) {
      if (waiting.delete(client)) {
        meter.flow(messages.length);
        deadline ??= now() + seconds;
      }
      for (const message of messages) handle(message);
      received += messages.length;
      // The clock is looked at once in a while: a call may have one message.
      if (!ended && (received >= count || ((messages.length > 1 || received % 64 === 0) && now() >= deadline))) {
        ended = true;
        resolve({ ...meter.end(received), ...(json && { parsing: parsing() * received }) });
      }
      return pause ? sleep(pause) : undefined;
    }
    for (let i = 0; i < clients; i++) client.consume({ ...task, client: i }, (messages) => receive(i, messages)).catch(reject);
  });
};

/** Seconds of CPU in which a value is parsed, alone, in the same process. There are more values than the processor's caches hold. */
function parsing() {
  /** @type {any[]} Buffers, as the handlers get them */
  const values = Array.from({ length: 20_000 }, (_, i) => Buffer.from(usual(i).value));
  const begun = threadCpu();
  if (begun === undefined) return NaN;
  for (let round = 0; round < 5; round++) for (const value of values) JSON.parse(value);
  return (Number(threadCpu()) - begun) / (5 * values.length);
}

/** Headers are an object, a Map, or an array of objects. */
function hasHeaders(headers) {
  if (headers instanceof Map) return headers.size > 0;
  for (const name in headers) if (headers[name] !== undefined) return true;
  return false;
}
