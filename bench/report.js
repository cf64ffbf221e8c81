'use strict';
// Results as files: results.json for programs, README.md and plots for people.

const { mkdirSync, readdirSync, rmSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { CONTENDERS } = require('./contenders.js');
const { FIGURES, number, spread } = require('./figures.js');
const { plot } = require('./plot.js');
const { axes } = require('./scale.js');

/** Figures that are plotted, by kind of work. */
const PLOTTED = { consume: ['rate', 'perCpu', 'rss'], produce: ['rate', 'perCpu', 'rss'], latency: ['p50', 'p99'], start: ['first', 'require'] };

const table = (head, rows) => [`| ${head.join(' | ')} |`, `|${head.map(() => '---|').join('')}`, ...rows.map((row) => `| ${row.join(' | ')} |`), ''];
const title = (name) => CONTENDERS[name].title;

/** One row a contender, a column for each figure that one of them has; then who is missing, and why. */
function shapeTable({ contenders, not = {} }) {
  const names = Object.keys(contenders);
  const columns = Object.keys(FIGURES).filter((figure) => names.some((name) => contenders[name].figures[figure]));
  const rows = names.map((name) => [
    title(name),
    ...columns.map((figure) => (contenders[name].figures[figure] ? spread(contenders[name].figures[figure]) : '')),
  ]);
  const problems = [
    ...names.flatMap((name) => [...new Set(contenders[name].errors)].map((error) => `- ${title(name)} failed: ${error.split('\n')[0]}`)),
    ...Object.entries(not).map(([name, why]) => `- ${title(name)} does not take part: ${why}`),
  ];
  return [...table(['', ...columns.map((figure) => FIGURES[figure].title)], rows), ...problems, ...(problems.length > 0 ? [''] : [])];
}

/** @returns {[string, string][]} bar, and whether it is met */
function barRows(bars) {
  return bars.map(({ what, contender, measured, limit, atLeast, met }) => [
    met === undefined ? 'not measured' : met ? 'met' : '**not met**',
    title(contender),
    what,
    measured === undefined ? '' : number(measured),
    limit === undefined ? '' : `${atLeast ? '≥' : '≤'} ${number(limit)}`,
    met === undefined ? '' : (measured / limit).toFixed(2),
  ]);
}

function markdown({ date, machine, versions, settings, contenders, shapes, bars }, plots) {
  const lines = [
    '# Results',
    '',
    `${date}. Rounds: ${settings.rounds}; medians (lowest-highest). ${settings.factor === 1 ? '' : `The numbers of messages are multiplied by ${settings.factor}. `}What the shapes do, and how to read this: [bench/README.md](../README.md).`,
    '',
    `- ${machine.cpu}, ${machine.cores} cores shared with the broker, ${machine.memory} GB; ${machine.system}, kernel ${machine.kernel}`,
    `- ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}`,
    `- An empty Node has an RSS of ${number(machine.emptyNode)} MB`,
    '',
    ...table(
      ['contender', 'version', ''],
      Object.entries(contenders).map(([name, { version, problem }]) => [
        title(name),
        version ?? '',
        problem ? `does not take part: ${problem.replaceAll('\n', ' ')}` : '',
      ]),
    ),
    '## Bars',
    '',
    ...table(['', 'contender', 'bar', 'measured', 'limit', 'ratio'], barRows(bars)),
  ];
  for (const [name, shape] of Object.entries(shapes)) {
    lines.push(`## ${shape.title}`, '', ...(plots[name] ? [`![${shape.title}](${name}.svg)`, ''] : []), ...shapeTable(shape));
  }
  const scale = axes(shapes);
  if (scale.length > 0) lines.push('## At scale', '');
  for (const { title: text, head, rows, worst } of scale) lines.push(`### ${text}`, '', ...table(head, rows), ...(worst ? [worst, ''] : []));
  return lines.join('\n');
}

/** @returns {Record<string, string>} file name without .svg, and the picture */
function pictures({ shapes }) {
  const plots = {};
  for (const [name, { title: text, task, contenders }] of Object.entries(shapes)) {
    const rows = Object.entries(contenders).filter(([, { figures }]) => Object.keys(figures).length > 0);
    const names = PLOTTED[task.work].filter((figure) => rows.some(([, { figures }]) => figures[figure]));
    if (rows.length > 1 && names.length > 0)
      plots[name] = plot(
        text,
        rows.map(([contender, { figures }]) => ({ label: title(contender), contender, figures })),
        names,
      );
  }
  return plots;
}

/**
 * Writes results.json, README.md and the plots; what an older run left there goes.
 *
 * @param {string} folder
 * @param {import('./shapes.js').Results} results
 */
function write(folder, results) {
  const plots = pictures(results);
  mkdirSync(folder, { recursive: true });
  for (const file of readdirSync(folder)) if (file.endsWith('.svg')) rmSync(join(folder, file));
  for (const [name, svg] of Object.entries(plots)) writeFileSync(join(folder, `${name}.svg`), svg);
  writeFileSync(join(folder, 'results.json'), `${JSON.stringify(results, null, 1)}\n`);
  writeFileSync(join(folder, 'README.md'), markdown(results, plots));
}

/** The bars as text for the terminal. */
const tell = (bars) =>
  barRows(bars)
    .map(([met, ...rest]) => `${met.replaceAll('*', '').padEnd(13)}${rest.join('  ')}`)
    .join('\n');

module.exports = { tell, write };
