'use strict';
// Brokers are killed, stopped and frozen, one at a time, now and then two.

const { setTimeout: delay } = require('node:timers/promises');

/** How long a broker that came back may take to be ready, in milliseconds; the run goes on without it. */
const BACK = 20_000;

class Brokers {
  /** @param {import('@kafka-native/kafka-for-tests').KafkaCluster} kafka @param {() => number} chance */
  constructor(kafka, chance, report) {
    this.kafka = kafka;
    this.chance = chance;
    this.report = report;
  }

  /** One fault, from its begin until the brokers are back. */
  async fault() {
    const first = Math.floor(this.chance() * 3);
    const nodes = [this.kafka.nodes[first], ...(this.chance() < 0.12 ? [this.kafka.nodes[(first + 1) % 3]] : [])];
    const kind = ['kill', 'stop', 'freeze'][Math.floor(this.chance() * 3)];
    const ms = 500 + this.chance() * 5000;
    this.report.did(`${kind} broker ${nodes.map(({ id }) => id).join(' and ')}`, `brokers: ${kind}`);
    await Promise.all(nodes.map((node) => this.#meet(node, kind, ms)));
  }

  async #meet(node, kind, ms) {
    if (kind === 'freeze') {
      node.pause();
      await delay(ms);
      node.resume();
      return;
    }
    await (kind === 'kill' ? node.kill() : node.stop());
    await delay(ms);
    node.launch();
    await node.ready({ timeout: BACK }).catch(() => {});
  }

  /** All are up again. */
  async heal() {
    for (const node of this.kafka.nodes) {
      if (node.pid === undefined) node.launch();
      else node.resume();
    }
    await this.kafka.ready(120_000);
  }
}

module.exports = { Brokers };
