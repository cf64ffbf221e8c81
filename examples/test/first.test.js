'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { onBoth } = require('../../test/support/clusters.js');
const { folder, offsets } = require('../../test/support/flow.js');
const { EXAMPLES, Example } = require('./support.js');

test("the README's first program is the example, to the letter", () => {
  const readme = fs.readFileSync(path.join(EXAMPLES, '..', 'README.md'), 'utf8');
  const section = /^## First program\n(.*?)^## /ms.exec(readme)?.[1];
  assert.ok(section, "README.md has a section '## First program'");
  const block = /^```js\n(.*?)^```$/ms.exec(section)?.[1];
  assert.equal(block, fs.readFileSync(path.join(EXAMPLES, 'first', 'first.js'), 'utf8'));
});

onBoth('the first program', (cluster) => {
  test('shows its messages, ends with Ctrl-C, and goes on behind them when it is run again', async (t) => {
    const { broker } = cluster().options();
    const cwd = folder(t);
    const env = { KAFKA_BROKER: broker };
    const lines = /^\d+\/\d+: (.*)$/;

    const first = new Example(t, 'first/first.js', { cwd, env });
    const shows = (payload) => first.all(lines).some(([, shown]) => shown === payload);
    await first.until(() => shows('hello') && shows('world'), 'both messages');
    assert.deepEqual(await first.kill('SIGINT'), { code: 0, signal: null }, first.stderr);

    const recorded = offsets(path.join(cwd, 'offsets'), 'greetings');
    const second = new Example(t, 'first/first.js', { cwd, env });
    await second.until(() => second.all(lines).length >= 2, 'two messages');
    assert.deepEqual(await second.kill('SIGINT'), { code: 0, signal: null }, second.stderr);
    for (const [line] of second.all(lines)) {
      const [, partition, offset] = /^(\d+)\/(\d+):/.exec(line)?.map(Number) ?? [];
      assert.ok(offset > (recorded[partition] ?? -1), `${line} is new: ${JSON.stringify(recorded)} was recorded`);
    }
  });
});
