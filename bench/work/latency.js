'use strict';
// From `send` to the handler: `rate` messages a second, one a call, each sent when it is due, in ticks of a millisecond.
// The topic is new and has one partition.

const { rss } = require('../measure.js');

const WARM_UP = 100;

module.exports = async function latency(load, task) {
  const client = load();
  const { payload = (message) => message.value } = client;
  const { count, rate, size } = task;
  const producer = await client.producer(task);
  const times = [];
  let received = 0;
  let arrived;
  const send = () => producer.send([{ value: String(performance.now()).padEnd(size) }]);
  function receive(messages) {
    const at = performance.now();
    for (const message of messages) times.push(at - Number(payload(message).toString()));
    received += messages.length;
    arrived();
  }

  /** @type {Promise<void>} */
  const done = new Promise((resolve) => (arrived = () => received >= WARM_UP && resolve()));
  await client.consume(task, receive);
  for (let i = 0; i < WARM_UP; i++) await send();
  await done;
  times.length = received = 0;

  /** @type {Promise<void>} */
  const all = new Promise((resolve) => (arrived = () => received >= count && resolve()));
  const sends = [];
  const begin = performance.now();
  await /** @type {Promise<void>} */ (
    new Promise((resolve) => {
      function tick() {
        while (sends.length < count && sends.length <= ((performance.now() - begin) / 1000) * rate) sends.push(send());
        if (sends.length === count) resolve();
        else setTimeout(tick, 1);
      }
      tick();
    })
  );
  await Promise.all([...sends, all]);
  times.sort((a, b) => a - b);
  const at = (q) => times[Math.floor(times.length * q)];
  return { messages: count, p50: at(0.5), p99: at(0.99), rss: rss() };
};
