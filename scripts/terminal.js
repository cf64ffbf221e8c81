'use strict';
// How the scripts talk to the person at the terminal, and run what they run.

const { spawn } = require('node:child_process');
const path = require('node:path');

const ROOT = path.resolve(__dirname, '..');

const colours = process.stdout.isTTY && !process.env.NO_COLOR;
const paint = (/** @type {string} */ code) => (/** @type {string} */ text) => (colours ? `\x1b[${code}m${text}\x1b[0m` : text);
const bold = paint('1');
const red = paint('31');
const green = paint('32');

/** Says what begins now. */
function step(/** @type {string} */ text) {
  console.log(`\n${bold(`==> ${text}`)}`);
}

/** A failure that needs no stack: its message says all. */
class Failure extends Error {}

/**
 * Runs a command in the root of the repository to its end.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, onOutput?: (text: string) => void }} [options] onOutput: hears, too, what goes to
 *   standard output
 * @returns {Promise<number>} its exit code; 1 when a signal ended it
 */
function exitOf(command, args, { env = process.env, onOutput } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: ROOT, env, stdio: ['ignore', onOutput ? 'pipe' : 'inherit', 'inherit'] });
    child.stdout?.on('data', (chunk) => {
      process.stdout.write(chunk);
      onOutput?.(chunk.toString());
    });
    child.once('error', (error) => reject(new Failure(`cannot run ${command}: ${error.message}`)));
    child.once('close', (code) => resolve(code ?? 1));
  });
}

/**
 * The same for a command that must succeed.
 *
 * @param {string} command
 * @param {string[]} args
 */
async function run(command, ...args) {
  const code = await exitOf(command, args);
  if (code !== 0) throw new Failure(`'${[path.basename(command), ...args].join(' ')}' failed with code ${code}; its messages are above`);
}

function tell(/** @type {unknown} */ error) {
  const text = error instanceof Failure ? error.message : error instanceof Error ? error.stack : undefined;
  console.error(`\n${red(text ?? String(error))}`);
}

/** Runs a script: whatever it throws ends the process with a message and code 1. */
function main(/** @type {() => Promise<number | void>} */ script) {
  script().then(
    (code) => (process.exitCode = code ?? 0),
    (error) => {
      tell(error);
      process.exitCode = 1;
    },
  );
}

module.exports = { Failure, ROOT, bold, exitOf, green, main, red, run, step, tell };
