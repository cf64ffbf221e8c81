'use strict';
const assert = require('node:assert/strict');
const { execFileSync, fork, spawnSync } = require('node:child_process');
const { once } = require('node:events');
const { join } = require('node:path');
const { test } = require('node:test');
const { Deepstream } = require('@deepstream/server');
const { cleanup } = require('../../test/support/cleanup.js');
const { freePort } = require('../../test/support/deepstream.js');

const BENCH = join(__dirname, '../deepstream.js');

test('the cluster nodes over Kafka and Redis, and one server alone, are measured at the same work, and compared with Redis; starts are measured beside them', () => {
  const printed = execFileSync(process.execPath, [BENCH, '--rounds', '1', '--seconds', '0.5', '--rate', '20', '--in-flight', '5', '--starts', '1'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  assert.match(printed, /Node v\d.*@deepstream\/server \d.*Redis \d.*load \d/);
  const lines = printed.split('\n').filter((line) => line.startsWith('| '));
  const names = (rows) => rows.map((line) => line.split(' | ')[0].slice(2));
  assert.deepEqual(names(lines.slice(2, 5)), ['Kafka, acks=all, idempotent (default)', 'clusternode-redis', 'one server alone']);
  for (const line of lines.slice(2, 5)) for (const cell of line.slice(2, -2).split(' | ').slice(1, 7)) assert.ok(Number(cell) > 0, line);
  assert.deepEqual(names(lines.slice(7, 9)), ['Kafka, acks=all, idempotent (default)', 'one server alone']);
  assert.equal(lines.length, 14);
  for (const line of lines.slice(11)) for (const cell of line.slice(2, -2).split(' | ').slice(1)) assert.ok(Number(cell) > 0, line);
});

/** The report of the benchmark's clients on a flood, where the server does this with event 3. @param {import('node:test').TestContext} t @param {(send: () => void) => void} third */
async function flooded(t, third) {
  const port = await freePort();
  const server = new Deepstream({
    logLevel: 3,
    httpServer: { type: 'default', options: { host: '127.0.0.1', port } },
    connectionEndpoints: [{ type: 'ws-binary', options: { urlPath: '/deepstream' } }],
    permission: { type: 'none' },
    auth: [{ type: 'none' }],
  });
  // Timers of the server that would outlive it, and keep this process.
  /** @type {any} */ (server.getServices().subscriptions).pluginOptions.subscriptionsSanityTimer = 0;
  server.start();
  await once(server, 'started');
  cleanup(t, async () => {
    server.stop();
    await once(server, 'stopped');
  });
  /** @type {any} */
  const { messageDistributor } = server.getServices();
  const distribute = messageDistributor.distribute.bind(messageDistributor);
  /** @type {any} */ (server).messageProcessor.onAuthenticatedMessage = (socket, message) => {
    const send = () => distribute(socket, message);
    if (message.name === 'news' && JSON.parse(message.data)[0] === -3) third(send);
    else send();
  };
  const clients = fork(join(__dirname, '../deepstream/clients.js'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const next = async () => (await once(clients, 'message'))[0];
  await next();
  const ask = (message) => {
    clients.send(message);
    return next();
  };
  await ask({ ports: [port] });
  const answer = await ask({ flood: { seconds: 0.1, inFlight: 5 } });
  clients.kill();
  return answer;
}

test('an event counts when it comes once, and fails the measurement when it is missing or comes twice', async (t) => {
  assert.ok((await flooded(t, (send) => send())).result.events > 5);
  assert.equal((await flooded(t, () => {})).error, 'event 4 came where 3 was next');
  assert.equal((await flooded(t, (send) => [send(), send()])).error, 'event 3 came where 4 was next');
});

test('a row that is not there is named, with those that are', () => {
  const { status, stderr } = spawnSync(process.execPath, [BENCH, '--rows', 'redis,nonsense'], { encoding: 'utf8' });
  assert.equal(status, 1);
  assert.match(stderr, /--rows does not know nonsense: there are default,/);
});
