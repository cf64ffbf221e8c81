'use strict';
// How the cost of a message goes with what a program has more of: tables of a run's results.

const { CONTENDERS, OURS } = require('./contenders.js');
const { number } = require('./figures.js');

/** Axis by axis; costs are compared with those of `consume` and `produce`, where they are on the axis, else with the first. @type {Record<string, Record<string, string>>} */
const AXES = {
  'Partitions of a topic, one consumer': {
    1: 'consume-1-partition',
    4: 'consume',
    100: 'consume-100-partitions',
    2000: 'consume-2000-partitions',
  },
  'Partitions of a topic, one producer': {
    1: 'produce-1-partition',
    4: 'produce',
    100: 'produce-100-partitions',
    2000: 'produce-2000-partitions',
  },
  'Consumers of a process that divide 200 partitions': { 1: 'consume-1-client', 20: 'consume-20-clients', 200: 'consume-200-clients' },
  'Bytes of a value, consuming': { '100 B': 'consume', '1 KiB': 'consume-1KiB', '100 KiB': 'consume-100KiB', '1 MiB': 'consume-1MiB' },
  'Bytes of a value, producing': { '100 B': 'produce', '1 KiB': 'produce-1KiB', '100 KiB': 'produce-100KiB', '1 MiB': 'produce-1MiB' },
  'Compression and TLS, consuming': { neither: 'consume', lz4: 'consume-lz4', zstd: 'consume-zstd', TLS: 'consume-tls' },
  'Compression and TLS, producing': { neither: 'produce', lz4: 'produce-lz4', zstd: 'produce-zstd', TLS: 'produce-tls' },
  'Messages, consuming': { '10 K': 'consume-10K', '100 K': 'consume-100K', '1 M': 'consume', '10 M': 'consume-10M' },
  'Messages, producing': { '10 K': 'produce-10K', '1 M': 'produce', '10 M': 'produce-10M' },
};

const times = (value, base) => (value === undefined || base === undefined ? undefined : value / base);

/**
 * An axis's rows, a contender and point each, as far as the run has measured them.
 *
 * @param {Record<string, string>} points
 * @param {import('./shapes.js').Results['shapes']} shapes
 */
function rows(points, shapes) {
  const there = Object.entries(points).filter(([, shape]) => shapes[shape]);
  const base = ['consume', 'produce'].find((shape) => there.some(([, other]) => other === shape)) ?? there[0]?.[1];
  const figure = (shape, contender, name) => shapes[shape]?.contenders[contender]?.figures[name]?.median;
  return there.flatMap(([point, shape]) =>
    OURS.map((contender) => {
      const cpu = figure(shape, contender, 'flowCpu');
      const of = (name) => figure(shape, contender, name);
      return {
        ...{ point, contender, cpu, toBase: times(cpu, figure(base, contender, 'flowCpu')), toBaseline: times(cpu, figure(shape, 'c-loop', 'flowCpu')) },
        ...{ rate: of('rate'), rss: of('rss'), threads: of('threads'), start: of('start') },
      };
    }).filter(({ cpu }) => cpu !== undefined),
  );
}

/** @param {import('./shapes.js').Results['shapes']} shapes @returns {{ title: string, head: string[], rows: string[][], worst: string }[]} axes of which there are two points at least */
function axes(shapes) {
  return Object.entries(AXES).flatMap(([title, points]) => {
    const all = rows(points, shapes);
    if (new Set(all.map(({ point }) => point)).size < 2) return [];
    const text = (value) => (value === undefined ? '' : number(value));
    const worst = all.filter(({ contender }) => contender !== 'c-loop').sort((a, b) => (b.toBaseline ?? 0) - (a.toBaseline ?? 0))[0];
    return [
      {
        title,
        head: ['', '', 'CPU µs a message, from the first', 'times the base', "times the C loop's", 'msg/s', 'start ms', 'RSS peak MB', 'threads'],
        rows: all.map((row) => [
          ...[row.point, CONTENDERS[row.contender].title],
          ...[row.cpu, row.toBase, row.toBaseline, row.rate, row.start, row.rss].map(text),
          row.threads === undefined ? '' : row.threads.toFixed(),
        ]),
        worst: worst?.toBaseline ? `At worst ${number(worst.toBaseline)} times the C loop's: ${worst.point}, ${CONTENDERS[worst.contender].title}.` : '',
      },
    ];
  });
}

module.exports = { AXES, axes };
