'use strict';
// Results as files: results.json for programs, README.md and plots for people.

const { mkdirSync, readdirSync, rmSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { CONTENDERS } = require('./contenders.js');
const { FIGURES, number, spread } = require('./figures.js');
const { plot } = require('./plot.js');

/** What a plot of a kind of work shows. */
const PLOTTED = { consume: ['rate', 'perCpu', 'rss'], produce: ['rate', 'perCpu', 'rss'], latency: ['p50', 'p99'], start: ['first', 'require'] };

/** How the cost of a message goes with partitions and messages. @type {Record<string, Record<string, string>>} */
const COSTS = {
  'cost-consume': {
    '1 partition': 'consume-1-partition',
    '4 partitions, 1 M messages': 'consume',
    '100 partitions': 'consume-100-partitions',
    '1000 partitions': 'consume-1000-partitions',
    '10 K messages': 'consume-10K',
    '100 K messages': 'consume-100K',
    '10 M messages': 'consume-10M',
  },
  'cost-produce': {
    '4 partitions, 1 M messages': 'produce',
    '1000 partitions': 'produce-1000-partitions',
    '10 K messages': 'produce-10K',
    '10 M messages': 'produce-10M',
  },
};

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
  for (const name of Object.keys(COSTS)) if (plots[name]) lines.push('## CPU a message, from the first message on', '', `![CPU a message](${name}.svg)`, '');
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
  for (const [name, points] of Object.entries(COSTS)) {
    const there = Object.entries(points).filter(([, shape]) => shapes[shape]);
    if (there.length < 2) continue;
    const rows = there.flatMap(([label, shape]) =>
      ['c-loop', 'kafka-native', 'classic'].flatMap((contender) => {
        const figures = shapes[shape].contenders[contender]?.figures;
        return figures?.flowCpu ? [{ label: `${label}: ${contender}`, contender, figures }] : [];
      }),
    );
    if (rows.length > 0)
      plots[name] = plot(name === 'cost-consume' ? 'Consume: cost against partitions and messages' : 'Produce: cost against partitions and messages', rows, [
        'flowCpu',
      ]);
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
