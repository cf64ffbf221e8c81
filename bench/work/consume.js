'use strict';
// A backlog: every value is read and its length looked at, and with `headers` every key and header, too. With `pause` each call
// of the handler takes that many milliseconds.

const { setTimeout: sleep } = require('node:timers/promises');
const { Meter, now } = require('../measure.js');

module.exports = async function consume(load, task) {
  const client = load();
  const { payload = (message) => message.value } = client;
  const { count, seconds, size, headers, pause } = task;
  let received = 0;
  let deadline;
  let ended = false;
  const meter = new Meter();
  return new Promise((resolve, reject) => {
    function receive(messages) {
      if (deadline === undefined) {
        meter.flow(messages.length);
        deadline = now() + seconds;
      }
      for (const message of messages) {
        if (payload(message).length !== size) throw new Error('a value of the wrong size');
        if (headers && !(message.key.length > 0 && hasHeaders(message.headers))) throw new Error('a message without its key or headers');
      }
      received += messages.length;
      if (!ended && (received >= count || now() >= deadline)) {
        ended = true;
        resolve(meter.end(received));
      }
      return pause ? sleep(pause) : undefined;
    }
    client.consume(task, receive).catch(reject);
  });
};

/** Headers are an object, a Map, or an array of objects. */
function hasHeaders(headers) {
  if (headers instanceof Map) return headers.size > 0;
  for (const name in headers) if (headers[name] !== undefined) return true;
  return false;
}
