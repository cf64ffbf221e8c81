'use strict';
// node work.js CONTENDER TASK: one contender does one task (JSON; `shapes.js` has them), measures itself, and writes a line of
// JSON. It is a process of its own.

const { writeSync } = require('node:fs');

const [contender, text] = process.argv.slice(2);
const task = JSON.parse(text);

/** Also after an error without a caller: a client that fails is a result, too. */
function end(report) {
  writeSync(1, `\n${JSON.stringify(report)}\n`);
  // The client's last work, and how long it takes to stop, are no part of the task.
  process.exit();
}
const fail = (error) => end({ error: String(error?.message ?? error) });
process.on('uncaughtException', fail);
process.on('unhandledRejection', fail);

require(`./work/${task.work}.js`)(() => require(`./contenders/${contender}.js`), task).then(end, fail);
