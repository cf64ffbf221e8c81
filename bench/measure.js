'use strict';
// What every benchmark measures with.

/** Seconds. */
const now = () => performance.now() / 1000;

/** User and system seconds of the whole process, all threads. */
function cpu() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function percentiles(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (q) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];
  return { p50: at(0.5), p99: at(0.99) };
}

/** One line of JSON, which `run.js` reads. */
function report(work, figures) {
  console.log(JSON.stringify({ work, ...figures, rss: process.resourceUsage().maxRSS / 1024 }));
}

module.exports = { cpu, now, percentiles, report };
