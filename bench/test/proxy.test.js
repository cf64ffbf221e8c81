'use strict';
const assert = require('node:assert/strict');
const { execFileSync, fork, spawnSync } = require('node:child_process');
const { once } = require('node:events');
const { join } = require('node:path');
const { test } = require('node:test');
const { WebSocketServer } = require('ws');
const { encode } = require('@msgpack/msgpack');
const { cleanup } = require('../../test/support/cleanup.js');

const BENCH = join(__dirname, '../proxy.js');

test('every part of the benchmark of kafka-proxy measures its rows, and compares them with the plain loop', () => {
  const args = ['--rounds', '1', '--seconds', '0.3', '--messages', '20000', '--clients', '5', '--sockets', '20', '--rate', '50'];
  const printed = execFileSync(process.execPath, [BENCH, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  assert.match(printed, /Node v\d.*KafkaJS \d.*5 clients; 20 idle sockets/);
  const tables = printed.split('\n\n').filter((each) => each.startsWith('| '));
  const rows = (table) => table.trim().split('\n').slice(2).map((line) => line.slice(2, -2).split(' | '));
  const ours = ['kafka-proxy, protocol of 1.0', 'kafka-proxy, kafka.v2.json', 'kafka-proxy, kafka.v2.msgpack'];
  const all = [...ours, 'ws + KafkaJS + JSON.stringify'];
  assert.deepEqual(tables.map((table) => rows(table).map(([name]) => name)), [all, ours, all, all, ours, all, all]);
  const aims = printed.split('\n').filter((line) => line.startsWith('The aim, '));
  assert.equal(aims.length, 4);
  for (const line of aims) for (const name of ours) assert.match(line, new RegExp(`${name} (met|missed)[;.]`));
  for (const at of [0, 1, 3, 4]) for (const [name, figure] of rows(tables[at])) assert.ok(Number(figure) > 0, `${name}: ${figure}`);
});

/** The report of the benchmark's client on frames, of messages with these offsets each. @param {any} t @param {'legacy' | 'v2.json' | 'v2.msgpack'} kind @param {number[][]} frames */
async function told(t, kind, frames) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  cleanup(t, () => server.close());
  await once(server, 'listening');
  const encoded = (message) => (kind === 'v2.msgpack' ? encode(message) : JSON.stringify(message));
  server.on('connection', (socket) => {
    const send = () => {
      for (const offsets of frames) {
        const records = offsets.map((offset) => (kind === 'legacy' ? { message: 'x', offset } : { offset, timestamp: 1, value: 'x' }));
        socket.send(kind === 'legacy' ? JSON.stringify(records) : encoded({ type: 'batch', id: 1, topic: 't', partition: 0, records }));
      }
    };
    if (kind === 'legacy') return send();
    socket.send(encoded({ type: 'hello' }));
    socket.on('message', () => {
      socket.send(encoded({ type: 'assigned', id: 1, partitions: [] }));
      send();
    });
  });
  const clients = fork(join(__dirname, '../proxy/clients.js'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  cleanup(t, () => clients.kill());
  await once(clients, 'message');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  clients.send({ what: 'open', port, kind, topic: 't', from: 'earliest', count: 1 });
  const count = frames.flat().length;
  for (;;) {
    const [{ error, total }] = await once(clients, 'message');
    if (error) return error;
    if (total === count) return total;
  }
}

for (const kind of /** @type {const} */ (['legacy', 'v2.json', 'v2.msgpack'])) {
  test(`a message of ${kind} counts when it comes once, and fails the measurement when it is missing or comes twice`, async (t) => {
    assert.equal(await told(t, kind, [[126, 127, 128], [129], [130, 131]]), 6);
    assert.equal(await told(t, kind, [[65534, 65535], [65536], [65537]]), 4);
    assert.equal(await told(t, kind, [[5], [7], [8]]), `${kind}: 7 came where 6 was next`);
    assert.equal(await told(t, kind, [[5, 6], [6], [7]]), `${kind}: 6 came where 7 was next`);
  });
}

test('a row or a part that is not there is named, with those that are', () => {
  for (const [option, known] of [['--rows', 'legacy,'], ['--parts', 'one,latency,']]) {
    const { status, stderr } = spawnSync(process.execPath, [BENCH, option, 'nonsense'], { encoding: 'utf8' });
    assert.equal(status, 1);
    assert.match(stderr, new RegExp(`${option} does not know nonsense: there are ${known}`));
  }
});
