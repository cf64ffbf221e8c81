'use strict';

/**
 * A shell that becomes the command and leaves a guard behind: when standard input closes while the command lives, its starter
 * died, so the guard kills the command and removes the folder $1, if there is one to remove.
 */
const GUARDED = `
wipe=$1; shift
exec 3<&0
{ cat <&3 >/dev/null; kill -9 $$ 2>/dev/null && test -n "$wipe" && sleep 1 && rm -rf -- "$wipe"; } &
exec "$@" 3<&- </dev/null`;

/**
 * A command to spawn, with a pipe as its standard input, so that it ends with the process that spawns it, however that ends.
 *
 * @param {string[]} command
 * @param {string} [wipe] the folder to remove when that happens
 */
function guarded(command, wipe = '') {
  return ['/bin/sh', '-c', GUARDED, 'sh', wipe, ...command];
}

module.exports = { guarded };
