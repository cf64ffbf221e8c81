'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { onBoth } = require('../../test/support/clusters.js');
const { folder, producer } = require('../../test/support/flow.js');
const { Example } = require('./support.js');
const { random, seed } = require('../../test/support/random.js');

const PARTITIONS = 2;
const ACCOUNTS = ['anna', 'ben', 'carla'];
const KILLS = 10;
const BURST = 2000;

onBoth('examples/offset-manager', (cluster) => {
  test(`books every payment exactly once, although it is killed ${KILLS} times (SEED=${seed})`, async (t) => {
    const chance = random(seed);
    const topic = await cluster().topic(PARTITIONS);
    const file = path.join(folder(t), 'ledger.json');
    const sender = producer(t, cluster());
    const expected = Object.fromEntries(ACCOUNTS.map((account) => [account, 0]));
    const payment = () => {
      const [account, amount] = [ACCOUNTS[Math.floor(chance() * ACCOUNTS.length)], Math.floor(chance() * 100)];
      expected[account] += amount;
      return JSON.stringify({ account, amount });
    };
    let sent = 0;
    const send = (count) => {
      for (let partition = 0; partition < PARTITIONS; partition++) {
        sent += sender.send(topic, partition, Array.from({ length: count }, payment)).enqueued;
      }
    };
    const { broker } = cluster().options();
    const run = () => new Example(t, 'offset-manager', { args: [topic, file], env: { KAFKA_BROKER: broker } });

    for (let kill = 0; kill < KILLS; kill++) {
      const example = run();
      await example.writes(/^partitions 0, 1;/m);
      // Bursts of payments, so that it is writing at any moment at which it may die.
      const timer = setInterval(() => send(BURST / 100), 2);
      await new Promise((resolve) => setTimeout(resolve, chance() * 150));
      await example.kill('SIGKILL');
      clearInterval(timer);
      if (fs.existsSync(file)) JSON.parse(fs.readFileSync(file, 'utf8'));
    }
    await sender.stop();

    const example = run();
    const ledger = () => (fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : { offsets: {} });
    const booked = () => Object.values(ledger().offsets).reduce((sum, offset) => sum + offset + 1, 0);
    await example.until(() => booked() === sent, 'all payments are booked');
    assert.deepEqual(await example.kill('SIGTERM'), { code: 0, signal: null }, example.stderr);
    assert.deepEqual(ledger().balances, expected);
  });
});
