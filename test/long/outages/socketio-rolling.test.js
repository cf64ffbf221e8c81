'use strict';
// All servers are restarted, one behind the other, under traffic, while the log's leader moves: every client counts every message.

const assert = require('node:assert');
const { after, before, test } = require('node:test');
const { io: connect } = require('socket.io-client');
const { cleanup } = require('../../support/cleanup.js');
const { real } = require('../../support/clusters.js');
const { PATIENCE, within } = require('../../support/flow.js');
const { kafkaOf, newKey } = require('../../support/socketio.js');
const { Killable } = require('../../support/socketio-recovery.js');

const SERVERS = 3;
const CLIENTS = 50;

/** @type {any} */ let cluster;
before(async () => (cluster = await real({ own: true, nodes: 3 })));
after(() => cluster?.close());

test('a rolling restart of all servers with 50 clients loses nothing and gives nothing twice', async (t) => {
  const options = { ...kafkaOf(cluster), key: newKey(), replicationFactor: 3 };
  // It stays, and sends; the others are restarted.
  const sender = await Killable.start(t, options);
  const servers = await Promise.all(Array.from({ length: SERVERS }, () => Killable.start(t, options)));
  const clients = Array.from({ length: CLIENTS }, (_, i) => {
    const client = { got: /** @type {number[]} */ ([]), connections: 0, recovered: 0, socket: /** @type {any} */ (undefined), waiting: undefined };
    const socket = (client.socket = connect(`http://127.0.0.1:${servers[i % SERVERS].port}`, {
      transports: ['websocket'],
      forceNew: true,
      reconnectionDelay: 20,
      reconnectionDelayMax: 200,
    }));
    // As behind a balancer, which does not know of every server that it is about to end.
    socket.io.on('reconnect_attempt', () => {
      socket.io.uri = `http://127.0.0.1:${servers[Math.floor(Math.random() * SERVERS)].port}`;
    });
    socket.on('connect', () => {
      client.connections++;
      if (socket.recovered) client.recovered++;
    });
    socket.on('m', (number) => {
      client.got.push(number);
      client.waiting?.();
    });
    cleanup(t, () => socket.disconnect());
    return client;
  });
  await Promise.all(clients.map(({ socket }) => within(PATIENCE, 'a client is welcome', () => new Promise((resolve) => socket.once('welcome', resolve)))));
  let sent = 0;
  let over = false;
  const traffic = (async () => {
    while (!over) {
      await sender.do('emit', { event: ['m', sent++] });
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  for (let i = 0; i < SERVERS; i++) {
    const old = servers[i];
    servers[i] = await Killable.start(t, options);
    const node = cluster.kafka.nodes[i];
    await Promise.all([old.do('close').then(() => old.exits()), node.stop().then(() => node.start())]);
    await Promise.all(
      clients.map(({ socket }) =>
        socket.connected ? undefined : within(PATIENCE, 'a client is back', () => new Promise((resolve) => socket.once('connect', resolve))),
      ),
    );
  }
  over = true;
  await traffic;
  await sender.do('emit', { event: ['m', sent++] });
  await Promise.all(
    clients.map((client) =>
      within(
        PATIENCE,
        () => `a client has ${client.got.length} of ${sent}`,
        () =>
          new Promise((resolve) => {
            client.waiting = () => client.got.at(-1) === sent - 1 && resolve(undefined);
            client.waiting();
          }),
      ),
    ),
  );
  const anew = clients.filter(({ connections, recovered }) => recovered !== connections - 1);
  assert.equal(anew.length, 0, `${anew.map(({ connections, recovered }) => `${recovered} of ${connections - 1}`)}`);
  for (const { got } of clients)
    assert.deepEqual(
      got,
      Array.from({ length: sent - got[0] }, (_, i) => i + got[0]),
    );
  assert.ok(clients.every(({ got }) => got[0] === 0));
  assert.ok(clients.filter(({ connections }) => connections > 1).length >= CLIENTS * 0.9);
  t.diagnostic(`${sent} messages, ${clients.reduce((sum, { connections }) => sum + connections - 1, 0)} times back`);
});
