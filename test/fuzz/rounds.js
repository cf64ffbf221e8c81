'use strict';
// Rounds in a child process, which may crash or hang: its parent sees that, and says which round it was.
//
// A round has a seed of its own, so that it can be had again alone: ROUND=seed.

const fs = require('node:fs');
const { spawn } = require('node:child_process');
const { random, seed } = require('../support/random.js');

/** A child that has begun no round for so long hangs. */
const QUIET = 60_000;
/** ROUNDS, where given, bounds a run, else SECONDS. */
const most = Number(process.env.ROUNDS ?? Infinity);
const seconds = most < Infinity ? Infinity : Number(process.env.SECONDS ?? 60);

/** Thrown on purpose by what is given to the clients: whoever passes it on is right. */
class Planted extends Error {
  constructor(where) {
    super(`planted in ${where}`);
  }
}

/** Text that the message of an error must not show: it names no argument, and is nobody's to understand. */
const RAW = /Failed to (convert|get)|into rust type|napi|Cannot read propert|is not (a function|iterable)|Cannot convert|undefined \(reading|Maximum call stack|not callable|(?<!Invalid .*)\[object /i;

/** Says what is wrong with what a call threw; nothing when it may throw that. */
function wrongWith(error) {
  if (error instanceof Planted) return undefined;
  if (!(error instanceof Error)) return `it threw no Error: ${String(typeof error)}`;
  if (typeof error.message !== 'string' || error.message.length < 8) return `its error says nothing: ${error.stack}`;
  return RAW.test(error.message) ? `its error is raw: ${error.stack}` : undefined;
}

/**
 * The whole program: as the parent it runs itself again, and as the child it runs rounds.
 *
 * @param {string} file
 * @param {(tools: { chance: () => number, found: (what: string) => void, n: number }) => Promise<void>} round
 * @param {{ begin?: () => Promise<void>, end?: () => Promise<void> }} [around]
 */
function main(file, round, { begin = async () => {}, end = async () => {} } = {}) {
  if (process.env.FUZZ_CHILD) return void child(round, begin, end);
  parent(file).then((code) => (process.exitCode = code));
}

async function parent(file) {
  const name = file.split(/[\\/]/).pop();
  const until = Date.now() + seconds * 1000;
  let rounds = 0;
  for (let at = seed; rounds < most && Date.now() < until; at += 100_003) {
    let last = 'none';
    let output = '';
    const left = Math.max(1, Math.ceil((until - Date.now()) / 1000));
    const bound = most < Infinity ? { ROUNDS: String(most - rounds) } : { SECONDS: String(left) };
    const env = { ...process.env, FUZZ_CHILD: '1', SEED: String(at), ...bound };
    const process_ = spawn(process.execPath, ['--expose-gc', file], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let hangs = false;
    const watch = () => setTimeout(() => ((hangs = true), process_.kill('SIGKILL')), QUIET);
    let timer = watch();
    process_.stdout.on('data', (text) => {
      clearTimeout(timer);
      timer = watch();
      for (const [, number] of String(text).matchAll(/^round (\d+)$/gm)) (last = number), rounds++;
      output = (output + text).slice(-20_000);
    });
    process_.stderr.on('data', (text) => (output = (output + text).slice(-20_000)));
    const [code, signal] = await new Promise((resolve) => process_.on('close', (...how) => resolve(how)));
    clearTimeout(timer);
    if (code === 0) continue; // its time is over, or it is old enough to be made anew
    console.error(output.replace(/^round \d+\n/gm, ''));
    console.error(`${name}: ${hangs ? 'HANG' : signal ? `CRASH (${signal})` : 'FOUND'} in round ${last}, the ${rounds}th. To repeat it: ROUND=${last} node test/fuzz/${name}`);
    return 1;
  }
  console.log(`${name}: nothing found in ${rounds} rounds, SEED=${seed}`);
  return 0;
}

async function child(round, begin, end) {
  const findings = [];
  const found = (what) => {
    if (findings.length < 5) fs.writeSync(2, `${what}\n`);
    findings.push(what);
  };
  process.on('uncaughtException', (error) => found(`uncaught: ${error?.stack ?? String(error)}`));
  process.on('unhandledRejection', (error) => found(`an unhandled rejection: ${error?.stack ?? typeof error}`));
  const only = process.env.ROUND === undefined ? undefined : Number(process.env.ROUND);
  const until = Date.now() + Math.min(seconds, 300) * 1000;
  await begin();
  for (let n = 0; findings.length === 0 && n < (only === undefined ? most : 1) && Date.now() < until; n++) {
    const number = only ?? (seed + n * 7919) % 2 ** 31;
    fs.writeSync(1, `round ${number}\n`);
    try {
      await round({ chance: random(number), found, n });
    } catch (error) {
      found(`the round ended: ${error?.stack ?? error}`);
    }
    await new Promise(setImmediate);
  }
  await end();
  process.exit(findings.length > 0 ? 1 : 0);
}

module.exports = { Planted, main, wrongWith };
