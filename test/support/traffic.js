'use strict';
// A producer that goes on while its brokers are in trouble, and what of its messages has come.

const assert = require('node:assert/strict');
const { cleanup } = require('./cleanup.js');
const { PATIENCE, producer } = require('./flow.js');
const { Calls, eventually } = require('./watch.js');

/** Sends a number every few milliseconds to each partition in turn, until `end`. */
class Traffic {
  sent = 0;
  reports = new Calls();
  errors = new Calls();

  constructor(t, cluster, topic, partitions) {
    this.sender = producer(t, cluster, { delivery_report_callback: this.reports.take, error_callback: this.errors.take });
    this.timer = setInterval(() => {
      const { enqueued } = this.sender.send(topic, this.sent % partitions, [`${this.sent}`]);
      this.sent += enqueued;
    }, 3);
    cleanup(t, () => clearInterval(this.timer));
  }

  async more(count) {
    const goal = this.sent + count;
    await eventually(PATIENCE, `${count} more messages`, () => this.sent >= goal);
  }

  /** Resolves when everything is acknowledged. */
  async end() {
    clearInterval(this.timer);
    await this.sender.stop({ timeout: 60_000 });
    assert.deepEqual(this.reports.all, [], 'everything was acknowledged');
  }
}

/** The numbers below `total` that are not among the messages. */
function missing(messages, total) {
  const seen = new Set(messages.map((m) => Number(m.payload)));
  return Array.from({ length: total }, (_, n) => n).filter((n) => !seen.has(n));
}

const whole = (messages, total) => missing(messages, total).length === 0;

module.exports = { Traffic, missing, whole };
