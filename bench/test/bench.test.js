'use strict';
const assert = require('node:assert/strict');
const { execFileSync, spawnSync } = require('node:child_process');
const { mkdtempSync, readFileSync, readdirSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { test } = require('node:test');
const { cleanup } = require('../../test/support/cleanup.js');
const { bars } = require('../bars.js');
const { AXES } = require('../scale.js');
const { SHAPES } = require('../shapes.js');

const RUN = join(__dirname, '../run.js');

test('a run of few messages measures ours and the C loop in every kind of work, and writes results, table and plots', (t) => {
  const out = mkdtempSync(join(tmpdir(), 'kafka-native-bench-test-'));
  cleanup(t, () => rmSync(out, { recursive: true }));
  const shapes = ['consume', 'consume-headers', 'consume-tls', 'consume-1-client', 'consume-20-clients', 'produce-zstd', 'awaited-singles', 'latency-100', 'start-recorded'];
  const contenders = ['c-loop', 'kafka-native', 'classic'];
  const args = ['--messages', '10000', '--rounds', '2', '--shapes', shapes.join(), '--contenders', contenders.join(), '--out', out];
  // Its own Kafka, which has TLS.
  const { KAFKA_BROKER: _, ...env } = process.env;
  const printed = execFileSync(process.execPath, [RUN, ...args], { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

  const results = JSON.parse(readFileSync(join(out, 'results.json'), 'utf8'));
  assert.deepEqual(Object.keys(results.shapes), shapes);
  assert.ok(results.machine.cores > 0 && results.versions.Node && results.versions.librdkafka, 'the machine and the versions');
  for (const [name, shape] of Object.entries(results.shapes)) {
    assert.deepEqual(Object.keys(shape.contenders), contenders.filter((contender) => !shape.not?.[contender]));
    for (const [contender, { rounds, errors, figures }] of Object.entries(shape.contenders)) {
      assert.deepEqual(errors, [], `${contender} in ${name}`);
      assert.equal(rounds.length, 2, `${contender} in ${name}`);
      const expected = { consume: ['rate', 'cpu', 'rss'], produce: ['rate', 'cpu', 'rss'], latency: ['p50', 'p99', 'rss'], start: ['require', 'first', 'rss'] }[shape.task.work];
      if (contender !== 'c-loop' && expected.includes('rate')) expected.push('thread', 'gc');
      for (const figure of expected) {
        const { median, min, max } = figures[figure] ?? {};
        assert.ok(min >= 0 && min <= median && median <= max, `${figure} of ${contender} in ${name}: ${min} ${median} ${max}`);
      }
      if (expected.includes('rate')) for (const { messages } of rounds) assert.ok(messages > 0, `${contender} in ${name}`);
    }
    assert.match(readFileSync(join(out, `${name}.svg`), 'utf8'), /^<svg [^]*<rect [^]*<\/svg>\n$/);
  }
  const table = readFileSync(join(out, 'README.md'), 'utf8');
  for (const { title } of Object.values(results.shapes)) assert.ok(table.includes(`## ${title}`), title);
  for (const axis of ['Compression and TLS, consuming', 'Consumers of a process that divide 200 partitions'])
    assert.match(table, new RegExp(`### ${axis}\\n\\n(\\|.*\\n){8}\\nAt worst`), axis);
  assert.ok(results.shapes['consume-20-clients'].contenders['c-loop'].figures.threads.median >= 60, 'threads of 20 clients');
  assert.ok(results.bars.some(({ met }) => met !== undefined), 'bars that were measured');
  assert.match(printed, /not measured .*best binding/);
  assert.ok(readdirSync(out).every((file) => /^(results\.json|README\.md|[\w-]+\.svg)$/.test(file)));
});

test('a bar is met, missed, or not measured', () => {
  const rate = (median) => ({ figures: { rate: { median }, cpu: { median: 1 } } });
  const of = (classic) => bars({ consume: { contenders: { 'c-loop': rate(1000), classic } } }).find(({ what, contender }) => contender === 'classic' && what.includes('msg/s from the first'));
  assert.equal(of(rate(901))?.met, true);
  assert.equal(of(rate(899))?.met, false);
  const unmeasured = of({ figures: {} });
  assert.ok(unmeasured);
  assert.equal(unmeasured.met, undefined);
});

test('what the command line does not know is named', () => {
  const wrong = /** @type {[string[], RegExp][]} */ ([
    [['--shapes', 'consume,nonsense'], /--shapes does not know nonsense/],
    [['--contenders', 'nobody'], /--contenders does not know nobody/],
    [['--rounds', '0'], /--rounds takes a number/],
  ]);
  for (const [args, message] of wrong) {
    const { status, stderr } = spawnSync(process.execPath, [RUN, ...args], { encoding: 'utf8' });
    assert.equal(status, 1);
    assert.match(stderr, message);
  }
});

test('every shape of a bar is in the quick run', () => {
  const quick = Object.keys(SHAPES).filter((name) => SHAPES[name].quick);
  const asked = new Set();
  bars(new Proxy({}, { get: (_, shape) => void asked.add(shape) }));
  assert.deepEqual([...asked].sort(), quick.sort());
});

test('the shapes of an axis are there', () => {
  assert.deepEqual(Object.values(AXES).flatMap((points) => Object.values(points)).filter((shape) => !SHAPES[shape]), []);
});
