'use strict';
const assert = require('node:assert/strict');
const path = require('node:path');
const { test } = require('node:test');
const { KafkaProxy } = require('kafka-proxy');
const { cleanup } = require('../../test/support/cleanup.js');
const { real } = require('../../test/support/clusters.js');
const { folder, producer } = require('../../test/support/flow.js');
const { random, seed } = require('../../test/support/random.js');
const { Example } = require('./support.js');

test(`examples/proxy-file-offset goes on where it was killed, skips nothing, and says why it is refused (SEED=${seed})`, async (t) => {
  const chance = random(seed);
  const cluster = await real();
  cleanup(t, () => cluster.close());
  const topic = await cluster.topic(1);
  const { broker } = cluster.options();
  const proxy = new KafkaProxy({ port: 0, kafka: broker, idleTimeout: 10, maxBytes: 500 });
  cleanup(t, () => proxy.close());
  const { port } = await proxy.listen();
  const file = path.join(folder(t), 'clicks.offset');
  const run = (...args) => new Example(t, 'proxy-file-offset', { args, env: { KAFKA_PROXY: `ws://127.0.0.1:${port}` } });
  const sender = producer(t, cluster);
  sender.send(topic, 0, Array.from({ length: 1000 }, (_, i) => `click ${i}`));
  await sender.stop();

  let next = 0;
  for (let life = 0; life < 6; life++) {
    const example = run(topic, file);
    const last = life === 5;
    const wanted = last ? 1000 : Math.ceil(chance() * 150);
    // The last life repeats what the one before had printed and not recorded.
    const enough = () => (last ? example.all(/^999: click 999\n/).length > 0 : example.all(/^\d+: click \d+\n/).length >= wanted);
    await example.until(enough, `${wanted} messages`);
    if (last) assert.deepEqual(await example.kill('SIGTERM'), { code: 0, signal: null }, example.stderr);
    else await example.kill('SIGKILL');
    const printed = example.all(/^(\d+): click (\d+)\n/);
    for (const [i, [, offset, click]] of printed.entries()) {
      assert.equal(offset, click);
      if (i === 0) assert.ok(Number(offset) <= next, `began at ${offset}, and ${next} was next`);
      else assert.equal(Number(offset), Number(printed[i - 1][1]) + 1);
    }
    next = Number(printed[printed.length - 1][1]) + 1;
  }
  assert.equal(next, 1000);

  const refused = run('no-such-topic', `${file}-2`);
  assert.deepEqual(await refused.exit(), { code: 1, signal: null });
  assert.match(refused.stderr, /closed with 4404: .*no-such-topic/);
});
