'use strict';
// Rows of servers behind one another, each measured in every round in processes of its own, and compared with one of them. Linux only: it reads /proc.

const { execFileSync } = require('node:child_process');
const { once } = require('node:events');
const { readFileSync } = require('node:fs');
const os = require('node:os');
const { parseArgs } = require('node:util');
const { median } = require('./figures.js');

/** @typedef {{ name: string, title: string, digits: number }} Column */

/**
 * The command line: `--rows`, names of rows with a comma between them, and numbers.
 *
 * @template {string} Name
 * @param {Record<string, { title: string }>} rows
 * @param {Record<Name, number>} defaults by option
 * @returns {{ names: string[], numbers: Record<Name, number> }}
 */
function command(rows, defaults) {
  const texts = Object.fromEntries(Object.entries(defaults).map(([name, value]) => [name, { type: /** @type {const} */ ('string'), default: `${value}` }]));
  const { values } = parseArgs({ options: { rows: { type: 'string', default: Object.keys(rows).join() }, ...texts } });
  const names = values.rows.split(',');
  const unknown = names.filter((name) => !Object.hasOwn(rows, name));
  if (unknown.length > 0) throw new Error(`--rows does not know ${unknown.join()}: there are ${Object.keys(rows).join()}`);
  const numbers = /** @type {any} */ ({});
  for (const name of Object.keys(defaults)) {
    numbers[name] = Number(values[name]);
    if (!(numbers[name] > 0)) throw new Error(`--${name} takes a number, not ${values[name]}`);
  }
  return { names, numbers };
}

/** The next message of a process, by the name of its one field. @param {import('node:child_process').ChildProcess} child @param {string} name */
async function next(child, name) {
  const [message] = await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`${child.spawnargs[1]} ended with ${code}`))),
  ]);
  if (message.error) throw new Error(message.error);
  return message[name];
}

/** User and system time that a process has had, in microseconds. @param {number} pid */
function cpuOf(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

/**
 * Microseconds of CPU of the servers and of the brokers until now, and bytes of RSS of a server.
 *
 * @param {import('node:child_process').ChildProcess[]} servers
 * @param {(number | undefined)[]} brokers process ids
 */
async function usage(servers, brokers) {
  const answers = servers.map((server) => next(server, 'usage'));
  for (const server of servers) server.send({ usage: true });
  const usages = await Promise.all(answers);
  const sum = (/** @type {string} */ name) => usages.reduce((total, each) => total + each[name], 0);
  const pids = brokers.filter((pid) => pid !== undefined);
  return { cpu: sum('cpu'), rss: sum('rss') / servers.length, brokers: pids.map(cpuOf).reduce((total, cpu) => total + cpu, 0) };
}

/** Ends processes that still run, and waits for them. @param {import('node:child_process').ChildProcess[]} children */
async function end(children) {
  const running = children.filter((child) => child.exitCode === null && child.signalCode === null);
  await Promise.all(running.map((child) => Promise.all([once(child, 'exit'), child.connected && child.send({ end: true })])));
}

/**
 * Measures each row in each round, every other round backwards.
 *
 * @template Figures
 * @param {string[]} names
 * @param {number} rounds
 * @param {(name: string, key: string) => Promise<Figures>} row key: a name that no other measurement has
 * @returns {Promise<[string, Figures[]][]>}
 */
async function measured(names, rounds, row) {
  /** @type {Record<string, Figures[]>} */
  const all = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const name of round % 2 === 0 ? names : [...names].reverse()) {
      const figures = await row(name, `bench-${process.pid}-${round}-${name}`);
      all[name].push(figures);
      process.stderr.write(`${name} ${JSON.stringify(figures)}\n`);
    }
  }
  return Object.entries(all);
}

/** The machine, and the versions beside Node's. @param {Record<string, string>} versions */
function machine(versions) {
  const redis = execFileSync(process.env.REDIS_SERVER || 'redis-server', ['--version'], { encoding: 'utf8' }).match(/v=([\d.]+)/)?.[1];
  const all = Object.entries({ ...versions, Redis: redis }).map(([name, version]) => `${name} ${version}`);
  return `Node ${process.version}, ${all.join(', ')}, ${os.cpus().length} x ${os.cpus()[0]?.model}, load ${os.loadavg()[0].toFixed(1)} when it began; all on one machine.`;
}

/**
 * Prints medians, and their ratios to those of one row.
 *
 * @template Figures
 * @param {Record<string, { title: string }>} rows
 * @param {Column[]} columns their names are those of figures
 * @param {string} base
 * @param {[string, Figures[]][]} measured
 */
function report(rows, columns, base, measured) {
  const of = (/** @type {any[]} */ rounds, /** @type {string} */ column) => median(rounds.map((round) => round[column]));
  const table = (/** @type {string[]} */ titles, /** @type {string[][]} */ lines) =>
    console.log([titles, titles.map((_, i) => (i === 0 ? '---' : '--:')), ...lines].map((line) => `| ${line.join(' | ')} |`).join('\n'));
  const titles = ['', ...columns.map(({ title }) => title)];
  table(
    titles,
    measured.map(([name, rounds]) => [rows[name].title, ...columns.map(({ name: column, digits }) => of(rounds, column).toFixed(digits))]),
  );
  const found = measured.find(([name]) => name === base)?.[1];
  if (!found || measured.length === 1) return;
  console.log(`\nThe same as multiples of ${rows[base].title}:\n`);
  table(
    titles.map((title) => title.replace(/, (ms|µs)$|^MB of /, '')),
    measured
      .filter(([name]) => name !== base)
      .map(([name, rounds]) => [rows[name].title, ...columns.map(({ name: column }) => (of(rounds, column) / of(found, column)).toFixed(2))]),
  );
}

module.exports = { command, end, machine, measured, next, report, usage };
