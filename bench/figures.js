'use strict';
// From what processes measured to what is compared.

/** @param {number[]} values */
function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Figure by figure; what a contender did not measure is left out. @type {Record<string, { title: string, of: (report: import('./shapes.js').Report) => number }>} */
const FIGURES = {
  rate: { title: 'msg/s', of: ({ flowMessages, seconds }) => flowMessages / seconds || NaN },
  cpu: { title: 'CPU s per 1 M msg', of: ({ cpu, messages }) => (cpu / messages) * 1e6 },
  thread: { title: 'of it JS thread', of: ({ thread, messages }) => (thread / messages) * 1e6 },
  flowCpu: { title: 'CPU s per 1 M msg, from the first', of: ({ flowCpu, flowMessages }) => (flowCpu / flowMessages) * 1e6 },
  beside: { title: 'of it beside parsing', of: ({ cpu, parsing, messages }) => ((cpu - parsing) / messages) * 1e6 },
  perCpu: { title: 'msg per CPU s', of: ({ cpu, messages }) => messages / cpu },
  p50: { title: 'p50 ms', of: ({ p50 }) => p50 },
  p99: { title: 'p99 ms', of: ({ p99 }) => p99 },
  require: { title: 'require ms', of: ({ require }) => require },
  first: { title: 'to the first ms', of: ({ first }) => first },
  delay: { title: 'loop delay p99 ms', of: ({ delay }) => delay },
  gc: { title: 'GC ms', of: ({ gc }) => gc },
  rss: { title: 'RSS peak MB', of: ({ rss }) => rss },
  start: { title: 'start ms', of: ({ start }) => start * 1000 || NaN },
  threads: { title: 'threads', of: ({ threads }) => threads },
};

/**
 * @param {import('./shapes.js').Report[]} rounds the reports of one contender in one shape
 * @returns {Record<string, { median: number, min: number, max: number }>}
 */
function summary(rounds) {
  const figures = {};
  for (const [name, { of }] of Object.entries(FIGURES)) {
    const values = rounds.map(of).filter((value) => Number.isFinite(value));
    if (values.length > 0) figures[name] = { median: median(values), min: Math.min(...values), max: Math.max(...values) };
  }
  return figures;
}

/** Three digits that count. */
function number(value) {
  if (value >= 10_000_000) return `${number(value / 1e6)} M`;
  if (value >= 10_000) return `${number(value / 1000)} k`;
  return value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2);
}

/** 'median (lowest-highest)' */
const spread = ({ median, min, max }) => `${number(median)} (${number(min)}-${number(max)})`;

module.exports = { FIGURES, median, number, spread, summary };
