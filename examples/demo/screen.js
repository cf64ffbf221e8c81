'use strict';
// The demo's display while it runs: bars on a terminal, lines elsewhere.

const { MultiBar, Presets } = require('cli-progress');

const number = (value) => Math.round(value).toLocaleString('en-US');

/** Counts in, messages a second over the last second out. */
class Rate {
  #samples = [];

  add(count) {
    const now = performance.now();
    this.#samples.push({ now, count });
    while (this.#samples.length > 2 && now - this.#samples[0].now > 1000) this.#samples.shift();
    const { now: then, count: before } = this.#samples[0];
    return now > then ? ((count - before) / (now - then)) * 1000 : 0;
  }
}

/**
 * Shows how a job gets on until `stop()`.
 *
 * @param {{ sent: number, received: number, lag: number, total: number }} job
 */
function progress(job) {
  const rates = { sent: new Rate(), received: new Rate() };
  const show = process.stdout.isTTY ? bars(job.total) : lines();
  const update = () => {
    show.update(
      ['sent', 'received'].map((name) => ({ name, count: job[name], rate: rates[name].add(job[name]), total: job.total })),
      job.lag,
    );
  };
  const timer = setInterval(update, show.interval);
  return {
    stop() {
      clearInterval(timer);
      update();
      show.stop();
    },
  };
}

function bars(total) {
  const bars = new MultiBar(
    // Ctrl-C ends the demo as it ends any program.
    {
      format: '{name} {bar} {percent} {count} {rate}/s',
      stream: process.stdout,
      barsize: 30,
      gracefulExit: false,
      linewrap: null,
      hideCursor: null,
      forceRedraw: true,
    },
    Presets.shades_classic,
  );
  const rows = ['sent', 'received'].map((name) => bars.create(total, 0, { name: name.padEnd(8), percent: '  0%', count: '', rate: '0' }));
  const lagRow = bars.create(total, 0, { lag: '0' }, { format: 'lag      {lag} messages' });
  return {
    interval: 100,
    update(parts, lag) {
      for (const [i, { count, rate }] of parts.entries()) {
        const percent = `${Math.floor((count / total) * 100)}%`.padStart(4);
        rows[i].update(count, { percent, count: number(count).padStart(10), rate: number(rate).padStart(10) });
      }
      lagRow.update(0, { lag: number(lag) });
    },
    stop: () => bars.stop(),
  };
}

function lines() {
  return {
    interval: 250,
    update(parts, lag) {
      const texts = parts.map(({ name, count, rate, total }) => `${name} ${number(count)} (${Math.floor((count / total) * 100)}%, ${number(rate)}/s)`);
      console.log(`${texts.join(', ')}, lag ${number(lag)}`);
    },
    stop() {},
  };
}

/** Prints rows under a head; numbers and what looks like them are set right. */
function table(head, rows) {
  const cells = rows.map((row) => row.map(String));
  const widths = head.map((name, i) => Math.max(name.length, ...cells.map((row) => row[i].length)));
  const right = head.map((_, i) => cells.every((row) => /^[\d,]+$/.test(row[i])));
  const line = (row) => `  ${row.map((text, i) => (right[i] ? text.padStart(widths[i]) : text.padEnd(widths[i]))).join('   ')}`.trimEnd();
  console.log(line(head));
  console.log(line(widths.map((width) => '-'.repeat(width))));
  for (const row of cells) console.log(line(row));
}

module.exports = { number, progress, table };
