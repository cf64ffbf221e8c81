'use strict';
// Cold starts in milliseconds: of `require`, and from the making of a client to its first message or its first acknowledgement.

const { execFileSync } = require('node:child_process');
const { rss } = require('../measure.js');

module.exports = async function start(load, task) {
  if (task.recorded) {
    const run = (contender, other) => execFileSync(process.execPath, [process.argv[1], contender, JSON.stringify({ ...task, ...other })]);
    // Another process reads and leaves its offsets behind; then there is something new, should it have read all.
    run(process.argv[2], { recorded: false });
    run('classic', { work: 'produce', count: 4000, batch: 1000, seconds: 10 });
  }
  const begin = performance.now();
  const client = load();
  const loaded = performance.now();
  let stop;
  if (task.client === 'producer') {
    const producer = await client.producer(task);
    await producer.send([{ value: 'v'.repeat(task.size) }]);
    ({ stop } = producer);
  } else {
    await new Promise((resolve, reject) => {
      client.consume(task, resolve).then((consumer) => (stop = consumer.stop), reject);
    });
  }
  const first = performance.now();
  // `consume` may come back a little after the first message.
  while (stop === undefined) await new Promise(setImmediate);
  await stop();
  return { require: loaded - begin, first: first - loaded, rss: rss() };
};
