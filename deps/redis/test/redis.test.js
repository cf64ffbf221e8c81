'use strict';

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { test } = require('node:test');
const { lives, until } = require('../../kafka/test/support.js');
const { Redis } = require('../index.js');

/** One command of Redis's protocol in its inline form, and the first line of the answer. @param {{ port: number }} redis @param {string} command */
async function ask(redis, command) {
  const socket = net.connect(redis.port, '127.0.0.1');
  socket.write(`${command}\r\n`);
  const [answer] = await once(socket, 'data');
  socket.destroy();
  return answer.toString();
}

test('a server that has started answers, is its own, listens on 127.0.0.1 only and keeps nothing on disk', async (t) => {
  const [one, other] = await Promise.all([Redis.start(), Redis.start()]);
  t.after(() => Promise.all([one.stop(), other.stop()]));
  assert.equal(await ask(one, 'SET key value'), '+OK\r\n');
  assert.equal(await ask(one, 'GET key'), '$5\r\nvalue\r\n');
  assert.equal(await ask(other, 'GET key'), '$-1\r\n');
  assert.match(await ask(one, 'CONFIG GET bind'), /\r\n127\.0\.0\.1\r\n$/);
  assert.match(await ask(one, 'CONFIG GET save'), /\r\n\$0\r\n\r\n$/);
  assert.match(await ask(one, 'CONFIG GET appendonly'), /\r\nno\r\n$/);
  assert.equal(one.url, `redis://127.0.0.1:${one.port}`);
});

test('a stopped server is gone with its folder', async () => {
  const redis = await Redis.start();
  const { pid, dir } = redis;
  assert.ok(lives(pid) && fs.existsSync(dir));
  await redis.stop();
  assert.ok(!lives(pid) && !fs.existsSync(dir));
  assert.equal(redis.pid, undefined);
  await redis.stop(); // and may be stopped again
});

for (const [how, next, end] of /** @type {const} */ ([
  ['is SIGKILLed', 'setInterval(() => {}, 1000);', 'SIGKILL'],
  ['is SIGTERMed', 'setInterval(() => {}, 1000);', 'SIGTERM'],
  ['throws', 'setImmediate(() => { throw new Error("on purpose"); });', undefined],
  ['forgets the server', '', undefined],
])) {
  test(`the server dies and its folder goes when the process that started it ${how}`, async () => {
    const script = `
      require(${JSON.stringify(path.join(__dirname, '../index.js'))}).Redis.start().then(({ pid, dir }) => {
        console.log(JSON.stringify({ pid, dir }));
        ${next}
      });`;
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
    const [line] = await once(child.stdout, 'data');
    const { pid, dir } = JSON.parse(line);
    if (end) {
      assert.ok(lives(pid));
      child.kill(end);
    }
    await until(() => !lives(pid) && !fs.existsSync(dir));
  });
}

test('a server that is not there, or does not run, is named, with what to do', async (t) => {
  const before = process.env.REDIS_SERVER;
  t.after(() => (before === undefined ? delete process.env.REDIS_SERVER : (process.env.REDIS_SERVER = before)));
  process.env.REDIS_SERVER = '/nowhere/redis-server';
  await assert.rejects(Redis.start(), { message: "there is no '/nowhere/redis-server': apt-get install redis-server, or name one with REDIS_SERVER" });
  process.env.REDIS_SERVER = 'ls'; // which runs, says what it thinks of the arguments, and ends
  await assert.rejects(Redis.start(), /^Error: 'ls' does not run: ls: .*--bind/);
});
