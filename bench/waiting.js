'use strict';
// The processes with the clients of a benchmark: what they wait for, and what they tell the one that measures.

/** A message that the servers have not brought after so long, in milliseconds, is lost. */
const PATIENCE = 10_000;

/**
 * Resolves or rejects as `begin` says; rejects when nothing was alive for too long.
 *
 * @param {string} what
 * @param {(resolve: () => void, reject: (error: Error) => void, alive: () => void) => void} begin
 * @returns {Promise<void>}
 */
function waitFor(what, begin) {
  return new Promise((resolve, reject) => {
    let at = performance.now();
    const timer = setInterval(() => performance.now() - at > PATIENCE && done(reject)(new Error(`${what}: nothing came for ${PATIENCE / 1000} s`)), 500);
    const done = (/** @type {(value: any) => void} */ settle) => (/** @type {any} */ value) => {
      clearInterval(timer);
      settle(value);
    };
    begin(
      () => done(resolve)(undefined),
      done(reject),
      () => (at = performance.now()),
    );
  });
}

/** @param {unknown} error */
function fail(error) {
  process.send?.({ error: error instanceof Error ? error.message : String(error) }, () => process.exit(1));
}

/** Answers with what comes of it. @param {Promise<unknown>} promise */
const answer = (promise) => promise.then((result) => process.send?.({ result }), fail);

module.exports = { answer, fail, waitFor };
