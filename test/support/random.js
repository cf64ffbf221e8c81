'use strict';
// Random numbers that can be had again: SEED=... repeats a run, as far as the machine's timing allows.

/** mulberry32: numbers from 0 to 1. */
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The seed of this run; it belongs into the message of a failure. */
const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));

module.exports = { random, seed };
