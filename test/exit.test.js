'use strict';
// How a process ends: by itself when all is stopped, and without a crash or a hang when it is ended in the middle of traffic.
// Alone: what a process may still do when it ends has half a second.

const assert = require('node:assert/strict');
const path = require('node:path');
const { once } = require('node:events');
const { after, before, describe, test } = require('node:test');
const { Worker } = require('node:worker_threads');
const { cleanup } = require('./support/cleanup.js');
const { embedded, onBoth, real } = require('./support/clusters.js');
const { Child } = require('./support/child.js');
const { folder, offsets, producer } = require('./support/flow.js');
const { random, seed } = require('./support/random.js');

onBoth('a process with clients', (cluster) => {
  test('ends by itself after everything is stopped, with nothing left that keeps it alive', async (t) => {
    const topic = await cluster().topic(2);
    const child = new Child(t, 'exit-by-itself.js', { client: cluster().options(), topic, directory: folder(t), leave: 'stopped' });
    const { kept } = await child.says('last');
    await child.exits();
    assert.deepEqual(kept, [], 'resources that keep the event loop running');
  });

  test('ends although an idle producer was never stopped, and its messages have arrived', async (t) => {
    const topic = await cluster().topic(2);
    const child = new Child(t, 'exit-by-itself.js', { client: cluster().options(), topic, directory: folder(t), leave: 'producer' });
    await child.exits();
    // It sent these as its last action and awaited nothing.
    const second = new Child(t, 'exit-by-itself.js', { client: cluster().options(), topic, directory: folder(t), leave: 'stopped', expect: 4 });
    await second.exits();
  });
});

describe('process.exit() and worker.terminate() without a stop', () => {
  /** @type {any} */ let cluster;
  before(async () => (cluster = await real()));
  after(() => cluster?.close());

  for (const kind of ['group', 'assigned', 'classic']) {
    test(`a consumer (${kind}) with nothing left to write does not use up its half second`, async (t) => {
      const topic = await cluster.topic(1);
      const sender = producer(t, cluster);
      sender.send(topic, 0, ['one']);
      await sender.stop();
      const child = new Child(t, 'leaving.js', { client: cluster.options(), topic, directory: folder(t), kind });
      await child.exits();
      assert.equal(JSON.parse(child.stdout).left, 0, `clients that were given up on, ${child.stdout}`);
    });
  }

  test('messages that a producer had accepted are delivered by process.exit()', async (t) => {
    const topic = await cluster.topic(1);
    const child = new Child(t, 'leaving.js', { client: cluster.options(), topic, kind: 'sending' });
    await child.exits();
    assert.equal(JSON.parse(child.stdout).left, 0, child.stdout);
    assert.deepEqual(await cluster.admin.watermarks(topic, 0), { low: 0, high: 1001 });
  });

  test('messages that a producer had accepted are delivered by worker.terminate()', async (t) => {
    const topic = await cluster.topic(1);
    const worker = new Worker(path.join(__dirname, 'programs', 'leaving.js'), { workerData: { client: cluster.options(), topic, kind: 'sending' } });
    cleanup(t, () => worker.terminate());
    await once(worker, 'message');
    await worker.terminate();
    assert.deepEqual(await cluster.admin.watermarks(topic, 0), { low: 0, high: 1001 });
  });
});

describe('a process that is ended in the middle of traffic', () => {
  /** @type {any} */ let cluster;
  before(async () => (cluster = await real({ own: true, security: true })));
  after(() => cluster?.close());

  // Each end comes at another moment, at most LATEST ms after the first batch.
  const ROUNDS = Number(process.env.ROUNDS ?? 3);
  const LATEST = 80;

  const transports = {
    plaintext: () => ({ broker: cluster.kafka.listeners.plaintext }),
    TLS: () => ({
      broker: cluster.kafka.listeners.ssl,
      driver_options: { 'security.protocol': 'ssl', 'ssl.ca.location': cluster.kafka.tls.ca },
    }),
  };

  for (const [transport, client] of Object.entries(transports)) {
    for (const [ending, code, stderr] of [
      ['exit', 0, undefined],
      ['exception', 1, /uncaught on purpose/],
    ]) {
      test(`${ending} over ${transport}: no crash, no hang, and every settled offset is on disk`, async (t) => {
        const chance = random(seed);
        const topic = await cluster.topic(4);
        for (let round = 1; round <= ROUNDS; round++) {
          const directory = folder(t);
          const delay = Math.floor(chance() * LATEST);
          const child = new Child(t, 'traffic.js', { client: client(), topic, directory, ending, delay });
          await child.exits({ code, stderr });
          const where = `round ${round}, ${delay} ms after the first batch, SEED=${seed}`;
          const settled = JSON.parse(child.stdout);
          assert.notDeepEqual(settled, {}, `${where}: there was traffic`);
          assert.deepEqual(offsets(directory, topic), settled, where);
        }
      });
    }

    test(`workers over ${transport} that are terminated, exit or throw: no crash, no hang, no offset ahead of its callback`, async (t) => {
      const topic = await cluster.topic(4);
      const child = new Child(t, 'workers.js', { client: client(), topic, directory: folder(t), rounds: ROUNDS, seed });
      const { threads } = await child.says('done', 120_000);
      await child.exits();
      assert.deepEqual(threads, [], `SEED=${seed}: threads that outlived their worker`);
    });
  }
});

test('cluster workers: on SIGTERM each stops its consumer and exits with 0', async (t) => {
  const cluster = await embedded();
  cleanup(t, () => cluster.close());
  const topic = await cluster.topic(4);
  const child = new Child(t, 'cluster-workers.js', { client: cluster.options(), topic, directory: folder(t), workers: 2 });
  await child.says('working');
  child.process.kill('SIGTERM');
  const { exits } = await child.says('exits');
  await child.exits();
  assert.deepEqual(exits, [
    { code: 0, signal: null },
    { code: 0, signal: null },
  ]);
});
