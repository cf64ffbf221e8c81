'use strict';
// npm run game: builds all, then plays (examples/game). npm run game -- bots; npm run game -- down; -- --help has the rest.

const { Failure, main, step, tell } = require('./terminal.js');
const { setup } = require('./setup.js');

main(async () => {
  await setup();
  step('The game');
  const game = await import('../examples/game/index.js');
  // Not left to the event loop: a client that is still connected would keep it.
  process.exit(
    await game.main(process.argv.slice(2)).catch((error) => {
      tell(new Failure(`game: ${error.message}`));
      return 1;
    }),
  );
});
