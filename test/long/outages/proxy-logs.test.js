'use strict';
// Logs that kafka-proxy reads without a group while brokers are killed.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { cleanup } = require('../../support/cleanup.js');
const { real } = require('../../support/clusters.js');
const { PATIENCE } = require('../../support/flow.js');
const { Client, producerOf, stage } = require('../../support/proxy-logs.js');
const { eventually } = require('../../support/watch.js');

/** Messages `from` to `from + count`, dealt over the partitions. */
const numbers = (count, from, partitions) => Array.from({ length: count }, (_, i) => ({ partition: (from + i) % partitions, value: String(from + i) }));
const range = (begin, end, step) => Array.from({ length: Math.max(Math.ceil((end - begin) / step), 0) }, (_, i) => begin + i * step);

test('brokers are killed, leaders move: nothing is lost, repeated or out of order', async (t) => {
  const cluster = await real({ own: true, nodes: 3 });
  cleanup(t, () => cluster.close());
  const topic = await cluster.topic(3, { replication: 3, config: { 'min.insync.replicas': '2' } });
  const { logs } = stage(t, cluster, { limits: { cache: 100_000, past: 2 } });
  const producer = await producerOf(t, cluster);
  let written = 0;
  let ended = false;
  const fill = 'x'.repeat(200);
  const writing = (async () => {
    while (!ended) {
      await producer.send({ topic, messages: numbers(300, written, 3).map(({ partition, value }) => ({ partition, value: value + fill })) });
      written += 300;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  })();
  cleanup(t, () => (ended = true));
  const live = await Client.open(logs, { topics: [topic] });
  const [begin] = [new Map(live.all[0].partitions.map(({ partition, offset }) => [partition, offset]))];
  await live.got(1000);
  const past = await Client.open(logs, { topics: [topic], from: 'earliest' }, { credit: { messages: 100 } });
  const pace = setInterval(() => past.flow.give({ messages: 100 }), 5);
  cleanup(t, () => clearInterval(pace));
  for (const node of cluster.kafka.nodes.slice(0, 2)) {
    await node.kill();
    await live.got(live.records.length + 3000);
    await node.start();
    await live.got(live.records.length + 1000);
  }
  ended = true;
  await writing;
  past.flow.give({ messages: 1e9 });
  await past.got(written);
  await eventually(
    PATIENCE,
    'the live one has everything',
    () => live.records.length === written - [...begin.values()].reduce((sum, offset) => sum + offset, 0),
  );
  for (const partition of [0, 1, 2]) {
    const all = range(partition, written, 3);
    assert.deepEqual(
      past.records.filter((record) => record.partition === partition).map(({ value }) => Number.parseInt(value, 10)),
      all,
    );
    assert.deepEqual(
      live.records.filter((record) => record.partition === partition).map(({ value }) => Number.parseInt(value, 10)),
      all.slice(begin.get(partition)),
    );
  }
  assert.equal(past.types().filter((type) => type === 'caughtUp').length, 1);
  assert.ok(![...past.types(), ...live.types()].includes('warn'));
});
