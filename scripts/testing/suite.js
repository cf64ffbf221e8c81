'use strict';
// Parts of jobs, one after another. All run, also behind a failure; what failed runs once more, alone, at the end; then comes the
// summary, whose last lines say what to do.

const fs = require('node:fs');
const path = require('node:path');
const { Failure, ROOT, bold, green, red, step } = require('../terminal.js');
const { run } = require('./job.js');

/**
 * @typedef {import('./job.js').Job} Job
 * @typedef {import('./job.js').Outcome} Outcome
 * @typedef {{ file: string, test: string, since: string, why: string }} Quarantined
 */

/** Files that may fail once and pass the second time. */
const FLAKY = 10;
/** Files that are tried again: where more fail, something is wrong with all. */
const TRIED_AGAIN = 20;
/** Entries of the quarantine, and the days that one may be there. */
const [QUARANTINED, DAYS] = [5, 14];
/** Lines for all failures together: the summary's end fits on a screen. */
const LINES = 44;

class Suite {
  /** @type {{ name: string, seconds: number }[]} */
  #parts = [];
  /** @type {Outcome[]} */
  #outcomes = [];
  /** Failures that count: of jobs, of a part as a whole, of the limits on flaky and quarantined tests. @type {{ job: string, test: string, text: string }[]} */
  #failures = [];
  /** @type {{ job: string, test: string, text: string }[]} */
  #flaky = [];
  /** @type {{ job: string, test: string, text: string }[]} */
  #forgiven = [];
  #quarantine = quarantine();
  #words;
  #began = Date.now();

  /** @param {string[]} words of jobs: only those that have one in their name run */
  constructor(words = []) {
    this.#words = words;
  }

  /**
   * Runs the jobs. A failure, also to make them, ends nothing.
   *
   * @param {string} name
   * @param {() => Job[] | Promise<Job[]>} make
   * @param {number} [abreast] how many at a time
   * @returns {Promise<boolean>} whether there were jobs to run: false when `make` failed
   */
  async part(name, make, abreast = 1) {
    const began = Date.now();
    let made = true;
    step(name);
    try {
      const wanted = (/** @type {Job[]} */ jobs) =>
        jobs.filter(({ name, next }) => this.#words.length === 0 || next || this.#words.some((word) => name.includes(word)));
      for await (const outcome of sideBySide(wanted(await make()), abreast, wanted)) this.#outcomes.push(tell(outcome));
    } catch (error) {
      made = false;
      this.#fails(name, error);
    }
    this.#parts.push({ name, seconds: (Date.now() - began) / 1000 });
    return made;
  }

  /** @param {string} name @param {unknown} error */
  #fails(name, error) {
    const text = error instanceof Failure ? error.message : error instanceof Error ? String(error.stack) : String(error);
    console.log(red(text));
    this.#failures.push({ job: name, test: 'all of it', text });
  }

  /** Tries once more what failed, and says what came of it all. @returns {Promise<number>} the exit code */
  async end() {
    const failed = this.#outcomes.filter(({ failures }) => failures.length > 0);
    if (failed.length > 0) await this.#again(failed);
    return this.#sum();
  }

  /** @param {Outcome[]} failed */
  async #again(failed) {
    const began = Date.now();
    step('Once more, alone, what failed');
    for (const { job, failures } of failed) {
      const all = failures.map(({ test, text, final }) => ({ job: job.name, test, text, final }));
      const inQuarantine = (/** @type {{ test: string }} */ { test }) => this.#quarantine.some((each) => each.file === job.name && each.test === test);
      this.#forgiven.push(...all.filter(inQuarantine));
      const counted = all.filter((each) => !inQuarantine(each));
      if (counted.length === 0) continue;
      const strict = job.strict || counted.some(({ final }) => final) || failed.length > TRIED_AGAIN;
      const second = strict ? undefined : tell(await run(job.again?.(failures) ?? job));
      if (second && second.failures.every(inQuarantine)) this.#flaky.push(...counted);
      else this.#failures.push(...counted);
    }
    this.#parts.push({ name: 'Once more', seconds: (Date.now() - began) / 1000 });
  }

  #sum() {
    const flakyFiles = new Set(this.#flaky.map(({ job }) => job)).size;
    if (flakyFiles > FLAKY)
      this.#failures.push({ job: 'npm test', test: 'flaky files', text: `${flakyFiles} files passed only the second time, of ${FLAKY} at most` });
    if (this.#quarantine.length > QUARANTINED)
      this.#failures.push({ job: QUARANTINE, test: 'its length', text: `${this.#quarantine.length} entries, of ${QUARANTINED} at most` });
    for (const { file, test, since } of this.#quarantine)
      if (!(Date.now() - Date.parse(since) < DAYS * 86_400_000))
        this.#failures.push({ job: QUARANTINE, test: `${file}: ${test}`, text: `is there since ${since}: mend it, after ${DAYS} days at most` });

    console.log(`\n${bold('Minutes')}`);
    for (const { name, seconds } of this.#parts) console.log(`${(seconds / 60).toFixed(1).padStart(6)}  ${name}`);
    console.log(bold('The slowest, in seconds'));
    const tests = this.#outcomes.flatMap(({ job, tests }) => tests.map(({ test, seconds }) => ({ name: `${job.name}: ${test}`, seconds })));
    for (const { name, seconds } of tests.sort((a, b) => b.seconds - a.seconds).slice(0, 10)) console.log(`${seconds.toFixed(1).padStart(6)}  ${name}`);
    list('In quarantine, and failed', this.#forgiven, 2);
    list('Flaky: failed, and passed the second time', this.#flaky, 3);
    list('Failed', this.#failures, Math.max(2, Math.floor(LINES / Math.max(1, this.#failures.length))));

    const total = (/** @type {'passed' | 'skipped'} */ key) => this.#outcomes.reduce((sum, outcome) => sum + outcome[key], 0);
    const [failed, minutes] = [this.#failures.length, ((Date.now() - this.#began) / 60_000).toFixed(1)];
    const verdict = failed > 0 ? red('There are failures, see above.') : green('All is well.');
    console.log(`\n${verdict} ${this.#flaky.length} flaky in ${flakyFiles} files, ${this.#forgiven.length} failed in quarantine; it took ${minutes} minutes.`);
    console.log(`${total('passed') + this.#flaky.length} passed, ${failed} failed, ${total('skipped')} skipped`);
    return failed > 0 ? 1 : 0;
  }
}

/**
 * Runs jobs side by side, then those that want to be alone.
 *
 * @param {Job[]} jobs
 * @param {number} most at a time
 * @param {(jobs: Job[]) => Job[]} wanted of those that a job makes
 */
async function* sideBySide(jobs, most, wanted) {
  // The heavy ones first: they wait for one another.
  const waiting = jobs.filter(({ alone }) => !alone).sort((a, b) => Number(b.heavy !== undefined) - Number(a.heavy !== undefined));
  /** @type {Map<Job, Promise<Outcome>>} */
  const running = new Map();
  while (waiting.length > 0 || running.size > 0) {
    const heavy = new Set([...running.keys()].map((job) => job.heavy));
    const next = running.size < most ? waiting.findIndex((job) => job.heavy === undefined || !heavy.has(job.heavy)) : -1;
    if (next >= 0) {
      const [job] = waiting.splice(next, 1);
      running.set(job, run(job));
      continue;
    }
    const outcome = await Promise.race(running.values());
    running.delete(outcome.job);
    if (outcome.failures.length === 0) waiting.push(...wanted(outcome.job.next?.() ?? []));
    yield outcome;
  }
  for (const job of jobs.filter(({ alone }) => alone)) yield run(job);
}

/** One line of a job that passed; all that one wrote that did not. @param {Outcome} outcome */
function tell(outcome) {
  const { job, output, passed, skipped, failures, seconds } = outcome;
  if (failures.length > 0) console.log(output.trimEnd());
  const counts = `${passed} passed${failures.length > 0 ? `, ${failures.length} failed` : ''}${skipped > 0 ? `, ${skipped} skipped` : ''}`;
  console.log(`${failures.length > 0 ? red('✖') : green('✔')} ${job.name}: ${counts}, ${seconds.toFixed(1)} s`);
  return outcome;
}

/** @param {string} heading @param {{ job: string, test: string, text: string }[]} failures @param {number} lines of each */
function list(heading, failures, lines) {
  if (failures.length === 0) return;
  console.log(bold(heading));
  for (const { job, test, text } of failures) {
    console.log(`  ${job}: ${test}`);
    const first = text.split('\n').filter((line) => line.trim());
    for (const line of first.slice(0, lines - 1)) console.log(`      ${line.slice(0, 300)}`);
  }
}

/** Tests that run and do not count, until they are mended. */
const QUARANTINE = 'test/quarantine.json';

/** @returns {Quarantined[]} */
const quarantine = () => JSON.parse(fs.readFileSync(path.join(ROOT, QUARANTINE), 'utf8'));

module.exports = { Suite };
