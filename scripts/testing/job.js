'use strict';
// A process that tests something: with a deadline, its output kept, and in a process group of its own, which ends with it.

const { spawn } = require('node:child_process');
const { ROOT } = require('../terminal.js');

/**
 * @typedef {object} Job
 * @property {string} name for who reads; of a file of tests its path
 * @property {string} command
 * @property {string[]} args
 * @property {string} [cwd] the root of the repository, unless given
 * @property {NodeJS.ProcessEnv} env
 * @property {number} deadline milliseconds
 * @property {boolean} [strict] a failure of it counts, also if it would pass the second time
 * @property {'brokers' | 'browser'} [heavy] starts three brokers or a browser: one of each at a time
 * @property {boolean} [alone] runs when nothing else does
 * @property {() => Job[]} [next] jobs that it makes, once it has passed
 * @property {(end: End) => Report} read
 * @property {(failures: Failure[]) => Job} [again] the job that tries once more what failed; itself, unless given
 */

/**
 * How a process ended.
 *
 * @typedef {{ code: number | null, signal: string | null, late: boolean, output: string, seconds: number }} End
 */

/**
 * @typedef {object} Failure
 * @property {string} test its name, behind those of its suites
 * @property {string} text the first lines say what went wrong
 * @property {boolean} final it counts, also if it does not come again
 */

/** @typedef {{ passed: number, skipped: number, failures: Failure[], tests: { test: string, seconds: number }[] }} Report */
/** @typedef {Report & { job: Job, output: string, seconds: number }} Outcome */

/** Signals by which a process ends that broke, and the codes that a shell makes of them. */
const CRASH = /^SIG(SEGV|ABRT|BUS|ILL|FPE|TRAP|SYS)$/;
const CRASH_CODES = [132, 133, 134, 135, 136, 139];

/** Whether a process that ended so broke. @param {{ code?: number | null, signal?: string | null }} end */
const crashed = ({ code, signal }) => CRASH.test(signal ?? '') || CRASH_CODES.includes(code ?? 0);

/** Groups that run: they end with this process, however a person ends it. @type {Set<number>} */
const groups = new Set();
process.on('exit', () => groups.forEach(kill));
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) process.on(signal, () => process.exit(130));

/** @param {number} group */
function kill(group) {
  try {
    process.kill(-group, 'SIGKILL');
  } catch (error) {
    if (/** @type {any} */ (error).code !== 'ESRCH') throw error;
  }
}

/**
 * Runs a job to its end, or to its deadline.
 *
 * @param {Job} job
 * @returns {Promise<Outcome>}
 */
async function run(job) {
  const began = Date.now();
  const child = spawn(job.command, job.args, { cwd: job.cwd ?? ROOT, env: job.env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  /** @type {Buffer[]} */
  const chunks = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => chunks.push(chunk));
  const { pid } = child;
  if (pid !== undefined) groups.add(pid);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    if (pid !== undefined) kill(pid);
  }, job.deadline);
  /** @type {{ code: number | null, signal: string | null }} */
  const end = await new Promise((resolve) => {
    child.once('error', (error) => {
      chunks.push(Buffer.from(`cannot run ${job.command}: ${error.message}\n`));
      resolve({ code: 1, signal: null });
    });
    // Not 'close': a process that it left behind may hold the pipes. The end of the group closes them, unless it left the group.
    child.once('exit', (code, signal) => {
      if (pid !== undefined) kill(pid);
      const held = setTimeout(() => [child.stdout, child.stderr].forEach((stream) => stream.destroy()), 5000);
      child.once('close', () => {
        clearTimeout(held);
        resolve({ code, signal });
      });
    });
  });
  clearTimeout(timer);
  if (pid !== undefined) groups.delete(pid);
  const [output, seconds] = [Buffer.concat(chunks).toString(), (Date.now() - began) / 1000];
  return { job, output, seconds, ...job.read({ ...end, late, output, seconds }) };
}

/**
 * A command that is one test.
 *
 * @param {string} name
 * @param {string[]} command
 * @param {{ env?: NodeJS.ProcessEnv, deadline?: number, strict?: boolean }} [how]
 * @returns {Job}
 */
function single(name, [command, ...args], { env = process.env, deadline = 20 * 60_000, strict = false } = {}) {
  return {
    name,
    command,
    args,
    env,
    deadline,
    strict,
    read({ code, signal, late, output }) {
      if (code === 0) return { passed: 1, skipped: 0, failures: [], tests: [] };
      const how = late ? `was ended after ${deadline / 1000} s` : `ended with ${signal ?? code}`;
      const failure = {
        test: name,
        text: `${[command, ...args].join(' ')} ${how}\n${output.trim().split('\n').slice(-20).join('\n')}`,
        final: crashed({ code, signal }) && !late,
      };
      return { passed: 0, skipped: 0, failures: [failure], tests: [] };
    },
  };
}

module.exports = { crashed, run, single };
