'use strict';
// npm start: builds all, then shows the main job (examples/demo).

const { exitOf, main, step } = require('./terminal.js');
const { setup } = require('./setup.js');

main(async () => {
  await setup();
  step('The main job');
  return exitOf(process.execPath, ['examples/demo', ...process.argv.slice(2)]);
});
