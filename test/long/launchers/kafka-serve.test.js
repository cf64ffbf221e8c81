'use strict';
// node deps/kafka/cli.js serve: a cluster that obeys lines, for tests in other languages.

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');
const readline = require('node:readline');
const { test } = require('node:test');
const { createTopic, lives, until } = require('../../../deps/kafka/test/support.js');

const CLI = path.join(__dirname, '../../../deps/kafka/cli.js');

for (const end of ['exit', 'the end of its standard input', 'SIGKILL']) {
  test(`serve obeys line by line, until ${end}`, async () => {
    const child = spawn(process.execPath, [CLI, 'serve', '--no-auto-create'], { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const hear = async () => JSON.parse((await lines.next()).value);
    const ask = (/** @type {string} */ line) => (child.stdin.write(`${line}\n`), hear());

    const { brokers, nodes } = await hear();
    assert.equal(await createTopic(brokers, 'served'), 0);
    assert.deepEqual(await ask('kill 1'), { ok: true });
    assert.equal(lives(nodes[0].pid), false);
    assert.deepEqual(await ask('start 1'), { ok: true });
    assert.equal(await createTopic(brokers, 'served'), 36, 'it exists');
    assert.deepEqual(await ask('pause 1'), { ok: true });
    assert.deepEqual(await ask('resume 1'), { ok: true });
    assert.match((await ask('start 1')).error, /runs already/);
    assert.match((await ask('stop 4')).error, /no node 4/);
    assert.match((await ask('dance 1')).error, /unknown command/);

    if (end === 'exit') child.stdin.write('exit\n');
    else if (end === 'SIGKILL') child.kill('SIGKILL');
    else child.stdin.end();
    const [code] = await once(child, 'exit');
    assert.equal(code, end === 'SIGKILL' ? null : 0);
    await until(async () => (await createTopic(brokers, 'gone').catch(() => 'refused')) === 'refused');
  });
}
