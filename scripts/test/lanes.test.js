'use strict';
// Jobs that run side by side, and jobs that do not.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const assert = require('node:assert/strict');
const { single } = require('../testing/job.js');
const { Suite } = require('../testing/suite.js');

/** @typedef {{ name: string, waitsFor?: string[], heavy?: 'brokers' | 'browser', alone?: boolean, makes?: Wish[], fails?: boolean }} Wish */

/**
 * Runs a part whose jobs write when they begin and end, and wait for others to begin.
 *
 * @param {import('node:test').TestContext} t
 * @param {Wish[]} jobs
 * @param {number} abreast
 * @returns {Promise<string[]>} '+name' where one began, '-name' where it ended
 */
async function lines(t, jobs, abreast) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'kafka-native-lanes-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'lines');
  const program = `
    const fs = require('node:fs');
    const [name, fails, ...others] = process.argv.slice(1);
    fs.appendFileSync(${JSON.stringify(file)}, '+' + name + '\\n');
    const look = () => {
      const said = fs.readFileSync(${JSON.stringify(file)}, 'utf8');
      if (!others.every((other) => said.includes('+' + other + '\\n'))) return setTimeout(look, 10);
      fs.appendFileSync(${JSON.stringify(file)}, '-' + name + '\\n');
      process.exitCode = Number(fails);
    };
    look();`;
  /** @param {Wish} wish @returns {import('../testing/job.js').Job} */
  const made = ({ name, waitsFor = [], makes, fails, ...more }) => {
    const command = [process.execPath, '-e', program, name, fails ? '1' : '0', ...waitsFor];
    return { ...single(name, command, { deadline: 30_000 }), ...more, ...(makes && { next: () => makes.map(made) }) };
  };
  await new Suite().part('lanes', () => jobs.map(made), abreast);
  return fs.readFileSync(file, 'utf8').trim().split('\n');
}

/** How many run at most at a time, of those with these names. @param {string[]} lines @param {string[]} names */
function most(lines, names) {
  let [now, highest] = [0, 0];
  for (const line of lines.filter((each) => names.includes(each.slice(1)))) {
    now += line[0] === '+' ? 1 : -1;
    highest = Math.max(highest, now);
  }
  return highest;
}

test('so many jobs run at a time, and no more', async (t) => {
  const found = await lines(t, [...['a', 'b', 'c'].map((name) => ({ name, waitsFor: ['a', 'b', 'c'] })), { name: 'd' }, { name: 'e' }], 3);
  assert.equal(found.length, 10);
  assert.equal(most(found, ['a', 'b', 'c', 'd', 'e']), 3);
});

test('one cluster of three brokers runs at a time, and one browser beside it', async (t) => {
  const [brokers, browser] = /** @type {const} */ (['brokers', 'browser']);
  const jobs = [{ name: 'a', heavy: brokers }, { name: 'b', heavy: brokers, waitsFor: ['y'] }, { name: 'x', heavy: browser }, { name: 'y', heavy: browser, waitsFor: ['b'] }];
  const found = await lines(t, jobs, 4);
  assert.deepEqual([most(found, ['a', 'b']), most(found, ['x', 'y']), most(found, ['b', 'y'])], [1, 1, 2]);
});

test('what wants to be alone is', async (t) => {
  const found = await lines(t, [{ name: 'first', alone: true }, { name: 'a', waitsFor: ['b'] }, { name: 'second', alone: true }, { name: 'b', waitsFor: ['a'] }], 4);
  assert.deepEqual(found.slice(-4), ['+first', '-first', '+second', '-second']);
});

test('jobs that a job makes run beside those that run already, if it passed', async (t) => {
  const found = await lines(t, [{ name: 'a', makes: [{ name: 'made', waitsFor: ['slow'] }] }, { name: 'b', fails: true, makes: [{ name: 'unmade' }] }, { name: 'slow', waitsFor: ['made'] }], 3);
  assert.deepEqual([...found].sort(), ['+a', '+b', '+made', '+slow', '-a', '-b', '-made', '-slow']);
});
