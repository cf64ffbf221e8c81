'use strict';

const fs = require('node:fs');
const { setTimeout: delay } = require('node:timers/promises');

/**
 * Runs `work` while this process holds the lock `file`; waits for its turn.
 *
 * The lock is a symbolic link whose target is its owner's process id, so it appears with its content in one step. The
 * lock of a dead owner is taken over; should two processes do that in the same instant, both run.
 *
 * @template T
 * @param {string} file
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
async function withLock(file, work) {
  while (!acquire(file)) await delay(50);
  try {
    return await work();
  } finally {
    fs.rmSync(file, { force: true });
  }
}

/** @param {string} file */
function acquire(file) {
  try {
    fs.symlinkSync(String(process.pid), file);
    return true;
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
  if (!ownerLives(file)) fs.rmSync(file, { force: true });
  return false;
}

/** @param {string} file */
function ownerLives(file) {
  try {
    process.kill(Number(fs.readlinkSync(file)), 0);
    return true;
  } catch (error) {
    // ENOENT: released meanwhile. EPERM: another user's process.
    return codeOf(error) !== 'ESRCH';
  }
}

/**
 * @param {unknown} error
 * @returns {string | undefined} the system's error code, such as ENOENT
 */
function codeOf(error) {
  return /** @type {NodeJS.ErrnoException} */ (error).code;
}

module.exports = { withLock, codeOf };
